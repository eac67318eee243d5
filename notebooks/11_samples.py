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

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["hide-input"]
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats

from companion import data, live, metrics, runs, sampling
from companion.book import figures
from companion.book.curves import bars_with_intervals, curve_with_band
from companion.book.style import MODEL_LABELS
from companion.experiments import presets
from companion.experiments.measurements import SIZES
from companion.experiments.provenance import PROJECT
from companion.experiments.settings import JUDGE_SEED
from companion.book.opening import begin, tell
from companion.book.sentences import (
    differences_in_words, ranking, runs_in_words,
)
from companion.book.tables import (
    beside_reported, labelled, model_table, paired_differences, run_table,
    seed_table,
)
from companion.book.words import counted, direction, interval_text, listed
from companion.claims.paper import reported

begin(globals())

# %% tags=["remove-cell"]
dataset = presets.DATASETS[tier][0]
images = data.load(dataset)
models = {name: runs.find(tier, dataset, name, seed) for name in runs.METHODS}
judge = runs.find(tier, dataset, "judge", JUDGE_SEED)
sizes = SIZES[tier]

# %% [markdown]
# ## The pictures
#
# Every model starts from the same kind of noise, $\mathcal{N}(0.5, 0.2^2)$, and climbs the logit of the class
# asked for: {glue:text}`sample_steps` steps of 0.1 along
# $\nabla_{\mathbf{x}} f_i - 0.01\,(\mathbf{x} - \frac12)$, with the pixels clamped to $[0, 1]$ after each. These
# are the authors' settings, except for the number of steps, which was {glue:text}`paper_steps` in their code.
# The classes run from left to right.

# %% mystnb={"figure": {"name": "fig-samples-grid", "caption": "Samples of the four models, one column a class, and real test images of the same classes below."}, "image": {"alt": "Four rows of ten generated pictures, one row a model, and a row of real images."}} tags=["hide-input"]
set_matplotlib_formats("png", dpi=200)
figures.samples(tier, dataset, seed)
plt.show()

# %% tags=["remove-cell"]
accuracy = judge.metric("test_accuracy")
tell(
    sample_steps=sizes.sample_steps,
    paper_steps=SIZES["paper"].sample_steps,
    samples=sizes.samples,
    judge_accuracy=interval_text(accuracy, "{:.1f}", 100),
    judge_network=judge.settings.network.replace("resnet", "ResNet-"),
    chance=100 / images.num_classes,
)

# %% [markdown]
# Look for yourself in {numref}`fig-samples-grid` before you read on. Which rows would you know the classes in?
#
# You can make more of them, step by step, with the baseline and the network that was trained with a gradient norm
# side by side. Both start from the same noise.

# %% tags=["hide-input"]
offered = ("baseline", "gradient_norm")
live.sampling(
    {MODEL_LABELS[name]: models[name].model() for name in offered},
    images.x_test.shape[1:], images.class_names, target=5,
)

# %% [markdown]
# ## The judge
#
# Eyes are easily led. The *GAN-test* {cite:p}`shmelkov2018how` replaces them by a network that is trained on its
# own: here a {glue:text}`judge_network`, another architecture with another seed, which gets
# {glue:text}`judge_accuracy` % of the real test images right. The score is the share of samples in which the
# judge sees the class that was asked for. A model that makes nothing recognisable scores about
# {glue:text}`chance:.0f` %.
#
# Each trained model makes {glue:text}`samples` samples, equally many of each class. Behind a score there are
# two kinds of chance: which samples were drawn, and which weights the training ended with. The first gets a
# Wilson interval {cite:p}`wilson1927probable` for each trained model. The second gets a $t$-interval over the
# seeds, which is the one that counts when two methods are compared. With few seeds Student's factor is large, and
# such an interval can well run past 100 %.

# %%
each = run_table(tier, dataset, "gan_test")
table = seed_table(tier, dataset, "gan_test")
table = beside_reported(table, "cifar100.gan_test")
names = {"value": "mean", "n": "seeds", "paper": "paper: CIFAR-100, ResNet-18"}
shown = labelled(table).rename(columns=names)
percents = [column for column in shown if column != "seeds"]
shown.style.format("{:.1%}", subset=percents, na_rep="–")

# %% mystnb={"figure": {"name": "fig-samples-gan-test", "caption": "GAN-test of the four models. Small marks: one trained model each, with its Wilson interval over samples. Large marks: the mean over seeds with its 95 % $t$-interval. Hollow diamonds: the numbers of the paper's Table 1, for CIFAR-100 and ResNet-18; they show an order and cannot be compared in value. An interval that runs off the top exceeds 100 %."}, "image": {"alt": "For each of four models: small marks with intervals, a mean, and a hollow diamond for the paper's value."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figure = figures.gan_test(tier, dataset, 1 / images.num_classes)
figure.axes[0].set_title("How many samples the judge recognises")
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
        label = MODEL_LABELS[row["model"]]
        text = interval_text(row, form, scale)
        told[direction(row)].append(f"{label} {text}")
    return [listed(words) for words in told.values()]


