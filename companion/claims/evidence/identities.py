"""The exact claims that are identities: computed in float64, against a closed form or SciPy.

Each function takes what it checks as an argument, so that a broken one can be seen to fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from companion import fooling, metrics, sampling
from companion.claims.rule import Check
from companion.gradients import logit_gradient, loss_gradient
from companion.mixture import Mixture, gaussian_mixture

ROUNDING = 1e-8
"""The tolerance of an identity in float64: far above rounding, far below any effect."""


def largest(label: str, first: Tensor, second: Tensor | float) -> Check:
    """Check that two tensors are equal: the largest absolute deviation, against `ROUNDING`."""
    deviation = (first - second).abs().max()
    return Check(label=label, deviation=float(deviation), allowed=ROUNDING, n=len(first))


def excess(label: str, values: Tensor, bound: Tensor | float) -> Check:
    """Check that no value exceeds its bound: by how much the worst one does, against `ROUNDING`."""
    over = (values - bound).clamp(min=0).max()
    return Check(label=label, deviation=float(over), allowed=ROUNDING, n=len(values))


def two_classes() -> Mixture:
    """Return the density on which claims about densities are checked: three Gaussians, two classes, 2-D.

    The classes are not equiprobable, and one has two components.
    """
    means = torch.tensor([[-1.0, 0.0], [1.0, 1.0], [0.5, -1.0]])
    covariances = torch.tensor(
        [[[0.6, 0.2], [0.2, 0.5]], [[0.5, 0.0], [0.0, 0.8]], [[0.4, -0.1], [-0.1, 0.7]]]
    )
    return gaussian_mixture(
        means, covariances.double(), labels=torch.tensor([0, 1, 0]), weights=torch.tensor([0.5, 0.2, 0.3])
    )


def scipy_joint(mixture: Mixture, x: Tensor) -> Tensor:
    """Return p(x, i), (N, C), from SciPy's Gaussian density: nothing here is ours."""
    from scipy.stats import multivariate_normal  # Here, since it takes a while to import.

    joint = x.new_zeros(len(x), mixture.num_classes)
    for mean, covariance, weight, label in zip(
        mixture.means, mixture.covariances, mixture.weights, mixture.labels, strict=True
    ):
        gaussian = multivariate_normal(mean.numpy(), covariance.numpy())  # pyright: ignore[reportArgumentType]
        density = gaussian.pdf(x.numpy())
        joint[:, int(label)] += float(weight) * torch.as_tensor(density).reshape(len(x))
    return joint


def grid(reach: float = 7.0, points: int = 141) -> tuple[Tensor, float]:
    """Return the points of a square grid, (points^2, 2), and the area of a cell, for quadrature."""
    axis = torch.linspace(-reach, reach, points, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis), float(axis[1] - axis[0]) ** 2


def shift_invariance(
    model: nn.Module, x: Tensor, y: Tensor, *, shift: Callable[..., nn.Module] = fooling.shift_logits
) -> list[Check]:
    """Add g(x) = 10 <x, T> to every logit, T a ramp (section 2): what must not change, and what must."""
    picture = torch.linspace(-1, 1, x[0].numel(), dtype=x.dtype).view(x.shape[1:])
    fooled = shift(model, fooling.linear_shift(picture, 10.0))
    with torch.no_grad():
        before, after = model(x), fooled(x)
    change = logit_gradient(fooled, x, y) - logit_gradient(model, x, y)
    losses = [functional.cross_entropy(logits, y, reduction="none") for logits in (after, before)]
    return [
        largest("probabilities", after.softmax(1), before.softmax(1)),
        largest("loss", *losses),
        largest("loss-gradient", loss_gradient(fooled, x, y), loss_gradient(model, x, y)),
        largest("change of the logit-gradient, minus grad g", change, 10 * picture),
    ]


def ripple(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    loss: Callable[..., Callable[..., Tensor]] = fooling.ripple_loss,
) -> list[Check]:
    """Add a ripple of amplitude 0.01 and frequency 300 to the loss, and to one logit (A.1)."""
    epsilon, m = 0.01, 300.0
    leaf = x.clone().requires_grad_()
    rippled = loss(model, epsilon, m)(leaf, y)
    (gradient,) = torch.autograd.grad(rippled.sum(), leaf)
    clean, clean_gradient = (
        functional.cross_entropy(model(x), y, reduction="none"),
        loss_gradient(model, x, y),
    )
    real = fooling.ripple_logit(model, epsilon, m, int(y[0]))
    real_loss = functional.cross_entropy(real(x), y, reduction="none")
    gradients = torch.stack([logit_gradient(model, x, k) for k in range(clean_logits(model, x).shape[1])])
    gap = (gradients - gradients[int(y[0])]).abs().flatten(2).sum(dim=2).max(dim=0).values
    bounds = [
        fooling.ripple_logit_gradient_bound(epsilon, m, x[0].numel(), gradient_gap=float(g)) for g in gap
    ]
    change = (gradient - clean_gradient).abs().flatten(1).sum(dim=1)
    real_change = (loss_gradient(real, x, y) - clean_gradient).abs().flatten(1).sum(dim=1)
    exact = m * epsilon * x[0].numel() * (m * x.flatten(1).sum(dim=1)).cos().abs()
    return [
        largest("l1 change of the gradient, against m eps D |cos|", change, exact),
        excess("loss beyond eps", (rippled - clean).abs().detach(), epsilon),
        excess("gradient beyond m eps D", change, m * epsilon * x[0].numel()),
        excess("loss of a real classifier beyond eps", (real_loss - clean).abs().detach(), epsilon),
        excess("its gradient beyond the corrected bound", real_change, torch.tensor(bounds)),
    ]


