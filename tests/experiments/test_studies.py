"""Studies: rows are kept until all are there; a table is read whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from companion import metrics, runs
from companion.experiments import denoising, known_density, provenance, records, studies
from companion.experiments.methods import METHODS
from companion.experiments.presets import preset


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    return tmp_path


def make(rows_of, subjects=("a", "b")) -> Path:  # noqa: ANN001
    return studies.make("denoising", subjects, rows_of, progress=False)


def test_an_interrupted_study_goes_on_after_the_last_subject_that_was_done(project: Path) -> None:
    done = []

    def stops_at_b(subject: str) -> list[studies.Row]:
        if subject == "b" and len(done) == 1:
            raise KeyboardInterrupt
        done.append(subject)
        return [{"subject": subject, "value": 1.5}]

    with pytest.raises(KeyboardInterrupt):
        make(stops_at_b)
    assert not (project / "_runs/studies/denoising.csv").exists()
    done.append("interrupted")
    path = make(stops_at_b)
    assert done == ["a", "interrupted", "b"]
    assert pd.read_csv(path)["subject"].tolist() == ["a", "b"]
    said = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert said["source_hash"] == studies.source_hash("denoising")
    assert said["commit"] == provenance.commit()


def test_rows_of_other_code_are_made_again(project: Path) -> None:
    make(lambda subject: [{"subject": subject, "value": 1}])
    kept = project / "_runs/studies/denoising/a.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"source_hash": "other"}))
    path = make(lambda subject: [{"subject": subject, "value": 2}])
    assert pd.read_csv(path)["value"].tolist() == [2, 1]


@pytest.mark.parametrize("damage", ["no table", "no record", "half a record", "another number"])
def test_a_damaged_table_is_refused_with_the_command_that_makes_it(project: Path, damage: str) -> None:
    path = make(lambda subject: [{"subject": subject, "value": 1}])
    folder = project / "results/studies"
    folder.parent.mkdir()
    path.parent.rename(folder)
    assert len(studies.read("denoising")) == 2
    table, record = folder / "denoising.csv", folder / "denoising.json"
    if damage == "no table":
        table.unlink()
    elif damage == "no record":
        record.unlink()
    elif damage == "half a record":
        record.write_bytes(record.read_bytes()[:20])
    else:
        table.write_text(table.read_text().replace("1", "2"))
    with pytest.raises(records.RecordError, match="companion study denoising"):
        studies.read("denoising")


def test_every_network_of_the_plan_has_its_row_and_the_density_itself_the_best() -> None:
    table = studies.read("known_density")
    planned = [(one.method, one.strength, one.seed) for one in known_density.plan()]
    assert len(planned) == 3 * (1 + 3 * (len(METHODS) - 1))
    networks = table.loc[table["method"] != known_density.TRUTH]
    assert list(networks[["method", "strength", "seed"]].itertuples(index=False, name=None)) == planned
    truth = table.loc[table["method"] == known_density.TRUTH].iloc[0]
    assert truth["true_loss"] == pytest.approx(0, abs=1e-9)
    assert truth["true_cosine"] == pytest.approx(1)
    finished = networks.loc[networks["status"] == "finished"]
    for sigma in known_density.SIGMAS:
        assert (finished[f"loss_{sigma:g}"] > truth[f"loss_{sigma:g}"]).all()


def test_strengths_multiply_the_presets_weight_and_nothing_else() -> None:
    for one in known_density.plan():
        usual = preset("quick", "mnist5k", one.method, one.seed).penalty
        weight = one.settings.penalty.get("weight")
        assert weight == (pytest.approx(usual["weight"] * one.strength) if usual else None)
        assert {**one.settings.penalty, "weight": 0} == {**usual, "weight": 0}


def test_a_study_trains_as_the_tiers_do(tmp_path: Path) -> None:
    """The same penalty on the same images, as floats: what differs is the order of the batches."""
    settings = preset("tiny", "mnist5k", "gradient_norm", 1, epochs=3)
    from companion import data
    from companion.experiments import training

    images = data.load("mnist5k")
    x, y = data.to_float(images.x_train[:256]), images.y_train[:256]
    model = known_density.train(settings, x, y)
    assert model is not None
    usual = training.train(settings, directory=tmp_path, progress=False).model()
    with torch.no_grad():
        losses = [torch.nn.functional.cross_entropy(net(x), y).item() for net in (model, usual)]
    assert losses[0] == pytest.approx(losses[1], rel=0.3)


def test_a_training_that_diverges_says_so() -> None:
    settings = preset("tiny", "mnist5k", "baseline", 0, learning_rate=1e20)
    assert known_density.train(settings, torch.rand(128, 1, 28, 28), torch.arange(128) % 10) is None


def test_parts_add_up_to_the_logit() -> None:
    logits = torch.randn(5, 7, dtype=torch.float64)
    part = {name: denoising.Part(torch.nn.Identity(), name)(logits) for name in denoising.PARTS}
    assert torch.allclose(part["own"] + part["others"] + part["free"], part["whole"])
    assert torch.allclose(part["own"] + part["others"], part["centred"])
    assert torch.allclose(part["centred"].softmax(1), logits.softmax(1))


def test_a_committed_row_is_what_the_weights_give() -> None:
    run = runs.find("quick", "mnist5k", "baseline", 0)
    table = studies.read("denoising")
    mine = table.loc[
        (table["tier"] == "quick")
        & (table["method"] == "baseline")
        & (table["seed"] == 0)
        & (table["part"] == "whole")
    ]
    assert set(mine["weights_sha256"]) == {run.record.weights_sha256}
    few = pd.DataFrame(denoising.measure(run, 60, parts=["whole"]))
    apart = (few["loss"].to_numpy() - mine["loss"].to_numpy()) / few["loss_standard_error"]
    assert (apart.abs() < 5).all()


def test_the_truth_as_a_network_gives_the_mixtures_logits_for_images() -> None:
    mixture = known_density.density()
    x, y = known_density.draw(mixture, 5, 0)
    logits = mixture.classifier()(x.double())
    assert torch.allclose(logits, mixture.log_joint(x.double().flatten(1)))
    score = mixture.score(x.double().flatten(1), y).view_as(x)
    found = metrics.score_alignment(mixture.classifier(), x.double(), y, score)
    assert found.loss == pytest.approx(0, abs=1e-9)
