"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import secrets
from pathlib import Path

import pandas as pd


def sha256(path: Path) -> str:
    """Return a file's SHA-256."""
    return digest(path.read_bytes())


def digest(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def write_atomically(path: Path, content: bytes) -> str:
    """Write a file so that a reader finds the old one or the new one, never a part; return its SHA-256.

    Where it fails, as on a full disk, no part of it is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                error.errno,
                f"no space is left on the disk of {path.parent} for {path.name}: free some, and the same "
                "command goes on from what is there",
            ) from error
        raise
    finally:
        partial.unlink(missing_ok=True)
    return digest(content)


def write_table(frame: pd.DataFrame, path: Path) -> str:
    """Write a frame as CSV, atomically, floats to nine digits; return the file's SHA-256."""
    return write_atomically(path, frame.to_csv(index=False, float_format="%.9g").encode())
