"""What moves the mean trace of a network trained with anti-score-matching: penalty and cross-entropy.

A step of gradient descent with rate r changes the mean trace t, to first order, by -r times the product of
t's gradient in the parameters with the loss's. So two numbers say where the trace is bound for: the push of
the unclamped penalty, lambda |grad t|^2, of which a clamp lets through the share of draws that it does not
cut; and the pull of the cross-entropy.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion._calls import copied
from companion._support import at_least, generator_or_fresh
from companion.losses import AntiScoreMatching


@dataclass(frozen=True, kw_only=True)
class Forces:
    """By how much one unit of learning rate moves the mean trace, to first order, measured on K batches.

    Attributes:
        push: (K,), by the penalty without its clamp; positive.
        pull: (K,), by the cross-entropy; negative where it lowers the trace.
    """

    push: Tensor
    pull: Tensor


def forces(
    model: nn.Module,
    loss: AntiScoreMatching,
    x: Tensor,
    y: Tensor,
    *,
    batch_size: int = 64,
    generator: torch.Generator | None = None,
) -> Forces:
    """Measure what the penalty and the cross-entropy do to the mean trace, in training mode.

    Each product takes its two gradients from different batches, since a batch's noise times itself would
    count as push. The trace is estimated as the loss does it.

    Args:
        model: a classifier; a copy of it is used, so that its running statistics stay as they are.
        loss: whose weight, sigma, estimate and treatment of batch norm are used; its clamp is not.
        x: inputs (N, ...), of which N // batch_size batches are made; at least two.
        y: labels (N,).
        batch_size: samples a batch.
        generator: the source of v; None for a private one.

    Raises:
        ValueError: x does not fill two batches.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.Softplus(beta=10), nn.Linear(8, 3))
        >>> x, y = torch.rand(32, 4), torch.randint(3, (32,))
        >>> forces(model, AntiScoreMatching(), x, y, batch_size=16).push.shape
        torch.Size([2])
    """
    at_least("the number of batches", len(x) // batch_size, 2)
    generator = generator_or_fresh(generator)
    model = copied(model).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    traces, losses = [], []
    for images, classes in zip(x.split(batch_size), y.split(batch_size), strict=True):
        if len(images) < batch_size:
            break
        terms = loss.terms(model, images, classes, generator=generator)
        assert terms.trace is not None
        for value, found in ((terms.trace.mean(), traces), (F.cross_entropy(terms.logits, classes), losses)):
            gradient = torch.autograd.grad(
                value, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            found.append(torch.cat([part.flatten() for part in gradient]).double())
    trace, other = torch.stack(traces), torch.stack(losses)
    rest = (trace.sum(dim=0) - trace) / (len(trace) - 1)
    return Forces(push=loss.weight * (trace * rest).sum(dim=1), pull=-(other * rest).sum(dim=1))
