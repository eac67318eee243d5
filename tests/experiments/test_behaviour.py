"""Today's code computes what the records' code did; code that computes something else is found out."""

from __future__ import annotations

import inspect
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from companion import metrics
from companion.experiments import behaviour, cases, provenance, registry, shelf, training
from companion.losses import batch_norm, perturbed_pass, score_matching
from companion.trace.taylor import from_differences

ROOT = Path(__file__).resolve().parents[2]
JOINT = "step method=score_matching variant=central norm=pair batch_norm=joint squared=biased"
UNBIASED = JOINT.replace("squared=biased", "squared=unbiased")
LOOP = "loop network=resnet9 schedule=one_cycle augment=False precision=float32 input_noise=False"


def test_todays_code_computes_what_the_records_code_did_and_is_registered() -> None:
    before = registry.read()
    after, deviations = behaviour.accept(before, again=True)
    moved = [one for one in deviations if not one.is_rounding]
    assert not moved
    assert {one.case for one in deviations} == set(behaviour.users())
    assert after == before, "the code has changed: companion behaviour --accept"


def test_no_committed_record_is_of_earlier_code() -> None:
    assert not [run.settings.run_id for run in shelf.committed() if run.from_earlier_code]


def test_every_case_of_a_committed_run_has_a_reference() -> None:
    found = registry.read()
    for run in shelf.committed():
        for kind in run.record.source_hash:
            for name in provenance.cases(kind, run.settings):
                assert found.reference[kind][name], (run.settings.run_id, kind, name)


def mutant(function: Callable[..., Any], old: str, new: str) -> Any:  # noqa: ANN401
    """Return a function with one text in its source replaced."""
    plain = inspect.unwrap(function)
    source = inspect.getsource(plain)
    assert old in source
    namespace = dict(plain.__globals__)
    exec(source.replace(old, new), namespace)
    return namespace[plain.__name__]


def deviation(kind: str, name: str) -> behaviour.Deviation:
    """Compare today's code, as it is now, with the recorded code on one case."""
    return behaviour.compare(
        (kind, name), registry.read().reference[kind].get(name), cases.measure(kind, name)
    )


def of_wrong_rows(patch: pytest.MonkeyPatch) -> None:
    """The running statistics come from the perturbed copies."""
    wrong = mutant(batch_norm.joint_statistics, "batch[:num_clean]", "batch[-num_clean:]")
    patch.setattr(perturbed_pass, "joint_statistics", wrong)


def of_sigma(patch: pytest.MonkeyPatch) -> None:
    """A difference is divided by sigma and not by its square."""
    wrong = mutant(from_differences, "sigma**2", "sigma")
    patch.setattr(perturbed_pass, "from_differences", wrong)


def of_a_biased_square(patch: pytest.MonkeyPatch) -> None:
    """The square of the mean stands for the unbiased square."""
    patch.setattr(score_matching, "unbiased_square", lambda samples: samples.mean(0).square())


def of_no_weight_decay(patch: pytest.MonkeyPatch) -> None:
    """The optimiser is not told of the weight decay."""
    wrong = mutant(training.train, "weight_decay=settings.weight_decay", "weight_decay=0.0")
    patch.setattr(training, "train", wrong)


def of_ranks_reversed(patch: pytest.MonkeyPatch) -> None:
    """The most relevant pixels go first where the least relevant are meant to."""
    wrong = mutant(metrics.pixel_perturbation, 'order == "most"', 'order != "most"')
    patch.setattr(metrics, "pixel_perturbation", wrong)


def of_a_judge_in_training_mode(patch: pytest.MonkeyPatch) -> None:
    """The judge normalises by the statistics of what it judges."""
    wrong = mutant(metrics.gan_test, "with evaluation_mode(judge):", "if judge.train():")
    patch.setattr(metrics, "gan_test", wrong)


