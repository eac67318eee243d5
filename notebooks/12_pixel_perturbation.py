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
# # Which pixels can go?
#
# A gradient map claims to say which pixels matter. Take it at its word. Remove the pixels that it calls least
# important, a few at first, then half of them, then nearly all, and see how long the classifier still reads the
# digit. **Whose gradients find the pixels that a classifier can do without?**
#
# The paper puts this to its four models in two ways (Figures 3a and 3b) {cite:p}`srinivas2021rethinking`. We
# repeat both, and add what it takes to read the answer: a random order beside each map, another attribution
# method, the differences in accuracy that the models brought with them, and a map that asks no network at all.

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
from dataclasses import asdict

import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats
from torch import nn

from companion import data, runs
from companion.book import one_network, paired, plots, sentences, tables
from companion.book import words
from companion.book.axes import legend_below
from companion.book.curves import curve_with_band
from companion.book.strongest import strongest
from companion.book.style import MODEL_COLOURS, MODEL_LABELS, model_style
from companion.book.words import counted, direction, interval_text, listed
from companion.experiments import presets
from companion.book.opening import begin, tell
from companion.gradients import logit_gradient
from companion.metrics import (
    mean_interval, paired_difference_interval, pixel_perturbation,
    seed_interval,
)

begin(globals())

# %% tags=["remove-cell"]
dataset = presets.DATASETS[tier][0]

# %% [markdown]
# ## The test
#
# Let $S(\mathbf{x})$ be a map with a value for each pixel, its *relevance*. For us it is
# $|\nabla_{\mathbf{x}} f_y(\mathbf{x})|$, the size of the gradient of the true class's logit. Sort the pixels by relevance,
# take the $k$ least relevant ones, and put the image's mean pixel in their place; call the result
# $\mathbf{x}^{(k)}$. The curve is the accuracy that is left,
#
# $$
# A(k / D) = \Pr\bigl( \arg\max_j f_j(\mathbf{x}^{(k)}) = y \bigr),
# $$ (eq-perturbation-curve)
#
# and a good map keeps it high. Its area, the mean height from nothing removed to everything removed, sums it up
# in one number. [Chapter 9](09_density_ratio_test.ipynb) explains why the paper scores this test by accuracy and not by
# the logit.
#
# ## The two experiments
#
# **Own** (Figure 3a): every network is tested on the pixels that its own gradients chose. The trouble with this
# is that two things differ from network to network, the map and the reader. A network that reads any damaged
# picture well gets a good curve, whatever its gradients are worth. The paper says so too.
#
# **Common** (Figure 3b): the gradients of the four, but one reader for all, the baseline. Now only the maps
# differ.

# %%
own, common = "perturbation_own_gradient", "perturbation_common_gradient"
metrics = {
    "own": own,
    "own, relative": f"relative_{own}",
    "random order": "perturbation_own_random",
    "own input × gradient": "perturbation_own_input_x_gradient",
    "common": common,
}


# %%
def areas_of(tier, dataset):
    """Return the areas by model and seed, of every measure."""
    found = {}
    for title, metric in metrics.items():
        table = tables.run_table(tier, dataset, metric)
        found[title] = table.set_index(["model", "seed"])["value"]
    gain = found["own"] - found["random order"]
    return found | {"gain over random": gain.dropna()}


def area_table(tier, dataset, gain):
    """Return the areas for display, in percent, a row a model."""
    texts = []
    for model in runs.METHODS:
        values = gain[gain.index.get_level_values("model") == model].tolist()
        known = seed_interval(values) if values else {}
        texts.append(interval_text(known, "{:.1f}", scale=100))
    table = tables.interval_table(tier, dataset, metrics, "{:.1f}", scale=100)
    table["gain over random"] = texts
    return table.rename_axis("area, in %")


lead = strongest("cifar100", "pixel_perturbation")
lead_areas = areas_of(*lead.shelf)


# %% tags=["remove-cell"]
random_own = "perturbation_own_random"
tell(
    lead_networks=lead.described(),
    lead_short=lead.short(),
    lead_notes=lead.notes(),
    lead_own=sentences.ranking(*lead.shelf, own),
    lead_own_told=one_network.told(lead, own, "{:+.2f}", 100),
    lead_common=sentences.ranking(*lead.shelf, common),
    lead_common_told=one_network.told(lead, common, "{:+.2f}", 100),
    lead_random_told=one_network.told(lead, random_own, "{:+.2f}", 100),
)

