"""The command line: an example in every help, a sentence and no traceback for every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from companion import cli
from companion.experiments import provenance, records, registry, shelf, training
from companion.experiments.checkpoint import CHECKPOINT

pytestmark = pytest.mark.usefixtures("few_probes")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
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
    run = shelf.find("tiny", "mnist5k", "baseline", 0)
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
        (["train", "--method", "baseline", "--device", "meta"], "use cpu, cuda or cuda:N"),
        (["evaluate", "nowhere", "--device", "banana"], "device 'banana' does not exist"),
        (["evaluate", "nowhere"], "train the run first"),
        (["evaluate", "nowhere", "--batch-size", "0"], "--batch-size must be a whole number of at least 1"),
        (["evaluate", "nowhere", "--batch-size", "-1"], "--batch-size must be a whole number of at least 1"),
        (["evaluate", "nowhere", "--threads", "-3"], "--threads must be a whole number of at least 1"),
        (["train", "--method", "baseline", "--threads", "0"], "--threads must be a whole number"),
        (["train", "--method", "baseline", "--time-budget", "nan"], "--time-budget must be a finite number"),
        (["train", "--method", "baseline", "--seed", "-1"], "--seed must be a whole number of at least 0"),
        (["train", "--method", "judge", "--set", "epochs=2"], "give the run a name"),
    ],
)
def test_a_mistake_gets_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 1
    shown = capsys.readouterr()
    assert sentence in shown.err
    assert "Traceback" not in shown.err + shown.out


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("epochs=abc", "epochs must be a whole number of at least 1; got 'abc'"),
        ("epochs=2.5", "epochs must be a whole number of at least 1; got 2.5"),
        ("width=null", "width must be a whole number of at least 1; got None"),
        ("momentum=abc", "momentum must be at least 0 and below 1; got 'abc'"),
        ("momentum=-5", "momentum must be at least 0 and below 1; got -5"),
        ("weight_decay=NaN", "weight_decay must be a finite number of at least 0; got nan"),
        ("input_noise=NaN", "input_noise must be a finite number of at least 0; got nan"),
        ("input_noise=true", "input_noise must be a finite number of at least 0; got True"),
        ("learning_rate=Infinity", "learning_rate must be a finite number above 0; got inf"),
        ("train_size=-3", "train_size must be a whole number of at least 1; got -3"),
        ("augment=yes", "augment must be true or false; got 'yes'"),
        ("network=9", "choose one of 'resnet9'"),
        ("name=../elsewhere", "name must begin with a letter or a digit"),
        ("name=a/b", "since it names a folder; got 'a/b'"),
        ("penalty=5", "penalty must hold options, of weight, mu"),
        ("penalty.foo=1", "penalty.foo does not exist; choose one of penalty.weight, penalty.mu"),
        ("penalty.weight=much", "penalty.weight must be a number; got 'much'"),
        ("penalty.num_probes=2.0", "penalty.num_probes must be a whole number; got 2.0"),
        ("dataset=mnist", "the dataset is chosen with --dataset mnist"),
        ("seed=3", "the seed is chosen with --seed 3"),
        ("tier=small", "the tier is chosen with --tier small"),
    ],
)
def test_a_setting_out_of_its_range_is_named_with_what_was_given_and_what_is_allowed(
    change: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--tier", "tiny", "--method", "score_matching", "--set", "name=a", "--set", change]
    assert cli.main(command) == 1
    assert sentence in capsys.readouterr().err


def test_a_device_that_the_machine_lacks_is_refused_before_any_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert cli.main(["evaluate", "nowhere", "--device", "cuda"]) == 1
    assert "finds no CUDA device here: use --device cpu" in capsys.readouterr().err
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert cli.main(["evaluate", "nowhere", "--device", "cuda:2"]) == 1
    assert "this machine has only cuda:0, cuda:1" in capsys.readouterr().err
    assert cli.main(["evaluate", "nowhere", "--device", "cuda:1"]) == 1
    assert "train the run first" in capsys.readouterr().err


def test_an_arithmetic_error_gets_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(*_: object, **__: object) -> None:
        raise OverflowError("cannot convert float infinity to integer")

    monkeypatch.setattr(training, "train", overflow)
    assert cli.main(["train", "--tier", "tiny", "--method", "baseline"]) == 1
    assert "companion train: cannot convert float infinity" in capsys.readouterr().err


TINY = ["train", "--tier", "tiny", "--quiet", "--method", "baseline"]
SMALL = ["--set", "name=small", "--set", "train_size=64"]


def test_a_finished_run_is_left_alone_and_said_to_be_there(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main([*TINY, *SMALL]) == 0
    folder = project / "_runs" / "tiny" / "mnist5k" / "small-seed0"
    (folder / "trace.csv").write_text("a\n1\n", encoding="utf-8")
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    capsys.readouterr()
    assert cli.main([*TINY, *SMALL]) == 0
    assert "tiny/mnist5k/small-seed0 is there and finished" in capsys.readouterr().out
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()} == before

    for module in (provenance, registry):
        monkeypatch.setattr(module, "source_hash", lambda *_: "of later code")
    assert cli.main([*TINY, *SMALL]) == 0
    assert "is of earlier code, or not whole: it is trained anew" in capsys.readouterr().out
    assert shelf.load(folder).record.source_hash == {"train": "of later code"}


def test_training_again_leaves_no_table_of_the_old_weights(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*TINY, *SMALL]) == 0
    folder = project / "_runs" / "tiny" / "mnist5k" / "small-seed0"
    for name in (*records.EVALUATION_FILES, "mine.csv"):
        (folder / name).write_text("a\n1\n", encoding="utf-8")
    weights = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").unlink()
    assert cli.main([*TINY, *SMALL, "--again"]) == 0
    left = {"record.json", "history.csv", "weights.safetensors", "mine.csv"}
    assert {path.name for path in folder.iterdir()} == left
    assert (folder / "weights.safetensors").read_bytes() == weights


def test_training_again_that_was_stopped_goes_on(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*TINY, *SMALL]) == 0
    assert cli.main([*TINY, *SMALL, "--again", "--time-budget", "0"]) == 3
    folder = project / "_runs" / "tiny" / "mnist5k" / "small-seed0"
    assert (folder / CHECKPOINT).exists()
    assert cli.main([*TINY, *SMALL]) == 0
    assert not (folder / CHECKPOINT).exists()
    assert "is there and finished" not in capsys.readouterr().out


def test_a_folder_with_a_run_of_other_settings_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*TINY, *SMALL]) == 0
    record = project / "_runs" / "tiny" / "mnist5k" / "small-seed0" / "record.json"
    before = record.read_bytes()
    assert cli.main([*TINY, *SMALL, "--set", "width=5"]) == 1
    shown = capsys.readouterr().err
    assert "other settings (width=8 and not 5)" in shown
    assert "--set name=my-run" in shown
    assert record.read_bytes() == before


def test_evaluating_without_a_judge_says_how_to_make_one(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    assert cli.main(["train", "--tier", "tiny", "--quiet", "--method", "baseline", "--evaluate"]) == 1
    said = capsys.readouterr().err
    assert "companion train --tier tiny --dataset mnist5k --method judge --seed 1000" in said


def test_doctor_reports_versions_devices_and_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "torch " in shown
    assert "cpu: " in shown
    assert "mnist5k      found" in shown


def test_doctor_reads_the_data_where_they_are_loaded_and_says_if_they_are_damaged(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(project))
    monkeypatch.setenv("COMPANION_DATA", "~/images")
    (project / "images").mkdir()
    (project / "images" / "cifar10.npz").write_bytes(b"PK half a file")
    assert cli.main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert f"cifar10      damaged: {project / 'images' / 'cifar10.npz'} is damaged or half-written" in shown
    assert f"cifar100     not in {project / 'images'}/" in shown
