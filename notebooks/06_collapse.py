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
# In [](04_score_matching.ipynb) score-matching found the true density, given plenty of points. Given few it finds something else. The paper warns that the objective, used as it stands, runs away to minus infinity, that noise on the inputs does not help, and that a small penalty on the squared trace does. **Why does it run away, and what holds it?**
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
from matplotlib_inline.backend_inline import set_matplotlib_formats
from myst_nb import glue
from torch import Tensor, nn

from companion import data, plots, presets, runs, trace
from companion._support import choose, flat_sum
from companion.fooling import shift_logits
from companion.gradients import logit_gradient
from companion.metrics import Interval, hyvarinen_objective, mean_interval, paired_difference_interval
from companion.runs import Run

plots.use_style()
set_matplotlib_formats("svg")
dataset = presets.DATASETS[choose("tier", tier, runs.TIERS)][0]
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
truth = data.gaussian_mixture(torch.tensor([[-1.0], [1.0]]), 0.16, labels=torch.tensor([0, 0]))
points, _ = truth.sample(10, generator)
fresh, _ = truth.sample({"tiny": 50}.get(tier, 1000), generator)


def kernels(width: float) -> data.Mixture:
    """Return the density with a Gaussian of one width on each point."""
    return data.gaussian_mixture(points, width**2, labels=torch.zeros(len(points), dtype=torch.long))


widths = [float(w) for w in torch.logspace(0, -2, 25)]
on_points = [hyvarinen_objective(kernels(w).classifier(), points, 0) for w in widths]
on_fresh = [hyvarinen_objective(kernels(w).classifier(), fresh, 0) for w in widths]
of_truth = hyvarinen_objective(truth.classifier(), fresh, 0)

# %% mystnb={"figure": {"name": "fig-collapse-kernels", "caption": "Left: kernels of three widths on ten points (ticks), and the density that the points come from. Right: {eq}`eq-collapse-objective` averaged over the ten points, and over fresh points of the same density. The axis is linear between -10 and 10 and logarithmic beyond."}, "image": {"alt": "Left, a true density with two humps; wide kernels blur it, narrow ones become spikes on the points. Right, as the kernels get narrower the objective on the ten points falls without end while on fresh points it first falls a little and then rises steeply."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.9))
axis = torch.linspace(-3, 3, 1201, dtype=torch.float64)[:, None]
left.plot(axis, truth.log_density(axis, 0).exp(), color="black", label="truth")
for width, colour in ((0.5, "#56B4E9"), (0.2, "#0072B2"), (0.05, "#D55E00")):
    left.plot(axis, kernels(width).log_density(axis, 0).exp(), color=colour, linewidth=1.2, label=f"s = {width}")
left.plot(points, torch.zeros(len(points)), "|", color="black", markersize=11)
left.set(xlabel="x", ylabel="density", title="Narrow kernels: a density of spikes")
right.plot(widths, [o.value for o in on_points], color=COLOURS["naive"], label="on the ten points")
right.plot(widths, [o.value for o in on_fresh], color="#6A6A6A", linestyle="--", label="on fresh points")
right.axhline(of_truth.value, color="black", linewidth=1, linestyle=":", label="the truth, on fresh points")
right.set_yscale("symlog", linthresh=10)
right.set(xscale="log", xlabel="kernel width s", ylabel="objective", title="On the points it never stops falling")
right.invert_xaxis()
left.legend(loc="upper right")
right.legend(loc="upper left")
plt.show()

# %% tags=["remove-cell"]
lowest = min(range(len(widths)), key=lambda k: on_fresh[k].value)
glue("num_points", len(points), display=False)
glue("narrow", widths[-1], display=False)
glue("narrow_points", on_points[-1].value, display=False)
glue("narrow_fresh", on_fresh[-1].value, display=False)
glue("truth_value", of_truth.value, display=False)
glue("truth_error", of_truth.standard_error, display=False)
glue("best_width", widths[lowest], display=False)
glue("best_fresh", on_fresh[lowest].value, display=False)

