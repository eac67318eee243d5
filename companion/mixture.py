r"""Classes whose densities are Gaussian mixtures: density, posterior and score in closed form.

Class :math:`i` with components :math:`m \in M_i` of weight :math:`\pi_m` (summing to one over all :math:`m`):

.. math::
    p(x, i) = \sum_{m \in M_i} \pi_m \mathcal N(x; \mu_m, \Sigma_m), \quad
    p(i) = \sum_{m \in M_i} \pi_m, \quad p(x \mid i) = p(x, i) / p(i), \quad p(x) = \sum_i p(x, i).

The score is the posterior mean of the components' scores, with :math:`r_m \propto \pi_m \mathcal N(x; \mu_m,
\Sigma_m)` over the components in question (those of class :math:`i`, or all):

.. math:: \nabla_x \log p = \sum_m r_m(x) \, \Sigma_m^{-1} (\mu_m - x).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from companion._support import at_least, generator_or_fresh, positive, resolve_target


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A mixture of Gaussians for each class; made by `gaussian_mixture`.

    M components in D dimensions, C classes; N is a number of points.

    Attributes:
        means: (M, D), one row a component.
        covariances: (M, D, D).
        weights: (M,), positive, adding up to 1.
        labels: (M,) int64, the class of each component.

    Example:
        >>> pair = gaussian_mixture(torch.tensor([[-1.0], [1.0]]))  # a normal density a class, at -1 and at 1
        >>> pair.prior.tolist(), pair.score(torch.zeros(1, 1, dtype=torch.float64), 1).tolist()
        ([0.5, 0.5], [[1.0]])
    """

    means: Tensor
    covariances: Tensor
    weights: Tensor
    labels: Tensor

    @property
    def num_classes(self) -> int:
        """The number of classes, C."""
        return int(self.labels.max()) + 1

    @property
    def prior(self) -> Tensor:
        """(C,) probabilities p(i)."""
        return self.weights.new_zeros(self.num_classes).index_add(0, self.labels, self.weights)

    def sample(
        self, n: int, generator: torch.Generator | None = None, *, y: int | Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw points and their classes.

        Args:
            n: N, at least 1.
            generator: source of the randomness; None means a fresh one.
            y: an int or (N,) classes to draw from p(x | y); None draws the class from its prior too.

        Returns:
            x (N, D) and y (N,) int64.

        Raises:
            ValueError: n below 1, or y that is no class.
        """
        at_least("n", n, 1)
        generator = generator_or_fresh(generator)
        weights = self.weights.expand(n, -1)
        if y is not None:
            weights = weights * (self.labels == self._classes(n, y)[:, None])
        rows = torch.multinomial(weights.to(generator.device), 1, generator=generator)
        rows = rows[:, 0].to(self.means.device)
        noise = torch.randn(n, self.means.shape[1], generator=generator, dtype=self.means.dtype,
                            device=generator.device).to(self.means.device)  # fmt: skip
        x = self.means[rows]
        for component, factor in enumerate(self._factors):
            mine = rows == component
            x[mine] += noise[mine] @ factor.mT
        return x, self.labels[rows]

    def log_joint(self, x: Tensor) -> Tensor:
        """Return log p(x, i) for every class, (N, C): logits whose softmax is the true posterior."""
        components = self._log_components(x)
        of_class = self.labels == torch.arange(self.num_classes, device=x.device)[:, None]
        return components[:, None, :].masked_fill(~of_class, -math.inf).logsumexp(dim=2)

    def log_density(self, x: Tensor, y: int | Tensor | None = None) -> Tensor:
        """Return log p(x | y), or the marginal log p(x) for y None.

        Args:
            x: (N, D).
            y: an int or (N,) classes.

        Returns:
            (N,).

        Raises:
            ValueError: x is not (N, D), or y is no class.
        """
        joint = self.log_joint(x)
        if y is None:
            return joint.logsumexp(dim=1)
        y = self._classes(len(x), y)
        return joint.gather(1, y[:, None])[:, 0] - self.prior.log()[y]

    def log_posterior(self, x: Tensor) -> Tensor:
        """Return log p(i | x) for every class, (N, C): Bayes' rule."""
        return self.log_joint(x).log_softmax(dim=1)

    def score(self, x: Tensor, y: int | Tensor | None = None) -> Tensor:
        """Return the gradient in x of `log_density(x, y)`, in closed form.

        Args:
            x: (N, D).
            y: an int or (N,) classes; None for the marginal density.

        Returns:
            (N, D).

        Raises:
            ValueError: x is not (N, D), or y is no class.
        """
        components = self._log_components(x)
        if y is not None:
            other = self.labels != self._classes(len(x), y)[:, None]
            components = components.masked_fill(other, -math.inf)
        scores = torch.cholesky_solve(-self._from_means(x), self._factors)
        return torch.einsum("nm,mdn->nd", components.softmax(dim=1), scores)

    def smoothed(self, sigma: float) -> Mixture:
        """Return the density of x + sigma eta, with eta ~ N(0, I): the same mixture, a little wider.

        Args:
            sigma: standard deviation of the noise, finite and above 0.

        Raises:
            ValueError: sigma is not finite and above 0.

        Example:
            >>> gaussian_mixture(torch.zeros(1, 2)).smoothed(2.0).covariances[0].diag().tolist()
            [5.0, 5.0]
        """
        width = positive("sigma", sigma) ** 2
        return replace(
            self, covariances=self.covariances + width * torch.eye(self.means.shape[1]).to(self.means)
        )

    def classifier(self) -> nn.Module:
        """Return the Bayes classifier: (N, D), or images of D pixels, to the logits log p(x, i), (N, C)."""
        return _BayesClassifier(self)

    @cached_property
    def _factors(self) -> Tensor:
        """The (M, D, D) Cholesky factors of the covariances."""
        return torch.linalg.cholesky(self.covariances)

    def _from_means(self, x: Tensor) -> Tensor:
        """Return x minus each mean, (M, D, N): a column a point, so that each factor is used once."""
        return (x - self.means[:, None, :]).mT

    def _log_components(self, x: Tensor) -> Tensor:
        dimension = self.means.shape[1]
        if x.ndim != 2 or x.shape[1] != dimension:
            raise ValueError(f"x must have shape (N, {dimension}); got {tuple(x.shape)}")
        white = torch.linalg.solve_triangular(self._factors, self._from_means(x), upper=False)
        log_volume = self._factors.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        constant = 0.5 * dimension * math.log(2 * math.pi)
        return self.weights.log() - constant - log_volume - 0.5 * white.square().sum(dim=1).mT

    def _classes(self, n: int, y: int | Tensor) -> Tensor:
        return resolve_target(y, self.means.new_zeros(n, self.num_classes))


class _BayesClassifier(nn.Module):
    """Logits log p(x, i) of a mixture."""

    def __init__(self, mixture: Mixture) -> None:
        super().__init__()
        self.mixture = mixture

    def forward(self, x: Tensor) -> Tensor:
        return self.mixture.log_joint(x.flatten(1) if x.ndim > 2 else x)


def gaussian_mixture(
    means: Tensor,
    covariances: float | Tensor = 1.0,
    *,
    labels: Tensor | None = None,
    weights: Tensor | None = None,
    dtype: torch.dtype = torch.float64,
) -> Mixture:
    """Make a mixture of M Gaussians in D dimensions, each belonging to a class.

    Args:
        means: (M, D), one row a component.
        covariances: a number (the variance in every direction), (M, D) variances of diagonal covariances, or
            (M, D, D) full ones, symmetric and positive definite.
        labels: (M,) the class of each component, 0 to C-1, each at least once; None: component m is class m.
        weights: (M,) positive, in any scale; None: equal. The prior of a class is the sum of its components'.
        dtype: of all the arithmetic; points must have it too.

    Returns:
        The mixture, with `sample`, `log_density`, `log_posterior` and `score`.

    Raises:
        ValueError: a shape that does not fit, a covariance that is not positive definite, a weight that is
            not positive, a class without a component.

    Example:
        >>> mixture = gaussian_mixture(torch.tensor([[-1.0], [1.0]]))
        >>> mixture.score(torch.zeros(1, 1, dtype=torch.float64), y=1)
        tensor([[1.]], dtype=torch.float64)
        >>> mixture.log_posterior(torch.zeros(1, 1, dtype=torch.float64)).exp()
        tensor([[0.5000, 0.5000]], dtype=torch.float64)
    """
    means = torch.as_tensor(means).to(dtype)
    if means.ndim != 2 or 0 in means.shape:
        raise ValueError(f"means must have shape (M, D), one row a component; got {tuple(means.shape)}")
    count, dimension = means.shape
    spread = torch.as_tensor(covariances, dtype=dtype, device=means.device)
    if spread.ndim == 0:
        spread = spread.expand(count, dimension)
    if spread.shape == (count, dimension):
        spread = torch.diag_embed(spread)
    if spread.shape != (count, dimension, dimension):
        raise ValueError(
            f"covariances must be a number, ({count}, {dimension}) or ({count}, {dimension}, {dimension}); "
            f"got {tuple(spread.shape)}"
        )
    if not torch.allclose(spread, spread.mT) or bool(torch.linalg.cholesky_ex(spread).info.any()):
        raise ValueError("covariances must be symmetric and positive definite, variances above 0")
    labels = torch.as_tensor(torch.arange(count) if labels is None else labels, device=means.device)
    if labels.shape != (count,) or labels.is_floating_point():
        raise ValueError(f"labels must be ({count},) integers; got {tuple(labels.shape)} {labels.dtype}")
    if labels.unique().tolist() != list(range(int(labels.max()) + 1)):
        raise ValueError(f"labels must use every class from 0 up; got {labels.unique().tolist()}")
    weights = torch.as_tensor(torch.ones(count) if weights is None else weights).to(means)
    if weights.shape != (count,) or not bool(((weights > 0) & weights.isfinite()).all()):
        raise ValueError(f"weights must be ({count},) positive, finite numbers; got {weights.tolist()}")
    return Mixture(means=means, covariances=spread, weights=weights / weights.sum(), labels=labels.long())


def ppca_mixture(x: Tensor, y: Tensor, *, rank: int, dtype: torch.dtype = torch.float64) -> Mixture:
    r"""Fit one Gaussian to each class by probabilistic principal component analysis (Tipping & Bishop, 1999).

    Covariances are :math:`W_i W_i^T + \sigma^2 I`, with :math:`W_i` of rank q for class i and one noise for
    all classes, so that no class is told by its noise. The likelihood is largest where each class has its own
    mean and, in its first q principal directions, its own variances; :math:`\sigma^2` is the mean variance of
    all other directions. (A principal variance below :math:`\sigma^2` is raised to it.)

    Args:
        x: (N, D) points, D at least 2.
        y: (N,) classes from 0 up, each with at least 2 points.
        rank: q, from 1 to D - 1.
        dtype: of all the arithmetic.

    Returns:
        A mixture with a component a class, and the classes' shares as weights.

    Raises:
        ValueError: a shape, a class or a rank that does not fit, or no variance beyond the rank.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x, y = torch.randn(9000, 3, generator=generator), torch.zeros(9000, dtype=torch.int64)
        >>> x[:, 0] *= 5
        >>> ppca_mixture(x, y, rank=1).covariances[0].diag().round().tolist()
        [25.0, 1.0, 1.0]
    """
    if x.ndim != 2 or x.shape[1] < 2 or y.shape != x.shape[:1] or not len(x):
        raise ValueError(f"x must be (N, D) and y (N,), D at least 2; got {tuple(x.shape)}, {tuple(y.shape)}")
    dimension = x.shape[1]
    if not 1 <= at_least("rank", rank, 1) < dimension:
        raise ValueError(f"rank must be from 1 to {dimension - 1}, one below the dimension; got {rank}")
    counts = torch.bincount(y)
    if int(counts.min()) < 2:
        raise ValueError(f"every class needs at least 2 points; got {counts.tolist()}")
    groups = [x[y == label].to(dtype) for label in range(len(counts))]
    spectra = [torch.linalg.eigh(points.mT.cov(correction=0)) for points in groups]  # In ascending order.
    rests = torch.stack([variances[:-rank].mean() for variances, _ in spectra])
    noise = (rests * counts).sum() / counts.sum()
    covariances = [
        (directions[:, -rank:] * (variances[-rank:] - noise).clamp(min=0)) @ directions[:, -rank:].mT
        + noise * torch.eye(dimension, dtype=dtype)
        for variances, directions in spectra
    ]
    means = torch.stack([points.mean(dim=0) for points in groups])
    return gaussian_mixture(means, torch.stack(covariances), weights=counts.to(dtype), dtype=dtype)
