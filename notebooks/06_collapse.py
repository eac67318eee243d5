# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Collapse
#
# In [chapter 4](04_score_matching.ipynb) score-matching found the true density, given plenty of points. Given few it finds something else. The paper warns that the objective, used as it stands, runs away to minus infinity, that noise on the inputs does not help, and that a small penalty on the squared trace does. **Why does it run away, and what holds it?**
#
# We look at it three times: on a line, where the whole density can be drawn; on digits, where it turns out that no training is needed; and on networks trained with each remedy and without.

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
import math

import pandas as pd
import torch
from matplotlib import pyplot as plt
from torch import Tensor, nn

from companion import data, runs, trace
from companion.experiments import presets, series
from companion._support import flat_sum
from companion.book.opening import begin, tell
from companion.book.words import interval_text, listed
from companion.fooling import shift_logits
from companion.gradients import logit_gradient
from companion.metrics import (
    Interval,
    hyvarinen_objective,
    mean_interval,
    paired_difference_interval,
)
from companion.runs import Run

begin(globals(), figures="svg")

# %% tags=["remove-cell"]
dataset = presets.DATASETS[tier][0]
COLOURS = {"naive": "#D55E00", "noise": "#E69F00", "stable": "#0072B2"}
MARKS = {"naive": "o", "noise": "s", "stable": "^"}
generator = torch.Generator().manual_seed(seed)

# %% [markdown]
# ## A peak on every point
#
# The objective is eq. 2 without its constant,
#
# $$
# J = \mathbb{E} \big( \operatorname{trace}(\nabla_{\mathbf{x}}^2 f) + \tfrac12 \|\nabla_{\mathbf{x}} f\|^2 \big),
# $$ (eq-collapse-objective)
#
# and "naive" means that the average runs over the training points and nothing is added. The trace wants to be low: every point should sit on a summit, the sharper the better. At the summit the gradient is nought, so the second term does not object. Over all points of a density the two are in balance, because a summit here means slopes elsewhere, and some points lie on the slopes. Over finitely many points there need be nobody on the slopes.
#
# Take {glue:text}`num_points` points from two Gaussians on a line, and put a Gaussian kernel of width $s$ on each. As $s$ shrinks this becomes the mixture of Dirac deltas that the paper speaks of. At each point the kernel's own log-density has the second derivative $-1/s^2$ and the slope 0.

# %%
ends, one_class = torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 0])
truth = data.gaussian_mixture(ends, 0.16, labels=one_class)
points, _ = truth.sample(10, generator)
fresh, _ = truth.sample({"tiny": 50}.get(tier, 1000), generator)


def kernels(width: float) -> data.Mixture:
    """Return the density with a Gaussian of one width on each point."""
    one_class = torch.zeros(len(points), dtype=torch.long)
    return data.gaussian_mixture(points, width**2, labels=one_class)


widths = [float(w) for w in torch.logspace(0, -2, 25)]
models = [kernels(width).classifier() for width in widths]
on_points = [hyvarinen_objective(model, points, 0) for model in models]
on_fresh = [hyvarinen_objective(model, fresh, 0) for model in models]
of_truth = hyvarinen_objective(truth.classifier(), fresh, 0)

# %% mystnb={"figure": {"name": "fig-collapse-kernels", "caption": "Left: kernels of three widths on ten points (ticks), and the density that the points come from. Right: {eq}`eq-collapse-objective` averaged over the ten points, and over fresh points of the same density. The axis is linear between -10 and 10 and logarithmic beyond."}, "image": {"alt": "Left, a true density with two humps; wide kernels blur it, narrow ones become spikes on the points. Right, as the kernels get narrower the objective on the ten points falls without end while on fresh points it first falls a little and then rises steeply."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.9))
axis = torch.linspace(-3, 3, 1201, dtype=torch.float64)[:, None]
left.plot(axis, truth.log_density(axis, 0).exp(), color="black", label="truth")
for width, colour in ((0.5, "#56B4E9"), (0.2, "#0072B2"), (0.05, "#D55E00")):
    density = kernels(width).log_density(axis, 0).exp()
    left.plot(axis, density, color=colour, linewidth=1.2, label=f"s = {width}")
left.plot(points, torch.zeros(len(points)), "|", color="black", markersize=11)
left.set(xlabel="x", ylabel="density")
left.set_title("Narrow kernels: a density of spikes")
for name, found, colour, dashes in (
    ("on the ten points", on_points, COLOURS["naive"], "-"),
    ("on fresh points", on_fresh, "#6A6A6A", "--"),
):
    values = [objective.value for objective in found]
    right.plot(widths, values, color=colour, linestyle=dashes, label=name)
look = {"color": "black", "linewidth": 1, "linestyle": ":"}
right.axhline(of_truth.value, label="the truth, on fresh points", **look)
right.set_yscale("symlog", linthresh=10)
right.set(xscale="log", xlabel="kernel width s", ylabel="objective")
right.set_title("On the points it never stops falling")
right.invert_xaxis()
left.legend(loc="upper right")
right.legend(loc="upper left")
plt.show()

