"""The same figures in JupyterLab, where the kernel can be asked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser

from tests.browser import live_page

ROOT = Path(__file__).resolve().parents[2]
SETUP = """
import torch
from torch import nn
from companion import live
class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    def forward(self, x):
        return self.layers(x).tanh()
torch.manual_seed(0)
x, y = torch.rand(3, 1, 8, 8), torch.tensor([0, 1, 2])
known = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Softplus(10), nn.Flatten(), nn.Linear(256, 3))
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """Start JupyterLab on a folder with one notebook; return its address."""
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(SETUP + "figure = live.fooling(known, x, y, ['a', 'b', 'c'])\nfigure"),
            nbformat.v4.new_code_cell("live.fooling(Odd(), x, y)"),
            nbformat.v4.new_code_cell("print('the view is', figure.view['strength'])"),
            nbformat.v4.new_code_cell("live.photograph({'known': known, 'odd': Odd()}, x, y)"),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, tmp_path / "figures.ipynb")
    home = tmp_path / "home"
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0", "--allow-root"]
    command += ["--ServerApp.token=", "--ServerApp.password=", f"--ServerApp.root_dir={tmp_path}"]
    log = tmp_path / "lab.log"
    with log.open("w", encoding="utf-8") as written:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=written, stderr=written)
    try:
        for _ in range(600):
            address = re.search(r"http://(?:localhost|127\.0\.0\.1):\d+", log.read_text(encoding="utf-8"))
            if address or process.poll() is not None:
                break
            time.sleep(0.1)
        assert address, log.read_text(encoding="utf-8")
        yield address[0]
    finally:
        process.terminate()
        process.wait()


def test_the_figure_works_in_jupyterlab_and_compares_itself_with_pytorch(browser: Browser, lab: str) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 2400})
    context.set_default_timeout(60_000)
    page = context.new_page()
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith((lab, "data:", "blob:")) else trouble.append(r.url))
    page.goto(f"{lab}/lab/tree/figures.ipynb")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # The menu is whole from then on.
    page.locator(".lm-MenuBar-item", has_text="Run").click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
    figures = page.locator(".live")
    figures.nth(2).wait_for()
    for place in figures.all()[:2]:  # Computed by the page's engine, and by the kernel.
        place.locator(".live-summary", has_text="Class").wait_for()
        assert place.get_by_label("smiling face").is_checked()  # Of each figure: they share no names.
        place.locator("summary", has_text="Advanced").click()
        place.get_by_role("button", name="Compare with PyTorch").click()
        table = place.get_by_role("region", name="Largest difference from PyTorch")
        table.wait_for()
        shown = [live_page.as_number(text) for text in table.locator("td").all_inner_texts() if text]
        assert len(shown) == 6
        assert max(shown) < 1e-12

    both = figures.nth(2)
    for name in ("known", "odd"):
        card = both.get_by_role("group", name=name, exact=True)
        card.get_by_text(re.compile(r"^0: 0\.\d+$")).wait_for()
        assert card.get_by_role("button").count() == 3

    slider = figures.first.get_by_label("Strength s")
    slider.focus()
    slider.press("End")
    page.wait_for_timeout(1000)
    page.get_by_text("print('the view is'").click()
    page.keyboard.press("Shift+Enter")
    page.get_by_text("the view is 100000").wait_for()
    assert trouble == []
    context.close()
