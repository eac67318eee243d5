"""Pixel perturbation: replace the pixels that a saliency map ranks first, watch the output (figures 3, 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from companion._support import (
    Target,
    choose,
    evaluation_mode,
    generator_or_fresh,
    logits_of,
    require_floating,
)
from companion.metrics._batches import checked_levels, row_batches, target_logits, targets_in_batches
from companion.metrics.curve import Curve

ORDERS = ("least", "most", "random")
REPLACEMENTS = ("mean", "grey", "random")
SCORES = ("accuracy", "probability", "logit")
RELEVANCES = ("absolute_sum", "channel_std")


def pixel_perturbation(
    model: nn.Module,
    x: Tensor,
    y: Target,
    saliency: Tensor | Callable[..., Tensor] | None,
    *,
    fractions: Sequence[float] | Tensor,
    order: str = "least",
    replacement: str = "mean",
    score: str = "accuracy",
    relevance: str = "absolute_sum",
    generator: torch.Generator | None = None,
    batch_size: int = 500,
) -> Curve:
    r"""Replace k = round(fraction H W) pixels in the order of a saliency map; score the model on the result.

    A pixel is all its channels. With :math:`x'` the image after k replacements, the score is

    - `accuracy`: 1 where :math:`\arg\max_j f_j(x') = y`, else 0: the paper's variant (section 5.2.1);
    - `probability`: :math:`p(y \mid x')`;
    - `logit`: :math:`f_y(x') - f_y(x) = \log p(x' \mid y) / p(x \mid y)`, section 4.2's log density ratio.

    `model` may be the one that the saliency explains (figure 3a) or a common one (figure 3b).

    Args:
        model: maps (B, C, H, W) to (B, classes) logits; put in evaluation mode and given its modes back.
        x: (B, C, H, W) images in [0, 1], on the model's device; not changed.
        y: class of each image: (B,), an int for all, or None for the model's prediction on x.
        saliency: a signed or unsigned map (B, C, H, W) or (B, 1, H, W), or any callable
            `attribute(inputs, target=...)` that returns one, as in Captum. It is given copies of the images
            that require gradients, batch by batch, and their classes. None is enough for the order `random`.
        fractions: F fractions in [0, 1]; k is rounded half to even, as Python's `round` does.
        order: `least` or `most` relevant first, or `random`. Ties go by index, row by row, lowest first.
        replacement: `mean`, the original image's mean, channel by channel; `grey`, 0.5; `random`, uniform
            noise in [0, 1), one draw an image, used at every fraction.
        score: `accuracy`, `probability` or `logit`.
        relevance: of a pixel: `absolute_sum`, the sum over channels of the absolute values; `channel_std`,
            the standard deviation over channels of the signed values: the authors' released code, for
            which a pixel with three equal gradients is irrelevant.
        generator: source of random orders and replacements; None for fresh randomness.
        batch_size: images a forward pass; changes memory, not the result.

    Returns:
        A `Curve` with F points.

    Raises:
        ValueError: an option or a fraction that does not exist, x that is not floating point, shapes that do
            not fit, saliency that is not finite, `channel_std` of a single channel.
        TypeError: saliency is neither a tensor nor callable; the model does not return a tensor.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> x, y = torch.rand(3, 1, 2, 2), torch.tensor([0, 1, 1])
        >>> curve = pixel_perturbation(model, x, y, x, fractions=[0, 0.5, 1], score="logit")
        >>> curve.value.shape, curve.value[0].item()
        (torch.Size([3]), 0.0)
    """
    choose("order", order, ORDERS)
    choose("replacement", replacement, REPLACEMENTS)
    choose("score", score, SCORES)
    choose("relevance", relevance, RELEVANCES)
    levels = checked_levels("fractions", fractions, maximum=1.0)
    if x.ndim != 4:
        raise ValueError(f"x must be a batch of images (B, C, H, W); got shape {tuple(x.shape)}")
    require_floating(x)
    maps_of = None if order == "random" else _map_source(saliency, x)
    generator = generator_or_fresh(generator)
    # Random numbers are drawn for all of x at once, so that the batch size cannot change them.
    random_keys = _uniform(x[:, 0].flatten(1), generator)
    fill = _fill(x.detach(), replacement, generator)
    scores = []
    with evaluation_mode(model):
        target, clean = targets_in_batches(model, x, y, batch_size)
        for rows in row_batches(x, batch_size):
            images = x[rows].detach()
            if maps_of is None:
                ranks = _ranks(random_keys[rows])
            else:
                maps = maps_of(rows, images, target[rows])
                ranks = _ranks(_relevance(maps, relevance), descending=order == "most")
            scores.append(_scores(model, images, fill[rows], ranks, levels, target[rows], clean[rows], score))
    return Curve.from_samples(levels, torch.cat(scores, dim=1), score)


@torch.no_grad()
def _scores(
    model: nn.Module,
    images: Tensor,
    fill: Tensor,
    ranks: Tensor,
    fractions: Tensor,
    target: Tensor,
    clean: Tensor,
    score: str,
) -> Tensor:
    """Return the (F, b) scores of one batch."""
    height, width = images.shape[2:]
    values = []
    for fraction in fractions.tolist():
        replaced = (ranks < round(fraction * height * width)).view(-1, 1, height, width)
        logits = logits_of(model, torch.where(replaced, fill, images)).double()
        if score == "accuracy":
            right = (logits.argmax(dim=1) == target).double()
            # argmax of NaN is 0: a network that diverged recognises no class, not class 0.
            values.append(right.masked_fill(logits.isnan().any(dim=1), torch.nan))
        elif score == "probability":
            values.append(target_logits(logits.softmax(dim=1), target))
        else:
            values.append(target_logits(logits - clean, target))
    return torch.stack(values).cpu()


def _fill(x: Tensor, replacement: str, generator: torch.Generator) -> Tensor:
    if replacement == "mean":
        return x.mean(dim=(2, 3), keepdim=True).expand_as(x)
    if replacement == "grey":
        return torch.full_like(x, 0.5)
    return _uniform(x, generator)


def _uniform(like: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.rand(like.shape, generator=generator, dtype=like.dtype, device=generator.device)
    return noise.to(like.device)


def _map_source(
    saliency: Tensor | Callable[..., Tensor] | None, x: Tensor
) -> Callable[[slice, Tensor, Tensor], Tensor]:
    """Return the function that gives the checked maps of some rows, from those rows' images and classes."""
    if isinstance(saliency, Tensor):
        maps = _checked_maps(saliency, x)
        return lambda rows, images, target: maps[rows]
    if not callable(saliency):
        raise TypeError(
            "saliency must be a tensor like x or a callable attribute(inputs, target=...); "
            f"only order='random' does without. Got a {type(saliency).__name__}"
        )
    # Copies, which require gradients already: Captum would otherwise switch that on in place, and warn.
    return lambda rows, images, target: _checked_maps(
        saliency(images.clone().requires_grad_(), target=target.clone()), images
    )


