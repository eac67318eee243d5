"""What the centring of logits does to trained networks: to maps, to perturbation curves, to samples.

Centring takes the mean logit away, and with it all that a function added to every logit could have put there.
What a method of training owes to its mean logit is gone in the centred network; what is left belongs to the
probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor, nn

from companion import metrics
from companion.audit.cures import centred
from companion.book import style
from companion.book.axes import legend_below, say_not_run
from companion.book.seeds import by_seed, paired
from companion.book.words import direction, interval_text, listed
from companion.experiments.methods import METHODS
from companion.gradients import logit_gradient
from companion.metrics.intervals import Interval
from companion.sampling import activation_maximisation

FRACTIONS = (0.0, 0.2, 0.4, 0.6, 0.8)
MEASURES = {
    "smoothness": "smoothness of the maps",
    "perturbation": "accuracy, least relevant pixels replaced",
    "samples": "judge's probability for samples",
}
"""What is measured, and how figures write it."""


def qualities(
    network: nn.Module, x: Tensor, y: Tensor, starts: Tensor, judge: nn.Module, *, steps: int
) -> tuple[dict[str, float], Tensor]:
    """Measure the gradient maps, the perturbation curve and the samples of one network.

    Args:
        network: the classifier, in evaluation mode.
        x: test images (B, C, H, W).
        y: their classes.
        starts: noise (N, C, H, W), from which the target logit is climbed: class 0, 1, ... of the judge's.
        judge: another classifier, which is asked for the probability of the class that was climbed for.
        steps: of 0.1, as in the evaluation of the book's runs.

    Returns:
        The means over images, by the names of `MEASURES`, and the samples.
    """
    maps = logit_gradient(network, x, y)
    curve = metrics.pixel_perturbation(network, x, y, maps, fractions=FRACTIONS)
    with torch.no_grad():
        targets = torch.arange(len(starts), device=x.device) % judge(starts).shape[1]
    made = activation_maximisation(
        network, targets, start=starts, steps=steps, step_size=0.1, weight_decay=0.01
    )
    with torch.no_grad():
        judged = judge(made).softmax(dim=1).gather(1, targets[:, None])
    found = {
        "smoothness": float(metrics.gradient_map_quality(maps, x).per_sample[0].mean()),
        "perturbation": float(curve.area().mean()),
        "samples": float(judged.mean()),
    }
    return found, made


def both_ways(
    name: str, seed: int, network: nn.Module, measure: Callable[[nn.Module], tuple[dict[str, float], Tensor]]
) -> list[dict[str, object]]:
    """Measure a network as it was trained and centred: a row each, with the change of its samples.

    Args:
        name: the method.
        seed: the run's.
        network: the classifier.
        measure: as `qualities`, of the network alone.

    Returns:
        Two rows: model, seed, centred, the measures, and moved: the length of the difference of the samples
        over that of the samples as trained.
    """
    before, plain = measure(network)
    after, mended = measure(centred(network))
    moved = float((mended - plain).norm() / plain.norm())
    same = {"model": name, "seed": seed, "moved": moved}
    return [same | {"centred": False} | before, same | {"centred": True} | after]


def differences(rows: pd.DataFrame) -> dict[tuple[str, str], dict[str, Interval]]:
    """Compare every method with the baseline, seed by seed, as trained and centred.

    Args:
        rows: from `both_ways`.

    Returns:
        By measure and method three intervals over seeds: `as trained` and `centred`, the difference from
        the baseline; `through the mean logit`, what centring takes off it.
    """
    found = {}
    for measure in MEASURES:
        values = {
            flag: rows.loc[rows["centred"] == flag, ["model", "seed", measure]].rename(
                columns={measure: "value"}
            )
            for flag in (False, True)
        }
        for name in (n for n in METHODS if n != "baseline" and n in set(rows["model"])):
            plain, mended = (
                {
                    seed: value - by_seed(values[flag], "baseline").get(seed, float("nan"))
                    for seed, value in by_seed(values[flag], name).items()
                    if seed in by_seed(values[flag], "baseline")
                }
                for flag in (False, True)
            )
            nothing = dict.fromkeys(plain, 0.0)
            found[measure, name] = {
                "as trained": paired(plain, nothing),
                "centred": paired(mended, nothing),
                "through the mean logit": paired(plain, mended),
            }
    return found


def in_words(found: dict[tuple[str, str], dict[str, Interval]], measure: str, form: str = "{:+.4f}") -> str:
    """Say how much of each method's difference from the baseline goes through the mean logit.

    Args:
        found: from `differences`.
        measure: one of `MEASURES`.
        form: the format of each number.

    Example:
        >>> in_words({}, "samples")
        'not measured'
    """
    said = [
        f"{METHODS[name].label} {interval_text(intervals['as trained'], form)} as trained, of which "
        f"{interval_text(intervals['through the mean logit'], form)} through the mean logit, "
        + direction(intervals["through the mean logit"], "clearly above 0", "clearly below 0", "undecided")
        for (of, name), intervals in found.items()
        if of == measure
    ]
    return "; ".join(said) or "not measured"


def survivors(found: dict[tuple[str, str], dict[str, Interval]]) -> dict[str, str]:
    """Count which differences from the baseline are clear as trained, and which of them stay so.

    Returns:
        Words: `clear`, how many are; `stay`, how many of them are still clear, on the same side, in the
        centred networks; `lost`, the names of the others; `through`, of those whose part through the mean
        logit is clear.
    """
    clear = [key for key, intervals in found.items() if intervals["as trained"].sign()]
    stay = [key for key in clear if found[key]["centred"].sign() == found[key]["as trained"].sign()]
    through = [key for key, intervals in found.items() if intervals["through the mean logit"].sign()]

    def named(keys: Sequence[tuple[str, str]]) -> str:
        return listed(f"{METHODS[name].label} in {MEASURES[measure]}" for measure, name in keys)

    return {
        "clear": str(len(clear)),
        "stay": str(len(stay)),
        "of": str(len(found)),
        "lost": named([key for key in clear if key not in stay]),
        "through": named(through),
    }


def draw(found: dict[tuple[str, str], dict[str, Interval]]) -> Figure:
    """Draw every method's difference from the baseline: filled as trained, hollow centred."""
    figure, axes = plt.subplots(1, len(MEASURES), figsize=(8.8, 3.0))
    for ax, (measure, title) in zip(axes, MEASURES.items(), strict=True):
        ax.set_title(title, fontsize=10)
        ax.axhline(0, color="#000000", linewidth=1)
        rows = {name: intervals for (of, name), intervals in found.items() if of == measure}
        if not rows:
            say_not_run(ax)
        for place, (name, intervals) in enumerate(rows.items()):
            look = style.model_style(name)
            for shift, key, fill in ((-0.12, "as trained", "full"), (0.12, "centred", "none")):
                one = intervals[key]
                reach = [[one.value - one.low], [one.high - one.value]]
                ax.errorbar(
                    place + shift, one.value, yerr=reach, color=look["color"], marker=look["marker"],
                    fillstyle=fill, linestyle="none",
                    label=f"{look['label']}, {key}",
                )  # fmt: skip
        ax.set_xticks([])
        ax.set_xlim(-0.6, max(len(rows), 1) - 0.4)
    axes[0].set_ylabel("less the baseline of the same seed")
    legend_below(figure, axes[0])
    return figure
