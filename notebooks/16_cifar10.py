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
# # The same on CIFAR-10
#
# One data set can be a coincidence. The paper's appendix C repeats two experiments on CIFAR-10, ten classes of
# the same kind of small photographs: pixel perturbation and gradient maps. **Do our small networks, on a second set of
# pictures, behave as they did on the first?** We repeat all the experiments.
#
# Nothing is explained here that is not explained elsewhere. Each section names the chapter that has the method,
# shows its figure, and sets the order of the four models beside that on CIFAR-100.

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats

from companion.book import figures, one_network, paired, tables
from companion.book.sentences import ranking, runs_in_words, trace_in_words
from companion.book.strongest import strongest
from companion.book.training_figures import density_in_training
from companion.experiments import presets
from companion.book.opening import begin, tell

begin(globals(), figures="svg")
evidence = strongest("cifar10")
if "cifar10" in presets.DATASETS[tier]:
    evidence = strongest("cifar10", tiers=[tier])
HERE, THERE = evidence.shelf, (evidence.tier, "cifar100")

# %% tags=["remove-cell"]
for key, metric in {
    "accuracy": "test_accuracy",
    "small_noise": "log_ratio_0.02",
    "large_noise": "log_ratio_0.2",
    "gan": "gan_test",
    "own": "perturbation_own_gradient",
    "common": "perturbation_common_gradient",
    "smooth": "map_spatial_smoothness",
    "edges": "map_edge_correlation",
}.items():
    here, there = (ranking(*shelf, metric) for shelf in (HERE, THERE))
    tell({
        f"{key}_here": here,
        f"{key}_there": "the same" if here == there else there,
    })

# %% tags=["remove-cell"]
for key, metric, form, scale in (
    ("gan", "gan_test", "{:+.1f}", 100),
    ("own", "perturbation_own_gradient", "{:+.1f}", 100),
    ("common", "perturbation_common_gradient", "{:+.1f}", 100),
    ("smooth", "map_spatial_smoothness", "{:+.3f}", 1),
):
    tell({f"{key}_told": one_network.told(evidence, metric, form, scale)})
tell(
    network=evidence.described(),
    trace=trace_in_words(*HERE),
    runs=runs_in_words(*HERE, "density_ratio"),
)

# %% [markdown]
# ## The networks
#
# The network is [chapter 7](07_training.ipynb)'s for CIFAR-100 ({glue:text}`network`), with the same constants;
# nothing was tuned on CIFAR-10. Trained and evaluated: {glue:text}`runs`. Where this chapter sets an order beside
# CIFAR-100's, the network is the same small one there, from three seeds: the paper's may order otherwise, as
# [chapter 15](15_claims.ipynb) shows.

# %% mystnb={"figure": {"name": "fig-cifar10-training", "caption": "CIFAR-10: squared gradient norm and Hessian trace through training, as in {numref}`fig-training-density`."}, "image": {"alt": "Four panels: squared gradient norm above and Hessian trace below, for training images left and validation images right, one curve a model."}} tags=["hide-input"]
density_in_training(*HERE)
plt.show()

# %% tags=["hide-input"]
shares = {"test accuracy, %": "test_accuracy", "GAN-test, %": "gan_test"}
density = {
    "trace": "test_trace",
    "squared gradient norm": "test_squared_norm",
    "objective of eq. 2": "test_objective",
}
table = pd.concat(
    [
        tables.interval_table(*HERE, shares, "{:.1f}", 100),
        tables.interval_table(*HERE, density, "{:,.0f}"),
    ],
    axis=1,
)
table[["test accuracy, %", *density, "GAN-test, %"]]

# %% [markdown]
# Accuracy, from high to low: {glue:text}`accuracy_here`. On CIFAR-100: {glue:text}`accuracy_there`. With one seed, the
# intervals are over images or samples.
#
# The trace, as in [chapter 7](07_training.ipynb): {glue:text}`trace`
#
# ## Density under noise
#
# The method is [chapter 10](10_density_ratios.ipynb)'s. The paper does not show it for CIFAR-10.

# %% mystnb={"figure": {"name": "fig-cifar10-ratios", "caption": "Density ratios on CIFAR-10, drawn as in {numref}`fig-ratios-cifar`. Where there is one network each, bands and intervals are over images."}, "image": {"alt": "Six panels over the noise level: logarithm of the mean ratio and mean log-ratio with a curve for each model, the differences of both from the baseline, logarithm of the median ratio, effective sample size."}} tags=["hide-input"]
paired.density_ratios(*HERE)
plt.show()

# %% [markdown]
# By the mean log-ratio, from high to low. At $\sigma$ = 0.02: {glue:text}`small_noise_here`; on CIFAR-100
# {glue:text}`small_noise_there`. At $\sigma$ = 0.2: {glue:text}`large_noise_here`; on CIFAR-100 {glue:text}`large_noise_there`.
#
# ## Samples
#
# The method is [chapter 11](11_samples.ipynb)'s. The paper does not show these for CIFAR-10 either.

# %% mystnb={"figure": {"name": "fig-cifar10-samples", "caption": "Samples of the ten classes, one row a model."}, "image": {"alt": "Rows of ten coloured generated pictures, one row a model."}} tags=["hide-input"]
set_matplotlib_formats("png", dpi=200)
figures.samples(*HERE, seed)
plt.show()

# %% mystnb={"figure": {"name": "fig-cifar10-gan", "caption": "GAN-test on CIFAR-10. Left: each network with its Wilson interval over samples. Right: points above the baseline, paired sample by sample where there is one network each."}, "image": {"alt": "Two panels: for each of four models a mark with its interval, and differences from the baseline around a line at zero."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figures.gan_test(*HERE, 1 / 10)
plt.show()