# %% tags=["remove-cell"]
printed = reported("cifar100.gan_test")
ours = dict(zip(table["model"], table["value"], strict=True))
theirs = {name: printed[name] for name in printed if name in runs.METHODS}
above, below, unclear = differences("gan_test", "{:+.1f}", 100)
tell(
    our_order=order(ours),
    paper_order=order(theirs),
    gan_above=above,
    gan_below=below,
    gan_unclear=unclear,
    baseline_gan=interval_text(table.iloc[0], "{:.1f}", 100),
)
tell({f"paper_{name}": value for name, value in printed.items()})

# %% tags=["remove-cell"]
against = {"same": [], "opposite": [], "open": []}
for row in paired_differences(tier, dataset, "gan_test").to_dict("records"):
    name, sign = row["model"], row["sign"]
    theirs = 1 if printed[name] > printed["baseline"] else -1
    side = "same" if sign == theirs else "opposite" if sign else "open"
    against[side].append(MODEL_LABELS[name])
tell({f"paper_{side}": listed(names) for side, names in against.items()})
aged = int(each["earlier"].sum()) or "none"
tell(
    seeds=counted(int(table["n"].max()), "seed"),
    earlier=f"Of these {len(each)} records, {aged} are from earlier code.",
)

# %% [markdown]
# From high to low, the means over seeds ({numref}`fig-samples-gan-test`) come in this order:
# {glue:text}`our_order`. In the paper: {glue:text}`paper_order`. But an order of means is not a finding, so we take differences from the baseline, seed
# by seed, in percentage points, with an interval over {glue:text}`seeds`:
#
# - above the baseline ({glue:text}`baseline_gan` %): {glue:text}`gan_above`;
# - below it: {glue:text}`gan_below`;
# - not clearly different: {glue:text}`gan_unclear`.
#
# In the paper score-matching and gradient norm lie above the baseline, and anti-score-matching below. Ours goes
# the same way for: {glue:text}`paper_same`. The opposite way: {glue:text}`paper_opposite`. Undecided:
# {glue:text}`paper_open`.
#
# Three seeds allow little. The $t$-quantile for three is 4.3, so that only differences of more than 2.5 times their
# spread over the seeds are told from nought; with one seed there is no interval, and nothing is decided.
# {glue:text}`earlier`
#
# ## Smoother, less noisy
#
# The paper says of its Fig. 2 that the samples of the regularised models "are smoother and less noisy". Two
# measures make that a number. *Total variation* is the mean difference between neighbouring pixels. The
# *high-frequency share* is the part of a picture's variance at spatial frequencies above a quarter of a cycle a
# pixel; it does not depend on contrast. Less is smoother, in both.

# %%
measures = ("total_variation", "high_frequency_share")
smoothness = {
    name: seed_table(tier, dataset, f"sample_{name}") for name in measures
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
    for k, name in enumerate(measures)
}

# %% mystnb={"figure": {"name": "fig-samples-smoothness", "caption": "Two measures of noise in the samples; less is smoother. Bars: mean over seeds with the 95 % $t$-interval. Lines: the same measure for real test images and for the noise that the samples start from."}, "image": {"alt": "Two panels of four bars each, with horizontal lines for real images and for noise."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(8.8, 3.6))
for ax, name in zip(axes, measures, strict=True):
    bars_with_intervals(ax, smoothness[name])
    ends = smoothness[name][["value", "high"]].max(axis=None)
    top = max(ends, *references[name].values())
    for label, value in references[name].items():
        ax.axhline(value, color="#555555", linestyle="--", linewidth=1)
        halo = {"facecolor": "white", "edgecolor": "none"}
        halo |= {"alpha": 0.85, "pad": 1}
        small = {"ha": "right", "fontsize": 8, "color": "#444444", "zorder": 5}
        ax.text(3.45, value + 0.015 * top, label, bbox=halo, **small)
    ax.set(title=name.replace("_", " ").capitalize(), ylim=(0, 1.12 * top))
    ax.tick_params(axis="x", labelsize=8)
axes[0].set_ylabel("mean over samples")
plt.show()

# %%
frames = {
    name.replace("_", " "): labelled(frame)
    for name, frame in smoothness.items()
}
shown = pd.concat(frames, axis=1)
shown = shown.loc[:, (slice(None), ["value", "low", "high"])]
shown.style.format("{:.3f}", na_rep="–")

