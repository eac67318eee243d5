"""The strongest evidence, and what single networks can say."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from companion.book import density, one_network, strongest, tables
from companion.experiments import provenance
from companion.experiments.methods import METHODS
from companion.experiments.records import Record

ROOT = provenance.PROJECT
NETWORKS = [f"{name}-seed0" for name in METHODS]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the first networks of the small tier alone."""
    for name in NETWORKS:
        source = ROOT / "results" / "small" / "cifar100" / name
        shutil.copytree(source, tmp_path / "results" / "small" / "cifar100" / name)
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    return tmp_path


def put_on_the_papers_tier(project: Path, name: str) -> None:
    """Lay a network of the small tier where the paper's would lie."""
    target = project / "results" / "paper" / "cifar100" / name
    shutil.copytree(project / "results" / "small" / "cifar100" / name, target)
    record = Record.read(target / "record.json")
    moved = replace(record, tier="paper", settings={**record.settings, "tier": "paper"})
    moved.write(target / "record.json")


def test_the_papers_tier_counts_once_all_four_methods_have_the_table(project: Path) -> None:
    *some, last = NETWORKS
    for name in some:
        put_on_the_papers_tier(project, name)
    assert strongest.strongest(table="samples").shelf == ("small", "cifar100")
    put_on_the_papers_tier(project, last)
    found = strongest.strongest(table="samples")
    assert (found.shelf, found.seeds) == (("paper", "cifar100"), 1)
    assert "the paper's network" in found.described()
    assert "one network each, seed 0" in found.described()
    assert found.notes() == "The records carry no notes of how they were made."
    (project / "results" / "paper" / "cifar100" / last / "samples.csv").unlink()
    assert strongest.strongest(table="samples").tier == "small"
    assert strongest.strongest(table="density_ratio").tier == "paper"


def test_a_note_stands_once_behind_the_methods_whose_records_have_it(project: Path) -> None:
    for name, notes in zip(NETWORKS, (["All."], ["All."], ["All."], ["Mine.", "All."]), strict=True):
        path = project / "results" / "small" / "cifar100" / name / "record.json"
        replace(Record.read(path), notes=notes).write(path)
    said = strongest.strongest().notes()
    assert said == "All. Of gradient norm: Mine."


def test_samples_are_paired_and_a_metric_without_its_images_is_not(project: Path) -> None:
    samples = tables.run_rows("small", "cifar100", "samples").set_index("model")["correct"].astype(float)
    found = one_network.compared("small", "cifar100", "gan_test").set_index("model").loc["gradient_norm"]
    apart = samples.loc["gradient_norm"].to_numpy() - samples.loc["baseline"].to_numpy()
    assert (found["value"], found["n"]) == (pytest.approx(apart.mean()), len(apart))
    # Student's quantile for a thousand samples.
    assert found["high"] - found["value"] == pytest.approx(
        1.9623 * apart.std(ddof=1) / len(apart) ** 0.5, rel=1e-3
    )
    area = one_network.compared("small", "cifar100", "perturbation_own_gradient").set_index("model")
    each = tables.run_table("small", "cifar100", "perturbation_own_gradient").set_index("model")
    reach = each["high"] - each["value"]
    wide = np.hypot(reach["gradient_norm"], reach["baseline"])
    assert area.loc["gradient_norm", "high"] - area.loc["gradient_norm", "value"] == pytest.approx(wide)


def test_the_variance_of_trace_plus_norm_follows_from_the_records_three() -> None:
    trace, norm = np.random.default_rng(0).normal(size=(2, 50))
    norm = norm + 0.5 * trace
    whole = 2 * np.var(trace + norm / 2) - np.var(trace) + np.var(norm) / 2
    assert whole == pytest.approx(np.var(trace + norm))


def test_scaled_logits_have_scaled_log_ratios() -> None:
    rows = tables.run_rows("small", "cifar100", "density_ratio")
    norms = tables.run_table("small", "cifar100", "squared_norm")
    found = density.steadiness(rows, norms, [0.2])
    base = rows[(rows["model"] == "baseline") & (rows["sigma"] == 0.2)].set_index("seed")["log_ratio"].abs()
    size = norms.set_index(["model", "seed"])["value"]
    factor = (size.loc["gradient_norm"] / size.loc["baseline"]) ** 0.5
    assert found.loc["gradient_norm", "scaled"] == pytest.approx((factor * base).mean())