# %% [markdown]
# Here are both on the paper's data, CIFAR-100, over the whole test set: {glue:text}`lead_networks`.

# %% mystnb={"figure": {"name": "fig-perturbation-lead", "caption": "The paper's Figures 3a and 3b on CIFAR-100: accuracy against the fraction of pixels removed, least relevant first. Left each network reads its own choice; right the baseline reads all. Grey: a random order, read by the baseline. Below: the same, less the baseline's; the bars are 95 % intervals over images."}, "image": {"alt": "Four panels. Above, falling curves, one for each model, and a grey dotted curve for the random order; below, differences from the baseline around a line at zero."}} tags=["hide-input"]
set_matplotlib_formats("svg")
paired.pixel_perturbation(*lead.shelf)
plt.show()

# %% tags=["hide-input"]
area_table(*lead.shelf, lead_areas["gain over random"])

# %% [markdown]
# The {term}`area` under a curve sums it up; differences are in percentage points of it. (The last column is the first less
# the random order; more of it below.)
#
# - **Own gradients**, from the largest area to the smallest: {glue:text}`lead_own`. {glue:text}`lead_own_told`
# - **Common reader**: {glue:text}`lead_common`. {glue:text}`lead_common_told`
# - **A random order**, each network reading its own. {glue:text}`lead_random_told` What a network gains here is
#   the reader's merit; no map was asked.
#
# The paper has score-matching and gradient norm first, then the baseline, then anti-score-matching, in both.
#
# :::{admonition} What the records note of how they were made
# :class: dropdown
#
# {glue:text}`lead_notes`
# :::

# %% tags=["remove-cell"]
CIFAR = ("small", "cifar100")
theirs = areas_of(*CIFAR)
tell(cifar_runs=sentences.runs_in_words(*CIFAR, "pixel_perturbation"))


def by_area(title):
    """Name the models from the largest area to the smallest."""
    means = theirs[title].groupby("model").mean().sort_values(ascending=False)
    names = [MODEL_LABELS[model].lower() for model in means.index]
    return ", ".join(names) or "not measured yet"


titles = {"own": "own", "gain over random": "gain", "common": "common"}
for title, key in titles.items():
    found = theirs[title].reset_index()
    told = sentences.differences_in_words(found, "{:+.1f}", 100)
    tell({f"cifar_{key}": by_area(title), f"cifar_{key}_told": told})

# %% [markdown]
# ## Several trainings, smaller networks
#
# One network each is one draw of the weights. The small networks of [chapter 7](07_training.ipynb), on the same test set:
# {glue:text}`cifar_runs`.

# %% mystnb={"figure": {"name": "fig-perturbation-cifar", "caption": "The same for the small networks. Above: thin lines are single trainings, thick ones their means. Below, less the baseline of the same seed: small marks are single pairs, large ones the mean with its 95 % t-interval."}, "image": {"alt": "Four panels. Above, falling curves, one for each model, and a grey dotted curve for the random order; below, differences from the baseline around a line at zero."}} tags=["hide-input"]
paired.pixel_perturbation(*CIFAR)
plt.show()

# %% tags=["hide-input"]
area_table(*CIFAR, theirs["gain over random"])

# %% [markdown]
# From the largest area to the smallest, and what differs clearly from the baseline, in percentage points:
#
# - **Own gradients**: {glue:text}`cifar_own`. {glue:text}`cifar_own_told`
# - **Gain over random**: {glue:text}`cifar_gain`. {glue:text}`cifar_gain_told`
# - **Common reader**: {glue:text}`cifar_common`. {glue:text}`cifar_common_told`

# %% [markdown]
# ## On digits
#
# It is easier to see than to say. Here are the first test images with half of their pixels removed, each network
# choosing by its own gradients. To draw them we look over the network's shoulder: a hook keeps what the test
# shows it.

# %%
images = data.load(dataset)
few = {"tiny": 20}.get(tier, 100)
x = data.to_float(images.x_test[:few]).to(device)
y = images.y_test[:few].to(device)
models = {
    name: runs.find(tier, dataset, name, seed).model().to(device)
    for name in runs.METHODS
}
maps = {name: logit_gradient(model, x, y) for name, model in models.items()}


