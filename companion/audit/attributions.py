"""Attribution methods by name: Captum's classes, and what they are given.

A method is a *factory*: a function that takes the module to be explained, (B, ...) -> (B, C), and returns
either an object with `attribute(inputs, target=...)`, as Captum's classes are, or such a function itself.
So `lambda forward: captum.attr.Saliency(forward)` is one, and `captum.attr.Saliency` is, too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from companion._support import choose

Factory = Callable[[nn.Module], Any]

GRADIENTS = ("saliency", "input_x_gradient", "integrated_gradients", "smoothgrad")
"""The methods that an audit asks by default: all are made of gradients."""
ON_REQUEST = ("occlusion", "lime", "kernel_shap", "guided_backprop", "deconvolution", "deep_lift")
"""Those that it knows by name besides."""

STEPS = 8
"""Points on the path of integrated gradients, and noisy copies of SmoothGrad."""
NOISE = 0.1
"""SmoothGrad's standard deviation, of inputs in [0, 1]."""
SQUARES = 8
SAMPLES, AT_ONCE = 100, 16
"""Patches along a side of an image, for the methods that switch patches off; how often LIME and KernelSHAP
do, and in how many copies at a time."""

RELU_RULES = ("guided_backprop", "deconvolution")
"""What Captum computes by changing the backward pass of `nn.ReLU` modules, and of nothing else."""


def named(names: Sequence[str]) -> dict[str, Factory]:
    """Return the factories of methods by name.

    Args:
        names: of `GRADIENTS` or `ON_REQUEST`.

    Raises:
        ValueError: a name that does not exist, or Captum is not installed.

    Example:
        >>> list(named(["saliency"]))
        ['saliency']
    """
    for name in names:
        choose("attribution", name, (*GRADIENTS, *ON_REQUEST))
    try:
        import captum.attr  # noqa: F401  # Here, since it takes seconds to import.
    except ImportError:
        raise ValueError(
            "the attributions by name are Captum's, which is not installed: pip install captum, or give "
            "attributions={'mine': factory}"
        ) from None
    return {name: partial(_METHODS[name]) for name in names}


def relu_modules(model: nn.Module) -> int:
    """Count the `nn.ReLU` modules of a model, the only ones that a ReLU rule of Captum's changes.

    Example:
        >>> relu_modules(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Softplus()))
        1
    """
    return sum(isinstance(module, nn.ReLU) for module in model.modules())


def attribute_with(
    name: str, factory: Factory, forward: nn.Module, x: Tensor, y: Tensor, *, seed: int
) -> Tensor:
    """Return the maps of one batch, checked: (B, C, H, W) or (B, 1, H, W), finite, without a graph.

    Captum's methods draw from the global random state. It is set for the call, the same for every output and
    shift, and put back.

    Args:
        name: what to call the method in a message.
        factory: the method.
        forward: what is to be explained.
        x: images (B, C, H, W).
        y: their classes.
        seed: of the random state.

    Raises:
        ValueError: it fails on this model, or returns something else.

    Example:
        A method of one's own, which explains every class by how bright a pixel is:

        >>> def brightness(forward):
        ...     return lambda inputs, target: inputs.mean(dim=1, keepdim=True)
        >>> x, y = torch.rand(2, 3, 8, 8), torch.tensor([0, 1])
        >>> attribute_with("brightness", brightness, nn.Flatten(), x, y, seed=0).shape
        torch.Size([2, 1, 8, 8])
    """
    with torch.random.fork_rng(), torch.enable_grad(), warnings.catch_warnings():
        # Captum announces each time that it sets hooks, and that it takes them away again.
        warnings.filterwarnings("ignore", message=r"\s*Setting .*hooks", category=UserWarning)
        torch.manual_seed(seed)
        try:
            method = factory(forward)
            attribute = cast("Callable[..., Any]", getattr(method, "attribute", method))
            maps = attribute(x.clone().requires_grad_(), target=y.clone())
        except Exception as error:
            said = str(error).strip(" .\n").splitlines()
            raise ValueError(
                f"the attribution {name!r} failed on this model with a {type(error).__name__}: "
                f"{said[0] if said else 'it says nothing more'}. Leave it out, or mend it: it is called as "
                "factory(forward).attribute(inputs, target=classes), where forward maps (B, C, H, W) to "
                "(B, classes)"
            ) from error
    if not isinstance(maps, Tensor):
        raise ValueError(
            f"the attribution {name!r} returned a {type(maps).__name__}; it has to return one tensor, a map "
            "for each image"
        )
    if maps.shape not in (x.shape, (len(x), 1, *x.shape[2:])):
        raise ValueError(
            f"the attribution {name!r} returned shape {tuple(maps.shape)} for images of shape "
            f"{tuple(x.shape)}; it has to be the same, but for one channel in place of several. A map of a "
            "layer is brought to the images' size with captum.attr.LayerAttribution.interpolate"
        )
    if not bool(maps.isfinite().all()):
        raise ValueError(
            f"the attribution {name!r} holds nan or inf, which cannot be compared. Look for a division by a "
            "vanishing map in it, or for weights that are not finite"
        )
    return maps.detach()


