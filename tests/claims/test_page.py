"""The page: every verdict has a sign, every chip, line and sentence comes from the table."""

from __future__ import annotations

import json
import math
import re
from html import unescape
from importlib import import_module

import pandas as pd
import pytest

from companion import claims
from companion.claims import page, parts
from companion.claims.page import glyph, look, marks, maths, names
from companion.claims.rule import ONE_NETWORK, Comparison, Estimate, Finding
from companion.metrics.intervals import Interval

check = import_module("companion.claims.check")  # The package has a function of the same name.


def part(value: float, low: float, high: float, **more: object) -> dict[str, object]:
    """Return a comparison as a row holds it."""
    return {"label": "a - b", "value": value, "low": low, "high": high} | more


ROW = {
    "id": "samples", "where": "section 1", "kind": "order", "text": "a < b", "reported": "", "tier": "quick",
    "dataset": "mnist5k", "value": 1.0, "low": 0.5, "high": 1.5, "n": 3, "counted": "n = 3 seeds",
    "decides": "a - b +1 (+0.5 to +1.5)", "measured": "a - b +1 (+0.5 to +1.5); n = 3 seeds.",
    "parts": [part(1.0, 0.5, 1.5)],
    "note": "", "verdict": "opposite", "missing": "",
    "chapter": "05_trace_estimators", "records": "quick/mnist5k/baseline-seed0",
    "paths": "results/quick/mnist5k/baseline-seed0; _runs/quick/mnist5k/baseline-seed5", "earlier": 1,
}  # fmt: skip
ROW["where"] = "figure 2"
WAITING = {
    "verdict": "not yet run", "decides": "", "counted": "", "paths": "", "earlier": 0, "measured": "",
    "missing": "companion train", "parts": [],
}  # fmt: skip
IDS = list(names.SHORT)


def frame(*verdicts: str, **more: object) -> pd.DataFrame:
    return pd.DataFrame([ROW | {"id": IDS[n], "verdict": v} | more for n, v in enumerate(verdicts)])


def tiers(**changes: dict[str, object]) -> pd.DataFrame:
    """Return one claim's rows, a tier each."""
    data = {"small": "cifar100", "paper": "cifar100", "quick": "mnist5k"}
    return pd.DataFrame([ROW | {"tier": t, "dataset": data[t]} | change for t, change in changes.items()])


def text(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html)))


def lines(html: str) -> list[str]:
    """Return the list's lines, one a tier."""
    return re.findall(r'<div class="claims-line .*?</div>', html)


def test_each_claim_has_a_chip_for_each_tier_the_strongest_first_and_leads_to_its_lines() -> None:
    both = tiers(small={"verdict": "reproduced"}, paper=WAITING, quick={})
    html = claims.html_overview(both)
    item = re.findall(r"<li><a .*?</li>", html)
    assert len(item) == 1
    assert re.findall(r'claims-chip ([a-z ]+)">(.)', item[0]) == [
        ("empty", "…"), ("for", "✓"), ("against", "✗")
    ]  # fmt: skip
    assert "paper: not yet run; small: reproduced; quick: opposite" in text(item[0])
    target = re.search(r'href="#([^"]+)"', item[0])
    assert target is not None
    assert f'id="{target[1]}"' in claims.html_list(both)


def test_what_no_tier_decides_has_one_chip_for_all() -> None:
    fact = {"id": "bayes", "kind": "exact", "tier": "", "dataset": "", "verdict": "holds"}
    html = claims.html_overview(pd.concat([tiers(small={}, quick={}), frame("holds").assign(**fact)]))
    assert html.count('class="claims-chip for all"') == 1


def test_the_list_escapes_text_and_links_chapter_and_record() -> None:
    html = claims.html_list(frame("opposite"))
    assert "a &lt; b" in html
    assert '<a href="05_trace_estimators.html">chapter 5</a>' in html
    committed, own = (f"{path}/record.json" for path in str(ROW["paths"]).split("; "))
    assert f'<a href="../{committed}" title="{committed}">0</a>' in html
    assert f'<span title="{own}">5 (made here)</span>, 1 from earlier code' in html


