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
# # Training the four models
#
# Everything that follows in this book compares four networks. They have the same layers, see the same pictures, and with the same seed they begin with the same weights and take the batches in the same order. One term of the loss differs. **What does that term do to a network while it learns, and what does it cost?**
#
# First on the paper's own network and pictures, one network of each kind; then on digits, where several seeds can be had and the reader can train along. The term's constants were chosen by a rule, written down beforehand and applied by code to validation pictures: [chapter 17](17_search.ipynb) is about that choice.

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
from companion.book.opening import begin, tell

begin(globals(), figures="svg")

# %% tags=["remove-cell"]
import inspect
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from matplotlib import pyplot as plt
from scipy import stats

# %% tags=["remove-cell"]
from companion import data, runs, trace
from companion.book import tables
from companion.book.axes import logarithmic
from companion.book.curves import training_curves
from companion.book.sentences import (
    ranking, runs_in_words, trace_in_words,
)
from companion.book.strongest import strongest
from companion.book.style import MODEL_LABELS
from companion.book.training_figures import (
    density_in_training, histories, learning,
)
from companion.book.training_words import over_the_rule, single_networks
from companion.book.words import counted, direction, interval_text, led, listed
from companion.claims.paper import reported
from companion.experiments import presets, step
from companion._support import flat_sum
from companion.gradients import logit_gradient
from companion.metrics import paired_difference_interval

dataset = presets.DATASETS[tier][0]

# %% [markdown]
# ## One step
#
# Each network minimises the cross-entropy $\ell$ plus a penalty on the logit $f_i$ of the true class,
#
# $$
# \ell\big(f(\mathbf{x}), i\big) + \text{penalty}, \qquad h \approx \operatorname{trace} \nabla^2_{\mathbf{x}} f_i(\mathbf{x}) .
# $$ (eq-training-loss)
#
# | model | penalty | what it is for |
# |---|---|---|
# | baseline | none | the ordinary classifier |
# | score-matching, eq. 4 | $\lambda \big( h + \frac12 \lVert\nabla f_i\rVert^2 + \frac{10^{-4}}{\mu} h^2 \big)$ | to pull the implicit density towards that of the data |
# | anti-score-matching | $-\lambda \min(h, \tau)$ | to push it away |
# | gradient norm | $\frac{\lambda}{2} \lVert\nabla f_i\rVert^2$ | one term of score-matching alone |
#
# The paper prints no formula for the last row; we read it as the middle term of eq. 4. And this is a whole step of training, as the package runs it. `loss.terms` computes the penalty, with $h$ estimated as in [chapter 5](05_trace_estimators.ipynb).

# %% tags=["hide-input"]
parts = (step.training_step, step.batch_gradients)
source = "\n\n".join(inspect.getsource(part) for part in parts)
Markdown(f"```python\n{source}```")

# %% [markdown]
# One such network is trained, and measured, by one line in a terminal. Any setting can be changed on the way.
#
# ```
# companion train --method score_matching --seed 1 --evaluate
# companion train --method score_matching --set name=mine \
#     --set penalty.weight=1e-4
# ```
#
# ## The settings
#
# On the left, what trained the small networks of this page; beside it, what trained the large one. Then what the paper prints; where it prints nothing, the field is empty. On the right what the authors' released code does {cite:p}`srinivas2021code`. The coefficient of $h^2$ is $10^{-4}/\mu$.

# %% tags=["hide-input"]
LARGE = ("paper", "cifar100")
setup, g = reported("setup"), "{:g}".format


def schedule_of(tier: str, dataset: str) -> dict[str, str]:
    """Return in words how a tier's networks are trained, penalties aside."""
    plain = presets.preset(tier, dataset, "baseline", seed)
    return {
        "pictures": dataset,
        "network": f"{plain.network}, width {plain.width}",
        "epochs": str(plain.epochs),
        "batch size": str(plain.batch_size),
        "largest learning rate": f"{plain.learning_rate:g}, "
        + plain.schedule.replace("_", " "),
        "momentum, weight decay": f"{plain.momentum:g}, "
        f"{plain.weight_decay:g}",
    }


# %% tags=["hide-input"]
def penalties_of(tier: str, dataset: str) -> dict[str, str]:
    """Return in words a tier's penalties."""
    score, anti, norm = (
        presets.preset(tier, dataset, name, seed).loss()
        for name in list(runs.METHODS)[1:]
    )
    return {
        "score-matching: λ": g(score.weight),
        "coefficient of h²": g(1e-4 / score.mu),
        "σ, probes": f"{score.sigma:g}, {score.num_probes}",
        "estimate of h": score.variant,
        "estimate of ‖∇f‖²": score.norm,
        "batch norm of x + v": score.batch_norm,
        "anti-score-matching: λ": g(anti.weight),
        "τ": g(anti.tau),
        "σ and estimate of h": f"{anti.sigma:g}, {anti.variant}",
        "batch norm of x + v ": anti.batch_norm,
        "gradient norm: λ": g(norm.weight),
    }


# %% tags=["hide-input"]
score, against, norm = (setup[name] for name in list(runs.METHODS)[1:])
printed = {
    "pictures": ", ".join(setup["datasets"]),
    "network": setup["network"].split(",")[0],
    "score-matching: λ": g(score["lambda"]),
    "coefficient of h²": g(1e-4 / score["mu"]),
    "estimate of h": "forward",
    "anti-score-matching: λ": g(against["lambda"]),
    "τ": g(against["tau"]),
    "σ and estimate of h": "forward",
    "gradient norm: λ": g(norm["lambda"]),
}
released = [
    "cifar100, cifar10", "resnet18, width 64", "200", "128", "0.1, step",
    "0.9, 0.0005", "1e-05", "0.001", "0.01, 1", "forward", "exact", "separate",
    "1e-05", "10000", "0.001, forward", "separate", "1e-05",
]
here, there = (
    schedule_of(*where) | penalties_of(*where)
    for where in ((tier, dataset), LARGE)
)
columns = {"here": here, "the large network": there, "the paper": printed}
settings = pd.DataFrame(columns, index=list(here)).fillna("")
settings["the authors' code"] = released
settings

