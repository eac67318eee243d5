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
# # The claims, one by one
#
# Which of the paper's claims hold here, and what should one use?

# %% tags=["parameters", "remove-cell"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
import pandas as pd
import torch
from IPython.display import HTML, Markdown
from matplotlib import pyplot as plt

from companion import claims, data, fooling, runs
from companion.book import stencils, tables, yardsticks
from companion.book.words import interval_text, listed
from companion.book.opening import begin, tell

begin(globals(), figures="svg")

# %% tags=["remove-input"]
tiers = list(dict.fromkeys([*claims.SIDE_BY_SIDE, tier]))
every = claims.by_tier(tiers, seed=seed)
HTML(claims.html_overview(every))

# %% [markdown]
# Each of the paper's 31 claims has a chip for each *tier* of the experiments, and leads to its own lines
# [below](#the-claims). `paper` is the paper's network on the paper's data, `small` a small network on the same data, `quick` what
# runs on any computer in minutes ([how they differ](../book/reproduce.md)). The sentences above count, for each claim, the
# largest tier that can judge it. Everything on this screen is computed from records.

# %% tags=["remove-cell"]
best = claims.strongest(every)
orders = best[best["kind"] == "order"]
sides = [claims.side(verdict) for verdict in orders["verdict"]]
alone = orders["verdict"].str.endswith("for one network each")
tell(
    claims_total=len(best),
    claims_orders=len(orders),
    claims_for=sides.count("for"),
    claims_against=sides.count("against"),
    claims_undecided=sides.count("undecided"),
    claims_one_each=int(alone.sum()),
)

# %% [markdown]
# ## Is it the density?
#
# The verdicts compare four kinds of network. The paper's hypothesis says more than which kind wins. It says why: the
# nearer the hidden density is to that of the data, the better the gradients explain. So we leave the names of the kinds
# aside and ask each single network whether its nearness to the data tells how good its gradients are.
#
# How near is a density that one cannot normalise? The paper's own yardstick is the objective of eq. 2, $J = t + \frac12 n$,
# where $t = \mathbb{E}\,\mathrm{tr}\,\nabla^2 f$ and $n = \mathbb{E}\,\|\nabla f\|^2$, lower being nearer. It has two weaknesses.
#
# - **It depends on how loud the logits are.** Multiply them by $s$, and $J(s) = s\,t + \frac12 s^2 n$. It is smallest at
#   $s = -t/n$, where it is $-t^2/2n$. Cross-entropy sets the loudness, for reasons of its own.
# - **It can hang on a few images.** {glue:text}`why_tail`
#
# There is a yardstick that needs no other network to compare with. If the images were samples of the model's density,
# and that density vanished at the border, then $t = -n$ ([chapter 10](10_density_ratios.ipynb)), and the best scale would be 1. We therefore ask three
# yardsticks: the objective, the objective at its best scale, and the distance of $-t/n$ from 1.
#
# A rival is at hand, and it is a duller one. The gradient-norm penalty knows nothing of densities. Perhaps the size of the
# gradient is all that counts.

# %%
QUALITIES = {
    "perturbation_own_gradient": "own gradients",
    "perturbation_common_gradient": "common reader",
    "map_edge_correlation": "edge correlation",
    "map_spatial_smoothness": "smoothness",
    "gan_test": "GAN-test",
}
CONTROL = "perturbation_own_random"


def networks_of(tier, dataset):
    """Return yardsticks and qualities of every network, one row each."""
    metrics = [*yardsticks.MEASURED, *QUALITIES, CONTROL]
    frame = tables.run_metrics(tier, dataset, metrics)
    gain = frame["perturbation_own_gradient"] - frame[CONTROL]
    return yardsticks.yardsticks(frame.assign(gain=gain))


# %%
shelves = {
    "digits": ("quick", "mnist5k"),
    "CIFAR-100, ResNet-9": ("small", "cifar100"),
    "CIFAR-10, ResNet-9": ("small", "cifar10"),
    "CIFAR-100, ResNet-18": ("paper", "cifar100"),
}
frames = {name: networks_of(*shelf) for name, shelf in shelves.items()}
yardsticks.scales(frames)