# %% [markdown]
# At $s$ = {glue:text}`narrow:.2f` the ten points give {glue:text}`narrow_points:,.0f`; fresh points give {glue:text}`narrow_fresh:,.0f`. The truth's own value is {glue:text}`truth_value:.1f` ± {glue:text}`truth_error:.1f`. Fresh points prefer a width of about {glue:text}`best_width:.2f`. This is overfitting, but of a kind with no bottom.
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
# - **Noise:** points that are moved by noise come from the kernels of {numref}`fig-collapse-kernels`, with their width $s$ given. A density has a lowest value of $J$, and it is reached by the density itself. Where the kernels stay apart, its mean trace is $-D/s^2$ in $D$ dimensions.
# - **Stability term:** $h + c h^2$ is lowest at $h = -1/(2c)$. The point may sit on a summit of this sharpness and no other. So $c$, not the data, sets the scale of the trace.

# %%
noise_width, c_line, steps = 0.3, 0.05, {"tiny": 20}.get(tier, 600)


def train_on_line(noise: float = 0.0, c: float = 0.0) -> tuple[nn.Module, pd.DataFrame]:
    """Train a network on the ten points by eq. 2; return it and its mean trace on them and on fresh points."""
    source = torch.Generator().manual_seed(seed)
    network = nn.Sequential(nn.Linear(1, 64), nn.Softplus(), nn.Linear(64, 64), nn.Softplus(), nn.Linear(64, 1)).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5, generator=source)
    network[0].weight.data *= 3
    optimizer, rows, f = torch.optim.Adam(network.parameters(), lr=0.01), [], trace.logit(network, 0)
    for step in range(1, steps + 1):
        x = points + noise * torch.randn(points.shape, generator=source, dtype=points.dtype)
        h = trace.hutchinson(f, x, generator=source)[0]  # in one dimension a random sign is exact
        slope = logit_gradient(network, x, 0, create_graph=True)[:, 0]
        loss = (h + slope.square() / 2 + c * h.square()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % (steps // 20) == 0:
            with torch.no_grad():
                means = [float(trace.hutchinson(f, z, generator=source).mean()) for z in (points, fresh)]
            rows.append({"step": step, "points": means[0], "fresh": means[1]})
    return network, pd.DataFrame(rows)


line = {"naive": train_on_line(), "noise": train_on_line(noise=noise_width), "stable": train_on_line(c=c_line)}
floors = {"noise": -1 / noise_width**2, "stable": -1 / (2 * c_line)}

# %% mystnb={"figure": {"name": "fig-collapse-line", "caption": "Three networks on the same ten points. Left: the mean trace at the points (solid) and at fresh points (dashed); thin lines are the floors $-1/s^2$ and $-1/(2c)$. Linear between -10 and 10, logarithmic beyond. Right: the learned densities, normalised on the interval shown, each to its own maximum."}, "image": {"alt": "Left, three pairs of curves over the training steps. That of the naive network falls by orders of magnitude at the points and stays higher at fresh points; the other two level off near their floors. Right, the naive density is a spike; the density trained with noise is smooth; the one with the stability term lies in between."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.9))
labels = {"naive": "naive", "noise": f"input noise, s = {noise_width}", "stable": f"stability term, c = {c_line}"}
for kind, (network, history) in line.items():
    left.plot(history["step"], history["points"], color=COLOURS[kind], label=labels[kind])
    left.plot(history["step"], history["fresh"], color=COLOURS[kind], linestyle="--", linewidth=1.2)
    if kind in floors:
        left.axhline(floors[kind], color=COLOURS[kind], linewidth=0.7)
    with torch.no_grad():
        density = (network(axis)[:, 0] - network(axis).max()).exp()
    right.plot(axis, density, color=COLOURS[kind], label=labels[kind], linewidth=1.3)
left.set_yscale("symlog", linthresh=10)
expected = truth.log_density(axis, 0).exp()
right.plot(axis, expected / expected.max(), color="black", linestyle=":", label="truth")
right.plot(points, torch.zeros(len(points)), "|", color="black", markersize=11)
left.set(xlabel="step", ylabel="mean trace", title="Two floors, and none")
right.set(xlabel="x", ylabel="density / its maximum", title="What they learned")
left.legend(loc="lower left")
right.legend(loc="upper left", fontsize=8)
plt.show()

# %% tags=["remove-cell"]
for kind, (network, history) in line.items():
    glue(f"line_{kind}_points", float(history["points"].iloc[-1]), display=False)
    glue(f"line_{kind}_fresh", float(history["fresh"].iloc[-1]), display=False)
    glue(f"line_{kind}_objective", hyvarinen_objective(network, fresh, 0).value, display=False)
glue("line_noise_floor", floors["noise"], display=False)
glue("line_stable_floor", floors["stable"], display=False)
glue("line_steps", steps, display=False)

# %% [markdown]
# After {glue:text}`line_steps` steps the naive network's trace is {glue:text}`line_naive_points:,.0f` on average at the points and {glue:text}`line_naive_fresh:,.0f` at fresh ones. With noise it is {glue:text}`line_noise_points:.1f` (floor {glue:text}`line_noise_floor:.1f`), with the stability term {glue:text}`line_stable_points:.1f` (floor {glue:text}`line_stable_floor:.1f`).
#
# So on a line both remedies stop the fall. As densities they are not equal. On fresh points the objective is {glue:text}`line_noise_objective:.1f` with noise and {glue:text}`line_stable_objective:.1f` with the stability term, and the truth has {glue:text}`truth_value:.1f`. Noise asks for a smoothed version of the truth, which is a well-posed question. The stability term asks for a summit of fixed sharpness under every training point.
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
x, y = data.to_float(images.x_test[:count]).to(device), images.y_test[:count].to(device)
print(f"{int(blank.sum())} of {blank.numel()} pixels are black in all {len(images.x_train)} training pictures")

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
    return shift_logits(model, lambda z: -k / 2 * flat_sum((z * blank).square()))


noise = 0.1 * torch.randn(x.shape, generator=generator).to(device)
rows = {}
with torch.no_grad(), trace.full_precision():
    for k in (0, 1, 10, 100, 1000):
        shifted = bowl(k)
        clean, noisy = (
            hyvarinen_objective(shifted, z, y, estimator="hutchinson", generator=torch.Generator().manual_seed(seed))
            for z in (x, x + noise)
        )
        rows[k] = {
            "accuracy": float((shifted(x).argmax(dim=1) == y).double().mean()),
            "mean trace": clean.trace,
            "mean ½|∇f|²": clean.half_squared_norm,
            "objective": clean.value,
            "objective, noisy pictures": noisy.value,
        }
bowls = pd.DataFrame(rows).T.rename_axis("k")
bowls.style.format("{:,.1f}").format("{:.3f}", subset=["accuracy"])

# %% tags=["remove-cell"]
glue("blank", int(blank.sum()), display=False)
glue("pixels", blank.numel(), display=False)
glue("bowl_count", count, display=False)
glue("bowl_low", float(bowls["objective"].iloc[-1]), display=False)
glue("bowl_start", float(bowls["objective"].iloc[0]), display=False)
glue("bowl_noisy_best", int(bowls["objective, noisy pictures"].idxmin()), display=False)
glue("noise_floor", -blank.numel() / 0.1**2, display=False)

# %% [markdown]
# The mean over {glue:text}`bowl_count` test digits falls from {glue:text}`bowl_start:,.0f` to {glue:text}`bowl_low:,.0f`, and would go on. The accuracy column is constant, as it must be.
#
# The last column adds noise of width 0.1 to the pictures. Now the bowl has slopes that are felt. In each blank pixel the objective gains $-k + \frac12 k^2 s^2$, lowest at $k = 1/s^2 = 100$; of the strengths tried, {glue:text}`bowl_noisy_best` is best. So noise does give the objective a floor. But look where it is: $-D/s^2$ with $D$ = {glue:text}`pixels` and $s = 0.1$ is {glue:text}`noise_floor:,.0f`. A cross-entropy is a number near 1. The next section shows what a network makes of the two together.
#
# ## On networks
#
# Nine networks, three of each kind with three seeds, trained on cross-entropy plus $\lambda$ times the bracket of {eq}`eq-collapse-stable`: naive ($c = 0$), naive with input noise, and with the stability term.

# %%
kinds = {kind: runs.find_all(tier, dataset, f"collapse-{kind}") for kind in COLOURS}
where = tier
if not any(kinds.values()):
    print(f"There are no such runs at tier {tier}. Shown instead, where they exist: those of tier quick.")
    kinds, where = {kind: runs.find_all("quick", "mnist5k", f"collapse-{kind}") for kind in COLOURS}, "quick"


def history_of(one: Run) -> pd.DataFrame:
    """Return a run's history; a run that was stopped in its first epoch has no row."""
    try:
        return one.table("history")
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=["epoch", "trace", "trace_train", "trace_validation", "validation_accuracy"], dtype=float)


histories = {kind: {one.record.seed: history_of(one) for one in found} for kind, found in kinds.items()}
table = pd.DataFrame(
    {
        f"{kind}, seed {one.record.seed}": {
            "ended": one.record.status + ", from earlier code" * one.from_earlier_code,
            "validation accuracy": one.metric("validation_accuracy")["value"],
            **{f"last {name}": histories[kind][one.record.seed][name].iloc[-1:].sum(min_count=1)
               for name in ("trace_train", "trace_validation", "squared_norm_train")
               if name in histories[kind][one.record.seed]},
            "lowest epoch mean of the trace": histories[kind][one.record.seed]["trace"].min(),
        }
        for kind, found in kinds.items()
        for one in found
    }
).T  # fmt: skip
table

# %% mystnb={"figure": {"name": "fig-collapse-runs", "caption": "Nine networks through training, a line a seed. Left: the mean trace on 64 training digits (solid) and 64 validation digits (dashed), at the end of each epoch; thin lines are the floors $-1/(2c)$ of the stability term and $-D/s^2$ of the input noise. Linear between -10 and 10, logarithmic beyond. Right: validation accuracy. A line that ends early belongs to a run that was stopped."}, "image": {"alt": "Two panels over the epochs of training, three lines of each of three kinds. Left the traces with the two floors, right the accuracies."}} tags=["hide-input"]
penalties = [one.settings.penalty for one in kinds["stable"][:1]]
c_runs = 1e-4 / float(penalties[0]["mu"]) if penalties else 1e-3
size = data.load("mnist5k").x_train[0].numel() if where == "quick" else blank.numel()
figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.9))
names = {"naive": "naive", "noise": "naive, input noise", "stable": "stability term"}
for kind, by_seed in histories.items():
    for number, history in enumerate(by_seed.values()):
        style = {"color": COLOURS[kind], "marker": MARKS[kind], "linewidth": 1.2}
        left.plot(history["epoch"], history["trace_train"], **style, label=None if number else names[kind])
        left.plot(history["epoch"], history["trace_validation"], **style | {"marker": None}, linestyle="--")
        right.plot(history["epoch"], history["validation_accuracy"], **style, label=None if number else names[kind])