# %% tags=["remove-cell"]
for name in measures:
    rougher, smoother, unclear = differences(f"sample_{name}", "{:+.3f}")
    tell({
        f"{name}_smoother": smoother,
        f"{name}_rougher": rougher,
        f"{name}_unclear": unclear,
        f"{name}_real": references[name]["real images"],
    })

# %% [markdown]
# Against the baseline, paired by seed ({numref}`fig-samples-smoothness`):
#
# | | total variation | high-frequency share |
# |---|---|---|
# | smoother | {glue:text}`total_variation_smoother` | {glue:text}`high_frequency_share_smoother` |
# | rougher | {glue:text}`total_variation_rougher` | {glue:text}`high_frequency_share_rougher` |
# | not clear | {glue:text}`total_variation_unclear` | {glue:text}`high_frequency_share_unclear` |
#
# Real images have {glue:text}`total_variation_real:.3f` and {glue:text}`high_frequency_share_real:.3f`. A word of
# caution: a blank picture would score nought on both and be recognised by nobody. Smooth is not the same as good,
# and that is why the judge comes first.
#
# ## One number again, live
#
# All of this came from records. Here is a piece of it made anew, while the page is being built:
# {glue:text}`live_samples` samples of the baseline and of the score-matched network, from noise of their own. We
# show them to the judge on the way as well. A network with small gradients takes small steps, and one
# would like to know whether its climb is over when it is judged.

# %%
expert = judge.model().to(device)
count = {"tiny": 4}.get(tier, 20)
targets = torch.arange(count, device=device) % images.num_classes
last = sizes.sample_steps
stages = (1, 5, 10, 20, 50, 100, 200, 500)
stages = [*(stage for stage in stages if stage < last), last]
judged, made = {}, {}
for name in ("baseline", "score_matching"):
    tests = judged[name] = []

    def look(step, x, tests=tests):
        if step in stages:
            tests.append(metrics.gan_test(x, targets, expert))

    made[name] = sampling.activation_maximisation(
        models[name].model().to(device), targets,
        steps=last, step_size=0.1, weight_decay=0.01,
        shape=images.x_test.shape[1:], callback=look,
        generator=torch.Generator(device).manual_seed(1000 * seed + 77),
    )

# %% mystnb={"figure": {"name": "fig-samples-live", "caption": "Samples judged on the way: the share in which the judge sees the class asked for, with Wilson intervals."}, "image": {"alt": "Two curves over the number of steps, on a logarithmic axis."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.4, 3.2))
for name, tests in judged.items():
    frame = pd.concat([test.to_frame() for test in tests]).assign(steps=stages)
    curve_with_band(ax, frame, x="steps", y="accuracy", model=name)
ax.set(xscale="log", ylim=(-0.03, 1.03), xlabel="steps")
ax.set(ylabel="share recognised", title="Is the climb over?")
ax.set_xticks(stages, [str(stage) for stage in stages])
ax.minorticks_off()
ax.legend(loc="best")
plt.show()

# %%
rows = {}
for name, tests in judged.items():
    run, last = models[name], tests[-1]
    own = metrics.gan_test(made[name], targets, run.model().to(device))
    live_score = {"value": last.accuracy, "low": last.low, "high": last.high}
    recorded = run.metric("gan_test")
    rows[MODEL_LABELS[name]] = {
        "judge, live": interval_text(live_score, "{:.0f}", 100),
        "judge, in the record": interval_text(recorded, "{:.0f}", 100),
        "the network itself, live": f"{100 * own.accuracy:.0f}",
    }
pd.DataFrame(rows).T

# %% tags=["remove-cell"]
for name, tests in judged.items():
    record, last = models[name].metric("gan_test"), tests[-1]
    overlap = last.low <= record["high"] and record["low"] <= last.high
    change = metrics.paired_difference_interval(
        last.correct.double(), tests[-2].correct.double()
    )
    tell({
        f"{name}_overlap": "overlap" if overlap else "do not overlap",
        f"{name}_last": interval_text(change, "{:+.0f}", 100),
    })
tell(live_samples=count, last_stage=stages[-2])

# %% [markdown]
# In percent of the samples. For the baseline the live interval and the recorded one {glue:text}`baseline_overlap`;
# for the score-matched network they {glue:text}`score_matching_overlap`. After step {glue:text}`last_stage` the
# share still changed by {glue:text}`baseline_last` points for the baseline and by
# {glue:text}`score_matching_last` points for the score-matched network ({numref}`fig-samples-live`). The last
# column is the opinion of the network that made the pictures. It was asked to raise that very logit, and so its
# opinion is no measure.
#
# The judge is not above suspicion either. It is a network as well, and what fools one network often fools
# another; the score therefore says "another network agrees", which is less than "it looks like a 3". And it is
# blind to variety. One good picture a class, drawn again and again, would score 100 %.

