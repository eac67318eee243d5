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
# # Does noise raise the density?
#
# Take a picture of a 4 and sprinkle it with noise. It is now a worse picture of a 4. A model that knows how
# pictures of a 4 are distributed should find it less likely than before. **Do our four models find noisy digits
# less likely than clean ones?**
#
# The paper asks this in its Figure 1, and answers with a curve: the average {term}`density ratio`, "lower is better"
# {cite:p}`srinivas2021rethinking`. We draw that curve, and then ask what it ought to look like. The answer is
# a surprise, and it changes which curve we should look at.

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
import math
from dataclasses import asdict

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats
from torch import Tensor, nn

from companion import data, runs
from companion.book import density, paired, plots, tables
from companion.book.seeds import over_seeds as average_over_seeds
from companion.book.sentences import runs_in_words
from companion.book.strongest import strongest
from companion.book.style import MODEL_LABELS
from companion.book.words import counted, direction, interval_text, listed
from companion.experiments import presets
from companion.book.opening import begin, tell
from companion.experiments.measurements import SIGMAS
from companion.metrics import (
    density_ratio, mean_interval, paired_difference_interval, seed_interval,
)

begin(globals())

# %% tags=["remove-cell"]
dataset = presets.DATASETS[tier][0]
generator = torch.Generator().manual_seed(seed)

# %% [markdown]
# ## The measure
#
# Read a logit as a log-density, as in [chapter 3](03_logits_as_log_densities.ipynb), and let $\boldsymbol\eta$ be a random
# disturbance. The constant $Z_i$ that nobody can compute stands above and below the line, and cancels:
#
# $$
# \frac{p_\theta(\mathbf{x} + \boldsymbol\eta \mid y = i)}{p_\theta(\mathbf{x} \mid y = i)}
# = \exp\bigl( f_i(\mathbf{x} + \boldsymbol\eta) - f_i(\mathbf{x}) \bigr),
# \qquad \boldsymbol\eta \sim \mathcal{N}(\mathbf{0}, \sigma^2 \mathbf{I}) .
# $$ (eq-ratios-definition)
#
# Two forward passes and an exponential. The paper averages this over the test set and draws the average against
# $\sigma$.

# %% tags=["remove-cell"]
lead = strongest("cifar100", "density_ratio")
lead_ratios = tables.run_rows(*lead.shelf, "density_ratio")


def likelier(column):
    """Say whether, and where, the baseline finds noisy images likelier."""
    found = density.noise_levels(lead_ratios, column, "baseline")
    count = sum(map(len, found.values()))
    if found["above"]:
        return "yes, at " + density.at_levels(found["above"], count)
    if found["undecided"] or not count:
        return "undecided"
    return "no"


# %% tags=["remove-cell"]
tell(
    lead_networks=lead.described(),
    lead_short=lead.short(),
    lead_notes=lead.notes(),
    lead_by_mean=likelier("log_mean_ratio"),
    lead_by_log=likelier("log_ratio"),
    lead_images=f"{lead_ratios['n'].min():,.0f}" if len(lead_ratios) else "0",
)
lead_carried = "unknown"
if len(lead_ratios):
    plain = lead_ratios[lead_ratios["model"] == "baseline"]
    lead_carried = f"{plain['effective_sample_size'].min():.0f}"
measures = {"mean": "log_mean_ratio", "log": "log_ratio"}
tell({
    f"lead_{m}_{key}": density.likelier_where(lead_ratios, m, column)
    for m in runs.METHODS
    for key, column in measures.items()
})
tell(lead_carried=lead_carried)

# %% [markdown]
# ## One set of ratios, two answers
#
# Here is the paper's Figure 1, on its data, CIFAR-100: {glue:text}`lead_networks`. On the left is the paper's own
# curve, the mean ratio over {glue:text}`lead_images` test images, drawn as a logarithm; above 0, noisy images are
# the likelier ones. On the right we take the logarithm first and the mean afterwards. The ratios are the same.

# %% mystnb={"figure": {"name": "fig-ratios-lead", "caption": "Figure 1 of the paper on CIFAR-100, by the strongest networks that the book has. Left: logarithm of the mean density ratio, on an axis that is linear between −1 and 1. Right: mean of the logarithm. Bands are 95 % over images. The dotted line is a ratio of 1."}, "image": {"alt": "Two panels with a curve for each model over the noise level, around a dotted line at zero: on the left the logarithm of the mean ratio, on the right the mean log-ratio."}} tags=["hide-input"]
set_matplotlib_formats("svg")
paired.figure_one(*lead.shelf)
plt.show()

