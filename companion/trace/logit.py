"""From a classifier to the function whose Hessian is asked for: one sample's target logit."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from companion._calls import has_half, named_modules_in, plain, refuse_moving, state_of
from companion._support import Target, logits_of, resolve_target
from companion.trace.piecewise_linear import ActivationWatch


def logit(model: nn.Module, target: Target) -> Callable[[Tensor], Tensor]:
    r"""Return f: (B, ...) -> (B,), the target logit $f_i(x)$, an unnormalised log-density (section 3).

    Args:
        model: any classifier, (B, ...) -> (B, C) logits, in evaluation mode.
        target: the class i: one int for all samples, or (B,) integers, which bind f to the rows of x.

    Returns:
        f. Its first call warns (`PiecewiseLinearWarning`) if the model uses a piecewise-linear activation.

    Raises:
        ValueError: a batch norm uses the batch's statistics (training mode), since a sample's logit then
            depends on the other samples; dropout is active; or the target is None or not a class. The model's
            state is checked again at each call of f, which also refuses a model that draws random numbers or
            changes its own weights.
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
    return TargetLogit(model, target)


class TargetLogit:
    """What `logit` returns: a function of x that knows the number format of its model."""

    def __init__(self, model: nn.Module, target: Target) -> None:
        """Keep the model, which is shared, and the classes."""
        self.model, self.target = model, target
        self._watch: ActivationWatch | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Return the (B,) target logits."""
        refuse_training_mode(self.model)
        if isinstance(self.target, Tensor):
            self.target = plain(self.target)
        before = state_of(self.model)
        if self._watch is not None:
            logits = logits_of(self.model, x, fixed=True)
        else:
            with ActivationWatch() as watch:
                logits = logits_of(self.model, x, fixed=True)
            self._watch = watch
        refuse_moving(self.model, before)
        return logits.gather(1, resolve_target(self.target, logits)[:, None])[:, 0]

    def has_kinks(self) -> bool:
        """Say whether the model called functions with kinks at its first call."""
        return self._watch is not None and bool(self._watch.seen)

    def uses_half(self) -> bool:
        """Say whether the model has weights, or computed at its first call, in half precision."""
        return has_half(self.model) or (self._watch is not None and self._watch.half)


def refuse_training_mode(model: nn.Module) -> None:
    """Raise a ValueError if a sample's logit depends on other samples (batch norm) or on chance (dropout).

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
        >>> refuse_training_mode(model.eval())
        >>> refuse_training_mode(model.train())
        Traceback (most recent call last):
        ...
        ValueError: the dropout '1' is active, so each call of the model is another function. ...
    """
    for name, module in named_modules_in(model):
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