@pytest.mark.parametrize(
    ("make", "kind", "name"),
    [
        (of_wrong_rows, "train", JOINT),
        (of_sigma, "train", JOINT),
        (of_a_biased_square, "train", UNBIASED),
        (of_no_weight_decay, "train", LOOP),
        (of_ranks_reversed, "evaluate", "pixel_perturbation"),
        (of_a_judge_in_training_mode, "evaluate", "samples"),
    ],
)
def test_a_mutant_is_refused(
    make: Callable[[pytest.MonkeyPatch], None], kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(monkeypatch)
    found = deviation(kind, name)
    assert found.case == (kind, name)
    assert found.worst > 10 * found.allowed, found


def test_a_missing_quantity_nan_and_another_count_are_no_rounding() -> None:
    case = ("train", "step")
    reference = {"a 0": 1.0, "a 1": -1.0, "count b": 3.0}
    same = behaviour.compare(case, reference, {"a 0": 1.0, "a 1": -1.0 + 1e-9, "count b": 3.0})
    assert same.is_rounding
    assert same.worst == pytest.approx(1e-9)
    for now in (
        {"a 0": 1.0, "a 1": -1.0},
        {"a 0": math.nan, "a 1": -1.0, "count b": 3.0},
        {"a 0": 1.0, "a 1": -1.0, "count b": 4.0},
        {"a 0": 1.0, "a 1": -1.0, "count b": 3.0, "c": 0.0},
    ):
        assert behaviour.compare(case, reference, now).worst == math.inf
    assert not behaviour.compare(case, None, reference).is_rounding


def test_an_unknown_case_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no case 'step method=baseline' of 'evaluate'"):
        cases.measure("evaluate", "step method=baseline")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, to be changed: its package and its results."""
    root = tmp_path_factory.mktemp("copy")
    for name in ("companion", "results"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def command(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "companion.cli", *words],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    encoding="utf-8")  # fmt: skip


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, old
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_refactor_keeps_every_record_and_a_mutant_ages_those_that_rest_on_it(copy: Path) -> None:
    package, registered = copy / "companion", copy / "results" / "behaviour.json"
    edit(package / "sampling.py", "def _climb(", "# A comment.\ndef _climb(")
    done = command(copy, "records")
    assert done.returncode == 0, done.stdout + done.stderr
    untouched = registered.read_bytes()

    # A moved file, a renamed variable, a fused loop: each is other code, until it is compared.
    (package / "metrics" / "gan_test.py").rename(package / "metrics" / "judged.py")
    for path in package.rglob("*.py"):
        path.write_text(
            path.read_text(encoding="utf-8").replace(
                "companion.metrics.gan_test import", "companion.metrics.judged import"
            ),
            encoding="utf-8",
        )
    measurements = package / "experiments" / "measurements.py"
    text = measurements.read_text(encoding="utf-8")
    measurements.write_text(re.sub(r"\bquality\b", "found_quality", text), encoding="utf-8")
    edit(
        measurements,
        "        for name, samples in values.items():\n            interval = mean_interval(samples)",
        "        for name in values:\n            interval = mean_interval(samples := values[name])",
    )
    done = command(copy, "records")
    assert done.returncode == 1
    evaluated = sum("evaluate" in run.record.source_hash for run in shelf.committed())
    assert f"{evaluated} by earlier code" in done.stdout
    assert "companion behaviour says on what the code has changed its answer" in done.stdout
    done = command(copy, "behaviour", "--accept")
    assert done.returncode == 0, done.stdout + done.stderr
    assert registered.read_bytes() != untouched
    done = command(copy, "records")
    assert done.returncode == 0, done.stdout
    assert "earlier" not in done.stdout

    accepted = registered.read_bytes()
    edit(package / "metrics" / "judged.py", "with evaluation_mode(judge):", "if judge.train():")
    done = command(copy, "behaviour", "--accept")
    assert done.returncode == 1
    (moved,) = re.findall(r"^moved .*?allowed  (.*?):", done.stdout, re.MULTILINE)
    assert moved == "evaluate samples"
    said = [line.strip() for line in done.stdout.splitlines() if "companion evaluate" in line]
    wanted = {run.settings.run_id for run in shelf.committed() if "evaluate" in run.record.source_hash}
    assert len(said) == len(wanted)
    assert "companion evaluate results/quick/mnist5k/baseline-seed0" in said
    assert any(
        line.endswith("companion evaluate --brief _runs/quick/mnist5k/sweep-weight1e-02-mu1e-02-seed0")
        for line in said
    )
    noted = json.loads(registered.read_text(encoding="utf-8"))["codes"]
    new = [row for row in noted if row not in json.loads(accepted)["codes"]]
    assert {row["case"] for row in new} == {*provenance.WHOLE_EXPERIMENTS} - {"samples"}