# %% tags=["remove-cell"]
common = presets.preset(tier, dataset, "baseline", seed)
anti = presets.preset(tier, dataset, "anti_score_matching", seed).loss()

# %% [markdown]
# The paper and the code behind it agree on little. That is not unusual, and it is the reason for the search: constants that come from elsewhere say nothing about the network in front of us.
#
# A search has its own limits. Its runs are brief, and it lets a penalty lose one percentage point of the validation pictures. {glue:text}`beyond_digits` {glue:text}`beyond_cifar`
#
# Some of our settings are not in the paper. `central` and `pair` are ways of using the noise: from $f(\mathbf{x}+\mathbf{v})$ and $f(\mathbf{x}-\mathbf{v})$ one gets $h$ by their sum, without the gradient's noise, and $\lVert\nabla f_i\rVert^2$ by the square of their difference, without a second backward pass. The batch norm's treatment is a question that the paper does not raise. In training, a batch norm subtracts the batch's mean and divides by its standard deviation. Whose, when $\mathbf{x}+\mathbf{v}$ is passed through?
#
# - `separate`: its own, as the released code does by leaving the matter to PyTorch.
# - `joint`: $\mathbf{x}$ and $\mathbf{x}+\mathbf{v}$ are one batch with common statistics.
# - `of_x`: those of $\mathbf{x}$.

# %% tags=["remove-cell"]
tell(
    beyond_digits=led("On digits", over_the_rule("quick", "mnist5k")),
    beyond_cifar=led(
        "On CIFAR-100, with the small network",
        over_the_rule("small", "cifar100"),
    ),
)

# %% [markdown]
# ## The paper's network, one of each kind
#
# The paper's experiments are on CIFAR-100 with a ResNet-18 of width 64. Here is that network, with each of the four losses, trained for {glue:text}`large_epochs` epochs (the released code has 200) on {glue:text}`large_device`. There is **one network each**. An interval over test pictures says how well that network is known, and nothing of the next.
#
# :::{admonition} What the records note of how they were made
# :class: dropdown
#
# {glue:text}`large_notes`
# :::

# %% tags=["remove-cell"]
large = [one for m in runs.METHODS for one in runs.find_all(*LARGE, m)]
tell(
    large_epochs=presets.preset(*LARGE, "baseline").epochs,
    large_device=listed(sorted({f"one {r.record.device}" for r in large})),
    large_notes=strongest("cifar100", "history", ["paper"]).notes(),
)

# %% tags=["hide-input"]
def beside_the_paper(tier: str, dataset: str) -> pd.DataFrame:
    """Return single networks' accuracies in percent, and the paper's."""
    ours = tables.model_table(tier, dataset, "test_accuracy")
    ours = tables.beside_reported(ours, "cifar100.accuracy")
    mine, paper = 100 * ours["value"], 100 * ours["paper"]
    columns = {
        "test accuracy, % (one network)": [
            interval_text(row, "{:.1f}", 100) for _, row in ours.iterrows()
        ],
        "minus the baseline's": (mine - mine[0]).map("{:+.1f}".format),
        "the paper, %": paper.map("{:.2f}".format),
        "minus its baseline's": (paper - paper[0]).map("{:+.2f}".format),
    }
    labels = [MODEL_LABELS[name] for name in ours["model"]]
    table = pd.DataFrame(columns)
    table.loc[0, ["minus the baseline's", "minus its baseline's"]] = ""
    return table.set_index(pd.Index(labels, name="model")).replace("+nan", "")


beside_the_paper(*LARGE)

# %% [markdown]
# {glue:text}`large_accuracies` The levels lie below the paper's, as they must after so short a training; the order is what can be compared. {glue:text}`large_order`

# %% mystnb={"figure": {"name": "fig-training-learning-large", "caption": "The paper's network on CIFAR-100, one network each. Left: the cross-entropy of the training batches, averaged over an epoch; the penalty is not in it. Middle: that of the validation pictures. Right: the share of validation pictures classified wrongly."}, "image": {"alt": "Three panels of curves over the epochs, one curve a model: training cross-entropy, validation cross-entropy and validation errors, all falling."}} tags=["hide-input"]
learning(*LARGE)
plt.show()

# %% mystnb={"figure": {"name": "fig-training-density-large", "caption": "What the penalties act on, in the same networks, measured in evaluation mode on the same few pictures after each epoch: training pictures (left) and validation pictures (right). Above: the mean squared norm of the true logit's gradient. Below: the mean trace of its Hessian, linear between -100 and 100 and logarithmic beyond."}, "image": {"alt": "Four panels: squared gradient norm above and Hessian trace below, for training pictures left and validation pictures right, one curve a model over the epochs."}} tags=["hide-input"]
density_in_training(*LARGE)
plt.show()

# %% [markdown]
# {glue:text}`large_growth` As for score-matching's trace, which its stability term prescribes: {glue:text}`large_trace` On test pictures, with intervals over them:

# %% tags=["hide-input"]
QUANTITIES = {
    "trace": "test_trace",
    "squared gradient norm": "test_squared_norm",
    "objective of eq. 2": "test_objective",
}
tables.interval_table(*LARGE, QUANTITIES, "{:,.0f}")

# %% tags=["remove-cell"]
def growth(tier: str, dataset: str) -> str:
    """Say how far the squared gradient norm grows in single networks."""
    said = []
    for one in (r for r in large if r.record.status == "finished"):
        ends = one.history()["squared_norm_validation"].iloc[[0, -1]]
        label = MODEL_LABELS[one.record.name].lower()
        said.append(f"{ends.iloc[0]:,.0f} to {ends.iloc[1]:,.0f} ({label})")
    if not said:
        return "These networks have not been trained."
    return (
        "From the first epoch to the last, the squared gradient norm on "
        f"validation pictures goes from {listed(said)}."
    )