# %% tags=["remove-cell"]
lowest = min(range(len(widths)), key=lambda k: on_fresh[k].value)
narrow = on_fresh[-1].value
tell(
    num_points=len(points),
    narrow=widths[-1],
    narrow_points=on_points[-1].value,
    narrow_fresh=f"{narrow / 1e6:.1f} million"
    if narrow > 1e6
    else f"{narrow:,.0f}",
    truth_value=of_truth.value,
    truth_error=of_truth.standard_error,
    best_width=widths[lowest],
    best_fresh=on_fresh[lowest].value,
)

# %% [markdown]
# At $s$ = {glue:text}`narrow:.2f` the ten points give {glue:text}`narrow_points:,.0f`; fresh points give {glue:text}`narrow_fresh`. The truth's own value is {glue:text}`truth_value:.1f` ± {glue:text}`truth_error:.1f`. Fresh points prefer a width of about {glue:text}`best_width:.2f`. This is overfitting, but of a kind with no bottom.
#
# ## A network finds the peaks too
#
# Would a network go there by itself? We train three small softplus networks on the ten points. The first minimises {eq}`eq-collapse-objective`. The second sees each point moved by fresh Gaussian noise of width $s$ at every step, which is the remedy of {cite:t}`kingma2010regularized` and {cite:t}`song2019generative`. The third has the paper's stability term: with $h$ for a sample's trace, it minimises
#
# $$
# h + \tfrac12 \|\nabla_{\mathbf{x}} f\|^2 + c\, h^2, \qquad c = \frac{10^{-4}}{\mu} ,
# $$ (eq-collapse-stable)
#
# which is the bracket of eq. 4. We can say beforehand how far each can fall.
#
# - **Naive:** no floor.
# - **Noise:** points that are moved by noise come from the kernels of {numref}`fig-collapse-kernels`, with their width $s$ given. For samples of a density $J$ has a lowest value, and the density itself reaches it. Where the kernels stay apart that is $-D/(2s^2)$ in $D$ dimensions, the sum of a mean trace of $-D/s^2$ and half a mean squared norm of $D/s^2$; it is no lower anywhere. So $J$ has a floor. The trace has none: it may lie below $-D/s^2$, where a larger norm pays for it.
# - **Stability term:** $h + c h^2$ is at least $-1/(4c)$, and has that value at $h = -1/(2c)$. The point may sit on a summit of this sharpness and no other. So $c$, not the data, sets the scale of the trace.

# %%
noise_width, c_line, steps = 0.3, 0.05, {"tiny": 20}.get(tier, 600)


def line_network() -> nn.Module:
    """Return an untrained f on the line, the same each time."""
    source = torch.Generator().manual_seed(seed)
    layers = (nn.Linear(1, 64), nn.Softplus(), nn.Linear(64, 64), nn.Softplus())
    network = nn.Sequential(*layers, nn.Linear(64, 1)).double()
    for parameter in network.parameters():
        scale = parameter.shape[-1] ** -0.5
        nn.init.normal_(parameter, std=scale, generator=source)
    network[0].weight.data *= 3
    return network


def mean_trace(network: nn.Module, x: Tensor) -> float:
    """Return the mean second derivative; on a line a random sign is exact."""
    with torch.no_grad():
        return float(trace.hutchinson(trace.logit(network, 0), x).mean())


