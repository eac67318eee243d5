"""The live figure for the reader's own picture: what it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from torch import Tensor, nn

from companion.live import stills
from companion.live.given import checked, figure, images, pictures
from companion.live.hosts import Figure


def photograph(
    models: Mapping[str, nn.Module], x: Tensor, y: Tensor, class_names: Sequence[str] | None = None
) -> Figure:
    r"""Show what several networks make of the reader's own picture, and let the reader fool them.

    Of each network there are its top classes, the gradient map of a logit, :math:`\nabla_x f_i`, and that of
    the centred logit, :math:`f_i - \frac1C \sum_j f_j`. The reader adds a g to all logits (section 2), or
    climbs the logit (section 4.1). A page loads the networks when its reader asks for them.

    Args:
        models: name -> classifier, (B, channels, H, W) -> (B, C) logits. Four fit beside each other.
        x: (N, channels, H, W) examples to choose from, square, in [0, 1].
        y: (N,) their classes.
        class_names: C names; the numbers 0 to C-1 if None.

    Returns:
        A figure; the last line of a cell shows it.

    Raises:
        ValueError: no model; images that are not square; images, classes or names that do not fit together.
        UnsupportedNetwork: on a page without a kernel, a network that the engine does not know.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        >>> photograph({"mine": model}, torch.rand(2, 1, 8, 8), torch.tensor([0, 2])).payload["kind"]
        'photograph'
    """
    if not models:
        raise ValueError("models is empty; give at least one, for example {'mine': model}")
    for model in models.values():
        names = checked(model, x, y, class_names)
    if x.shape[2] != x.shape[3]:
        raise ValueError(f"the examples must be square; they have {x.shape[2]} x {x.shape[3]} pixels")
    chosen = pictures(*x.shape[-2:])
    view = {
        "image": 0, "network": "model0", "y": int(y[0]), "picture": chosen[0]["name"],
        "strength": 0.0, "start": "picture", "stepSize": 0.03, "seed": 1,
    }  # fmt: skip
    labels = {f"model{k}": label for k, label in enumerate(models)}
    given = {"images": images(x, y), "pictures": chosen, "labels": labels}
    networks = {f"model{k}": model for k, model in enumerate(models.values())}
    still = partial(stills.photograph, models, x, y, names)
    return figure("photograph", networks, x.shape[1:], names, given, view, still, later=True)
