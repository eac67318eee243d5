"""Density ratios under Gaussian noise: figure 1 of the paper, with what a mean of exponentials hides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from companion._calls import has_half
from companion._support import Target, at_least, evaluation_mode, generator_or_fresh, normal_like
from companion.metrics._batches import checked_levels, logits_in_batches, target_logits, targets_in_batches
from companion.metrics.intervals import standard_error
from companion.trace.precision import refuse_half, require_full_precision


@dataclass(frozen=True, kw_only=True, eq=False)
class DensityRatios:
    """Density ratios at S noise levels, averaged over B images and P draws each; float64, on the CPU.

    Standard errors are over images (the draws of one image are averaged first, as they are not independent),
    so they are nan for a single image. `ratio` and its standard error are inf where the mean exceeds the
    largest double; `log_mean_ratio` and its standard error stay finite there.

    Attributes:
        sigmas: (S,) noise levels.
        ratio: (S,) mean of exp(f(x + eta) - f(x)).
        ratio_standard_error: (S,).
        log_ratio: (S,) mean of f(x + eta) - f(x).
        log_ratio_standard_error: (S,).
        log_mean_ratio: (S,) logarithm of `ratio`.
        log_mean_ratio_standard_error: (S,) by the delta method: the relative standard error of `ratio`.
        median_ratio: (S,) exponential of the median log-ratio.
        effective_sample_size: (S,) (sum w)^2 / sum w^2 over the B P ratios w: how many carry the mean.
        per_sample_log_ratio: (S, B) log-ratios averaged over draws, for paired comparisons of models.
        num_draws: P.
    """

    sigmas: Tensor
    ratio: Tensor
    ratio_standard_error: Tensor
    log_ratio: Tensor
    log_ratio_standard_error: Tensor
    log_mean_ratio: Tensor
    log_mean_ratio_standard_error: Tensor
    median_ratio: Tensor
    effective_sample_size: Tensor
    per_sample_log_ratio: Tensor
    num_draws: int

    def to_frame(self) -> pd.DataFrame:
        """Return one row a noise level: every (S,) attribute, and n, the number of images."""
        columns = {
            "sigma": self.sigmas,
            "ratio": self.ratio,
            "ratio_standard_error": self.ratio_standard_error,
            "log_ratio": self.log_ratio,
            "log_ratio_standard_error": self.log_ratio_standard_error,
            "log_mean_ratio": self.log_mean_ratio,
            "log_mean_ratio_standard_error": self.log_mean_ratio_standard_error,
            "median_ratio": self.median_ratio,
            "effective_sample_size": self.effective_sample_size,
        }
        frame = pd.DataFrame({name: values.numpy() for name, values in columns.items()})
        return frame.assign(n=self.per_sample_log_ratio.shape[1], num_draws=self.num_draws)


def density_ratio(
    model: nn.Module,
    x: Tensor,
    y: Target,
    *,
    sigmas: Sequence[float] | Tensor,
    num_draws: int = 1,
    generator: torch.Generator | None = None,
    batch_size: int = 500,
    allow_low_precision: bool = False,
) -> DensityRatios:
    r"""Measure p(x + eta | y) / p(x | y) for Gaussian noise eta (section 5.1.1, figure 1).

    .. math:: \frac{p(x + \eta \mid y = i)}{p(x \mid y = i)} = \exp(f_i(x + \eta) - f_i(x)),
              \qquad \eta \sim \mathcal N(0, \sigma^2 I)

    For x drawn from p itself, with full support, the mean ratio is :math:`\int p(x + \eta)\,dx = 1` at every
    sigma: 1 is the ideal, not 0. The mean is carried by few samples and exceeds 1 even where the log-ratio is
    negative on average (Jensen), so read it beside the log-ratio, the median and the effective sample size.

    Ratios are averaged in float64 after their largest logarithm has been taken out, so nothing overflows on
    the way. One draw of noise serves all sigmas, scaled; x + eta is not clipped to [0, 1]. The model is put
    in evaluation mode and given its modes back.

    Args:
        model: maps (B, ...) to (B, C) logits.
        x: (B, ...) inputs, on the model's device.
        y: class of each input: (B,), an int for all, or None for the model's prediction.
        sigmas: S standard deviations of the noise, each at least 0; 0 gives a ratio of exactly 1.
        num_draws: P, noise draws an input, at least 1.
        generator: source of the noise; None for fresh noise.
        batch_size: inputs a forward pass; changes memory, not the result.
        allow_low_precision: go on where the digits of f(x + eta) - f(x) are lost.

    Returns:
        A `DensityRatios`, with (S,) tensors in the order of sigmas.

    Raises:
        ValueError: a sigma is negative or not finite; num_draws or batch_size < 1; x empty; y unfit;
            or (unless allow_low_precision) half precision, autocast, or TF32 on CUDA.
        TypeError: the model returns something else than a tensor.

    Example:
        >>> model = nn.Linear(2, 3, bias=False)
        >>> x, y = torch.zeros(5, 2), torch.tensor([0, 1, 2, 0, 1])
        >>> density_ratio(model, x, y, sigmas=[0.0]).ratio.item()
        1.0
    """
    levels = checked_levels("sigmas", sigmas)
    require_full_precision(x, allow_low_precision=allow_low_precision)
    if has_half(model) and not allow_low_precision:
        refuse_half("half precision, which the model's weights have")
    num_draws = at_least("num_draws", num_draws, 1)
    generator = generator_or_fresh(generator)
    log_ratios = torch.zeros(len(levels), num_draws, len(x), dtype=torch.float64)
    with evaluation_mode(model), torch.no_grad():
        target, clean = targets_in_batches(model, x, y, batch_size)
        clean = target_logits(clean, target)
        for draw in range(num_draws):
            # Noise is drawn for all of x at once, so that the batch size cannot change it.
            noise = normal_like(x, generator)
            for level, sigma in enumerate(levels.tolist()):
                if sigma > 0:
                    noisy = logits_in_batches(model, x + sigma * noise, batch_size)
                    log_ratios[level, draw] = (target_logits(noisy, target) - clean).cpu()
    return _summarise(levels, log_ratios)


def _summarise(sigmas: Tensor, log_ratios: Tensor) -> DensityRatios:
    """Reduce (S, P, B) log-ratios."""
    per_sample = log_ratios.mean(dim=1)
    flat = log_ratios.flatten(1)
    log_mean = flat.logsumexp(dim=1) - math.log(flat.shape[1])
    # Ratios relative to their mean: their mean is 1, so their standard error is the relative one.
    relative = (log_ratios - log_mean[:, None, None]).exp().mean(dim=1)
    relative_error = standard_error(relative)
    # Lower and upper median averaged; both are nan if a value is.
    median = (flat.median(dim=1).values - (-flat).median(dim=1).values) / 2
    return DensityRatios(
        sigmas=sigmas,
        ratio=log_mean.exp(),
        # As one exponential: inf * 0 would be nan for a ratio that overflows without spread.
        ratio_standard_error=(log_mean + relative_error.log()).exp(),
        log_ratio=per_sample.mean(dim=1),
        log_ratio_standard_error=standard_error(per_sample),
        log_mean_ratio=log_mean,
        log_mean_ratio_standard_error=relative_error,
        median_ratio=median.exp(),
        effective_sample_size=(2 * flat.logsumexp(dim=1) - (2 * flat).logsumexp(dim=1)).exp(),
        per_sample_log_ratio=per_sample,
        num_draws=log_ratios.shape[1],
    )
