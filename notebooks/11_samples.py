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
# # Whose samples are recognised?
#
# Climb a logit, and you get a sample from the summit of what the network takes for the density of a class
# ([chapter 8](08_activation_maximisation.ipynb)). If that density is a good one, then the sample should look
# like a member of the class. To whom? Not to the network that made it, for that one was asked until it said yes.
#
# So we need a judge who had no part in the making. The question of this chapter: **whose samples does an
# independent network recognise, and whose are less noisy?** It is the paper's Fig. 2 and Table 1.

# %% tags=["parameters", "hide-input"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["hide-input"]
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats

from companion import data, live, metrics, runs
from companion.book import figures, one_network, sentences, words
from companion.book.axes import legend_below
from companion.book.curves import bars_with_intervals
from companion.book.style import MODEL_LABELS, model_style
from companion.experiments import presets
from companion.experiments.measurements import SIZES
from companion.experiments.provenance import PROJECT
from companion.experiments.settings import JUDGE_SEED
from companion.book.opening import begin, tell
from companion.book.strongest import strongest
from companion.book.tables import (
    model_table, paired_differences, run_table, seed_table,
)
from companion.book.words import counted, direction, interval_text, listed
from companion.claims.paper import reported
from companion.gradients import logit_gradient

begin(globals())

# %% tags=["remove-cell"]
dataset = presets.DATASETS[tier][0]
images = data.load(dataset)
models = {name: runs.find(tier, dataset, name, seed) for name in runs.METHODS}
judge = runs.find(tier, dataset, "judge", JUDGE_SEED)
sizes = SIZES[tier]
MEASURES = {
    "total_variation": "Total variation",
    "high_frequency_share": "High-frequency share",
}

# %% [markdown]
# Make some samples first, step by step, and be the judge. The baseline and the network that was trained with a penalty
# on the gradient's norm run in your browser, on digits; both start from the same noise.

# %% tags=["hide-input"]
offered = ("baseline", "gradient_norm")
live.sampling(
    {MODEL_LABELS[name]: models[name].model() for name in offered},
    images.x_test.shape[1:], images.class_names, target=5,
)

# %% tags=["remove-cell"]
lead = strongest("cifar100", "samples")
lead_sizes = SIZES[lead.tier]
lead_judges = runs.find_all(*lead.shelf, "judge")
lead_judge = "not yet known"
if lead_judges:
    found = lead_judges[0].metric("test_accuracy")
    lead_judge = interval_text(found, "{:.1f}", 100)
lead_scores = model_table(*lead.shelf, "gan_test")
tell(
    lead_networks=lead.described(),
    lead_short=lead.short(),
    lead_notes=lead.notes(),
    lead_steps=lead_sizes.sample_steps,
    lead_samples=f"{lead_sizes.samples:,}",
    lead_judge=lead_judge,
    lead_order=sentences.ranking(*lead.shelf, "gan_test"),
    lead_told=one_network.told(lead, "gan_test", "{:+.1f}", 100),
    lead_rough=one_network.told(lead, "sample_total_variation", "{:+.3f}"),
    lead_fine=one_network.told(lead, "sample_high_frequency_share", "{:+.3f}"),
)

# %% [markdown]
# ## The pictures
#
# Every model starts from the same noise, $\mathcal{N}(0.5, 0.2^2)$, and climbs the logit of the class asked for:
# {glue:text}`lead_steps` steps of 0.1 along
# $\nabla_{\mathbf{x}} f_i - 0.01\,(\mathbf{x} - \frac12)$, with the pixels clamped to $[0, 1]$ after each. These are
# the authors' settings. Below are samples of CIFAR-100's classes by {glue:text}`lead_networks`. Eight
# classes in a row, the first sample of each: nothing was picked.

# %% mystnb={"figure": {"name": "fig-samples-lead", "caption": "Samples of the four models for eight consecutive classes of CIFAR-100, one column a class, one network each. Every column starts from the same noise."}, "image": {"alt": "Four rows of eight generated pictures. Bicycles with wheels, bottles, camels with legs and humps can be made out in the colourful noise, more clearly in some rows than in others."}} tags=["hide-input"]
set_matplotlib_formats("png", dpi=200)
figures.samples(*lead.shelf, first=8, columns=8)
plt.show()

