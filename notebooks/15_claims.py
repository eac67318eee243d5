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
from companion.book import known, stencils, yardsticks
from companion.book.words import interval_text
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
# largest tier that can judge it. Everything on this screen is computed from records, or proved again on the spot.

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
# [Chapter 18](18_yardstick.ipynb) has the yardstick for that, the share of noise that a step along the gradient leaves on an image,
# and tests it where the density is known. There it orders networks as the true error of their score does, with a rank correlation of
# {glue:text}`why_known`, where eq. 2's objective has {glue:text}`why_known_eq2`. There, too, the hypothesis can be put to the truth: with
# the *true* error, the gain over random has a rank correlation of {glue:text}`why_known_gain` (below 0, nearer is better), and the exact
# density itself gains {glue:text}`why_truth` points over a random order with the gradient of its logit, and {glue:text}`why_truth_centred` with
# that of its centred logit.
#
# Here are all yardsticks side by side, on the networks of this book: the noise left; eq. 2's objective $J = t + \frac12 n$, with
# $t = \mathbb{E}\,\mathrm{tr}\,\nabla^2 f$ and $n = \mathbb{E}\,\|\nabla f\|^2$; the same at the best scale of the logits, $-t^2/2n$;
# and the distance of $-t/n$ from 1, which is 0 for samples of the model's density if that vanishes at the border
# ([chapter 10](10_density_ratios.ipynb)). Beside them stands a rival and a dull one, the size of the gradient: the gradient-norm
# penalty knows nothing of densities.

# %%
frames = {
    name: yardsticks.of_networks(*shelf)
    for name, shelf in yardsticks.SHELVES.items()
}

# %% mystnb={"figure": {"name": "fig-claims-ranks", "caption": "Rank correlation of four yardsticks of the density and of the squared gradient norm with what was measured of the gradients, over networks. To the left of 0, the smaller goes with the better. Lines are bootstrap intervals; the ticks are the extremes when one kind of network is left out. The last row is a control: how long a network reads on when pixels are removed at random, which is no merit of its gradients."}, "image": {"alt": "Two panels of rank correlations with intervals, digits and CIFAR-100, a row for each quality and five marks in each row: four yardsticks of the density and the squared gradient norm."}} tags=["hide-input"]
ASKED = {"gain": "gain over random", **yardsticks.QUALITIES}
shown = {**ASKED, yardsticks.CONTROL: "random order"}
counted = {
    title: yardsticks.rank_table(frames[title], shown)
    for title in ("digits", "CIFAR-100, ResNet-9")
}
yardsticks.ranks(counted, shown)
plt.show()

# %% tags=["remove-cell"]
networks, truth = known.networks()
rank = known.correlations(networks, "true_error", ["loss_0.1", "objective"])
gained = known.correlations(networks, "true_error", ["gain"])
tell(
    why_known=interval_text(rank.iloc[0]),
    why_known_eq2=interval_text(rank.iloc[1]),
    why_known_gain=interval_text(gained.iloc[0]),
    why_truth=f"{100 * truth['gain']:+.1f}",
    why_truth_centred=f"{100 * truth['gain_centred']:+.1f}",
)
for place, found in zip(("digits", "cifar"), counted.values(), strict=True):
    tell({
        f"why_{place}_{name}": yardsticks.steadily(found, name, ASKED)
        for name in yardsticks.YARDSTICKS
    })
    control = found[(found["quality"] == yardsticks.CONTROL)]
    control = control.set_index("yardstick").loc["norm"]
    tell({f"why_{place}_control": interval_text(control, "{:.2f}")})
    asked = found[found["quality"] == "gain"].set_index("yardstick")["n"]
    tell({
        f"why_{place}_networks": int(asked["objective"]),
        f"why_{place}_weights": int(asked["denoising"]),
    })