left.axhline(-1 / (2 * c_runs), color=COLOURS["stable"], linewidth=0.7)
left.axhline(-size / 0.1**2, color=COLOURS["noise"], linewidth=0.7)
left.set_yscale("symlog", linthresh=10)
left.set(xlabel="epoch", ylabel="mean trace", title="The trace, and the two floors")
right.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1.02), title="What is left of the classifier")
if any(kinds.values()):
    right.legend(loc="best")
plt.show()

# %%
def told(first: dict[int, float], second: dict[int, float]) -> Interval:
    """Return the mean difference over the seeds that both have, with its 95 % interval."""
    both = sorted(seed for seed in first.keys() & second.keys() if not math.isnan(first[seed] + second[seed]))
    if not both:
        return Interval(value=math.nan, low=math.nan, high=math.nan, n=0)
    return paired_difference_interval([first[s] for s in both], [second[s] for s in both])


def sentence(what: str, interval: Interval, words: tuple[str, str], digits: int = 0) -> str:
    """Say which way a difference goes, if its interval tells."""
    numbers = f"{interval.value:,.{digits}f}, 95 % interval {interval.low:,.{digits}f} to {interval.high:,.{digits}f}, {interval.n} seeds"
    word = {1: words[0], -1: words[1], 0: "not told apart by this many seeds"}[interval.sign()]
    return f"{what}: {word} ({numbers})."


