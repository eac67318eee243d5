"""What has to be said of methods that do something else on a model than their names promise."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from companion.audit.attributions import RELU_RULES, relu_modules


def notes_on(model: nn.Module, names: Collection[str], *, learned: bool) -> tuple[str, ...]:
    """Return a sentence for each method whose rule finds nothing to do, and on the learned g.

    Args:
        model: the classifier.
        names: the attributions, by name.
        learned: whether the learned shift was made by the audit.

    Example:
        >>> smooth = nn.Sequential(nn.Linear(4, 2), nn.Softplus())
        >>> notes_on(smooth, ["guided_backprop"], learned=False)[0][:58]
        'guided_backprop changes what nn.ReLU modules hand back, an'
        >>> notes_on(nn.Sequential(nn.Linear(4, 2), nn.ReLU()), ["guided_backprop"], learned=False)
        ()
    """
    found = [
        f"{name} changes what nn.ReLU modules hand back, and this model has none: its map is the plain "
        "gradient. Functions such as F.relu, and a softplus, are not changed."
        for name in RELU_RULES
        if name in names and not relu_modules(model)
    ]
    if "deep_lift" in names and not _known_to_deep_lift(model):
        found.append(
            "deep_lift has rules for activations and poolings that are modules, and this model has none that "
            "it knows: its map is the gradient times the input."
        )
    if learned:
        found.append("The learned shift was learned on the images of this audit.")
    return tuple(found)


def _known_to_deep_lift(model: nn.Module) -> bool:
    from captum.attr._core.deep_lift import SUPPORTED_NON_LINEAR

    return any(type(module) in SUPPORTED_NON_LINEAR for module in model.modules())