# %% [markdown]
# Where is a noisy image likelier than a clean one? An interval that excludes 0 decides.
#
# | | by the mean ratio | by the mean log-ratio |
# |---|---|---|
# | Baseline | {glue:text}`lead_baseline_mean` | {glue:text}`lead_baseline_log` |
# | Score-matching | {glue:text}`lead_score_matching_mean` | {glue:text}`lead_score_matching_log` |
# | Anti-score-matching | {glue:text}`lead_anti_score_matching_mean` | {glue:text}`lead_anti_score_matching_log` |
# | Gradient norm | {glue:text}`lead_gradient_norm_mean` | {glue:text}`lead_gradient_norm_log` |
#
# So does the baseline give higher densities to noisy images, as the paper says? By the paper's measure, the mean
# ratio: {glue:text}`lead_by_mean`. By the mean log-ratio: {glue:text}`lead_by_log`. (The interval of a mean ratio is
# to be read with care. The mean's weight lies on few images, for the baseline on as few as {glue:text}`lead_carried`.)
#
# Two summaries of the same numbers need not agree, and one has to know what each of them says. For that we leave
# the networks, and ask what the two curves *ought* to look like.
#
# :::{admonition} What the records note of how they were made
# :class: dropdown
#
# {glue:text}`lead_notes`
# :::
#
# ## What a perfect model would show
#
# ````{prf:proposition} What noise does to a true density
# :label: prf-ratios-ideal
#
# Let $\mathbf{x}$ be drawn from a density $p$, let $S$ be the set where $p > 0$, and let $\boldsymbol\eta$ be
# independent of $\mathbf{x}$, with any distribution. Then
#
# $$
# \begin{aligned}
# \mathbb{E}\left[ \frac{p(\mathbf{x} + \boldsymbol\eta)}{p(\mathbf{x})} \right]
# &= \Pr(\mathbf{x} - \boldsymbol\eta \in S) \;\le\; 1 , \\
# \mathbb{E}\left[ \log \frac{p(\mathbf{x} + \boldsymbol\eta)}{p(\mathbf{x})} \right] &\le\; 0 .
# \end{aligned}
# $$ (eq-ratios-ideal)
#
# If $p$ is positive everywhere, the first is exactly 1, at every noise level.
# ````
#
# ````{prf:proof}
# Hold $\boldsymbol\eta$ fixed. The density that we average over cancels the one that we divide by:
#
# $$
# \int_S p(\mathbf{x}) \, \frac{p(\mathbf{x} + \boldsymbol\eta)}{p(\mathbf{x})} \, d\mathbf{x}
# = \int_S p(\mathbf{x} + \boldsymbol\eta) \, d\mathbf{x}
# = \Pr(\mathbf{x} - \boldsymbol\eta \in S \mid \boldsymbol\eta),
# $$
#
# and this averages over $\boldsymbol\eta$ to the first statement. If $S$ is all of space, the probability is 1.
# The second follows because the mean of a logarithm is at most the logarithm of the mean (Jensen). For a fixed
# $\boldsymbol\eta$ it is minus the Kullback-Leibler divergence of $p$ from its shifted copy.
# ````
#
# So the ideal average is not "low". For a density without holes it is **1**, whatever the noise. A few points lie
# where a step in the right direction multiplies the density a thousandfold, and they make up for all the rest.
#
# The logarithm has a sharper message: on average **it must not rise**. That holds for every density, holes or not.
#
# ## Checked where the truth is known
#
# Three Gaussians in the plane, two classes. The ideal logits are $\log p(\mathbf{x}, i)$, so
# {eq}`eq-ratios-definition` is exact. We draw points, disturb them, and take four summaries of the same ratios:
# their mean, their median, the mean of their logarithms, and the *effective sample size* $(\sum w)^2 / \sum w^2$,
# which says how many of the points really carry the mean.

# %%
mixture = data.gaussian_mixture(
    torch.tensor([[-1.5, 1.0], [1.5, 1.5], [0.5, -0.9]]),
    torch.tensor([
        [[0.5, 0.3], [0.3, 0.6]],
        [[0.4, -0.2], [-0.2, 0.5]],
        [[1.6, 0.0], [0.0, 0.35]],
    ]),
    labels=torch.tensor([0, 0, 1]),
)
points, classes = mixture.sample(2_000 if tier == "tiny" else 20_000, generator)
levels = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0)
exact = density_ratio(
    mixture.classifier(), points, classes, sigmas=levels, generator=generator
).to_frame()
information = float(mixture.score(points, classes).square().sum(dim=1).mean())
reliable = math.sqrt(float(mixture.covariances[2].diagonal().min()) / 2)

# %% mystnb={"figure": {"name": "fig-ratios-mixture", "caption": "Density ratios of a known density under noise. Left: mean with its 95 % interval, and median; the proposition says 1 for the mean, and right of the dashed line its variance is infinite. Middle: mean log-ratio, and its slope for small noise, minus half of sigma squared times the mean squared score. Right: effective share of the points."}, "image": {"alt": "Three panels over the noise level. The mean ratio stays near the line at 1 while its interval widens; the median falls. The mean log-ratio falls below 0. The effective share of the points falls."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figure, axes = plt.subplots(1, 3, figsize=(8.8, 3.0))
heading = "Of the truth, the mean ratio is 1, and most points fall"
figure.suptitle(heading, x=0.02, ha="left")
sigma, margin = exact["sigma"], 1.96 * exact["ratio_standard_error"]
axes[0].axhline(1.0, color="#8C8C8C", linestyle=":")
axes[0].errorbar(sigma, exact["ratio"], yerr=margin, marker="o", label="mean")
look = {"marker": "s", "color": "#D55E00", "label": "median"}
axes[0].plot(sigma, exact["median_ratio"], **look)
axes[0].axvline(reliable, color="#555555", linestyle="--", linewidth=1)
axes[0].set(ylim=(0, 1.6), title="ratio")
axes[0].legend(loc="lower left")
axes[1].axhline(0.0, color="#8C8C8C", linestyle=":")
axes[1].plot(sigma, exact["log_ratio"], marker="o", label="mean log-ratio")
look = {"color": "#555555", "linestyle": "--", "label": "for small noise"}
axes[1].plot(sigma, -(sigma**2) / 2 * information, **look)
axes[1].set(title="log-ratio")
axes[1].legend(loc="lower left")
axes[2].plot(sigma, exact["effective_sample_size"] / len(points), marker="o")
axes[2].set(ylim=(0, 1.05), title="effective share of points")
for ax in axes:
    ax.set_xlabel("noise level σ")
