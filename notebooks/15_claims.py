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
#
# The paper says 31 things that can be looked at separately. This chapter has a row for each: what it says,
# what we measured at each tier of the experiments, and a verdict. The verdicts are computed. A rule was written down for each kind of claim
# before the numbers were there, and one function, `claims.verdict`, applies it.
#
# - **exact**: a fact that can be proved is computed now, against a closed form or another library. It *holds*
#   (✓) if every deviation is within a stated tolerance: rounding for identities, a 99.9 % Monte Carlo
#   interval for expectations. Otherwise it *does not hold* (✗).
# - **order**: one thing is said to be larger than another. The difference is taken seed by seed, with
#   Student's 95 % interval over seeds. The claim is *reproduced* (✓) if every one of its comparisons has an
#   interval above 0, *opposite* (✗) as soon as one lies below 0, and *undecided* (?) otherwise.
# - **number**: a printed number *agrees* (✓) if it lies in our 95 % interval, measured on the paper's data,
#   and *differs* (✗) if not. On *other data* (≠) both are shown and nothing is concluded, except for an order
#   within the numbers.
# - **opinion**: it is *shown* (•), not judged.
#
# Where a tier has no record, the verdict is *not yet run* (…), and the commands that make the records are
# listed. A claim about data that a tier does not have is marked so (–).
#
# Three seeds are few. Student's factor for them is 4.3, so differences have to be large or steady to count, and
# the interval of a share can well run past 0 or 100 %.
# "Undecided" means what it says: these runs cannot tell. A claim with many comparisons is hard to reproduce
# under this rule, and easier to contradict by chance. That is why each comparison is written out.

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
import pandas as pd
from IPython.display import HTML, Markdown
from matplotlib import pyplot as plt

from companion.book import figures, tables
from companion.book.seeds import rank_correlation
from companion.book.words import interval_text, listed
from companion.book.opening import begin, tell

begin(globals(), figures="svg")

# %% [markdown]
# ## The table
#
# A column for each tier: `small` is a small network on the paper's data, `paper` the paper's own setting,
# `quick` what runs on any computer in minutes ([how they differ](../book/reproduce.md)). A cell gives the
# verdict, the number that decides it with its 95 % interval, and how many seeds, images or samples are behind
# it; "in full" opens every comparison. With a single seed a printed number has the interval of its images or
# samples, and an order has none. What is a fact, an opinion or a time does not depend on a tier, and has one
# cell for all. Each record can be opened: it holds the settings, the code and the numbers of one trained
# network.
#
# The table is made from the records that are committed to the repository; runs made on this machine fill only
# what is missing there. `companion claims --check` judges every claim again from the committed records alone,
# and fails where this page says something else.
#
# Where a claim speaks of "noisy inputs" or "smoother" without a number, the measure is fixed in [the
# package](../book/api.md), for every tier alike: means over noise levels, areas over all fractions, never a
# level picked afterwards.

# %%
from companion import claims

tiers = list(dict.fromkeys([*claims.SIDE_BY_SIDE, tier]))
every = claims.by_tier(tiers, seed=seed)
HTML(claims.html_page(every, seed=seed))

# %% tags=["remove-cell"]
table = claims.at_tier(every, tier)
counts = claims.counts(table)
tell({
    "claims_" + verdict.replace(" ", "_"): count
    for verdict, count in counts.items()
})
tell({
    f"claims_kind_{kind}": int((table["kind"] == kind).sum())
    for kind in ("exact", "order", "number")
})
tell(claims_total=len(table), claims_tier=tier)

# %% [markdown]
# In numbers, at the tier {glue:text}`claims_tier`: of {glue:text}`claims_kind_exact` exact
# claims, {glue:text}`claims_holds` hold and {glue:text}`claims_does_not_hold` do not. Of
# {glue:text}`claims_kind_order` claims about an order, {glue:text}`claims_reproduced` are reproduced,
# {glue:text}`claims_opposite` come out opposite and {glue:text}`claims_undecided` stay undecided. Of
# {glue:text}`claims_kind_number` claims that print numbers, {glue:text}`claims_agrees` agree,
# {glue:text}`claims_differs` differ and {glue:text}`claims_other_data` were measured on other data. Of all
# {glue:text}`claims_total`, records are missing for {glue:text}`claims_not_yet_run` at this tier; claims about data that the
# tier does not have: {glue:text}`claims_not_at_this_tier`.
#
# ## What disagrees
#
# The following sentences are made from the table.

# %%
Markdown(claims.disagreements(table))