# %% [markdown]
# From high to low: {glue:text}`gan_here`. On CIFAR-100: {glue:text}`gan_there`. In points, on CIFAR-10.
# {glue:text}`gan_told` A judge of ten classes is easily
# satisfied: where the scores crowd below 100 %, they hardly tell the networks apart.
# [Chapter 11](11_samples.ipynb) shows the same samples to another judge.
#
# ## Pixel perturbation
#
# Figure 5 of the paper. The method is [chapter 12](12_pixel_perturbation.ipynb)'s.

# %% mystnb={"figure": {"name": "fig-cifar10-perturbation", "caption": "The paper's Figure 5: accuracy against the fraction of pixels removed, on CIFAR-10, drawn as in {numref}`fig-perturbation-lead`."}, "image": {"alt": "Four panels. Above, falling curves, one for each model, and a grey dotted curve for the random order; below, differences from the baseline around a line at zero."}} tags=["hide-input"]
paired.pixel_perturbation(*HERE)
plt.show()

# %% [markdown]
# By area, from the largest to the smallest. Own gradients: {glue:text}`own_here`; on CIFAR-100 {glue:text}`own_there`. Common
# reader: {glue:text}`common_here`; on CIFAR-100 {glue:text}`common_there`. In points of the area, on CIFAR-10:
#
# - **Own gradients.** {glue:text}`own_told`
# - **Common reader.** {glue:text}`common_told`
#
# ## Gradient maps
#
# Figure 6 of the paper. The method is [chapter 13](13_gradient_maps.ipynb)'s.

# %% mystnb={"figure": {"name": "fig-cifar10-maps", "caption": "Signed logit-gradients on CIFAR-10's first eight test images, summed over the colours."}, "image": {"alt": "Rows of eight orange and blue gradient maps, one row a model."}} tags=["hide-input"]
set_matplotlib_formats("png")
figures.gradient_maps(*HERE, seed)
plt.show()

# %% mystnb={"figure": {"name": "fig-cifar10-map-qualities", "caption": "Smoothness and edge correlation of the maps on CIFAR-10's test images."}, "image": {"alt": "Two bar charts with a bar and an interval for each model: smoothness of the maps on the left, edge correlation on the right."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figures.map_qualities(*HERE)
plt.show()

# %% [markdown]
# From high to low. Smoothness: {glue:text}`smooth_here`; on CIFAR-100 {glue:text}`smooth_there`. {glue:text}`smooth_told` Edge correlation:
# {glue:text}`edges_here`; on CIFAR-100 {glue:text}`edges_there`.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Appendix C, Figures 5 and 6. On CIFAR-10, in both pixel tests, score-matched and gradient-norm models come first and
# anti-score-matching last, as on CIFAR-100; the maps of the first two are the better aligned, and anti-score-matching's the
# noisiest. No numbers are printed.
# :::
#
# :::{admonition} What you just saw
# - **Accuracy**: {glue:text}`accuracy_here`. On CIFAR-100, with the same small network, here and below: {glue:text}`accuracy_there`.
# - **Own gradients**, by area: {glue:text}`own_here`. On CIFAR-100: {glue:text}`own_there`. {glue:text}`own_told`
# - **Common reader**: {glue:text}`common_here`. On CIFAR-100: {glue:text}`common_there`. {glue:text}`common_told`
# - **Smoothness of the maps**: {glue:text}`smooth_here`. On CIFAR-100: {glue:text}`smooth_there`.
# - **Edge correlation**: {glue:text}`edges_here`. On CIFAR-100: {glue:text}`edges_there`.
# - **GAN-test**: {glue:text}`gan_here`. On CIFAR-100: {glue:text}`gan_there`.
# - With one seed these are orders of single networks. [Chapter 15](15_claims.ipynb) judges the paper's claim.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* Suppose that the order of four models were pure chance on either data set. How likely is it that the two orders are the same? That the same two models are in the upper half?
#
# :::{admonition} Solution
# :class: dropdown
#
# There are $4! = 24$ orders, so one in 24. The upper half can be any of six pairs, so one in six. This page compares a good many orders. A few agreements are what chance would give too, and one of them alone says little.
# :::
#
# **2.** *With one line.* The chapter prints no order for the total variation of the samples. Ask for it: `ranking(*HERE, "sample_total_variation")`, and the same with `THERE`. Compute Spearman's correlation of the two by hand.
#
# :::{admonition} Solution
# :class: dropdown
#
# From high to low we got baseline, anti-score-matching, gradient norm, score-matching on CIFAR-10, and anti-score-matching, baseline, score-matching, gradient norm on CIFAR-100. Every model has moved by one place, so that $\sum d^2 = 4$ and the correlation is
# $1 - \frac{6 \cdot 4}{4 \cdot 15} = 0.6$. The halves agree: the samples of the two models at the front are the rougher ones on both.
# :::
#
# **3.** *What would happen if* one subtracted chance from a score, $(s - \frac1C) / (1 - \frac1C)$, so as to compare ten classes with a hundred?
#
# :::{admonition} Solution
# :class: dropdown
#
# Within a data set nothing: the formula rises with $s$, so every order stays. Between the two, pure guessing would now score 0 on both, and perfection 1. What lies between still cannot be compared. A judge of ten classes has nine ways to be wrong and
# one of a hundred has ninety-nine, some of them close to the right one.
# :::
