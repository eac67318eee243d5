"""A build that is stopped says so, ends what it began, and is no success; two builds wait for each other."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import builds

Edit = Callable[[Path, str, str], None]


def slow_chapter(toy: Path, edit: Edit) -> Path:
    """Let a chapter run for long; return the notebook that is made when it has ended."""
    source = toy / "notebooks" / "02_second.py"
    source.write_text(
        source.read_text(encoding="utf-8")
        + "\n# %%\nimport pathlib, time\npathlib.Path('begun').touch()\ntime.sleep(120)\n",
        encoding="utf-8",
    )
    kept = next((toy / "_executed" / ".cells").rglob("02_second.ipynb"))
    kept.unlink()
    return kept


@builds.needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("group", [True, False])
def test_a_stopped_build_says_so_in_a_line_and_leaves_nothing_that_writes(
    toy: Path, edit: Edit, number: int, group: bool
) -> None:
    kept = slow_chapter(toy, edit)
    process = builds.start(toy)
    builds.wait_for((toy / "begun").exists, 120)
    began = time.monotonic()
    if group:  # as a terminal does it
        for child in builds.processes_of(toy):
            if child != process.pid:
                os.kill(child, number)
    process.send_signal(number)
    written, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert time.monotonic() - began < 20
    assert written.count("Stopped; the same command goes on where it was.") == 1
    for word in ("Succeeded", "The book (tier", "Traceback"):
        assert word not in written, written
    builds.wait_for(lambda: not builds.processes_of(toy), 15)
    assert not kept.exists()


@builds.needs_proc
def test_a_second_build_waits_for_the_first_and_says_which(toy: Path, edit: Edit) -> None:
    slow_chapter(toy, edit)
    first = builds.start(toy)
    builds.wait_for((toy / "begun").exists, 120)
    second = builds.start(toy)
    assert second.stdout is not None
    said = second.stdout.readline()
    first.send_signal(signal.SIGTERM)
    second.send_signal(signal.SIGTERM)
    first.communicate(timeout=30)
    second.communicate(timeout=30)
    assert f"a build (process {first.pid} on " in said
    assert "waiting for it to end" in said


def test_the_kernel_is_of_the_python_that_builds(toy: Path, tmp_path: Path) -> None:
    other = tmp_path / "jupyter" / "kernels" / "python3"
    other.mkdir(parents=True)
    (other / "kernel.json").write_text(
        '{"argv": ["/bin/false", "-f", "{connection_file}"], "display_name": "other", "language": "python"}',
        encoding="utf-8",
    )
    for fork in ("0", "1"):
        next((toy / "_executed" / ".cells").rglob("01_first.ipynb")).unlink()
        done = builds.pipeline(
            toy, "-k", "task_execute", JUPYTER_PATH=str(other.parents[1]), COMPANION_FORK=fork
        )
        assert done.returncode == 0, done.stdout