def as_shown(model, saliency, fraction):
    """Return the images, (B, C, H, W), that the test shows to a model."""
    seen = []
    hook = model.register_forward_pre_hook(lambda _, z: seen.append(z[0]))
    pixel_perturbation(model, x, y, saliency, fractions=[fraction])
    hook.remove()
    return seen[-1]


halved = {
    name: as_shown(model, maps[name], 0.5) for name, model in models.items()
}

# %% tags=["remove-cell"]
set_matplotlib_formats("png", dpi=200)

# %% mystnb={"figure": {"name": "fig-perturbation-digits", "caption": "The first eight test images, and the same with the half of the pixels removed that each network's own gradient calls least relevant. Below each, what that network now reads; in orange where it is wrong."}, "image": {"alt": "Five rows of eight digits. In the lower four, pixels chosen by each network have been replaced by grey; how much of the stroke is left differs from row to row."}} tags=["hide-input"]
rows = {"original": x, **halved}
figure, axes = plt.subplots(5, 8, figsize=(8.8, 6.6))
for row, (name, pictures) in zip(axes, rows.items(), strict=True):
    plots.show_images(row, pictures[:8])
    label = MODEL_LABELS.get(name, name).replace("-score", "-\nscore")
    row[0].set_ylabel(label, fontsize=9)
    if name in models:
        with torch.no_grad():
            answers = models[name](pictures[:8]).argmax(dim=1).tolist()
        for ax, answer, label in zip(row, answers, y.tolist(), strict=False):
            ax.set_xlabel(
                images.class_names[answer], fontsize=9, labelpad=2,
                color="#222222" if answer == label else "#D55E00",
            )
heading = "Half of the pixels removed, by each network's own choice"
figure.suptitle(heading, x=0.02, ha="left")
plt.show()

# %% [markdown]
# Most of a digit's picture is black. A good eye for irrelevance would take the black and spare the ink. Do the
# networks? We count the ink, which is the pixels that are not black, in what each removed.

# %%
ink = (x > 0).any(dim=1)
removed = {name: (picture != x).any(dim=1) for name, picture in halved.items()}
rows = []
for name, gone in removed.items():
    lost = (gone & ink).flatten(1).sum(dim=1) / ink.flatten(1).sum(dim=1)
    rows.append({"model": name, **asdict(mean_interval(1 - lost))})
table = tables.labelled(pd.DataFrame(rows))
table = table.rename(columns={"value": "ink left"})
table.style.format("{:.1%}").format("{:.0f}", subset=["n"])

# %% tags=["remove-cell"]
tell(ink_share=float(ink.float().mean()), few=few)

# %% [markdown]
# Ink is {glue:text}`ink_share:.0%` of the pixels of these {glue:text}`few` images. A random choice of half the
# pixels leaves half of it. Note also what the mean does: it is a dark grey, not black, so that removing the
# background lays a veil over the picture.

# %% [markdown]
# Now the two experiments, over {glue:text}`n_images` test images, read from the records of {glue:text}`seeds`.

# %%
curves = tables.run_rows(tier, dataset, "pixel_perturbation")

# %% mystnb={"figure": {"name": "fig-perturbation-curves", "caption": "Figures 3a and 3b on digits, drawn as in {numref}`fig-perturbation-cifar`: thin lines are single trainings, and below are differences from the baseline of the same seed, with 95 % t-intervals."}, "image": {"alt": "Four panels. Above, falling curves, one for each model, and a grey dotted curve for the random order; below, differences from the baseline around a line at zero."}} tags=["hide-input"]
set_matplotlib_formats("svg")
paired.pixel_perturbation(tier, dataset)
plt.show()

# %% tags=["remove-cell"]
clean = tables.seed_table(tier, dataset, "test_accuracy")
clean = clean.set_index("model")["value"]
seeds = int(curves.groupby("model")["seed"].nunique().min())
unit = (
    "With one seed there is no interval over trainings; those of the table are "
    "over its images, and say nothing of the next training."
)
seeds_tell = "With one seed nothing can be told"
if seeds > 1:
    unit = (
        "The unit here is a training, not an image: the interval is Student's "
        f"over {seeds} seeds."
    )
    seeds_tell = f"With {seeds} seeds only large differences can be told"
