r"""The maths in claims and notes, which are written in ASCII, set as maths.

What is left between is escaped, its minus signs and powers of ten written as print has them. The page gives
`\( ... \)` to MathJax, in the element that Sphinx uses for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

PHRASES: Mapping[str, str] = {
    "E[trace Hessian + 1/2 |score|^2]": (
        r"\mathbb{E}\big[\operatorname{tr} \mathbf{H} + \tfrac12 \|\text{score}\|^2\big]"
    ),
    "eps sin(m sum of x_d)": r"\epsilon \sin(m \sum_d x_d)",
    "eps sin(m x)": r"\epsilon \sin(m x)",
    "m eps D |cos|": r"m \epsilon D \, |\cos|",
    "m eps D": r"m \epsilon D",
    "log p(x+v|y)/p(x|y)": r"\log p(\mathbf{x}+\mathbf{v} \mid y) / p(\mathbf{x} \mid y)",
    "2 |H|^2 + 4 |grad f|^2 / sigma^2": r"2 \|\mathbf{H}\|^2 + 4 \|\nabla f\|^2 / \sigma^2",
    "2/N (|H|^2 - sum of H_dd^2)": r"\tfrac{2}{N} (\|\mathbf{H}\|^2 - \sum_d H_{dd}^2)",
    "2 (|H|^2 - sum of H_dd^2)": r"2 (\|\mathbf{H}\|^2 - \sum_d H_{dd}^2)",
    "4 |grad f|^2 / (N sigma^2)": r"4 \|\nabla f\|^2 / (N \sigma^2)",
    "4 |grad f|^2 / sigma^2": r"4 \|\nabla f\|^2 / \sigma^2",
    "2/N |H|_F^2": r"\tfrac{2}{N} \|\mathbf{H}\|_F^2",
    "2 |H|^2": r"2 \|\mathbf{H}\|^2",
    "sigma -> 0": r"\sigma \to 0",
    "sigma^2": r"\sigma^2",
    "exp f_i": r"\exp f_i",
    "grad f_i": r"\nabla f_i",
    "grad g": r"\nabla g",
    "grad f": r"\nabla f",
    "g(x)": r"g(\mathbf{x})",
    "p(i)": "p(i)",
    "1/N^2": "1/N^2",
    "1/N": "1/N",
    "Z/C": "Z/C",
    "l1": r"\ell_1",
}
"""LaTeX for each piece of ASCII maths."""
_LETTERS = {"eps": r"\epsilon", "lambda": r"\lambda", "mu": r"\mu", "sigma": r"\sigma", "tau": r"\tau"}
_SET = re.compile(
    rf"(?<!\w)(?:{'|'.join(re.escape(phrase) for phrase in sorted(PHRASES, key=len, reverse=True))})(?!\w)"
    rf"|\b(?P<letter>{'|'.join(_LETTERS)}|m)(?: =)? (?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)(?![\w%])"
    rf"|\b(?P<alone>{'|'.join(_LETTERS)})\b|(?<=small )(?P<m>m)\b"
)
_POWER = re.compile(r"(\d(?:\.\d+)?)e([+-])(\d+)")


def set_maths(text: str) -> str:
    r"""Return a text as HTML, its maths in `\( ... \)`.

    Args:
        text: plain, with maths in ASCII.

    Example:
        >>> set_maths("A ripple <b> of lambda 1e-3")
        'A ripple &lt;b&gt; of <span class="math notranslate nohighlight">\\(\\lambda = 10^{-3}\\)</span>'
    """
    done, at = [], 0
    for found in _SET.finditer(text):
        done += [_plain(text[at : found.start()]), _maths(found)]
        at = found.end()
    return "".join([*done, _plain(text[at:])])


def _maths(found: re.Match[str]) -> str:
    if found["letter"]:
        letter = _LETTERS.get(found["letter"], found["letter"])
        return _inline(f"{letter} = {_number(found['number'])}")
    if found["alone"]:
        return _inline(_LETTERS[found["alone"]])
    return _inline(found["m"] or PHRASES[found[0]])


def _inline(latex: str) -> str:
    return f'<span class="math notranslate nohighlight">\\({escape(latex)}\\)</span>'


def _number(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text
    power = f"10^{{{int(exponent)}}}"
    return power if float(mantissa) == 1 else rf"{mantissa} \times {power}"


def _plain(text: str) -> str:
    """Escape a text, and write minus signs and powers of ten as print has them."""
    text = _POWER.sub(lambda m: f"{m[1]}\0{'−' if m[2] == '-' else ''}{int(m[3])}\1", escape(text))
    text = re.sub(r"(?<![\w])-(?=\d)", "−", text).replace(" - ", " − ")
    text = re.sub(r"(?<=\d) %", "\u00a0%", text)
    return text.replace("\0", " × 10<sup>").replace("\1", "</sup>")
