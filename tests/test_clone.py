"""What make does is done by Python alone; a .venv that was moved, or whose Python is gone, is remade."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from companion import clone

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the environments here are laid out as on POSIX")


needs_made = pytest.mark.skipif(
    not clone.MADE.exists(), reason="this clone's tests were not started by make or python -m companion"
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A clone with an environment that is empty but for a Python."""
    folder = tmp_path / "clone"
    settle(folder, monkeypatch)
    folder.mkdir()
    for name in clone.SOURCES:
        shutil.copy(ROOT / name, folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", clone.VENV], check=True)
    clone.MADE.touch()
    return folder


def settle(folder, monkeypatch):
    monkeypatch.setattr(clone, "ROOT", folder)
    monkeypatch.setattr(clone, "VENV", folder / ".venv")
    monkeypatch.setattr(clone, "PYTHON", folder / ".venv" / "bin" / "python")
    monkeypatch.setattr(clone, "MADE", folder / ".venv" / "made")


@pytest.fixture
def steps(monkeypatch):
    """The programs that the setting up would have started, as lines."""
    run, lines = subprocess.run, []

    def listed(words, **options):
        if words[1:] == ["-c", ""]:
            return run(words, **options)
        lines.append(" ".join(map(str, words)))
        if words[1:3] == ["-m", "venv"]:
            return run([*words, "--without-pip"], **options)
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(subprocess, "run", listed)
    return lines


def test_a_whole_environment_in_its_place_is_kept(project, steps):
    clone.make_environment()
    assert not steps


def test_an_environment_whose_python_is_gone_is_made_anew(project, steps, capsys):
    clone.PYTHON.unlink()
    clone.PYTHON.symlink_to("/usr/bin/python-that-was-upgraded-away")
    clone.make_environment()
    assert f"-m venv --clear {clone.VENV}" in steps[0]
    assert "moved or copied, or its Python is gone" in capsys.readouterr().out


@pytest.mark.parametrize("how", [shutil.move, lambda old, new: shutil.copytree(old, new, symlinks=True)])
def test_a_moved_or_copied_environment_is_made_anew(project, steps, how, monkeypatch):
    there = project.with_name("elsewhere")
    how(project, there)
    settle(there, monkeypatch)
    clone.make_environment()
    assert f"-m venv --clear {there / '.venv'}" in steps[0]
    steps.clear()
    clone.make_environment()
    assert not steps


def test_without_an_environment_one_is_made_with_the_hashes_of_the_lock(project, steps):
    shutil.rmtree(clone.VENV)
    clone.VENV.mkdir()  # What was begun and not finished is gone on with.
    clone.make_environment()
    assert [re.search(r"-m (venv|pip install)", line)[1] for line in steps] == ["venv", *["pip install"] * 2]
    assert "--clear" not in steps[0]
    assert "--require-hashes" in steps[1]
    assert clone.MADE.exists()


def test_a_newer_lock_is_installed(project, steps):
    later = clone.MADE.stat().st_mtime + 10
    os.utime(project / "requirements.lock", (later, later))
    clone.make_environment()
    assert len(steps) == 3
    assert "--clear" not in steps[0]


def test_what_could_not_be_installed_is_not_taken_for_whole(project, monkeypatch):
    clone.MADE.unlink()
    monkeypatch.setattr(subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, 7))
    with pytest.raises(SystemExit) as ended:
        clone.make_environment()
    assert ended.value.code == 7
    assert not clone.MADE.exists()


def test_an_old_python_is_told_what_is_needed(project, steps, monkeypatch):
    clone.MADE.unlink()
    monkeypatch.setattr(clone, "OLDEST", (99, 0))
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed"):
        clone.make_environment()
    assert not steps


def run(*words, **variables):
    """Run `python -m companion` as on a machine without any of a shell's tools."""
    return subprocess.run(
        [sys.executable, "-m", "companion", *words],
        cwd=ROOT,
        env={"PATH": "", **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@needs_made
def test_the_tests_run_without_make_and_without_the_tools_of_a_shell():
    ran = run("test", "companion/_words.py", "--numprocesses", "0", "-q")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "passed" in ran.stdout


@needs_made
def test_variables_are_given_as_with_make():
    ran = run("book", "TIER=enormous")
    assert ran.returncode == 1
    assert "TIER=enormous does not exist; choose one of" in ran.stderr


def test_help_lists_what_make_makes():
    told = run("help").stdout
    targets = re.search(
        r"^TARGETS := help (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )[1]
    assert [line.split()[0] for line in told.splitlines()] == ["help", *targets.split()]


def test_arguments_that_would_reach_one_of_several_programs_are_refused():
    ran = run("bench", "--fast")
    assert ran.returncode == 1
    assert "bench takes no arguments; got --fast" in ran.stderr


def test_outside_a_clone_there_is_a_sentence(tmp_path, monkeypatch):
    settle(tmp_path, monkeypatch)
    with pytest.raises(SystemExit, match="is no clone of the repository"):
        clone.main(["book"])


def test_where_a_process_cannot_become_another_its_status_is_handed_on(monkeypatch):
    monkeypatch.setattr(os, "name", "nt")
    monkeypatch.setattr(clone.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        clone._become([sys.executable, "-c", "raise SystemExit(5)"])
    assert ended.value.code == 5
