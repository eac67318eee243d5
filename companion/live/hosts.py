"""Where a live figure is shown: a page of the book, or Jupyter, where PyTorch answers its questions."""

from __future__ import annotations

import hashlib
import html
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import anywidget
import torch
import traitlets
from torch import Tensor, nn

from companion import fooling
from companion._calls import copied
from companion._support import evaluation_mode, logits_of
from companion.gradients import logit_gradient, loss_gradient
from companion.live import bundle
from companion.live.packing import pack_array, unpack_array

PARTS = "companion_live_parts"
"""Metadata of a page's figure: {name: part}, what it loads. The book's build writes each part as a script."""
BOOK = "COMPANION_BOOK"
"""The environment variable that is set where chapters are executed for the book."""


class Figure(Protocol):
    """What a notebook's cell shows."""

    @property
    def payload(self) -> dict[str, Any]:
        """What the figure is given: its kind, classes, images, networks, and the view that it starts with."""
        ...


def in_book() -> bool:
    """Say whether figures are made for a page, which has no kernel."""
    return os.environ.get(BOOK) == "1"


class PageFigure:
    """A figure as HTML: a still picture, which the page's script replaces by the live one."""

    def __init__(self, payload: dict[str, Any], parts: dict[str, Any], markup: str) -> None:
        """Keep what is shown, and the parts that the script loads."""
        self.payload, self.parts, self.markup = payload, parts, markup

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, str], dict[str, Any]]:
        return {"text/html": self.markup}, {PARTS: self.parts}


def on_page(
    payload: dict[str, Any], networks: Mapping[str, dict[str, Any]], still: tuple[str, str]
) -> PageFigure:
    """Return a figure for a page; networks are parts of their own, so that figures can share them.

    Args:
        payload: all but the networks.
        networks: name -> description.
        still: the source of the still picture, and its text for those who cannot see it.
    """
    named = {name: _named("network", network) for name, network in networks.items()}
    parts = {named[name]: network for name, network in networks.items()}
    whole = {**payload, "networks": named}
    name = _named(payload["kind"], whole)
    source, alt = still
    opening, closing = around_still(payload["kind"], name)
    picture = f'<img src="{source}" alt="{html.escape(alt, quote=True)}">'
    return PageFigure(whole, {**parts, name: whole}, f"{opening}{picture}{closing}")


def around_still(kind: str, name: str) -> tuple[str, str]:
    """Return what a page has before and after the still picture of a figure.

    Args:
        kind: of figure, as `main.mjs` lists them.
        name: of the part that is its payload.
    """
    place = f'<div class="live-figure" data-kind="{kind}" data-payload="{name}"><div class="live-still">'
    return place, "</div></div>"


def _named(kind: str, part: dict[str, Any]) -> str:
    return f"{kind}-{hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:16]}"


class Widget(anywidget.AnyWidget):
    """A figure in Jupyter. Its `view` is what the reader has chosen; the kernel answers its questions."""

    _esm = traitlets.Unicode(bundle.jupyter_module()).tag(sync=True)
    _css = traitlets.Unicode(bundle.style()).tag(sync=True)
    payload: Any = traitlets.Dict().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)

    def __init__(
        self, *, payload: dict[str, Any], models: Mapping[str, nn.Module], shape: tuple[int, ...]
    ) -> None:
        """Show a payload; `models` are the networks that it names, for images of one shape."""
        super().__init__(payload=payload, view=dict(payload["view"]))
        self._models, self._shape = dict(models), shape
        self._copies: dict[tuple[str, torch.dtype], nn.Module] = {}
        self.on_msg(self._answer)

    def _answer(self, _: object, question: dict[str, Any], __: object) -> None:
        answers = {"network": self._network, "fooling": self._fooling}
        try:
            answer = answers[question["ask"]](question)
        except Exception as error:  # noqa: BLE001 - a reader's own model may raise anything; it is shown
            answer = {"error": f"{type(error).__name__}: {error}"}
        self.send({**answer, "question": question["question"]})

    def _model(self, name: str, dtype: torch.dtype) -> nn.Module:
        if (name, dtype) not in self._copies:
            self._copies[name, dtype] = copied(self._models[name]).to(device="cpu", dtype=dtype).eval()
        return self._copies[name, dtype]

    def _images(self, array: dict[str, Any]) -> Tensor:
        return unpack_array(array).reshape(1, *self._shape)

    def _network(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the logits at x or, with weights v, the input-gradient of their sum weighted by v."""
        dtype = torch.float32 if question["precision"] == "float32" else torch.float64
        model, x = self._model(question["network"], dtype), self._images(question["x"]).to(dtype)
        with torch.enable_grad(), evaluation_mode(model):
            x.requires_grad_()
            logits = logits_of(model, x)
            if "weights" not in question:
                return {"values": pack_array(logits[0])}
            weighted = (logits[0] * unpack_array(question["weights"]).to(dtype)).sum()
            (gradient,) = torch.autograd.grad(weighted, x)
        return {"values": pack_array(gradient.flatten())}

    def _fooling(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return what PyTorch has for f and for f + g, in double precision."""
        model, x, y = self._model("model", torch.float64), self._images(question["x"]), int(question["y"])
        if question["g"] == "picture":
            picture = unpack_array(question["picture"]).reshape(1, *self._shape[1:])
            g = fooling.linear_shift(picture, question["strength"])
        elif question["g"] == "sine":
            g = fooling.sine_shift(question["epsilon"], question["frequency"])
        elif question["g"] == "mean":
            g = fooling.mean_logit_shift(model)
        elif question["g"] == "blank":

            def g(x: Tensor) -> Tensor:
                return -logits_of(model, x)[:, y]

        else:
            rival = int(question["rival"])

            def g(x: Tensor) -> Tensor:
                logits = logits_of(model, x)
                return logits[:, rival] - logits[:, y]

        answer = {}
        for name, classifier in (("before", model), ("after", fooling.shift_logits(model, g))):
            with torch.no_grad():
                answer[f"probabilities_{name}"] = classifier(x).softmax(dim=1)[0]
            answer[f"logit_gradient_{name}"] = logit_gradient(classifier, x, y).flatten()
            answer[f"loss_gradient_{name}"] = loss_gradient(classifier, x, y).flatten()
        return {name: pack_array(values) for name, values in answer.items()}


def as_script_text(part: object) -> str:
    """Return a part as it stands in a script."""
    return json.dumps(part, separators=(",", ":"))


def write_parts(parts: Mapping[str, Any], folder: Path) -> None:
    """Write each part of a page's figure as a script that hands it over; one that is there is the same."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in parts.items():
        path = folder / f"{name}.js"
        if not path.exists():
            text = f"{bundle.NAME}.receive({json.dumps(name)}, {as_script_text(part)});\n"
            partial = path.with_suffix(".partial")
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
