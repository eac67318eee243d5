"""An unbiased estimate of the squared trace."""

from __future__ import annotations

from torch import Tensor


def unbiased_square(samples: Tensor) -> Tensor:
    r"""Estimate the squared trace without bias, by the U-statistic $\frac{1}{P(P-1)} \sum_{p \ne q} h_p h_q$.

    The square of the mean is biased, $\mathbb{E}\,\bar h^2 = h^2 + \mathrm{Var}(\bar h)$: with eq. 8's
    estimator by about $4 \|\nabla f\|^2 / (P \sigma^2)$, a gradient penalty in disguise. Products of
    different probes are not, because the probes are independent. The estimate can be negative.

    Args:
        samples: (P, B), P at least 2, as `hutchinson` and `taylor` return them.

    Returns:
        (B,) estimates; differentiable.

    Raises:
        ValueError: fewer than 2 probes, or samples that are not (P, B).

    Example:
        With two probes it is their product:

        >>> import torch
        >>> unbiased_square(torch.tensor([[2.0], [5.0]]))
        tensor([10.])
    """
    if samples.ndim != 2 or len(samples) < 2:
        raise ValueError(
            f"an unbiased square needs samples of shape (P, B) with P >= 2 independent probes; got shape "
            f"{tuple(samples.shape)}. Raise num_probes to 2 or more."
        )
    probes = len(samples)
    return (samples.sum(dim=0).square() - samples.square().sum(dim=0)) / (probes * (probes - 1))