# %% tags=["remove-cell"]
def objective_of(tier: str, dataset: str) -> str:
    """Say if test pictures tell score-matching's objective from others'."""
    rows = tables.model_table(tier, dataset, "test_objective")
    rows = rows.dropna(subset="low").set_index("model")
    if "score_matching" not in rows.index or "baseline" not in rows.index:
        return ""
    mine, plain = rows.loc["score_matching"], rows.loc["baseline"]
    apart = mine["high"] < plain["low"] or mine["low"] > plain["high"]
    side = "below" if mine["value"] < plain["value"] else "above"
    if apart:
        return f"Score-matching's objective lies {side} the baseline's."
    wide = plain["high"] - plain["low"]
    return (
        "Whether score-matching lowered the objective of eq. 2, these "
        "pictures do not say: the baseline's is known within an interval of "
        f"{wide:,.0f}, because a few pictures with very large traces decide "
        "its mean."
    )


# %% tags=["remove-cell"]
our_order = ranking(*LARGE, "test_accuracy")
printed_accuracy = reported("cifar100.accuracy")
their_order = ", ".join(
    MODEL_LABELS[name].lower()
    for name in sorted(
        runs.METHODS, key=lambda name: printed_accuracy[name], reverse=True
    )
)
same = "The paper has the same order."
if our_order != their_order:
    same = f"In the paper: {their_order}."
tell(
    large_accuracies=single_networks(*LARGE),
    large_order=f"From high to low: {our_order}. {same}",
    large_growth=growth(*LARGE),
    large_trace=trace_in_words(*LARGE),
    large_objective=objective_of(*LARGE),
)

# %% [markdown]
# {glue:text}`large_objective` The test pictures behind a trace are far fewer than those behind an accuracy, since a trace costs so much more.
#
# With the constants that the paper prints for score-matching, this network does not train: [chapter 17](17_search.ipynb) shows where it stopped.

# %% [markdown]
# ## On digits, seed by seed
#
# Now the small networks, which the rest of the book can take apart: {glue:text}`training_runs`. {glue:text}`training_earlier` Thin lines are single seeds, thick ones their means.

# %%
found = [
    run for name in runs.METHODS for run in runs.find_all(tier, dataset, name)
]
history = histories(tier, dataset)

# %% mystnb={"figure": {"name": "fig-training-learning", "caption": "Learning. Left: the cross-entropy of the training batches, averaged over an epoch; the penalty is not in it. Middle: that of the validation digits. Right: the share of validation digits classified wrongly."}, "image": {"alt": "Three panels of curves over the epochs, one curve a model: training cross-entropy, validation cross-entropy and validation errors, all falling."}} tags=["hide-input"]
learning(tier, dataset)
plt.show()

# %% mystnb={"figure": {"name": "fig-training-density", "caption": "What the penalties act on, measured in evaluation mode on the same few pictures after each epoch, on training digits (left) and validation digits (right). Above: the mean squared norm of the true logit's gradient. Below: the mean trace of its Hessian, on an axis that is linear between -100 and 100 and logarithmic beyond."}, "image": {"alt": "Four panels: squared gradient norm above and Hessian trace below, for training digits left and validation digits right, one curve a model over the epochs."}} tags=["hide-input"]
density_in_training(tier, dataset)
plt.show()

# %% [markdown]
# At the end, on test digits, which neither training nor the search has seen: means over seeds with 95 % intervals, and the objective's difference from the baseline's, seed by seed. Score-matching is meant to lower the objective, anti-score-matching to raise it.

# %% tags=["hide-input"]
def density_at_the_end(tier: str, dataset: str) -> pd.DataFrame:
    """Return what the penalties act on, on test pictures, with intervals."""
    found = tables.interval_table(tier, dataset, QUANTITIES, "{:,.1f}")
    lower = tables.paired_differences(tier, dataset, "test_objective")
    texts = [
        interval_text(row, "{:+,.1f}") for _, row in lower.iterrows()
    ]
    found["objective, minus the baseline's"] = ["", *texts]
    behind = tables.model_table(tier, dataset, "test_trace")
    units = behind["unit"].str.replace("images", "pictures")
    found["interval over"] = [
        f"{n} {unit}" if n else ""
        for n, unit in zip(behind["n"], units, strict=True)
    ]
    return found


density_at_the_end(tier, dataset)

# %% tags=["remove-cell"]
moved = tables.paired_differences(tier, dataset, "test_objective")
moved = moved.set_index("model")
moved_cifar = tables.paired_differences("small", "cifar100", "test_objective")
moved_cifar = moved_cifar.set_index("model")


def moves(name: str, found: pd.DataFrame) -> str:
    """Say which way a model's objective lies from the baseline's."""
    row = found.loc[name]
    if math.isnan(row["low"]):
        return "cannot be told apart from the baseline's without more seeds"
    return direction(
        row, "is higher than the baseline's", "is lower than the baseline's",
        "is not clearly different from the baseline's",
    )


prescribed = trace_in_words(tier, dataset)
tell(
    moves_score=moves("score_matching", moved),
    moves_anti=moves("anti_score_matching", moved),
    moves_norm=moves("gradient_norm", moved),
    moves_cifar=moves("score_matching", moved_cifar),
    prescribed=prescribed,
)

# %% tags=["remove-cell"]
earlier = sum(run.from_earlier_code for run in found)
diverged = [
    f"{run.record.name} seed {run.record.seed}"
    for run in found
    if run.record.status != "finished"
]
names = [run.record.name for run in found]
counts = {m: names.count(m) for m in runs.METHODS}
words = f"{counted(max(counts.values()), 'seed')} of each"
if len(set(counts.values())) > 1:
    words = listed(
        f"{counted(n, 'seed')} of {MODEL_LABELS[m].lower()}"
        for m, n in counts.items()
    )
if diverged:
    words += f", of which diverged: {listed(diverged)}"
aged = ""
if earlier:
    aged = f"Records by earlier code: {earlier}."
tell(training_runs=words, training_earlier=aged)