# %% tags=["remove-cell"]
CIFAR = ("small", "cifar100")
theirs = model_table(*CIFAR, "gan_test")
judges, judged_by = runs.find_all(*CIFAR, "judge"), "not yet known"
if judges:
    accuracy = judges[0].metric("test_accuracy")
    judged_by = interval_text(accuracy, "{:.1f}", 100)
each = run_table(*CIFAR, "gan_test")
tell(
    cifar_runs=runs_in_words(*CIFAR, "samples"),
    cifar_samples=f"{SIZES['small'].samples:,}",
    cifar_steps=SIZES["small"].sample_steps,
    cifar_judge=judged_by,
    cifar_order=ranking(*CIFAR, "gan_test"),
    cifar_told=differences_in_words(each, "{:+.1f}", 100),
)

# %% [markdown]
# ## On CIFAR-100
#
# Now the data of Table 1: {glue:text}`cifar_samples` samples of {glue:text}`cifar_steps` steps from each small network of
# [](07_training.ipynb), ten of every class. The judge gets {glue:text}`cifar_judge` % of the real test images right, so what it
# fails to recognise is not always the sample's fault. Evaluated: {glue:text}`cifar_runs`.

# %% mystnb={"figure": {"name": "fig-samples-cifar-grid", "caption": "Samples of CIFAR-100's first ten classes, one row a model."}, "image": {"alt": "Rows of ten coloured generated pictures, one row a model."}} tags=["hide-input"]
set_matplotlib_formats("png", dpi=200)
figures.samples(*CIFAR)
plt.show()

# %% mystnb={"figure": {"name": "fig-samples-cifar-gan-test", "caption": "GAN-test on CIFAR-100, drawn as in {numref}`fig-samples-gan-test`. Small marks: one network, with its Wilson interval over samples. Hollow diamonds: the paper's Table 1."}, "image": {"alt": "For each of four models: marks with intervals, and a hollow diamond for the paper's value."}} tags=["hide-input"]
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
for name in measures:
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
        told = differences_in_words(found, "{:+.1f}", 100)
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
# {glue:text}`cifar10_networks` of them. Here are the orders, from high to low, and what is told from the baseline, in points:
#
# | | narrower judge | wider judge |
# |---|---|---|
# | CIFAR-100 | {glue:text}`cifar100_first_order` | {glue:text}`cifar100_second_order` |
# | told | {glue:text}`cifar100_first_told` | {glue:text}`cifar100_second_told` |
# | CIFAR-10 | {glue:text}`cifar10_first_order` | {glue:text}`cifar10_second_order` |
# | told | {glue:text}`cifar10_first_told` | {glue:text}`cifar10_second_told` |
#
# A level, then, is the judge's as much as the sample's, and so may be a close order. Read the diamonds of
# {numref}`fig-samples-cifar-gan-test` with that in mind: the paper's judge is a third one, and we do not know how it
# would have judged ours. All counts, also of the samples that both judges recognise, are in
# `results/small/judges.csv`.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Table 1, CIFAR-100 with a ResNet-18: baseline {glue:text}`paper_baseline:.2f` %, anti-score-matching
# {glue:text}`paper_anti_score_matching:.2f` %, gradient norm {glue:text}`paper_gradient_norm:.2f` %,
# score-matching {glue:text}`paper_score_matching:.2f` %; the number of runs is not given. Fig. 2: samples of the score-matched and gradient-norm models "are
# significantly less noisy". That gradient-norm regularisation does better than score-matching is called
# surprising, and left open; [](14_sweep.ipynb) has a reason why the two are alike.
# :::
#
# :::{admonition} What you just saw
# - From high to low the means come as {glue:text}`our_order`, over {glue:text}`seeds` on another data set and a smaller
#   network.
# - In the GAN-test, clearly above the baseline: {glue:text}`gan_above`. Clearly below: {glue:text}`gan_below`.
#   The paper's direction is met by: {glue:text}`paper_same`; reversed by: {glue:text}`paper_opposite`.
# - On CIFAR-100, from high to low: {glue:text}`cifar_order`. By a wider judge of the same samples:
#   {glue:text}`cifar100_second_order`; its scores differ by {glue:text}`cifar100_change` points.
# - In total variation, clearly smoother than the baseline: {glue:text}`total_variation_smoother`. In the
#   high-frequency share: {glue:text}`high_frequency_share_smoother`.
# :::