def test_the_records_of_many_models_are_folded() -> None:
    paths = "; ".join(f"results/quick/mnist5k/cell{n}-seed0" for n in range(20))
    html = claims.html_list(frame("opposite").assign(paths=paths))
    assert "<summary>20 records, 1 from earlier code</summary>" in html


def test_a_line_says_how_many_comparisons_hold_and_over_what() -> None:
    found = [part(1.0, 0.5, 1.5), part(1.0, -1.0, 3.0), part(-2.0, -3.0, -1.0)]
    (line,) = lines(claims.html_list(frame("opposite", parts=found)))
    assert "opposite : 1 of 3 hold, 1 opposite, over 3 seeds" in text(line)


def test_a_single_comparison_is_written_out_and_named_for_the_strongest_evidence_alone() -> None:
    first, second = lines(claims.html_list(tiers(small={}, quick={})))
    assert "a − b +1 (+0.5 to +1.5), over 3 seeds" in text(first)
    assert "opposite : +1 (+0.5 to +1.5), over 3 seeds" in text(second)


def test_the_strongest_line_says_how_large_a_difference_each_undecided_part_would_have_shown() -> None:
    found = [part(1.0, 0.5, 1.5, detectable="0.7"), part(1.0, -1.0, 3.0, detectable="2.8")]
    (line,) = lines(claims.html_list(frame("undecided", parts=found)))
    assert "Seen four times in five: a difference of 2.8" in text(line)
    assert "0.7" not in text(line)


def test_a_part_of_the_table_is_a_comparison_or_an_estimate_and_survives_a_page() -> None:
    compared = Comparison(
        label="a / b", interval=Interval(value=0.0, low=math.nan, high=math.nan, n=1), ratio=True
    )
    estimated = Estimate(label="accuracy", reported=60.0, interval=Interval(value=58, low=57, high=59, n=9))
    row = {"parts": parts.parts_of(Finding(comparisons=[compared], estimates=[estimated]))}
    again = json.loads(json.dumps(check._without_nan(row), allow_nan=False))
    for holder in (row, again):
        (ratio,), (number,) = parts.comparisons(holder), parts.estimates(holder)
        assert (ratio.value, ratio.ratio, ratio.sign, math.isnan(ratio.low)) == (1.0, True, 0, True)
        assert (number.value, number.printed, number.sign) == (58, 60.0, -1)


def test_a_line_without_a_record_leads_to_the_commands_on_another_page() -> None:
    html = claims.html_list(tiers(small=WAITING, quick={}))
    waiting = next(line for line in lines(html) if "tier-small" in line)
    assert '<a href="../book/reproduce.html#not-yet-run">how to run it</a>' in waiting
    assert "claims-empty" in waiting
    assert "companion train" not in html


def test_the_strongest_evidence_is_the_largest_tier_that_can_decide() -> None:
    unable = {"parts": [part(1.0, math.nan, math.nan)], "verdict": "undecided"}
    for paper, expected in (({}, "paper"), (WAITING, "small"), (unable, "small")):
        rows = tiers(quick={}, small={"verdict": "undecided"}, paper=paper)
        assert claims.strongest(rows)["tier"].tolist() == [expected]
    assert claims.strongest(tiers(small=WAITING, paper=WAITING))["tier"].tolist() == ["paper"]


def test_exact_claims_are_folded_while_they_hold_and_open_when_one_does_not() -> None:
    fact = {"kind": "exact", "tier": "", "dataset": ""}
    closed = claims.html_list(frame("holds", "holds", **fact))
    opened = claims.html_list(frame("holds", "does not hold", **fact))
    assert '<details class="claims-exact"><summary>2 facts that can be proved: all hold<' in closed
    assert '<details class="claims-exact claims-some" open><summary>2 facts' in opened
    assert "1 of them does not hold" in opened


