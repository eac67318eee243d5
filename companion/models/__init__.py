r"""Softplus residual networks for small images, and what makes a reader's own network like them.

A ReLU network is piecewise linear: its Hessian is zero almost everywhere and score-matching has nothing to
match. The softplus :math:`s_\beta(x) = \frac1\beta \log(1 + e^{\beta x})`, which tends to
:math:`\max(0, x)` as :math:`\beta \to \infty`, gives every logit a second derivative.
"""

from companion.models.resnet import BasicBlock, ResNet, check_images, resnet9, resnet18, resnet34
from companion.models.surgery import SoftClamp, SoftLeakyReLU, fold_batch_norm, to_softplus
from companion.models.weights import WeightsError, load_weights, round_to_half, save_weights

__all__ = [
    "BasicBlock",
    "ResNet",
    "SoftClamp",
    "SoftLeakyReLU",
    "WeightsError",
    "check_images",
    "fold_batch_norm",
    "load_weights",
    "resnet9",
    "resnet18",
    "resnet34",
    "round_to_half",
    "save_weights",
    "to_softplus",
]
