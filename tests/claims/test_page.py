"""The page: every verdict has a sign, every sentence comes from the table."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from companion import claims
from companion.claims import page

ROW = {
    "id": "a", "where": "section 1", "kind": "order", "text": "a < b", "reported": "", "value": 1.0,
    "low": 0.5, "high": 1.5, "n": 3, "measured": "a - b +1.", "verdict": "opposite",
    "chapter": "05_trace_estimators", "records": "quick/mnist5k/baseline-seed0",
}  # fmt: skip


def frame(*verdicts: str) -> pd.DataFrame:
    return pd.DataFrame([ROW | {"id": f"claim{n}", "verdict": v} for n, v in enumerate(verdicts)])


def test_the_table_escapes_text_links_the_chapter_and_scrolls() -> None:
    html = claims.html_table(frame("opposite"))
    assert "a &lt; b" in html
    assert '<a href="05_trace_estimators.html">5</a>' in html
    assert "overflow-x: auto" in html
    assert html.count("<tr>") == 2


def test_a_row_without_runs_says_whether_it_was_computed_now() -> None:
    empty = frame("holds", "shown").assign(records="", kind=["exact", "opinion"])
    assert "<br>Runs: computed now<" in claims.html_table(empty.iloc[:1])
    assert "Runs: none<" in claims.html_table(empty.iloc[1:])


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