def test_the_answer_counts_orders_facts_and_numbers_whichever_way_they_go() -> None:
    def answers(*verdicts: str, **more: object) -> list[str]:
        return [text(sentence) for sentence in claims.answer(frame(*verdicts, **more))]

    first, _, third = answers("reproduced", "opposite", "undecided", "holds for one network each")
    assert first.strip() == (
        "Of 4 claims about an order, our strongest evidence decides 3: 2 as the paper says, 1 against it "
        "(1 on one network of each kind); 1 undecided."
    )
    assert third.strip() == f"Against the paper, at tier quick: {names.short(IDS[1])} ."
    first, _, third = answers("undecided", "not yet run")
    assert "our records decide none; 1 undecided and 1 without a record." in first
    assert third == "Nothing that was measured speaks against the paper."
    assert answers("holds", "does not hold", kind="exact")[1] == "Of 2 facts that can be proved, 1 holds."
    said = answers("agrees", "other network; order reproduced", "differs", kind="number")[1]
    assert (
        "3 claims with printed numbers: 1 in our interval, 1 measured with another network, 1 outside" in said
    )


def test_claims_on_one_topic_are_named_together() -> None:
    rows = frame("differs", "differs").assign(id=["accuracy-baseline", "accuracy-anti"])
    assert text(claims.answer(pd.concat([rows, frame("opposite")]))[2]) == (
        f"Against the paper, at tier quick: accuracy ( baseline , anti ) and {names.short(IDS[0])} ."
    )


def test_equal_cells_of_the_first_column_are_one() -> None:
    rows = [("a", "x", "holds"), ("a", "y", "undecided"), ("b", "x", "holds")]
    html = claims.html_verdicts(pd.DataFrame(rows, columns=["advice", "claim", "verdict"]))
    assert re.findall(r'<td [^>]*?(?: rowspan="(\d)")?>(\w)</td>', html) == [
        ("2", "a"), ("", "x"), ("", "y"), ("1", "b"), ("", "x")
    ]  # fmt: skip
    assert html.count("✓ holds") == 2


def test_every_filter_shows_the_claims_of_its_side_and_counts_them() -> None:
    html = claims.html_list(frame("reproduced", "opposite", "opposite", "undecided", "not yet run"))
    for name in ("for", "against", "undecided"):
        shown = len(re.findall(rf'class="claims-claim best-{name} ', html))
        assert f'<span class="claims-n at-best">{shown}</span>' in html
        assert f":has(#claims-side-{name}:checked) .claims-claim:not(.best-{name}):not(:target)" in html
    for label, ids in re.findall(r'<label><input type="radio" name="([^"]+)" id="([^"]+)"', html):
        assert ids.startswith(label)
    assert html.count(" checked>") == 2
    assert set(re.findall(r"<legend>(.*?)</legend>", html)) == {"Claims", "Judged by"}


def test_a_verdict_on_one_network_each_looks_like_none_over_seeds() -> None:
    for over_seeds, alone in ONE_NETWORK.items():
        assert marks.side(alone) == marks.side(over_seeds)
        assert marks.look(alone) != marks.look(over_seeds)
        assert "double" in page.mark(alone)
        assert "double" not in page.mark(over_seeds)
        assert "stroke-dasharray" in glyph.glyph(ROW | {"verdict": alone})
    assert "stroke-dasharray" not in glyph.glyph(ROW)
    rule = re.search(r"\.claims-chip\.one \{([^}]*)\}", look.sheet())
    assert rule is not None
    assert "dashed" in rule[1]