# %%
def train_on_line(
    noise: float = 0.0, c: float = 0.0
) -> tuple[nn.Module, pd.DataFrame]:
    """Train on the ten points; return the network and its traces on the way."""
    network, rows = line_network(), []
    source = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for step in range(1, steps + 1):
        v = torch.randn(points.shape, generator=source, dtype=points.dtype)
        x = points + noise * v
        h = trace.hutchinson(trace.logit(network, 0), x)[0]
        slope = logit_gradient(network, x, 0, create_graph=True)[:, 0]
        loss = (h + slope.square() / 2 + c * h.square()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % (steps // 20) == 0:
            traces = (mean_trace(network, where) for where in (points, fresh))
            rows.append((step, *traces))
    return network, pd.DataFrame(rows, columns=["step", "points", "fresh"])


# %%
line = {
    "naive": train_on_line(),
    "noise": train_on_line(noise=noise_width),
    "stable": train_on_line(c=c_line),
}
optima = {"noise": -1 / noise_width**2, "stable": -1 / (2 * c_line)}

# %% mystnb={"figure": {"name": "fig-collapse-line", "caption": "Three networks on the same ten points. Left: the mean trace at the points (solid) and at fresh points (dashed); thin lines are the traces where each objective is lowest, $-1/s^2$ and $-1/(2c)$. Linear between -10 and 10, logarithmic beyond. Right: the learned densities, each divided by its maximum."}, "image": {"alt": "Left, three pairs of curves over the training steps. That of the naive network falls by orders of magnitude at the points and stays higher at fresh points; the other two level off near the traces where their objectives are lowest. Right, the naive density is a spike; the density trained with noise is smooth; the one with the stability term lies in between."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 4.2))
labels = {
    "naive": "naive",
    "noise": f"input noise, s = {noise_width}",
    "stable": f"stability term, c = {c_line}",
}
for kind, (network, history) in line.items():
    look, at = {"color": COLOURS[kind]}, history["step"]
    left.plot(at, history["points"], label=labels[kind], **look)
    left.plot(at, history["fresh"], linestyle="--", linewidth=1.2, **look)
    if kind in optima:
        left.axhline(optima[kind], linewidth=0.7, **look)
    with torch.no_grad():
        density = (network(axis)[:, 0] - network(axis).max()).exp()
    right.plot(axis, density, label=labels[kind], linewidth=1.3, **look)
left.set_yscale("symlog", linthresh=10)
expected = truth.log_density(axis, 0).exp()
look = {"color": "black", "linestyle": ":", "label": "truth"}
right.plot(axis, expected / expected.max(), **look)
right.plot(points, torch.zeros(len(points)), "|", color="black", markersize=11)
left.set(xlabel="step", ylabel="mean trace", title="Two targets, and none")
right.set(xlabel="x", ylabel="density / its maximum", title="What they learned")
entries = right.get_legend_handles_labels()
figure.legend(*entries, loc="outside lower center", ncols=4)
plt.show()

# %% tags=["remove-cell"]
for kind, (network, history) in line.items():
    tell({
        f"line_{kind}_points": float(history["points"].iloc[-1]),
        f"line_{kind}_fresh": float(history["fresh"].iloc[-1]),
        f"line_{kind}_objective": hyvarinen_objective(network, fresh, 0).value,
    })
tell(
    line_noise_optimum=optima["noise"],
    line_stable_optimum=optima["stable"],
    line_steps=steps,
)

# %% [markdown]
# After {glue:text}`line_steps` steps the naive network's trace is {glue:text}`line_naive_points:,.0f` on average at the points and {glue:text}`line_naive_fresh:,.0f` at fresh ones. With noise it is {glue:text}`line_noise_points:.1f` ({glue:text}`line_noise_optimum:.1f` at the optimum), with the stability term {glue:text}`line_stable_points:.1f` ({glue:text}`line_stable_optimum:.1f`).
#
# So on a line both remedies stop the fall. As densities they are not equal. On fresh points the objective is {glue:text}`line_naive_objective:,.0f` for the naive network, {glue:text}`line_noise_objective:.1f` with noise and {glue:text}`line_stable_objective:.1f` with the stability term, and the truth has {glue:text}`truth_value:.1f`. Noise asks for a smoothed version of the truth, which is a well-posed question. The stability term asks for a summit of fixed sharpness under every training point.
#
# ## On digits it takes no overfitting
#
# A picture of a digit has a black frame. We count the pixels that are black in *every* training picture.

# %%
run = runs.find(tier, dataset, "baseline", seed)
model = run.model().to(device)
images = data.load(dataset)
blank = (images.x_train == 0).all(dim=0).to(device)
count = {"tiny": 8, "quick": 48}.get(tier, 32)
x = data.to_float(images.x_test[:count]).to(device)
y = images.y_test[:count].to(device)
print(
    f"{int(blank.sum())} of {blank.numel()} pixels are black "
    f"in all {len(images.x_train)} training pictures"
)

# %% [markdown]
# Along those pixels the data have no width at all. Let $B$ be the set of them, and add one and the same function to every logit:
#
# $$
# g(\mathbf{x}) = -\frac{k}{2} \sum_{d \in B} x_d^2 .
# $$ (eq-collapse-bowl)
#
# It is a shift, as in [](01_softmax_shift.ipynb): no probability changes anywhere. On pictures with those pixels black its gradient is nought. Its trace is $-k\,|B|$. So the objective {eq}`eq-collapse-objective` of *any* classifier can be lowered by as much as we like, without touching what it says, on training and test pictures alike. The integration by parts behind eq. 2 had assumed a density, and here there is none.


# %%
def bowl(k: float) -> nn.Module:
    """Return the baseline with the shift of strength k."""
    return shift_logits(
        model, lambda z: -k / 2 * flat_sum((z * blank).square())
    )


noise = 0.1 * torch.randn(x.shape, generator=generator).to(device)

# %%
rows = {}
with torch.no_grad(), trace.full_precision():
    for k in (0, 1, 10, 100, 1000):
        shifted = bowl(k)
        right = shifted(x).argmax(dim=1) == y
        clean, noisy = (
            hyvarinen_objective(
                shifted, z, y, estimator="hutchinson",
                generator=torch.Generator().manual_seed(seed),
            )
            for z in (x, x + noise)
        )
        rows[k] = {
            "accuracy": float(right.double().mean()),
            "mean trace": clean.trace,
            "mean ½|∇f|²": clean.half_squared_norm,
            "objective": clean.value,
            "objective, noisy pictures": noisy.value,
        }
bowls = pd.DataFrame(rows).T.rename_axis("k")
bowls.style.format("{:,.1f}").format("{:.3f}", subset=["accuracy"])

# %% tags=["remove-cell"]
noisy_best = bowls["objective, noisy pictures"].idxmin()
tell(
    blank=int(blank.sum()),
    pixels=blank.numel(),
    bowl_count=count,
    bowl_low=float(bowls["objective"].iloc[-1]),
    bowl_start=float(bowls["objective"].iloc[0]),
    bowl_noisy_best=int(noisy_best),
    noise_floor=-blank.numel() / (2 * 0.1**2),
)

# %% [markdown]
# The mean over {glue:text}`bowl_count` test digits falls from {glue:text}`bowl_start:,.0f` to {glue:text}`bowl_low:,.0f`, and would go on. The accuracy column is constant, as it must be.
#
# The last column adds noise of width 0.1 to the pictures. Now the bowl has slopes that are felt. In each blank pixel the objective gains $-k + \frac12 k^2 s^2$, lowest at $k = 1/s^2 = 100$; of the strengths tried, {glue:text}`bowl_noisy_best` is best. So noise does give the objective a floor. But look where it is: $-D/(2s^2)$ with $D$ = {glue:text}`pixels` and $s = 0.1$ is {glue:text}`noise_floor:,.0f`. A cross-entropy is a number near 1. The next section shows what a network makes of the two together.
#
# ## On networks
#
# Three kinds of network, each trained from several seeds on cross-entropy plus $\lambda$ times the bracket of {eq}`eq-collapse-stable`: naive ($c = 0$), naive with input noise, and with the stability term. {glue:text}`runs_sizes` A run is stopped when a number is no longer finite, or when a batch's mean trace falls below $-10^6$.
#
# In the table, "trace", "|∇f|²" and the objective {eq}`eq-collapse-objective` made of both are means over the batches of the last epoch, as training saw them: with the noise, where there is noise. The two columns after them are measured when the epoch is over, on clean digits.

# %%
def collapse_runs(tier: str, dataset: str) -> dict[str, list[Run]]:
    """Return the runs of each kind."""
    names = {kind: f"collapse-{kind}" for kind in COLOURS}
    return {k: runs.find_all(tier, dataset, name) for k, name in names.items()}


kinds, where = collapse_runs(tier, dataset), tier
if not any(kinds.values()):
    print(
        f"There are no such runs at tier {tier}. "
        "Shown instead, where they exist: those of tier quick."
    )
    kinds, where = collapse_runs("quick", "mnist5k"), "quick"


def history_of(one: Run) -> pd.DataFrame:
    """Return a run's history; one stopped in its first epoch has none."""
    try:
        return one.table("history")
    except pd.errors.EmptyDataError:
        columns = ["epoch", "trace", "squared_norm", "validation_accuracy"]
        return pd.DataFrame(columns=columns, dtype=float)


# %%
histories = {
    kind: {one.record.seed: history_of(one) for one in found}
    for kind, found in kinds.items()
}
settings = {kind: found[0].settings for kind, found in kinds.items() if found}
penalty = {"weight": 1e-2, "mu": 0.1}
if "stable" in settings:
    penalty = dict(settings["stable"].penalty)
noise_runs = settings["noise"].input_noise if "noise" in settings else 0.1
c_runs = 1e-4 / penalty["mu"]
size = blank.numel()
if where == "quick":
    size = data.load("mnist5k").x_train[0].numel()

# %%
rows = {}
for kind, found in kinds.items():
    for one in found:
        history = histories[kind][one.record.seed]
        end = history.iloc[-1] if len(history) else {}
        aged = ", from earlier code" * one.from_earlier_code
        trace_then = end.get("trace", math.nan)
        norm_then = end.get("squared_norm", math.nan)
        rows[f"{kind}, seed {one.record.seed}"] = {
            "ended": one.record.status + aged,
            "validation accuracy": one.metric("validation_accuracy")["value"],
            "trace": trace_then,
            "|∇f|²": norm_then,
            "objective": trace_then + norm_then / 2,
            "trace on training digits": end.get("trace_train", math.nan),
            "trace on validation digits": end.get("trace_validation", math.nan),
        }
table = pd.DataFrame(rows).T
styled = table.style.format("{:,.1f}", subset=list(table)[2:], na_rep="–")
styled.format("{:.3f}", subset=list(table)[1:2], na_rep="–")

# %% mystnb={"figure": {"name": "fig-collapse-runs", "caption": "The networks through training, a line a seed. Left: the mean trace over the batches of each epoch; the dotted lines are the traces where the objectives are lowest, $-1/(2c)$ with the stability term and $-D/s^2$ with the input noise. Linear between -10 and 10, logarithmic beyond. Right: validation accuracy. A line that ends early belongs to a run that was stopped."}, "image": {"alt": "Two panels over the epochs of training, thin lines, one a seed, of three kinds. Left the traces with two dotted levels, right the accuracies."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.9))
names = {
    "naive": "naive",
    "noise": "naive, input noise",
    "stable": "stability term",
}
for kind, by_seed in histories.items():
    for number, history in enumerate(by_seed.values()):
        style = {"color": COLOURS[kind], "marker": MARKS[kind]}
        style |= {"linewidth": 0.8, "markevery": [-1]}
        style["label"] = None if number else names[kind]
        left.plot(history["epoch"], history["trace"], **style)
        right.plot(history["epoch"], history["validation_accuracy"], **style)
left.axhline(-1 / (2 * c_runs), color=COLOURS["stable"], linestyle=":")
left.axhline(-size / noise_runs**2, color=COLOURS["noise"], linestyle=":")
left.set_yscale("symlog", linthresh=10)
left.set(xlabel="epoch", ylabel="mean trace")
left.set_title("The trace, and two targets")
right.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1.02))
right.set_title("What is left of the classifier")
left.xaxis.get_major_locator().set_params(integer=True)
right.xaxis.get_major_locator().set_params(integer=True)
entries = right.get_legend_handles_labels()
figure.legend(*entries, loc="outside lower center", ncols=3)
plt.show()

