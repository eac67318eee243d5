"""The command that audits somebody's own classifier."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import torch
from torch import Tensor

from companion.audit import OUTPUTS
from companion.audit import audit as measured
from companion.audit.attributions import GRADIENTS, ON_REQUEST
from companion.audit.loading import load_images, load_labels, load_model
from companion.book import stencils


def add_options(sub: argparse.ArgumentParser) -> None:
    """Give a parser the options that are the audit's own."""
    sub.add_argument(
        "--model",
        required=True,
        metavar="MODULE:FUNCTION",
        help="a function that returns the model, an nn.Module from images in [0, 1] to logits: "
        "my_module:build, or path/to/file.py:build",
    )
    sub.add_argument(
        "--images", type=Path, required=True, help="a folder of pictures, an .npz or an .npy file"
    )
    sub.add_argument(
        "--labels", type=Path, help="classes: numbers, one a line, or an array (default: predictions)"
    )
    sub.add_argument("--out", type=Path, help="write the report there, one HTML page")
    sub.add_argument(
        "--attributions",
        nargs="+",
        default=list(GRADIENTS),
        metavar="NAME",
        help=f"of {', '.join((*GRADIENTS, *ON_REQUEST))} (default: the first four)",
    )
    sub.add_argument(
        "--outputs",
        nargs="+",
        default=list(OUTPUTS),
        metavar="NAME",
        help=f"what you attribute, of {', '.join(OUTPUTS)} (default: all); they decide the exit status",
    )
    sub.add_argument("--limit", type=int, default=8, help="use this many images (default: 8)")
    sub.add_argument("--size", type=int, help="bring pictures to this height and width")
    sub.add_argument("--grey", action="store_true", help="read pictures in one channel, not three")
    sub.add_argument(
        "--seed", type=int, default=0, help="of the learned shift and the methods' noise (default: 0)"
    )
    sub.add_argument("--batch-size", type=int, default=8, help="images at a time (default: 8)")


def audit(options: argparse.Namespace) -> int:
    """Say whether the attribution maps of your own classifier can be redrawn; exit status 1 if so."""
    if options.out is not None:
        _writable(options.out)
    x = load_images(options.images, limit=options.limit, size=options.size, grey=options.grey)
    y = None if options.labels is None else load_labels(options.labels, len(x)).to(options.device)
    report = measured(
        load_model(options.model).to(options.device),
        x.to(options.device),
        y,
        attributions=options.attributions,
        outputs=options.outputs,
        picture=_face(x),
        generator=torch.Generator().manual_seed(options.seed),
        batch_size=options.batch_size,
        progress=not options.quiet and sys.stderr.isatty(),
    )
    print(report.verdict())
    for name in report.names("attribution"):
        said = [
            f"{output} {'moves ' if row.moved else 'stays '}{row.change.value:.2g}"
            for output in report.names("output")
            for row in [report.strongest(name, output)]
        ]
        print(f"  {name:22} {', '.join(said)}")
    for note in report.notes:
        print(f"  {note}")
    if options.out is not None:
        report.to_html(options.out, title=f"Who can be fooled? {options.model}")
        print(f"  report: {options.out}")
    return int(bool(report.moved))


def _writable(path: Path) -> None:
    """Refuse a report that could not be written, before the work rather than after it."""
    if path.is_dir():
        raise ValueError(
            f"--out {path} is a folder; give the name of a file in it, as in {path / 'report.html'}"
        )
    if not path.parent.is_dir():
        raise ValueError(f"--out {path}: there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"--out {path}: the folder {path.parent} cannot be written to; choose another")


def _face(x: Tensor) -> Tensor | None:
    """Return a face in the middle of a picture of the images' size; None if they are too small for one."""
    height, width = x.shape[2:]
    side = min(height, width)
    if side < 8:
        return None
    picture = torch.zeros(1, height, width)
    top, left = (height - side) // 2, (width - side) // 2
    picture[:, top : top + side, left : left + side] = stencils.smiley(side)
    return picture
