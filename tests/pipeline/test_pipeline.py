"""What is made again after which change, and what a killed or failed build leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tests import builds

Edit = Callable[[Path, str, str], None]
WITHOUT_BOOK = ("-k", "not task_book")
TRAIN = ("-k", "task_train")


def made(output: str) -> set[str]:
    """Return the tasks that the pipeline reports as done."""
    return set(re.findall(r"^  (\S+) +done ", output, flags=re.MULTILINE))


def update(root: Path, *only: str, **variables: str) -> set[str]:
    """Bring everything but the HTML up to date, or some tasks `only`; return what was made."""
    done = builds.pipeline(root, *(only or WITHOUT_BOOK), **variables)
    assert done.returncode == 0, done.stdout
    return made(done.stdout)


def test_first_build_makes_everything(built_toy: tuple[Path, str]) -> None:
    root, output = built_toy
    assert made(output) == {
        "train[quick/toy/baseline-seed0]",
        "train[quick/toy/score_matching-seed0]",
        "evaluate[quick/toy/baseline-seed0]",
        "evaluate[quick/toy/score_matching-seed0]",
        "execute[01_first-quick-seed0]",
        "execute[02_second-quick-seed0]",
        "page[01_first]",
        "page[02_second]",
        "status",
        "book",
    }
    assert output.rstrip().endswith(str(root / "_build" / "html" / "index.html"))
    assert "warning" not in output.lower()


def test_second_build_makes_nothing(toy: Path) -> None:
    done = builds.pipeline(toy)
    assert done.returncode == 0
    assert made(done.stdout) == set()


def test_edited_prose_and_captions_are_carried_over_without_executing(toy: Path, edit: Edit) -> None:
    edit(toy / "notebooks" / "01_first.py", "A question", "Another question")
    edit(toy / "notebooks" / "01_first.py", "A sine, for tests.", "A sine, once more.")
    done = builds.pipeline(toy)
    assert made(done.stdout) <= {"page[01_first]", "status", "book"}
    page = nbformat.read(toy / "_executed" / "01_first.ipynb", as_version=4)
    assert "Another question" in page.cells[0].source
    (drawn,) = (cell for cell in page.cells if "once more" in json.dumps(cell.metadata))
    assert any("image/svg+xml" in output.get("data", {}) for output in drawn.outputs)
    assert "Another question" in (toy / "_build" / "html" / "_executed" / "01_first.html").read_text(
        encoding="utf-8"
    )


def test_edited_code_cell_executes_its_chapter_only(toy: Path, edit: Edit) -> None:
    edit(toy / "notebooks" / "01_first.py", "np.pi) + seed", "np.e) + seed")
    assert update(toy) == {"execute[01_first-quick-seed0]", "page[01_first]"}


def test_edited_loss_remakes_what_depends_on_it_and_nothing_else(toy: Path, edit: Edit) -> None:
    edit(toy / "companion" / "losses" / "__init__.py", "2.0", "3.0")
    done = update(toy)
    assert done >= {
        "train[quick/toy/score_matching-seed0]",
        "evaluate[quick/toy/score_matching-seed0]",
        "execute[02_second-quick-seed0]",
    }
    assert not {name for name in done if "baseline" in name or "01_first" in name}
    record = toy / "_runs" / "quick" / "toy" / "score_matching-seed0" / "record.json"
    assert json.loads(record.read_text(encoding="utf-8"))["metrics"]["accuracy"]["value"] == 3.0 / 4


def test_edited_module_executes_the_chapters_that_import_it(toy: Path, edit: Edit) -> None:
    edit(toy / "companion" / "plots.py", "C0", "C1")
    assert update(toy) == {"execute[01_first-quick-seed0]", "page[01_first]"}


def test_touched_files_comments_and_docstrings_make_nothing(toy: Path, edit: Edit) -> None:
    for path in (
        *toy.glob("notebooks/*.py"),
        *toy.glob("companion/**/*.py"),
        *toy.glob("_runs/**/record.json"),
    ):
        path.touch()
    edit(toy / "companion" / "losses" / "__init__.py", "The stand-in's loss.", "The loss of the stand-in.")
    edit(toy / "companion" / "plots.py", "COLOUR =", "# The first colour.\nCOLOUR =")
    assert update(toy) == set()


def test_committed_results_are_read_again_when_they_change(toy: Path) -> None:
    record = toy / "results" / "small" / "toy" / "baseline-seed0" / "record.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}", encoding="utf-8")
    assert update(toy) == {"execute[02_second-quick-seed0]", "page[02_second]"}


def test_deleted_page_is_merged_again_without_executing(toy: Path) -> None:
    (toy / "_executed" / "01_first.ipynb").unlink()
    assert update(toy) == {"page[01_first]"}


def test_other_seed_is_kept_beside_the_first(toy: Path) -> None:
    assert "execute[01_first-quick-seed3]" in update(toy, SEED="3")
    page = nbformat.read(toy / "_executed" / "01_first.ipynb", as_version=4)
    assert page.metadata["companion"]["parameters"] == "tier = 'quick', seed = 3, device = 'cpu'"
    back = update(toy)
    assert "page[01_first]" in back
    assert not {name for name in back if name.startswith(("train", "evaluate")) or "execute[01_first" in name}


def test_fresh_trains_the_other_seeds_too(toy: Path) -> None:
    assert update(toy, *TRAIN, FRESH="1") == {
        "train[quick/toy/baseline-seed1]",
        "train[quick/toy/score_matching-seed1]",
    }


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"TIER": "huge"}, "choose one of tiny, quick, small, paper"),
        ({"SEED": "first"}, "SEED=first is not a seed"),
        ({"FRESH": "yes"}, "FRESH=1"),
    ],
)
def test_unknown_variable_values_are_refused_in_a_sentence(
    toy: Path, variables: dict[str, str], says: str
) -> None:
    done = builds.pipeline(toy, **variables)
    assert done.returncode == 1
    assert says in done.stdout
    assert "Traceback" not in done.stdout


def test_chapter_without_a_seed_is_refused_and_names_its_parameters(toy: Path, edit: Edit) -> None:
    edit(toy / "notebooks" / "01_first.py", "seed = 0\n", "sed = 0\n")
    done = builds.pipeline(toy)
    assert done.returncode == 1
    assert "01_first.py has no parameter 'seed'; it has tier, sed, device" in done.stdout


def test_failing_cell_is_named_and_leaves_nothing_that_looks_whole(toy: Path, edit: Edit) -> None:
    edit(toy / "notebooks" / "01_first.py", "np.pi) + seed", "np.pi) / 0")
    done = builds.pipeline(toy)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stdout
    assert "notebooks/01_first.py failed" in done.stdout
    assert not (toy / "_executed" / ".cells" / "quick-seed0" / "01_first.ipynb").exists()
    edit(toy / "notebooks" / "01_first.py", "np.pi) / 0", "np.pi) + seed")
    # Where processes cannot be forked, chapters are executed just the same.
    assert "execute[01_first-quick-seed0]" in update(toy, COMPANION_FORK="0")


@builds.needs_proc
def test_killed_training_goes_on_where_it_was(toy: Path, edit: Edit) -> None:
    edit(toy / "companion" / "losses" / "__init__.py", "2.0", "3.0")
    folder = toy / "_runs" / "quick" / "toy" / "score_matching-seed0"
    (folder / "steps.log").unlink()
    process = builds.start(toy, *TRAIN, TOY_STEP_SECONDS="0.1")
    builds.wait_for(
        lambda: (
            (folder / "steps.log").exists()
            and len((folder / "steps.log").read_text(encoding="utf-8").split()) > 5
        )
    )
    process.send_signal(signal.SIGKILL)
    process.communicate()
    builds.wait_for(lambda: not builds.processes_of(toy), seconds=60)
    update(toy, *TRAIN)
    steps = [int(step) for step in (folder / "steps.log").read_text(encoding="utf-8").split()]
    assert sorted(set(steps)) == list(range(50))
    assert len(steps) <= 51  # The step during which it was killed may have been taken twice.


@builds.needs_proc
def test_killed_chapter_is_executed_again_and_finished_ones_are_not(toy: Path, edit: Edit) -> None:
    for name in ("01_first", "02_second"):
        edit(toy / "notebooks" / f"{name}.py", "import numpy as np", "import numpy as np  # changed")
    marker = toy / "sleeping"
    edit(
        toy / "notebooks" / "02_second.py",
        "fig, ax =",
        f"import pathlib, time\np = pathlib.Path({str(marker)!r})\n"
        "if not p.exists():\n    p.touch()\n    time.sleep(100)\nfig, ax =",
    )
    kept, page = toy / "_executed" / ".cells" / "quick-seed0", toy / "_executed" / "01_first.ipynb"
    before = page.stat().st_mtime_ns
    process = builds.start(toy, *WITHOUT_BOOK)
    builds.wait_for(lambda: marker.exists() and page.stat().st_mtime_ns > before)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    builds.wait_for(lambda: not builds.processes_of(toy), seconds=60)
    assert not (kept / "02_second.ipynb").exists()
    done = update(toy)
    assert "execute[02_second-quick-seed0]" in done
    assert "execute[01_first-quick-seed0]" not in done


def test_one_chapter_runs_by_hand_with_papermill(toy: Path) -> None:
    bin_ = Path(sys.executable).parent
    command = (
        f"{bin_}/jupytext --to ipynb -o - notebooks/01_first.py | "
        f"{bin_}/papermill - out.ipynb -p tier small -p seed 3 --no-progress-bar --log-level ERROR"
    )
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=toy,
        env=builds.environment(toy) | {"PATH": f"{bin_}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    out = nbformat.read(toy / "out.ipynb", as_version=4)
    glued = [
        output
        for cell in out.cells
        for output in cell.get("outputs", [])
        if "scrapbook" in str(output.metadata)
    ]
    assert glued[0]["data"]["application/papermill.record/text/plain"].startswith("6.14159")