tell(
    seeds=counted(seeds, "seed"),
    unit=unit,
    seeds_tell=seeds_tell,
    n_images=int(curves["n"].min()),
    clean_lowest=float(clean.min()),
    clean_highest=float(clean.max()),
)

# %% tags=["remove-cell"]
at_end = curves[(curves["fraction"] == 1) & (curves["experiment"] == "own")]
ends = at_end.groupby("model")["value"].mean()
tell(end_low=float(ends.min()), end_high=float(ends.max()))

# %% [markdown]
# Accuracy on clean images is between {glue:text}`clean_lowest:.1%` and {glue:text}`clean_highest:.1%`. At the right end every pixel has been removed. A network then sees a flat
# grey picture; {glue:text}`end_low:.0%` to {glue:text}`end_high:.0%` of its answers are right by accident.
#
# ## Is it the map, or the reader?
#
# A random order needs no map. If a network does well even on a random order, it is a good reader of damaged
# pictures. So next to its gradient each network gets a random order, and a third candidate, *input times gradient*,
# $\mathbf{x} \odot \nabla f_y$. This one gives every black pixel a relevance of exactly zero, and so removes the
# background first, in order of its rows.

# %% mystnb={"figure": {"name": "fig-perturbation-orders", "caption": "Above: each network reads pictures from which pixels were removed in three orders, by its gradient, by input times gradient, and at random; thin lines are single trainings. Below: the first two less the random order of the same seed, with 95 % t-intervals over seeds; circles are the gradient, squares input times gradient. The gradient has the model's colour; input times gradient is pink, the random order grey."}, "image": {"alt": "Eight panels, a column for each model: above three falling curves, for gradient, input times gradient and a random order; below the differences of the first two from the third."}} tags=["hide-input"]
paired.orders(tier, dataset)
plt.show()

# %% [markdown]
# The area between a network's gradient curve and its random curve is what its map knows, over and above what the
# network can take. We call it the *gain over random*. It answers the doubt that the paper raises about its
# Figure 3a without changing the reader. A last reading discounts what the networks can do on clean images: each own
# curve divided by its first point. Four readings, then, for each network: own, own relative to clean, gain over
# random, and common. (The table also has the random order, and input times gradient.)

# %%
areas = areas_of(tier, dataset)
area_table(tier, dataset, areas["gain over random"])

# %% [markdown]
# {glue:text}`unit` Seeds that are
# shared cancel when we subtract run from run, so the comparison that counts is the paired one, model minus
# baseline.

# %%
judged = ("own", "own, relative", "gain over random", "common")
others = [m for m in runs.METHODS if m != "baseline"]
differences = {}
for title in judged:
    for model in others:
        pair = [areas[title].loc[name] for name in (model, "baseline")]
        both = pd.concat(pair, axis=1, join="inner").to_numpy().T
        differences[title, model] = paired_difference_interval(*both.tolist())

# %% mystnb={"figure": {"name": "fig-perturbation-differences", "caption": "Difference in area from the baseline, in percentage points, paired by seed, with 95 % t-intervals. Right of the dotted line: better than the baseline. An interval that holds 0 decides nothing."}, "image": {"alt": "Four panels with three horizontal intervals each, for score-matching, anti-score-matching and gradient norm, around a dotted line at zero."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 4, figsize=(9, 2.3), sharex=True, sharey=True)
for ax, title in zip(axes, judged, strict=True):
    ax.axvline(0.0, color="#8C8C8C", linestyle=":")
    for height, model in enumerate(reversed(others)):
        interval, colour = differences[title, model], MODEL_COLOURS[model]
        value = interval.value
        below, above = value - interval.low, interval.high - value
        reach = [[100 * below], [100 * above]]
        ax.errorbar(100 * value, height, xerr=reach, marker="o", color=colour)
    ax.set(xlabel="difference, points", ylim=(-0.5, len(others) - 0.5))
    ax.set_title(title)
    labels = [MODEL_LABELS[model] for model in reversed(others)]
    ax.set_yticks(range(len(others)), labels)
plt.show()

