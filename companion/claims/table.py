"""One table with a row for each of the paper's claims: what it says, what we measured, the verdict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import pandas as pd

from companion._support import choose
from companion.claims.evidence import curves, densities, estimators, identities, networks, numbers, orders
from companion.claims.evidence.records import Shelf
from companion.claims.paper import claims
from companion.claims.parts import parts_of
from companion.claims.rule import KINDS, Check, Finding, NotYetRun, verdict
from companion.claims.words import counted, decides, earlier, numbers_of, run_names, sentence
from companion.experiments import presets, provenance
from companion.experiments.settings import TIERS
from companion.experiments.shelf import COMMITTED_FIRST, OWN_FIRST

COLUMNS = (
    "id", "where", "kind", "text", "reported", "tier", "dataset", "value", "low", "high", "n", "counted",
    "decides", "parts", "note", "measured", "verdict", "missing", "chapter", "records", "paths", "earlier",
)  # fmt: skip
SIDE_BY_SIDE = ("small", "paper", "quick")
"""The tiers that the page of claims sets beside the paper, in its order."""
TIMED = ("cost",)
"""Claims that are timed when they are asked for, on the machine at hand, and not from any record."""
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
    "small-gradients-in-training": ("07_training", _order(curves.small_gradients)),
    "collapse": ("06_collapse", _order(curves.collapsed, "collapse-naive")),
    "noise-does-not-help": ("06_collapse", _order(curves.collapsed, "collapse-noise")),
    "square-stabilises": ("06_collapse", _order(curves.stabilised)),
    "activation-maximisation": (
        "08_activation_maximisation",
        _identity(identities.activation_maximisation, MODES_NOTE),
    ),
    "perturbation-is-density-ratio": (
        "09_density_ratio_test",
        _computed(identities.perturbation_is_density_ratio, "It is the logarithm of the density ratio."),
    ),
    "adversarial": ("20_adversarial_training", _order(orders.adversarial)),
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
    "density-baseline": ("10_density_ratios", _order(densities.density_baseline)),
    "density-anti": ("10_density_ratios", _order(densities.density_anti)),
    "density-regularised": ("10_density_ratios", _order(densities.density_regularised)),
    "samples": ("11_samples", _order(orders.samples)),
    "gan-test": ("11_samples", numbers.gan_test),
    "perturbation-own": ("12_pixel_perturbation", _order(orders.perturbation, "own")),
    "perturbation-baseline": ("12_pixel_perturbation", _order(orders.perturbation, "common")),
    "gradient-maps": ("13_gradient_maps", _order(orders.gradient_maps)),
    "cifar10": ("16_cifar10", _order(orders.cifar10)),
    "sweep": ("14_sweep", numbers.sweep),
    "advice": ("15_claims", _opinion),
}
"""For each claim, the chapter that shows it and the function that measures it."""


def table(tier: str = "quick", seed: int = 0, *, kinds: Collection[str] = KINDS) -> pd.DataFrame:
    """Judge every claim by the records of one tier and by checks computed now.

    Args:
        tier: whose records, one of `TIERS`.
        seed: of the model that identities are checked on, and of the commands that make missing records;
            every seed that has a record counts in the comparisons.
        kinds: only claims of these kinds.

    Returns: One row a claim. `id`, `where`, `kind`, `text`: as in `claims.toml`; `reported`: the paper's
        number; `value`, `low`, `high`, `n`: the number that decides the verdict (the weakest of the
        comparisons; the first of several estimates; the largest deviation relative to its tolerance) and how
        many units are behind it; `counted`: that number in words; `decides`, `measured`: the deciding number,
        and all of them, in words; `parts`: each estimate and comparison, see `parts.Part`; `note`: the
        sentence that belongs to them; `verdict`: by `rule.verdict`; `missing`: the command that makes what is
        missing; `chapter`: the notebook that shows it; `records`: the runs; `paths`: their folders;
        `earlier`: how many of them were made by earlier code; `tier`, `dataset`: whose records, empty for
        `once` claims.

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
    rows = [
        row(claim, shelf_of(claim, tier, seed, OWN_FIRST)) for claim in claims() if claim["kind"] in kinds
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def by_tier(
    tiers: Sequence[str] = SIDE_BY_SIDE,
    seed: int = 0,
    *,
    places: tuple[str, ...] = COMMITTED_FIRST,
    ids: Collection[str] | None = None,
) -> pd.DataFrame:
    """Judge every claim by the records of several tiers: the table of the page of claims.

    Args:
        tiers: each one of `TIERS`.
        seed: as in `table`.
        places: where runs are looked for, see `shelf.find_all`. Committed ones come first, unlike in `table`:
            so the page shows the same numbers wherever it is built, and runs made here fill what is not
            committed.
        ids: only these claims; None for all.

    Returns:
        The columns of `table`, with one row for each claim and tier. A claim that no tier's records decide
        (`once`) has one row, with an empty `tier`.
    """
    for tier in tiers:
        choose("tier", tier, TIERS)
    rows = []
    for claim in claims():
        if ids is None or claim["id"] in ids:
            rows += [
                row(claim, shelf_of(claim, tier, seed, places))
                for tier in (tiers[-1:] if once(claim) else tiers)
            ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def at_tier(frame: pd.DataFrame, tier: str) -> pd.DataFrame:
    """Return one tier's rows of `by_tier`, with those that belong to no tier: a row a claim."""
    return frame.loc[frame["tier"].isin(["", tier])].reset_index(drop=True)


def with_own_runs(tier: str, seed: int = 0) -> pd.DataFrame:
    """Judge the claims that a tier's records decide, runs made on this machine before committed ones."""
    ids = [claim["id"] for claim in claims() if not once(claim)]
    return by_tier([tier], seed, places=OWN_FIRST, ids=ids)


def once(claim: dict[str, Any]) -> bool:
    """Say whether a claim is one question for all tiers: a fact, an opinion, or a time of this machine."""
    return claim["kind"] in ("exact", "opinion") or claim["id"] in TIMED


def shelf_of(claim: dict[str, Any], tier: str, seed: int, places: tuple[str, ...]) -> Shelf:
    """Return the records that judge a claim: of the data set that it names, or else of the tier's first."""
    available = presets.DATASETS[tier]
    dataset = claim["dataset"] if claim.get("dataset") in available else available[0]
    return Shelf(tier=tier, dataset=dataset, seed=seed, places=places)


def row(claim: dict[str, Any], shelf: Shelf) -> dict[str, Any]:
    """Measure and judge one claim."""
    chapter, measure = MEASURES[claim["id"]]
    try:
        finding = measure(shelf, claim)
    except NotYetRun as command:
        finding = Finding(missing=str(command))
    printed = claim.get("value", "")
    single = once(claim)
    return {
        **{name: claim[name] for name in ("id", "where", "kind", "text")},
        "reported": ", ".join(
            f"{value:.2f} %" for value in ([printed] if isinstance(printed, float) else printed)
        ),
        "tier": "" if single else shelf.tier,
        "dataset": "" if single else shelf.dataset,
        **numbers_of(finding),
        "counted": counted(finding),
        "decides": decides(finding),
        "parts": parts_of(finding),
        "note": finding.note,
        "measured": sentence(finding),
        "verdict": verdict(claim["kind"], finding),
        "missing": finding.missing,
        "chapter": chapter,
        "records": run_names(finding.runs),
        "paths": "; ".join(run.directory.relative_to(provenance.PROJECT).as_posix() for run in finding.runs),
        "earlier": earlier(finding.runs),
    }


def chapters() -> dict[str, str]:
    """Return the chapter that shows each claim."""
    return {name: chapter for name, (chapter, _) in MEASURES.items()}
