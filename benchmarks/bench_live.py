"""Time the live figures of the built book in headless Chromium, and write the table beside this file.

    python -m benchmarks.bench_live

needs the built book (`make book`) and Chromium. A time is from the input event to the frame after the one in
which the figure was drawn anew; "interactive" is from the start of the navigation to the first drawn figure.
A running sampler's time is from step to step.
"""

from __future__ import annotations

import functools
import statistics
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import tables
from pipeline import pdf
from pipeline.paths import HTML

CASES = {
    # what, the control's label, bars: median and 95th percentile in ms
    "01_softmax_shift": [("strength slider", "Strength s", 50, 100)],
    "02_loss_gradients": [("height slider", "Height ε", 50, 100)],
    # The network in view; the other three follow.
    "13_gradient_maps": [
        ("another photograph", "Free photographs", 100, 200),
        ("another class", "Class that is explained", 100, 200),
        ("strength slider", "Strength s", 50, 100),
    ],
}
SAMPLER = "11_samples"
LOADS, MOVES, STEPS = 5, 100, 100
STEP = 1000 // 15
"""The bar of a step of Langevin dynamics: fifteen a second, with two networks side by side."""
INTERACTIVE = 2000
"""The bar of a page's first drawn figure, median and 95th percentile, in ms."""
MOVE = """async ([label, repeats]) => {
  const place = document.querySelector(".live-figure");
  const named = [...place.querySelectorAll("label, legend")].find((one) => one.textContent === label);
  const change = named.tagName === "LEGEND" ? ofChoice(named.parentElement)
    : ofInput(document.getElementById(named.htmlFor));
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  for (let k = 0; k < repeats; k++) {
    const before = place.companion.results();
    const begun = performance.now();
    change(k);
    while (place.companion.results() === before) await new Promise((resolve) => setTimeout(resolve, 0));
    await frame();
    times.push(performance.now() - begun);
    await frame();
  }
  return times;

  function ofChoice(fieldset) {
    const all = [...fieldset.querySelectorAll("label:not([hidden]) input")];
    return () => all[(all.findIndex((one) => one.checked) + 1) % all.length].click();
  }

  function ofInput(input) {
    return (k) => {
      if (input.options) input.selectedIndex = (input.selectedIndex + 7) % input.options.length;
      else input.value = Number(input.min) + ((7 * k) % (input.max - input.min));
      input.dispatchEvent(new Event(input.options ? "change" : "input", { bubbles: true }));
    };
  }
}"""
WALK = """async (steps) => {
  const place = document.querySelector(".live-figure");
  place.companion.set({ method: "langevin" });
  const done = () => place.companion.results()[0].curve.length;
  while (done() !== 1) await new Promise((resolve) => setTimeout(resolve, 10));
  const run = [...place.querySelectorAll("button")].find((one) => one.textContent === "Run");
  run.click();
  const times = [];
  let before = performance.now();
  for (let seen = 1; times.length < steps; ) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    const now = performance.now();
    const walked = done() - seen;
    for (let k = 0; k < walked; k++) times.push((now - before) / walked);
    if (walked) [seen, before] = [seen + walked, now];
  }
  run.click();
  return times;
}"""
# Some figures load their networks when they are asked to.
LOAD = "() => document.querySelector('.live-figure').companion.load?.()"


class Quiet(SimpleHTTPRequestHandler):
    """A server that says nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def open_figure(page: Page, address: str) -> float:
    """Open a page and wait for its figure; return the milliseconds from the navigation's start."""
    page.goto(address, wait_until="commit")
    page.wait_for_function(
        "() => { const f = document.querySelector('.live-figure'); f?.scrollIntoView();"
        " return f?.companion?.results(); }",
        polling=10,
    )
    return page.evaluate("() => performance.now()")


def of_page(browser: Browser, page_name: str, address: str) -> Iterator[dict[str, object]]:
    """Measure a page: how soon its figure is there, then each of its controls."""
    loads = [open_figure(browser.new_page(), address) for _ in range(LOADS)]
    yield row(page_name, "interactive", loads, INTERACTIVE, INTERACTIVE)
    for what, label, median, p95 in CASES[page_name]:
        page = browser.new_page()
        open_figure(page, address)
        page.evaluate(LOAD)
        page.evaluate(MOVE, [label, 10])  # Once unmeasured: the engine's code is compiled on the way.
        yield row(page_name, what, page.evaluate(MOVE, [label, MOVES]), median, p95)


def row(page_name: str, what: str, times: list[float], median: int, p95: int) -> dict[str, object]:
    """Return a line of the table."""
    high = sorted(times)[min(len(times) - 1, int(0.95 * len(times)))]
    found = {
        "page": page_name,
        "what": what,
        "n": len(times),
        "median_ms": round(statistics.median(times), 1),
        "p95_ms": round(high, 1),
        "bar_median_ms": median,
        "bar_p95_ms": p95,
    }
    print(found, flush=True)
    return found


def main() -> None:
    """Measure, and write `live.csv`."""
    program = pdf.chromium()
    if program is None or not (HTML / "index.html").exists():
        raise SystemExit("this needs Chromium and the built book: make book")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(HTML)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rows: list[dict[str, object]] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        address = f"http://127.0.0.1:{server.server_port}/_executed"
        for name in CASES:
            rows.extend(of_page(browser, name, f"{address}/{name}.html"))
        page = browser.new_page()
        open_figure(page, f"{address}/{SAMPLER}.html")
        rows.append(row(SAMPLER, "Langevin dynamics, a step", page.evaluate(WALK, STEPS), STEP, 2 * STEP))
        browser.close()
    tables.write(pd.DataFrame(rows), tables.HERE / "live.csv")


if __name__ == "__main__":
    main()