# %% [markdown]
# Score-matching's objective {glue:text}`moves_score`. Anti-score-matching's {glue:text}`moves_anti`. Gradient norm's, which it was never asked to lower, {glue:text}`moves_norm`.
#
# Where the penalty puts score-matching's trace in training is no accident, and it is not the digits' doing. The penalty contains $h + c\,h^2$ with $c = 10^{-4}/\mu$, which is lowest at $h = -1/(2c)$ ([chapter 6](06_collapse.ipynb)): {glue:text}`prescribed`
#
# A lower objective is what eq. 2 asks for, and for a smooth density on the whole of space it means a better fit. For a network on digits it may also mean a density with a spike at every picture. [Chapter 6](06_collapse.ipynb) follows that thought; [chapter 10](10_density_ratios.ipynb) looks at the density itself.
#
# ## What it costs
#
# Accuracy on the test digits. A digit is easier than a photograph, so what is lost here is little in points; the paper's losses, and the large network's, are in the table of the large network.

# %% tags=["hide-input"]
def percents(frame: pd.DataFrame, form: str) -> list[str]:
    """Write intervals in percent."""
    return [interval_text(row, form, 100) for _, row in frame.iterrows()]


# %% tags=["hide-input"]
def accuracies(tier: str, dataset: str) -> pd.DataFrame:
    """Return accuracies in percent, beside the baseline's."""
    ours = tables.model_table(tier, dataset, "test_accuracy")
    each = tables.seed_table(tier, dataset, "test_accuracy")
    each = each.filter(like="seed ")
    lost = tables.paired_differences(tier, dataset, "test_accuracy")
    columns = {"test accuracy, %": percents(ours, "{:.1f}")}
    if 1 < each.shape[1] <= 5:
        for seed, values in each.items():
            written = (100 * values).map("{:.1f}".format, na_action="ignore")
            columns[seed] = written.fillna("–")
    columns["difference from baseline"] = ["", *percents(lost, "{:+.1f}")]
    labels = [MODEL_LABELS[name] for name in ours["model"]]
    return pd.DataFrame(columns).set_index(pd.Index(labels, name="model"))


accuracies(tier, dataset)

# %% tags=["remove-cell"]
def costs(tier: str, dataset: str) -> dict[str, str]:
    """Say of each penalty whether it costs accuracy, over seeds."""
    said = {}
    lost = tables.paired_differences(tier, dataset, "test_accuracy")
    for model, row in lost.set_index("model").iterrows():
        if math.isnan(row["value"]):
            said[model] = "has not been run"
            continue
        verdict = direction(
            row, "is more accurate than the baseline", "is less accurate",
            "is not clearly less or more accurate",
        )
        verdict += ":"
        if math.isnan(row["low"]):
            verdict = "differs from the baseline, in one seed, by"
        points = interval_text(row, "{:+.1f}", 100).split(" (one")[0]
        said[model] = f"{verdict} {points} points"
    return said


# %% tags=["remove-cell"]
tell({f"costs_{name}": words for name, words in costs(tier, dataset).items()})
counted_seeds = tables.seed_table(tier, dataset, "test_accuracy")["n"]
most = int(counted_seeds.max())
factor = "not defined"
if most > 1:
    factor = f"{stats.t.ppf(0.975, most - 1):.1f}"
tell(seeds_counted=most, student=factor)

# %% [markdown]
# Score-matching {glue:text}`costs_score_matching`. Anti-score-matching {glue:text}`costs_anti_score_matching`. Gradient norm {glue:text}`costs_gradient_norm`. There are {glue:text}`seeds_counted` seeds, and Student's factor is {glue:text}`student` with so many: the fewer there are, the larger or steadier a difference has to be to count.
#
# ## Does score-matching make its own estimate reliable?
#
# Appendix B ends with a remark. The forward estimate is noisy, with an excess variance of $4\lVert\nabla f_i\rVert^2/\sigma^2$, but score-matching lowers the gradient norm as it goes, so "in practice, the gradient norm of the function is likely to be low, thus resulting in a small estimator variance even for small $\sigma$".
#
# The histories can test that. On the left is the standard deviation which the formula predicts for one forward sample at $\sigma = 0.01$. Small is relative, so the right panel divides it by what is being estimated, the size of the mean trace.

