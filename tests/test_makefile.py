"""A .venv that was moved, copied, or whose Python is gone is made anew; one in its place is not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    (folder / ".venv" / "made").touch()
    return folder


def planned(folder):
    ran = subprocess.run(
        ["make", "-n", "book"], cwd=folder, capture_output=True, text=True, encoding="utf-8", check=True
    )
    return ran.stdout + ran.stderr


def test_a_whole_environment_in_its_place_is_kept(clone):
    assert "venv" not in planned(clone).replace(".venv/bin/python -m pipeline", "")


def test_an_environment_whose_python_is_gone_is_made_anew(clone):
    python = clone / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/usr/bin/python-that-was-upgraded-away")
    assert "-m venv --clear .venv" in planned(clone)
    assert "moved or copied, or its Python is gone" in planned(clone)


@pytest.mark.parametrize("how", [shutil.move, lambda old, new: shutil.copytree(old, new, symlinks=True)])
def test_a_moved_or_copied_environment_is_made_anew(clone, how):
    there = clone.with_name("elsewhere")
    how(clone, there)
    assert "-m venv --clear .venv" in planned(there)


def test_without_an_environment_one_is_made(clone):
    shutil.rmtree(clone / ".venv")
    assert "-m venv" in planned(clone)
    assert "--clear" not in planned(clone)