# %% tags=["remove-cell"]
def at_the_end(
    column: str, of: dict[str, dict[int, pd.DataFrame]] = histories
) -> dict[str, dict[int, float]]:
    """Return a quantity after the last whole epoch, by kind and seed."""
    return {
        kind: {s: float(h[column].iloc[-1]) for s, h in found.items() if len(h)}
        for kind, found in of.items()
    }


in_batches = at_the_end("trace")
on_training = at_the_end("trace_train")
on_validation = at_the_end("trace_validation")
accuracy = {
    kind: {
        one.record.seed: one.metric("validation_accuracy")["value"]
        for one in found
    }
    for kind, found in kinds.items()
}

# %% tags=["remove-cell"]
def difference(first: dict[int, float], second: dict[int, float]) -> Interval:
    """Return the mean difference over the seeds of both, and its interval."""
    both = sorted(first.keys() & second.keys())
    if len(both) < 2:
        return Interval(math.nan, math.nan, math.nan, len(both))
    ours, theirs = ([by_seed[s] for s in both] for by_seed in (first, second))
    return paired_difference_interval(ours, theirs)


# %% tags=["remove-cell"]
def sizes(by_seed: dict[int, float]) -> dict[int, float]:
    """Return the logarithm of each trace's size, where it is negative."""
    return {s: math.log(-value) for s, value in by_seed.items() if value < 0}