# %% [markdown]
# Two cautions. A claim contradicted on small pictures of digits may well be true of
# photographs; the tiers `small` and `paper` ask the same questions of the paper's data ([how to run
# them](../book/reproduce.md)). And an exact claim that holds may still be printed with a slip: the
# corrections stand beside its verdict, and in full in the [errata](../book/errata.md).
#
# ## With the networks trained here
#
# The other chapters show the networks that were trained on this machine, where there are any. A network
# trained again on another processor is not the same to the last digit. Do the verdicts depend on it?

# %%
Markdown(claims.changes(table, claims.with_own_runs(tier, seed=seed)))

# %%
Markdown(claims.markdown(claims.not_yet_run()))

# %% [markdown]
# ## Is it the density?
#
# The verdicts compare four kinds of network. The paper's hypothesis says more than which kind wins. It says why: the
# nearer the hidden density is to that of the data, the better the gradients explain. Its own yardstick for "nearer" is
# the objective of eq. 2, lower being nearer. But score-matching as it is printed need not lower it, as
# [](07_training.ipynb) shows on CIFAR-100. So we leave the names of the kinds aside and ask each single network: does its
# objective tell how good its gradients are?
#
# A rival is at hand, and it is a duller one. The gradient-norm penalty knows nothing of densities. Perhaps the size of the
# gradient is all that counts.

# %%
PREDICTORS = {
    "test_objective": "objective of eq. 2",
    "test_squared_norm": "squared gradient norm",
}
MEASURED = {
    "perturbation_own_gradient": "own gradients",
    "perturbation_common_gradient": "common reader",
    "map_edge_correlation": "edge correlation",
    "map_spatial_smoothness": "smoothness",
    "gan_test": "GAN-test",
    "perturbation_own_random": "random order",
}
QUALITIES = {"gain": "gain over random", **MEASURED}

# %%
def networks_of(tier, dataset):
    """Return predictors and qualities of every network, one row each."""
    frame = tables.run_metrics(tier, dataset, [*PREDICTORS, *MEASURED])
    own = frame["perturbation_own_gradient"]
    return frame.assign(gain=own - frame["perturbation_own_random"])


shelves = {
    "digits": ("quick", "mnist5k"),
    "CIFAR-100": ("small", "cifar100"),
    "CIFAR-10": ("small", "cifar10"),
}
frames = {name: networks_of(*shelf) for name, shelf in shelves.items()}
digits = frames["digits"]

# %% mystnb={"figure": {"name": "fig-claims-why", "caption": "Every network a mark. Above: the gain over random, which is the area that a network's own gradients win in pixel perturbation over a random order. Below: the edge correlation of its maps. Left, against the objective of eq. 2, on an axis that is linear around 0 and logarithmic beyond; right, against the squared gradient norm."}, "image": {"alt": "Four scatter plots with a mark for each network: gain over random above and edge correlation below, against the objective of eq. 2 on the left and the squared gradient norm on the right."}} tags=["hide-input"]
shown = {"gain": QUALITIES["gain"], "map_edge_correlation": "edge correlation"}
measured = {name: frame for name, frame in frames.items() if len(frame)}
figures.networks(measured, PREDICTORS, shown)
plt.show()

# %% tags=["hide-input"]
ranked = {
    x: {y: rank_correlation(digits[x], digits[y]) for y in QUALITIES}
    for x in PREDICTORS
}


def without_one_kind(x, y):
    """Return the extreme correlations when one kind of network is left out."""
    models = digits["model"]
    rest = [digits[models != model] for model in models.unique()]
    found = [rank_correlation(one[x], one[y]).value for one in rest]
    return f"{min(found):.2f} to {max(found):.2f}"


rows = {
    (label, quality): {
        "rank correlation": interval_text(ranked[x][y], "{:.2f}"),
        "without one kind of network": without_one_kind(x, y),
    }
    for x, label in PREDICTORS.items()
    for y, quality in QUALITIES.items()
}
pd.DataFrame(rows).T.rename_axis(["predictor", "of"])

# %% tags=["remove-cell"]
CONTROL = "perturbation_own_random"
for x, key in zip(PREDICTORS, ("objective", "norm"), strict=True):
    found = ranked[x]
    for word, side in (("better", -1), ("worse", 1)):
        names = [
            QUALITIES[y]
            for y, correlation in found.items()
            if correlation.sign() == side and y != CONTROL
        ]
        tell({f"why_{key}_{word}": listed(names or ["nothing"])})
    control, own = found[CONTROL], found["perturbation_own_gradient"]
    tell({
        f"why_{key}_control": interval_text(control, "{:.2f}"),
        f"why_{key}_own": interval_text(own, "{:.2f}"),
    })