# %% tags=["remove-cell"]
keys, decided = ("own", "relative", "gain", "common"), []
for title, key in zip(judged, keys, strict=True):
    found = {"above": [], "below": [], "undecided": []}
    for model in others:
        interval = differences[title, model]
        side = direction(interval, *found)
        found[side].append(MODEL_LABELS[model].lower())
        if key != "relative":
            text = interval_text(interval, "{:+.1f}", scale=100)
            tell({f"{key}_{model}": text})
    above, below = listed(found["above"]), listed(found["below"])
    tell({f"{key}_sides": words.sides(above, below)})
    for side, names in found.items():
        if names and side != "undecided":
            better = "better" if side == "above" else "worse"
            decided.append(f"by “{title}” {better}: {listed(names)}")
    if len(found["undecided"]) == len(others):
        decided.append(f"by “{title}” nothing is decided")
tell(decided="; ".join(decided) or "no model, by none of the four readings")

# %% [markdown]
# Against the baseline, over {glue:text}`seeds`: {glue:text}`decided`.
#
# The four readings need not agree. Where a model is better by its own curve and not by the gain over random, the
# curve was the reader's merit. Where it is better by the gain and not with the common reader, its map tells us about
# that network, and not about another one trained on the same task. The paper's conclusion needs the common reader.
#
# ## A map that asks no network
#
# A random order is an easy rival. Here is a harder one. Call a pixel relevant if it differs from the mean of its
# picture,
#
# $$
# S_{\mathrm{contrast}}(\mathbf{x}) = | \mathbf{x} - \bar{x} | .
# $$ (eq-perturbation-contrast)
#
# No network was asked. Since a removed pixel is replaced by just that mean, this map takes first what nobody would
# miss, because nothing changes. We put it to every network whose weights the book has, beside the network's own
# gradient and input times gradient, on the same {glue:text}`few` digits.

# %%
control_fractions = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


def contrast(pictures):
    """Return how far each pixel lies from its picture's mean: no network."""
    return (pictures - pictures.mean(dim=(2, 3), keepdim=True)).abs()


def three_maps(network):
    """Run the test on a network by its gradient, by x times it, by contrast."""
    gradient = logit_gradient(network, x, y)
    rivals = {
        "gradient": gradient,
        "input × gradient": x * gradient,
        "contrast": contrast(x),
    }
    return {
        name: pixel_perturbation(
            network, x, y, saliency, fractions=control_fractions
        )
        for name, saliency in rivals.items()
    }


# %%
tested = {
    (name, run.record.seed): three_maps(run.model().to(device))
    for name in runs.METHODS
    for run in runs.find_all(tier, dataset, name)
    if (run.directory / "weights.safetensors").exists()
}

# %% tags=["remove-cell"]
gaps = {
    rival: {
        key: paired_difference_interval(
            found["contrast"].area(), found[rival].area()
        )
        for key, found in tested.items()
    }
    for rival in ("gradient", "input × gradient")
}
plain = {
    name: 100 * sum(
        float(found[name].area().mean())
        for (model, _), found in tested.items() if model == "baseline"
    ) / sum(model == "baseline" for model, _ in tested)
    for name in ("gradient", "input × gradient", "contrast")
}
wins, losses = (
    sum(gap.sign() == sign for gap in gaps["gradient"].values())
    for sign in (1, -1)
)
top = pd.DataFrame({title: area for title, area in areas.items()})
top = top.drop(columns=["own, relative", "gain over random"])
top = 100 * top.groupby("model").mean()
model, title = top.stack().idxmax()

# %% tags=["remove-cell"]
tell(
    control_networks=counted(len(tested), "network"),
    control_wins=wins,
    control_losses=losses,
    control_open=len(tested) - wins - losses,
    control_baseline=f"{plain['contrast']:.0f}",
    gradient_baseline=f"{plain['gradient']:.0f}",
    product_baseline=f"{plain['input × gradient']:.0f}",
    product_wins=sum(g.sign() == 1 for g in gaps["input × gradient"].values()),
    product_losses=sum(
        g.sign() == -1 for g in gaps["input × gradient"].values()
    ),
    top_area=f"{top.loc[model, title]:.1f}",
    top_model=MODEL_LABELS[model].lower(),
    top_title=title,
    top_own=f"{top.loc[model, 'own']:.1f}",
    control_ahead=sum(g.value > 0 for g in gaps["gradient"].values()),
)