# %% mystnb={"figure": {"name": "fig-training-noise", "caption": "The forward estimator's noise through training, predicted from the gradient norm on validation digits at $\\sigma = 0.01$. Left: the standard deviation of one sample. Right: the same, divided by the absolute mean trace; above the line the noise of one sample exceeds what it measures."}, "image": {"alt": "Two panels over the epochs, one curve a model. Left, the predicted standard deviation of a forward sample; right, its ratio to the trace, with a horizontal line at one."}} tags=["hide-input"]
sigma = 0.01
history["noise"] = 2 * history["squared_norm_validation"].pow(0.5) / sigma
history["relative noise"] = history["noise"] / history["trace_validation"].abs()
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.7))
training_curves(left, history, y="noise", model="model")
left.set(ylabel="standard deviation of h", title="Noise of one forward sample")
training_curves(right, history, y="relative noise", model="model")
right.axhline(1, color="#555555", linewidth=0.8, zorder=0)
right.set(ylabel="standard deviation / |trace|")
right.set_title("... beside what it estimates")
epochs = sorted(history["epoch"].unique())
for ax in (left, right):
    ax.set_xticks(epochs[:: max(1, common.epochs // 6)])
    logarithmic(ax)
entries = left.get_legend_handles_labels()
figure.legend(*entries, loc="outside lower center", ncols=4)
plt.show()

# %% [markdown]
# The formula is exact for quadratic functions, and a network is none. So we also measure: many samples on each of a few validation digits, from the four networks with the page's seed. The spread is pooled over the digits.

# %% tags=["hide-input"]
images, probes = {"tiny": (4, 4)}.get(tier, (16, 24))
pictures = data.load(dataset)
x = data.to_float(pictures.x_validation[:images]).to(device)
y = pictures.y_validation[:images].to(device)


def spread(network: torch.nn.Module, variant: str) -> tuple[float, float]:
    """Return one sample's standard deviation, pooled over digits, and mean."""
    source = torch.Generator(x.device).manual_seed(seed)
    with torch.no_grad(), trace.full_precision():
        h = trace.taylor(
            trace.logit(network, y), x, sigma=sigma, variant=variant,
            num_probes=probes, generator=source,
        )
    return float(h.var(dim=0).mean().sqrt()), float(h.mean())


# %% tags=["hide-input"]
measured = {}
for name in runs.METHODS:
    network = runs.find(tier, dataset, name, seed).model().to(device)
    slopes = flat_sum(logit_gradient(network, x, y).square())
    central, mean = spread(network, "central")
    measured[name] = {
        "predicted": 2 * math.sqrt(float(slopes.mean())) / sigma,
        "forward": spread(network, "forward")[0],
        "central": central,
        "mean trace": mean,
    }
found = pd.DataFrame(measured).T.rename_axis("model").reset_index()
tables.labelled(found).round(1)

# %% tags=["remove-cell"]
norms = history.groupby(["model", "seed"])["squared_norm_validation"].mean()
through = norms.map(math.log).unstack(0)
pairs = through.reindex(columns=["score_matching", "baseline"]).dropna()
if len(pairs):
    both = pairs["score_matching"].tolist(), pairs["baseline"].tolist()
    ratio = paired_difference_interval(*both)
    value, low, high = map(math.exp, (ratio.value, ratio.low, ratio.high))
    behind = f"{low:.2f} to {high:.2f}, {len(pairs)} seeds"
    if len(pairs) == 1:
        behind = "one seed, no interval"
    size = f"{value:.2f} times the baseline's ({behind})"
    remark_b = {
        1: "contradicted: the norm is higher",
        -1: "supported: the norm is lower",
        0: "left undecided by these seeds",
    }[ratio.sign()]
else:
    remark_b = "cannot be tested here: there is no pair of runs"
    size = "unknown"
tell(norm_ratio=size, remark_b=remark_b)

# %% tags=["remove-cell"]
own = measured["score_matching"]
tell(
    own_forward=own["forward"],
    own_predicted=own["predicted"],
    own_central=own["central"],
    own_trace=own["mean trace"],
    own_ratio=own["forward"] / max(abs(own["mean trace"]), 1e-9),
    training_images=images,
    training_probes=probes,
)

# %% [markdown]
# ({glue:text}`training_images` digits, {glue:text}`training_probes` samples each.) For the score-matched network the formula predicts {glue:text}`own_predicted:.0f`, the forward estimate has {glue:text}`own_forward:.0f`, the central one {glue:text}`own_central:.0f`, and the mean trace is {glue:text}`own_trace:.0f`. The standard deviation of one forward sample is {glue:text}`own_ratio:.1f` times the size of the trace.
#
# Averaged over the epochs, score-matching's squared gradient norm on validation digits is {glue:text}`norm_ratio`. The remark's first half is {glue:text}`remark_b`. Its reason, that score-matching minimises the norm, leaves out the other term of the same sum. Where the trace weighs more than half the squared norm, curvature is what the objective pays for, and curvature needs slopes. Its second half, a small variance, is a comparison, and one has to say with what. The right panel does.

# %% tags=["remove-cell"]
def objectives(tier: str, dataset: str) -> str:
    """Say on which side of the baseline's objective score-matching's lies."""
    rows = tables.model_table(tier, dataset, "test_objective")
    rows = rows.set_index("model")
    matched, plain = rows.loc["score_matching"], rows.loc["baseline"]
    if math.isnan(matched["value"]) or math.isnan(plain["value"]):
        return "not measured on both networks."
    paired = tables.paired_differences(tier, dataset, "test_objective")
    apart = paired.set_index("model").loc["score_matching"]
    if math.isnan(apart["low"]):  # One run of each: over its pictures.
        apart = {
            "low": matched["low"] - plain["high"],
            "high": matched["high"] - plain["low"],
        }
    words = direction(
        apart, "the baseline's is lower, without being asked",
        "score-matching's is lower, as it should be",
        "the intervals do not tell the two apart",
    )
    with_it, without = (
        interval_text(row, "{:,.0f}") for row in (matched, plain)
    )
    return f"{with_it} with score-matching and {without} without: {words}."


# %% tags=["remove-cell"]
CIFAR = ("small", "cifar100")
usual = presets.preset(*CIFAR, "baseline")
cifar_prescribed = trace_in_words(*CIFAR)
tell(
    cifar_width=usual.width,
    cifar_epochs=usual.epochs,
    cifar_trained=runs_in_words(*CIFAR, "history"),
    cifar_prescribed=cifar_prescribed,
    cifar_objective=objectives(*CIFAR),
)
tell({f"cifar_costs_{name}": words for name, words in costs(*CIFAR).items()})

# %% [markdown]
# ## A small network on CIFAR-100
#
# Between the two stands a ResNet-9 of width {glue:text}`cifar_width`, trained on the paper's pictures for {glue:text}`cifar_epochs` epochs with crops and flips. It is small enough to be trained from several seeds on a laptop's processor. Here: {glue:text}`cifar_trained`.

# %% mystnb={"figure": {"name": "fig-training-density-cifar", "caption": "CIFAR-100: what the penalties act on, through training, as in {numref}`fig-training-density`."}, "image": {"alt": "Four panels: squared gradient norm above and Hessian trace below, for training images left and validation images right, one curve a model over the epochs."}} tags=["hide-input"]
density_in_training(*CIFAR)
plt.show()

# %% tags=["hide-input"]
accuracies(*CIFAR)

# %% tags=["hide-input"]
density_at_the_end(*CIFAR)

# %% [markdown]
# Score-matching {glue:text}`cifar_costs_score_matching`. Anti-score-matching {glue:text}`cifar_costs_anti_score_matching`. Gradient norm {glue:text}`cifar_costs_gradient_norm`. Intervals are over seeds.
#
# So a comparison of these networks is never between equals: where one gives the better samples or the better maps, it does so at another accuracy.
#
# Did the penalty do what it is for? The objective of eq. 2, on test pictures, is {glue:text}`cifar_objective` Most of an objective is its trace, and for that {glue:text}`cifar_prescribed` Which way score-matching pulls is settled by $\mu$ and by where an ordinary network stands, before any density is matched.

# %% [markdown]
# ## Where the clamp stops
#
# Section 5 clamps anti-score-matching's $h$ at $\tau$, "which ensures that its maximization stops after a threshold is reached". On this page $\tau$ = {glue:text}`clamp_tau`, as in the paper. {glue:text}`clamp_ends`

# %% tags=["remove-cell"]
from companion.book import clamp_figures
from companion.experiments import forces

# %% mystnb={"figure": {"name": "fig-training-clamp", "caption": "Anti-score-matching with the paper's clamp, measured on validation pictures after each epoch; a line a seed. Left: the mean trace; linear between $-\\tau$ and $\\tau$, logarithmic beyond. Right: how far it lies above $\\tau$, counted in spreads $s = 2 \\lVert\\nabla f_i\\rVert / \\sigma$ of the forward estimate, with the root of the mean squared norm."}, "image": {"alt": "Two panels over the course of training, lines for several data sets. Left, the traces rise through the dashed threshold and end several times to tens of times above it. Right, they end several spreads above it."}} tags=["hide-input"]
PLACES = {
    "digits": ("quick", "mnist5k"),
    "CIFAR-100": ("small", "cifar100"),
    "CIFAR-10": ("small", "cifar10"),
    "CIFAR-100, ResNet-18": ("paper", "cifar100"),
}
passed = {
    label: [
        one.history()
        for one in runs.find_all(*place, "anti_score_matching")
        if one.record.status == "finished"
    ]
    for label, place in PLACES.items()
}
passed = {label: seeds for label, seeds in passed.items() if seeds}
clamp_figures.through_training(passed, tau=anti.tau, sigma=anti.sigma)
plt.show()

# %% tags=["remove-cell"]
ends = {
    label: float(np.mean([one["trace_validation"].iloc[-1] for one in seeds]))
    for label, seeds in passed.items()
}
seen = {
    label: float(np.mean([one["trace"].iloc[-1] for one in seeds]))
    for label, seeds in passed.items()
}
reached = listed(f"{end:,.0f} on {label}" for label, end in ends.items())
clamped = listed(f"{end:,.0f}" for end in seen.values())
tell(
    clamp_tau=f"{anti.tau:,.0f}",
    clamp_ends=f"At the end of training the trace is {reached} (validation "
    "pictures, mean over seeds). The mean of h itself, over the batches of "
    f"the last epoch, is {clamped}.",
)

# %% [markdown]
# Up to a constant, $-\lambda \min(h, \tau)$ is a hinge, $\lambda \max(\tau - h, 0)$. A picture whose $h$ is below $\tau$ pushes its trace up. One above does nothing. So the clamp ends a push; it pulls nothing back. Whether the trace stops depends on two things: how many still push, and against what.
#
# **How many.** The number that is clamped is one noisy draw. Write $h = t + s z$ with the trace $t$ and a standard normal $z$. For the forward estimate of a quadratic, $s = 2 \lVert\nabla f_i\rVert / \sigma$. Then
#
# $$
# \begin{aligned}
# \frac{\partial}{\partial t} \operatorname{E} \min(h, \tau) &= \Phi\Big(\frac{\tau - t}{s}\Big), \\[4pt]
# \frac{\partial}{\partial s} \operatorname{E} \min(h, \tau) &= -\varphi\Big(\frac{\tau - t}{s}\Big),
# \end{aligned}
# $$ (eq-training-clamp)
#
# with the normal distribution function $\Phi$ and its density $\varphi$. At $t = \tau$ half of the draws still push, however small the noise. That could carry a trace to a few $s$ above $\tau$. We look at one batch of a trained network with the page's seed, and ask for the share of draws below $\tau$, and below any other threshold.

# %%
count, probes = {"tiny": (4, 8)}.get(tier, (64, 64))
network = runs.find(tier, dataset, "anti_score_matching", seed).model()
network = network.to(device)
x = data.to_float(pictures.x_train[:count]).to(device)
y = pictures.y_train[:count].to(device)
source = torch.Generator(x.device).manual_seed(seed)
few = {"sigma": anti.sigma, "generator": source}
with torch.no_grad(), trace.full_precision():
    f = trace.logit(network, y)
    h = trace.taylor(f, x, num_probes=probes, **few)
    pairs = trace.taylor(
        f, x, num_probes=probes // 4, variant="central", **few
    )
t = pairs.mean(dim=0)
slopes = flat_sum(logit_gradient(network, x, y).square()).sqrt()
linear = 2 * slopes / anti.sigma
# The noise of the slope, and that of the curvature, which a pair has too.
s = (linear**2 + pairs.var(dim=0)).sqrt()

# %%
grid = torch.linspace(0, float(h.max()), 40, device=device)
grid = torch.cat([torch.full_like(grid[:1], anti.tau), grid])
expected = torch.special.ndtr((grid[:, None] - t) / s).mean(dim=1)
enough = {"tiny": 2}.get(tier, 6) * common.batch_size
moved_by = forces.forces(
    network,
    replace(anti, variant="central"),
    data.to_float(pictures.x_train[:enough]).to(device),
    pictures.y_train[:enough].to(device),
    batch_size=common.batch_size,
    generator=source,
)
push, pull = float(moved_by.push.mean()), float(moved_by.pull.mean())
doubt = float(moved_by.pull.std()) / len(moved_by.pull) ** 0.5

# %% mystnb={"figure": {"name": "fig-training-clamp-push", "caption": "One batch of training digits, in evaluation mode, through the network that anti-score-matching trained with the paper's clamp. Left: all draws of $h$, and the traces. Right: the share of draws below a threshold, beside {eq}`eq-training-clamp` averaged over the digits; the share of the traces themselves; and, where the cross-entropy pulls the trace down, the share at which push and pull are equal."}, "image": {"alt": "Left, two histograms: the noisy draws are a little wider than the traces, and nearly all of both lies above the threshold. Right, on a logarithmic axis, the shares below a threshold rise from under a thousandth at the training's own threshold towards one; the measured points lie on the closed form."}} tags=["hide-input"]
clamp_figures.draws(
    h,
    t,
    tau=anti.tau,
    thresholds=grid[1:],
    expected=expected[1:],
    balance=-pull / push,
)
plt.show()

# %% tags=["remove-cell"]
largest = common.learning_rate
tell({
    "clamp_draws": f"{h.numel():,}",
    "clamp_predicted": f"{float(linear.square().mean().sqrt()):,.0f}",
    "clamp_spread": f"{float(h.var(dim=0).mean().sqrt()):,.0f}",
    "clamp_curvature": f"{float(pairs.var(dim=0).mean().sqrt()):,.0f}",
    "clamp_trace": f"{float(t.mean()):,.0f}",
    "clamp_digits": f"{float(t.std()):,.0f}",
    "clamp_below": f"{int((h < anti.tau).sum()):,}",
    "clamp_expected": f"{float(expected[0]) * h.numel():,.1f}",
    "clamp_exact": f"{int((t < anti.tau).sum()):,} of {len(t)}",
    "clamp_lr": f"{largest:g}",
    "clamp_full": f"{largest * push:,.0f}",
    "clamp_one": f"{largest * push / common.batch_size:,.0f}",
    "clamp_back": f"{largest * pull:+,.0f} ± {largest * doubt:,.0f}",
    "clamp_batch": common.batch_size,
})

# %% tags=["remove-cell"]
if pull < -2 * doubt:
    balance = (
        "The cross-entropy takes back in a step far less than one digit gives. "
        if -pull < push / common.batch_size
        else ""
    ) + (
        f"The two are equal where a share of {-pull / push:.2%} of the draws "
        "is below τ; measured above: "
        f"{float((h < anti.tau).double().mean()):.2%}. A trace in that balance "
        "lies where hardly a draw reaches down to τ. How high that is depends "
        "on all that spreads h: the noise, and the differences between digits."
    )
else:
    balance = (
        "Here the cross-entropy is not seen to pull the trace down, and "
        "nothing else would."
    )
tell(clamp_balance=balance)

# %% [markdown]
# The formula predicts a spread of {glue:text}`clamp_predicted` (root of the mean square), and the forward draws have {glue:text}`clamp_spread`; the curvature's noise, which a pair has as well, is {glue:text}`clamp_curvature`. The traces have the mean {glue:text}`clamp_trace` and differ from digit to digit with a standard deviation of {glue:text}`clamp_digits`. Of {glue:text}`clamp_draws` draws {glue:text}`clamp_below` are below $\tau$; {eq}`eq-training-clamp` expects {glue:text}`clamp_expected`. Of the traces themselves: {glue:text}`clamp_exact`.
#
# **Against what.** To first order, a step of gradient descent moves the mean trace by the learning rate times a product of two gradients in the parameters, its own and the loss's. At the largest learning rate of {glue:text}`clamp_lr`, and before momentum, a whole batch below $\tau$ would raise it by {glue:text}`clamp_full` in one step, and one digit of {glue:text}`clamp_batch` by {glue:text}`clamp_one`. The cross-entropy moves it by {glue:text}`clamp_back`. {glue:text}`clamp_balance`
#
# **What holds it.** A clamp that also pulls back. Fold $h$ at $\tau$ instead of cutting it off:
#
# $$
# \begin{aligned}
# -\lambda \min(h, 2\tau - h) &= \lambda |h - \tau| - \lambda\tau, \\[4pt]
# \frac{\partial}{\partial t} \operatorname{E} \min(h, 2\tau - h) &= 2\,\Phi\Big(\frac{\tau - t}{s}\Big) - 1 .
# \end{aligned}
# $$ (eq-training-two-sided)
#
# The push is nought at $t = \tau$, however large $s$ is, and turns round beyond. It is `clamp="two_sided"` in the package, and takes no further pass. In $s$ it falls with $-2\varphi$: the fold dislikes noise, and the forward estimate's noise is the gradient. So we train four kinds, three seeds each: both clamps, with both estimates.

# %% mystnb={"figure": {"name": "fig-training-clamps", "caption": "Digits, four clamps, a line a seed; the mean over validation digits after each epoch. Left: the trace, on an axis that is linear between $-\\tau$ and $\\tau$ and logarithmic beyond. Right: the squared norm of the true logit's gradient."}, "image": {"alt": "Two panels over the epochs. Left, the traces under the two one-sided clamps rise to several times the threshold, those under the two-sided ones settle on it. Right, the squared gradient norms; that of the two-sided clamp with the forward estimate is the lowest."}} tags=["hide-input"]
KINDS = {
    "one-sided, forward (the paper's)": "anti_score_matching",
    "one-sided, central": "clamp-central",
    "two-sided, forward": "clamp-two-sided-forward",
    "two-sided, central": "clamp-two-sided",
}
tried = {
    label: runs.find_all("quick", "mnist5k", name)[:3]
    for label, name in KINDS.items()
}
clamp_figures.other_clamps(
    {
        label: [one.history() for one in seeds]
        for label, seeds in tried.items()
        if seeds
    },
    tau=anti.tau,
)
plt.show()

# %% tags=["hide-input"]
ENDS = {
    "trace": ("trace_validation", "{:,.0f}"),
    "squared gradient norm": ("squared_norm_validation", "{:,.1f}"),
    "digits wrong, %": ("wrong", "{:.1f}"),
}


def clamp_at_the_end(label: str) -> dict[str, str]:
    """Return a clamp's validation measurements, lowest to highest seed."""
    last = pd.DataFrame([one.history().iloc[-1] for one in tried[label]])
    if last.empty:
        return dict.fromkeys(["seeds", *ENDS], "not run")
    last["wrong"] = 100 * (1 - last["validation_accuracy"])
    said = {"seeds": f"{len(last)}"}
    for title, (column, form) in ENDS.items():
        low, high = last[column].min(), last[column].max()
        said[title] = f"{form.format(low)} to {form.format(high)}"
    return said


pd.DataFrame({label: clamp_at_the_end(label) for label in KINDS}).T

# %% tags=["remove-cell"]
def held(label: str) -> str:
    """Say where a clamp's traces end, beside tau."""
    last = [one.history()["trace_validation"].iloc[-1] for one in tried[label]]
    if not last:
        return "has not been run"
    low, high = min(last) / anti.tau, max(last) / anti.tau
    side = "holds" if low > 0.8 and high < 1.25 else "does not hold"
    between = f"between {low:.2f} and {high:.2f}"
    where = between if len(last) > 1 else f"at {low:.2f}"
    return f"{side} it: its traces end {where} times τ"


# %% tags=["remove-cell"]
def norm_of(label: str) -> str:
    """Return a clamp's squared gradient norm at the end, mean over seeds."""
    ends = [one.history().iloc[-1] for one in tried[label]]
    last = [row["squared_norm_validation"] for row in ends]
    return f"{np.mean(last):.1f}" if last else "not known"


tell({f"held_{name}": held(label) for label, name in KINDS.items()})
tell(
    norm_forward=norm_of("two-sided, forward"),
    norm_central=norm_of("two-sided, central"),
    norm_paper=norm_of("one-sided, forward (the paper's)"),
    clamp_noise="So the noise is not the whole of the matter: a hinge that "
    "sees more clearly is still a hinge."
    if "does not hold" in held("one-sided, central")
    else "",
    clamp_most=f"{max(ends.values()) / anti.tau:.0f}",
)

# %% [markdown]
# With the paper's clamp the central estimate, which is free of the gradient's noise, {glue:text}`held_clamp-central`. {glue:text}`clamp_noise` The fold with the forward estimate {glue:text}`held_clamp-two-sided-forward`; with the central one it {glue:text}`held_clamp-two-sided`. (We say that a clamp holds if every seed ends between 0.8 and 1.25 times $\tau$.) The squared gradient norm ends at {glue:text}`norm_forward` with the fold of the forward estimate, at {glue:text}`norm_central` with that of the central one, and at {glue:text}`norm_paper` with the paper's clamp.
#
# The four models of this book keep the paper's clamp, since it is the paper they answer to. But $\tau$ does not say how large their traces are: on the data sets above, up to {glue:text}`clamp_most` times $\tau$.

# %% [markdown]
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Section 5, CIFAR-100, ResNet-18: accuracies of 78.01 % (baseline), 72.20 % (score-matching, $\lambda = 10^{-3}$), 74.87 % (anti-score-matching, $\lambda = 10^{-4}$, $\tau = 1000$) and 76.60 % (gradient norm, $\lambda = 10^{-3}$). One number each, no seeds, no training curves. The estimate of $h$ is the forward one of eq. 3; the batch norm's treatment and the number of probes are not given. Appendix B: in practice the gradient norm is low, and with it the estimator's variance.
# :::
#
# :::{admonition} What you just saw
# - **The paper's network, one of each kind.** {glue:text}`large_order`
# - **The price.** On digits, score-matching {glue:text}`costs_score_matching`; anti-score-matching {glue:text}`costs_anti_score_matching`; gradient norm {glue:text}`costs_gradient_norm`. In the paper all three lose accuracy.
# - **What the penalties are for.** On digits, score-matching's objective {glue:text}`moves_score`, and anti-score-matching's {glue:text}`moves_anti`. On CIFAR-100, with the small network, score-matching's {glue:text}`moves_cifar`.
# - **The stability term pulls the trace** towards $-1/(2c)$, down where an ordinary network stands above that, up where it stands below.
# - **The clamp** at $\tau$ is to hold anti-score-matching's trace. On digits the paper's {glue:text}`held_anti_score_matching`; folded at $\tau$, and with the central estimate, it {glue:text}`held_clamp-two-sided`. (Three seeds of each.)
# - **Appendix B's remark** has two halves. That score-matching lowers the gradient norm is {glue:text}`remark_b`. Whether that makes the estimate quiet is another matter: in the score-matched network itself, the standard deviation of one forward sample is {glue:text}`own_ratio:.1f` times the size of the trace.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* Derive both lines of {eq}`eq-training-clamp`.
#
# :::{admonition} Solution
# :class: dropdown
#
# Write $h = t + sz$ and $a = (\tau - t)/s$. As a function of $h$, $\min(h, \tau)$ has the slope 1 below $\tau$ and 0 above, and $h < \tau$ means $z < a$. Hence
#
# $$
# \begin{aligned}
# \frac{\partial}{\partial t} \operatorname{E} \min(h, \tau) &= \Pr(z < a) = \Phi(a), \\
# \frac{\partial}{\partial s} \operatorname{E} \min(h, \tau) &= \int_{-\infty}^{a} z\,\varphi(z)\,dz = -\varphi(a),
# \end{aligned}
# $$
#
# because $\varphi'(z) = -z\,\varphi(z)$. The second is negative: noise lowers the mean of what is clamped, so a network that wants that mean high has a
# reason to be quiet.
# :::
#
# **2.** *With one parameter.* To which $\mu$ must you set score-matching's stability term for it to ask for a trace of $-100$? You can try it in a terminal, with
# your number in place of `MU`:
#
# ```
# companion train --method score_matching --set name=mine --set penalty.mu=MU
# ```
#
# :::{admonition} Solution
# :class: dropdown
#
# The target is $-1/(2c)$ with $c = 10^{-4}/\mu$, that is $-5000\,\mu$. So $\mu = 0.02$ asks for $-100$. Whether the trace gets there is another matter. It
# depends on $\lambda$ and on how long one trains, since the cross-entropy pulls as well, and the mean over the batches may stay some way off.
# :::
#
# **3.** *What would happen if* $\tau$ were $-1000$ in place of $1000$, with the paper's clamp? And with the fold of {eq}`eq-training-two-sided`?
#
# :::{admonition} Solution
# :class: dropdown
#
# With the clamp nearly every draw lies above $\tau$. There $-\lambda \min(h, \tau)$ is a constant, its gradient is nought, and the network is trained like
# the baseline. The fold is different: it pulls each trace down towards $-1000$. Then it does what score-matching's stability term does, with an absolute value
# in place of a square.
# :::
