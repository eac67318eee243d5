"""The reader's own picture in a real browser: what is loaded and read, and the numbers against PyTorch."""

from __future__ import annotations

import base64
import copy
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from matplotlib import image
from playwright.sync_api import Browser, Locator
from torch import Tensor, nn

from companion import audit, fooling, live, runs, sampling
from companion.book.class_names import CIFAR100
from companion.book.photographs import photographs
from companion.gradients import logit_gradient
from companion.live import hosts
from tests.browser import live_page
from tests.browser.live_page import Reader, opened
from tests.browser.test_live import close

KIND = "photograph"
ROCKET = CIFAR100.index("rocket")


@pytest.fixture(scope="session")
def networks() -> dict[str, nn.Module]:
    return {name: runs.find_all("small", "cifar100", name)[0].model() for name in runs.METHODS}


@pytest.fixture(scope="session")
def page_file(
    browser: Browser, networks: dict[str, nn.Module], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    with mock.patch.dict(os.environ, {hosts.BOOK: "1"}):
        figure = live.photograph(networks, *photographs(), CIFAR100)
    return live_page.write_page(tmp_path_factory.mktemp("photograph"), [figure])


class Visitor(Reader):
    """A reader of the page with this figure alone."""

    def load(self) -> Locator:
        """Ask for the networks; return the figure once all have looked."""
        place = self.figure(KIND)
        place.get_by_role("button", name="Load the 4 networks").click()
        self.looked()
        return place

    def looked(self) -> None:
        self.until(KIND, "Object.keys(f.results()?.after ?? {}).length === 4")

    def results(self, **view: object) -> Any:  # noqa: ANN401
        """Return the results for a view, once all networks have looked."""
        self.set(KIND, **view)
        self.looked()
        return self.ask(KIND, "f.results()")


@pytest.fixture
def visitor(browser: Browser, page_file: Path) -> Iterator[Visitor]:
    """Return the page, opened from the disk: the harder case, where a page may fetch nothing."""
    with opened(browser, page_file.as_uri(), Visitor) as visitor:
        visitor.open()
        yield visitor


@pytest.fixture
def visitor_everywhere(browser: Browser, page_address: str) -> Iterator[Visitor]:
    """Return the page opened from the disk, and from a server."""
    with opened(browser, page_address, Visitor) as visitor:
        yield visitor


def picture(height: int = 64, width: int = 96) -> tuple[bytes, Tensor]:
    """Return a PNG of noise, and its central square in 32 x 32 means."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    image.imsave(file, pixels, format="png")
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = torch.from_numpy(pixels[top : top + side, left : left + side]).double().permute(2, 0, 1) / 255
    return file.getvalue(), nn.functional.avg_pool2d(square, side // 32)


def test_no_network_is_loaded_before_it_is_asked_for(visitor_everywhere: Visitor, page_file: Path) -> None:
    loaded: list[str] = []
    visitor = visitor_everywhere
    visitor.page.on("request", lambda r: loaded.append(r.url) if "network-" in r.url else None)
    place = visitor.open().figure(KIND)
    place.locator(".live-summary", has_text="not been loaded").wait_for()
    visitor.page.wait_for_timeout(300)
    assert loaded == []
    folder = page_file.parent / "_static" / "live"
    (payload,) = folder.glob(f"{KIND}-*.js")
    assert payload.stat().st_size < 100_000
    size = sum(path.stat().st_size for path in folder.glob("network-*.js"))
    assert f"({size / 1e6:.1f} MB)" in place.get_by_role("button", name="Load the").inner_text()
    visitor.load()
    assert len(loaded) == 4
    place.get_by_role("button", name="Load the").wait_for(state="hidden")
    assert visitor.trouble == []


@pytest.mark.parametrize("strength", [0, 10, 1000])
def test_every_network_computes_what_pytorch_computes_through_f_plus_g(
    visitor: Visitor, networks: dict[str, nn.Module], strength: float
) -> None:
    visitor.load()
    found = visitor.results(image=2, y=ROCKET, picture="smiley", strength=strength)
    x = torch.tensor(found["x"], dtype=torch.float64).reshape(1, 3, 32, 32)
    assert torch.equal(x, photographs()[0][2:3].double())
    face = torch.tensor(found["target"], dtype=torch.float64).reshape(1, 32, 32)
    g = fooling.linear_shift(face, strength)
    scale = max(1.0, abs(float(g(x))))
    for key, network in zip(found["after"], networks.values(), strict=True):
        model = doubled(network)
        for when, classifier in (("before", model), ("after", fooling.shift_logits(model, g))):
            answer = found[when][key]
            with torch.no_grad():
                close(answer["logits"], classifier(x), scale)
                close(answer["probabilities"], classifier(x).softmax(dim=1), scale)
            close(answer["logitGradient"], logit_gradient(classifier, x, ROCKET), scale)
            close(answer["centred"], logit_gradient(audit.centred(classifier), x, ROCKET), scale)
        before, after = found["before"][key], found["after"][key]
        close(after["probabilities"], torch.tensor(before["probabilities"], dtype=torch.float64), scale)
        close(after["centred"], torch.tensor(before["centred"], dtype=torch.float64), scale)
        moved = torch.tensor(after["logitGradient"]) - torch.tensor(before["logitGradient"])
        assert abs(float(moved.abs().max()) - strength) < 1e-3 * max(1.0, strength)
    assert visitor.trouble == []


def doubled(network: nn.Module) -> nn.Module:
    """Return the network in double precision; the page's weights are those of the record."""
    return copy.deepcopy(network).double().eval()


@pytest.mark.parametrize("way", ["file", "drop", "paste"])
def test_a_picture_is_cut_to_its_central_square_and_averaged(visitor: Visitor, way: str) -> None:
    place = visitor.load()
    png, expected = picture()
    if way == "file":
        place.locator("input[type=file]").set_input_files(
            {"name": "mine.png", "mimeType": "image/png", "buffer": png}
        )
    else:
        place.locator(".live").hover(position={"x": 5, "y": 5})
        place.locator(".live").evaluate(
            """(root, [way, text]) => {
                const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
                const data = new DataTransfer();
                data.items.add(new File([bytes], "mine.png", { type: "image/png" }));
                const options = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data };
                root.dispatchEvent(way === "drop" ? new DragEvent("drop", options)
                    : new ClipboardEvent("paste", options));
            }""",
            [way, base64.b64encode(png).decode()],
        )
    visitor.until(KIND, "f.view.image === 'own'")
    place.get_by_text("Cut to the central square").wait_for()
    visitor.looked()
    found = visitor.ask(KIND, "f.alone(() => ({ ...f.results(), y: f.view.y }))")
    close(found["x"], expected, 1.0)
    logits = found["after"]["model0"]["logits"]
    assert found["y"] == logits.index(max(logits))  # What it shows, nobody has said.
    assert visitor.trouble == []


def test_what_is_no_picture_is_said_and_changes_nothing(visitor: Visitor) -> None:
    place = visitor.figure(KIND)
    before = visitor.ask(KIND, "f.results().x")
    place.locator("input[type=file]").set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    place.get_by_text("could not be read as a picture").wait_for()
    assert visitor.ask(KIND, "f.results().x") == before
    assert visitor.ask(KIND, "f.view.image") == 0


def test_a_step_of_the_climb_is_activation_maximisations(
    visitor: Visitor, networks: dict[str, nn.Module]
) -> None:
    place = visitor.load()
    start = torch.tensor(visitor.results(y=ROCKET, stepSize=0.1)["x"], dtype=torch.float64)
    place.get_by_role("button", name="Step", exact=True).click()
    visitor.until(KIND, "f.results().climb.curve.length === 2")
    climb = visitor.ask(KIND, "f.results().climb")
    model = doubled(networks["baseline"])
    expected = sampling.activation_maximisation(
        model, ROCKET, steps=1, step_size=0.1, start=start.reshape(1, 3, 32, 32)
    )
    close(climb["x"], expected, 1.0)
    with torch.no_grad():
        close([climb["curve"][1]["logit"]], model(expected)[:, ROCKET], 1.0)


@pytest.mark.parametrize("start", ["picture", "noise"])
def test_the_climb_ends_when_the_class_has_appeared(visitor: Visitor, start: str) -> None:
    place = visitor.load()
    visitor.results(y=ROCKET, network="model1", stepSize=0.1, start=start)
    place.get_by_role("button", name="Climb", exact=True).click()
    place.locator(".live-summary", has_text="score_matching is sure of it").wait_for()
    place.get_by_role("button", name="Continue").wait_for()
    curve = visitor.ask(KIND, "f.results().climb.curve")
    assert curve[-1]["probability"] >= 0.99 > curve[-2]["probability"]
    place.get_by_role("button", name="Start again").click()
    place.get_by_text("No step yet.").wait_for()


def test_the_climb_stops_and_continues(visitor: Visitor) -> None:
    place = visitor.load()
    visitor.results(y=ROCKET, network="model3", stepSize=0.001)
    place.get_by_role("button", name="Climb", exact=True).click()
    visitor.until(KIND, "f.results().climb.curve.length > 4")
    place.get_by_role("button", name="Stop").click()
    place.get_by_role("button", name="Continue").wait_for()
    length = visitor.ask(KIND, "f.alone(() => f.results().climb.curve.length)")
    visitor.page.wait_for_timeout(300)
    assert visitor.ask(KIND, "f.results().climb.curve.length") == length
    place.get_by_role("button", name="Continue").click()
    visitor.until(KIND, f"f.results().climb.curve.length > {length + 2}")
    place.get_by_role("button", name="Stop").click()
    assert visitor.trouble == []


def test_a_link_holds_the_example_and_the_class_and_no_picture_of_the_readers(
    visitor_everywhere: Visitor,
) -> None:
    visitor = visitor_everywhere
    visitor.open().set(KIND, image=3, y=ROCKET, network="model2", strength=10)
    visitor.page.wait_for_function("() => location.hash.includes('model2')")
    link = visitor.page.evaluate("() => location.hash")
    visitor.open(link)
    view = visitor.ask(KIND, "f.view")
    assert (view["image"], view["y"], view["network"], view["strength"]) == (3, ROCKET, "model2", 10)
    png, _ = picture()
    place = visitor.figure(KIND)
    place.locator("input[type=file]").set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": png}
    )
    visitor.page.wait_for_function("() => location.hash.includes('own')")
    link = visitor.page.evaluate("() => location.hash")
    assert len(link) < 200
    visitor.open(link)
    assert visitor.ask(KIND, "f.view.image") == 0
    assert visitor.trouble == []


