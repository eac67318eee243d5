"""What the centring of logits does to trained networks: to maps, to perturbation curves, to samples.

Centring takes the mean logit away, and with it all that a function added to every logit could have put there.
What a method of training owes to its mean logit is gone in the centred network; what is left belongs to the
probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor, nn

from companion import metrics
from companion.audit.cures import centred
from companion.audit.measure import FRACTIONS
from companion.book import style
from companion.book.axes import legend_below, say_not_run
from companion.book.seeds import mean_over_seeds
from companion.book.words import interval_text, listed
from companion.experiments.methods import METHODS
from companion.gradients import logit_gradient
from companion.metrics.intervals import Interval
from companion.sampling import activation_maximisation

MEASURES = {
    "smoothness": "smoothness of maps",
    "perturbation": "perturbation curve",
    "samples": "samples, by the judge",
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
) -> list[dict[str, Any]]:
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
    same: dict[str, Any] = {"model": name, "seed": seed, "moved": moved}
    return [same | {"centred": False} | before, same | {"centred": True} | after]


def effects(rows: pd.DataFrame) -> pd.DataFrame:
    """Subtract the baseline of the same seed, as trained and centred.

    Args:
        rows: from `both_ways`.

    Returns:
        Columns model, seed, measure, trained and centred: each network's difference from the baseline, with
        and without the mean logit.

    Example:
        >>> values = {"smoothness": [1.0, 1.5, 4.0, 3.0], "perturbation": 0.0, "samples": 0.0}
        >>> names = {"model": ["baseline"] * 2 + ["gradient_norm"] * 2, "seed": 0}
        >>> found = effects(pd.DataFrame(names | {"centred": [False, True] * 2} | values))
        >>> found.loc[found["measure"] == "smoothness", ["trained", "centred"]].values.tolist()
        [[3.0, 1.5]]
    """
    found = []
    table = rows.set_index(["model", "seed", "centred"])
    for name, seed in dict.fromkeys((name, seed) for name, seed, _ in table.index):
        if name == "baseline" or ("baseline", seed, False) not in table.index:
            continue
        for measure in MEASURES:
            trained, mended = (
                float(table.at[(name, seed, flag), measure] - table.at[("baseline", seed, flag), measure])
                for flag in (False, True)
            )
            found.append(
                {"model": name, "seed": seed, "measure": measure, "trained": trained, "centred": mended}
            )
    return pd.DataFrame(found, columns=["model", "seed", "measure", "trained", "centred"])


Compared = Mapping[tuple[str, str], Mapping[str, Interval]]
"""By measure and method three intervals over seeds: `trained`, `centred`, `through` (what centring takes)."""


def compared(found: pd.DataFrame) -> Compared:
    """Return the mean effects over seeds, with Student's 95 % intervals.

    Args:
        found: from `effects`.
    """
    return {
        (measure, name): {
            "trained": mean_over_seeds(mine["trained"]),
            "centred": mean_over_seeds(mine["centred"]),
            "through": mean_over_seeds(mine["trained"] - mine["centred"]),
        }
        for measure in MEASURES
        for name in METHODS
        if len(mine := found[(found["measure"] == measure) & (found["model"] == name)])
    }


def in_words(found: Compared, measure: str, form: str = "{:+.4f}") -> str:
    """Say how much of each method's difference from the baseline goes through the mean logit.

    Args:
        found: from `compared`.
        measure: one of `MEASURES`.
        form: the format of each number.

    Example:
        >>> in_words({}, "samples")
        'not measured'
    """
    said = [
        f"{METHODS[name].label} {interval_text(intervals['trained'], form)}, of which "
        f"{interval_text(intervals['through'], form)} through the mean logit"
        for (of, name), intervals in found.items()
        if of == measure
    ]
    return "; ".join(said) or "not measured"


def answer(found: Compared) -> dict[str, str]:
    """Say in words whether the methods work through the mean logit.

    Args:
        found: from `compared`.

    Returns:
        `clear`: which effects are clear as trained, and how many of them stay so when centred; `through`: the
        effects of which a clear part goes through the mean logit; `smaller`: how many parts through the mean
        logit are smaller than what is left, by their means.

    Example:
        >>> answer({})["clear"]
        'no effect was measured'
    """
    clear = [key for key, one in found.items() if one["trained"].sign()]
    stay = [key for key in clear if found[key]["centred"].sign() == found[key]["trained"].sign()]
    through = [key for key, one in found.items() if one["through"].sign()]
    smaller = [key for key, one in found.items() if abs(one["through"].value) < abs(one["centred"].value)]

    def named(keys: Sequence[tuple[str, str]]) -> str:
        return listed(f"{METHODS[name].label} ({MEASURES[measure]})" for measure, name in keys)

    if not found:
        said = "no effect was measured"
    elif not clear:
        said = f"of the {len(found)} effects none is clear over so few seeds, with the mean logit or without"
        if any(one["centred"].sign() for one in found.values()):
            said = f"of the {len(found)} effects none is clear as trained"
    elif len(clear) == 1:
        said = f"of the {len(found)} effects one is clear as trained, {named(clear)}; without the mean logit "
        said += "it stays clear, on the same side" if stay else "it is not, or not on the same side"
    else:
        kept = "all of these" if len(stay) == len(clear) else f"{len(stay) or 'none'} of these"
        said = f"of the {len(found)} effects, clear as trained: {named(clear)}; without the mean logit "
        said += f"{kept} {'stays' if len(stay) == 1 else 'stay'} clear, on the same side"
    return {"clear": said, "through": named(through), "smaller": f"{len(smaller)} of {len(found)}"}


def draw(found: pd.DataFrame) -> Figure:
    """Draw every method's difference from the baseline as trained and centred, a thin line a seed.

    Args:
        found: from `effects`.
    """
    figure, axes = plt.subplots(1, len(MEASURES), figsize=(8.8, 3.4))
    summary = compared(found)
    for ax, (measure, title) in zip(axes, MEASURES.items(), strict=True):
        ax.set_title(title, fontsize=10)
        ax.axhline(0, color="#000000", linewidth=1)
        shown = [name for of, name in summary if of == measure]
        if not shown:
            say_not_run(ax)
        for place, name in enumerate(shown):
            look = style.model_style(name) | {"linestyle": "-"}
            mine = found[(found["measure"] == measure) & (found["model"] == name)]
            ends = [place - 0.2, place + 0.2]
            for pair in zip(mine["trained"], mine["centred"], strict=True):
                ax.plot(ends, pair, color=look["color"], linewidth=0.8, alpha=0.6)
            means = [summary[measure, name][key].value for key in ("trained", "centred")]
            ax.plot(ends, means, **look | {"linewidth": 2.2, "markersize": 7})
        ax.set_xticks(
            [x + d for x in range(len(shown)) for d in (-0.2, 0.2)],
            ["plain", "centred"] * len(shown),
        )
        ax.tick_params(axis="x", labelsize=9, rotation=90)
        ax.grid(visible=False, axis="x")
    axes[0].set_ylabel("less the baseline")
    legend_below(figure, axes[0])
    return figure