# %% tags=["remove-cell"]
traces = tables.run_rows("small", "cifar100", "trace", ["baseline"])
trace = traces[
    (traces["quantity"] == "trace") & (traces["split"] == "test")
].iloc[0]
tell(
    why_tail=f"The first baseline on CIFAR-100 has a mean trace of "
    f"{trace['value']:,.0f} ({trace['low']:,.0f} to {trace['high']:,.0f}) over "
    f"{trace['n']} images, and a median of {trace['median']:,.0f}."
)
means = {
    title: frame.groupby("model")["off"].mean().idxmin()
    for title, frame in frames.items()
    if len(frame)
}
nearest = {kind: [] for kind in runs.METHODS}
for title, kind in means.items():
    nearest[kind].append(title)
near = [
    f"{runs.METHODS[kind].label} ({'; '.join(titles)})"
    for kind, titles in nearest.items()
    if titles
]
tell(why_nearest=listed(near))

# %% [markdown]
# The table has $-t/n$, a mean over seeds: the factor by which the logits would have to be multiplied for eq. 2 to be smallest.
# 1 is right; above 1 the network is too quiet for the curvature it has, and below 0 no scale helps. By this yardstick the kind nearest to the data is:
# {glue:text}`why_nearest`.

# %% mystnb={"figure": {"name": "fig-claims-why", "caption": "Every network a mark, as a difference from the baseline of the same seed, a column of panels for each data set and architecture. Upwards, the gain over random: the area, in percentage points, that a network's own gradients win in pixel perturbation over a random order. Above, against the objective of eq. 2, on an axis that is linear around 0 and logarithmic beyond; below, against the squared gradient norm, as a multiple of the baseline's. The grey lines are the baseline."}, "image": {"alt": "Eight scatter plots, two for each of four sets of networks: gain over random against the objective above, against the squared gradient norm below, all relative to the baseline of the same seed. Three kinds of network have a mark and a colour each."}} tags=["hide-input"]
label = "gain over random,\npoints above the baseline's"
yardsticks.against_baseline(frames, "gain", label)
plt.show()

# %% [markdown]
# {numref}`fig-claims-why` takes away what the seeds and the data sets have in common. If the paper is right, the marks in the
# upper panels fall from left to right: the lower the objective, the larger the gain. If the size of the gradient is what counts, those in the lower panels do.
#
# With more than a handful of networks one can count. Below are Spearman's rank correlations over the networks on digits, and over
# those on CIFAR-100, with 95 % bootstrap intervals. A correlation is *steady* if the interval excludes 0 and if its sign stays
# whichever kind of network is left out.

# %% mystnb={"figure": {"name": "fig-claims-ranks", "caption": "Rank correlation of three yardsticks of the density and of the squared gradient norm with what was measured of the gradients, over networks. To the left of 0, the smaller goes with the better. Lines are bootstrap intervals; the ticks are the extremes when one kind of network is left out. The last row is a control: how long a network reads on when pixels are removed at random, which is no merit of its gradients."}, "image": {"alt": "Two panels of rank correlations with intervals, digits and CIFAR-100, a row for each quality and four marks in each row: three yardsticks of the density and the squared gradient norm."}} tags=["hide-input"]
shown = {"gain": "gain over random", **QUALITIES, CONTROL: "random order"}
counted = {
    title: yardsticks.rank_table(frames[title], shown)
    for title in ("digits", "CIFAR-100, ResNet-9")
}
yardsticks.ranks(counted, shown)
plt.show()

# %% tags=["remove-cell"]
ASKED = {"gain": "gain over random", **QUALITIES}
for place, found in zip(("digits", "cifar"), counted.values(), strict=True):
    tell({
        f"why_{place}_{name}": yardsticks.steadily(found, name, ASKED)
        for name in yardsticks.YARDSTICKS
    })
    control = found[(found["quality"] == CONTROL)]
    control = control.set_index("yardstick").loc["norm"]
    tell({f"why_{place}_control": interval_text(control, "{:.2f}")})
tell(
    why_networks=len(frames["digits"]),
    why_networks_cifar=len(frames["CIFAR-100, ResNet-9"]),
)