plt.show()

# %% tags=["remove-cell"]
middle, last = exact.iloc[5], exact.iloc[-1]  # sigma 0.3 and 1
tell(points=f"{len(points):,}", reliable=reliable)
for name, row in (("middle", middle), ("last", last)):
    tell({
        f"{name}_sigma": f"{row['sigma']:g}",
        f"{name}_around": f"{row['ratio']:.2f} ± "
        f"{1.96 * row['ratio_standard_error']:.2f}",
    })
tell(
    middle_median=float(middle["median_ratio"]),
    middle_log=float(middle["log_ratio"]),
    last_share=float(last["effective_sample_size"] / len(points)),
)

# %% [markdown]
# At $\sigma$ = {glue:text}`middle_sigma` the mean over {glue:text}`points` points is {glue:text}`middle_around`.
# The median is {glue:text}`middle_median:.2f`: half of all points end at or
# below that. The mean log-ratio is {glue:text}`middle_log:.2f`. All three are right, and they describe one perfect
# model.
#
# Further right the mean is harder to come by. At $\sigma$ = {glue:text}`last_sigma` it is {glue:text}`last_around`,
# on an effective {glue:text}`last_share:.1%` of the points, and that interval is not to be trusted. For
# a Gaussian of variance $s^2$, and noise in that direction,
#
# $$
# \mathbb{E}\left[ \left( \frac{p(\mathbf{x} + \boldsymbol\eta)}{p(\mathbf{x})} \right)^{2} \right]
# = \mathbb{E} \exp\left( \frac{\eta^2}{s^2} \right)
# = \left( 1 - \frac{2 \sigma^2}{s^2} \right)^{-1/2},
# $$ (eq-ratios-variance)
#
# which is infinite from $\sigma = s / \sqrt 2$ on. In class 1, the narrower direction reaches that at
# {glue:text}`reliable:.2f`, the dashed line. A mean whose terms have no variance can still be right; one only cannot
# tell from a sample.
#
# For small noise the log-ratio has a known slope. Expand $\log p$ to second order, average over the noise, and
# integrate by parts, as [chapter 4](04_score_matching.ipynb) does:
#
# $$
# \mathbb{E}\left[ \log \frac{p(\mathbf{x} + \boldsymbol\eta)}{p(\mathbf{x})} \right]
# \approx \frac{\sigma^2}{2} \, \mathbb{E}\bigl[ \operatorname{trace} \nabla^2 \log p(\mathbf{x}) \bigr]
# = - \frac{\sigma^2}{2} \, \mathbb{E} \bigl\| \nabla \log p(\mathbf{x}) \bigr\|^2 .
# $$ (eq-ratios-slope)
#
# Note the middle term. It is the Hessian trace that score-matching pushes down and anti-score-matching pushes up.
# We shall come back to it.
#
# ## In many dimensions the mean cannot be measured
#
# A plane is kind to averages. A digit has 784 pixels. We repeat the exercise with the simplest perfect model there
# is, a standard Gaussian of $D$ dimensions, with 1,000 points and $\sigma = 0.3$. The true mean ratio is 1 in
# every row.


# %%
class StandardGaussian(nn.Module):
    """One class: the log-density of a standard Gaussian, up to a constant."""

    def forward(self, x: Tensor) -> Tensor:
        return -x.square().sum(dim=1, keepdim=True) / 2


rows = {}
for dimension in (2, 20, 100, 784):
    x = torch.randn(1000, dimension, generator=generator, dtype=torch.float64)
    summary = density_ratio(
        StandardGaussian(), x, 0, sigmas=[0.3], generator=generator
    )
    summary = summary.to_frame().iloc[0]
    rows[dimension] = {
        "true mean ratio": 1.0,
        "measured mean ratio": summary["ratio"],
        "median ratio": summary["median_ratio"],
        "mean log-ratio": summary["log_ratio"],
        "the same, exactly": -(0.3**2) * dimension / 2,
        "effective sample size": summary["effective_sample_size"],
    }
many = pd.DataFrame(rows).T.rename_axis("dimensions")
many.style.format("{:.3g}")

# %% tags=["remove-cell"]
last = many.iloc[-1]
tell(
    many_ratio=f"{last['measured mean ratio']:.0e}",
    many_effective=float(last["effective sample size"]),
    many_log=float(last["mean log-ratio"]),
)