# %% tags=["remove-cell"]
meaning = (
    "So the gradients hold their own against it here, and the test asks more "
    "than contrast."
)
if wins > losses:
    meaning = (
        "Where contrast wins, a map that has never seen the network passes "
        "the network's own test better than the network's gradient does. The "
        "test, then, measures contrast first, that is, how little of the "
        "picture was changed, and what the network looks at only after that."
    )
elif wins == losses:
    meaning = "Which of the two is the better map is undecided here."
tell(control_means=meaning)

# %% mystnb={"figure": {"name": "fig-perturbation-control", "caption": "A map without a network, on a few digits. Left: the baseline networks, with pixels removed by their gradient, by input times gradient, and by contrast; thin lines are single networks. Right: area by contrast less area by the network's own gradient, one mark a network, with its 95 % interval over images, paired. Right of the line the map that asked no network is the better one."}, "image": {"alt": "Two panels: on the left falling curves for three maps; on the right a mark with an interval for every network of each model, around a vertical line at zero."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 4.0))
looks = {"gradient": ("#000000", "-"), "input × gradient": ("#CC79A7", "--")}
looks["contrast"] = ("#E69F00", "-.")
base = [found for (model, _), found in tested.items() if model == "baseline"]
for name, (colour, dashes) in looks.items():
    each = torch.stack([found[name].value for found in base])
    if len(each) > 1:
        thin = {"color": colour, "linewidth": 0.7, "alpha": 0.5}
        left.plot(control_fractions, each.T, **thin)
    look = {"color": colour, "linestyle": dashes, "label": name}
    left.plot(control_fractions, each.mean(dim=0), **look)
left.set(xlabel="fraction of pixels removed", ylabel="accuracy")
left.set(ylim=(0, 1.04), title="three maps, the baselines")
right.axvline(0.0, color="#000000", linewidth=1)
for height, ((name, _), gap) in enumerate(reversed(gaps["gradient"].items())):
    reach = [[100 * (gap.value - gap.low)], [100 * (gap.high - gap.value)]]
    look = model_style(name) | {"linestyle": "none", "label": None}
    right.errorbar(100 * gap.value, height, xerr=reach, **look)
right.set(xlabel="area, points", title="contrast less gradient")
labels = [MODEL_LABELS[n] if s == 0 else "" for n, s in reversed(tested)]
right.set_yticks(range(len(tested)), labels, fontsize=8)
legend_below(figure, left)
plt.show()

# %% [markdown]
# By the interval over images, contrast is better than a network's own gradient for {glue:text}`control_wins` of
# {glue:text}`control_networks`, worse for {glue:text}`control_losses` and undecided for {glue:text}`control_open`; the difference
# itself is positive for {glue:text}`control_ahead`. Against input times gradient it is better for {glue:text}`product_wins` and worse for {glue:text}`product_losses`. For the baseline the areas are
# {glue:text}`control_baseline` % by contrast, {glue:text}`gradient_baseline` % by its gradient and
# {glue:text}`product_baseline` % by input times gradient, means over its networks here.
#
# What does it mean? With the mean as replacement, removing a pixel changes the picture by as much as the pixel differs
# from the mean. {glue:text}`control_means` "Better than random" proves little; "better than contrast" would be a finding.
#
# Look back at the table of areas with that in mind. Its highest entry is {glue:text}`top_area` %: {glue:text}`top_title`, of
# {glue:text}`top_model`, whose gradient alone has {glue:text}`top_own` %. Input times gradient lets the black background go
# first, because the input is zero there, whatever the gradient says. That is the ink of the picture again, more than a
# network's opinion of it.
#
# ## Does it matter how one removes a pixel?
#
# The authors' released code {cite:p}`srinivas2021code` departs from the text in three places. It puts the constant grey 0.5 where the text says
# the mean pixel of the image. It ranks pixels by the *spread* of the gradient over the colour channels, where the
# text has the map itself. And it removes $k - 1$ pixels where $k$ are asked for. Each can be tried on our
# {glue:text}`few` digits, with the networks of this seed.

# %%
fractions = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
filled = {
    (name, fill): pixel_perturbation(
        model, x, y, maps[name], fractions=fractions, replacement=fill
    )
    for name, model in models.items()
    for fill in ("mean", "grey")
}


def in_order(fill):
    """Write the models from the largest area to the smallest."""
    areas = {m: float(filled[m, fill].area().mean()) for m in models}
    names = sorted(models, key=areas.get, reverse=True)
    return " > ".join(MODEL_LABELS[name].lower() for name in names)