def _checked_maps(maps: Tensor, images: Tensor) -> Tensor:
    """Return maps, detached and on the images' device, after a check of type, shape and values."""
    if not isinstance(maps, Tensor):
        raise TypeError(f"saliency(inputs, target=...) must return a tensor; got a {type(maps).__name__}")
    batch, channels, height, width = images.shape
    if maps.shape not in ((batch, channels, height, width), (batch, 1, height, width)):
        raise ValueError(
            f"saliency must have the shape {(batch, channels, height, width)} of the images, or one channel; "
            f"got {tuple(maps.shape)}"
        )
    if not bool(maps.isfinite().all()):
        raise ValueError("saliency holds nan or inf: it cannot rank pixels. Has the model diverged?")
    return maps.detach().to(images.device)


def _relevance(maps: Tensor, relevance: str) -> Tensor:
    """Relevance of each pixel: (b, C, H, W) to (b, H W)."""
    if relevance == "absolute_sum":
        return maps.abs().sum(dim=1).flatten(1)
    if maps.shape[1] < 2:
        raise ValueError(
            "relevance='channel_std' is 0 everywhere for maps of one channel; use relevance='absolute_sum'"
        )
    return maps.std(dim=1, correction=0).flatten(1)


def _ranks(relevance: Tensor, *, descending: bool = False) -> Tensor:
    """Return each pixel's place in the order, from 0; stable, so that ties go by index."""
    pixel_at_place = relevance.argsort(dim=1, descending=descending, stable=True)
    places = torch.arange(relevance.shape[1], device=relevance.device).expand_as(pixel_at_place)
    return torch.empty_like(pixel_at_place).scatter_(1, pixel_at_place, places)
