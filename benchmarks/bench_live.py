"""Time the live figures of the built book in headless Chromium, and write the table beside this file.

    python benchmarks/bench_live.py

needs the built book (`make book`) and Chromium. A time is from the input event to the frame after the one in
which the figure was drawn anew; "interactive" is from the start of the navigation to the first drawn figure.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import statistics
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from companion.experiments import provenance

HERE = Path(__file__).resolve().parent
HTML = HERE.parent / "_build" / "html"
FOOLING, RIPPLE = "_executed/01_softmax_shift.html", "_executed/02_loss_gradients.html"
PHOTOGRAPH = "_executed/13_gradient_maps.html"
CASES = (
    # page, what, the control's label, repeats, bars: median and 95th percentile in ms
    (FOOLING, "strength slider", "Strength s", 100, 50, 100),
    (RIPPLE, "height slider", "Height ε", 100, 50, 100),
    # The network in view; the other three follow.
    (PHOTOGRAPH, "another photograph", "Free photographs", 100, 100, 200),
    (PHOTOGRAPH, "another class", "Class that is explained", 100, 100, 200),
    (PHOTOGRAPH, "strength slider", "Strength s", 100, 50, 100),
)
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


def main() -> None:
    """Measure, and write `live.csv`."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or not (HTML / FOOLING).exists():
        raise SystemExit("this needs Chromium and the built book: make book")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(HTML)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    commit = provenance.commit()
    end = f"{commit},{platform.machine()} {os.cpu_count()} cores"
    rows = ["page,what,n,median_ms,p95_ms,bar_median_ms,bar_p95_ms,commit,machine"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, what, label, repeats, median, p95 in CASES:
            address = f"http://127.0.0.1:{server.server_port}/{name}"
            if not any(line.startswith(f"{Path(name).stem},interactive") for line in rows):
                loads = [open_figure(browser.new_page(), address) for _ in range(5)]
                rows.append(row(name, "interactive", loads, 2000, 2000, end))
            page = browser.new_page()
            open_figure(page, address)
            page.evaluate(LOAD)
            page.evaluate(MOVE, [label, 10])  # Once unmeasured: the engine's code is compiled on the way.
            times = page.evaluate(MOVE, [label, repeats])
            rows.append(row(name, what, times, median, p95, end))
            print("\n".join(rows[-2:]), flush=True)
        browser.close()
    (HERE / "live.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def row(name: str, what: str, times: list[float], median: int, p95: int, end: str) -> str:
    """Return a line of the table."""
    high = sorted(times)[min(len(times) - 1, int(0.95 * len(times)))]
    page = Path(name).stem
    return f"{page},{what},{len(times)},{statistics.median(times):.1f},{high:.1f},{median},{p95},{end}"


if __name__ == "__main__":
    main()
