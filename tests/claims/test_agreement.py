"""The check: a page agrees with the committed records, or each claim that does not is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from companion import claims, cli
from companion.claims.evidence import networks
from companion.experiments import provenance
from companion.experiments.methods import METHODS
from tests.claims.conftest import Maker

# The package has functions of the same names.
table, check = (import_module(f"companion.claims.{name}") for name in ("table", "check"))
JUDGED = ("perturbation-is-density-ratio", "accuracy-baseline", "perturbation-own", "cifar10", "advice")
OWN = ("perturbation_own_gradient", "relative_perturbation_own_gradient", "test_accuracy")
Writer = Callable[..., Path]


@pytest.fixture
def write_page(make_run: Maker, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """Return a function that puts the page of some quickly judged claims where a build puts it."""
    some = tuple(claim for claim in claims.claims() if claim["id"] in JUDGED)
    for module in (table, check):
        monkeypatch.setattr(module, "claims", lambda: some)
    for tier, dataset in (("quick", "mnist5k"), ("small", "cifar100")):
        for place, name in enumerate(METHODS):
            for seed in range(3 if tier == "quick" else 1):
                values = dict.fromkeys(OWN, 0.5 + 0.1 * place + 0.01 * seed * (place + 1))
                make_run(name, seed, values, tier=tier, dataset=dataset, committed=True)

    def write(frame: pd.DataFrame | None = None, name: str = check.PAGES[0], edit: str = "") -> Path:
        shown = claims.by_tier() if frame is None else frame
        html = f"{claims.html_overview(shown)}\n{claims.html_page(shown)}"
        assert edit in html
        html = html.replace(edit, "edited", 1) if edit else html
        cells = [
            {"cell_type": "markdown", "source": ["# The claims"]},
            {"cell_type": "code", "outputs": [{"data": {"text/html": html.splitlines(keepends=True)}}]},
        ]
        path = provenance.PROJECT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps({"cells": cells}) if path.suffix == ".ipynb" else f"<html>{html}</html>",
            encoding="utf-8",
        )
        return path

    return write


def test_a_page_of_the_committed_records_agrees(
    write_page: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_page()
    assert cli.main(["claims", "--check"]) == 0
    assert f"{path} agrees with the committed records: 11 verdicts" in capsys.readouterr().out


def test_the_built_page_is_checked_where_no_executed_one_is(
    write_page: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_page(name=check.PAGES[1])
    assert cli.main(["claims", "--check"]) == 0
    assert str(path) in capsys.readouterr().out


def test_a_record_that_changed_since_is_named_with_both_values(
    write_page: Writer, make_run: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_page()
    make_run("baseline", 0, {"test_accuracy": 0.79}, tier="small", dataset="cifar100", committed=True)
    assert cli.main(["claims", "--check", str(path)]) == 1
    shown = capsys.readouterr().out
    assert "accuracy-baseline at tier small: the page says 50 (48 to 52), the records 79 (77 to 81)" in shown
    assert "perturbation-own at tier small: the page says 'opposite for one network each'" in shown
    assert "quick" not in shown


def test_an_interval_that_moved_is_named_though_the_verdict_is_the_same(write_page: Writer) -> None:
    frame = claims.by_tier()
    row = (frame["id"] == "accuracy-baseline") & (frame["tier"] == "quick")
    frame.loc[row, "high"] *= 1 + 1e-5
    (found,) = check.check(write_page(frame)).differences
    assert found.startswith("accuracy-baseline at tier quick: the page says 51 (48.5159 to 53.4")
    frame.loc[row, "high"] /= 1 + 1e-5
    frame.loc[row, "low"] *= 1 + 1e-9
    assert check.check(write_page(frame)).differences == []


def test_a_run_made_here_that_is_not_committed_is_named_as_the_cause(
    write_page: Writer, make_run: Maker
) -> None:
    make_run("baseline", 5, {"test_accuracy": 0.7})
    report = check.check(write_page())
    (found,) = report.differences
    assert found.startswith("accuracy-baseline at tier quick: the page says n = 4, the records n = 3")
    assert found.endswith("of this machine that are not committed: _runs/quick/mnist5k/baseline-seed5)")


def test_a_run_made_here_beside_the_same_committed_one_changes_nothing(
    write_page: Writer, make_run: Maker
) -> None:
    make_run("baseline", 0, {"test_accuracy": 0.1, OWN[0]: 0.1})
    assert check.check(write_page()).differences == []


@pytest.mark.parametrize(
    ("shown", "what"), [("test accuracy 51.0\u00a0%", "list of claims"), ('empty">…', "first screen")]
)
def test_what_was_edited_by_hand_is_found_in_what_is_shown(write_page: Writer, shown: str, what: str) -> None:
    (found,) = check.check(write_page(edit=shown)).differences
    assert found.startswith(f"the {what} that the page shows")
    assert "edited by hand, or made by other code" in found


def test_a_claim_that_the_page_lacks_or_has_too_many_is_named(write_page: Writer) -> None:
    frame = claims.by_tier().replace({"id": {"advice": "rumour"}})
    assert check.check(write_page(frame)).differences == [
        "advice: not on the page",
        "rumour: on the page, but no such claim",
    ]


def test_of_an_exact_claim_the_verdict_counts_and_not_its_rounding_errors() -> None:
    row = {"id": "a", "kind": "exact", "verdict": "holds", "n": 8, "value": 1e-9, "measured": "off by 1e-17"}
    assert check.difference(row, row | {"value": 3e-9, "measured": "off by 3e-17"}) == ""
    assert "'does not hold'" in check.difference(row, row | {"verdict": "does not hold"})


def test_what_networks_are_asked_again_may_differ_by_a_tenth() -> None:
    row = {"id": "adversarial", "kind": "order", "verdict": "undecided", "n": 3, "measured": "a"}
    row |= {"value": 20.0, "low": -10.0, "high": 50.0}
    assert check.difference(row, row | {"value": 24.0, "measured": "b"}) == ""
    assert "20 (-10 to 50), the records 26 (-10 to 50)" in check.difference(row, row | {"value": 26.0})
    nothing = row | dict.fromkeys(("low", "high"), float("nan"))
    assert check.difference(nothing, nothing) == ""
    assert check.difference(row, nothing) != ""


def test_what_needs_images_that_are_not_here_is_skipped_and_named(
    write_page: Writer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path))
    networks.images_of.cache_clear()
    with pytest.raises(claims.NotYetRun) as stop:
        networks.images_of("cifar100")
    row = {"missing": str(stop.value), "dataset": "cifar100"}
    assert check._lacks_images(row)
    assert not check._lacks_images(row | {"missing": "companion train"})


def test_without_a_page_the_command_says_where_it_looked(
    make_run: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["claims", "--check"]) == 1
    said = capsys.readouterr().err
    assert "there is no page of claims to check, neither _executed/15_claims.ipynb nor _build/html/" in said
    assert cli.main(["claims", "--check", str(tmp_path / "no.ipynb")]) == 1
    assert f"there is no page {tmp_path / 'no.ipynb'}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"cells": []}', "holds no table of claims as data"),
        (
            json.dumps(
                {
                    "cells": [
                        {
                            "outputs": [
                                {
                                    "data": {
                                        "text/html": '<script type="application/json" class="claims-data">{}'
                                        "</script>"
                                    }
                                }
                            ]
                        }
                    ]
                }
            ),
            "holds no table of claims as data",
        ),
    ],
)
def test_a_file_that_is_not_the_page_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "page.ipynb"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=sentence):
        check.read(path)
