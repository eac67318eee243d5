"""The smooth mask of a given area that best keeps a class's output, after Fong et al. (2019), simplified."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from companion._calls import plain, plain_autograd
from companion._support import (
    Target,
    at_least,
    choose,
    evaluation_mode,
    logits_of,
    positive,
    resolve_target,
)
from companion.metrics._batches import row_batches, target_logits
from companion.metrics.intervals import standard_error

OBJECTIVES = ("logit", "probability")
REPLACEMENTS = ("mean", "grey")


@dataclass(frozen=True, kw_only=True, eq=False)
class ExtremalMask:
    """Masks of B images, and what they do to the model.

    Attributes:
        mask: (B, 1, H, W) in [0, 1]: 1 keeps the pixel, 0 replaces it; its mean is the area.
        perturbed: (B, C, H, W), mask x + (1 - mask) replacement.
        log_density_ratio: (B,) float64, f_y(perturbed) - f_y(x), of section 4.2.
        probability: (B,) float64, p(y | perturbed).
        clean_probability: (B,) float64, p(y | x).
        objective: what was maximised: `logit` or `probability`.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        >>> found = extremal_mask(model, torch.rand(3, 1, 8, 8), 0, area=0.25, grid=4, steps=5)
        >>> found.to_frame()["measure"].tolist()
        ['log_density_ratio', 'probability', 'clean_probability']
    """

    mask: Tensor
    perturbed: Tensor
    log_density_ratio: Tensor
    probability: Tensor
    clean_probability: Tensor
    objective: str

    def to_frame(self) -> pd.DataFrame:
        """Return one row a measure: measure, value (mean over images), standard_error, n, objective."""
        rows = []
        for name in ("log_density_ratio", "probability", "clean_probability"):
            values = getattr(self, name)
            rows.append(
                {
                    "measure": name,
                    "value": float(values.mean()),
                    "standard_error": float(standard_error(values)),
                    "n": len(values),
                    "objective": self.objective,
                }
            )
        return pd.DataFrame(rows)


def extremal_mask(
    model: nn.Module,
    x: Tensor,
    y: Target,
    *,
    area: float = 0.2,
    objective: str = "logit",
    replacement: str = "mean",
    grid: int = 7,
    steps: int = 100,
    step_size: float = 0.3,
    temperature: float = 0.2,
    batch_size: int = 500,
) -> ExtremalMask:
    r"""Find the mask of one area whose kept pixels hold the output up best (section 4.2; Fong et al., 2019).

    .. math:: \max_{m \in [0, 1]^{H \times W}} f_y\big( m \odot x + (1 - m) \odot r \big)
              \quad \text{such that} \quad \tfrac{1}{HW} \textstyle\sum_{h,w} m_{hw} = \mathrm{area}

    Subtracting the constant :math:`f_y(x)` shows that `logit` maximises the log density ratio
    :math:`\log p(x' \mid y) / p(x \mid y)`: it looks for a likely picture. `probability` maximises
    :math:`p(y \mid x')` (by its logarithm): it asks the classifier.

    This is a simplification. In common with Fong et al.: the preservation game, a fixed area, a smooth mask
    with few degrees of freedom. What differs:

    - smoothness: bilinear interpolation of a grid x grid table; theirs is a max-convolution with a smooth
      kernel;
    - area: the mask is sigmoid((u - threshold) / temperature), the threshold solved for, so the area holds at
      every step; theirs is a growing penalty on the sorted mask, which also drives it to 0 and 1;
    - replacement: the image's mean or grey; theirs is a blurred image;
    - optimiser: Adam with few steps; theirs is SGD with momentum, 800 steps.

    Masks here are therefore softer and not comparable number by number with published ones. The optimisation
    starts from the even mask (mask = area everywhere) and has no randomness; it keeps the best step.

    Args:
        model: maps (B, C, H, W) to (B, classes) logits; put in evaluation mode and given its modes back; the
            parameters' gradients are left alone.
        x: (B, C, H, W) images in [0, 1]; not changed.
        y: class of each image: (B,), an int for all, or None for the model's prediction.
        area: share of the image that is kept, strictly between 0 and 1.
        objective: `logit` or `probability`.
        replacement: `mean`, the image's own mean, channel by channel; `grey`, 0.5.
        grid: side of the table of free numbers, at least 2.
        steps: of Adam, at least 1.
        step_size: of Adam, positive.
        temperature: softness of the mask's edge, positive.
        batch_size: images optimised together; changes memory, not the result.

    Returns:
        An `ExtremalMask`.

    Raises:
        ValueError: an option that does not exist, a number outside its range, or shapes that do not fit.
        TypeError: the model returns something else than a tensor.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        >>> result = extremal_mask(model, torch.rand(3, 1, 8, 8), 0, area=0.25, grid=4, steps=5)
        >>> [round(share, 4) for share in result.mask.mean(dim=(1, 2, 3)).tolist()]
        [0.25, 0.25, 0.25]
    """
    choose("objective", objective, OBJECTIVES)
    choose("replacement", replacement, REPLACEMENTS)
    if not 0 < area < 1:
        raise ValueError(f"area must be strictly between 0 and 1; got {area}")
    grid, steps = at_least("grid", grid, 2), at_least("steps", steps, 1)
    positive("step_size", step_size)
    positive("temperature", temperature)
    if x.ndim != 4:
        raise ValueError(f"x must be a batch of images (B, C, H, W); got shape {tuple(x.shape)}")
    with plain_autograd():
        return _masks(
            model, plain(x).detach(), y, area, objective, replacement, grid, steps, step_size, temperature,
            batch_size,
        )  # fmt: skip


def _masks(
    model: nn.Module,
    x: Tensor,
    y: Target,
    area: float,
    objective: str,
    replacement: str,
    grid: int,
    steps: int,
    step_size: float,
    temperature: float,
    batch_size: int,
) -> ExtremalMask:
    fill = torch.full_like(x, 0.5) if replacement == "grey" else x.mean(dim=(2, 3), keepdim=True).expand_as(x)
    masks, measures = [], []
    with evaluation_mode(model), torch.no_grad():
        clean = torch.cat([logits_of(model, x[rows]).double() for rows in row_batches(x, batch_size)])
        target = resolve_target(y, clean)
        for rows in row_batches(x, batch_size):
            mask = _optimise(
                model, x[rows], fill[rows], target[rows], area, objective, grid, steps, step_size, temperature
            )
            masks.append(mask)
            logits = logits_of(model, _blend(mask, x[rows], fill[rows])).double()
            log_ratio = target_logits(logits - clean[rows], target[rows])
            measures.append(torch.stack([log_ratio, target_logits(logits.softmax(dim=1), target[rows])]))
    mask, measured = torch.cat(masks), torch.cat(measures, dim=1).cpu()
    return ExtremalMask(
        mask=mask,
        perturbed=_blend(mask, x, fill),
        log_density_ratio=measured[0],
        probability=measured[1],
        clean_probability=target_logits(clean.softmax(dim=1), target).cpu(),
        objective=objective,
    )


def _optimise(
    model: nn.Module,
    x: Tensor,
    fill: Tensor,
    target: Tensor,
    area: float,
    objective: str,
    grid: int,
    steps: int,
    step_size: float,
    temperature: float,
) -> Tensor:
    """Return the best mask of each image, (b, 1, H, W), over the start and all steps."""
    table = x.new_zeros(len(x), 1, grid, grid, requires_grad=True)
    adam = torch.optim.Adam([table], lr=step_size)
    best = x.new_full((len(x),), -torch.inf)
    best_mask = torch.full_like(x[:, :1], area)
    for step in range(steps + 1):
        with torch.enable_grad():
            mask = _mask_of_area(table, x.shape[2:], area, temperature)
            logits = logits_of(model, _blend(mask, x, fill))
            values = target_logits(logits if objective == "logit" else logits.log_softmax(dim=1), target)
            total = values.sum()
        better = values.detach() > best
        best = torch.where(better, values.detach(), best)
        best_mask = torch.where(better[:, None, None, None], mask.detach(), best_mask)
        if step < steps:
            # The gradient of the table alone: backward() would add to the parameters' .grad.
            (gradient,) = torch.autograd.grad(total, table)
            table.grad = -gradient
            adam.step()
    return best_mask


def _mask_of_area(table: Tensor, size: torch.Size, area: float, temperature: float) -> Tensor:
    """Interpolate the table and squash it so that each mask has the mean `area`; differentiable."""
    u = functional.interpolate(table, size=tuple(size), mode="bilinear", align_corners=True) / temperature
    values = u.detach()
    # The mean falls as the threshold rises, from about 1 at the lower end to about 0 at the upper one.
    low, high = values.amin(dim=(2, 3), keepdim=True) - 20, values.amax(dim=(2, 3), keepdim=True) + 20
    for _ in range(50):
        middle = (low + high) / 2
        too_large = (values - middle).sigmoid().mean(dim=(2, 3), keepdim=True) > area
        low, high = torch.where(too_large, middle, low), torch.where(too_large, high, middle)
    threshold = (low + high) / 2
    # One Newton step, which moves the threshold by rounding only but carries its derivative in u.
    mask = (u - threshold).sigmoid()
    slope = (mask * (1 - mask)).mean(dim=(2, 3), keepdim=True).detach()
    excess = mask.mean(dim=(2, 3), keepdim=True) - area
    return (u - threshold - excess / slope.clamp_min(1e-12)).sigmoid()


def _blend(mask: Tensor, x: Tensor, fill: Tensor) -> Tensor:
    return mask * x + (1 - mask) * fill