# %% [markdown]
# Look for yourself in {numref}`fig-samples-lead` before you read on. Which rows would you know the classes in, if
# their names were not above?
#
# :::{admonition} What the records note of how they were made
# :class: dropdown
#
# {glue:text}`lead_notes`
# :::
#
# ## The judge
#
# Eyes are easily led. The {term}`GAN-test` {cite:p}`shmelkov2018how` replaces them by a network that is trained on its
# own, with another seed. The score is the share of samples in which this judge sees the class that was asked for.
# Here it saw {glue:text}`lead_samples` samples of each network, equally many of each class. Guessing would score 1 %.
#
# Behind a score there are two kinds of chance: which samples were drawn, and which weights the training ended
# with. The first gets a Wilson interval {cite:p}`wilson1927probable` for each network, and since all networks start
# from the same noise, differences between two of them are taken sample by sample. The second needs several
# trainings, and a $t$-interval over them. With one network each there is only the first.

# %% mystnb={"figure": {"name": "fig-samples-lead-gan-test", "caption": "GAN-test on CIFAR-100. Left: each network with its Wilson interval over samples. Middle: the difference from the baseline, in percentage points, paired sample by sample where there is one network each, with its 95 % interval. Right: the paper's Table 1, whose judge is another one; compare orders, not levels."}, "image": {"alt": "Three panels. On the left a mark with an interval for each of four models, in the middle the differences of three of them from the baseline around a line at zero, on the right hollow diamonds for the paper's values."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figures.gan_test(*lead.shelf, 1 / 100)
plt.show()

# %% tags=["remove-cell"]
def order(values):
    """Write models from the highest value to the lowest."""
    names = sorted(values, key=values.get, reverse=True)
    return ", ".join(MODEL_LABELS[name].lower() for name in names)


def differences(metric, form, scale=1):
    """Return the differences from the baseline in words, by their verdict."""
    told = {"higher": [], "lower": [], "not clearly different": []}
    for row in paired_differences(tier, dataset, metric).to_dict("records"):
        label = MODEL_LABELS[row["model"]].lower()
        text = interval_text(row, form, scale)
        told[direction(row)].append(f"{label} {text}")
    return [listed(words) for words in told.values()]


# %% tags=["remove-cell"]
printed = reported("cifar100.gan_test")
theirs = {name: printed[name] for name in printed if name in runs.METHODS}
tell(paper_order=order(theirs))
tell({f"paper_{name}": value for name, value in printed.items()})

# %% [markdown]
# From high to low: {glue:text}`lead_order`. In the paper: {glue:text}`paper_order`. In percentage points,
# by the interval over samples, pair by pair. {glue:text}`lead_told`
#
# ## Recognised is not realistic
#
# Now look at the level. Real test images are recognised by the same judge in {glue:text}`lead_judge` % of cases.

# %% tags=["remove-cell"]
def against_the_judge(tier, dataset):
    """Return whose samples the judge knows more, less often than images."""
    judges = runs.find_all(tier, dataset, "judge")
    sides = {"more often": [], "less often": [], "undecided": []}
    for row in run_table(tier, dataset, "gan_test").to_dict("records"):
        real = judges[0].interval("test_accuracy") if judges else None
        side = "undecided"
        if real and row["low"] > real.high:
            side = "more often"
        elif real and row["high"] < real.low:
            side = "less often"
        sides[side].append(MODEL_LABELS[row["model"]].lower())
    several = run_table(tier, dataset, "gan_test")["seed"].nunique() > 1
    said = [
        f"{side}: " + listed(
            f"{name} ({counted(names.count(name), 'network')})"
            if several else name
            for name in dict.fromkeys(names)
        )
        for side, names in sides.items()
        if names
    ]
    return "; ".join(said) or "not measured yet"


# %% tags=["remove-cell"]
for key, shelf in (("lead", lead.shelf), ("digits", (tier, dataset))):
    tell({f"{key}_than_real": against_the_judge(*shelf)})