accuracy = {kind: {r.record.seed: r.metric("validation_accuracy")["value"] for r in found} for kind, found in kinds.items()}
last = {
    (kind, split): {s: float(h[f"trace_{split}"].iloc[-1]) for s, h in histories[kind].items() if len(h)}
    for kind in COLOURS
    for split in ("train", "validation")
}
stopped = {kind: sum(one.record.status != "finished" for one in found) for kind, found in kinds.items()}
higher_lower = ("higher", "lower")
pairs = (("naive", "stable"), ("noise", "stable"), ("noise", "naive"))
findings = [
    sentence(f"Validation accuracy, {a} minus {b}", told(accuracy[a], accuracy[b]), higher_lower, 3) for a, b in pairs
] + [sentence(f"Last trace, {a} minus {b}", told(last[a, "train"], last[b, "train"]), higher_lower) for a, b in pairs]
findings += [
    sentence(f"Last trace, {kind}, training minus validation digits", told(last[kind, "train"], last[kind, "validation"]), higher_lower)
    for kind in COLOURS
]
print("\n".join(findings))

# %% tags=["remove-cell"]
total = {kind: len(found) for kind, found in kinds.items()}
means = {kind: f"{sum(a.values()) / len(a):.3f}" if a else "no run" for kind, a in accuracy.items()}
traces = {kind: [*last[kind, "train"].values()] for kind in COLOURS}
ranges = {kind: f"{min(t):,.0f} to {max(t):,.0f}" if t else "no finished epoch" for kind, t in traces.items()}
if not total["naive"]:
    ran_away = "There is no naive run here to judge by."
