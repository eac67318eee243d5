"""From a classifier to the function whose Hessian is asked for: one sample's target logit."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from companion._support import logits_of, resolve_target
from companion.trace.piecewise_linear import ActivationWatch


def logit(model: nn.Module, target: int | Tensor) -> Callable[[Tensor], Tensor]:
    r"""Return f: (B, ...) -> (B,), the target logit $f_i(x)$, an unnormalised log-density (section 3).

    Args:
        model: any classifier, (B, ...) -> (B, C) logits, in evaluation mode.
        target: the class i: one int for all samples, or (B,) integers, which bind f to the rows of x.

    Returns:
        f. Its first call warns (`PiecewiseLinearWarning`) if the model uses a piecewise-linear activation.

    Raises:
        ValueError: a batch norm uses the batch's statistics (training mode), since a sample's logit then
            depends on the other samples; dropout is active; or the target is None or not a class. The model's
            state is checked again at each call of f.
        TypeError: (by f) the model returns something else than one tensor.

    Example:
        >>> import torch
        >>> f = logit(nn.Linear(4, 3), target=2)
        >>> f(torch.rand(5, 4)).shape
        torch.Size([5])
    """
    if target is None:
        raise ValueError(
            "target must be fixed, an int or (B,) integers, since the prediction may change near x. "
            "For the predicted class pass model(x).argmax(dim=1)."
        )
    refuse_training_mode(model)
    watched = False

    def f(x: Tensor) -> Tensor:
        nonlocal watched
        refuse_training_mode(model)
        if watched:
            logits = logits_of(model, x)
        else:
            with ActivationWatch():
                logits = logits_of(model, x)
            watched = True
        return logits.gather(1, resolve_target(target, logits)[:, None])[:, 0]

    return f


def refuse_training_mode(model: nn.Module) -> None:
    """Raise a ValueError if a sample's logit depends on other samples (batch norm) or on chance (dropout)."""
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and (module.training or module.running_mean is None):
            raise ValueError(
                f"the batch norm {name!r} normalises by the batch's statistics: a sample's logit depends "
                "on the other samples and has no Hessian of its own. Call model.eval() first"
                + (
                    "."
                    if module.running_mean is not None
                    else "; this one needs track_running_stats=True too."
                )
            )
        if isinstance(module, _DropoutNd) and module.training and module.p > 0:
            raise ValueError(
                f"the dropout {name!r} is active, so each call of the model is another function. "
                "Call model.eval() first."
            )