def _captum(name: str, forward: nn.Module) -> Any:  # noqa: ANN401
    import captum.attr

    return getattr(captum.attr, name)(forward)


def _saliency(forward: nn.Module) -> Callable[..., Tensor]:
    return partial(_captum("Saliency", forward).attribute, abs=False)


def _integrated_gradients(forward: nn.Module) -> Callable[..., Tensor]:
    method = _captum("IntegratedGradients", forward)
    return lambda inputs, target: method.attribute(
        inputs, target=target, n_steps=STEPS, internal_batch_size=len(inputs)
    )


def _smoothgrad(forward: nn.Module) -> Callable[..., Tensor]:
    from captum.attr import NoiseTunnel

    method = NoiseTunnel(_captum("Saliency", forward))
    return lambda inputs, target: method.attribute(  # pyright: ignore[reportReturnType]
        inputs,
        nt_type="smoothgrad",
        nt_samples=STEPS,
        nt_samples_batch_size=1,
        stdevs=NOISE,
        target=target,
        abs=False,
    )


def _occlusion(forward: nn.Module) -> Callable[..., Tensor]:
    method = _captum("Occlusion", forward)

    def attribute(inputs: Tensor, target: Tensor) -> Tensor:
        channels, *sides = inputs.shape[1:]
        window = (channels, *(max(1, side // SQUARES) for side in sides))
        strides = (channels, *window[1:])
        with torch.no_grad():
            return method.attribute(
                inputs,
                sliding_window_shapes=window,
                strides=strides,
                target=target,
                perturbations_per_eval=AT_ONCE,
            )

    return attribute


def _patches(inputs: Tensor) -> Tensor:
    """Number the patches of an image, (1, 1, H, W)."""
    rows, columns = (torch.arange(side, device=inputs.device) * SQUARES // side for side in inputs.shape[2:])
    squares = rows[:, None] * SQUARES + columns
    return squares.unique(return_inverse=True)[1][None, None]


def _by_patches(captum_class: str, forward: nn.Module) -> Callable[..., Tensor]:
    """One image at a time: Captum fits a linear model to each."""
    method = _captum(captum_class, forward)

    def attribute(inputs: Tensor, target: Tensor) -> Tensor:
        mask = _patches(inputs).expand_as(inputs[:1])
        with torch.no_grad():
            each = [
                method.attribute(
                    one[None],
                    target=y[None],
                    feature_mask=mask,
                    n_samples=SAMPLES,
                    perturbations_per_eval=AT_ONCE,
                )
                for one, y in zip(inputs.detach(), target, strict=True)
            ]
        return torch.cat(each)

    return attribute


_METHODS: Mapping[str, Factory] = {
    "saliency": _saliency,
    "input_x_gradient": partial(_captum, "InputXGradient"),
    "integrated_gradients": _integrated_gradients,
    "smoothgrad": _smoothgrad,
    "occlusion": _occlusion,
    "lime": partial(_by_patches, "Lime"),
    "kernel_shap": partial(_by_patches, "KernelShap"),
    "guided_backprop": partial(_captum, "GuidedBackprop"),
    "deconvolution": partial(_captum, "Deconvolution"),
    "deep_lift": partial(_captum, "DeepLift"),
}
