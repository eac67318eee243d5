"""The table: all 31 claims, records made by hand, and the verdicts that follow from them."""

from __future__ import annotations

import math
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from companion import claims
from companion.claims.evidence import curves, densities, networks, numbers
from companion.claims.evidence.records import Reading, Shelf, compare, metric
from companion.experiments import measurements, records, series, shelf
from companion.experiments.methods import METHODS
from companion.metrics.intervals import Interval, independent_difference_interval, wilson
from tests.claims.conftest import Maker

table = import_module("companion.claims.table")  # The package has a function of the same name.
SHELF = Shelf(tier="quick", dataset="mnist5k")
BETTER = {"baseline": 0.6, "score_matching": 0.8, "gradient_norm": 0.9, "anti_score_matching": 0.3}

OWN = ("perturbation_own_gradient", "relative_perturbation_own_gradient")


def judged(name: str, shelf: Shelf = SHELF) -> dict[str, Any]:
    (claim,) = (claim for claim in claims.claims() if claim["id"] == name)
    return table.row(claim, shelf)


def readings(values: dict[int, float]) -> dict[int, Reading]:
    return {seed: Reading.plain(value) for seed, value in values.items()}


def make_four(make_run: Maker, metrics: dict[str, dict[str, float]], seeds: int = 3) -> None:
    """Write records whose seeds differ a little, by the same amount in each model but for a hundredth."""
    for name in METHODS:
        for seed in range(seeds):
            jitter = 0.01 * seed + 0.0001 * (seed % 2) * len(name)
            make_run(name, seed, {key: values[name] + jitter for key, values in metrics.items()})


def test_every_claim_has_a_measure_and_every_measure_a_claim() -> None:
    ids = [claim["id"] for claim in claims.claims()]
    assert len(ids) == 31
    assert list(table.MEASURES) == ids


def test_every_chapter_exists_in_the_table_of_contents() -> None:
    contents = (Path(claims.__file__).parents[2] / "_toc.yml").read_text(encoding="utf-8")
    assert all(f"_executed/{chapter}\n" in contents for chapter in claims.chapters().values())


def test_the_printed_numbers_of_both_lists_agree() -> None:
    printed = {claim["id"]: claim["value"] for claim in claims.claims() if claim["kind"] == "number"}
    parts = ("accuracy", "gan_test", "sweep")
    cifar100 = {part: claims.reported(f"cifar100.{part}") for part in parts}
    names = {"baseline": "baseline", "score-matching": "score_matching", "anti": "anti_score_matching"}
    for claim, method in (names | {"gradient-norm": "gradient_norm"}).items():
        assert printed[f"accuracy-{claim}"] == cifar100["accuracy"][method]
    assert printed["gan-test"] == [cifar100["gan_test"][name] for name in numbers.TABLE_1]
    column = cifar100["sweep"]["mu"].index(numbers.BEST[1])
    assert printed["sweep"] == cifar100["sweep"]["1e-5"][column]
    assert cifar100["sweep"]["mu"] == list(series.SWEEP_MUS)