@torch.no_grad()
def clean_logits(model: nn.Module, x: Tensor) -> Tensor:
    """Return the logits, without a graph."""
    return model(x)


def bayes(
    model: nn.Module, x: Tensor, y: Tensor, mixture: Mixture, *, score: Callable[..., Tensor] = logit_gradient
) -> list[Check]:
    """Read logits as log p(x, i) (section 3): on a density in closed form, and on a trained network."""
    points, classes = mixture.sample(200, torch.Generator().manual_seed(0))
    logits = mixture.classifier()
    joint = scipy_joint(mixture, points)
    plane, cell = grid()
    class_mass = clean_logits(logits, plane).exp().sum(dim=0) * cell
    leaf = x.clone().requires_grad_()
    level = model(leaf).logsumexp(dim=1)
    (common,) = torch.autograd.grad(level.sum(), leaf)
    return [
        largest(
            "softmax against SciPy's posterior",
            clean_logits(logits, points).softmax(1),
            joint / joint.sum(1, True),
        ),
        largest(
            "logit-gradient against the score", score(logits, points, classes), mixture.score(points, classes)
        ),
        largest("integral of exp f_i against p(i)", class_mass, mixture.prior),
        largest(
            "network: grad f_i against its two terms", score(model, x, y), common - loss_gradient(model, x, y)
        ),
    ]


def perturbation_is_density_ratio(
    *, perturb: Callable[..., metrics.Curve] = metrics.pixel_perturbation
) -> list[Check]:
    """Replace the least relevant pixels of 4 x 4 pictures with a known density (section 4.2)."""
    generator = torch.Generator().manual_seed(0)
    means = torch.rand(2, 16, generator=generator)
    mixture = gaussian_mixture(means, 0.1)
    flat, y = mixture.sample(30, generator)
    relevance = torch.rand(30, 16, generator=generator).double()
    curve = perturb(
        nn.Sequential(nn.Flatten(), mixture.classifier()), flat.view(-1, 1, 4, 4), y,
        relevance.view(-1, 1, 4, 4), fractions=(0.25, 0.5, 1.0), score="logit",
    )  # fmt: skip
    rows = torch.arange(30)
    clean = scipy_joint(mixture, flat)[rows, y].log()
    checks = []
    for k, measured in zip((4, 8, 16), curve.per_sample, strict=True):
        least = relevance.sort(dim=1).values[:, k - 1 : k] >= relevance
        replaced = torch.where(least, flat.mean(dim=1, keepdim=True), flat)
        log_ratio = scipy_joint(mixture, replaced)[rows, y].log() - clean
        checks.append(largest(f"log-ratio, {k} of 16 pixels", measured, log_ratio))
    return checks


def activation_maximisation(
    model: nn.Module, x: Tensor, y: Tensor, *, climb: Callable[..., Tensor] = sampling.activation_maximisation
) -> list[Check]:
    """Switch Langevin's noise off (section 4.1): step for step, at a mode, with a prior, with jitter."""
    steps: dict[str, list[Tensor]] = {"without noise": [], "climb": []}
    sampling.langevin(
        model, y, steps=5, step_size=0.2, temperature=0.0, start=x,
        callback=lambda _, images: steps["without noise"].append(images),
    )  # fmt: skip
    climb(model, y, steps=5, step_size=0.1, start=x, callback=lambda _, images: steps["climb"].append(images))
    mode = torch.rand(1, 16, generator=torch.Generator().manual_seed(0))
    gaussian = nn.Sequential(nn.Flatten(), gaussian_mixture(mode, 0.5).classifier())
    start = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    found = climb(gaussian, 0, steps=200, step_size=0.2, start=start, clamp=None)
    pulled = climb(gaussian, 0, steps=200, step_size=0.2, start=start, clamp=None, weight_decay=1.0)
    return [
        largest("five steps of a network", torch.stack(steps["climb"]), torch.stack(steps["without noise"])),
        largest("end of the climb against a Gaussian's mode", found.flatten(1), mode.double()),
        largest("with a pull to grey, mode of the product", pulled.flatten(1), (2 * mode.double() + 0.5) / 3),
        jitter(gaussian, mode.double().view(4, 4), start, climb),
    ]


def jitter(gaussian: nn.Module, mode: Tensor, start: Tensor, climb: Callable[..., Tensor]) -> Check:
    """Climb with shifts of up to one pixel, and steps that reach a shifted mode each time."""
    pictures: list[Tensor] = []
    climb(
        gaussian, 0, steps=600, step_size=0.5, start=start, clamp=None, jitter=1,
        generator=torch.Generator().manual_seed(0), callback=lambda _, images: pictures.append(images[0, 0]),
    )  # fmt: skip
    shifts: Sequence[tuple[int, int]] = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    modes = torch.stack([mode.roll(shift, dims=(0, 1)) for shift in shifts])
    distances = (torch.stack(pictures)[:, None] - modes).flatten(2).norm(dim=2)
    nearest, which = distances.min(dim=1)
    reached = len(which.unique())
    return Check(
        label=f"with jitter, distance to a shifted mode ({reached} of 9 seen)",
        deviation=float(nearest.max()) if reached == 9 else float("inf"),
        allowed=ROUNDING,
        n=len(pictures),
    )