# %% mystnb={"figure": {"name": "fig-perturbation-replacement", "caption": "Own gradients, own network, on a few digits and one seed: left with the image's mean in place of a removed pixel, right with grey. Bands are 95 % intervals over images."}, "image": {"alt": "Two panels of falling curves for four models: mean replacement on the left, grey replacement on the right."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(8.0, 3.4), sharey=True)
titles = {"mean": "the image's mean", "grey": "grey, 0.5"}
for ax, (fill, title) in zip(axes, titles.items(), strict=True):
    for name in models:
        curve_with_band(ax, filled[name, fill].to_frame(), model=name)
    ax.set(xlabel="fraction of pixels removed", ylim=(0, 1.04))
    ax.set_title(f"removed pixels become {title}")
axes[0].set_ylabel("accuracy")
axes[0].legend(loc="lower left")
plt.show()

# %% [markdown]
# Ranked by area, with the mean: {glue:text}`order_mean`. With grey: {glue:text}`order_grey`. (One seed, few images:
# an illustration, not a verdict.) Grey is a brighter veil than a digit's mean of {glue:text}`mean_pixel:.2f`.
#
# For the spread over channels we need colour. {glue:text}`colour`


# %%
def colour_reader(network):
    """Return a network that reads three channels; one of digits, their mean."""
    average = nn.Conv2d(3, 1, 1, bias=False).requires_grad_(False).to(device)
    average.weight.fill_(1 / 3)
    return nn.Sequential(average, network) if x.shape[1] == 1 else network


# %%
reader, colour = colour_reader(models["baseline"]), x.expand(-1, 3, -1, -1)
gradient = logit_gradient(reader, colour, y)
pixels = x[0, 0].numel()
one_fewer = [max(round(f * pixels) - 1, 0) / pixels for f in fractions]
as_here = filled["baseline", "mean"]
variants = {
    "as in this chapter": as_here,
    "grey for the mean": filled["baseline", "grey"],
    "k − 1 pixels": pixel_perturbation(
        models["baseline"], x, y, maps["baseline"], fractions=one_fewer
    ),
    "spread over channels": pixel_perturbation(
        reader, colour, y, gradient,
        fractions=fractions, relevance="channel_std",
    ),
}

# %%
half = fractions.index(0.5)
changes = {
    name: mean_interval(curve.per_sample[half] - as_here.per_sample[half])
    for name, curve in variants.items()
}
table = pd.DataFrame([
    {
        "accuracy, half removed": f"{100 * float(curve.value[half]):.1f} %",
        "change, points": ""
        if name == "as in this chapter"
        else interval_text(changes[name], "{:+.1f}", 100),
    }
    for name, curve in variants.items()
], index=list(variants))
table

# %% tags=["remove-cell"]
spread, size = gradient.std(dim=1, correction=0), gradient.abs().sum(dim=1)
told = {"colour": "These pictures have it."}
left = "rounding, and " if spread.any() else ""
told["spread_left"] = "a pixel whose gradient is strong in all colours alike "
told["spread_left"] += "ranks low"
if x.shape[1] == 1:
    told["colour"] = (
        "A digit has one channel, where the spread is zero for every pixel and "
        "ranks nothing; our function refuses it. So we let the "
        "network look at a colour picture of a digit, whose three channels it "
        "averages first. All three channels then have the same gradient, which "
        "is the case in which the spread calls a pixel irrelevant however "
        "large its gradient is."
    )
    told["spread_left"] = (
        f"all that is left to rank by is {left}the order of the rows"
    )
tell(
    told,
    largest_spread=f"{float(spread.max()):.0e}" if spread.any() else "0",
    largest_size=float(size.max()),
)

# %% tags=["remove-cell"]
tell(
    pixels=pixels,
    order_mean=in_order("mean"),
    order_grey=in_order("grey"),
    mean_pixel=float(x.mean()),
)
_, *changed = changes.values()
for key, change in zip(("grey", "fewer", "spread"), changed, strict=True):
    says = direction(change, "higher", "lower", "not clearly different")
    tell({f"{key}_change": 100 * change.value, f"{key}_says": says})

