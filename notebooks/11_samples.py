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

# %% tags=["remove-cell"]
from companion.book.opening import refuse_unknown

refuse_unknown(globals(), ("tier", "seed", "device"))

# %% tags=["hide-input"]
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats
from myst_nb import glue

from companion import data, live, metrics, runs, sampling
from companion.book import figures, plots, style
from companion.experiments import measurements, presets, provenance, settings
from companion._support import choose
from companion.book.sentences import counted, differences_in_words, direction, interval_text, listed, ranking, runs_in_words
from companion.book.tables import beside_reported, labelled, model_table, paired_differences, reported, run_table, seed_table  # fmt: skip

style.use_style()
dataset = presets.DATASETS[choose("tier", tier, runs.TIERS)][0]
images = data.load(dataset)
models = {name: runs.find(tier, dataset, name, seed) for name in runs.METHODS}
judge = runs.find(tier, dataset, "judge", settings.JUDGE_SEED)
sizes = measurements.SIZES[tier]

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
glue("sample_steps", sizes.sample_steps, display=False)
glue("paper_steps", measurements.SIZES["paper"].sample_steps, display=False)
glue("samples", sizes.samples, display=False)
glue("judge_accuracy", interval_text(judge.metric("test_accuracy"), "{:.1f}", 100), display=False)
glue("judge_network", judge.settings.network.replace("resnet", "ResNet-"), display=False)
glue("chance", 100 / images.num_classes, display=False)

# %% [markdown]
# Look for yourself in {numref}`fig-samples-grid` before you read on. Which rows would you know the classes in?
#
# You can make more of them, step by step, with the baseline and the network that was trained with a gradient norm
# side by side. Both start from the same noise.

# %% tags=["hide-input"]
live.sampling(
    {style.MODEL_LABELS[name]: models[name].model() for name in ("baseline", "gradient_norm")},
    images.x_test.shape[1:], images.class_names, target=5,
)  # fmt: skip

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
table = beside_reported(seed_table(tier, dataset, "gan_test"), "cifar100.gan_test")
shown = labelled(table).rename(columns={"value": "mean", "n": "seeds", "paper": "paper: CIFAR-100, ResNet-18"})
percents = [column for column in shown if column != "seeds"]
shown.style.format("{:.1%}", subset=percents, na_rep="–")

# %% mystnb={"figure": {"name": "fig-samples-gan-test", "caption": "GAN-test of the four models. Small marks: one trained model each, with its Wilson interval over samples. Large marks: the mean over seeds with its 95 % $t$-interval. Hollow diamonds: the numbers of the paper's Table 1, for CIFAR-100 and ResNet-18; they show an order and cannot be compared in value. An interval that runs off the top exceeds 100 %."}, "image": {"alt": "For each of four models: small marks with intervals, a mean, and a hollow diamond for the paper's value."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figures.gan_test(tier, dataset, 1 / images.num_classes).axes[0].set_title("How many samples the judge recognises")
plt.show()

# %% tags=["remove-cell"]
gaps = paired_differences(tier, dataset, "gan_test")


def order(values):
    """Write models from the highest value to the lowest."""
    return ", ".join(style.MODEL_LABELS[name].lower() for name in sorted(values, key=values.get, reverse=True))


glue("our_order", order(dict(zip(table["model"], table["value"], strict=True))), display=False)
glue("paper_order", order({k: v for k, v in reported("cifar100.gan_test").items() if k in runs.METHODS}), display=False)

# %% tags=["remove-cell"]
verdicts = {"higher": [], "lower": [], "not clearly different": []}
for row in gaps.to_dict("records"):
    verdicts[direction(row)].append(f"{style.MODEL_LABELS[row['model']]} {interval_text(row, '{:+.1f}', 100)}")
for key, members in (("above", "higher"), ("below", "lower"), ("unclear", "not clearly different")):
    glue(f"gan_{key}", listed(verdicts[members]), display=False)
printed = reported("cifar100.gan_test")
against = {"as in the paper": [], "opposite": [], "undecided": []}
for row in gaps.to_dict("records"):
    ours, theirs = row["sign"], 1 if printed[row["model"]] > printed["baseline"] else -1
    against["undecided" if not ours else "as in the paper" if ours == theirs else "opposite"].append(row["model"])