# %% [markdown]
# In 784 dimensions the measured mean is {glue:text}`many_ratio`, resting on {glue:text}`many_effective:.1f`
# effective samples. The points that would restore it to 1 exist, but one does not meet them among a thousand. The
# log-ratio, {glue:text}`many_log:.1f`, is measured without trouble.
#
# ## Jensen's trap
#
# The mean can also err upwards. Let $f$ be linear, $f(\mathbf{x}) = \langle \mathbf{w}, \mathbf{x} \rangle$. Noise
# moves it up as often as down: the mean log-ratio is 0 and the median ratio is 1. But
#
# $$
# \mathbb{E} \exp \langle \mathbf{w}, \boldsymbol\eta \rangle = \exp\left( \tfrac12 \sigma^2 \|\mathbf{w}\|^2 \right) > 1 .
# $$ (eq-ratios-jensen)
#
# (A linear $f$ belongs to no density, since its integral is infinite; so {prf:ref}`prf-ratios-ideal` does not
# forbid it.) We give $\mathbf{w}$ the length of a typical gradient of our baseline, so as to see what a slope of that size
# does on its own.

# %%
baseline = runs.find(tier, dataset, "baseline", seed)
slope = math.sqrt(baseline.metric("squared_norm")["value"])
one_way = torch.randn(1, 784, generator=generator).double()
one_way = torch.nn.functional.normalize(one_way)
linear = nn.Linear(784, 1, bias=False).double().requires_grad_(False)
linear.weight.copy_(one_way * slope)
noisy = density_ratio(
    linear, torch.zeros(5_000, 784).double(), 0,
    sigmas=(0.1, 0.2, 0.3, 0.5), generator=generator,
).to_frame()
predicted = np.exp(0.5 * (slope * noisy["sigma"]) ** 2)
trap = pd.DataFrame({
    "sigma": noisy["sigma"],
    "mean log-ratio": noisy["log_ratio"],
    "median ratio": noisy["median_ratio"],
    "mean ratio": noisy["ratio"],
    "predicted mean ratio": predicted,
    "effective sample size": noisy["effective_sample_size"],
}).set_index("sigma")
styled = trap.style.format("{:.3g}").format_index("{:g}")
styled.format("{:+.3f}", subset=["mean log-ratio"])
styled.format("{:,.0f}", subset=["effective sample size"])

# %% tags=["remove-cell"]
last = trap.iloc[-1]
tell(
    slope=slope,
    trap_sigma=f"{trap.index[-1]:g}",
    trap_ratio=float(last["mean ratio"]),
    trap_log=float(last["mean log-ratio"]),
    trap_predicted=float(last["predicted mean ratio"]),
)

# %% [markdown]
# With slope {glue:text}`slope:.2f` and $\sigma$ = {glue:text}`trap_sigma`, a function that favours noise in no way
# whatever (mean log-ratio {glue:text}`trap_log:+.2f`) shows a mean ratio of {glue:text}`trap_ratio:.3g`; the formula
# says {glue:text}`trap_predicted:.3g`.
#
# So what does a mean ratio above 1 prove? If it is the mean over the whole population, something after all. By
# {prf:ref}`prf-ratios-ideal` the images are then not samples of the model's density: $p_\theta$ is not
# $p_{\mathrm{data}}$. What it does not prove is that noise is *typically* favoured. A few images with a steep
# slope are enough to raise it; in a sample of ours it may be one or two.
#
# That settles how we read the paper's sentence. **"Higher density for noisy inputs" is about inputs as they come, so
# we ask whether the mean log-ratio is above 0,** and show the paper's measure beside it. For the true density the
# log-ratio cannot be above 0. How far *below* it should lie we do not know. Among negative values we have no
# favourite, and the one nearest to 0 deserves no prize: constant logits would have it.
#
# ## In a box, or in all of space?
#
# One thing is left open. [Chapter 3](03_logits_as_log_densities.ipynb) needs $Z_i$ to be finite, and the
# [errata](../book/errata.md) grant it for images in a box, $[0, 1]^D$. But $\mathbf{x} + \boldsymbol\eta$ is not in the
# box: a black pixel is exactly 0, and half of all noise makes it negative. A density on the box alone would give
# every noisy digit the density zero, and a log-ratio of minus infinity, under every model. The experiment, the
# paper's and ours, reads the logit outside the box all the same. It takes $\exp f_i$ for an unnormalised density
# on all of space; there $Z_i$ may be infinite, and since it cancels, nobody notices. Further down we clip the noisy
# picture to the box instead, and see how much hangs on it.
#
# ## On CIFAR-100, with several trainings
#
# One network each is one draw of the weights. Smaller networks, those of [chapter 7](07_training.ipynb), were trained more
# than once: {glue:text}`cifar_runs`.

# %% tags=["remove-cell"]
CIFAR = ("small", "cifar100")
cifar_ratios = tables.run_rows(*CIFAR, "density_ratio")
tell(cifar_runs=runs_in_words(*CIFAR, "density_ratio"))
tell({
    f"cifar_{m}_{key}": density.likelier_where(cifar_ratios, m, column)
    for m in runs.METHODS
    for key, column in measures.items()
})

# %% mystnb={"figure": {"name": "fig-ratios-cifar", "caption": "CIFAR-100, small networks. Above: thin lines are single trainings, thick ones their means. In the middle, each method less the baseline of the same seed: small marks are single pairs, large ones the mean with its 95 % t-interval, which runs off the panel where it is wide. Below: the median, and how many images carry the mean."}, "image": {"alt": "Six panels over the noise level: logarithm of the mean ratio and mean log-ratio with a curve for each model, the differences of both from the baseline, logarithm of the median ratio, effective sample size."}} tags=["hide-input"]
paired.density_ratios(*CIFAR)
plt.show()