tell(why_networks=len(digits))


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
        for metric, label in MEASURED.items()
        if metric != CONTROL
    )
    return (
        f"{words}: by eq. 2, farther from the data. So many of them are "
        f"clearly better than that baseline: {tally}."
    )


cifar100, cifar10 = photographs("CIFAR-100"), photographs("CIFAR-10")
tell(why_cifar100=cifar100, why_cifar10=cifar10)

# %% [markdown]
# The table has Spearman's rank correlation over the networks on digits, with a 95 % bootstrap interval. If the paper is
# right, the objective's are negative. With a lower objective go, clearly: better, {glue:text}`why_objective_better`; worse,
# {glue:text}`why_objective_worse`. With a smaller gradient norm: better, {glue:text}`why_norm_better`; worse,
# {glue:text}`why_norm_worse`.
#
# The last row of each predictor is a control. How long a network reads on when pixels are removed *at random* is no merit of
# its maps ([](12_pixel_perturbation.ipynb)). Its correlation with the norm is {glue:text}`why_norm_control`, and that of the
# own gradients is {glue:text}`why_norm_own`. Where the two are alike, a small gradient makes a network that stands damage, and
# not yet a map that points to what matters; the gain over random takes the one from the other.
#
# On photographs the objective can be asked alone, of score-matching and the gradient norm.
#
# - CIFAR-100: {glue:text}`why_cifar100`
# - CIFAR-10: {glue:text}`why_cifar10`
#
# This is not an experiment. Networks with one penalty are alike, so there are nearer four independent points than
# {glue:text}`why_networks`, the intervals are too narrow, and many of them were looked at. The last column shows how much hangs
# on any one kind. Nor is the yardstick above suspicion: a bowl over pixels that never vary lowers the objective
# ([](06_collapse.ipynb)), and $\mu$ sets most of it ([](14_sweep.ipynb)). Where it predicts nothing, it may be that it
# measures the density badly.
#
# ## What should I use?
#
# {cite:t}`srinivas2021rethinking` end with advice (section 6). "For practitioners, we believe it is best to
# avoid usage of logit gradient-based tools, for interpretability. If unavoidable, it is recommended to use
# only gradient-norm regularized or score-matched models", since their gradients "produce more reliable
# estimates of the gradient of the underlying distribution". That is an opinion and has no verdict. But each
# half rests on claims that have one.

# %%
HTML(claims.html_verdicts(claims.support(table)))

# %% [markdown]
# And these are the numbers between which one chooses: means over seeds, with Student's 95 %
# interval; with a single seed, the interval over its images. "Perturbation" is the area under the accuracy
# curve while the least relevant pixels are removed, by each model's own gradient: from the model itself, and
# from the baseline. The attack is one step of the fast gradient sign method of
# {cite:t}`goodfellow2015explaining`. The squared gradient norm is over all the test images of the evaluation;
# [chapter 7](07_training.ipynb)'s is over the first of them only, those on which the trace was estimated too.

# %%
choice = claims.advice(tier, seed=seed)
claims.wide(choice)

# %% [markdown]
# How to read it. The rows on perturbation and samples speak of the gradient *as a picture of
# the density*; the accuracy is what the regularisation costs. Neither says that the gradient explains a
# decision: by [chapter 1](01_softmax_shift.ipynb) it cannot, whatever the model, because any function may be
# added to all logits. So the order in which to decide is this.
#
# 1. If the question is *how does the classifier decide*, no row of the table matters. Use what depends on the
#    probabilities alone, such as the change in probability or accuracy when something is removed
#    ([chapter 9](09_density_ratio_test.ipynb)).
# 2. If a gradient map is needed all the same, compare the columns for a network of your own kind, on your own
#    data, with several seeds. The paper recommends the two regularised columns; the verdicts above say how
#    far these runs support that.
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
# - Of the claims about an order, {glue:text}`claims_reproduced` are reproduced at this tier,
#   {glue:text}`claims_opposite` come out opposite and {glue:text}`claims_undecided` stay undecided.
# - **Is it the density?** Over {glue:text}`why_networks` networks on digits, better with a lower objective of eq. 2:
#   {glue:text}`why_objective_better`. Better with a smaller gradient norm: {glue:text}`why_norm_better`. On
#   photographs: CIFAR-100, {glue:text}`why_cifar100` CIFAR-10, {glue:text}`why_cifar10`
# :::
