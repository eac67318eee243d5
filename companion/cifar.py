"""CIFAR as it lies on a disk: an archive of NumPy's, or the folder that torchvision downloads and extracts.

Of an archive the headers are read first. What they promise is compared with what CIFAR is before a byte of
the data is read, so that no header makes this process reserve more memory than CIFAR has.
"""

from __future__ import annotations

import errno
import math
import pickle
import shutil
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import URLError

import numpy as np
from numpy.lib import format as npy

COUNTS = {"train": 50_000, "test": 10_000}
"""How many images each part has."""
NEEDED = ("x_train", "y_train", "x_test", "y_test")
_NAMES = "class_names"
_MOST_NAMES = 1_000_000  # bytes
_DAMAGED = (OSError, EOFError, KeyError, ValueError, zlib.error, tarfile.TarError, pickle.UnpicklingError)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG)


class DataError(ValueError):
    """Data that are absent, damaged, or not what their name says."""


@dataclass(frozen=True)
class _Header:
    """What the first bytes of an array say, and how many bytes they are."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    length: int

    @property
    def size(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an archive that `numpy.savez` wrote.

    Args:
        path: the file; it holds x_train, y_train, x_test, y_test, and class_names if they are known.

    Raises:
        DataError: it is damaged, is something else, or holds other arrays than CIFAR's.
    """
    try:
        with path.open("rb") as file:
            if file.read(6) == npy.MAGIC_PREFIX:
                raise DataError(
                    f"{path} holds one array, not an archive: write it with numpy.savez, with the arrays "
                    f"{', '.join(NEEDED)}"
                )
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            missing = [name for name in NEEDED if name not in members]
            if missing:
                raise DataError(
                    f"{path} lacks {', '.join(missing)}; it must hold the arrays {', '.join(NEEDED)}"
                )
            names = [name for name in (*NEEDED, _NAMES) if name in members]
            headers = {name: _header(path, archive, members[name]) for name in names}
            for name, header in headers.items():
                _check(path, name, header)
            return {name: _array(archive, members[name], headers[name]) for name in names}
    except DataError:
        raise
    except PermissionError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): change its permissions") from error
    except Exception as error:  # zipfile, zlib, lzma and NumPy's header each have errors of their own
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} is damaged or half-written ({said}); delete and make it again") from error


def _header(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> _Header:
    if member.flag_bits & 1:
        raise DataError(f"{path} is encrypted, which numpy.savez does not do; delete and make it again")
    with archive.open(member) as file:
        version = npy.read_magic(file)  # pyright: ignore[reportArgumentType]
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(file)  # pyright: ignore[reportArgumentType]
        return _Header(tuple(shape), dtype, fortran, file.tell())


def _check(path: Path, name: str, header: _Header) -> None:
    """Refuse what no CIFAR array is: its type, or more bytes than there can be."""
    shape, dtype = header.shape, header.dtype
    if dtype.hasobject:
        raise DataError(
            f"{path} is damaged, or was written with pickled objects: {name} must hold numbers, or texts for "
            "class_names; write it with numpy.savez"
        )
    if name == _NAMES:
        if dtype.kind not in "US" or len(shape) != 1 or header.size > _MOST_NAMES:
            raise DataError(f"{path}: class_names must be a list of texts; got {shape} {dtype}")
        return
    count = COUNTS[name.partition("_")[2]]
    most = count * 32 * 32 * 3 if name.startswith("x") else count * 8
    if header.size > most:
        wanted = f"({count}, 32, 32, 3) uint8" if name.startswith("x") else f"({count},) integers"
        raise DataError(f"{path}: {name} must be {wanted}; its header promises {shape} {dtype}")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, header: _Header) -> np.ndarray:
    """Read the data that the header promises, no more and no less; the archive's checksum is compared."""
    with archive.open(member) as file:
        file.read(header.length)
        content = _exactly(file, header.size)
    values = np.frombuffer(content, header.dtype) if header.dtype.itemsize else np.empty(0, header.dtype)
    return values.reshape(header.shape, order="F" if header.fortran else "C")


def _exactly(file: IO[bytes], size: int) -> bytes:
    content = file.read(size)
    if len(content) != size or file.read(1):
        more = "fewer" if len(content) != size else "more"
        raise ValueError(f"an array has {more} data than its header says")
    return content


def read_torchvision(name: str, folder: Path) -> dict[str, np.ndarray]:
    """Return the arrays of torchvision's folder, which is downloaded if it is not there.

    Args:
        name: `cifar10` or `cifar100`.
        folder: where it lies, or is put.

    Raises:
        DataError: there is no network, no space, or no permission; what came is no archive; or what is there
            is damaged.
    """
    from torchvision.datasets import CIFAR10, CIFAR100

    kind = CIFAR10 if name == "cifar10" else CIFAR100
    extracted, archive = folder / kind.base_folder, folder / kind.filename
    there = extracted.exists()
    try:
        try:
            train = kind(folder, train=True, download=not there)
        except BaseException:
            if not there:  # a folder that is half extracted would be taken for a whole one
                shutil.rmtree(extracted, ignore_errors=True)
            raise
        test = kind(folder, train=False)
    except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DataError(
            f"{name} was not found as {folder / f'{name}.npz'} nor as the folder {extracted}, and {kind.url} "
            f"cannot be downloaded ({reason}). Connect to a network, or put one of the two there; "
            + _ELSEWHERE
        ) from error
    except (RuntimeError, *_DAMAGED) as error:
        raise DataError(_what_failed(error, kind.url, archive, extracted, there=there)) from error
    return {
        "x_train": train.data, "y_train": np.asarray(train.targets),
        "x_test": test.data, "y_test": np.asarray(test.targets),
        "class_names": np.asarray(train.classes),
    }  # fmt: skip


_ELSEWHERE = "another folder is chosen with root= or the environment variable COMPANION_DATA."


def _what_failed(error: Exception, url: str, archive: Path, extracted: Path, *, there: bool) -> str:
    """Say what a failure is: the disk's, the folder's, the network's, or that of files long there."""
    number = error.errno if isinstance(error, OSError) else None
    if number in _NO_SPACE:
        archive.unlink(missing_ok=True)
        return (
            f"the disk of {archive.parent} is full: the archive and its images need 400 MB. Nothing is left "
            f"of the download; free some space and call again, or {_ELSEWHERE}"
        )
    if number in _UNWRITABLE and not there:
        return f"{archive.parent} cannot be written ({error.strerror}): {_ELSEWHERE}"  # pyright: ignore
    if there:
        return f"{extracted} is damaged or half-written ({error}); delete it, and it is downloaded again"
    page = " It is a web page: does the network ask to log in first?" if _is_page(archive) else ""
    return (
        f"what came from {url} is not the archive ({error}).{page} It lies in {archive}, and the next call "
        "downloads it again."
    )


def _is_page(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(512).lstrip().lower().startswith((b"<html", b"<!doctype", b"<?xml", b"<head"))
    except OSError:
        return False


def names_of(arrays: dict[str, Any], default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the class names of an archive as texts, or the default where it has none."""
    given = arrays.get(_NAMES)
    if given is None:
        return default
    return tuple(n.decode(errors="replace") if isinstance(n, bytes) else str(n) for n in given.tolist())