# %% tags=["remove-cell"]
def beyond(name, metric):
    """Return the two penalties' runs, and those above their seed's baseline.

    One is above where the two intervals are apart.
    """
    frame = tables.run_table(*shelves[name], metric)
    frame = frame.set_index(["model", "seed"])
    pairs = [
        (model, seed)
        for model, seed in frame.index
        if model in ("score_matching", "gradient_norm")
        and ("baseline", seed) in frame.index
    ]
    low, high = frame["low"], frame["high"]
    return pairs, {(m, s) for m, s in pairs if low[m, s] > high["baseline", s]}


# %% tags=["remove-cell"]
def photographs(name):
    """Say which networks are farther from the data, and better all the same."""
    pairs, farther = beyond(name, "test_objective")
    if not pairs:
        return "not measured yet."
    lie = f"{len(farther) or 'none'} lie{'s' * (len(farther) == 1)}"
    words = f"of {len(pairs)} networks with one of the two penalties, {lie} "
    words += "clearly higher than the baseline of the same seed"
    if not farther:
        return f"{words}."
    tally = "; ".join(
        f"{label}, {len(farther & beyond(name, metric)[1])}"
        for metric, label in QUALITIES.items()
    )
    return (
        f"{words}: by eq. 2, farther from the data. So many of them are "
        f"clearly better than that baseline: {tally}."
    )


tell(
    why_cifar100=photographs("CIFAR-100, ResNet-9"),
    why_cifar10=photographs("CIFAR-10, ResNet-9"),
    why_paper=photographs("CIFAR-100, ResNet-18"),
)

# %% [markdown]
# What goes steadily with a smaller value ({numref}`fig-claims-ranks`):
#
# - *objective of eq. 2*: on digits, {glue:text}`why_digits_objective`; on CIFAR-100, {glue:text}`why_cifar_objective`;
# - *the same at its best scale*: on digits, {glue:text}`why_digits_best`; on CIFAR-100, {glue:text}`why_cifar_best`;
# - *distance of $-t/n$ from 1*: on digits, {glue:text}`why_digits_off`; on CIFAR-100, {glue:text}`why_cifar_off`;
# - *squared gradient norm*: on digits, {glue:text}`why_digits_norm`; on CIFAR-100, {glue:text}`why_cifar_norm`.
#
# The last row of the figure is a control. How long a network reads on when pixels are removed *at random* is no merit of
# its maps ([](12_pixel_perturbation.ipynb)). Its correlation with the norm is {glue:text}`why_digits_control` on digits and
# {glue:text}`why_cifar_control` on CIFAR-100. Where that is clearly below 0, a small gradient makes a network that stands damage, and
# not yet a map that points to what matters; the gain over random takes the one from the other.
#
# On photographs one can also ask score-matching and the gradient norm alone, whether they are nearer to the data at all.
#
# - CIFAR-100, ResNet-9: {glue:text}`why_cifar100`
# - CIFAR-10, ResNet-9: {glue:text}`why_cifar10`
# - CIFAR-100, ResNet-18: {glue:text}`why_paper`
#
# This is not an experiment. Networks with one penalty are alike, so there are nearer four independent points than
# {glue:text}`why_networks` on digits or {glue:text}`why_networks_cifar` on CIFAR-100, the intervals are too narrow, and many of
# them were looked at. Nor is any of the yardsticks above suspicion. A bowl over pixels that never vary lowers the objective
# ([](06_collapse.ipynb)), $\mu$ sets most of it ([](14_sweep.ipynb)), and images in a box do not give a density that
# vanishes at the border. Where they predict nothing, it may be that they measure the density badly.
#
# (the-claims)=
# ## The claims
#
# Under each claim, what every tier says: the verdict, how many of its comparisons hold, and over how many seeds or
# images. The small drawings are the 95 % intervals, each scaled to its own farthest end; the line is 0, and to the right lies
# what the paper claims. For printed numbers the scale is 0 to 100 %, and the tick is the paper's number. "In full" has all
# numbers, the corrections of the paper's slips, and the records.

# %%
HTML(claims.html_page(every, seed=seed))