elif stopped["naive"] == total["naive"]:
    ran_away = "Every naive run ran away and was stopped: the collapse of section 3.3."
elif stopped["naive"]:
    ran_away = f"{stopped['naive']} of the {total['naive']} naive runs ran away and were stopped; the others reached their last epoch."
else:
    ran_away = (
        f"None of the {total['naive']} naive runs ran away to minus infinity within its epochs. At this size the collapse "
        "that the paper reports, a trace without bottom, did not happen."
    )
ruined = told(accuracy["naive"], accuracy["stable"]).sign()
price = {
    -1: "But the naive networks classify worse than those with the stability term, and the interval excludes chance.",
    0: "Whether the naive networks classify worse than those with the stability term, these seeds do not decide.",
    1: "The naive networks even classify better than those with the stability term.",
}[ruined]
cured = told(accuracy["noise"], accuracy["naive"]).sign()
noise_words = {
    1: "Input noise did raise the accuracy above that of the naive networks",
    0: "Input noise made no difference to the accuracy that these seeds can show",
    -1: "Input noise lowered the accuracy further",
}[cured]
behind = {
    -1: "and left it below that of the networks with the stability term.",
    0: "and the networks with the stability term are not told apart from it.",
    1: "and above that of the networks with the stability term.",
}[told(accuracy["noise"], accuracy["stable"]).sign()]
glue("ran_away", ran_away, display=False)
glue("price", price, display=False)
glue("noise_verdict", f"{noise_words}, {behind}", display=False)
for kind in COLOURS:
    glue(f"{kind}_stopped", f"{stopped[kind]} of {total[kind]}", display=False)
    glue(f"{kind}_accuracy", means[kind], display=False)
    glue(f"{kind}_traces", ranges[kind], display=False)
glue("runs_floor", -1 / (2 * c_runs), display=False)
glue("runs_c", c_runs, display=False)
glue("runs_weight", float(penalties[0]["weight"]) if penalties else 1e-2, display=False)

