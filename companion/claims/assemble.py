"""One table with a row for each of the paper's claims: what it says, what we measured, the verdict."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from companion import presets
from companion._support import choose
from companion.claims import estimators, identities, networks, numbers, orders
from companion.claims.records import Shelf
from companion.claims.rule import KINDS, Check, Finding, NotYetRun, deciding, verdict
from companion.runs import TIERS, Run

COLUMNS = (
    "id", "where", "kind", "text", "reported", "value", "low", "high", "n",
    "measured", "verdict", "chapter", "records",
)  # fmt: skip
Measure = Callable[[Shelf, dict[str, Any]], Finding]


def _identity(checks: Callable[..., list[Check]], note: str = "", *extra: object) -> Measure:
    """Return the measure of an exact claim that is checked on a network."""

    def measure(shelf: Shelf, claim: dict[str, Any]) -> Finding:
        model, x, y, run = networks.subject(shelf)
        which = "" if run else " Checked on an untrained network: no trained baseline was found."
        return Finding(checks=checks(model, x, y, *extra), note=note + which, runs=[run] if run else [])

    return measure


def _computed(checks: Callable[[], list[Check]], note: str = "") -> Measure:
    """Return the measure of an exact claim that is checked in closed form."""
    return lambda shelf, claim: Finding(checks=checks(), note=note)


def _order(judge: Callable[..., Finding], *arguments: str) -> Measure:
    """Return the measure of an order claim."""
    return lambda shelf, claim: judge(shelf, *arguments)


def _opinion(shelf: Shelf, claim: dict[str, Any]) -> Finding:
    """Return nothing measured: what our numbers say of the advice is a table of its own."""
    return Finding(
        note="An opinion, not judged; what our numbers say of it is shown below the table of claims."
    )


RIPPLE_SLIP = (
    "Read as eps sin(m sum of x_d), the one reading in which both bounds hold and are attained; no softmax "
    "classifier has the printed losses, one with the ripple in a single logit nearly does."
)
BAYES_SLIP = (
    "The printed constant Z/C holds only if every exp f_i has the same integral; the score does not need it."
)
HYVARINEN_SLIP = (
    "The step needs a density times score that vanishes at the border, which images in [0, 1] do not give."
)
TAYLOR_SLIP = "The bias is of order sigma^2, one better than eq. 7 says: odd terms vanish."
VARIANCE_SLIP = "The excess is 4 |grad f|^2 / (N sigma^2) exactly; the printed proof's 1/N should be 1/N^2."
HUTCHINSON_SLIP = "Random signs, which Hutchinson proposed, have 2/N (|H|^2 - sum of H_dd^2), never more."
MODES_NOTE = (
    "It climbs to a local mode; a prior moves the mode, and jitter the pictures, to those of another density."
)

MEASURES: dict[str, tuple[str, Measure]] = {
    "shift-invariance": ("01_softmax_shift", _identity(identities.shift_invariance)),
    "ripple": ("02_loss_gradients", _identity(identities.ripple, RIPPLE_SLIP)),
    "confident-loss-gradients": ("02_loss_gradients", _order(orders.confident_loss_gradients)),
    "bayes": (
        "03_logits_as_log_densities",
        _identity(identities.bayes, BAYES_SLIP, identities.two_classes()),
    ),
    "hyvarinen": ("04_score_matching", _computed(estimators.hyvarinen, HYVARINEN_SLIP)),
    "taylor": ("05_trace_estimators", _computed(estimators.taylor, TAYLOR_SLIP)),
    "cost": ("05_trace_estimators", _order(orders.cost)),
    "taylor-variance": ("05_trace_estimators", _computed(estimators.taylor_variance, VARIANCE_SLIP)),
    "hutchinson-variance": (
        "05_trace_estimators",
        _computed(estimators.hutchinson_variance, HUTCHINSON_SLIP),
    ),
    "small-gradients-in-training": ("07_training", _order(orders.small_gradients)),
    "collapse": ("06_collapse", _order(orders.collapsed, "collapse-naive")),
    "noise-does-not-help": ("06_collapse", _order(orders.collapsed, "collapse-noise")),
    "square-stabilises": ("06_collapse", _order(orders.stabilised)),
    "activation-maximisation": (
        "08_activation_maximisation",
        _identity(identities.activation_maximisation, MODES_NOTE),
    ),
    "perturbation-is-density-ratio": (
        "09_density_ratio_test",
        _computed(identities.perturbation_is_density_ratio, "It is the logarithm of the density ratio."),
    ),
    "adversarial": ("15_claims", _order(orders.adversarial)),
    "accuracy-baseline": ("07_training", lambda shelf, claim: numbers.accuracy(shelf, claim, "baseline")),
    "accuracy-score-matching": (
        "07_training",
        lambda shelf, claim: numbers.accuracy(shelf, claim, "score_matching"),
    ),
    "accuracy-anti": (
        "07_training",
        lambda shelf, claim: numbers.accuracy(shelf, claim, "anti_score_matching"),
    ),
    "accuracy-gradient-norm": (
        "07_training",
        lambda shelf, claim: numbers.accuracy(shelf, claim, "gradient_norm"),
    ),
    "density-baseline": ("10_density_ratios", _order(orders.density_baseline)),
    "density-anti": ("10_density_ratios", _order(orders.density_anti)),
    "density-regularised": ("10_density_ratios", _order(orders.density_regularised)),
    "samples": ("11_samples", _order(orders.samples)),
    "gan-test": ("11_samples", numbers.gan_test),
    "perturbation-own": ("12_pixel_perturbation", _order(orders.perturbation, "own")),
    "perturbation-baseline": ("12_pixel_perturbation", _order(orders.perturbation, "common")),
    "gradient-maps": ("13_gradient_maps", _order(orders.gradient_maps)),
    "cifar10": ("12_pixel_perturbation", _order(orders.cifar10)),
    "sweep": ("14_sweep", numbers.sweep),
    "advice": ("15_claims", _opinion),
}
"""For each claim, the chapter that shows it and the function that measures it."""


@cache
def claims() -> tuple[dict[str, Any], ...]:
    """Return the paper's claims as `claims.toml` lists them."""
    # The path is written so that the pipeline sees that this module reads the file.
    with (Path(__file__).parent / "../claims.toml").open("rb") as file:
        return tuple(tomllib.load(file)["claim"])


