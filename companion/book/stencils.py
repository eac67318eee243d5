"""Pictures to draw into a saliency map: a smiley, a checkerboard, words."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from companion._support import at_least

# A capital is 7 rows of 5 pixels, a row being a number whose bits, high to low, are its pixels.
_CAPITALS = {
    "A": "0E 11 11 1F 11 11 11", "B": "1E 11 11 1E 11 11 1E", "C": "0E 11 10 10 10 11 0E",
    "D": "1E 11 11 11 11 11 1E", "E": "1F 10 10 1E 10 10 1F", "F": "1F 10 10 1E 10 10 10",
    "G": "0E 11 10 17 11 11 0E", "H": "11 11 11 1F 11 11 11", "I": "0E 04 04 04 04 04 0E",
    "J": "07 02 02 02 02 12 0C", "K": "11 12 14 18 14 12 11", "L": "10 10 10 10 10 10 1F",
    "M": "11 1B 15 15 11 11 11", "N": "11 19 15 13 11 11 11", "O": "0E 11 11 11 11 11 0E",
    "P": "1E 11 11 1E 10 10 10", "Q": "0E 11 11 11 15 12 0D", "R": "1E 11 11 1E 14 12 11",
    "S": "0F 10 10 0E 01 01 1E", "T": "1F 04 04 04 04 04 04", "U": "11 11 11 11 11 11 0E",
    "V": "11 11 11 11 11 0A 04", "W": "11 11 11 15 15 1B 11", "X": "11 11 0A 04 0A 11 11",
    "Y": "11 11 0A 04 04 04 04", "Z": "1F 01 02 04 08 10 1F", "!": "04 04 04 04 04 00 04",
    "?": "0E 11 01 06 04 00 04", " ": "00 00 00 00 00 00 00",
}  # fmt: skip


def smiley(size: int = 28) -> Tensor:
    """A round face with two eyes and a smile.

    Args:
        size: height and width, at least 8.

    Returns:
        (1, size, size) float32, 1 on the drawing and 0 elsewhere.

    Raises:
        ValueError: size below 8.

    Example:
        >>> smiley(28).shape
        torch.Size([1, 28, 28])
    """
    axis = (np.arange(at_least("size", size, 8)) + 0.5) / size * 2 - 1
    y, x = np.meshgrid(axis, axis, indexing="ij")
    radius = np.hypot(x, y)
    face = np.abs(radius - 0.85) < 0.09
    eyes = np.hypot(np.abs(x) - 0.32, y + 0.3) < 0.13
    mouth = (np.abs(np.hypot(x, y - 0.05) - 0.48) < 0.09) & (y > 0.2)
    return torch.from_numpy((face | eyes | mouth).astype(np.float32))[None]


def checkerboard(size: int = 28, squares: int = 4) -> Tensor:
    """A checkerboard whose top left square is 1.

    Args:
        size: height and width, at least `squares`.
        squares: squares along each side, at least 1.

    Returns:
        (1, size, size) float32 of zeros and ones.

    Raises:
        ValueError: squares below 1, or more than there are pixels.

    Example:
        >>> checkerboard(2, 2)
        tensor([[[1., 0.],
                 [0., 1.]]])
    """
    at_least("size", size, at_least("squares", squares, 1))
    index = np.arange(size) * squares // size
    return torch.from_numpy(((index[:, None] + index) % 2 == 0).astype(np.float32))[None]


def word(text: str, size: int = 28) -> Tensor:
    """A word in capitals, five pixels wide and seven high each, as large as fits and centred.

    Args:
        text: letters, spaces, `!` and `?`; small letters become capitals.
        size: height and width of the picture; at least 6 pixels a character, less one, and at least 7.

    Returns:
        (1, size, size) float32, 1 on the letters and 0 elsewhere.

    Raises:
        ValueError: a character that is not drawn here, an empty text, or too small a size.

    Example:
        >>> word("T", 7)[0, :2].int().tolist()
        [[0, 1, 1, 1, 1, 1, 0], [0, 0, 0, 1, 0, 0, 0]]
    """
    text = text.upper()
    unknown = sorted(set(text) - set(_CAPITALS))
    if not text or unknown:
        raise ValueError(f"text must be letters, spaces, ! and ?, at least one; got {text!r}")
    rows = [[int(row, 16) for row in _CAPITALS[letter].split()] for letter in text]
    glyphs = [np.array([[row >> bit & 1 for bit in (4, 3, 2, 1, 0, 31)] for row in glyph]) for glyph in rows]
    drawing = np.concatenate(glyphs, axis=1)[:, :-1]
    at_least(f"size, for {text!r},", size, max(drawing.shape))
    scale = size // max(drawing.shape)
    drawing = drawing.repeat(scale, axis=0).repeat(scale, axis=1)
    top, left = (size - drawing.shape[0]) // 2, (size - drawing.shape[1]) // 2
    picture = np.zeros((size, size), dtype=np.float32)
    picture[top : top + drawing.shape[0], left : left + drawing.shape[1]] = drawing
    return torch.from_numpy(picture)[None]
