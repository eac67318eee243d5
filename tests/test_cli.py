"""The command line: an example in every help, a sentence and no traceback for every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from companion import cli, runs


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runs, "PROJECT", tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", ["train", "evaluate", "claims", "doctor"])
def test_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"example:\n  companion {command}" in capsys.readouterr().out


def test_a_stopped_run_goes_on_and_evaluates(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["train", "--tier", "tiny", "--quiet"]
    assert cli.main([*common, "--method", "judge"]) == 0
    assert cli.main([*common, "--method", "baseline", "--time-budget", "0"]) == 3
    assert "goes on from there" in capsys.readouterr().out
    assert cli.main([*common, "--method", "baseline", "--evaluate"]) == 0
    shown = capsys.readouterr().out
    assert "tiny/mnist5k/baseline-seed0: finished" in shown
    assert "gan_test" in shown
    run = runs.find("tiny", "mnist5k", "baseline", 0)
    assert set(run.record.seconds) == {"train", "evaluate"}
    assert list(run.table("pixel_perturbation")["experiment"].unique()) == ["own", "common"]
    assert run.pictures()["gradients"].shape[1:] == (1, 28, 28)
    assert not run.from_earlier_code


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "--method", "baseline", "--set", "epochs"], "--set takes name=value"),
        (["train", "--method", "baseline", "--set", "epochs=2"], "give the run a name"),
        (["train", "--method", "baseline", "--set", "epoch=2"], "choose one of 'tier'"),
        (["train", "--method", "baseline", "--dataset", "mnist"], "choose one of 'mnist5k'"),
        (["train", "--method", "score_matching", "--set", "name=a", "--set", "penalty.mu=0"], "mu must be"),
        (
            ["train", "--method", "score_matching", "--set", "name=a", "--set", "penalty.sigma=-1"],
            "sigma must be",
        ),
        (
            ["train", "--method", "score_matching", "--set", "name=a", "--set", "penalty.num_probes=0"],
            "num_probes",
        ),
        (["train", "--method", "baseline", "--device", "tpu9"], "use cpu, cuda or cuda:N"),
        (["evaluate", "nowhere"], "train the run first"),
    ],
)
def test_a_mistake_gets_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 1
    shown = capsys.readouterr()
    assert sentence in shown.err
    assert "Traceback" not in shown.err + shown.out


def test_evaluating_without_a_judge_says_how_to_make_one(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    assert cli.main(["train", "--tier", "tiny", "--quiet", "--method", "baseline", "--evaluate"]) == 1
    assert "companion train --tier tiny --dataset mnist5k --method judge --seed 0" in capsys.readouterr().err


def test_doctor_reports_versions_devices_and_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "torch " in shown
    assert "cpu: " in shown
    assert "mnist5k      found" in shown
