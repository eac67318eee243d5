"""The runs that are missing: every one the claims rest on, each with a command that makes just this run."""

from __future__ import annotations

import re
import shlex

import pytest

from companion import claims, cli, making
from companion.claims import missing
from companion.claims.evidence.records import Shelf
from companion.claims.rule import NotYetRun
from companion.experiments import presets, series
from companion.experiments.methods import METHODS
from companion.experiments.series import COLLAPSE, NOISES, SWEEP
from tests.claims.conftest import Maker

MODELS = 1 + 3 * 4  # the judge, and four models with three seeds, on CIFAR-100
MODELS_10 = 1 + 4  # with one seed on CIFAR-10
EXTRA = 9 + 20  # chapter 6's runs and Table 2's, on one data set


def test_without_any_record_all_runs_of_both_tiers_are_listed(make_run: Maker) -> None:
    found = claims.not_yet_run()
    assert len(found) == 2 * (MODELS + MODELS_10 + EXTRA)
    assert len({run.run_id for run in found}) == len(found)
    plan = [s for tier in missing.LARGER for s in series.committed_plan(tier)]
    # No claim rests on the runs with other weights.
    planned = {s.run_id for s in plan if s.role != "strength" and (s.name == "judge" or s.is_evaluated)}
    assert planned <= {run.run_id for run in found}


def test_every_command_makes_the_run_that_it_is_listed_for(make_run: Maker) -> None:
    for run in claims.not_yet_run():
        program, *words = shlex.split(run.command)
        options = cli.parser().parse_args(words)
        settings = making.chosen_settings(options)
        assert program == "companion"
        assert settings.run_id == run.run_id
        assert options.evaluate == settings.is_evaluated
        assert options.device == ("cuda" if run.tier == "paper" else "cpu")


def test_the_extra_runs_have_the_constants_that_their_names_say(make_run: Maker) -> None:
    shelf = Shelf(tier="paper", dataset="cifar100")
    cell = shelf.settings("sweep-weight1e-05-mu1e-03")
    assert (cell.penalty["weight"], cell.penalty["mu"], cell.width, cell.epochs) == (1e-5, 1e-3, 64, 10)
    assert list(SWEEP) == [settings.name for settings in series.sweep()]
    ours = {name: shelf.settings(name) for name in (*COLLAPSE, *NOISES)}
    for settings in series.collapse():
        name = settings.name
        assert ours[name].penalty["mu"] == settings.penalty["mu"]
        assert ours[name].penalty["weight"] == settings.penalty["weight"]
        assert ours[name].input_noise == settings.input_noise


def test_the_judge_and_the_baselines_come_before_what_is_measured_with_them(make_run: Maker) -> None:
    names = [run.run_id.rpartition("/")[2] for run in claims.not_yet_run(["small"])][:MODELS]
    assert names[0] == "judge-seed1000"
    for seed in presets.SEEDS["small"]["cifar100"]:
        assert names.index(f"baseline-seed{seed}") < min(
            names.index(f"{method}-seed{seed}") for method in METHODS if method != "baseline"
        )


def test_a_run_with_a_record_is_not_listed(make_run: Maker) -> None:
    make_run("baseline", 1, tier="small", dataset="cifar100", committed=True)
    make_run("baseline", 2, tier="small", dataset="cifar100")
    listed = {run.run_id for run in claims.not_yet_run(["small"])}
    assert "small/cifar100/baseline-seed0" in listed
    assert not {"small/cifar100/baseline-seed1", "small/cifar100/baseline-seed2"} & listed
    committed = {run.run_id for run in claims.not_yet_run(["small"], places=("results",))}
    assert committed - listed == {"small/cifar100/baseline-seed2"}


def test_the_commands_are_grouped_and_none_is_listed_when_all_have_run(make_run: Maker) -> None:
    text = claims.markdown(claims.not_yet_run(["paper"]))
    assert re.match(r"\d+ runs without a record\.", text)
    assert "Tier paper, CIFAR-100, the judge and the four models: 13 runs" in text
    assert "Tier paper, CIFAR-100, the cells of Table 2: 20 runs" in text
    assert text.count("--device cuda\n") == MODELS + MODELS_10 + EXTRA
    for run in claims.not_yet_run(["small"]):
        name, _, seed = run.run_id.rpartition("/")[2].rpartition("-seed")
        make_run(name, int(seed), tier="small", dataset=run.dataset)
    assert claims.markdown(claims.not_yet_run(["small"])).startswith("Nothing is missing")


def test_a_cell_names_the_same_command_as_the_section(make_run: Maker) -> None:
    shelf = Shelf(tier="small", dataset="cifar100")
    with pytest.raises(NotYetRun) as stop:
        shelf.runs("collapse-noise")
    assert str(stop.value) in {run.command for run in claims.not_yet_run(["small"])}


def test_an_unknown_tier_or_run_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'paper'"):
        claims.not_yet_run(["huge"])
    with pytest.raises(ValueError, match="'collapse-naive'"):
        Shelf(tier="small", dataset="cifar100").settings("collapse")