def ratio(first: dict[int, float], second: dict[int, float]) -> Interval:
    """Return how many times the second's size the first's traces have."""
    found = difference(sizes(first), sizes(second))
    ends = (found.value, found.low, found.high)
    value, low, high = map(math.exp, ends)
    return Interval(value=value, low=low, high=high, n=found.n)


# %% [markdown]
# Are the kinds told apart? The traces span several powers of ten, so we compare their sizes by ratios, which is to take differences of logarithms. All are paired by seed.

# %% tags=["hide-input"]
differences, ratios = {}, {}
for a, b in (("naive", "stable"), ("noise", "stable"), ("noise", "naive")):
    better = difference(accuracy[a], accuracy[b])
    differences[f"validation accuracy, {a} minus {b}"] = better
    farther = ratio(in_batches[a], in_batches[b])
    ratios[f"size of the trace, {a} over {b}"] = farther
for kind in COLOURS:
    name = f"size of the trace, {kind}, training over validation digits"
    ratios[name] = ratio(on_training[kind], on_validation[kind])

# %% tags=["hide-input"]
words = {1: "higher", -1: "lower", 0: "not told apart"}
rows = {}
for name, found in (differences | ratios).items():
    neutral = 1 if name in ratios else 0
    sign = int(found.low > neutral) - int(found.high < neutral)
    rows[name] = {
        "value": found.value,
        "95 % low": found.low,
        "95 % high": found.high,
        "seeds": found.n,
        "so": words[sign],
    }
pd.DataFrame(rows).T.style.format(
    "{:,.2f}", subset=["value", "95 % low", "95 % high"], na_rep="–"
)

# %% tags=["remove-cell"]
stopped = {
    kind: sum(one.record.status != "finished" for one in found)
    for kind, found in kinds.items()
}
total = {kind: len(found) for kind, found in kinds.items()}
if not total["naive"]:
    ran_away = "There is no naive run here to judge by."
elif stopped["naive"] == total["naive"]:
    ran_away = "Every naive run ran away and was stopped: "
    ran_away += "the collapse of section 3.3."
elif stopped["naive"]:
    ran_away = f"{stopped['naive']} of the {total['naive']} naive runs ran "
    ran_away += "away and were stopped; the rest reached the last epoch."
else:
    ran_away = (
        f"Not one of the {total['naive']} naive runs ran away to minus "
        "infinity within its epochs: at this size, a trace without bottom "
        "was not seen."
    )

# %% tags=["remove-cell"]
RESTLESS = 0.1


def last_changes(kind: str) -> list[float]:
    """Return by what share each run's trace changed in the last epoch."""
    return [
        abs(h["trace"].iloc[-1] / h["trace"].iloc[-2] - 1)
        for h in histories[kind].values()
        if len(h) > 1
    ]


def rest(kind: str) -> str:
    """Say how many runs of a kind have come to rest."""
    changes = last_changes(kind)
    if not changes:
        return "there is none to ask"
    still = sum(change <= RESTLESS for change in changes)
    return (
        f"{still} of {len(changes)} (the change was "
        f"{100 * min(changes):.1f} to {100 * max(changes):.1f} %)"
    )


tell({f"rest_{kind}": rest(kind) for kind in COLOURS}, ran_away=ran_away)

# %% tags=["remove-cell"]
others = "those with the stability term"
price = {
    -1: f"The naive networks do classify worse than {others}, beyond what the "
    "seeds scatter.",
    0: f"Whether the naive networks classify worse than {others}, these seeds "
    "do not decide.",
    1: f"The naive networks even classify better than {others}.",
}[differences["validation accuracy, naive minus stable"].sign()]
tell(price=price)

# %% tags=["remove-cell"]
against_naive = {
    1: "Input noise raised the accuracy above that of the naive networks",
    0: "Input noise made no difference to the accuracy that these seeds could "
    "show",
    -1: "Input noise lowered the accuracy further",
}[differences["validation accuracy, noise minus naive"].sign()]
others = "that of the networks with the stability term"
against_stable = {
    -1: f"and left it below {others}.",
    0: f"and these seeds do not tell it from {others}.",
    1: f"and brought it above {others}.",
}[differences["validation accuracy, noise minus stable"].sign()]