for key, members in zip(("same", "opposite", "open"), against.values(), strict=True):
    glue(f"paper_{key}", listed(style.MODEL_LABELS[name] for name in members), display=False)
seeds = int(table["n"].max())
glue("seeds", counted(seeds, "seed"), display=False)
aged = int(each["earlier"].sum())
glue("earlier", f"Of these {len(each)} records, {aged or 'none'} are from earlier code.", display=False)
for name, value in reported("cifar100.gan_test").items():
    glue(f"paper_{name}", value, display=False)
glue("baseline_gan", interval_text(table.iloc[0], "{:.1f}", 100), display=False)

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
smoothness = {name: seed_table(tier, dataset, f"sample_{name}") for name in measures}
real = metrics.sample_quality(data.to_float(images.x_test[:500]))
start = torch.randn(100, *images.x_test.shape[1:], generator=torch.Generator().manual_seed(seed))
noise = metrics.sample_quality((0.5 + 0.2 * start).clamp(0, 1))
references = {
    name: {"real images": float(real.value[k]), "the noise at the start": float(noise.value[k])}
    for k, name in enumerate(measures)
}

# %% mystnb={"figure": {"name": "fig-samples-smoothness", "caption": "Two measures of noise in the samples; less is smoother. Bars: mean over seeds with the 95 % $t$-interval. Lines: the same measure for real test images and for the noise that the samples start from."}, "image": {"alt": "Two panels of four bars each, with horizontal lines for real images and for noise."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(8.8, 3.6))
for ax, name in zip(axes, measures, strict=True):
    plots.bars_with_intervals(ax, smoothness[name])
    top = max(smoothness[name][["value", "high"]].max(axis=None), *references[name].values())
    for label, value in references[name].items():
        ax.axhline(value, color="#555555", linestyle="--", linewidth=1)
        halo = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1}
        ax.text(3.45, value + 0.015 * top, label, ha="right", fontsize=8, color="#444444", zorder=5, bbox=halo)
    ax.set(title=name.replace("_", " ").capitalize(), ylim=(0, 1.12 * top))
    ax.tick_params(axis="x", labelsize=8)
axes[0].set_ylabel("mean over samples")
plt.show()

# %%
shown = pd.concat({name.replace("_", " "): labelled(frame) for name, frame in smoothness.items()}, axis=1)
shown.loc[:, (slice(None), ["value", "low", "high"])].style.format("{:.3f}", na_rep="–")

# %% tags=["remove-cell"]
for name in measures:
    words = {"higher": [], "lower": [], "not clearly different": []}
    for row in paired_differences(tier, dataset, f"sample_{name}").to_dict("records"):
        words[direction(row)].append(f"{style.MODEL_LABELS[row['model']]} {interval_text(row, '{:+.3f}')}")
    for key, members in (("smoother", "lower"), ("rougher", "higher"), ("unclear", "not clearly different")):
        glue(f"{name}_{key}", listed(words[members]), display=False)
    glue(f"{name}_real", references[name]["real images"], display=False)

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
stages = sorted({1, 5, 10, 20, 50, 100, 200, 500, sizes.sample_steps} & set(range(1, sizes.sample_steps + 1)))
judged, made = {}, {}
for name in ("baseline", "score_matching"):
    tests = judged[name] = []

    def look(step, x, tests=tests):
        if step in stages:
            tests.append(metrics.gan_test(x, targets, expert))

    made[name] = sampling.activation_maximisation(
        models[name].model().to(device), targets, steps=sizes.sample_steps, step_size=0.1, weight_decay=0.01,
        shape=images.x_test.shape[1:], generator=torch.Generator(device).manual_seed(1000 * seed + 77),
        callback=look,
    )  # fmt: skip

# %% mystnb={"figure": {"name": "fig-samples-live", "caption": "Samples judged on the way: the share in which the judge sees the class asked for, with Wilson intervals."}, "image": {"alt": "Two curves over the number of steps, on a logarithmic axis."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.4, 3.2))
for name, tests in judged.items():
    frame = pd.concat([test.to_frame() for test in tests]).assign(steps=stages)
    plots.curve_with_band(ax, frame, x="steps", y="accuracy", model=name)
