"""Runs on a Dask cluster of two workers or more, on this machine: a worker that dies, a run that fails."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from companion.experiments import files, presets, shelf, training
from tests import builds

Edit = Callable[[Path, str, str], None]
TRAIN = ("-k", "task_train")


def start(root: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start the pipeline on a local cluster, without waiting for it."""
    return builds.start(root, *arguments, COMPANION_DASK_ADDRESS="local", **variables)


def piece_of(root: Path, method: str) -> int:
    """Wait for the process that trains a method's run and has written a checkpoint; return its number."""

    def training_now() -> list[int]:
        if not list(root.glob(f"_runs/*/*/{method}-seed0/checkpoint.pt")):
            return []
        pieces = builds.processes_of(root).items()
        return [n for n, words in pieces if "train" in words and f'"method": "{method}"' in words[-1]]

    return builds.wait_for(training_now, seconds=120)[0]


def parent_of(process: int) -> int:
    """Return the process that started another."""
    return int(
        re.findall(
            r"^PPid:\s+(\d+)", Path(f"/proc/{process}/status").read_text(encoding="utf-8"), re.MULTILINE
        )[0]
    )


@builds.needs_proc
@pytest.mark.usefixtures("few_probes")
def test_killed_worker_changes_no_run_and_loses_and_doubles_none(tmp_path: Path, edit: Edit) -> None:
    root = tmp_path / "project"
    for name in ("pyproject.toml", "pipeline", "companion"):
        builds.copy(builds.ROOT / name, root / name)
    edit(root / "companion" / "experiments" / "presets.py", '"tiny": {"epochs": 1', '"tiny": {"epochs": 2')
    code = root / "companion" / "experiments" / "training.py"
    edit(code, "CHECKPOINT_SECONDS = 60.0", "CHECKPOINT_SECONDS = 0.0")
    edit(code, "PROBED_IMAGES = 64", "PROBED_IMAGES = 4")  # As many as `few_probes`.
    methods = ("baseline", "anti_score_matching")
    build = start(root, "-k", f"task_train and ({' or '.join(methods)})", TIER="tiny")
    os.kill(parent_of(piece_of(root, "anti_score_matching")), signal.SIGKILL)
    output, _ = build.communicate(timeout=300)
    assert build.returncode == 0, output
    assert "train tiny/mnist5k/anti_score_matching-seed0: its worker was lost, another goes on" in output

    for method in methods:
        settings = presets.preset("tiny", "mnist5k", method, epochs=2)
        alone = training.train(settings, directory=tmp_path / method, progress=False)
        folder = root / "_runs" / settings.run_id
        assert {p.name for p in folder.iterdir()} == {"history.csv", "record.json", "weights.safetensors"}
        assert files.sha256(folder / "weights.safetensors") == alone.record.weights_sha256
        assert shelf.load(folder).record.metrics == alone.record.metrics
        assert output.count(f"train[{settings.run_id}]") == 1
    assert len(list(root.glob("_runs/**/record.json"))) == len(methods)


@builds.needs_proc
def test_run_goes_on_where_its_worker_or_its_own_process_was_ended(tmp_path: Path) -> None:
    toy = builds.copy_toy(tmp_path / "project")
    build = start(toy, *TRAIN, TOY_STEP_SECONDS="0.05")
    os.kill(parent_of(piece_of(toy, "baseline")), signal.SIGKILL)
    os.kill(piece_of(toy, "score_matching"), signal.SIGTERM)  # As a batch system does before it kills.
    output, _ = build.communicate(timeout=300)
    assert build.returncode == 0, output
    for method in ("baseline", "score_matching"):
        folder = toy / "_runs" / "quick" / "toy" / f"{method}-seed0"
        steps = [int(step) for step in (folder / "steps.log").read_text(encoding="utf-8").split()]
        assert sorted(set(steps)) == list(range(50))
        assert len(steps) <= 51  # The step during which it was ended may have been taken twice.
        assert output.count(f"{method}-seed0: its worker was lost, another goes on") == 1


def test_run_that_fails_shows_its_message_and_is_not_tried_again(tmp_path: Path, edit: Edit) -> None:
    toy = builds.copy_toy(tmp_path / "project")
    edit(
        toy / "companion" / "experiments" / "training.py",
        "    checkpoint = folder / CHECKPOINT\n",
        '    with (folder / "tried").open("a") as tried:\n        tried.write("once ")\n'
        '    raise ValueError(f"{device} is too warm")\n',
    )
    done = builds.pipeline(
        toy, "-k", "task_train and baseline", COMPANION_DASK_ADDRESS="local", COMPANION_DEVICE="cuda:7"
    )
    assert done.returncode == 1
    assert done.stdout.count("train quick/toy/baseline-seed0 failed\nValueError: cuda:7 is too warm\n") == 1
    assert "Traceback" not in done.stdout
    assert (toy / "_runs" / "quick" / "toy" / "baseline-seed0" / "tried").read_text(
        encoding="utf-8"
    ) == "once "


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "somewhere"])
def test_scheduler_that_does_not_answer_is_refused_in_a_sentence(tmp_path: Path, address: str) -> None:
    toy = builds.copy_toy(tmp_path / "project")
    done = builds.pipeline(toy, COMPANION_DASK_ADDRESS=address)
    assert done.returncode == 1
    assert done.stdout.startswith(f"COMPANION_DASK_ADDRESS={address}: no Dask scheduler answers there; give")
    assert len(done.stdout.splitlines()) == 1
    assert not (toy / "_runs").exists()


def test_a_cluster_begun_here_opens_no_dashboard() -> None:
    code = (
        "import socket, urllib.request\n"
        "from distributed import Client\n"
        "from pipeline import cluster\n"
        "if __name__ == '__main__':\n"
        "    with cluster.connected('local', 1):\n"
        "        client = Client.current()\n"
        "        info = client.scheduler_info()\n"
        "        assert client.submit(lambda: 6 * 7).result() == 42\n"
        "        ports = [info['services'].get('dashboard')]\n"
        "        with socket.socket() as probe:\n"
        "            assert probe.connect_ex(('127.0.0.1', ports[0] or 8787)) != 0\n"
        "        for worker in info['workers'].values():\n"
        "            for port in worker['services'].values():\n"
        "                try:\n"
        "                    urllib.request.urlopen(f'http://127.0.0.1:{port}/status', timeout=5)\n"
        "                except OSError as error:\n"
        "                    assert getattr(error, 'code', 404) == 404\n"
        "                else:\n"
        "                    raise AssertionError('a worker shows a page')\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], cwd=builds.ROOT, env=builds.environment(builds.ROOT), check=True
    )
