"""Two at work on one run: the second is told who the first is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from companion import cli
from companion.experiments import lock

ROOT = Path(__file__).parents[1]
TINY = ["train", "--tier", "tiny", "--method", "baseline", "--set", "epochs=1", "--quiet", "--directory"]


HOLD = """
import sys
from pathlib import Path
from companion.experiments import lock
with lock.alone(Path(sys.argv[1]), "the first"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def first(tmp_path):
    """Let another process hold a folder until its input ends; return the folder and the process."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield tmp_path / "run", process


def test_a_second_trainer_is_refused_and_told_who_is_at_work(first, capsys):
    folder, process = first
    assert cli.main([*TINY, str(folder)]) == 1
    said = capsys.readouterr().err
    assert f"the first (process {process.pid} on " in said
    assert "is at work in" in said
    assert not (folder / "record.json").exists()
    with pytest.raises(lock.Busy), lock.alone(folder, "another"):
        pass


def test_who_waits_says_so_and_goes_on_when_the_other_has_ended(first):
    folder, process = first
    said = []

    def waiting(words):
        said.append(words)
        process.stdin.close()

    with lock.alone(folder, "the second", waiting=waiting):
        assert "the first (process" in said[0]
    with lock.alone(folder, "the third"):  # given back
        pass


def test_the_lock_of_a_killed_process_is_free(first):
    folder, process = first
    process.kill()
    process.wait()
    with lock.alone(folder, "the next"):
        pass


@pytest.mark.skipif(not shutil.which("mount") or os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_is_one_sentence_and_leaves_no_partial_file(tmp_path):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", tmp_path], check=False)
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "companion.cli", *TINY, str(tmp_path / "run")],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert ran.returncode == 1
        assert "no space is left on the disk of" in ran.stderr
        assert "Traceback" not in ran.stderr
        assert not [path for path in tmp_path.rglob("*") if "partial" in path.name or "tmp" in path.name]
    finally:
        subprocess.run(["umount", tmp_path], check=False)