# %% tags=["remove-cell"]
training_over = ratios[
    "size of the trace, naive, training over validation digits"
]
by_points = int(training_over.high < 1) - int(training_over.low > 1)
overfit = {
    -1: "lower on training digits than on others: peaks on the points, as the "
    "paper says.",
    0: "not told apart on the two, so these runs show no peaks on the training "
    "points in particular.",
    1: "higher on training digits than on others, the opposite of peaks on the "
    "points.",
}[by_points]
tell(
    noise_verdict=f"{against_naive}, {against_stable}",
    overfit=f"In the naive networks it is {overfit} (Compared where it is "
    f"negative on both: {training_over.n} seeds.)",
)

# %% tags=["remove-cell"]
def ends_of(by_seed: dict[int, float]) -> str:
    """Return the lowest and the highest value in words."""
    values = by_seed.values()
    if not values:
        return "no whole epoch"
    return f"{min(values):,.0f} to {max(values):,.0f}"


norms = at_the_end("squared_norm")
for kind in COLOURS:
    values = accuracy[kind].values()
    mean = f"{sum(values) / len(values):.3f}" if values else "no run"
    tell({
        f"{kind}_norms": ends_of(norms[kind]),
        f"{kind}_stopped": f"{stopped[kind]} of {total[kind]}",
        f"{kind}_accuracy": mean,
        f"{kind}_traces": ends_of(in_batches[kind]),
    })

# %% tags=["remove-cell"]
def balance() -> str:
    """Say in how many noisy runs the trace balances the squared norm."""
    traces, squares = in_batches["noise"], norms["noise"]
    alike = [s for s in traces if 0.9 < -traces[s] / squares[s] < 1.1]
    said = (
        f"In {len(alike)} of {len(traces)} runs the last epoch's negative "
        "trace is within a tenth of its squared norm"
    )
    if not alike:
        return f"{said}."
    pixels = [-traces[s] * noise_runs**2 for s in alike]
    return (
        f"{said}: what such a network has learned balances already. By its "
        f"size it is the score of the noise in {min(pixels):,.0f} to "
        f"{max(pixels):,.0f} of {size} pixels, and not yet in the others."
    )


# %% tags=["remove-cell"]
reached = [
    value + norms["noise"][s] / 2 for s, value in in_batches["noise"].items()
]
clean = [h["trace_train"].min() for h in histories["noise"].values() if len(h)]
tell(
    noise_balance=balance(),
    runs_objective_floor=-size / (2 * noise_runs**2),
    noise_objectives=f"{min(reached):,.0f} to {max(reached):,.0f}"
    if reached
    else "not known",
    runs_lowest=f"{min(clean):,.0f}" if clean else "not known",
)

# %% tags=["remove-cell"]
first = next((found[0] for found in kinds.values() if found), None)
usual = presets.preset("quick", "mnist5k", "score_matching").penalty["weight"]
runs_sizes = "There are none here."
if first:
    trained = first.settings
    times = penalty["weight"] / usual
    runs_sizes = (
        f"The network is a {trained.network.replace('resnet', 'ResNet-')} of "
        f"width {trained.width}, trained for {trained.epochs} epochs with "
        f"λ = {penalty['weight']:g}, {times:g} times that of the book's "
        f"networks, from {max(total.values())} seeds of each kind."
    )
tell(runs_sizes=runs_sizes)

# %% tags=["remove-cell"]
tell(
    runs_floor=-1 / (2 * c_runs),
    runs_c=c_runs,
    runs_weight=float(penalty["weight"]),
    runs_variant=str(penalty.get("variant", "forward")),
    runs_noise=float(noise_runs),
    runs_noise_norm=size / noise_runs**2,
    runs_noise_floor=-size / noise_runs**2,
)

# %% [markdown]
# {glue:text}`ran_away` {glue:text}`price` {glue:text}`noise_verdict`
#
# | | stopped | mean validation accuracy | trace, last epoch | $\lVert\nabla f\rVert^2$, last epoch |
# |---|---|---|---|---|
# | naive | {glue:text}`naive_stopped` | {glue:text}`naive_accuracy` | {glue:text}`naive_traces` | {glue:text}`naive_norms` |
# | naive, input noise | {glue:text}`noise_stopped` | {glue:text}`noise_accuracy` | {glue:text}`noise_traces` | {glue:text}`noise_norms` |
# | stability term | {glue:text}`stable_stopped` | {glue:text}`stable_accuracy` | {glue:text}`stable_traces` | {glue:text}`stable_norms` |
#
# Have they come to rest? We say so if the last epoch changed a run's mean trace by no more than a tenth. With the stability term: {glue:text}`rest_stable`. With noise: {glue:text}`rest_noise`. Naive: {glue:text}`rest_naive`. The learning rate falls to nought at the end, so a trace that wanders even then is far from any minimum.
#
# **The stability term** asks for a trace of {glue:text}`runs_floor:.0f`, whatever the digits are. Its runs end at {glue:text}`stable_traces`.
#
# **The noise** has its optimum at a trace of {glue:text}`runs_noise_floor:,.0f` and a squared norm of {glue:text}`runs_noise_norm:,.0f`: at the density of the data, noise included, integration by parts makes the mean of one the negative of the other. {glue:text}`noise_balance` The objective is at {glue:text}`noise_objectives`, and its floor at {glue:text}`runs_objective_floor:,.0f`. That floor is the objective's alone. On clean digits, where the noise does not balance the books, the same networks had mean traces down to {glue:text}`runs_lowest` on the way.
#
# Was it the wrong width? With less noise the floor lies deeper; with more, the digits drown. And batch norm keeps the statistics of what it was shown: a network that was trained on noisy digits is validated on clean ones. So beside the validation accuracy stands that on the batches of the last epoch, noise and all.