# %% [markdown]
# By the interval over these seeds, noisy images are:
#
# | | by the mean ratio | by the mean log-ratio |
# |---|---|---|
# | Baseline | {glue:text}`cifar_baseline_mean` | {glue:text}`cifar_baseline_log` |
# | Score-matching | {glue:text}`cifar_score_matching_mean` | {glue:text}`cifar_score_matching_log` |
# | Anti-score-matching | {glue:text}`cifar_anti_score_matching_mean` | {glue:text}`cifar_anti_score_matching_log` |
# | Gradient norm | {glue:text}`cifar_gradient_norm_mean` | {glue:text}`cifar_gradient_norm_log` |
#
# ## Four models of digits
#
# Everything from here on you can compute yourself. This is what the noise levels look like. The sum $\mathbf{x} + \boldsymbol\eta$ is not clipped for the network; it
# is for the eye.

# %% mystnb={"figure": {"name": "fig-ratios-noise", "caption": "The first test image with noise of six strengths."}, "image": {"alt": "One handwritten digit seven times. It is readable at every strength, and heavily speckled at the last."}} tags=["hide-input"]
set_matplotlib_formats("png")
images = data.load(dataset)
first = data.to_float(images.x_test[:1])
speckle = torch.randn(first.shape, generator=generator)
shown = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
plots.image_grid(
    torch.cat([first + level * speckle for level in shown]),
    columns=7,
    titles=[f"σ = {level:g}" for level in shown],
)
plt.show()

# %% [markdown]
# Each run's record holds its ratios at every level, for all its test images, with one draw of noise an image. We
# collect them and average over seeds. Means of ratios would leave the page, so we draw their logarithm.

# %%
ratios = tables.run_rows(tier, dataset, "density_ratio")


def over_seeds(column, rows=ratios):
    """Return means over seeds and their 95 % intervals, by model and sigma."""
    error = f"{column}_standard_error" if "log" in column else None
    return average_over_seeds(rows, ["model", "sigma"], column, error)


# %% mystnb={"figure": {"name": "fig-ratios-models", "caption": "Density ratios of the four models under noise, drawn as in {numref}`fig-ratios-cifar`: thin lines are single trainings. The dotted line at 0 is a ratio of 1. The last panel says how many images carry the mean of the first."}, "image": {"alt": "Six panels over the noise level: logarithm of the mean ratio and mean log-ratio with a curve for each model, the differences of both from the baseline, logarithm of the median ratio, effective sample size."}} tags=["hide-input"]
set_matplotlib_formats("svg")
paired.density_ratios(tier, dataset)
plt.show()

# %% tags=["remove-cell"]
effective, means, logs = (
    over_seeds(column).set_index(["model", "sigma"])["value"]
    for column in ("effective_sample_size", "log_mean_ratio", "log_ratio")
)
disagree = [key for key in logs.index if means[key] > 0 > logs[key]]
seeds = int(ratios.groupby("model")["seed"].nunique().min())
unit = "the images of the one seed that there is"
at_top = effective.xs(SIGMAS[-1], level="sigma")
tell(
    n_images=int(ratios["n"].min()),
    seeds=counted(seeds, "seed"),
    unit=f"{seeds} seeds" if seeds > 1 else unit,
    top_sigma=f"{SIGMAS[-1]:g}",
    effective_low=float(at_top.min()),
    effective_high=float(at_top.max()),
    disagreements=len(disagree),
    cells=len(logs),
)
for model in ("baseline", "anti_score_matching"):
    above = [f"{s:g}" for s in SIGMAS if means[model, s] > 0]
    tell({f"{model}_mean_above": listed(above)})

# %% [markdown]
# Look at the last panel first. At $\sigma$ = {glue:text}`top_sigma` the mean over {glue:text}`n_images` images rests
# on {glue:text}`effective_low:.0f` to {glue:text}`effective_high:.0f` effective ones, depending on the model. That is the first panel's foundation.
#
# Jensen's trap is not a theoretical worry. Of the {glue:text}`cells` pairs of a model and a noise level,
# {glue:text}`disagreements` have a mean ratio above 1 and a mean log-ratio below 0: there Figure 1's curve would say
# "higher", and the typical image says "lower". The baseline's mean ratio is above 1 at $\sigma$ =
# {glue:text}`baseline_mean_above`.
#
# Now the verdicts, by the interval over {glue:text}`unit` and never by eye. A triangle says that it excludes 0: ▲
# noise raises the density, ▼ it lowers it. A dot: undecided.

# %%
def written(row):
    """Write a log-ratio with its verdict; with one digit, if it is small."""
    size = abs(row["value"])
    form = "{:+.1f}" if size >= 10 else "{:+.2f}" if size >= 0.1 else "{:+.1g}"
    verdict = direction(row, "▲", "▼", "·")
    return form.format(row["value"]) + "\N{NO-BREAK SPACE}" + verdict


