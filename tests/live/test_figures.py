"""The figures in Python: what they refuse, what a page gets, what the kernel answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from companion import fooling, live, models
from companion.gradients import logit_gradient, loss_gradient
from companion.live import hosts
from companion.live.packing import pack_array, unpack_array

X, Y = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([2, 0, 1])


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


class Odd(nn.Module):
    """A classifier with a layer that the page's engine does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = linear()

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).tanh()


@pytest.fixture
def in_book(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hosts.BOOK, "1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((X[0], Y, None), "x must be"),
        (((255 * X).to(torch.uint8), Y, None), "x must be"),
        ((X, Y[:2], None), "y must hold 3 classes"),
        ((X, torch.tensor([0, 1, 3]), None), "class 3.*0 to 2"),
        ((X, torch.tensor([0, 1, -1]), None), "class in y"),
        ((X, Y, ["a", "b"]), "3 classes, class_names has 2"),
    ],
)
@pytest.mark.parametrize("figure", [live.fooling, live.ripple, live.traces])
def test_images_classes_and_names_must_fit_together(figure: Any, arguments: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        figure(linear(), *arguments)


def test_other_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="one an image"):
        live.traces(linear(), X, Y, exact=torch.zeros(2))
    with pytest.raises(ValueError, match="models is empty"):
        live.sampling({}, (1, 8, 8))
    with pytest.raises(ValueError, match="models is empty"):
        live.photograph({}, X, Y)
    with pytest.raises(ValueError, match="must be square; they have 8 x 4"):
        live.photograph({"one": nn.Sequential(nn.Flatten(), nn.Linear(32, 3))}, X[..., :4], Y)
    with pytest.raises(ValueError, match="3 images but 2 indices"):
        live.fooling(linear(), X, Y, indices=[0, 1])
    with pytest.raises(ValueError, match="holds 2 pixels"):
        live.drawing("8A", (1, 28, 28))


@pytest.mark.usefixtures("in_book")
def test_a_page_gets_a_still_picture_with_its_text_and_every_part_once() -> None:
    network = models.resnet9(3, in_channels=1, width=2, image_sizes=(8,))
    figures = [
        live.fooling(network, X, Y),
        live.ripple(network, X, Y),
        live.traces(network, X, Y, exact=torch.zeros(3)),
        live.sampling({"one": network, "the same": network}, (1, 8, 8)),
        live.photograph({"one": network}, X, Y),
    ]
    names = set()
    for figure in figures:
        data, metadata = figure._repr_mimebundle_()  # pyright: ignore[reportAttributeAccessIssue]
        assert 'alt="Still picture' in data["text/html"]
        assert "data:image/png;base64," in data["text/html"]
        parts = metadata[hosts.PARTS]
        assert json.loads(json.dumps(parts)) == parts
        (name,) = (name for name in parts if name.startswith(figure.payload["kind"]))
        assert f'data-payload="{name}"' in data["text/html"]
        assert set(parts[name]["networks"].values()) == set(parts) - {name}
        names |= set(parts)
    assert len([name for name in names if name.startswith("network-")]) == 1


@pytest.mark.usefixtures("in_book")
def test_a_page_says_how_large_the_networks_are_that_it_loads_later(tmp_path: Path) -> None:
    figure = live.photograph({"one": linear()}, X, Y)
    hosts.write_parts(figure._repr_mimebundle_()[1][hosts.PARTS], tmp_path)  # pyright: ignore[reportAttributeAccessIssue]
    (network,) = tmp_path.glob("network-*.js")
    written = network.read_text(encoding="utf-8")
    assert len(written[written.index("{") : written.rindex("}") + 1]) == figure.payload["later"]["model0"]


@pytest.mark.usefixtures("in_book")
def test_a_network_that_a_page_cannot_compute_is_an_error_in_the_book() -> None:
    with pytest.raises(live.UnsupportedNetwork, match="tanh"):
        live.fooling(Odd(), X, Y)


def test_parts_are_written_whole(tmp_path: Path) -> None:
    hosts.write_parts({"a": {"b": [1.5]}}, tmp_path)
    assert (tmp_path / "a.js").read_text(encoding="utf-8") == 'companionLive.receive("a", {"b":[1.5]});\n'
    assert [path.name for path in tmp_path.iterdir()] == ["a.js"]


def test_neither_the_model_nor_the_images_are_changed() -> None:
    network, x = models.resnet9(3, in_channels=1, width=2, image_sizes=(8,)).train(), X.clone()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    live.fooling(network, x, Y)
    live.ripple(network, x, Y)
    assert network.training
    assert torch.equal(x, X)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert next(network.parameters()).dtype == torch.float32


def asked(figure: hosts.Figure, **question: object) -> dict[str, Any]:
    """Return what a widget answers to a question of the page."""
    answers: list[dict[str, Any]] = []
    assert isinstance(figure, hosts.Widget)
    figure.send = answers.append  # pyright: ignore[reportAttributeAccessIssue]
    figure._answer(figure, {"question": 7, **question}, [])
    (answer,) = answers
    assert answer.pop("question") == 7
    return answer


@pytest.mark.parametrize("model", [linear(), Odd()])
def test_the_kernel_answers_with_logits_and_gradients(model: nn.Module) -> None:
    figure = live.fooling(model, X, Y)
    packed = pack_array(X[0].flatten())
    double = model.double()
    try:
        x = X[:1].double()
        common = {"ask": "network", "network": "model", "precision": "float64", "x": packed}
        logits = unpack_array(asked(figure, **common)["values"])
        assert torch.allclose(logits, double(x)[0], rtol=0, atol=1e-14)
        weights = pack_array(torch.tensor([0.0, 1.0, 0.0]))
        gradient = unpack_array(asked(figure, **common, weights=weights)["values"])
        assert torch.allclose(gradient, logit_gradient(double, x, 1).flatten(), rtol=0, atol=1e-14)
    finally:
        model.float()


def test_a_network_that_the_engine_does_not_know_is_left_to_the_kernel() -> None:
    assert live.fooling(Odd(), X, Y).payload["networks"]["model"] == {"name": "model"}
    assert "steps" in live.fooling(linear(), X, Y).payload["networks"]["model"]


@pytest.mark.parametrize("g", ["picture", "sine", "mean", "swap"])
def test_the_kernel_compares_with_the_package(g: str) -> None:
    model = linear()
    figure = live.fooling(model, X, Y)
    picture = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    answer = asked(
        figure, ask="fooling", x=pack_array(X[0].flatten()), y=1, g=g, picture=pack_array(picture),
        strength=3.0, epsilon=0.5, frequency=2.0, rival=2,
    )  # fmt: skip
    double, x = model.double(), X[:1].double()
    shifts = {
        "picture": fooling.linear_shift(picture, 3.0),
        "sine": fooling.sine_shift(0.5, 2.0),
        "mean": fooling.mean_logit_shift(double),
        "swap": lambda x: double(x)[:, 2] - double(x)[:, 1],
    }
    altered = fooling.shift_logits(double, shifts[g])
    after = unpack_array(answer["logit_gradient_after"])
    assert torch.allclose(after, logit_gradient(altered, x, 1).flatten(), rtol=0, atol=1e-13)
    before = unpack_array(answer["loss_gradient_before"])
    assert torch.allclose(before, loss_gradient(double, x, 1).flatten(), rtol=0, atol=1e-13)


def test_what_goes_wrong_in_the_kernel_is_said_in_the_figure() -> None:
    figure = live.fooling(Odd(), X, Y)
    answer = asked(figure, ask="network", network="model", precision="float64", x=pack_array(torch.zeros(5)))
    assert "shape" in answer["error"]