def test_without_any_record_every_judged_claim_says_how_to_make_one(
    make_run: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(networks.REPETITIONS, "small", 1)
    frame = claims.table("small", kinds=["order", "number"])
    timed = frame["id"] == "cost"
    assert set(frame.loc[~timed, "verdict"]) == {"not yet run"}
    commands = frame.loc[~timed, "measured"].str
    assert (commands.contains("companion train --tier small") | commands.contains("companion evaluate")).all()


def test_figure_3_is_reproduced_by_steady_differences_in_its_order(make_run: Maker) -> None:
    make_four(make_run, dict.fromkeys(OWN, BETTER))
    row = judged("perturbation-own")
    assert row["verdict"] == "reproduced"
    assert row["n"] == 3
    # Percentage points; baseline - anti-score-matching, whose jitter is the largest for its size.
    assert row["value"] == pytest.approx(30, abs=0.1)
    assert "n = 3 seeds" in row["measured"]
    assert row["records"].startswith("quick/mnist5k/baseline-seed0,1,2; ")


def test_figure_3_is_opposite_where_anti_score_matching_beats_the_baseline(make_run: Maker) -> None:
    turned = BETTER | {"anti_score_matching": 0.7}
    make_four(make_run, dict.fromkeys(OWN, turned))
    assert judged("perturbation-own")["verdict"] == "opposite"


@pytest.mark.parametrize(
    ("anti", "verdict"),
    [(0.3, "holds for one network each"), (0.9, "opposite for one network each"), (0.59, "undecided")],
)
def test_with_one_seed_an_order_is_one_of_networks_with_intervals_over_images(
    make_run: Maker, anti: float, verdict: str
) -> None:
    make_four(make_run, {"perturbation_common_gradient": BETTER | {"anti_score_matching": anti}}, seeds=1)
    row = judged("perturbation-baseline")
    assert row["verdict"] == verdict
    assert row["counted"] == "n = 1000 images or samples, 1 seed"


def test_the_interval_of_two_networks_adds_the_squares_of_their_own(make_run: Maker) -> None:
    first, second = (
        {0: Reading(interval=Interval(value=value, low=value - a, high=value + a, n=1000))}
        for value, a in ((5.0, 0.3), (2.0, 0.4))
    )
    found = compare("a - b", first, second)
    assert found.one_network
    assert (found.interval.low, found.interval.high) == pytest.approx((2.5, 3.5))


def test_samples_of_two_networks_are_compared_sample_by_sample(make_run: Maker) -> None:
    generator = torch.Generator().manual_seed(0)
    rough = torch.rand(1000, generator=generator, dtype=torch.float64)
    for name, values in (("baseline", rough), ("gradient_norm", rough - 0.01 + 0.001 * rough)):
        folder = make_run(name, 0, {"sample_total_variation": float(values.mean())})
        pd.DataFrame({"total_variation": values}).to_csv(folder / "samples.csv", index=False)
    read = metric("sample_total_variation")
    found = compare("a - b", *(SHELF.values(name, read) for name in ("baseline", "gradient_norm")))
    assert found.interval.value == pytest.approx(float((0.01 - 0.001 * rough).mean()))
    assert found.interval.high - found.interval.low < 1e-4  # Unpaired it would be 0.05.


def test_one_seed_without_an_interval_leaves_an_order_undecided(make_run: Maker) -> None:
    for name, level in (("baseline", 20.0), ("score_matching", 2.0)):
        curves = {"squared_norm_validation": [level], "trace_validation": [-5.0]}
        make_run(name, 0, history=curves)
    row = judged("small-gradients-in-training")
    assert row["verdict"] == "undecided"
    assert "no interval" in row["measured"]
    assert row["counted"] == "n = 1 seed"


def test_only_seeds_that_both_models_have_are_compared(make_run: Maker) -> None:
    first, second = readings({0: 1.0, 1: 2.0, 5: 100.0}), readings({0: 0.5, 1: 1.0, 7: -50.0})
    assert compare("a - b", first, second).interval.value == pytest.approx(0.75)
    assert compare("a - b", first, second).interval.n == 2
    with pytest.raises(claims.NotYetRun, match="same seed"):
        compare("a - b", readings({0: 1.0}), readings({1: 1.0}))


def test_a_run_that_was_not_evaluated_is_left_out(make_run: Maker) -> None:
    make_run("baseline", 0, {"squared_norm": 2.0})
    make_run("baseline", 1)
    assert {s: r.value for s, r in SHELF.values("baseline", metric("squared_norm")).items()} == {0: 2.0}
    with pytest.raises(claims.NotYetRun, match="companion evaluate _runs/quick/mnist5k/baseline-seed0"):
        SHELF.values("baseline", metric("gan_test"))


def make_densities(make_run: Maker, log_mean_ratios: dict[str, float], log_ratio: float = -3.0) -> None:
    """Write records with the same logarithm of the mean ratio at each noise level, and mean log-ratio."""
    levels = [f"log_ratio_{sigma:g}" for sigma in measurements.SIGMAS]
    for name, value in log_mean_ratios.items():
        for seed in range(3):
            jitter = 0.01 * seed + 0.0001 * (seed % 2) * len(name)
            folder = make_run(name, seed, dict.fromkeys(levels, log_ratio + jitter))
            rows = {"sigma": measurements.SIGMAS, "log_mean_ratio": value + jitter}
            rows |= {"log_mean_ratio_standard_error": 0.1, "effective_sample_size": 5.0, "n": 1000}
            pd.DataFrame(rows).to_csv(folder / "density_ratio.csv", index=False)


def test_density_ratios_are_judged_by_their_means_and_the_note_has_the_mean_logarithm(
    make_run: Maker,
) -> None:
    found = {"baseline": 1.0, "score_matching": -2.0, "gradient_norm": -0.5, "anti_score_matching": 4.0}
    make_densities(make_run, found)
    names = ("density-baseline", "density-anti", "density-regularised")
    assert {judged(name)["verdict"] for name in names} == {"reproduced"}
    assert "5 images carry it" in judged("density-baseline")["measured"]
    assert "noise has the lower density" in judged("density-baseline")["measured"]
    assert judged("density-baseline")["value"] == pytest.approx(math.exp(1.01), rel=1e-2)
    assert densities.SMALL_NOISE + densities.LARGE_NOISE == measurements.SIGMAS


def test_a_mean_density_ratio_that_noise_lowers_is_opposite(make_run: Maker) -> None:
    found = {"baseline": -1.0, "score_matching": -0.5, "gradient_norm": 0.5, "anti_score_matching": -4.0}
    make_densities(make_run, found, log_ratio=2.0)
    names = ("density-baseline", "density-anti", "density-regularised")
    assert {judged(name)["verdict"] for name in names} == {"opposite"}
    assert "noise has the higher density" in judged("density-baseline")["measured"]


def test_samples_are_smoother_where_less_is_measured(make_run: Maker) -> None:
    rougher = {"baseline": 0.5, "score_matching": 0.2, "gradient_norm": 0.3, "anti_score_matching": 0.6}
    make_four(make_run, {"sample_total_variation": rougher, "sample_high_frequency_share": rougher})
    assert judged("samples")["verdict"] == "reproduced"
    assert judged("samples")["measured"].count("baseline - score-matching +0.3") == 2


def test_gan_test_shows_numbers_of_other_data_and_judges_their_order(make_run: Maker) -> None:
    make_four(make_run, {"gan_test": BETTER})
    row = judged("gan-test")
    assert row["verdict"] == "other data; order reproduced"
    assert row["reported"] == "59.47 %, 16.40 %, 80.07 %, 72.75 %"


def test_an_accuracy_of_the_papers_network_on_its_data_agrees_or_differs(make_run: Maker) -> None:
    shelf = Shelf(tier="paper", dataset="cifar100")
    for seed, value in enumerate((0.775, 0.780, 0.785)):
        make_run("baseline", seed, {"test_accuracy": value}, tier="paper", dataset="cifar100")
        make_run("gradient_norm", seed, {"test_accuracy": value - 0.1}, tier="paper", dataset="cifar100")
    row = judged("accuracy-baseline", shelf)
    assert row["verdict"] == "agrees"
    assert judged("accuracy-gradient-norm", shelf)["verdict"] == "differs"
    assert "resnet18 of width 64, trained for 10 epochs" in row["measured"]


def test_an_accuracy_of_another_network_is_not_compared_with_the_printed_one(make_run: Maker) -> None:
    make_run("baseline", 0, {"test_accuracy": 0.78}, tier="small", dataset="cifar100")
    row = judged("accuracy-baseline", Shelf(tier="small", dataset="cifar100"))
    assert row["verdict"] == "other network"
    assert "resnet9 of width 16" in row["measured"]


def test_a_single_runs_accuracy_has_the_interval_over_its_images(make_run: Maker) -> None:
    make_run("baseline", 0, {"test_accuracy": 0.97})
    row = judged("accuracy-baseline")
    assert (row["value"], row["low"], row["high"], row["n"]) == pytest.approx((97.0, 95.0, 99.0, 1000))
    assert "n = 1000 images" in row["measured"]


def make_collapse(make_run: Maker, ends: dict[str, float]) -> None:
    for name, end in ends.items():
        for seed in range(3):
            make_run(f"collapse-{name}", seed, history={"trace_train": [-10.0 - seed, end - seed]})


def test_collapse_needs_a_fall_and_a_place_below_the_stabilised_runs(make_run: Maker) -> None:
    make_collapse(make_run, {"naive": -5000.0, "noise": -4000.0, "stable": -20.0})
    assert [judged(name)["verdict"] for name in ("collapse", "noise-does-not-help", "square-stabilises")] == [
        "reproduced"
    ] * 3


def test_noise_that_cures_the_collapse_is_opposite(make_run: Maker) -> None:
    make_collapse(make_run, {"naive": -5000.0, "noise": -5.0, "stable": -20.0})
    assert judged("noise-does-not-help")["verdict"] == "opposite"


def test_runs_that_diverge_at_once_count_as_collapsed(make_run: Maker) -> None:
    make_collapse(make_run, {"stable": -20.0})
    for seed in range(3):
        make_run("collapse-naive", seed, status="diverged", diverged={"epoch": 1, "step": 7})
    row = judged("collapse")
    assert row["verdict"] == "reproduced"
    assert "3 of 3 collapse-naive runs stopped" in row["measured"]


@pytest.mark.parametrize(("trace", "verdict"), [(-5.0, "opposite"), (-50_000.0, "reproduced")])
def test_small_gradients_need_a_low_norm_and_an_estimate_with_little_noise(
    make_run: Maker, trace: float, verdict: str
) -> None:
    for seed in range(3):
        for name, level in (("baseline", 20.0), ("score_matching", 2.0)):
            norms = [
                level * (1 + 0.01 * seed),
                3 * level * (1 + 0.01 * seed + 0.001 * (seed % 2) * len(name)),
            ]
            curves = {"squared_norm_validation": norms, "trace_validation": [trace, trace]}
            make_run(name, seed, history=curves)
    row = judged("small-gradients-in-training")
    assert row["verdict"] == verdict
    assert "on average 40" in row["measured"]  # 2 sqrt(4.04) / 0.01


def test_sweep_needs_every_cell(make_run: Maker) -> None:
    for settings in series.sweep():
        best = (settings.penalty["weight"], settings.penalty["mu"]) == numbers.BEST
        worst = (settings.penalty["weight"], settings.penalty["mu"]) == numbers.FAILING
        assert judged("sweep")["verdict"] == "not yet run"
        make_run(settings.name, 0, {"test_accuracy": 0.1 if worst else 0.9, "gan_test": 0.9 if best else 0.5})
    assert judged("sweep")["verdict"] == "other data; order reproduced"


def test_newcombe_of_equal_proportions_contains_zero_and_is_antisymmetric() -> None:
    a, b = wilson(30, 100), wilson(45, 100)
    forth, back = independent_difference_interval(a, b), independent_difference_interval(b, a)
    assert (forth.value, forth.low, forth.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert independent_difference_interval(a, a).sign() == 0


def test_a_claim_about_cifar10_is_judged_on_it_and_at_no_tier_without_it(make_run: Maker) -> None:
    names = [*OWN, "perturbation_common_gradient", "map_spatial_smoothness", "map_edge_correlation"]
    for method in METHODS:
        for seed in range(3):
            values = {name: BETTER[method] + 0.001 * seed * (1 + len(method) % 3) for name in names}
            make_run(method, seed, values, tier="small", dataset="cifar10")
    frame = claims.by_tier(ids=["cifar10", "perturbation-own"]).set_index(["id", "tier"])["verdict"]
    assert frame["cifar10"].to_dict() == {
        "small": "reproduced", "paper": "not yet run", "quick": "not at this tier"
    }  # fmt: skip
    assert set(frame["perturbation-own"]) == {"not yet run"}


def test_a_run_without_a_whole_epoch_has_no_mean_of_a_curve(make_run: Maker) -> None:
    run = shelf.load(make_run("score_matching", 0, status="diverged", diverged={"epoch": 1, "step": 2}))
    assert math.isnan(curves.curve_mean("trace_train")(run).value)
    assert curves.depth()(run).value == math.inf
    make_run("score_matching", 1, history={"trace_train": [1.0, 3.0]})
    found = SHELF.values("score_matching", curves.curve_mean("trace_train"))
    assert {seed: reading.value for seed, reading in found.items()} == {1: 2.0}


def test_a_trace_above_zero_is_no_depth(make_run: Maker) -> None:
    run = shelf.load(make_run("score_matching", 0, history={"trace_train": [-9.0, 3.0]}))
    assert curves.depth()(run).value == 1.0
    assert curves.depth(end=False)(run).value == 10.0


def test_a_history_without_the_column_names_the_file_and_the_column(make_run: Maker) -> None:
    run = shelf.load(make_run("baseline", 0, history={"epoch": [1.0], "loss": [2.0]}))
    with pytest.raises(records.RecordError, match=r"history\.csv has no column 'trace_train'; it has epoch"):
        curves.curve_mean("trace_train")(run)


def test_the_note_on_relative_areas_says_what_each_interval_shows(make_run: Maker) -> None:
    relative = BETTER | {"score_matching": 0.6}
    make_four(make_run, {OWN[0]: BETTER, OWN[1]: relative})
    make_run("score_matching", 1, {OWN[0]: 0.8, OWN[1]: 0.2})
    assert (
        "clean accuracy: score-matching - baseline undecided; gradient norm - baseline above 0; "
        "baseline - anti-score-matching above 0." in judged("perturbation-own")["measured"]
    )


def test_exact_rows_say_how_many_points_they_rest_on(make_run: Maker) -> None:
    row = judged("perturbation-is-density-ratio")
    assert re.search(r"; n = [\d or]+ points or samples\.", row["measured"])


def test_a_damaged_record_is_reported_and_not_skipped(make_run: Maker) -> None:
    (make_run("baseline", 0, {"test_accuracy": 0.9}) / "record.json").write_text("{", encoding="utf-8")
    with pytest.raises(records.RecordError, match="not a whole record"):
        judged("accuracy-baseline")


def test_an_unknown_tier_or_kind_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'tiny', 'quick', 'small', 'paper'"):
        claims.table("huge")
    with pytest.raises(ValueError, match="'exact'"):
        claims.table("tiny", kinds=["fact"])


def test_tiers_side_by_side_have_a_row_each_and_what_no_tier_decides_has_one(make_run: Maker) -> None:
    make_run("baseline", 0, {"test_accuracy": 0.78}, tier="small", dataset="cifar100")
    ids = ["accuracy-baseline", "perturbation-is-density-ratio", "advice"]
    frame = claims.by_tier(("small", "paper", "quick"), ids=ids)
    assert frame["tier"].tolist() == ["", "small", "paper", "quick", ""]
    verdicts = frame.loc[frame["id"] == "accuracy-baseline", "verdict"]
    assert verdicts.tolist() == ["other network", "not yet run", "not yet run"]
    assert claims.at_tier(frame, "small")["verdict"].tolist() == ["holds", "other network", "shown"]
    with pytest.raises(ValueError, match="'paper'"):
        claims.by_tier(("huge",))


def test_one_seed_has_the_interval_of_its_images_and_samples_and_says_so(make_run: Maker) -> None:
    make_run("baseline", 0, {"test_accuracy": 0.78}, tier="paper", dataset="cifar100")
    for name in METHODS:
        make_run(name, 0, {"gan_test": BETTER[name]}, tier="small", dataset="cifar10")
    number = judged("accuracy-baseline", Shelf(tier="paper", dataset="cifar100"))
    assert number["decides"] == "test accuracy 78.0 % (76.0 to 80.0)"
    assert number["counted"] == "n = 1000 images, 1 seed"
    table_1 = judged("gan-test", Shelf(tier="small", dataset="cifar10"))
    assert table_1["counted"] == "n = 1000 samples, 1 seed"
    assert table_1["verdict"] == "other network; order holds for one network each"


def test_seeds_of_some_models_only_are_counted_beside_the_samples_of_the_others(make_run: Maker) -> None:
    make_four(make_run, {"gan_test": BETTER}, seeds=1)
    make_run("baseline", 1, {"gan_test": 0.5})
    assert judged("gan-test")["counted"] == "n = 2 or 1000 samples or seeds, 2 seeds"


def test_committed_records_come_first_side_by_side_and_own_ones_in_the_table(make_run: Maker) -> None:
    make_run("baseline", 0, {"test_accuracy": 0.9}, committed=True)
    make_run("baseline", 0, {"test_accuracy": 0.7})
    make_run("anti_score_matching", 0, {"test_accuracy": 0.5})
    ids = ["accuracy-baseline", "accuracy-anti"]
    frame = claims.by_tier(("quick",), ids=ids)
    assert frame["value"].tolist() == pytest.approx([90.0, 50.0])  # What is not committed is filled in.
    assert claims.by_tier(("quick",), ids=ids, places=shelf.OWN_FIRST)["value"].tolist() == pytest.approx(
        [70.0, 50.0]
    )
    assert judged("accuracy-baseline")["value"] == pytest.approx(70.0)
    only = claims.by_tier(("quick",), ids=ids, places=("results",))
    assert only["verdict"].tolist() == ["other data", "not yet run"]


def test_the_same_seed_gives_the_same_exact_row(make_run: Maker) -> None:
    first, second = judged("hutchinson-variance"), judged("hutchinson-variance")
    assert first["value"] == second["value"]
    assert torch.isfinite(torch.tensor(first["value"]))
