"""An audit's report as one HTML page: nothing is loaded from elsewhere, and every name is escaped."""

from __future__ import annotations

import base64
import html
import io
import os
from pathlib import Path

import numpy as np
from matplotlib import image
from torch import Tensor

from companion.audit.findings import MOVED, SURE, Findings, Movement
from companion.metrics.intervals import Interval

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1b1b1b;background:#fff}
body{max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem}
.verdict{border-left:6px solid #555;padding:.6rem 1rem;background:#f4f4f4;font-size:1.1rem}
.verdict.moved{border-color:#d55e00}.verdict.still{border-color:#0072b2}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.3rem .7rem;text-align:left;vertical-align:top}
th{font-weight:600;border-bottom:2px solid #999}td{border-bottom:1px solid #ddd}
td.moved{background:#fbe3d2}td.still{background:#deedf7}small{color:#555;display:block}
.wide{overflow-x:auto}.maps img{width:112px;image-rendering:pixelated;border:1px solid #ccc;display:block}
.maps td,.maps th{border:0;padding:.15rem .3rem;font-size:.85rem}
"""
# Blue below zero, white at zero, orange above: told apart by colour-blind readers.
_BELOW, _ZERO, _ABOVE = (0, 114, 178), (255, 255, 255), (213, 94, 0)
_MOST_PIXELS = 160
"""Maps are shown smaller where they have more pixels a side."""


def page(report: Findings, title: str) -> str:
    """Return the page of a report.

    Args:
        report: of an audit.
        title: what stands above it.
    """
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="verdict {"moved" if report.moved else "still"}">{html.escape(report.verdict())}</p>',
        _subject(report),
        "<h2>Which maps move</h2>",
        _summary(report),
        "<h2>What one sees</h2>",
        "<p>Orange pixels speak for the class, blue ones against it; white is zero. Each map has its own "
        "scale. A row whose pictures differ is one that can be fooled.</p>",
        *(_pictures(report, name) for name in report.names("attribution")),
        "<h2>Why, and what to do</h2>",
        _advice(report),
        *(["<h2>Notes</h2><ul>", *(f"<li>{html.escape(note)}</li>" for note in report.notes), "</ul>"]),
        "<h2>Every number</h2>",
        _details(report),
    ]
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    view = '<meta name="viewport" content="width=device-width,initial-scale=1">'
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}{view}</head><body>\n{body}\n</body></html>\n'


def write_whole(path: Path, text: str) -> Path:
    """Write a file so that it is there whole or as it was before; return its path.

    Raises:
        OSError: it cannot be written there.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)  # noqa: PTH105
    finally:
        partial.unlink(missing_ok=True)
    return path


def _subject(report: Findings) -> str:
    n = len(report.labels)
    cure = f" The model came with a cure, <code>{report.cure}</code>, and was shifted below it."
    shifts = ", ".join(
        f"<b>{html.escape(row.shift)}</b> (largest change of a probability {_number(row.probability)}, "
        f"predictions changed {row.predictions} of {n})"
        for row in report.unchanged
    )
    return (
        f"<p>Asked on {n} image{'s' * (n != 1)}. One function g(x) was added to every logit, which leaves "
        f"the softmax as it is: {shifts}.{cure if report.cure else ''}</p>"
    )


def _summary(report: Findings) -> str:
    """A row an attribution, a column an output: the strongest of the shifts."""
    outputs = report.names("output")
    head = "".join(f"<th>{html.escape(_words(output))}</th>" for output in outputs)
    rows = [
        f"<tr><th>{html.escape(name)}</th>"
        + "".join(_cell(report.strongest(name, output)) for output in outputs)
        + "</tr>"
        for name in report.names("attribution")
    ]
    return (
        f'<div class="wide"><table><tr><th>change of the map</th>{head}</tr>{"".join(rows)}'
        "</table></div><p>Each cell: the change under the shift that moves the map furthest, as a multiple "
        "of the map's own length (1 is as much as the map itself); the median over images, its 95 % "
        "interval, and the shift. "
        f"Above {MOVED:g} a map counts as moved.</p>"
    )


def _cell(row: Movement) -> str:
    if not row.moved:
        return f'<td class="still">stays<small>{_number(row.change.value)}</small></td>'
    return f'<td class="moved">moves {_text(row.change)}<small>{html.escape(row.shift)}</small></td>'


def _pictures(report: Findings, attribution: str) -> str:
    """The first image's maps: a row an output, a column a shift."""
    columns = list(dict.fromkeys(key[2] for key in report.maps))
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    rows = []
    for number, output in enumerate(report.names("output")):
        drawn = [
            _img(_signed(report.maps[attribution, output, column][0]), f"{_words(output)}, {column}")
            for column in columns
        ]
        cells = "".join(f"<td>{one}</td>" for one in drawn)
        first = f"<td>{_img(_photograph(report.images[0]), 'The image')}</td>" if not number else "<td></td>"
        rows.append(f"<tr>{first}<th>{html.escape(_words(output))}</th>{cells}</tr>")
    return (
        f"<h3>{html.escape(attribution)}</h3>"
        f'<div class="wide"><table class="maps"><tr><th>image</th><th></th>{head}</tr>'
        f"{''.join(rows)}"
        "</table></div>"
    )


def _advice(report: Findings) -> str:
    lengths = "".join(
        f"<tr><td>{html.escape(_words(name))}</td><td>{_text(interval)}</td></tr>"
        for name, interval in report.lengths.items()
    )
    n = len(report.labels)
    return (
        "<p>A softmax looks only at differences of logits. Adding g(x) to all of them changes none, so the "
        "probabilities stay, but the gradient of a single logit gains that of g. The gradient of a "
        "difference, "
        "∇(f<sub>i</sub> + g) − ∇(f<sub>k</sub> + g) = ∇f<sub>i</sub> − ∇f<sub>k</sub>, does not contain g. "
        "Log-probabilities, probabilities and centred logits are made of differences alone.</p>"
        f"<p>The gradient of the mean logit is {_inline(report.free)} times as long as the logit's own (the "
        "median over images): the part that no probability fixes, before anybody tampers with it.</p>"
        "<ul><li><code>companion.audit.centred(model)</code>: the logit less the mean logit. The default "
        "choice; it weighs all classes alike.</li>"
        "<li><code>companion.audit.shift_invariant(model)</code>: log-probabilities. They say what moves the "
        "probability itself, and their gradient vanishes where the classifier is sure: "
        f"here {report.sure} of {n} images have a probability above {SURE:g}.</li></ul>"
        "<table><tr><th>output</th><th>length of its gradient, relative to the logit's</th></tr>"
        f"{lengths}</table>"
    )


def _details(report: Findings) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(row.attribution)}</td><td>{html.escape(_words(row.output))}</td>"
        f"<td>{html.escape(row.shift)}</td><td>{_text(row.change)}</td><td>{_text(row.correlation)}</td>"
        f"<td>{'not asked for' if row.area is None else _text(row.area)}</td></tr>"
        for row in report.movements
    )
    columns = ("attribution", "output", "shift", "change of the map", "rank correlation", "curve")
    head = "".join(f"<th>{column}</th>" for column in columns)
    return (
        f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>'
        "<p>The rank correlation is Spearman's, over the pixels of the two maps; it has no value where a map "
        "is constant. The last column is the mean difference of the areas under the perturbation curves, "
        "shifted less unshifted, when pixels are replaced from the least relevant on and the probability of "
        "the class is watched. Intervals: 95 %, over images; for medians from six images on. The model "
        "computes in its own precision, and what is done to its logits in float64: where two float32 numbers "
        "are added there, nothing is rounded, and what stays, stays exactly.</p>"
    )


def _text(interval: Interval) -> str:
    value = _number(interval.value)
    if np.isnan(interval.low):
        return value
    return f"{value} <small>{_number(interval.low)} to {_number(interval.high)}</small>"


def _inline(interval: Interval) -> str:
    ends = "" if np.isnan(interval.low) else f" ({_number(interval.low)} to {_number(interval.high)})"
    return _number(interval.value) + ends


def _number(value: float) -> str:
    if np.isnan(value):
        return "none"
    return "0" if value == 0 else f"{value:.1e}" if abs(value) < 1e-3 else f"{value:.3g}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _signed(one: Tensor) -> np.ndarray:
    """Colour a map (H, W): uint8 (H, W, 3)."""
    values = _small(one.double().numpy())
    scale = float(np.quantile(np.abs(values), 0.995)) or float(np.abs(values).max()) or 1.0
    at = np.clip(values / scale, -1, 1)
    colours = [np.interp(at, (-1, 0, 1), ends) for ends in zip(_BELOW, _ZERO, _ABOVE, strict=True)]
    return np.stack(colours, axis=-1).round().astype(np.uint8)


def _photograph(one: Tensor) -> np.ndarray:
    """An image (C, H, W) in [0, 1] as uint8 (H, W, 3); of other than three channels, their mean."""
    pixels = one if len(one) == 3 else one.mean(dim=0, keepdim=True).expand(3, -1, -1)
    return _small((255 * pixels.permute(1, 2, 0)).round().byte().cpu().numpy())


def _small(pixels: np.ndarray) -> np.ndarray:
    """Leave out rows and columns, so that no side is far above `_MOST_PIXELS`."""
    step = max(1, max(pixels.shape[:2]) // _MOST_PIXELS)
    return pixels[::step, ::step]


def _img(pixels: np.ndarray, alt: str) -> str:
    buffer = io.BytesIO()
    image.imsave(buffer, np.ascontiguousarray(pixels), format="png")
    code = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{code}">'