# %% [markdown]
# Whose samples does it recognise more often than real images, by intervals that do not meet, and whose less often?
# By that rule, {glue:text}`lead_than_real`.
#
# Look at the pictures once more. Nobody would take them for photographs. A score above the judge's own accuracy on
# photographs would measure something else than realism: a sample is made of what a network looks for, over and over, and a second
# network looks for much the same. A photograph also shows a camel from behind. So the GAN-test says that the
# features of a class have been found, and that they are shared. It is a caricature's success, and a higher score is
# not a truer picture.
#
# ## Smoother, less noisy
#
# The paper says of its Fig. 2 that the samples of the regularised models "are smoother and less noisy". Two
# measures make that a number. *Total variation* is the mean difference between neighbouring pixels. The
# *high-frequency share* is the part of a picture's variance at spatial frequencies above a quarter of a cycle a
# pixel; it does not depend on contrast. Less is smoother, in both.
#
# - **Total variation.** {glue:text}`lead_rough`
# - **High-frequency share.** {glue:text}`lead_fine`
#
# A word of caution: a blank picture would score nought on both and be recognised by nobody. Smooth is not the same
# as good.

# %% tags=["remove-cell"]
CIFAR = ("small", "cifar100")
theirs = model_table(*CIFAR, "gan_test")
judges, judged_by = runs.find_all(*CIFAR, "judge"), "not yet known"
if judges:
    accuracy = judges[0].metric("test_accuracy")
    judged_by = interval_text(accuracy, "{:.1f}", 100)
each = run_table(*CIFAR, "gan_test")
tell(
    cifar_runs=sentences.runs_in_words(*CIFAR, "samples"),
    cifar_samples=f"{SIZES['small'].samples:,}",
    cifar_steps=SIZES["small"].sample_steps,
    cifar_judge=judged_by,
    cifar_order=sentences.ranking(*CIFAR, "gan_test"),
    cifar_told=sentences.differences_in_words(each, "{:+.1f}", 100),
)

# %% [markdown]
# ## Several trainings, smaller networks
#
# One network each is an anecdote with an interval. The small networks of [chapter 7](07_training.ipynb) were trained more
# than once on CIFAR-100. Again {glue:text}`cifar_samples` samples of {glue:text}`cifar_steps` steps from each, ten of every class. Their judge gets {glue:text}`cifar_judge` % of the real test images right, so what it
# fails to recognise is not always the sample's fault. Evaluated: {glue:text}`cifar_runs`.

# %% mystnb={"figure": {"name": "fig-samples-cifar-grid", "caption": "Samples of CIFAR-100's first ten classes, one row a model."}, "image": {"alt": "Rows of ten coloured generated pictures, one row a model."}} tags=["hide-input"]
set_matplotlib_formats("png", dpi=200)
figures.samples(*CIFAR)
plt.show()

# %% mystnb={"figure": {"name": "fig-samples-cifar-gan-test", "caption": "GAN-test of the small networks on CIFAR-100. Small marks: one network, with its Wilson interval over samples. Large marks: the mean over seeds with its 95 % t-interval. Middle: less the baseline of the same seed, in points. Right: the paper's Table 1."}, "image": {"alt": "Three panels: marks with intervals for each of four models, differences from the baseline around a line at zero, hollow diamonds for the paper's values."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figures.gan_test(*CIFAR, 1 / 100)
plt.show()

# %% tags=["hide-input"]
def texts(frame, form, scale=1):
    """Write a frame's intervals."""
    return [interval_text(row, form, scale) for _, row in frame.iterrows()]


units = zip(theirs["n"], theirs["unit"], strict=True)
columns = {
    "GAN-test, %": texts(theirs, "{:.1f}", 100),
    "interval over": [
        unit.replace("images", "samples") if n else "" for n, unit in units
    ],
    "the paper, %": [printed[name] for name in theirs["model"]],
}
for name in MEASURES:
    found = model_table(*CIFAR, f"sample_{name}")
    columns[name.replace("_", " ")] = texts(found, "{:.3f}")
labels = [MODEL_LABELS[name] for name in theirs["model"]]
pd.DataFrame(columns, index=pd.Index(labels, name="model"))