def verdict_table(judged):
    """Return mean log-ratios for display, a row a model, a column a sigma."""
    cells = judged.assign(cell=[written(row) for _, row in judged.iterrows()])
    table = cells.pivot(index="model", columns="sigma", values="cell")
    table = table.loc[[name for name in runs.METHODS if name in table.index]]
    table = table.rename(index=MODEL_LABELS, columns="{:g}".format)
    return table.rename_axis(columns="mean log-ratio at sigma")


judged = over_seeds("log_ratio")
verdict_table(judged)

# %% [markdown]
# ## The left end of the curve is the training objective
#
# We promised to come back to the trace. By {eq}`eq-ratios-slope`, for small noise the log-ratio *is* the Hessian
# trace, times $\sigma^2/2$. Anti-score-matching was trained to make that trace large, score-matching to make it
# small. Near zero, Figure 1 asks each model for what it was trained to say.

# %% tags=["remove-cell"]
small = SIGMAS[2]
traces, at_small = (
    tables.seed_table(tier, dataset, metric).set_index("model")["value"]
    for metric in ("test_trace", f"log_ratio_{small:g}")
)
told = (
    f"{MODEL_LABELS[m].lower()} {small**2 / 2 * traces[m]:+.2f} "
    f"and {at_small[m]:+.2f}"
    for m in runs.METHODS
)
tell(small=f"{small:g}", slope_beside_ratio="; ".join(told))

# %% [markdown]
# At $\sigma$ = {glue:text}`small`, $\sigma^2/2$ times the trace and the measured log-ratio are:
# {glue:text}`slope_beside_ratio`. (The trace was taken on fewer images. And where the
# two are far apart, this $\sigma$ is not small for that network.)
#
# {eq}`eq-ratios-slope` has another side, and with it comes a yardstick that has a zero. For samples of a smooth
# density, the mean trace and the mean squared length of the gradient add up to nothing:
#
# $$
# \mathbb{E} \operatorname{trace} \nabla^2 f_i(\mathbf{x}) + \mathbb{E} \bigl\| \nabla f_i(\mathbf{x}) \bigr\|^2 = 0
# \qquad \text{for } \mathbf{x} \sim p_\theta(\cdot \mid y = i) .
# $$ (eq-ratios-balance)
#
# If test images were such samples, this is what we should find.

# %% tags=["hide-input"]
shelves = {
    "digits" if dataset == "mnist5k" else dataset: (tier, dataset),
    "small on CIFAR-100": CIFAR,
}
if lead.shelf != CIFAR:
    shelves["paper's on CIFAR-100"] = lead.shelf
sums = {title: density.balance(*shelf) for title, shelf in shelves.items()}
written_sums = {
    title: {
        MODEL_LABELS[m]: interval_text(found[m], "{:,.0f}")
        for m in runs.METHODS
        if m in found
    }
    for title, found in sums.items()
}
pd.DataFrame(written_sums).rename_axis("trace + squared norm")

# %% tags=["remove-cell"]
off = {"above": [], "below": [], "not clearly off": []}
for title, found in sums.items():
    for model, interval in found.items():
        side = direction(interval, *off)
        off[side].append((MODEL_LABELS[model].lower(), title))
tell(
    balance_above=density.grouped(off["above"], shelves),
    balance_below=density.grouped(off["below"], shelves),
    balance_open=density.grouped(off["not clearly off"], shelves),
)

# %% [markdown]
# Above 0, clearly: {glue:text}`balance_above`. Below 0: {glue:text}`balance_below`. Not clearly different from 0:
# {glue:text}`balance_open`. Above 0 the images lie where the log-density is hollow, more than its slope allows;
# below 0 they lie on peaks that are too sharp for images that are spread as ours are. An interval that holds 0 may
# also be a wide one: a trace is measured with noise. (With one network, intervals are over images.)
#
# The paper's experiment says more where $\sigma$ is far from the scale at which the penalty was applied. For the
# box at the end of this chapter we average the digits' log-ratio over noise levels, all of them, the lower half, the
# upper half, and compare run with run: the same seed, trained two ways.

# %%
half = len(SIGMAS) // 2
bands = {"all": SIGMAS, "small": SIGMAS[:half], "large": SIGMAS[half:]}


def per_seed(model, band, column="log_ratio"):
    """Return a model's mean over some noise levels, seed by seed."""
    mine = (ratios["model"] == model) & ratios["sigma"].isin(bands[band])
    rows = ratios[mine]
    rows = rows.assign(absolute=rows["log_ratio"].abs())
    return rows.groupby("seed")[column].mean()


def difference_from_baseline(model, band, column="log_ratio"):
    """Return the interval of a model less the baseline, paired by seed."""
    pair = [per_seed(name, band, column) for name in (model, "baseline")]
    both = pd.concat(pair, axis=1, join="inner")
    return paired_difference_interval(*both.T.to_numpy().tolist())


# %%
anti, large = per_seed("anti_score_matching", "small"), ("large", "absolute")
comparisons = {
    "baseline, all noise": seed_interval(per_seed("baseline", "all").tolist()),
    "anti-score-matching, small noise": seed_interval(anti.tolist()),
    "anti-score-matching − baseline, small noise": difference_from_baseline(
        "anti_score_matching", "small"
    ),
    "score-matching − baseline, |log-ratio|, large noise": (
        difference_from_baseline("score_matching", *large)
    ),
    "gradient norm − baseline, |log-ratio|, large noise": (
        difference_from_baseline("gradient_norm", *large)
    ),
}

