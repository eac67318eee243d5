"""The page: every verdict has a sign, every cell and every sentence comes from the table."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from companion import claims
from companion.claims import page

ROW = {
    "id": "a", "where": "section 1", "kind": "order", "text": "a < b", "reported": "", "tier": "quick",
    "dataset": "mnist5k", "value": 1.0, "low": 0.5, "high": 1.5, "n": 3, "counted": "n = 3 seeds",
    "decides": "a - b +1 (+0.5 to +1.5)", "measured": "a - b +1.", "verdict": "opposite", "missing": "",
    "chapter": "05_trace_estimators", "records": "quick/mnist5k/baseline-seed0",
    "paths": "results/quick/mnist5k/baseline-seed0; _runs/quick/mnist5k/baseline-seed5", "earlier": 1,
}  # fmt: skip
WAITING = {
    "verdict": "not yet run", "decides": "", "counted": "", "paths": "", "earlier": 0,
    "missing": "companion train",
}  # fmt: skip


def frame(*verdicts: str) -> pd.DataFrame:
    return pd.DataFrame([ROW | {"id": f"claim{n}", "verdict": v} for n, v in enumerate(verdicts)])


def test_the_table_escapes_text_links_the_chapter_and_scrolls() -> None:
    html = claims.html_table(frame("opposite"))
    assert "a &lt; b" in html
    assert '<a href="05_trace_estimators.html">5</a>' in html
    assert "overflow-x: auto" in html
    assert html.count("<tr>") == 2


def tiers(**changes: dict[str, object]) -> pd.DataFrame:
    """Return one claim's rows, a tier each."""
    data = {"small": "cifar100", "paper": "cifar100", "quick": "mnist5k"}
    return pd.DataFrame([ROW | {"tier": t, "dataset": data[t]} | change for t, change in changes.items()])


def test_each_tier_has_a_cell_with_verdict_number_interval_and_n() -> None:
    html = claims.html_table(tiers(small={"verdict": "reproduced"}, paper=WAITING, quick={}))
    assert re.findall(r"<th [^>]*>(?:tier )?([\w ]+)", html) == [
        "claim", "the paper says", "small", "paper", "quick"
    ]  # fmt: skip
    first, second, third = re.findall(r"<td.*?</td>", html)[2:]
    assert "✓ reproduced" in first
    assert "a - b +1 (+0.5 to +1.5); n = 3 seeds" in first
    assert "… not yet run" in second
    assert "✗ opposite" in third


def test_a_committed_record_is_linked_as_in_the_repository_and_one_made_here_is_named() -> None:
    html = claims.html_table(frame("opposite"))
    committed, own = (f"{path}/record.json" for path in ROW["paths"].split("; "))
    assert f'<a href="../{committed}" title="{committed}">0</a>' in html
    assert f'<span title="{own}">5 (made here)</span>' in html
    assert "5 (made here)</span>, 1 from earlier code</div>" in html


def test_the_records_of_many_models_are_folded() -> None:
    paths = "; ".join(f"results/quick/mnist5k/cell{n}-seed0" for n in range(20))
    assert "<summary>20 records, 1 from earlier code</summary>" in claims.html_table(
        frame("opposite").assign(paths=paths)
    )


def test_a_tier_without_runs_is_narrow_and_leads_to_the_list_of_commands() -> None:
    html = claims.html_table(tiers(small=WAITING, paper=WAITING, quick={}))
    assert re.findall(r"<th [^>]* width: ([\d.]+)%", html) == ["17", "17", "10", "10", "46"]
    assert html.count('<a href="#not-yet-run">not yet run</a>') == 2
    assert "companion train" not in html


def test_in_a_tier_with_some_runs_a_cell_without_one_folds_the_command() -> None:
    both = pd.concat([tiers(small={}), tiers(small=WAITING).assign(id="b")])
    assert "<summary>how to run it</summary>companion train</details>" in claims.html_table(both)


def test_a_claim_of_no_tier_has_one_cell_for_all() -> None:
    fact = {"id": "fact", "kind": "exact", "tier": "", "dataset": "", "verdict": "holds"}
    html = claims.html_table(pd.concat([tiers(small={}, paper={}, quick={}), frame("holds").assign(**fact)]))
    assert html.count('colspan="3"') == 1
    assert "✓ holds</span> (computed with this page, for every tier)<br>a - b +1." in html


def test_changes_name_the_verdicts_that_runs_made_here_turn() -> None:
    ours = frame("holds", "opposite").assign(paths="results/a; results/b")
    own = frame("holds", "undecided").assign(paths="results/a; _runs/b")
    assert "- *claim1*: opposite becomes undecided." in claims.changes(ours, own)
    assert "they change 1 of the 2 verdicts:" in claims.changes(ours, own)
    assert "they change none of the 2 verdicts." in claims.changes(own, own)
    assert "No run of this tier was made on this machine" in claims.changes(ours, ours)


def test_no_verdict_sets_the_colour_of_text_or_its_background() -> None:
    for name in page.MARKS:
        assert re.findall(r"(?:^|[\s;\"])(?:color|background[a-z-]*):", page.mark(name)) == []
        assert name in page.mark(name)


def test_signs_tell_for_from_against_without_colour() -> None:
    signs = {name: sign for name, (sign, _) in page.MARKS.items()}
    assert {signs[name] for name in page.AGAINST} == {"✗"}
    assert {signs[name] for name in ("holds", "reproduced", "agrees")} == {"✓"}
    assert not {signs[name] for name in page.OPEN} & {"✓", "✗"}


def test_counts_add_up_to_the_rows() -> None:
    counted = claims.counts(frame("holds", "opposite", "other data; order opposite", "undecided"))
    assert sum(counted.values()) == 4
    assert counted["opposite"] == 1


def test_disagreements_list_what_is_contradicted_and_what_is_open() -> None:
    text = claims.disagreements(
        frame("holds", "opposite", "other data; order opposite", "undecided", "not yet run")
    )
    assert "Contradicted at this tier: 2 of 5" in text
    assert text.index("claim1") < text.index("claim2") < text.index("Neither")
    assert "- undecided: *claim3*." in text
    assert "claim0" not in text


def test_without_a_contradiction_the_page_says_so_and_no_more() -> None:
    assert claims.disagreements(frame("holds", "shown")).strip() == "No claim is contradicted at this tier."


def test_an_unknown_verdict_is_refused() -> None:
    with pytest.raises(KeyError):
        page.mark("probably")
