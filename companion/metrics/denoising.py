"""How well a classifier's logit-gradient points back from noise to data: denoising measures a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from companion._support import Target, at_least, evaluation_mode, flat_sum, generator_or_fresh, normal_like
from companion.gradients import logit_gradient
from companion.metrics._batches import checked_levels, row_batches, targets_in_batches
from companion.metrics.intervals import standard_error


@dataclass(frozen=True, kw_only=True, eq=False)
class DenoisingAlignment:
    r"""Logit-gradients beside the way back from noise, at S noise levels; float64, on the CPU.

    B images and P draws each. Standard errors are over images (the draws of one image are averaged first), so
    they are nan for a single image.

    Attributes:
        sigmas: (S,) noise levels.
        cosine: (S,) mean cosine between grad f(x + sigma eta) and -eta; 0 counts for a gradient of length 0.
        cosine_standard_error: (S,).
        loss: (S,) the denoising loss at its best scale, from 0 to 1: the share of the noise's energy that is
            left after the best step along the gradient. 1 where no positive scale lowers it.
        loss_standard_error: (S,); 0 where the loss is 1 for that reason.
        scale: (S,) that best scale, by which all logits would be multiplied; 0 likewise.
        per_sample_cosine: (S, B), for paired comparisons.
        per_sample_loss: (S, B), with mean `loss`, likewise.
        num_draws: P.
    """

    sigmas: Tensor
    cosine: Tensor
    cosine_standard_error: Tensor
    loss: Tensor
    loss_standard_error: Tensor
    scale: Tensor
    per_sample_cosine: Tensor = field(repr=False)
    per_sample_loss: Tensor = field(repr=False)
    num_draws: int

    def to_frame(self) -> pd.DataFrame:
        """Return one row a noise level: every (S,) attribute, and n, the number of images."""
        names = ("cosine", "cosine_standard_error", "loss", "loss_standard_error", "scale")
        frame = pd.DataFrame({"sigma": self.sigmas.numpy()} | {n: getattr(self, n).numpy() for n in names})
        return frame.assign(n=self.per_sample_cosine.shape[1], num_draws=self.num_draws)


def denoising_alignment(
    model: nn.Module,
    x: Tensor,
    y: Target,
    *,
    sigmas: Sequence[float] | Tensor,
    num_draws: int = 1,
    generator: torch.Generator | None = None,
    batch_size: int = 500,
) -> DenoisingAlignment:
    r"""Ask the logit-gradient for the way back from noise (Vincent, 2011): a score's test without a Hessian.

    With :math:`\tilde x = x + \sigma \eta` and :math:`g = \nabla_x f_y(\tilde x)`, the loss is

    .. math::
        L(s) = \frac{\mathbb E\, |s\, g + \eta / \sigma|^2}{\mathbb E\, |\eta / \sigma|^2}, \qquad
        \min_{s \ge 0} L = 1 - \frac{(\mathbb E\, g \cdot \eta)_-^2}{\mathbb E |g|^2\, \mathbb E |\eta|^2},

    where :math:`(a)_-` is a if it is negative, and else 0. Up to a constant of the data, L(s) is the squared
    distance of s g from the score of the data smoothed by the noise. It is also what is left of the noise
    after the step :math:`\tilde x + \sigma^2 s\, g`, as a share of its energy (Tweedie's formula). No border
    term is left out, as it is in eq. 2: the smoothed density is positive everywhere.

    Neither the cosine nor the best loss changes when all logits are multiplied by one positive number, or
    when a constant is added. A function g(x) added to all logits changes both: it changes the density.

    One draw of noise serves all sigmas, scaled; x + sigma eta is not clipped to [0, 1]. The model is put in
    evaluation mode and given its modes back.

    Args:
        model: any differentiable classifier, (B, ...) -> (B, C) logits.
        x: (B, ...) inputs with values in [0, 1], floating point, on the model's device.
        y: class of each input: (B,), an int for all, or None for the model's prediction on x.
        sigmas: S standard deviations of the noise, each above 0.
        num_draws: P, noise draws an input, at least 1.
        generator: source of the noise; None for fresh noise.
        batch_size: inputs a pass; changes memory, not the result.

    Returns:
        A `DenoisingAlignment`, with (S,) tensors in the order of sigmas.

    Raises:
        ValueError: a sigma that is not above 0 and finite; num_draws or batch_size < 1; x empty; y unfit.
        TypeError: the model returns something else than a tensor.

    Example:
        The score of a standard normal, at a point of it. Noise of the same size moves the point as far from
        the centre as it already was: half of the noise can be seen.

        >>> from companion.mixture import gaussian_mixture
        >>> normal = gaussian_mixture(torch.zeros(1, 50))
        >>> x, y = normal.sample(2000, torch.Generator().manual_seed(0))
        >>> noise = torch.Generator().manual_seed(1)
        >>> found = denoising_alignment(normal.classifier(), x, y, sigmas=[1.0], generator=noise)
        >>> round(found.loss.item(), 2), round(found.cosine.item(), 2)
        (0.5, 0.7)
    """
    levels = checked_levels("sigmas", sigmas)
    if not bool((levels > 0).all()):
        raise ValueError(
            f"every one of sigmas must be above 0: without noise no way leads back; got {sigmas}"
        )
    num_draws = at_least("num_draws", num_draws, 1)
    generator = generator_or_fresh(generator)
    with evaluation_mode(model):
        target, _ = targets_in_batches(model, x, y, batch_size)
    shape = len(levels), num_draws, len(x)
    cosine, along, length = (torch.zeros(shape, dtype=torch.float64) for _ in range(3))
    noise_energy = torch.zeros(num_draws, len(x), dtype=torch.float64)
    for draw in range(num_draws):
        # Noise is drawn for all of x at once, so that the batch size cannot change it.
        noise = normal_like(x.detach(), generator)
        noise_energy[draw] = flat_sum(noise.double().square()).cpu()
        for rows in row_batches(x, batch_size):
            back = -noise[rows].double().flatten(1)
            for level, sigma in enumerate(levels.tolist()):
                noisy = x[rows].detach() + sigma * noise[rows]
                gradient = logit_gradient(model, noisy, target[rows]).double().flatten(1)
                along[level, draw, rows] = (gradient * back).sum(dim=1).cpu()
                length[level, draw, rows] = gradient.square().sum(dim=1).cpu()
                cosine[level, draw, rows] = functional.cosine_similarity(gradient, back).cpu()
    return _summarise(levels, cosine, along, length, noise_energy)


def _summarise(
    sigmas: Tensor, cosine: Tensor, along: Tensor, length: Tensor, noise_energy: Tensor
) -> DenoisingAlignment:
    """Reduce (S, P, B) cosines, inner products of gradient and way back, |g|^2; and (P, B) |eta|^2."""
    per_sample_cosine = cosine.mean(dim=1)
    along, length, energy = along.mean(dim=1), length.mean(dim=1), noise_energy.mean(dim=0)
    # The best step, in units of the noise: of zero length for a gradient of zero length.
    step = (along.mean(dim=1) / length.mean(dim=1)).nan_to_num(0.0).clamp(min=0.0)[:, None]
    per_sample_loss = (step.square() * length - 2 * step * along + energy) / energy.mean()
    loss = per_sample_loss.mean(dim=1)
    # The step is the best one, so that its own error does not count; that of the energy does.
    deviation = per_sample_loss - loss[:, None] * energy / energy.mean()
    return DenoisingAlignment(
        sigmas=sigmas,
        cosine=per_sample_cosine.mean(dim=1),
        cosine_standard_error=standard_error(per_sample_cosine),
        loss=loss,
        loss_standard_error=standard_error(deviation),
        scale=step[:, 0] / sigmas,
        per_sample_cosine=per_sample_cosine,
        per_sample_loss=per_sample_loss,
        num_draws=cosine.shape[1],
    )