# %% tags=["remove-cell"]
base, anti, anti_less_base, score, norm = comparisons.values()
sides = ("higher than", "lower than", "not clearly different from")
places = ("above", "below", "not clearly apart from")
steadier = (
    "moves more than",
    "moves less than",
    "does not move clearly more or less than",
)
tell(
    base_says=direction(base, *sides),
    anti_says=direction(anti, *sides),
    anti_than_base=direction(anti_less_base, *places),
    score_says=direction(score, *steadier),
    norm_says=direction(norm, *steadier),
)
keys = ("base", "anti", "anti_less_base", "score", "norm")
for key, interval in zip(keys, comparisons.values(), strict=True):
    tell({f"{key}_text": interval_text(interval, "{:+.2f}")})

# %% [markdown]
# ## Robust, or merely small?
#
# The paper calls the regularised models robust, because their curves move less where the noise is large. Before
# that is praise, consider what it costs. Multiply all logits by a half: no answer changes, and every log-ratio is
# halved. Constant logits do not move at all. So we give the baseline the same help that the penalties give. Its
# logits are scaled until its gradients are as long as the regularised network's. The record is all it takes,
# since log-ratios are scaled with the logits.

# %% tags=["hide-input"]
upper = SIGMAS[half:]
columns = {
    "own": "regularised", "baseline": "baseline", "scaled": "baseline, scaled",
}
regularised = ["score_matching", "gradient_norm"]
steady = {
    title: density.steadiness(
        tables.run_rows(*shelf, "density_ratio"),
        tables.run_table(*shelf, "squared_norm"), upper,
    )
    for title, shelf in shelves.items()
}
shown_steady = pd.concat({
    title: frame.loc[[m for m in regularised if m in frame.index]]
    for title, frame in steady.items()
}).rename(index=MODEL_LABELS)
shown_steady = shown_steady.rename(columns=columns)[list(columns.values())]
shown_steady.style.format("{:.1f}")

# %% tags=["remove-cell"]
pairs = [
    (title, model)
    for title, frame in steady.items()
    for model in regularised
    if model in frame.index
]
steadier = {"baseline": [], "own": []}
for title, model in pairs:
    row, name = steady[title].loc[model], MODEL_LABELS[model].lower()
    side = "baseline" if row["scaled"] < row["own"] else "own"
    steadier[side].append((name, title))
tell(
    upper_half=f"{upper[0]:g} to {upper[-1]:g}",
    scaled_wins=density.grouped(steadier["baseline"], shelves),
    own_wins=density.grouped(steadier["own"], shelves),
)

# %% [markdown]
# The mean $|\text{log-ratio}|$ at $\sigma$ = {glue:text}`upper_half`, averaged over the seeds there are; there are no
# intervals here. Steadier than the scaled baseline: {glue:text}`own_wins`. Less steady than it:
# {glue:text}`scaled_wins`. Less steady means that the penalty has bought no steadiness that smaller logits would not
# have given, for nothing and without a change of a single answer. A measure that a change of scale can please
# says nothing of robustness until the scale is fixed.
#
# ## Is the record right?
#
# All of this was read from records. One point we compute again, here and now: the baseline of this seed at one
# noise level, from its weights. Once with the noise that the record used, once with fresh noise, and once with
# the record's noise and the noisy picture clipped to $[0, 1]$, the box of which we spoke.

# %%
level = 0.2
count = int(baseline.table("density_ratio")["n"].iloc[0])
x = data.to_float(images.x_test[:count]).to(device)
y = images.y_test[:count].to(device)
model = baseline.model().to(device)
recorded = baseline.metric(f"log_ratio_{level:g}")
# The evaluation's own noise: 1000 times the seed, plus 3 for this experiment.

# %%
in_the_box = nn.Sequential(nn.Hardtanh(0.0, 1.0), model)  # clips its input
again, fresh, clipped = (
    density_ratio(
        network, x, y, sigmas=[level],
        generator=torch.Generator(device).manual_seed(source),
    )
    for network, source in (
        (model, 1000 * seed + 3),
        (model, 2000 + seed),
        (in_the_box, 1000 * seed + 3),
    )
)
once, anew, boxed = (
    asdict(mean_interval(found.per_sample_log_ratio[0]))
    for found in (again, fresh, clipped)
)
both = pd.DataFrame({
    "the record": recorded,
    "again, same noise": once,
    "again, fresh noise": anew,
    "same noise, clipped": boxed,
}).T[["value", "low", "high", "n"]]
both.astype({"n": int}).style.format(precision=4, na_rep="–")

# %% tags=["remove-cell"]
likelier_in_box = direction(
    boxed, "above 0", "below 0", "not clearly on one side of 0"
)
same, new = (
    abs(float(found.log_ratio[0]) - recorded["value"])
    for found in (again, fresh)
)
tell(
    again_difference=f"{same:.0e}",
    fresh_difference=new,
    box_difference=interval_text(
        paired_difference_interval(
            clipped.per_sample_log_ratio[0], again.per_sample_log_ratio[0]
        ),
        "{:+.2f}",
    ),
    box_level=f"{level:g}",
    box_says=likelier_in_box,
    record_width=(recorded["high"] - recorded["low"]) / 2,
)