# %% [markdown]
# ### How a verdict is reached
#
# A rule was written down for each kind of claim, and one function, `claims.verdict`, applies it.
#
# - **exact**: a fact that can be proved is computed now, against a closed form or another library. It *holds*
#   (✓) if every deviation is within a stated tolerance: rounding for identities, a 99.9 % Monte Carlo
#   interval for expectations. Otherwise it *does not hold* (✗).
# - **order**: one thing is said to be larger than another. The difference is taken seed by seed, with
#   Student's 95 % interval over seeds. The claim is *reproduced* (✓) if every one of its comparisons has an
#   interval above 0, *opposite* (✗) as soon as one lies below 0, and *undecided* (?) otherwise.
# - **one network each**: where each kind was trained once, the interval is over images or samples. Then the same rule says
#   that the order *holds* or is *opposite for one network each* (✓ or ✗ in a dashed chip). It is a verdict on these
#   networks. What another training would have given, it does not say.
# - **number**: a printed number *agrees* (✓) if it lies in our 95 % interval, measured on the paper's data and network,
#   and *differs* (✗) if not. On *other data* or with an *other network* (≠) both are shown and nothing is concluded,
#   except for an order within the numbers.
# - **opinion**: it is *shown* (•), not judged.
#
# Where a tier has no record, the verdict is *not yet run* (…), and [the commands](../book/reproduce.md) that make the records
# are listed. A claim about data that a tier does not have is marked so (–).
#
# "Undecided" means what it says: these runs cannot tell. Beside it stands how large a difference would have been seen four
# times in five. A claim with many comparisons is hard to reproduce under this rule, and easier to contradict by
# chance. That is why each comparison is written out. And a claim contradicted on small pictures of digits may well be
# true of photographs.
#
# Where a claim speaks of "noisy inputs" or "smoother" without a number, the measure is fixed in [the
# package](../book/api.md), for every tier alike: means over noise levels, areas over all fractions, never a
# level picked afterwards. An exact claim that holds may still be printed with a slip; the corrections are in the
# [errata](../book/errata.md).
#
# The page is made from the records that are committed to the repository; runs made on this machine fill only
# what is missing there. `companion claims --check` judges every claim again from the committed records alone,
# and fails where this page says something else.
#
# ### With the networks trained here
#
# The other chapters show the networks that were trained on this machine, where there are any. A network
# trained again on another processor is not the same to the last digit. Do the verdicts depend on it?

# %%
table = claims.at_tier(every, tier)
Markdown(claims.changes(table, claims.with_own_runs(tier, seed=seed)))

# %% [markdown]
# ## What should I use?
#
# {cite:t}`srinivas2021rethinking` end with advice (section 6). "For practitioners, we believe it is best to
# avoid usage of logit gradient-based tools, for interpretability. If unavoidable, it is recommended to use
# only gradient-norm regularized or score-matched models", since their gradients "produce more reliable
# estimates of the gradient of the underlying distribution". That is an opinion and has no verdict. But each
# half rests on claims that have one. Here they are, judged by the strongest evidence for each.

# %% tags=["hide-input"]
HTML(claims.html_verdicts(claims.support(every)))

# %% [markdown]
# And these are the numbers between which one chooses, the paper's data and network first. With several seeds they are means with
# Student's 95 % interval; with a single one the interval is over its images. "Perturbation" is the area under the accuracy
# curve while the least relevant pixels are removed, by each model's own gradient: from the model itself, and
# from the baseline. The attack is one step of the fast gradient sign method of
# {cite:t}`goodfellow2015explaining`; it needs weights, which are committed for small networks alone. The squared gradient norm is over all the test images of the evaluation;
# [chapter 7](07_training.ipynb)'s is over the first of them only, those on which the trace was estimated too.

# %% tags=["hide-input"]
evidence = [name for name in ("paper", "small", tier) if name in tiers]
choice = claims.advice(tuple(dict.fromkeys(evidence)), seed=seed)
claims.wide(choice)

