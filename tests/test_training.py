"""A run is its settings: the same weights however often it was interrupted; what cannot go on says why."""

from __future__ import annotations

import contextlib
import json
import math
import shlex
from pathlib import Path

import pytest
import torch

from companion import cli, data, making, trace
from companion.experiments import (
    augmentation,
    checkpoint,
    presets,
    provenance,
    records,
    schedule,
    series,
    shelf,
    step,
    training,
)
from companion.experiments.records import RecordError
from companion.experiments.settings import Settings

pytestmark = pytest.mark.usefixtures("few_probes")
STEPS = 4
SMALL = {"batch_size": 16, "train_size": STEPS * 16}


@pytest.fixture
def settings() -> Settings:
    return presets.preset("tiny", "mnist5k", "score_matching", 3, epochs=2, **SMALL)


def weights(run: records.Run) -> bytes:
    return (run.directory / "weights.safetensors").read_bytes()


def test_resumed_run_equals_the_unbroken_run(settings: Settings, tmp_path: Path) -> None:
    unbroken = training.train(settings, directory=tmp_path / "unbroken", progress=False)
    stops = 0
    while True:
        try:
            broken = training.train(settings, directory=tmp_path / "broken", time_budget=0.0, progress=False)
            break
        except training.OutOfTime:
            stops += 1
    assert stops == 2 * STEPS
    assert weights(broken) == weights(unbroken)
    measured = [column for column in unbroken.history() if column != "seconds"]
    assert broken.history()[measured].equals(unbroken.history()[measured])


