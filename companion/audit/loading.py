"""Somebody's model and images, from a command line."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")


def load_model(where: str) -> nn.Module:
    """Import a module and call the function in it that builds the model.

    Args:
        where: `module:function`, looked for in the current folder too, or `path/to/file.py:function`.

    Returns:
        What the function returns, in evaluation mode.

    Raises:
        ValueError: it is not written so, does not import, has no such function, or the function fails.
        TypeError: it returns something else than an `nn.Module`.

    Example:
        >>> load_model("torchvision.models:alexnet").training
        False
    """
    name, _, function = where.rpartition(":")
    if not name or not function:
        raise ValueError(f"--model takes module:function, for example my_module:build; got {where!r}")
    build = _called(f"the module {name!r} does not import", lambda: getattr(_module(name), function, None))
    if not callable(build):
        raise ValueError(
            f"the module {name!r} has no function {function!r}. Write one there that takes nothing and "
            "returns the model: an nn.Module that maps images in [0, 1] to logits"
        )
    model = _called(f"{where} failed", build)
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"{where} returned a {type(model).__name__}; it has to return an nn.Module that maps "
            "(B, C, H, W) in [0, 1] to (B, classes) logits"
        )
    return model.eval()


def _module(name: str) -> Any:  # noqa: ANN401
    if name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {name}")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        with _folder_first(path.resolve().parent):
            spec.loader.exec_module(module)
        return module
    with _folder_first(Path.cwd()):
        return importlib.import_module(name)


class _folder_first:  # noqa: N801
    """While it lasts, modules are looked for in a folder first."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __enter__(self) -> None:
        sys.path.insert(0, self.folder)
        importlib.invalidate_caches()

    def __exit__(self, *_: object) -> None:
        sys.path.remove(self.folder)


def _called(what: str, function: Callable[[], Any]) -> Any:  # noqa: ANN401
    try:
        return function()
    except Exception as error:
        said = str(error).strip().splitlines()
        raise ValueError(
            f"{what}: {type(error).__name__}: {said[0] if said else 'it says nothing more'}. "
            "Try it by hand in this folder, with python"
        ) from error


def load_images(path: Path, *, limit: int, size: int | None = None, grey: bool = False) -> Tensor:
    """Read images from a folder of pictures, or from an array in a file.

    Args:
        path: a folder, whose pictures are read in the order of their names; or `.npz` or `.npy`: (N, H, W),
            (N, H, W, C) or (N, C, H, W), bytes or numbers in [0, 1]. Of several arrays in an `.npz`, the one
            named `images` or `x`.
        limit: how many are read, at least 1.
        size: pictures are brought to this height and width: the shorter side scaled, the middle cut out.
        grey: whether pictures are read in one channel, not three.

    Returns:
        (N, C, H, W) float32.

    Raises:
        ValueError: no images there, of several sizes, or not readable as such.
        OSError: no such file.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "images.npy")
        ...     np.save(path, np.full((5, 8, 8), 255, dtype=np.uint8))
        ...     images = load_images(path, limit=3)
        >>> images.shape, images.max().item()
        (torch.Size([3, 1, 8, 8]), 1.0)
    """
    if path.is_dir():
        return _from_folder(path, limit, size, grey=grey)
    if path.suffix not in (".npz", ".npy"):
        raise ValueError(
            f"--images takes a folder of pictures, an .npz or an .npy file; {path} is none of these"
        )
    return _from_array(_array(path, ("images", "x")), path)[:limit]


def load_labels(path: Path, count: int) -> Tensor:
    """Read the classes of images: whole numbers, one a line, or an array `labels` or `y`.

    Args:
        path: a text file, `.npy` or `.npz`.
        count: how many are needed; more may be there.

    Raises:
        ValueError: too few, or not whole numbers.
        OSError: no such file.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "labels.txt")
        ...     _ = path.write_text("7 2 1 0", encoding="utf-8")
        ...     load_labels(path, 3)
        tensor([7, 2, 1])
    """
    if path.suffix in (".npz", ".npy"):
        labels = _array(path, ("labels", "y"))
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise ValueError(
                f"{path} must hold whole numbers, one an image; got {labels.dtype} {labels.shape}"
            )
    else:
        words = path.read_text(encoding="utf-8").split()
        if not all(word.isdecimal() for word in words):
            raise ValueError(f"{path} must hold one class index, a whole number from 0 on, a line")
        labels = np.array([int(word) for word in words], dtype=np.int64)
    if len(labels) < count:
        raise ValueError(f"{path} holds {len(labels)} labels for {count} images; give one for each")
    return torch.from_numpy(labels[:count].astype(np.int64))


def _from_folder(path: Path, limit: int, size: int | None, *, grey: bool) -> Tensor:
    from PIL import Image, ImageOps

    files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)[:limit]
    if not files:
        raise ValueError(f"there are no pictures in {path}: looked for {', '.join(PICTURES)}")
    pictures = []
    for file in files:
        with Image.open(file) as opened:
            picture = opened.convert("L" if grey else "RGB")
            pictures.append(picture if size is None else ImageOps.fit(picture, (size, size)))
    sizes = {picture.size for picture in pictures}
    if len(sizes) > 1:
        raise ValueError(
            f"the pictures in {path} have {len(sizes)} different sizes; give the model's, as in --size 224"
        )
    arrays = np.stack([np.asarray(picture) for picture in pictures])
    return _from_array(arrays, path)


def _array(path: Path, names: tuple[str, ...]) -> np.ndarray:
    try:
        found = np.load(path)
    except (EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged or half-written ({error}); make it again") from error
    except ValueError as error:  # objects, which only pickle could read
        raise ValueError(f"{path} does not hold plain numbers: {error}") from error
    if isinstance(found, np.ndarray):
        return found
    with found:
        for name in (*names, *(found.files if len(found.files) == 1 else ())):
            if name in found.files:
                return found[name]
        raise ValueError(f"{path} must hold an array named {names[0]!r}; it has {', '.join(found.files)}")


def _from_array(array: np.ndarray, path: Path) -> Tensor:
    """Bring an array of images to (N, C, H, W) float32."""
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[-1] in (1, 3) and array.shape[1] not in (1, 3):
        array = np.moveaxis(array, -1, 1)
    if array.ndim != 4 or array.dtype.kind not in "uif":
        raise ValueError(
            f"{path} must hold images (N, H, W), (N, H, W, C) or (N, C, H, W) of numbers; got "
            f"{array.dtype} of shape {array.shape}"
        )
    if array.dtype == np.uint8:
        return torch.from_numpy(array.astype(np.float32) / 255)
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