ax.set(xscale="log", ylim=(-0.03, 1.03), xlabel="steps", ylabel="share recognised", title="Is the climb over?")
ax.set_xticks(stages, [str(stage) for stage in stages])
ax.minorticks_off()
ax.legend(loc="best")
plt.show()

# %%
rows = {}
for name, tests in judged.items():
    itself = metrics.gan_test(made[name], targets, models[name].model().to(device))
    live = {"value": tests[-1].accuracy, "low": tests[-1].low, "high": tests[-1].high}
    rows[style.MODEL_LABELS[name]] = {
        "judge, live": interval_text(live, "{:.0f}", 100),
        "judge, in the record": interval_text(models[name].metric("gan_test"), "{:.0f}", 100),
        "the network itself, live": f"{100 * itself.accuracy:.0f}",
    }
pd.DataFrame(rows).T

# %% tags=["remove-cell"]
for name, tests in judged.items():
    record = models[name].metric("gan_test")
    overlap = tests[-1].low <= record["high"] and record["low"] <= tests[-1].high
    glue(f"{name}_overlap", "overlap" if overlap else "do not overlap", display=False)
    change = metrics.paired_difference_interval(tests[-1].correct.double(), tests[-2].correct.double())
    glue(f"{name}_last", interval_text(change, "{:+.0f}", 100), display=False)
glue("live_samples", count, display=False)
glue("last_stage", stages[-2], display=False)

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
glue("cifar_runs", runs_in_words(*CIFAR, "samples"), display=False)
glue("cifar_samples", f"{measurements.SIZES['small'].samples:,}", display=False)
glue("cifar_steps", measurements.SIZES["small"].sample_steps, display=False)
judges = runs.find_all(*CIFAR, "judge")
glue("cifar_judge", interval_text(judges[0].metric("test_accuracy"), "{:.1f}", 100) if judges else "not yet known", display=False)
glue("cifar_order", ranking(*CIFAR, "gan_test"), display=False)
glue("cifar_told", differences_in_words(run_table(*CIFAR, "gan_test"), "{:+.1f}", 100), display=False)

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
pd.DataFrame(
    {
        "GAN-test, %": [interval_text(row, "{:.1f}", 100) for _, row in theirs.iterrows()],
        "interval over": [row["unit"].replace("images", "samples") if row["n"] else "" for _, row in theirs.iterrows()],
        "the paper, %": [reported("cifar100.gan_test")[name] for name in theirs["model"]],
        **{
            name.replace("_", " "): [interval_text(row, "{:.3f}") for _, row in model_table(*CIFAR, f"sample_{name}").iterrows()]
            for name in measures
        },
    },
    index=pd.Index([style.MODEL_LABELS[name] for name in theirs["model"]], name="model"),
)

# %% [markdown]
# From high to low: {glue:text}`cifar_order`. In the paper: {glue:text}`paper_order`. {glue:text}`cifar_told`

# %% tags=["remove-cell"]
twice = pd.read_csv(provenance.PROJECT / "results" / "small" / "judges.csv")
twice[["first", "second"]] = twice[["first", "second"]].div(twice["samples"], axis=0)
for name, rows in twice.groupby("dataset"):
    change = metrics.paired_difference_interval(rows["second"].tolist(), rows["first"].tolist())
    glue(f"{name}_change", interval_text(change, "{:+.1f}", 100), display=False)
    glue(f"{name}_networks", len(rows), display=False)
    for place in ("first", "second"):
        found = rows.rename(columns={place: "value"})
        glue(f"{name}_{place}_order", order(found.groupby("model")["value"].mean().to_dict()), display=False)
        glue(f"{name}_{place}_told", differences_in_words(found, "{:+.1f}", 100), display=False)
        glue(f"{name}_{place}_accuracy", 100 * rows[f"{place}_accuracy"].unique().item(), display=False)
for place in ("first", "second"):
    glue(f"{place}_width", twice[f"{place}_width"].unique().item(), display=False)

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
    {"first": "share recognised by the narrower judge"}, {"second": "by the wider judge"},
)  # fmt: skip
figure.set_size_inches(5.6, 5.9)
ax = figure.axes[0]
ax.plot([0, 1], [0, 1], color="#8C8C8C", linestyle="--", linewidth=1)
ax.set(xscale="linear", xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal", title="What another judge would have said")
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