# %% [markdown]
# From high to low: {glue:text}`cifar_order`. In the paper: {glue:text}`paper_order`. {glue:text}`cifar_told`

# %% tags=["remove-cell"]
twice = pd.read_csv(PROJECT / "results" / "small" / "judges.csv")
shares = twice[["first", "second"]].div(twice["samples"], axis=0)
twice[["first", "second"]] = shares
for name, rows in twice.groupby("dataset"):
    change = metrics.paired_difference_interval(
        rows["second"].tolist(), rows["first"].tolist()
    )
    tell({
        f"{name}_change": interval_text(change, "{:+.1f}", 100),
        f"{name}_networks": len(rows),
    })
    for place in ("first", "second"):
        found = rows.rename(columns={place: "value"})
        means = found.groupby("model")["value"].mean().to_dict()
        told = sentences.differences_in_words(found, "{:+.1f}", 100)
        accuracy = rows[f"{place}_accuracy"].unique().item()
        tell({
            f"{name}_{place}_order": order(means),
            f"{name}_{place}_told": told,
            f"{name}_{place}_accuracy": 100 * accuracy,
        })
for place in ("first", "second"):
    tell({f"{place}_width": twice[f"{place}_width"].unique().item()})

# %% [markdown]
# ## The same samples, another judge
#
# Two have a part in every score: the network that made the samples, and the one that judged them. What if
# another had judged? We showed the very same samples to a second judge, again a ResNet-18, but a wider one. Its first layer has
# {glue:text}`second_width` channels, where our judge has {glue:text}`first_width`, and it is the better classifier:
# {glue:text}`cifar100_second_accuracy:.1f` % of CIFAR-100's test images against
# {glue:text}`cifar100_first_accuracy:.1f` %, and {glue:text}`cifar10_second_accuracy:.1f` % of CIFAR-10's against
# {glue:text}`cifar10_first_accuracy:.1f` %. In {numref}`fig-samples-two-judges` each mark is one network.

