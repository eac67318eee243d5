"""The usual residual networks for small images, with softplus for ReLU."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, fx, nn

from companion._support import at_least, generator_or_fresh, positive
from companion.models.surgery import SOFTPLUS_THRESHOLD


@fx.wrap
def check_images(x: Tensor, channels: int, sizes: tuple[int, ...]) -> Tensor:
    """Return x; the images must be (B, channels, S, S), S one of `sizes`. A leaf for torch.fx.

    Example:
        >>> check_images(torch.rand(2, 3, 32, 32), 3, (28, 32)).shape
        torch.Size([2, 3, 32, 32])
        >>> check_images(torch.rand(2, 1, 32, 32), 3, (28, 32))
        Traceback (most recent call last):
        ...
        ValueError: this network takes images of shape (B, 3, 28, 28) or (B, 3, 32, 32); got (2, 1, ...
    """
    if x.ndim != 4 or x.shape[1] != channels or x.shape[2] != x.shape[3] or x.shape[2] not in sizes:
        allowed = " or ".join(f"(B, {channels}, {size}, {size})" for size in sizes)
        raise ValueError(
            f"this network takes images of shape {allowed}; got {tuple(x.shape)}. "
            "Resize the images, or build the network with other in_channels= or image_sizes=."
        )
    return x


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, added to a shortcut (1x1 convolution where the shape changes)."""

    def __init__(self, in_channels: int, channels: int, stride: int, beta: float) -> None:
        """Make the block; `stride` is that of its first convolution and of the shortcut."""
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.activation = nn.Softplus(beta, SOFTPLUS_THRESHOLD)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, channels, H / stride, W / stride)."""
        out = self.activation(self.bn1(self.conv1(x)))
        return self.activation(self.bn2(self.conv2(out)) + self.downsample(x))


class ResNet(nn.Module):
    """The usual CIFAR residual network (3x3 stem, no max-pool, four stages) with softplus for ReLU.

    Parameters carry torchvision's names, so that the state of one of its ResNets with a 3x3 stem loads here.
    """

    layer1: nn.Module
    layer2: nn.Module
    layer3: nn.Module
    layer4: nn.Module

    def __init__(
        self, blocks: Sequence[int], num_classes: int, *, in_channels: int, width: int, beta: float,
        image_sizes: Sequence[int], generator: torch.Generator | None,
    ) -> None:  # fmt: skip
        """Make the network; see `resnet18` for the arguments. `blocks` counts those of each stage."""
        super().__init__()
        at_least("num_classes", num_classes, 1)
        at_least("in_channels", in_channels, 1)
        at_least("width", width, 1)
        positive("beta", beta)
        self.in_channels, self.image_sizes = in_channels, tuple(image_sizes)
        with torch.random.fork_rng(devices=[]):  # layers draw a first state from the global generator
            self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.activation = nn.Softplus(beta, SOFTPLUS_THRESHOLD)
            channels = width
            for stage, count in enumerate(blocks):
                layers = []
                for index in range(count):
                    stride = 2 if stage > 0 and index == 0 else 1
                    layers.append(BasicBlock(channels, width * 2**stage, stride, beta))
                    channels = width * 2**stage
                self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
            self.fc = nn.Linear(channels, num_classes)
        _initialise(self, generator_or_fresh(generator))

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, in_channels, H, W) in [0, 1] to logits (B, num_classes)."""
        x = check_images(x, self.in_channels, self.image_sizes)
        x = self.activation(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean(dim=(2, 3)))


def _initialise(model: nn.Module, generator: torch.Generator) -> None:
    """Draw torch's default initial weights, from the given generator."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight = torch.empty_like(module.weight, device=generator.device)
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
            with torch.no_grad():
                module.weight.copy_(weight)
                if module.bias is not None:
                    bound = 1 / math.sqrt(module.weight[0].numel())
                    bias = torch.empty_like(module.bias, device=generator.device)
                    module.bias.copy_(bias.uniform_(-bound, bound, generator=generator))


def resnet9(
    num_classes: int, *, in_channels: int = 3, width: int = 64, beta: float = 10.0,
    image_sizes: Sequence[int] = (28, 32), generator: torch.Generator | None = None,
) -> ResNet:  # fmt: skip
    """Softplus ResNet-9: one basic block a stage. Arguments as for `resnet18`.

    Example:
        >>> network = resnet9(10, width=16)
        >>> sum(parameter.numel() for parameter in network.parameters())
        308826
    """
    return ResNet((1, 1, 1, 1), num_classes, in_channels=in_channels, width=width, beta=beta,
                  image_sizes=image_sizes, generator=generator)  # fmt: skip


def resnet18(
    num_classes: int, *, in_channels: int = 3, width: int = 64, beta: float = 10.0,
    image_sizes: Sequence[int] = (28, 32), generator: torch.Generator | None = None,
) -> ResNet:  # fmt: skip
    """Softplus ResNet-18, the paper's network: two basic blocks a stage.

    Args:
        num_classes: C, at least 1.
        in_channels: channels of the images (1 or 3, or any).
        width: channels of the first stage; the stages have width x 1, 2, 4, 8.
        beta: sharpness of the softplus, above 0; the larger, the closer to ReLU.
        image_sizes: the heights (= widths) of image that forward accepts.
        generator: source of the initial weights; None means a fresh one, never the global generator.

    Returns:
        A module mapping images (B, in_channels, H, W) with values in [0, 1] to logits (B, C). Its forward
        raises a ValueError for images of another size or number of channels.

    Raises:
        ValueError: a size that is not a whole number of at least 1, or beta that is not positive.

    Example:
        >>> network = resnet18(10, in_channels=1, width=4, generator=torch.Generator().manual_seed(0))
        >>> network(torch.rand(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """
    return ResNet((2, 2, 2, 2), num_classes, in_channels=in_channels, width=width, beta=beta,
                  image_sizes=image_sizes, generator=generator)  # fmt: skip


def resnet34(
    num_classes: int, *, in_channels: int = 3, width: int = 64, beta: float = 10.0,
    image_sizes: Sequence[int] = (28, 32), generator: torch.Generator | None = None,
) -> ResNet:  # fmt: skip
    """Softplus ResNet-34: 3, 4, 6, 3 basic blocks a stage. Arguments as for `resnet18`.

    Example:
        >>> resnet34(10, width=2)(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    return ResNet((3, 4, 6, 3), num_classes, in_channels=in_channels, width=width, beta=beta,
                  image_sizes=image_sizes, generator=generator)  # fmt: skip