# %% [markdown]
# With half of the pixels removed, the baseline's accuracy on these digits changes by {glue:text}`grey_change:+.0f`
# points with grey ({glue:text}`grey_says`), by {glue:text}`spread_change:+.0f` with the spread over channels
# ({glue:text}`spread_says`), and by {glue:text}`fewer_change:+.1f` with one pixel fewer
# ({glue:text}`fewer_says`). The largest spread of any pixel is {glue:text}`largest_spread`, where the largest
# gradient is {glue:text}`largest_size:.1f`: {glue:text}`spread_left`. One pixel of
# {glue:text}`pixels` is little. It matters at the ends of the curve, where "everything removed" leaves one pixel, and
# "nothing removed" makes the released code fail.

# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# On CIFAR-100, in both experiments: score-matched and gradient-norm regularised models explain best,
# anti-score-matching worst, the baseline between them. The same on CIFAR-10. Curves without printed numbers
# and without intervals.
# :::
#
# :::{admonition} What you just saw
# - **On CIFAR-100** ({glue:text}`lead_short`), areas in points. *Own gradients.* {glue:text}`lead_own_told` *Common
#   reader.* {glue:text}`lead_common_told`
# - **Small networks there**, from the largest area to the smallest. Own gradients: {glue:text}`cifar_own`. Common
#   reader: {glue:text}`cifar_common`.
# - **Digits, own gradients (Figure 3a).** Difference in area from the baseline, in percentage points: score-matching
#   {glue:text}`own_score_matching`, gradient norm {glue:text}`own_gradient_norm`, anti-score-matching
#   {glue:text}`own_anti_score_matching`. {glue:text}`own_sides`
# - **After the reader's merit is taken off** (gain over random): score-matching {glue:text}`gain_score_matching`,
#   gradient norm {glue:text}`gain_gradient_norm`, anti-score-matching {glue:text}`gain_anti_score_matching`.
# - **A common reader (Figure 3b).** Score-matching {glue:text}`common_score_matching`, gradient norm
#   {glue:text}`common_gradient_norm`, anti-score-matching {glue:text}`common_anti_score_matching`.
#   {glue:text}`common_sides`
# - **A map that asks no network**, the distance of a pixel from its picture's mean, is better than a network's own
#   gradient for {glue:text}`control_wins` of {glue:text}`control_networks` of digits.
# - Score-matching and gradient norm *at the same accuracy* are compared in [chapter 14](14_sweep.ipynb).
# - {glue:text}`seeds_tell` from chance, and "undecided" is not "equal". And
#   the test has a limit that no number of seeds removes. It rewards a map for naming pixels that *nobody* needs,
#   and on digits the background is an easy answer.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* By input times gradient all black pixels have the relevance 0. Ink is {glue:text}`ink_share:.0%` of the pixels of these digits. Up to which fraction removed has this order not touched any
# ink, whatever the gradient says? What has the test compared up to there?
#
# :::{admonition} Solution
# :class: dropdown
#
# Up to the share of the background, 100 % less the share of ink. Until then every network, good or bad, loses black pixels only, in order of their rows. So the curves differ by how a network bears
# a veil of dark grey over its background, and say nothing about its gradient. The map is asked in the last part of the axis alone.
# :::
#
# **2.** *With one line.* In `three_maps`, remove pixels to grey: add `replacement="grey"` to the call. Does contrast, which asks no network, remain as good as the baseline's gradient? Which map without a network belongs to grey as contrast belongs to
# the mean?
#
# :::{admonition} Solution
# :class: dropdown
#
# For the baseline with seed 0, on the hundred digits, both areas were about 55 % with the mean. With grey we found about 22 % by the gradient and 36 % by contrast. Both suffer, since grey is far from the black of the background, and the
# gradient suffers more. A removed pixel now changes by $|\mathbf{x} - \frac12|$, so that is the map which takes first what changes least; it had about 38 %. The replacement decides which blind map is the rival to beat.
# :::
#
# **3.** *What would happen if* a network answered "3" to every picture? Draw its curve for any map, and its gain over random.
#
# :::{admonition} Solution
# :class: dropdown
#
# The curve is flat, at the share of threes among the images, which is about a tenth. It is the same for every map and for a random order, so the gain over random is 0. That is right: such a network has no
# map to speak of. Its curve relative to the clean one is a flat 100 %, though, higher than anybody's. Dividing by the clean accuracy rewards those who have nothing to lose.
# :::