def test_same_settings_give_the_same_weights_whatever_the_global_seed(
    settings: Settings, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    first = training.train(settings, directory=tmp_path / "a", progress=False)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    second = training.train(settings, directory=tmp_path / "b", progress=False)
    assert weights(first) == weights(second)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("at_once", [3, 100])
def test_losses_looked_at_every_few_steps_are_the_same_and_so_is_the_step_at_which_they_diverge(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    wild = presets.preset(
        "tiny",
        "mnist5k",
        "score_matching",
        1,
        name="wild",
        epochs=2,
        learning_rate=1e4,
        train_size=STEPS * 64,
    )
    runs = []
    for folder, steps in (("each", 1), ("few", at_once)):
        monkeypatch.setitem(training.STEPS_AT_ONCE, "cpu", steps)
        for one in (settings, wild):
            runs.append(training.train(one, directory=tmp_path / folder / one.name, progress=False))
    each, each_wild, few, few_wild = runs
    assert weights(few) == weights(each)
    assert few.history().drop(columns="seconds").equals(each.history().drop(columns="seconds"))
    assert each_wild.record.diverged is not None
    assert (few_wild.record.status, weights(few_wild)) == (each_wild.record.status, weights(each_wild))


def test_tf32_is_used_on_a_gpu_alone_and_where_the_digits_suffice() -> None:
    def uses(device: str, method: str, **penalty: object) -> bool:
        settings = presets.preset("quick", "mnist5k", method, penalty=penalty)
        return step.uses_tf32(settings, torch.device(device))

    pair = {"variant": "central", "norm": "pair"}
    assert not uses("cpu", "baseline")
    assert uses("cuda", "baseline")
    assert uses("cuda", "gradient_norm")
    assert uses("cuda", "score_matching", sigma=0.01, **pair)
    assert not uses("cuda", "score_matching", sigma=0.003, **pair)
    assert not uses("cuda", "gradient_norm", norm="pair", sigma=0.001)


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    a, b = (
        training.train(
            presets.preset("tiny", "mnist5k", "baseline", seed, train_size=64),
            directory=tmp_path / str(seed),
            progress=False,
        )
        for seed in (0, 1)
    )
    assert weights(a) != weights(b)


def test_record_is_complete_and_its_accuracy_is_that_of_the_saved_weights(
    settings: Settings, tmp_path: Path
) -> None:
    run = training.train(settings, directory=tmp_path / "run", progress=False)
    images = data.load("mnist5k")
    predicted = run.model()(data.to_float(images.x_test)).argmax(1)
    accuracy = run.metric("test_accuracy")
    assert accuracy["value"] == (predicted == images.y_test).double().mean().item()
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert accuracy["n"] == 1000
    assert run.record.status == "finished"
    assert run.settings == settings
    assert not run.from_earlier_code
    assert not (run.directory / checkpoint.CHECKPOINT).exists()


def test_diverging_run_stops_says_when_and_keeps_its_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = presets.preset("tiny", "mnist5k", "baseline", 0, epochs=3, **SMALL)
    honest = training.training_step
    calls = 0

    def explode(*arguments: object, **options: object) -> dict[str, torch.Tensor]:
        nonlocal calls
        calls += 1
        terms = honest(*arguments, **options)  # type: ignore[arg-type]
        return terms | {"loss": torch.tensor(math.nan)} if calls == STEPS + 2 else terms

    monkeypatch.setattr(training, "training_step", explode)
    run = training.train(settings, directory=tmp_path / "run", progress=False)
    assert run.record.status.startswith("diverged in epoch 2, step 2: loss nan")
    assert run.record.diverged == {"epoch": 2, "step": 2}
    assert len(run.history()) == 1
    assert all(value.isfinite().all() for value in run.model().state_dict().values())


def test_a_run_that_diverges_after_a_resume_keeps_the_last_whole_epochs_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = presets.preset("tiny", "mnist5k", "baseline", 0, epochs=3, **SMALL)
    honest = training.training_step

    def explode(*arguments: object, **options: object) -> dict[str, torch.Tensor]:
        state = arguments[1]
        terms = honest(*arguments, **options)  # type: ignore[arg-type]
        return terms | {"loss": torch.tensor(math.nan)} if (state.epoch, state.step) == (1, 2) else terms  # type: ignore[attr-defined]

    monkeypatch.setattr(training, "training_step", explode)
    unbroken = training.train(settings, directory=tmp_path / "unbroken", progress=False)
    broken = None
    while broken is None:
        with contextlib.suppress(training.OutOfTime):
            broken = training.train(settings, directory=tmp_path / "broken", time_budget=0.0, progress=False)
    assert broken.record.status == unbroken.record.status
    assert weights(broken) == weights(unbroken)


@pytest.mark.parametrize("content", [{}, {"settings": {}}, [1], {"model": {}, "hash": "x"}])
def test_a_checkpoint_with_other_contents_is_refused_and_kept(
    settings: Settings, tmp_path: Path, content: object
) -> None:
    path = tmp_path / checkpoint.CHECKPOINT
    path.write_bytes(checkpoint.sealed(content))
    before = path.read_bytes()
    with pytest.raises(RecordError, match=r"checkpoint\.pt is damaged.*delete it"):
        training.train(settings, directory=tmp_path, progress=False)
    assert path.read_bytes() == before


@pytest.mark.parametrize("part", ["model", "last_whole", "optimizer", "generator"])
def test_a_checkpoint_with_a_foreign_part_is_refused(settings: Settings, tmp_path: Path, part: str) -> None:
    with pytest.raises(training.OutOfTime):
        training.train(settings, directory=tmp_path, time_budget=0.0, progress=False)
    path = tmp_path / checkpoint.CHECKPOINT
    saved = checkpoint.opened(path.read_bytes(), torch.device("cpu"))
    path.write_bytes(checkpoint.sealed(saved | {part: {"foreign": torch.zeros(1)}}))
    with pytest.raises(RecordError, match=r"checkpoint\.pt is damaged"):
        training.train(settings, directory=tmp_path, progress=False)


def test_training_works_inside_full_precision(tmp_path: Path) -> None:
    settings = presets.preset("tiny", "mnist5k", "baseline", 0, train_size=64)
    with trace.full_precision():
        assert training.train(settings, directory=tmp_path, progress=False).record.status == "finished"


@pytest.mark.parametrize("device", ["mps", "meta", "banana"])
def test_a_device_that_is_neither_cpu_nor_cuda_is_refused(
    settings: Settings, tmp_path: Path, device: str
) -> None:
    with pytest.raises(ValueError, match=f"device '{device}' does not exist; use cpu, cuda"):
        training.train(settings, directory=tmp_path, device=device, progress=False)


def test_a_time_budget_ends_before_it_is_used_up(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, clock = training.training_step, 0.0

    def a_second_long(*arguments: object, **options: object) -> dict[str, torch.Tensor]:
        nonlocal clock
        clock += 1.0
        return honest(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "training_step", a_second_long)
    monkeypatch.setattr(training.time, "monotonic", lambda: clock)
    with pytest.raises(training.OutOfTime, match="stopped after 2 s at epoch 1, step 2"):
        training.train(settings, directory=tmp_path, time_budget=2.5, progress=False)


def test_damaged_checkpoint_is_refused_and_kept(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(training.OutOfTime):
        training.train(settings, directory=tmp_path, time_budget=0.0, progress=False)
    path = tmp_path / checkpoint.CHECKPOINT
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half)
    with pytest.raises(RecordError, match=r"checkpoint\.pt is damaged.*delete it"):
        training.train(settings, directory=tmp_path, progress=False)
    assert path.read_bytes() == half


def test_checkpoint_of_other_settings_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(training.OutOfTime):
        training.train(settings, directory=tmp_path, time_budget=0.0, progress=False)
    other = presets.preset("tiny", "mnist5k", "score_matching", 4)
    with pytest.raises(RecordError, match="other settings"):
        training.train(other, directory=tmp_path, progress=False)


def test_cuda_asked_for_and_absent_says_what_to_do(settings: Settings, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(ValueError, match="finds no CUDA device here: use --device cpu"):
        training.train(settings, directory=tmp_path, device="cuda", progress=False)


def test_one_cycle_rises_to_the_peak_and_ends_near_nought() -> None:
    settings = presets.preset("quick", "mnist5k", "baseline", learning_rate=0.5)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    scheduler = schedule.learning_rate(settings, optimizer, 50)
    rates = []
    for _ in range(300):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert max(rates) == pytest.approx(0.5)
    assert rates.index(max(rates)) == pytest.approx(60, abs=1)
    assert 0 < rates[-1] < 0.01


def test_crop_and_flip_moves_pixels_without_inventing_any() -> None:
    x = torch.arange(1.0, 1 + 2 * 3 * 8 * 8).view(2, 3, 8, 8)
    y = augmentation.crop_and_flip(x, torch.Generator().manual_seed(0), padding=2)
    assert y.shape == x.shape
    for before, after in zip(x, y, strict=True):
        kept = after[after > 0]
        assert set(kept.tolist()) <= set(before.flatten().tolist())
        assert len(kept) >= 3 * 6 * 6
        assert len(kept.unique()) == len(kept)
        # The three channels move together.
        assert torch.equal((after > 0)[0], (after > 0)[1])


def test_unknown_setting_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'epoch'.*'epochs'"):
        presets.preset("quick", "mnist5k", "baseline", epoch=3)


def test_autocast_with_a_taylor_estimate_is_refused() -> None:
    with pytest.raises(ValueError, match="loses its digits"):
        presets.preset("quick", "mnist5k", "score_matching", precision="bfloat16")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not a whole record"),
        ('{"tier": "quick"', "is not a whole record"),
        ('{"tier": "quick"}', "missing"),
        ("[]", "holds list, not an object"),
    ],
)
def test_damaged_record_says_what_to_do(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "record.json").write_text(content, encoding="utf-8")
    with pytest.raises(RecordError, match=message):
        shelf.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tier": "huge"}, "tier is 'huge', but its settings say 'quick'"),
        ({"dataset": "mnist"}, "dataset is 'mnist', but its settings say 'mnist5k'"),
        ({"seed": 1}, "seed is 1, but its settings say 0"),
        ({"settings": []}, "settings must be an object"),
        ({"settings": {"tier": "quick"}}, "missing"),
        ({"metrics": None}, "metrics must be an object"),
        ({"metrics": {"test_accuracy": 0.5}}, "metric test_accuracy must have value, low, high and n"),
        ({"metrics": {"a": {"value": "x", "low": 0, "high": 1, "n": 1}}}, "value must be a number or null"),
        ({"source_hash": "abc"}, "source_hash must be an object"),
        ({"seconds": {"train": "long"}}, "seconds.train must be"),
        ({"status": None}, "status must be a text"),
        ({"extra": 1}, "unknown: extra"),
    ],
)
def test_a_record_with_wrong_contents_names_the_file_and_what_to_do(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    committed = provenance.PROJECT / "results" / "quick" / "mnist5k" / "baseline-seed0" / "record.json"
    path = tmp_path / "record.json"
    values = json.loads(committed.read_text(encoding="utf-8")) | change
    del values["sha256"]  # It would tell of the edit first.
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(RecordError) as refused:
        shelf.load(tmp_path)
    assert message in str(refused.value)
    assert str(refused.value).startswith(f"{path} is not a whole record")
    assert "delete its folder and train the run again" in str(refused.value)


def test_weights_that_do_not_match_their_record_are_refused(settings: Settings, tmp_path: Path) -> None:
    run = training.train(settings, directory=tmp_path, progress=False)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-2] + b"\0\0")
    with pytest.raises(RecordError, match="SHA-256 is not the record's"):
        run.model()