# %% [markdown]
# How to read it. The rows on perturbation and samples speak of the gradient *as a picture of
# the density*; the accuracy is what the regularisation costs. Neither says that the gradient of a logit explains a
# decision. By [chapter 1](01_softmax_shift.ipynb) training leaves open what that gradient shows, because any function may be
# added to all logits.
#
# **The cure is one line.** A function that is common to all logits cancels where one logit is compared with the others: with
# their mean, $f_i - \frac1C \sum_j f_j$, or with a rival, $f_i - f_j$. Both are functions of the probabilities alone,
# $\log p_i - \frac1C \sum_j \log p_j$ and $\log p_i - \log p_j$. Here is a network that was fooled as in chapter 1, and the maps of
# all three.

# %%
digits = data.load("mnist5k")
x = data.to_float(digits.x_test[:8]).double()
trained = runs.find("quick", "mnist5k", "baseline", 0).model().double()
smile = fooling.linear_shift(stencils.smiley(x.shape[-1]), 10.0)
fooled = fooling.shift_logits(trained, smile)


def map_of(model, score):
    """Return the gradient of a score of the logits."""
    inputs = x.clone().requires_grad_()
    return torch.autograd.grad(score(model(inputs)).sum(), inputs)[0]


scores = {
    "logit": lambda f: f[:, 3],
    "centred logit": lambda f: f[:, 3] - f.mean(dim=1),  # the cure
    "difference": lambda f: f[:, 3] - f[:, 8],  # or this
}
moved = {
    name: float((map_of(fooled, s) - map_of(trained, s)).abs().max())
    for name, s in scores.items()
}
pd.Series(moved, name="largest change of a pixel").to_frame()

# %% tags=["remove-cell"]
tell(cure_logit=f"{moved['logit']:.1f}")
cured = max(moved["centred logit"], moved["difference"])
tell(cure_left=f"{cured:.0e}, which is rounding" if cured else "nothing")

# %% [markdown]
# The face moves a pixel of the logit's map by up to {glue:text}`cure_logit`, and one of the other two maps by {glue:text}`cure_left`.
# What is bought is a map that belongs to the decision. What is given up is the density: a centred logit says nothing about $p(\mathbf{x})$, and
# the paper's reading of it as a score does not apply. The map has still to be tested like any other.
#
# So the order in which to decide is this.
#
# 1. If the question is *how does the classifier decide*, use what depends on the probabilities alone: the gradient of a centred logit
#    or of a difference of logits, or the change in probability or accuracy when something is removed
#    ([chapter 9](09_density_ratio_test.ipynb)). No row of the table matters for it.
# 2. If the question is *what does the implicit density look like*, compare the columns for a network of your own kind, on
#    your own data, with several seeds. The paper recommends the two regularised columns; the verdicts above say how
#    far these runs support that, and the first section of this chapter whether the density is why.
# 3. Whatever is used, quote an interval over seeds.
#
# The paper's own account of *why* the advice works, that the implicit density is closer to that of the data,
# is tested by [chapter 10](10_density_ratios.ipynb), by [chapter 11](11_samples.ipynb), and network by network above.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Its experiments support its hypothesis, on two data sets: better aligned densities give better gradients, and
# worse ones worse. It prints no intervals and says nothing of seeds.
# :::
#
# :::{admonition} What you just saw
# - {glue:text}`claims_total` claims under one rule, with the number of runs, points or samples behind each verdict.
# - Of {glue:text}`claims_orders` claims about an order the strongest evidence speaks for {glue:text}`claims_for` and against
#   {glue:text}`claims_against`, and leaves {glue:text}`claims_undecided` undecided. Of these verdicts,
#   {glue:text}`claims_one_each` are on one network of each kind.
# - **Is it the density?** On CIFAR-100, with a lower objective of eq. 2 goes steadily: {glue:text}`why_cifar_objective`; with a
#   density that is nearer by its own identity: {glue:text}`why_cifar_off`; with a smaller gradient norm:
#   {glue:text}`why_cifar_norm`. On digits: {glue:text}`why_digits_objective`; {glue:text}`why_digits_off`; {glue:text}`why_digits_norm`.
# - With no answer changed, a logit's map can be given any picture. That of a centred logit, or of a difference of two, cannot.
# :::