# %% tags=["remove-cell"]
changes = series.COLLAPSE | series.NOISES
widths = {c["input_noise"]: n for n, c in changes.items() if "input_noise" in c}
asked = {
    f"s = {width:g}": {
        one.record.seed: history_of(one)
        for one in runs.find_all("quick", "mnist5k", widths[width])
    }
    for width in sorted(widths)
} | {"stability term": histories["stable"]}
aims = {f"s = {width:g}": -size / width**2 for width in widths}
aims["stability term"] = -1 / (2 * c_runs)
shown = {
    "accuracy on the batches, %": ("accuracy", 100),
    "validation accuracy, %": ("validation_accuracy", 100),
    "trace, last epoch": ("trace", 1),
}
last = {column: at_the_end(column, asked) for column, _ in shown.values()}

# %% tags=["hide-input"]
rows = {}
for key, by_seed in asked.items():
    rows[key] = {"runs": len(by_seed)}
    for title, (column, scale) in shown.items():
        rows[key][title] = ends_of(
            {s: scale * value for s, value in last[column][key].items()}
        )
    rows[key]["where the objective is lowest"] = f"{aims[key]:,.0f}"
pd.DataFrame(rows).T

# %% tags=["remove-cell"]
right_of = dict(last["accuracy"])
best = right_of.pop("stability term")
gaps = {key: difference(right, best) for key, right in right_of.items()}
below = [key for key, gap in gaps.items() if gap.high < 0]
listed_gaps = listed([
    f"{interval_text(gap, '{:.0f}', 100)} at {key}" for key, gap in gaps.items()
])
noise_widths = (
    f"So the width matters: lower at {listed(below)}; elsewhere these seeds do "
    "not tell them apart, or noise is ahead."
)
if len(below) == len(gaps):
    noise_widths = (
        "So the width is not to blame: at none of the three does noise do what "
        "the stability term does."
    )
tell(
    noise_gaps=listed_gaps,
    noise_widths=noise_widths,
    noise_tried=f"Of {len(gaps)} widths of noise, {len(below)} leave the "
    "accuracy on the batches clearly below that of the stability term.",
)

# %% tags=["remove-cell"]
clean = last["validation_accuracy"]
fewer = [
    key
    for key, right in right_of.items()
    if difference(clean[key], right).high < 0
]
noise_clean = ""
if fewer:
    noise_clean = (
        f"At {listed(fewer)} the networks get clearly fewer of the clean "
        "digits right than of the noisy ones that they were shown: that part "
        "of the loss is not the trace's doing."
    )
tell(noise_clean=noise_clean)

# %% [markdown]
# On the batches, the accuracy with noise minus that with the stability term is, in points, {glue:text}`noise_gaps`. {glue:text}`noise_widths` {glue:text}`noise_clean`
#
# If the trace falls by overfitting, it has to fall on training digits and not on others. {glue:text}`overfit`
#
# The runs have $\lambda$ = {glue:text}`runs_weight:g` and, where there is a stability term, $c$ = {glue:text}`runs_c:g`. In the first table of runs and in {numref}`fig-collapse-runs` the noise has $s$ = {glue:text}`runs_noise:g`. So few seeds show what is large and settle nothing that is small; and a wider network, another $\lambda$ or a longer schedule may do something else.
#
# What a network does is not decided by the objective alone. Its trace can only fall as fast as its weights grow, weight decay pulls them back, and batch normalisation divides by the spread that they make. A large step may also throw the network out of a sharp summit before it has become very sharp: the penalty's gradient is largest there. An objective without a floor promises that nothing in *it* will stop the fall. It does not say when the fall begins, or that something else will not stop it first.
#
# ## The square that is larger than it should be
#
# One more thing hides in the stability term. The true $h$ is not known; its estimate $\hat h$ from [chapter 5](05_trace_estimators.ipynb) is squared in its place, and
#
# $$
# \mathbb{E}\, \hat h^2 = h^2 + \operatorname{Var} \hat h
# \approx h^2 + \frac{4\,\|\nabla f\|^2}{N \sigma^2}
# $$ (eq-collapse-square)
#
# for $N$ forward samples, by {prf:ref}`prf-trace-variance`. The last term is a gradient penalty that nobody wrote down. Two independent samples can be multiplied instead of squared; then the extra term is gone, and `trace.unbiased_square` does so for all pairs of $N$ samples. Here are both on the baseline network, averaged over {glue:text}`bowl_count` test digits.

