"""An evaluation measures the same whether it was interrupted or not, and whatever the size of its batches."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from companion.experiments import evaluation, presets, provenance, records, shelf, training


@pytest.fixture(scope="module")
def once_trained(few_probes: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a judge and a baseline of one small epoch, to be copied."""
    project = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "PROJECT", project)
        for method in ("judge", "baseline"):
            training.train(presets.preset("tiny", "mnist5k", method, train_size=64), progress=False)
    return project


@pytest.fixture
def trained(once_trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that project, as the one in which the runs are looked for; the baseline's folder."""
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    shutil.copytree(once_trained, tmp_path, dirs_exist_ok=True)
    return shelf.directory(presets.preset("tiny", "mnist5k", "baseline"))


def measured(folder: Path) -> dict[str, bytes]:
    """Everything that an evaluation leaves, except how long it took."""
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    files = {name: (folder / name).read_bytes() for name in records.EVALUATION_FILES}
    return files | {"metrics": json.dumps(record["metrics"]).encode()}


def fail_at(
    monkeypatch: pytest.MonkeyPatch, name: str, error: type[BaseException]
) -> Callable[[], list[str]]:
    """Let one experiment fail; return what lists the experiments that ran."""
    ran: list[str] = []
    for experiment in ("objective", "samples", "density_ratios", "gradient_maps", "pixel_perturbation"):
        honest = getattr(evaluation, experiment)

        def called(*given: object, honest: Callable = honest, experiment: str = experiment) -> object:
            ran.append(experiment)
            if experiment == name and ran.count(name) == 1:
                raise error
            return honest(*given)

        monkeypatch.setattr(evaluation, experiment, called)
    return lambda: ran


def test_an_interrupted_evaluation_goes_on_after_its_last_finished_experiment(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation.evaluate(trained, progress=False)
    whole = measured(trained)
    shelf.remove_evaluation(trained)
    ran = fail_at(monkeypatch, "gradient_maps", KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        evaluation.evaluate(trained, progress=False)
    assert sorted(p.name for p in (trained / evaluation.UNFINISHED).iterdir()) == [
        "density_ratios",
        "objective",
        "samples",
    ]
    evaluation.evaluate(trained, progress=False)
    assert ran() == [
        "objective", "samples", "density_ratios", "gradient_maps", "gradient_maps", "pixel_perturbation",
    ]  # fmt: skip
    assert measured(trained) == whole
    assert not (trained / evaluation.UNFINISHED).exists()


def test_what_was_finished_with_other_weights_is_measured_again(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = fail_at(monkeypatch, "samples", KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        evaluation.evaluate(trained, progress=False)
    other = presets.preset("tiny", "mnist5k", "baseline", train_size=128)
    training.train(other, directory=trained, progress=False)
    evaluation.evaluate(trained, progress=False)
    assert ran().count("objective") == 2


def test_the_batch_size_and_a_memory_limit_change_no_sample(trained: Path) -> None:
    table = evaluation.evaluate(trained, brief=True, progress=False).table("samples")
    pictures = shelf.load(trained).pictures()["samples"]
    for how in ({"batch_size": 3}, {"max_memory": 5e6}):
        run = evaluation.evaluate(trained, brief=True, progress=False, **how)  # type: ignore[arg-type]
        torch.testing.assert_close(run.pictures()["samples"], pictures, rtol=1e-2, atol=1e-2)
        assert run.table("samples").target.equals(table.target)
    with pytest.raises(ValueError, match="one image needs"):
        evaluation.evaluate(trained, max_memory=10.0, progress=False)


def test_memory_counts_what_the_layers_keep_of_each_image() -> None:
    # The first layer keeps its input, 4 numbers; the softplus its own, 8; the second layer its input, 8.
    model = nn.Sequential(nn.Linear(4, 8), nn.Softplus(), nn.Linear(8, 2))
    each = 2 * 4 * (4 + 8 + 8)
    assert evaluation.batch_size_within(model, torch.rand(2, 4), 10 * each) == 10
    assert evaluation.batch_size_within(model, torch.rand(2, 4), 11 * each - 1) == 10


def test_an_unknown_device_is_refused(trained: Path) -> None:
    with pytest.raises(ValueError, match="device 'mps' does not exist"):
        evaluation.evaluate(trained, device="mps")
