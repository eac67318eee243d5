"""How close a classifier's logit-gradient is to the score of the data: eq. 1 and eq. 2 as measurements."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from companion._calls import plain_autograd
from companion._support import Target, choose, evaluation_mode, flat_sum, generator_or_fresh
from companion.gradients import logit_gradient
from companion.metrics._batches import row_batches, targets_in_batches
from companion.metrics.intervals import standard_error
from companion.trace import exact, hutchinson, logit

ESTIMATORS = ("exact", "hutchinson")


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreAlignment:
    """Distance and angle between a model's score and the true one, averaged over B points.

    Attributes:
        squared_error: mean of |grad f - s|^2; half of it is eq. 1.
        squared_error_standard_error: its standard error; nan for one point.
        cosine: mean cosine of the angle between grad f and s; 0 counts for a vector of length 0.
        cosine_standard_error: its standard error.
        squared_norm: mean of |s|^2, the error of a model whose gradient is 0.
        loss: the smallest squared error over positive scales of the logits, as a share of `squared_norm`;
            from 0 to 1, and 1 where no positive scale lowers it.
        per_sample_squared_error: (B,) for paired comparisons.
        per_sample_cosine: (B,) likewise.
    """

    squared_error: float
    squared_error_standard_error: float
    cosine: float
    cosine_standard_error: float
    squared_norm: float
    loss: float
    per_sample_squared_error: Tensor = field(repr=False)
    per_sample_cosine: Tensor = field(repr=False)

    def to_frame(self) -> pd.DataFrame:
        """Return one row: the means, their standard errors and n."""
        names = ("squared_error", "squared_error_standard_error", "cosine", "cosine_standard_error")
        names += ("squared_norm", "loss")
        row = {name: getattr(self, name) for name in names}
        return pd.DataFrame([{**row, "n": len(self.per_sample_cosine)}])


@dataclass(frozen=True, kw_only=True, eq=False)
class HyvarinenObjective:
    """Eq. 2 without its constant, averaged over B points.

    Attributes:
        value: mean of trace + |grad|^2 / 2.
        standard_error: its standard error over points, probe noise included; nan for one point.
        trace: mean Hessian trace.
        trace_standard_error: its standard error.
        half_squared_norm: mean of |grad|^2 / 2.
        half_squared_norm_standard_error: its standard error.
        per_sample: (B,) trace + |grad|^2 / 2 point by point, for paired comparisons.
    """

    value: float
    standard_error: float
    trace: float
    trace_standard_error: float
    half_squared_norm: float
    half_squared_norm_standard_error: float
    per_sample: Tensor = field(repr=False)

    def to_frame(self) -> pd.DataFrame:
        """Return one row: the means, their standard errors and n."""
        names = ("value", "standard_error", "trace", "trace_standard_error")
        names += ("half_squared_norm", "half_squared_norm_standard_error")
        return pd.DataFrame([{**{name: getattr(self, name) for name in names}, "n": len(self.per_sample)}])


def score_alignment(
    model: nn.Module, x: Tensor, y: Target, score: Tensor, *, batch_size: int = 500
) -> ScoreAlignment:
    r"""Compare the logit-gradient with a known score (the two sides of eq. 1).

    .. math:: \mathbb E\, |\nabla_x f_i(x) - s(x)|^2, \qquad
              \mathbb E\, \frac{\nabla_x f_i(x) \cdot s(x)}{|\nabla_x f_i(x)| \, |s(x)|}

    Args:
        model: maps (B, ...) to (B, C) logits; put in evaluation mode and given its modes back.
        x: (B, ...) points from the data distribution.
        y: class of each point: (B,), an int for all, or None for the model's prediction.
        score: s(x) = grad log p(x | y), shaped like x; for a mixture `mixture.score(x, y)`.
        batch_size: points a pass; changes memory, not the result.

    Returns:
        A `ScoreAlignment`.

    Raises:
        ValueError: score is not shaped like x, x is empty, y does not fit, or batch_size < 1.

    Example:
        >>> model = nn.Linear(2, 3)
        >>> x = torch.rand(4, 2)
        >>> score_alignment(model, x, 1, model.weight[1].expand(4, 2)).squared_error
        0.0
    """
    if score.shape != x.shape:
        raise ValueError(f"score must have the shape of x, {tuple(x.shape)}; got {tuple(score.shape)}")
    gradient = _gradients(model, x, y, batch_size).flatten(1)
    truth = score.detach().double().cpu().flatten(1)
    error = flat_sum((gradient - truth).square())
    cosine = functional.cosine_similarity(gradient, truth)
    along = max(0.0, float((gradient * truth).sum()))
    energy = float(gradient.square().sum() * truth.square().sum())
    return ScoreAlignment(
        squared_error=float(error.mean()),
        squared_error_standard_error=float(standard_error(error)),
        cosine=float(cosine.mean()),
        cosine_standard_error=float(standard_error(cosine)),
        squared_norm=float(flat_sum(truth.square()).mean()),
        loss=1 - along**2 / energy if along else 1.0,
        per_sample_squared_error=error,
        per_sample_cosine=cosine,
    )


def hyvarinen_objective(
    model: nn.Module,
    x: Tensor,
    y: Target,
    *,
    estimator: str = "exact",
    num_probes: int = 1,
    generator: torch.Generator | None = None,
    chunk_size: int | None = None,
    batch_size: int = 500,
) -> HyvarinenObjective:
    r"""Evaluate the score-matching objective that needs no density (eq. 2; Hyvärinen, 2005).

    .. math:: J = \mathbb E \big( \operatorname{trace}(\nabla_x^2 f_i(x)) + \tfrac12 |\nabla_x f_i(x)|^2 \big)

    It equals eq. 1 minus :math:`\tfrac12 \mathbb E |s|^2`, a constant of the data, where the density vanishes
    at the boundary; so it ranks models, and is negative at the true density.

    Args:
        model: maps (B, ...) to (B, C) logits, twice differentiable; put in evaluation mode and given its
            modes back.
        x: (B, ...) points from the data distribution.
        y: class of each point: (B,), an int for all, or None for the model's prediction.
        estimator: of the trace: `exact`, or `hutchinson` with Rademacher probes, unbiased and cheaper.
        num_probes: probes a point, for `hutchinson`.
        generator: source of the probes; None for fresh ones.
        chunk_size: directions of the exact trace computed at once: changes memory, not the result.
        batch_size: points a pass. The exact result does not depend on it; the probes do.

    Returns:
        A `HyvarinenObjective`.

    Raises:
        ValueError: an estimator that does not exist, x is empty, y does not fit, or a count below 1.

    Example:
        At the mode of a standard normal in D = 2 dimensions the score is 0 and the trace is -D:

        >>> from companion.mixture import gaussian_mixture
        >>> model = gaussian_mixture(torch.zeros(1, 2)).classifier()
        >>> round(hyvarinen_objective(model, torch.zeros(4, 2, dtype=torch.float64), 0).value, 6)
        -2.0
    """
    choose("estimator", estimator, ESTIMATORS)
    generator = generator_or_fresh(generator)
    with plain_autograd(), evaluation_mode(model):
        target, _ = targets_in_batches(model, x, y, batch_size)
        traces = []
        for rows in row_batches(x, batch_size):
            f, points = logit(model, target[rows]), x[rows].detach()
            with torch.no_grad():
                if estimator == "exact":
                    estimate = exact(f, points, chunk_size=chunk_size)
                else:
                    estimate = hutchinson(f, points, num_probes=num_probes, generator=generator).mean(dim=0)
            traces.append(estimate.double().cpu())
    trace = torch.cat(traces)
    half_squared_norm = flat_sum(_gradients(model, x, target, batch_size).square()) / 2
    objective = trace + half_squared_norm
    return HyvarinenObjective(
        value=float(objective.mean()),
        standard_error=float(standard_error(objective)),
        trace=float(trace.mean()),
        trace_standard_error=float(standard_error(trace)),
        half_squared_norm=float(half_squared_norm.mean()),
        half_squared_norm_standard_error=float(standard_error(half_squared_norm)),
        per_sample=objective,
    )


def _gradients(model: nn.Module, x: Tensor, y: Target, batch_size: int) -> Tensor:
    """Return the logit-gradients of all of x, float64 on the CPU."""
    with evaluation_mode(model):
        target, _ = targets_in_batches(model, x, y, batch_size)
    parts = [logit_gradient(model, x[rows], target[rows]) for rows in row_batches(x, batch_size)]
    return torch.cat(parts).double().cpu()