# %% [markdown]
# A correlation is *steady* if its interval excludes 0 and if its sign stays whichever kind of network is left out. What goes steadily
# with a smaller value:
#
# - *noise left*: on digits, {glue:text}`why_digits_denoising`; on CIFAR-100, {glue:text}`why_cifar_denoising`;
# - *objective of eq. 2*: on digits, {glue:text}`why_digits_objective`; on CIFAR-100, {glue:text}`why_cifar_objective`;
# - *objective at its best scale*: on digits, {glue:text}`why_digits_best`; on CIFAR-100, {glue:text}`why_cifar_best`;
# - *distance of $-t/n$ from 1*: on digits, {glue:text}`why_digits_off`; on CIFAR-100, {glue:text}`why_cifar_off`;
# - *squared gradient norm*: on digits, {glue:text}`why_digits_norm`; on CIFAR-100, {glue:text}`why_cifar_norm`.
#
# The last row of the figure is a control. How long a network reads on when pixels are removed *at random* is no merit of
# its maps ([chapter 12](12_pixel_perturbation.ipynb)). Its correlation with the norm is {glue:text}`why_digits_control` on digits and
# {glue:text}`why_cifar_control` on CIFAR-100. Where that is clearly below 0, a small gradient makes a network that stands damage, and
# not yet a map that points to what matters; the gain over random takes the one from the other.
#
# This is not an experiment. Networks with one penalty are alike, so there are nearer four independent points than
# {glue:text}`why_digits_networks` on digits ({glue:text}`why_digits_weights` with weights, which the noise needs) or
# {glue:text}`why_cifar_networks` on CIFAR-100; the intervals are too narrow, and many of them were looked at.
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
# Student's 95 % interval; with a single one the interval is over its images. (Three seeds can scatter so widely that an interval of a share passes 0 or 100 %.) "Perturbation" is the area under the accuracy
# curve while the least relevant pixels are removed, by each model's own gradient: from the model itself, and
# from the baseline. The attack is one step of the fast gradient sign method of
# {cite:t}`goodfellow2015explaining`; it needs weights and pictures at hand, and was made on the digits alone. The squared gradient norm is over all the test images of the evaluation;
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
cure_left = "no pixel of the other two maps at all"
if cured:
    cure_left = f"those of the other two by {cured:.0e} at most, by rounding"
tell(cure_left=cure_left)

# %% [markdown]
# The face moves a pixel of the logit's map by up to {glue:text}`cure_logit`, and {glue:text}`cure_left`.
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
# - **Is it the density?** On CIFAR-100, what goes steadily with less noise left by denoising: {glue:text}`why_cifar_denoising`; with a
#   smaller gradient norm: {glue:text}`why_cifar_norm`. On digits, with less noise left: {glue:text}`why_digits_denoising`; with a smaller
#   norm: {glue:text}`why_digits_norm`. Where the density is known, the exact one gains {glue:text}`why_truth` points over a random order
#   with its logit's gradient, and {glue:text}`why_truth_centred` with its centred logit's.
# - With no answer changed, a logit's map can be given any picture. That of a centred logit, or of a difference of two, cannot.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* How many standard deviations (of the difference, from seed to seed) must a mean difference have for Student's 95 % interval to exclude 0, with three seeds, and with twelve?
# The factors are 4.303 for three seeds and 2.201 for twelve.
#
# :::{admonition} Solution
# :class: dropdown
#
# The half-width is the factor times the standard deviation over the root of the number of seeds: $4.303/\sqrt3 = 2.48$ standard deviations with three, and $2.201/\sqrt{12} = 0.64$ with twelve. With four times the seeds a difference can be
# a quarter as large: the root halves it, and so does the factor, since with three seeds one hardly knows the scatter.
# :::
#
# **2.** *With one line.* Add two scores to the dictionary of the cure, `f.log_softmax(dim=1)[:, 3]` and `f.softmax(dim=1)[:, 3] * f[:, 3]`, each as a `lambda f:`. Which one is moved by the face?
#
# :::{admonition} Solution
# :class: dropdown
#
# The first is $\log p_3$, a function of the probabilities. We found a largest change of about $4 \cdot 10^{-15}$, which is rounding. The second has a bare logit in it. It gains $p_3\,g$, and its map moved by about 37 a pixel, even further than the logit's own, because
# $\nabla p_3$ is multiplied by $g$. One factor that is immune does not make a product immune.
# :::
#
# **3.** *What would happen if* a claim of 24 comparisons were judged by the rule for an order, and in truth there were no difference anywhere? Take the comparisons as independent.
#
# :::{admonition} Solution
# :class: dropdown
#
# An interval of 95 % lies wholly below 0 by chance in 2.5 % of cases. That none of 24 does has the probability $0.975^{24} = 0.54$. So in 46 % of cases the claim would be called *opposite* by luck alone, and practically never *reproduced*. The rule is hard on long
# claims. That is why every comparison is written out: count them before you believe a cross.
# :::
