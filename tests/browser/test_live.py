"""The live figures in a real browser: the numbers against PyTorch, and everything a reader can do."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from torch import Tensor

from companion import fooling, live, sampling, trace
from companion.gradients import logit_gradient, loss_gradient
from tests.browser import live_page
from tests.browser.live_page import Reader

KINDS = ("fooling", "ripple", "traces", "sampling")


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return live_page.networks()["Baseline"].double()


def close(found: list[float], expected: Tensor, scale: float) -> None:
    """Assert agreement to 1e-12 times the larger of 1 and `scale`."""
    difference = (torch.tensor(found, dtype=torch.float64) - expected.detach().flatten()).abs().max()
    assert float(difference) < 1e-12 * max(1.0, scale), float(difference)


SHIFTS = [
    {"g": "picture", "picture": "smiley", "strength": 20.0},
    {"g": "picture", "picture": "checkerboard", "strength": 10_000.0},
    {"g": "sine", "epsilon": 0.01, "frequency": 1000.0},
    {"g": "mean"},
    {"g": "blank"},
    {"g": "swap", "rival": 7},
]


@pytest.mark.parametrize("view", SHIFTS, ids=lambda view: f"{view['g']}-{view.get('strength', '')}")
def test_the_page_computes_what_pytorch_computes_through_f_plus_g(
    reader: Reader, model: torch.nn.Module, view: dict[str, Any]
) -> None:
    y = 3
    found = reader.open().set("fooling", image=1, y=y, **view)
    x = torch.tensor(found["x"], dtype=torch.float64).reshape(1, 1, 28, 28)
    assert torch.equal(x, live_page.images()[0][1:2].double())
    picture = torch.tensor(found["target"], dtype=torch.float64).reshape(1, 28, 28)
    g = {
        "picture": lambda: fooling.linear_shift(picture, view["strength"]),
        "sine": lambda: fooling.sine_shift(view["epsilon"], view["frequency"]),
        "mean": lambda: fooling.mean_logit_shift(model),
        "blank": lambda: lambda x: -model(x)[:, y],
        "swap": lambda: lambda x: model(x)[:, view["rival"]] - model(x)[:, y],
    }[view["g"]]()
    altered = fooling.shift_logits(model, g)
    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(g(leaf).sum(), leaf)
    scale = max(abs(found["g"]), float(slope.abs().max()))
    for key, classifier in (("before", model), ("after", altered)):
        with torch.no_grad():
            close(found[key]["logits"], classifier(x), scale)
            close(found[key]["probabilities"], classifier(x).softmax(dim=1), scale)
        close(found[key]["logitGradient"], logit_gradient(classifier, x, y), scale)
        close(found[key]["lossGradient"], loss_gradient(classifier, x, y), scale)
    assert reader.trouble == []


def test_single_precision_drifts_and_double_does_not(reader: Reader) -> None:
    reader.open()
    drift = {}
    for precision in ("float32", "float64"):
        found = reader.set(
            "fooling", g="picture", picture="checkerboard", strength=10_000.0, precision=precision
        )
        pairs = zip(found["before"]["probabilities"], found["after"]["probabilities"], strict=True)
        drift[precision] = max(abs(a - b) for a, b in pairs)
    assert drift["float64"] < 1e-8
    assert drift["float32"] > 1e-4


def test_finite_differences_through_f_plus_g_agree_with_the_gradients(reader: Reader) -> None:
    reader.open().set("fooling", g="swap", rival=2)
    reader.figure("fooling").locator("summary", has_text="Advanced").click()
    reader.figure("fooling").get_by_role("button", name="Check by finite differences").click()
    reader.figure("fooling").get_by_text("differs from the gradient").wait_for()
    checked = reader.ask("fooling", "f.results().checked")
    assert max(checked["logitError"], checked["lossError"]) < 1e-6
    assert checked["logitSize"] > 1e-3


def test_the_copied_python_runs_and_gives_what_the_page_shows(reader: Reader, model: torch.nn.Module) -> None:
    for view in (SHIFTS[0], *SHIFTS[-2:], {"g": "picture", "picture": "own", "own": "_" * 523}):
        found = reader.open().set("fooling", image=2, y=1, **view)
        code = reader.ask("fooling", "f.asPyTorch()")
        assert "model.double()  # yours" in code
        names: dict[str, Any] = {"model": model, "x": live_page.images()[0], "print": lambda *_: None}
        exec(compile(code, "copied", "exec"), names)
        gradient = logit_gradient(names["fooled"], names["x"], 1)
        close(found["after"]["logitGradient"], gradient, 1e4)


def test_of_changes_that_come_at_once_the_last_is_computed(reader: Reader) -> None:
    reader.open().set("traces", region="patch", probes=8)  # Few, so that it takes little time.
    for kind, name in (("fooling", "strength"), ("ripple", "epsilon"), ("traces", "sigma")):
        alone = reader.set(kind, **{name: 0.1})
        many = ", ".join(f"f.set({{ {name}: {value} }})" for value in (1, 0.01, 0.1))
        assert reader.ask(kind, f"(await Promise.all([{many}]), f.results())") == alone


def test_a_slider_a_key_and_a_drawing_change_the_gradient(reader: Reader) -> None:
    place = reader.open().figure("fooling")
    before = reader.ask("fooling", "f.results().after.logitGradient")
    slider = place.get_by_label("Strength s")
    slider.focus()
    slider.press("ArrowRight")
    assert reader.ask("fooling", "f.view.strength") > 10
    assert reader.set("fooling")["after"]["logitGradient"] != before

    canvas = place.get_by_role("application", name=re.compile("input"))
    canvas.focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft", "Space", "ArrowLeft", "Space"):
        canvas.press(key)
    assert reader.ask("fooling", "f.view.image") == "drawing"
    row, column = 12, 12  # The probe began at row 14, column 14, counted from nought.
    x = torch.tensor(reader.set("fooling")["x"]).reshape(28, 28)
    assert x[row, column] == 1
    assert place.locator(".live-probe").first.inner_text().startswith(f"Row {row + 1}, column {column + 1}")
    canvas.press("Delete")
    assert torch.tensor(reader.set("fooling")["x"]).reshape(28, 28)[row, column] == 0

    box = canvas.bounding_box()
    assert box is not None
    reader.page.mouse.move(box["x"] + 5, box["y"] + 5)
    reader.page.mouse.down()
    reader.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5, steps=12)
    reader.page.mouse.up()
    assert sum(value > 0.4 for value in reader.set("fooling")["x"][28:56]) > 8
    assert reader.trouble == []


def test_pointing_at_a_map_reads_the_same_pixel_in_all(reader: Reader) -> None:
    place = reader.open().figure("fooling")
    found = reader.set("fooling")
    maps = place.get_by_role("application")
    box = maps.nth(2).bounding_box()
    assert box is not None
    reader.page.mouse.move(box["x"] + box["width"] * 10.5 / 28, box["y"] + box["height"] * 20.5 / 28)
    text = place.locator(".live-probe").first.inner_text()
    assert text.startswith("Row 21, column 11:")
    shown = re.search(rf"logit-gradient ({live_page.WRITTEN}) →", text)
    assert shown is not None
    value = live_page.as_number(shown[1])
    assert math.isclose(value, found["before"]["logitGradient"][20 * 28 + 10], rel_tol=0.06, abs_tol=1e-9)
    assert place.locator(".live-marker:not([hidden])").count() == maps.count()


def test_a_link_restores_the_view_and_a_mistyped_one_does_no_harm(
    reader_everywhere: Reader,
) -> None:
    reader = reader_everywhere
    reader.open().set("fooling", g="sine", epsilon=0.1, y=6, image="drawing", drawing="_" * 523)
    reader.page.wait_for_function("() => location.hash.includes('sine')")
    link = reader.page.evaluate("() => location.hash")
    x = reader.ask("fooling", "f.results().x")
    reader.open(link)
    view = reader.ask("fooling", "f.view")
    assert (view["g"], view["epsilon"], view["y"]) == ("sine", 0.1, 6)
    assert reader.ask("fooling", "f.results().x") == x
    reader.open("#live-fooling?image=99&g=none&strength=much&y=-1&drawing=%3Cb%3E&unknown=1")
    assert reader.ask("fooling", "f.view.image") == 0
    assert reader.ask("fooling", "f.view.g") == "picture"
    assert reader.trouble == []


@pytest.mark.parametrize("where", ["logit", "loss"])
@pytest.mark.parametrize("picture", ["sum", "face"])
def test_the_ripple_is_pytorchs_and_stays_within_its_bounds(
    reader: Reader, model: torch.nn.Module, where: str, picture: str
) -> None:
    epsilon, m = 0.01, 50.0
    found = reader.open().set(
        "ripple", image=2, where=where, picture=picture, place="slope", epsilon=epsilon, frequency=m
    )
    x, y = torch.tensor(found["x"], dtype=torch.float64).reshape(1, 1, 28, 28), found["y"]
    along = torch.tensor(found["picture"], dtype=torch.float64).reshape(1, 28, 28)
    sine = fooling.sine_shift(epsilon, m)

    def g(x: Tensor) -> Tensor:
        return sine(x * along)

    leaf = x.clone().requires_grad_()
    target = torch.tensor([y])
    if where == "logit":
        logits = fooling.ShiftedLogits(model, g, only_class=y)(leaf)
        loss = torch.nn.functional.cross_entropy(logits, target)
    else:
        loss = torch.nn.functional.cross_entropy(model(leaf), target) + g(leaf).sum()
    (gradient,) = torch.autograd.grad(loss, leaf)
    scale = m * epsilon
    close([found["after"]["loss"]], loss, scale)
    close(found["after"]["gradient"], gradient, scale)
    assert abs(found["after"]["loss"] - found["before"]["loss"]) <= epsilon
    assert found["change"] <= found["ripple"] + found["gap"] + 1e-9
    if where == "loss":
        assert math.isclose(
            found["change"], found["ripple"], rel_tol=1e-9
        )  # On a slope the bound is attained.


def test_a_peak_of_the_printed_ripple_attains_the_bound_on_the_loss(reader: Reader) -> None:
    found = reader.open().set("ripple", where="loss", place="peak", epsilon=0.1, frequency=20.0)
    assert math.isclose(found["after"]["loss"] - found["before"]["loss"], 0.1, rel_tol=1e-9)


def test_the_patchs_exact_trace_is_pytorchs_and_the_estimates_surround_it(
    reader: Reader, model: torch.nn.Module
) -> None:
    row, column = 10, 9
    found = reader.open().set(
        "traces", region="patch", row=row, column=column, variant="central", sigma=0.01, probes=32
    )
    x, y = live_page.images()
    f = trace.logit(model, y[:1])
    base = x[:1].double()

    def of_patch(patch: Tensor) -> Tensor:
        return f(base + torch.nn.functional.pad(patch, (column, 20 - column, row, 20 - row)))

    with torch.no_grad():
        exact = float(trace.exact(of_patch, torch.zeros(1, 1, 8, 8, dtype=torch.float64)))
    assert math.isclose(found["exact"], exact, rel_tol=1e-5, abs_tol=1e-5)
    samples = torch.tensor(found["samples"])
    assert len(samples) == 32
    # At sigma 0.01 the bias is far below this scatter.
    assert abs(float(samples.mean()) - exact) < 5 * float(samples.std()) / 32**0.5
    forward = reader.set("traces", variant="forward", probes=32)
    slope = logit_gradient(model, base, y[:1])[0, 0, row : row + 8, column : column + 8].norm()
    assert math.isclose(forward["slope"], float(slope), rel_tol=1e-9)
    assert 0.6 < float(torch.tensor(forward["samples"]).std()) / (200 * float(slope)) < 1.6


def test_the_estimates_over_all_pixels_surround_the_exact_trace_that_pytorch_gave(reader: Reader) -> None:
    found = reader.open().set("traces", region="whole", variant="hutchinson", probes=16)
    assert len(found["places"]) == 784
    samples = torch.tensor(found["samples"])
    assert abs(float(samples.mean()) - found["exact"]) < 6 * float(samples.std()) / 16**0.5


def test_a_step_of_the_climb_is_activation_maximisations(reader: Reader) -> None:
    both = [network.double() for network in live_page.networks().values()]
    place = reader.open().figure("sampling")
    before = reader.ask("sampling", "f.results()")
    place.get_by_role("button", name="Step").click()
    reader.until("sampling", "f.results()[1].curve.length === 2")
    after = reader.ask("sampling", "f.results()")
    for network, old, new in zip(both, before, after, strict=True):
        start = torch.tensor(old["x"], dtype=torch.float64).reshape(1, 1, 28, 28)
        expected = sampling.activation_maximisation(
            network, 3, steps=1, step_size=0.1, weight_decay=0.01, start=start
        )
        close(new["x"], expected, 1.0)
        with torch.no_grad():
            close([new["curve"][1]["logit"]], network(expected)[:, 3], 1.0)
    assert before[0]["x"] == before[1]["x"]


def test_every_click_on_step_is_a_step_of_the_class_chosen_before_it(reader: Reader) -> None:
    reader.open().figure("sampling")
    steps = "for (let k = 0; k < 3; k++) button.click()"
    last = reader.ask(
        "sampling",
        "(() => { f.set({ y: 5 }); const button = [...place.querySelectorAll('button')]"
        f".find((one) => one.textContent === 'Step'); {steps}; return f.alone(() => f.results()[0]); }})()",
    )
    assert len(last["curve"]) == 4
    assert last["curve"][-1]["logit"] == last["logits"][5]


def test_sampling_runs_pauses_and_starts_again(reader: Reader) -> None:
    place = reader.open().figure("sampling")
    reader.ask("sampling", "f.set({ method: 'langevin', temperature: 0.01 })")
    place.get_by_role("button", name="Run").click()
    reader.until("sampling", "f.results()[0].curve.length > 4")
    place.get_by_role("button", name="Pause").click()
    place.get_by_role("button", name="Run").wait_for()
    place.get_by_role("button", name="Reset").click()
    reader.until("sampling", "f.results()[0].curve.length === 1")
    assert reader.trouble == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_accessibility_rule_is_broken(reader: Reader, theme: str) -> None:
    page = reader.open().page
    page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", theme)
    for kind in KINDS:
        reader.ask(kind, "1")
    page.wait_for_timeout(1500)
    found = Axe().run(page).response["violations"]
    assert [(v["id"], [node["target"] for node in v["nodes"]][:3]) for v in found] == []


def test_nothing_is_wider_than_a_phone(reader: Reader) -> None:
    reader.page.set_viewport_size({"width": 375, "height": 812})
    reader.open()
    for kind in KINDS:
        reader.ask(kind, "1")
    reader.page.wait_for_timeout(500)
    assert reader.page.evaluate("() => document.documentElement.scrollWidth") <= 375


def test_what_has_changed_is_said_to_a_screen_reader(reader: Reader) -> None:
    place = reader.open().figure("fooling")
    reader.set("fooling", y=5)
    place.locator(".live-summary[role=status]", has_text="Class 5").wait_for()
    assert "logit-gradient changed by up to" in place.locator(".live-summary").inner_text()


def test_without_javascript_and_on_paper_there_is_a_still_picture(
    browser: Browser, reader: Reader, page_file: Path
) -> None:
    count = len(KINDS) + 1  # And the glimpse.
    live_page.check_stills(browser, page_file, count, reader.open().figure("ripple"))


def test_a_chapter_loads_no_more_than_it_may(page_file: Path) -> None:
    folder = page_file.parent / "_static" / "live"
    shared = sum((folder / name).stat().st_size for name in ("live.js", "live.css"))
    for kind in KINDS:
        (payload,) = folder.glob(f"{kind}-*.js")
        networks = set(re.findall(r"network-\w+", payload.read_text(encoding="utf-8")))
        size = shared + sum((folder / f"{name}.js").stat().st_size for name in (payload.stem, *networks))
        assert size < 2.5e6, kind


def test_a_drawing_is_the_same_in_the_page_and_in_python(reader: Reader) -> None:
    found = reader.open().set("fooling", image="drawing", drawing="8A" + "A" * 521)
    assert found["x"] == live.drawing("8A" + "A" * 521, (784,)).tolist()