# %% mystnb={"figure": {"name": "fig-samples-two-judges", "caption": "The same samples, shown to two judges. A mark is one network; below the dashed line the narrower judge recognised more."}, "image": {"alt": "A scatter plot: the share that the narrower judge recognises across, the wider judge's up, and a dashed diagonal where the two are equal."}} tags=["hide-input"]
shelves = {"CIFAR-100": "cifar100", "CIFAR-10": "cifar10"}
figure = figures.networks(
    {label: twice[twice["dataset"] == name] for label, name in shelves.items()},
    {"first": "share recognised by the narrower judge"},
    {"second": "by the wider judge"},
)
figure.set_size_inches(5.6, 5.9)
ax = figure.axes[0]
ax.plot([0, 1], [0, 1], color="#8C8C8C", linestyle="--", linewidth=1)
ax.set(xscale="linear", xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal")
ax.set_title("What another judge would have said")
plt.show()

# %% [markdown]
# From the narrower judge to the wider, the score changes by {glue:text}`cifar100_change` points on CIFAR-100, a mean over
# {glue:text}`cifar100_networks` networks, and by {glue:text}`cifar10_change` points on CIFAR-10, over
# {glue:text}`cifar10_networks` of them. Here are the orders, from high to low, and what differs clearly from the baseline, in points:
#
# | | narrower judge | wider judge |
# |---|---|---|
# | CIFAR-100 | {glue:text}`cifar100_first_order` | {glue:text}`cifar100_second_order` |
# | clear differences | {glue:text}`cifar100_first_told` | {glue:text}`cifar100_second_told` |
# | CIFAR-10 | {glue:text}`cifar10_first_order` | {glue:text}`cifar10_second_order` |
# | clear differences | {glue:text}`cifar10_first_told` | {glue:text}`cifar10_second_told` |
#
# A level, then, is the judge's as much as the sample's, and so may be a close order. Read the diamonds of
# {numref}`fig-samples-cifar-gan-test` with that in mind: the paper's judge is a third one, and we do not know how it
# would have judged ours. All counts, also of the samples that both judges recognise, are in
# `results/small/judges.csv`.

# %% [markdown]
# ## On digits
#
# Last, the networks that come with their weights. Each makes {glue:text}`samples` samples of
# {glue:text}`sample_steps` steps.

# %% mystnb={"figure": {"name": "fig-samples-grid", "caption": "Samples of the four models of digits, one column a class, and real test images of the same classes below."}, "image": {"alt": "Four rows of ten generated pictures, one row a model, and a row of real images."}} tags=["hide-input"]
set_matplotlib_formats("png", dpi=200)
figures.samples(tier, dataset, seed)
plt.show()

# %% tags=["remove-cell"]
accuracy = judge.metric("test_accuracy")
table = seed_table(tier, dataset, "gan_test")
tell(
    sample_steps=sizes.sample_steps,
    samples=sizes.samples,
    judge_accuracy=interval_text(accuracy, "{:.1f}", 100),
    judge_network=judge.settings.network.replace("resnet", "ResNet-"),
    digits_lowest=100 * float(table["value"].min()),
    digits_highest=100 * float(table["value"].max()),
)

# %% [markdown]
# Look for yourself, with the names covered. The judge, a {glue:text}`judge_network` that gets {glue:text}`judge_accuracy` % of the
# real digits right, recognises {glue:text}`digits_lowest:.0f` to {glue:text}`digits_highest:.0f` % of such pictures, by the
# model's mean over {glue:text}`seeds`. To the eye most of them resemble no digit. That is the other half of the
# lesson: pictures that two networks agree on need not look like anything.

# %% mystnb={"figure": {"name": "fig-samples-gan-test", "caption": "GAN-test of the four models of digits. Left: small marks are one trained model each, with its Wilson interval over samples; large marks the mean over seeds with its 95 % t-interval. Right: less the baseline of the same seed, in points."}, "image": {"alt": "Two panels: marks with intervals for each of four models, and differences from the baseline around a line at zero."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figures.gan_test(tier, dataset, 1 / images.num_classes)
plt.show()

# %% tags=["remove-cell"]
each = run_table(tier, dataset, "gan_test")
ours = dict(zip(table["model"], table["value"], strict=True))
above, below, unclear = differences("gan_test", "{:+.1f}", 100)
tell(
    our_order=order(ours),
    gan_above=above,
    gan_below=below,
    gan_sides=words.sides(above, below, "higher", "lower"),
    gan_unclear=unclear,
    baseline_gan=interval_text(table.iloc[0], "{:.1f}", 100),
)

# %% tags=["remove-cell"]
against = {"same": [], "opposite": [], "open": []}
for row in paired_differences(tier, dataset, "gan_test").to_dict("records"):
    name, sign = row["model"], row["sign"]
    theirs = 1 if printed[name] > printed["baseline"] else -1
    side = "same" if sign == theirs else "opposite" if sign else "open"
    against[side].append(MODEL_LABELS[name].lower())
against_paper = "The paper's directions are all undecided here."
if against["same"] or against["opposite"]:
    against_paper = (
        f"The paper's way here: {listed(against['same'])}; the opposite way: "
        f"{listed(against['opposite'])}; undecided: {listed(against['open'])}."
    )
tell(
    seeds=counted(int(table["n"].max()), "seed"), against_paper=against_paper
)

# %% [markdown]
# The means over seeds come in this order: {glue:text}`our_order`. But an order of means is not a finding, so we take
# differences from the baseline, seed by seed, in percentage points, with an interval over {glue:text}`seeds`
# ({numref}`fig-samples-gan-test`):
#
# - above the baseline ({glue:text}`baseline_gan` %): {glue:text}`gan_above`;
# - below it: {glue:text}`gan_below`;
# - not clearly different: {glue:text}`gan_unclear`.
#
# In the paper score-matching and gradient norm lie above the baseline, and anti-score-matching below.
# {glue:text}`against_paper` Compared with real digits, the samples are recognised {glue:text}`digits_than_real`.

# %%
smoothness = {
    name: seed_table(tier, dataset, f"sample_{name}") for name in MEASURES
}
real = metrics.sample_quality(data.to_float(images.x_test[:500]))
source = torch.Generator().manual_seed(seed)
start = torch.randn(100, *images.x_test.shape[1:], generator=source)
noise = metrics.sample_quality((0.5 + 0.2 * start).clamp(0, 1))
references = {
    name: {
        "real images": float(real.value[k]),
        "the noise at the start": float(noise.value[k]),
    }
    for k, name in enumerate(MEASURES)
}

# %% mystnb={"figure": {"name": "fig-samples-smoothness", "caption": "Two measures of noise in the samples; less is smoother. Bars: mean over seeds with the 95 % $t$-interval. Lines: the same measure for real test images and for the noise that the samples start from."}, "image": {"alt": "Two panels of four bars each, with horizontal lines for real images and for noise."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(8.8, 3.6))
for ax, name in zip(axes, MEASURES, strict=True):
    bars_with_intervals(ax, smoothness[name])
    ends = smoothness[name][["value", "high"]].max(axis=None)
    top = max(ends, *references[name].values())
    for label, value in references[name].items():
        ax.axhline(value, color="#555555", linestyle="--", linewidth=1)
        small = {"va": "center", "fontsize": 9, "color": "#444444"}
        ax.text(3.55, value, f" {label}", backgroundcolor="white", **small)
    ax.set(title=MEASURES[name], ylim=(0, 1.12 * top), xlim=(-0.6, 6.2))
    ax.tick_params(axis="x", labelsize=8)
axes[0].set_ylabel("mean over samples")
plt.show()

# %% tags=["remove-cell"]
for name in MEASURES:
    rougher, smoother, unclear = differences(f"sample_{name}", "{:+.3f}")
    tell({
        f"{name}_smoother": smoother,
        f"{name}_rougher": rougher,
        f"{name}_unclear": unclear,
        f"{name}_real": references[name]["real images"],
    })

# %% [markdown]
# Against the baseline, paired by seed ({numref}`fig-samples-smoothness`). In total variation, smoother:
# {glue:text}`total_variation_smoother`; rougher: {glue:text}`total_variation_rougher`; not clear:
# {glue:text}`total_variation_unclear`. In the high-frequency share, smoother:
# {glue:text}`high_frequency_share_smoother`; rougher: {glue:text}`high_frequency_share_rougher`; not clear:
# {glue:text}`high_frequency_share_unclear`.
#
# ## The same step for all
#
# There is a flaw in the recipe. A step of 0.1 times the gradient is a long one for a network with long gradients,
# and a short one for a network whose gradients a penalty has shortened. Perhaps the noisy samples of the first
# are overshoot, and the tidy ones of the second a climb that has not gone far. So we climb again, live, with steps
# of one length for all: the gradient divided by its own norm, times the length of the baseline's mean first step.

# %%
expert = judge.model().to(device)
count, steps = {"tiny": (4, 2)}.get(tier, (20, 100))
targets = torch.arange(count, device=device) % images.num_classes
source = torch.Generator().manual_seed(1000 * seed + 77)
noise = torch.randn(count, *images.x_test.shape[1:], generator=source)
start = (0.5 + 0.2 * noise).clamp(0, 1).to(device)
climbers = {name: run.model().to(device) for name, run in models.items()}


def uphill(model, x):
    """Return the direction of the authors' step, and its length."""
    way = logit_gradient(model, x, targets) - 0.01 * (x - 0.5)
    return way, way.flatten(1).norm(dim=1).clamp(min=1e-12)


first_steps = {
    name: 0.1 * float(uphill(model, start)[1].mean())
    for name, model in climbers.items()
}
length = first_steps["baseline"]


# %%
def climb(model, of_one_length, callback):
    """Climb by the authors' step, or by steps that all have one length."""
    x = start
    for step in range(1, steps + 1):
        way, size = uphill(model, x)
        scale = length / size if of_one_length else torch.full_like(size, 0.1)
        x = (x + scale.view(-1, 1, 1, 1) * way).clamp(0, 1)
        callback(step, x)
    return x


stages = (1, 2, 5, 10, 20, 50, 100)
stages = [*(stage for stage in stages if stage < steps), steps]
judged, made = {}, {}
for name, model in climbers.items():
    for kind in ("fixed", "one length"):
        tests = judged[name, kind] = []

        def look(step, x, tests=tests):
            if step in stages:
                tests.append(metrics.gan_test(x, targets, expert))

        made[name, kind] = climb(model, kind == "one length", look)

# %% mystnb={"figure": {"name": "fig-samples-live", "caption": "Samples judged on the way up: the share in which the judge sees the class asked for. Left with the authors' step, 0.1 times the gradient; right with steps of one length. Intervals are in the table below."}, "image": {"alt": "Two panels with four curves each over the number of steps, on a logarithmic axis."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(8.8, 3.4), sharey=True)
titles = {"fixed": "0.1 times the gradient", "one length": "one length for all"}
for ax, (kind, title) in zip(axes, titles.items(), strict=True):
    for name in climbers:
        shares = [test.accuracy for test in judged[name, kind]]
        ax.plot(stages, shares, **model_style(name))
    ax.set(xscale="log", ylim=(-0.03, 1.03), xlabel="steps", title=title)
    ax.set_xticks(stages, [str(stage) for stage in stages])
    ax.minorticks_off()
axes[0].set_ylabel("share recognised")
legend_below(figure, axes[0])
plt.show()

# %% tags=["remove-cell"]
changed = {}
for name in models:
    fixed, even = (judged[name, kind][-1].correct.double() for kind in titles)
    fixed_rough, even_rough = (
        metrics.sample_quality(made[name, kind]).per_sample[0].double()
        for kind in titles
    )
    changed[name] = [
        metrics.paired_difference_interval(even, fixed),
        metrics.paired_difference_interval(even_rough, fixed_rough),
    ]


def score_text(test):
    """Write a GAN-test in percent, with its interval."""
    ends = {"value": test.accuracy, "low": test.low, "high": test.high}
    return interval_text(ends, "{:.0f}", 100)


def in_points(change):
    """Write a change of the score, which may be that of no sample."""
    if change.low == change.high == 0:
        return "no sample changed"
    return interval_text(change, "{:+.0f}", 100)


# %% tags=["hide-input"]
rows = {
    MODEL_LABELS[name]: {
        "first step": f"{first_steps[name]:.2f}",
        "fixed step, %": score_text(judged[name, "fixed"][-1]),
        "one length, %": score_text(judged[name, "one length"][-1]),
        "change, points": in_points(changed[name][0]),
        "change of total variation": interval_text(
            changed[name][1], "{:+.3f}"
        ),
    }
    for name in models
}
pd.DataFrame(rows).T

# %% tags=["remove-cell"]
ways = ("higher", "lower", "not clearly different")
for place, key in enumerate(("even_score", "even_rough")):
    sides = {way: [] for way in ways}
    for name, pair in changed.items():
        sides[direction(pair[place], *ways)].append(MODEL_LABELS[name].lower())
    said = (
        f"{way} for {listed(names)}" for way, names in sides.items() if names
    )
    tell({key: "; ".join(said)})

# %% tags=["remove-cell"]
for kind, key in zip(titles, ("fixed", "even"), strict=True):
    rough = {
        name: metrics.sample_quality(made[name, kind]).per_sample[0].double()
        for name in models
    }
    smoother = [
        MODEL_LABELS[name].lower() for name in models
        if metrics.paired_difference_interval(
            rough[name], rough["baseline"]
        ).sign() < 0
    ]
    tell({f"smoother_{key}": listed(smoother)})
apart = max(first_steps.values()) / min(first_steps.values())
orders = {
    kind: order({m: judged[m, kind][-1].accuracy for m in models})
    for kind in titles
}
tell(
    live_samples=count,
    live_steps=steps,
    steps_apart=apart,
    order_fixed=orders["fixed"],
    order_even=orders["one length"],
)

# %% [markdown]
# {glue:text}`live_samples` samples of each network, {glue:text}`live_steps` steps, the same starts; the last two
# columns are one length less the fixed step, paired by sample. On these digits the longest mean first step is
# {glue:text}`steps_apart:.1f` times the shortest. With steps of one length the judge's score is, by the interval over
# samples, {glue:text}`even_score`. Total variation is {glue:text}`even_rough`. From high to low, with the fixed
# step: {glue:text}`order_fixed`; with one length: {glue:text}`order_even`. With so few samples neighbours in such an
# order may well change places.
#
# Clearly smoother than the baseline's samples, in total variation: with the fixed step
# {glue:text}`smoother_fixed`, with one length {glue:text}`smoother_even`. What is in the first list and not in the second
# owes its smoothness to the lengths of its steps (the table has only the first one's); what is in both does not, or not
# to them alone.
#
# A step of one length has a flaw of its own: it never comes to rest, since at the summit it still takes the whole
# step. And both climbs are clamped to $[0, 1]$, which belongs to the biases of the sampler that
# [chapter 8](08_activation_maximisation.ipynb) lists.
#
# The judge is not above suspicion either. It is a network as well, and what fools one network often fools
# another; the score therefore says "another network agrees", which is less than "it looks like a 3". And it is
# blind to variety. One good picture a class, drawn again and again, would score 100 %.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Table 1, CIFAR-100 with a ResNet-18: baseline {glue:text}`paper_baseline:.2f` %, anti-score-matching
# {glue:text}`paper_anti_score_matching:.2f` %, gradient norm {glue:text}`paper_gradient_norm:.2f` %,
# score-matching {glue:text}`paper_score_matching:.2f` %; the number of runs is not given. Fig. 2: samples of the score-matched and gradient-norm models "are
# significantly less noisy". That gradient-norm regularisation does better than score-matching is called
# surprising, and left open; [chapter 14](14_sweep.ipynb) has a reason why the two are alike.
# :::
#
# :::{admonition} What you just saw
# - **On CIFAR-100** ({glue:text}`lead_short`), from high to low: {glue:text}`lead_order`.
#   {glue:text}`lead_told` **Total variation.** {glue:text}`lead_rough`
# - The judge recognises {glue:text}`lead_judge` % of the real images. A score above that is not realism.
# - **Small networks there**: {glue:text}`cifar_order`. By a wider judge of the same samples:
#   {glue:text}`cifar100_second_order`; its scores differ by {glue:text}`cifar100_change` points.
# - **On digits**, over {glue:text}`seeds`, beside the baseline. {glue:text}`gan_sides` {glue:text}`against_paper` In total variation, clearly smoother than the baseline:
#   {glue:text}`total_variation_smoother`. In the high-frequency share: {glue:text}`high_frequency_share_smoother`.
# - With steps of one length for all, the judge's score of these digits is {glue:text}`even_score`.
# - Networks that differ in accuracy are compared here. [Chapter 14](14_sweep.ipynb) compares two of the penalties at the same
#   accuracy.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* The paper scores a network with a thousand samples. How wide is the 95 % interval of a score near one half? How many samples does it take to bring it
# down to one point on either side?
#
# :::{admonition} Solution
# :class: dropdown
#
# A share $p$ among $n$ samples has the standard error $\sqrt{p(1-p)/n}$, here $\sqrt{0.25/1000} = 0.0158$, and $1.96$ of these are 3.1 points to either side. One point takes
# $n = 0.25 \cdot (1.96 / 0.01)^2 = 9604$ samples, ten times as many. This is the chance of the samples alone. Another training of the same network comes on top.
# :::
#
# **2.** *At the live figure.* Climb with $\alpha = 0.1$ and note how many steps each network needs until the probability is above 0.99. Then set $\alpha = 0.01$. What do you expect?
#
# :::{admonition} Solution
# :class: dropdown
#
# A tenth of the step needs about ten times as many of them, as long as the gradient does not change much on the way. From twenty noisy starts, for class 5 and with $\alpha = 0.1$, we counted about 74 steps
# for the baseline and about 61 for the network trained with a gradient norm, in the median. With $\alpha = 0.01$ neither had arrived after 120. A fixed number of steps of a fixed size is thus a part of the
# recipe, and a sample may be bad because it is unfinished.
# :::
#
# **3.** *What would happen if* each network were the judge of its own samples? And if it drew one good picture a class a hundred times?
#
# :::{admonition} Solution
# :class: dropdown
#
# In the first case scores would be near 100 % for all: the climb goes on until the network says yes. In the second the score would not notice. It asks of each picture whether it is recognised, never whether
# it has been seen before. A measure of variety would have to be set beside it.
# :::