def test_all_of_it_can_be_done_with_the_keyboard(visitor: Visitor) -> None:
    place = visitor.figure(KIND)
    place.get_by_role("button", name="Load the").press("Enter")
    visitor.looked()
    second = place.get_by_role("group", name="baseline").get_by_role("button").nth(1)
    name = second.locator("span").first.inner_text()
    second.press("Enter")
    visitor.until(KIND, f"f.view.y === {CIFAR100.index(name)}")
    place.get_by_role("button", name=name, pressed=True).first.wait_for()
    assert second.evaluate("(button) => button === document.activeElement")
    place.locator(".live-summary[role=status]", has_text=f"Class {name}").wait_for()
    place.get_by_label("Strength s").press("End")
    place.locator(".live-summary", has_text="With g, its map has changed").wait_for()


def test_networks_that_cannot_be_loaded_are_said_and_may_be_asked_for_again(
    visitor_everywhere: Visitor,
) -> None:
    visitor = visitor_everywhere
    visitor.page.route(re.compile("network-"), lambda route: route.abort())
    place = visitor.open().figure(KIND)
    place.get_by_role("button", name="Load the").click()
    place.get_by_text("could not be loaded").wait_for()
    visitor.page.unroute(re.compile("network-"))
    visitor.load()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_accessibility_rule_is_broken(visitor: Visitor, theme: str) -> None:
    visitor.page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", theme)
    for load in (False, True):
        place = visitor.load() if load else visitor.figure(KIND)
        place.locator(".live-summary", has_text="Class" if load else "not been loaded").wait_for()
        found = Axe().run(visitor.page).response["violations"]
        assert [(v["id"], [node["target"] for node in v["nodes"]][:3]) for v in found] == []


@pytest.mark.parametrize("width", [375, 320])
def test_nothing_is_wider_than_a_phone(visitor: Visitor, width: int) -> None:
    visitor.page.set_viewport_size({"width": width, "height": 740})
    place = visitor.load()
    assert visitor.page.evaluate("() => document.documentElement.scrollWidth") <= width
    for card in place.locator(".live-card").all():
        assert card.evaluate("(card) => card.scrollWidth <= card.clientWidth")


def test_without_javascript_and_on_paper_there_is_a_still_picture(
    browser: Browser, visitor: Visitor, page_file: Path
) -> None:
    live_page.check_stills(browser, page_file, 1, visitor.figure(KIND))