# %%
sigma, probes = 0.01, 16
f = trace.logit(model, y)
squared_norm = flat_sum(logit_gradient(model, x, y).square())
rows = {}
for variant in ("forward", "central"):
    with torch.no_grad(), trace.full_precision():
        drawn = trace.taylor(
            f, x, sigma=sigma, num_probes=probes, variant=variant,
            generator=generator,
        )
    unbiased = mean_interval(trace.unbiased_square(drawn).cpu())
    squared = mean_interval(drawn.square().mean(dim=0).cpu())
    added = squared.value - unbiased.value
    of_h, of_samples = (
        f"{end.value:,.0f} ({end.low:,.0f} to {end.high:,.0f})"
        for end in (unbiased, squared)
    )
    rows[variant] = {
        "h², unbiased": of_h,
        "mean of one squared sample": of_samples,
        "added by squaring": f"{added:,.0f}",
    }
    tell({f"{variant}_added": added, f"{variant}_square": unbiased.value})
pd.DataFrame(rows).T

# %% tags=["remove-cell"]
tell(
    square_predicted=float(4 * squared_norm.mean() / sigma**2),
    hidden=1e-3 * 4 / sigma**2,
    hidden_paper=1.0 * 4 / sigma**2,
)

# %% [markdown]
# Squaring one forward sample adds {glue:text}`forward_added:,.0f`; the formula's last term is {glue:text}`square_predicted:,.0f`. One central sample adds {glue:text}`central_added:,.0f`. The $h^2$ that was meant is about {glue:text}`central_square:,.0f`.
#
# Now multiply by $c$. With $\sigma = 0.01$, one forward sample and $c = 10^{-3}$, as in the authors' code, the hidden penalty is {glue:text}`hidden:.0f` $\|\nabla f\|^2$, next to the $\frac12 \|\nabla f\|^2$ that eq. 4 writes. With the paper's $\mu = 10^{-4}$, that is $c = 1$, it is {glue:text}`hidden_paper:,.0f` $\|\nabla f\|^2$. Such a network is trained to have a small gradient before anything else. That may be why gradient-norm regularisation does about as well in the paper as score-matching. [Chapter 17](17_search.ipynb) trains with both constants. The runs of this chapter use the {glue:text}`runs_variant` estimate.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Section 3.3: naive score-matching "is unstable, causing the Hessian-trace to collapse to negative infinity", because the finite sample makes the model overfit "to a mixture-of-diracs density"; adding noise to the inputs "did not help for our case"; a small penalty on the squared trace does. It shows no curve and no number.
# :::
#
# :::{admonition} What you just saw
# - **The objective has no floor.** On a line, kernels and a network both follow it down at the training points, and fresh points do not go along.
# - **On digits the cause is simpler than overfitting.** {glue:text}`blank` of {glue:text}`pixels` pixels never vary, and a bowl over them lowers the objective on every picture, seen or not, with no change to any answer.
# - **Noise gives the objective a floor, and it is far down**: $-D/(2s^2)$, a number that grows with the size of the picture. On a line that is a cure. For {glue:text}`pixels` pixels it is {glue:text}`noise_floor:,.0f` at $s = 0.1$.
# - **The stability term asks for a trace of $-1/(2c)$**, whatever the data. It holds the trace by prescribing it. What is then matched is not the score of the data, or not it alone. [Chapter 14](14_sweep.ipynb) tries twenty pairs of constants, and [chapter 7](07_training.ipynb) the paper's own data.
# - **In training:** {glue:text}`ran_away` {glue:text}`price` {glue:text}`noise_verdict` {glue:text}`noise_tried`
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* The points of {eq}`eq-collapse-objective` are drawn from $\mathcal{N}(\mathbf{0}, s^2 \mathbf{I})$ in $D$ dimensions, and
# $f = -\frac a2 \|\mathbf{x}\|^2$. For which $a$ is $J$ lowest, and how low is it? What if all points lie at the origin?
#
# :::{admonition} Solution
# :class: dropdown
#
# The trace is $-aD$, and the mean squared norm $a^2 D s^2$. So $J = D\,\big({-a} + \frac12 a^2 s^2\big)$, lowest at $a = 1/s^2$, where it is $-D/(2s^2)$:
# the floor that noise of width $s$ gives. With $s = 0$ the second term is gone, and $J = -aD$ has no floor.
# :::
#
# **2.** *With one line.* For the three networks on the line the coefficient `c_line` is 0.05. Make it 0.5. Where will the stable network's trace come to lie at its points, and
# where that of the network trained with noise?
#
# :::{admonition} Solution
# :class: dropdown
#
# The target is $-1/(2c)$: it was $-10$ and is now $-1$. After the chapter's 600 steps we found $-0.98$ on average at the points. The network with noise has $c = 0$ in its objective and does not notice; it ends where it ended before. The points and their spread are the same in either case, and only the constant has moved the trace.
# :::
#
# **3.** *What would happen if* the stability term were $c\,|h|$ in place of $c\,h^2$?
#
# :::{admonition} Solution
# :class: dropdown
#
# For negative $h$ the sum $h + c\,|h|$ is $(1 - c)\,h$. With $c < 1$ it falls without end as $h$ does: the collapse is slowed down and not stopped. With
# $c > 1$ it is lowest at $h = 0$, and the penalty asks for no curvature. There is no value of $c$ that asks for a trace such as $-10$. A
# square wins over any straight line in the end, which is why it holds.
# :::