# %% [markdown]
# With the same noise the two numbers differ by {glue:text}`again_difference`; with fresh noise by
# {glue:text}`fresh_difference:.4f`, where the interval over images has a half-width of
# {glue:text}`record_width:.4f`.
#
# Clipping changes the log-ratio of the same pictures by {glue:text}`box_difference`, image by image, at
# $\sigma$ = {glue:text}`box_level`; clipped, it is {glue:text}`box_says`. So much of the measurement is about what the logit does
# outside the box, where no image is.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# On CIFAR-100, with a ResNet-18: the baseline gives *higher* densities to noisy inputs than to real ones.
# Anti-score-matching makes the profile steeper, with higher densities already at smaller noise. Score-matching and
# gradient-norm models are robust to larger noise. Its Figure 1 is drawn without numbers, and its caption says
# "lower is better".
# :::
#
# :::{admonition} What you just saw
# - **"Lower is better" is not quite it.** The mean ratio of a perfect density without holes is 1 at every noise
#   level ({prf:ref}`prf-ratios-ideal`), and no average over a test set will show it in 784 dimensions. What can be
#   said for certain is that the mean log-ratio of a true density does not rise.
# - **On CIFAR-100** ({glue:text}`lead_short`): are noisy images likelier for the baseline? By the paper's
#   measure, the mean ratio: {glue:text}`lead_by_mean`. By the mean log-ratio: {glue:text}`lead_by_log`. A mean ratio above 1
#   shows that the density is not the images'; it does not show that noise is typically favoured.
# - **Anti-score-matching there:** by the mean ratio noise is {glue:text}`lead_anti_score_matching_mean`; by the mean
#   log-ratio it is {glue:text}`lead_anti_score_matching_log`.
# - **The baseline on digits.** Its log-ratio, averaged over all noise levels, is {glue:text}`base_text`. So, by the
#   interval over seeds, a noisy digit's density is typically {glue:text}`base_says` the clean one's.
# - **Anti-score-matching on digits, small noise.** Its log-ratio at small noise is {glue:text}`anti_text`: a noisy digit's density is {glue:text}`anti_says` the clean
#   one's. The difference from the baseline's is {glue:text}`anti_less_base_text`, so it lies
#   {glue:text}`anti_than_base` it.
# - **Robustness at large noise, on digits.** We compare the size of the log-ratio, whatever its sign. Score-matching's
#   {glue:text}`score_says` the baseline's (difference {glue:text}`score_text`); gradient norm's
#   {glue:text}`norm_says` the baseline's ({glue:text}`norm_text`). Beside a baseline whose logits are scaled to gradients of
#   the same length, less steady: {glue:text}`scaled_wins`; steadier: {glue:text}`own_wins`. Constant logits
#   would not move at all.
# - The digits are judged over {glue:text}`seeds` of each. The comparison with the paper, claim by claim, is in [chapter 15](15_claims.ipynb).
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* For a standard Gaussian in $D$ dimensions show that the mean ratio is 1 at every noise level, and the mean log-ratio $-\frac12 \sigma^2 D$.
#
# :::{admonition} Solution
# :class: dropdown
#
# The log-ratio is $-\frac12 \|\mathbf{x} + \boldsymbol\eta\|^2 + \frac12 \|\mathbf{x}\|^2$, that is,
# $-\langle \mathbf{x}, \boldsymbol\eta \rangle - \frac12 \|\boldsymbol\eta\|^2$. The first term has the mean 0 and the
# second $-\frac12 \sigma^2 D$. For the ratio hold $\boldsymbol\eta$ fixed: $\langle \mathbf{x}, \boldsymbol\eta \rangle$ is normal with variance $\|\boldsymbol\eta\|^2$, so the mean of its exponential is
# $\exp(\frac12 \|\boldsymbol\eta\|^2)$, which cancels the other factor. What is left is 1, for each $\boldsymbol\eta$ by itself.
# :::
#
# **2.** *With one line.* Put `Half(model)` in the place of the first `model` in the cell that computes the record again, where
#
# ```python
# class Half(nn.Sequential):
#     def forward(self, x: Tensor) -> Tensor:
#         return super().forward(x) / 2
# ```
#
# What becomes of the mean log-ratio, and what can you say beforehand of the mean ratio?
#
# :::{admonition} Solution
# :class: dropdown
#
# The mean log-ratio is halved exactly, and no answer of the classifier has changed. Each image's ratio becomes its own square root, which shrinks the large ones most. So the mean ratio falls much
# further than to its half: on the first 500 test images and at $\sigma = 0.2$ we had about 20 and then about 1.25. Both numbers are "the average density ratio" of the same decisions.
# :::
#
# **3.** *What would happen if* all logits were constant? Would {prf:ref}`prf-ratios-ideal` find fault with such a model?
#
# :::{admonition} Solution
# :class: dropdown
#
# It would not. Every ratio is 1, the mean is 1, and the mean log-ratio is 0, which is not above 0. The proposition says what a true density must do; it does not say that whoever does so is
# true. (Over all of space such a model has no finite $Z_i$ either, and the ratios do not notice.)
# :::