def test_record_survives_a_round_trip_through_json(settings: Settings, tmp_path: Path) -> None:
    run = training.train(settings, directory=tmp_path, progress=False)
    text = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    assert Settings.from_dict(text["settings"]) == settings
    run.record.write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "record.json").read_bytes()


def test_a_record_without_the_stability_term_is_strict_json(tmp_path: Path) -> None:
    settings = presets.preset(
        "tiny", "mnist5k", "score_matching", 0, train_size=64, penalty={"weight": 1e-3, "mu": math.inf}
    )
    training.train(settings, directory=tmp_path, progress=False)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads((tmp_path / "record.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert shelf.load(tmp_path).settings == settings


def test_find_names_the_runs_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    settings = presets.preset("tiny", "mnist5k", "baseline", 5, train_size=64)
    training.train(settings, progress=False)
    assert shelf.find("tiny", "mnist5k", "baseline", 5).settings == settings
    with pytest.raises(RecordError, match="Known here: baseline-seed5.*companion train --tier tiny"):
        shelf.find("tiny", "mnist5k", "baseline", 6)
    with pytest.raises(ValueError, match="'quik' does not exist.*'quick'"):
        shelf.find("quik", "mnist5k", "baseline", 5)


def test_the_command_for_a_missing_run_makes_that_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    wanted = series.committed_plan("quick") + series.sweep("small", "cifar100")
    for settings in wanted:
        with pytest.raises(RecordError, match="Make it with: companion train") as refused:
            shelf.find(settings.tier, settings.dataset, settings.name, settings.seed)
        printed = str(refused.value).partition("Make it with: ")[2].split(" && ")
        words = [shlex.split(command) for command in printed]
        assert making.chosen_settings(cli.parser().parse_args(words[0][1:])) == settings
        for other in words[1:]:
            (folder,) = cli.parser().parse_args(other[1:]).directory
            assert tmp_path / folder == shelf.directory(settings)
    with pytest.raises(RecordError, match="--set name=mine, where METHOD is one of baseline, score_matching"):
        shelf.find("quick", "mnist5k", "mine", 0)