def test_a_glyph_draws_the_interval_on_its_side_of_zero_and_says_so() -> None:
    def ends(row: dict[str, object]) -> list[float]:
        found = re.search(
            r'<path d="M([\d.]+) [\d.]+H([\d.]+)" stroke="[^"]+" stroke-width="2"', glyph.glyph(row)
        )
        assert found is not None
        return [float(found[1]), float(found[2])]

    middle = glyph.WIDTH / 2
    low, high = ends(ROW)
    assert (low - middle) / (high - middle) == pytest.approx(0.5 / 1.5, abs=0.01)
    assert max(ends(ROW | {"parts": [part(-1.0, -1.5, -0.5)]})) < middle
    low, high = ends(ROW | {"parts": [part(1.0, 0.5, 2.0, ratio=True)]})
    assert (low + high) / 2 == pytest.approx(middle, abs=0.1)
    assert 'aria-label="1 interval: 1 on the claimed side of 0"' in glyph.glyph(ROW)
    number = ROW | {"parts": [part(50.0, 40.0, 60.0, printed=78.01)]}
    assert sum(ends(number)) / 2 == pytest.approx(middle)
    assert "0 with the printed number in it" in glyph.glyph(number)


def test_all_maths_of_the_claims_is_set_as_maths() -> None:
    words = r"\b(?:eps|lambda|mu|sigma|tau|grad|trace Hessian|exp|log p|sin|l1|m)\b"
    ascii_maths = re.compile(rf"[|^_=]|->|{words}|\d/|\w/N|\w\(\w+\)")
    table = import_module("companion.claims.table")
    texts = [claim["text"] for claim in claims.claims()]
    texts += [value for name, value in vars(table).items() if name.endswith(("_SLIP", "_NOTE"))]
    assert len(texts) > len(IDS)
    for said in texts:
        left = re.sub(r'<span class="math.*?</span>', "", maths.set_maths(said))
        assert ascii_maths.search(unescape(re.sub(r"<[^>]*>", "", left))) is None, said


def test_text_between_maths_is_escaped_and_has_print_signs() -> None:
    assert maths.set_maths("a<b - 3, 1.0e-08") == "a&lt;b − 3, 1.0 × 10<sup>−8</sup>"


def test_every_claim_has_a_short_name_and_a_section() -> None:
    listed = claims.claims()
    assert [claim["id"] for claim in listed] == IDS
    assert len(set(names.SHORT.values())) == len(IDS)
    assert {names.section(claim["where"]) for claim in listed} == set(names.SECTIONS)
    with pytest.raises(ValueError, match="SECTIONS"):
        names.section("preface")


def test_changes_name_the_verdicts_that_runs_made_here_turn() -> None:
    ours = frame("holds", "opposite").assign(paths="results/a; results/b")
    own = frame("holds", "undecided").assign(paths="results/a; _runs/b")
    assert f"- *{IDS[1]}*: opposite becomes undecided." in claims.changes(ours, own)
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
    assert {signs[name] for name in page.FOR} == {"✓"}
    assert not {signs[name] for name in page.OPEN} & {"✓", "✗"}


def test_black_on_a_filled_chip_has_a_contrast_of_four_and_a_half() -> None:
    filled = re.findall(r"background: (#\w{6}); border-color: \1; color: #000", look.sheet())
    assert len(filled) == 2
    for colour in filled:
        channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert (luminance + 0.05) / 0.05 >= 4.5


def test_counts_add_up_to_the_rows() -> None:
    counted = claims.counts(frame("holds", "opposite", "other data; order opposite", "undecided"))
    assert sum(counted.values()) == 4
    assert counted["opposite"] == 1


def test_an_unknown_verdict_is_refused() -> None:
    for name in ("probably", "other data; order probably"):
        with pytest.raises(KeyError):
            page.mark(name)
        with pytest.raises(KeyError):
            page.side(name)


@pytest.mark.parametrize(
    "path", ["_runs/quick/mnist5k/baseline-seed0{}", "results/quick/{}/x-seed{}", "_runs/{}-seed1"]
)
def test_a_folders_name_is_text_on_the_page_and_never_a_tag(path: str) -> None:
    tag = '<img src=x onerror="alert(1)">'
    row = ROW | {"paths": path.format(tag, tag)}
    html = page.records.links(row)
    assert "<img" not in html
    assert 'onerror="' not in html
    assert tag in unescape(html)
    assert "<img" not in page.html_list(pd.DataFrame([row | {"id": IDS[0]}]))