@cache
def reported() -> dict[str, Any]:
    """Return every number that the paper prints, as `reported.toml` lists them."""
    with (Path(__file__).parent / "../reported.toml").open("rb") as file:
        return tomllib.load(file)


def table(tier: str = "quick", seed: int = 0, *, kinds: Collection[str] = KINDS) -> pd.DataFrame:
    """Judge every claim by the records of one tier and by checks computed now.

    Args:
        tier: whose records, one of `TIERS`.
        seed: of the model that identities are checked on, and of the commands that make missing records;
            every seed that has a record counts in the comparisons.
        kinds: only claims of these kinds.

    Returns: One row a claim. `id`, `where`, `kind`, `text`: as in `claims.toml`; `reported`: the paper's
        number; `value`,
        `low`, `high`, `n`: the number that decides the verdict (the weakest of the comparisons; the first of
        several estimates; the largest deviation relative to its tolerance) and how many units are behind it;
        `measured`: all of them in words; `verdict`: by `rule.verdict`; `chapter`: the notebook that shows it;
        `records`: the runs.

    Raises:
        ValueError: an unknown tier or kind.
        RecordError: a record or its weights are damaged.

    Example:
        >>> table("tiny", kinds=["opinion"])[["id", "verdict"]].values.tolist()
        [['advice', 'shown']]
    """
    choose("tier", tier, TIERS)
    for kind in kinds:
        choose("kind", kind, KINDS)
    shelf = Shelf(tier=tier, dataset=presets.DATASETS[tier][0], seed=seed)
    rows = [row(claim, shelf) for claim in claims() if claim["kind"] in kinds]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def by_tier(tiers: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """Set the verdicts of several tiers side by side, for the claims that their records decide.

    Args:
        tiers: each one of `TIERS`.
        seed: as in `table`.

    Returns:
        A row a claim and a column a tier, indexed by the claim's id. Exact claims, opinions and times are
        left out: they are the same question at every tier.
    """
    judged = [c for c in claims() if c["kind"] in ("order", "number") and c["id"] != "cost"]
    columns = {}
    for tier in tiers:
        shelf = Shelf(tier=tier, dataset=presets.DATASETS[choose("tier", tier, TIERS)][0], seed=seed)
        columns[tier] = [row(claim, shelf)["verdict"] for claim in judged]
    return pd.DataFrame(columns, index=pd.Index([c["id"] for c in judged], name="claim"))


def row(claim: dict[str, Any], shelf: Shelf) -> dict[str, Any]:
    """Measure and judge one claim."""
    chapter, measure = MEASURES[claim["id"]]
    try:
        finding = measure(shelf, claim)
    except NotYetRun as command:
        finding = Finding(missing=str(command))
    printed = claim.get("value", "")
    return {
        **{name: claim[name] for name in ("id", "where", "kind", "text")},
        "reported": ", ".join(
            f"{value:.2f} %" for value in ([printed] if isinstance(printed, float) else printed)
        ),
        **_numbers(finding),
        "measured": sentence(finding),
        "verdict": verdict(claim["kind"], finding),
        "chapter": chapter,
        "records": run_names(finding.runs),
    }


def _numbers(finding: Finding) -> dict[str, float]:
    if finding.estimates:
        interval = finding.estimates[0].interval
    elif finding.checks:
        worst = max(finding.checks, key=lambda check: check.deviation / check.allowed)
        return {"value": worst.deviation / worst.allowed, "low": 0.0, "high": 1.0, "n": worst.n}
    else:
        weakest = deciding(finding)
        interval = weakest.written if weakest else None
    if interval is None:
        return {"value": math.nan, "low": math.nan, "high": math.nan, "n": 0}
    return {"value": interval.value, "low": interval.low, "high": interval.high, "n": interval.n}


def sentence(finding: Finding) -> str:
    """Write what was measured: every check, estimate and comparison with its interval, and the note."""
    if finding.missing:
        return f"No record at this tier. Make it with: {finding.missing}"
    parts = [str(part) for part in (*finding.estimates, *finding.comparisons, *finding.checks)]
    counts = {c.interval.n for c in finding.comparisons} or {e.interval.n for e in finding.estimates}
    points = {check.n for check in finding.checks}
    text = "; ".join(parts)
    if counts or points:
        unit = finding.unit if counts else "points or samples"
        text += f"; n = {' or '.join(map(str, sorted(counts or points)))} {unit}"
    return " ".join(part for part in (text and text + ".", finding.note) if part)


def run_names(used: Sequence[Run]) -> str:
    """Name the runs briefly, `quick/mnist5k/baseline-seed0,1,2`, and say which were made by earlier code."""
    groups: dict[str, list[int]] = {}
    for run in used:
        groups.setdefault(run.settings.run_id.rpartition("-seed")[0], []).append(run.record.seed)
    names = [f"{name}-seed{','.join(map(str, sorted(set(seeds))))}" for name, seeds in groups.items()]
    if len(names) > 6:
        names = [*names[:2], f"and {len(names) - 2} more"]
    old = sum(_is_old(run) for run in used)
    return "; ".join(names) + (f" ({old} from earlier code)" if old else "")


_OLD: dict[tuple[object, str], bool] = {}


def _is_old(run: Run) -> bool:
    """Say whether a run was made by earlier code; asked once for all runs of one code and method."""
    key = (tuple(sorted(run.record.source_hash.items())), run.record.method)
    if key not in _OLD:
        _OLD[key] = run.from_earlier_code
    return _OLD[key]


def chapters() -> dict[str, str]:
    """Return the chapter that shows each claim."""
    return {name: chapter for name, (chapter, _) in MEASURES.items()}