# %% [markdown]
# {glue:text}`ran_away` {glue:text}`price` {glue:text}`noise_verdict`
#
# | | stopped | mean validation accuracy | last trace on training digits |
# |---|---|---|---|
# | naive | {glue:text}`naive_stopped` | {glue:text}`naive_accuracy` | {glue:text}`naive_traces` |
# | naive, input noise | {glue:text}`noise_stopped` | {glue:text}`noise_accuracy` | {glue:text}`noise_traces` |
# | stability term | {glue:text}`stable_stopped` | {glue:text}`stable_accuracy` | {glue:text}`stable_traces` |
#
# The runs have $\lambda$ = {glue:text}`runs_weight:g` and, where there is a stability term, $c$ = {glue:text}`runs_c:g`, whose summit is at $h$ = {glue:text}`runs_floor:.0f`: the blue line of {numref}`fig-collapse-runs`. Three seeds make wide intervals. They show what is large and settle nothing that is small.
#
# What a network does is not decided by the objective alone. Its trace can only fall as fast as its weights grow, weight decay pulls them back, and batch normalisation divides by the spread that they make. A large step may also throw the network out of a sharp summit before it has become very sharp: the penalty's gradient is largest there. An objective without a floor promises that nothing in *it* will stop the fall. It does not say when the fall begins, or that something else will not stop it first.
#
# ## The square that is larger than it should be
#
# One more thing hides in the stability term. The true $h$ is not known; its estimate $\hat h$ from [](05_trace_estimators.ipynb) is squared in its place, and
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
with torch.no_grad(), trace.full_precision():
    for variant in ("forward", "central"):
        drawn = trace.taylor(f, x, sigma=sigma, num_probes=probes, variant=variant, generator=generator)
        unbiased = mean_interval(trace.unbiased_square(drawn).cpu())
        squared = mean_interval(drawn.square().mean(dim=0).cpu())
        rows[variant] = {
            "h², unbiased": f"{unbiased.value:,.0f} ({unbiased.low:,.0f} to {unbiased.high:,.0f})",
            "mean of one squared sample": f"{squared.value:,.0f} ({squared.low:,.0f} to {squared.high:,.0f})",
            "added by squaring": f"{squared.value - unbiased.value:,.0f}",
        }
        glue(f"{variant}_added", squared.value - unbiased.value, display=False)
        glue(f"{variant}_square", unbiased.value, display=False)
pd.DataFrame(rows).T

# %% tags=["remove-cell"]
glue("square_predicted", float(4 * squared_norm.mean() / sigma**2), display=False)
glue("hidden", 1e-3 * 4 / sigma**2, display=False)
glue("hidden_paper", 1.0 * 4 / sigma**2, display=False)

# %% [markdown]
# Squaring one forward sample adds {glue:text}`forward_added:,.0f`; the formula's last term is {glue:text}`square_predicted:,.0f`. One central sample adds {glue:text}`central_added:,.0f`. The $h^2$ that was meant is about {glue:text}`central_square:,.0f`.
#
# Now multiply by $c$. With $\sigma = 0.01$, one forward sample and $c = 10^{-3}$, as in the authors' code, the hidden penalty is {glue:text}`hidden:.0f` $\|\nabla f\|^2$, next to the $\frac12 \|\nabla f\|^2$ that eq. 4 writes. With the paper's $\mu = 10^{-4}$, that is $c = 1$, it is {glue:text}`hidden_paper:,.0f` $\|\nabla f\|^2$. Such a network is trained to have a small gradient before anything else. It may explain why gradient-norm regularisation does about as well in the paper as score-matching, and why the paper's constants stopped our first networks from learning ([](07_training.ipynb)). The runs of this chapter use the central estimate, which has next to none of it.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Section 3.3: naive score-matching "is unstable, causing the Hessian-trace to collapse to negative infinity", because the finite sample makes the model overfit "to a mixture-of-diracs density"; adding noise to the inputs "did not help for our case"; a small penalty on the squared trace does. It shows no curve and no number.
# :::
#
# **The objective has no floor.** On a line, kernels and a network both follow it down at the training points, and fresh points do not go along.
#
# **On digits the cause is simpler than overfitting.** {glue:text}`blank` of {glue:text}`pixels` pixels never vary, and a bowl over them lowers the objective on every picture, seen or not, with no change to any answer.
#
# **Noise gives a floor, and it is far down**: $-D/s^2$, a number that grows with the size of the picture. On a line that is a cure. For {glue:text}`pixels` pixels it is {glue:text}`noise_floor:,.0f` at $s = 0.1$.
#
# **The stability term gives a floor at $-1/(2c)$**, whatever the data. It holds the trace by prescribing it. What is then matched is not the score of the data, or not it alone.
#
# **In training:** {glue:text}`ran_away` {glue:text}`price`
