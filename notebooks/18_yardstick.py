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
# # A yardstick for the density
#
# Do gradients explain better where the hidden density is nearer to that of the data?
#
# That is the paper's hypothesis. To test it one has to know how near a density is, and a network's density cannot be
# normalised. The paper's own yardstick, the objective of eq. 2, has trouble with images: it depends on how loud the logits are, a
# few images decide it, and it leaves out a border term that images in a box do have
# ([chapter 10](10_density_ratios.ipynb)). This chapter uses another one, checks it where the truth is known, and then asks the question.

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt

from companion import data, metrics, runs
from companion.book import known, plots, yardsticks
from companion.book.opening import begin, tell
from companion.book.seeds import rank_correlation
from companion.book.words import direction, interval_text
from companion.experiments import denoising, known_density, studies
from companion.mixture import gaussian_mixture

begin(globals(), figures="svg")

# %% [markdown]
# ## The way back from noise
#
# Take an image, add noise, $\tilde{\mathbf{x}} = \mathbf{x} + \sigma\boldsymbol\eta$, and ask for the way back,
# $-\boldsymbol\eta/\sigma$. Nobody can know it from $\tilde{\mathbf{x}}$ alone, but its mean can be known: it is the score of the
# noisy images' density {cite:p}`vincent2011connection`,
#
# $$
# \mathbb{E}\left[-\boldsymbol\eta/\sigma \mid \tilde{\mathbf{x}}\right] = \nabla \log p_\sigma(\tilde{\mathbf{x}}).
# $$
#
# So a vector field $\mathbf{g}$ finds the way back as well as it agrees with that score,
#
# $$
# \mathbb{E}\,\|\mathbf{g}(\tilde{\mathbf{x}}) + \boldsymbol\eta/\sigma\|^2
#   = \mathbb{E}\,\|\mathbf{g}(\tilde{\mathbf{x}}) - \nabla \log p_\sigma(\tilde{\mathbf{x}})\|^2 + \text{a constant of the data}.
# $$
#
# For $\mathbf{g} = s\,\nabla_{\mathbf{x}} f_y$, the gradient of the true class's logit at the scale $s$ that suits it best, the left side
# divided by $\mathbb{E}\|\boldsymbol\eta/\sigma\|^2$ is **the share of the noise that is left** after one step along the gradient.
# A gradient that knows nothing of the data leaves all of it. There is no Hessian in it, the loudness of the logits does not
# count, and the noisy density is positive everywhere, so that no border is left out. What does count is the density,
# mean logit included: a function added to all logits changes it, as it should.

# %%
images = data.load("mnist5k")
few = {"tiny": 20}.get(tier, 200)
x, y = data.to_float(images.x_test[:few]), images.y_test[:few]
trained = runs.find("quick", "mnist5k", "score_matching", 0).model()
found = metrics.denoising_alignment(
    trained, x, y, sigmas=[0.05, 0.1, 0.2],
    generator=torch.Generator().manual_seed(seed),
)
shown = ["sigma", "loss", "loss_standard_error", "cosine", "n"]
found.to_frame()[shown].round(4)

# %% [markdown]
# `loss` is the share of the noise that is left, with its standard error over images. Beside it stands the mean cosine between the
# gradient and the way back.
#
# ## Does it rank rightly?
#
# Where the density is a mixture of Gaussians the score is known, and so is the error of any other one. Here are
# two mixtures of three classes, in 2 and in 64 dimensions. We spoil each in 24 ways: means moved, covariances swollen, classes drawn
# together, by little or much. Each spoilt density is a classifier, and we measure the true error of its score at its best scale, as a
# share of the score's energy, beside the noise that it leaves.

# %% tags=["hide-input"]
SPOIL = 24


def spoilt(means, spread, k, generator):
    """Return a mixture that is wrong in the k-th way."""
    size = 10 ** (2 * torch.rand((), generator=generator).item() - 1.5)
    moved = torch.randn(means.shape, generator=generator).double()
    root = torch.randn(spread.shape, generator=generator).double()
    swollen = root @ root.mT / len(root.mT)
    if k % 3 == 0:
        return means + size * moved, spread
    if k % 3 == 1:
        return means, spread + size * swollen
    return means * (1 - min(size, 1)), spread * (1 + 3 * size)


# %% tags=["hide-input"]
def ranked(dimension, sigmas=(0.05, 0.2, 0.5), points=1000):
    """Return the true error of spoilt densities and the noise they leave."""
    rng = torch.Generator().manual_seed(dimension)
    means = torch.randn(6, dimension, generator=rng).double()
    root = torch.randn(6, dimension, dimension, generator=rng).double()
    spread = 0.3 * root @ root.mT / dimension
    spread += 0.1 * torch.eye(dimension)
    classes = torch.arange(6) % 3
    truth = gaussian_mixture(means, spread, labels=classes)
    at, of = truth.sample(points, rng)
    rows = []
    for k in range(SPOIL):
        wrong = gaussian_mixture(
            *spoilt(means, spread, k, rng), labels=classes
        ).classifier()
        noise = torch.Generator().manual_seed(seed)
        error = metrics.score_alignment(wrong, at, of, truth.score(at, of))
        left = metrics.denoising_alignment(
            wrong, at, of, sigmas=sigmas, generator=noise
        )
        rows.append([error.loss, *left.loss.tolist()])
    return pd.DataFrame(rows, columns=["error", *sigmas])


# %% mystnb={"figure": {"name": "fig-yardstick-mixtures", "caption": "Spoilt densities: the noise that is left against the true error of the score, at three noise levels. Left in the plane, right in 64 dimensions. The yardstick is good if the marks of one colour climb from left to right."}, "image": {"alt": "Two scatter plots. In both, the share of noise left rises with the true error of the score, nearly without a change of order, at three noise levels."}} tags=["hide-input"]
points = {"tiny": 50}.get(tier, 1000)
spoils = {f"{d} dimensions": ranked(d, points=points) for d in (2, 64)}
figure, axes = plt.subplots(1, 2, figsize=(8.8, 3.4), layout="constrained")
for ax, (title, frame) in zip(axes, spoils.items(), strict=True):
    for sigma, marker in zip(frame.columns[1:], "o^s", strict=True):
        ax.plot(frame["error"], frame[sigma], marker, label=f"σ = {sigma}")
    ax.set(title=title, xlabel="true error of the score, best scale")
axes[0].set_ylabel("share of the noise that is left")
axes[0].legend()
plt.show()

# %% tags=["remove-cell"]
middle = {
    title: rank_correlation(frame["error"], frame[0.2])
    for title, frame in spoils.items()
}
low, high = middle.values()
tell(
    yard_plane=interval_text(low),
    yard_64=interval_text(high),
    yard_spoils=SPOIL,
)

# %% [markdown]
# The rank correlation of the two at $\sigma = 0.2$, with its 95 % bootstrap interval over the {glue:text}`yard_spoils` densities, is
# {glue:text}`yard_plane` in the plane and {glue:text}`yard_64` in 64 dimensions.
#
# ## Digits of a known density
#
# Now with networks. We fit one Gaussian to each class of digits, with its mean, its 20 principal directions and one noise
# for all the rest {cite:p}`tipping1999probabilistic`, and draw as many images as the digits have. They look like digits seen through a
# bad camera, and their density and its score are known exactly. On them we train the four kinds of network as
# [chapter 7](07_training.ipynb) trains them on digits, at half the width, each penalty at a tenth of its
# strength, at its own and at ten times it, with three seeds: {glue:text}`yard_networks` networks. (Trainings that diverged, which have no mark
# below: {glue:text}`yard_diverged`.)

# %%
mixture = known_density.density()
drawn, labels = known_density.draw(mixture, 16, seed)

# %% mystnb={"figure": {"name": "fig-yardstick-digits", "caption": "Images drawn from the known density. Black is 0 and white 1; values beyond are cut for the picture alone."}, "image": {"alt": "Two rows of eight grey images: blurred handwritten digits under an even grain."}} tags=["hide-input"]
figure, axes = plt.subplots(2, 8, figsize=(8.8, 2.4))
plots.show_images(axes.flat, drawn.clamp(0, 1))
plt.show()

# %% tags=["remove-cell"]
networks, truth = known.networks()
diverged = studies.read("known_density")["status"].ne("finished").sum()
NAMES = {
    f"loss_{sigma:g}": f"noise left, σ = {sigma:g}"
    for sigma in known_density.SIGMAS
} | {
    "turn_0.1": "1 − cosine with the way back, σ = 0.1",
    "objective": "objective of eq. 2",
    "best": "the same at its best scale",
    "squared_norm": "squared gradient norm",
}
right = known.correlations(networks, "true_error", list(NAMES))

# %% tags=["remove-cell"]
at = right.set_index("column")
first = max(NAMES, key=lambda name: abs(at["value"][name]))
tell(
    yard_networks=len(networks),
    yard_diverged=int(diverged) or "none",
    yard_least=f"{100 * networks['true_loss'].min():.0f} %",
    yard_most=f"{100 * networks['true_loss'].max():.1f} %",
    yard_middle=interval_text(at.loc["loss_0.1"]),
    yard_turn=interval_text(at.loc["turn_0.1"]),
    yard_eq2=interval_text(at.loc["objective"]),
    yard_eq2_best=interval_text(at.loc["best"]),
    yard_norm=interval_text(at.loc["squared_norm"]),
    yard_first=NAMES[first],
)

# %% mystnb={"figure": {"name": "fig-yardstick-known", "caption": "Networks trained on a known density: three yardsticks against the true error, 1 less the mean cosine of the gradient with the true score. The larger the mark, the stronger the penalty. The star is the true density itself."}, "image": {"alt": "Three scatter plots of four kinds of network in their colours, and a black star at zero error: the noise that is left at sigma 0.1, the objective of eq. 2, and the squared gradient norm, each against the true error of the score."}} tags=["hide-input"]
panels = {
    "loss_0.1": "noise left, σ = 0.1",
    "objective": "objective of eq. 2",
    "squared_norm": "squared gradient norm",
}
figure = known.scatter(
    networks, truth, "true_error", panels, "true error of the score"
)
figure.axes[1].set_yscale("symlog", linthresh=100)
figure.axes[2].set_yscale("log")
plt.show()

# %% [markdown]
# Here *true error* is 1 less the mean cosine between a network's gradient and the true score: 0 for the star, 1 for a gradient that
# knows nothing, 2 for one that points the wrong way. No network comes near the star; at their best scale they miss from
# {glue:text}`yard_least` to {glue:text}`yard_most` of the score's energy. But they differ, and a yardstick has to say which is nearer.

# %% mystnb={"figure": {"name": "fig-yardstick-ranks", "caption": "Rank correlation of each yardstick with the true error of the score, over the networks on the known density. Lines are bootstrap intervals; ticks are the extremes when one kind of network is left out. 1 would be a perfect yardstick."}, "image": {"alt": "Rank correlations with intervals, one row for each yardstick: the noise left at five noise levels, the objective of eq. 2, the same at its best scale, and the squared gradient norm."}} tags=["hide-input"]
known.intervals(right, NAMES, "rank correlation with the true error")
plt.show()

# %% [markdown]
# With the true error, the noise left at $\sigma = 0.1$ has a rank correlation of {glue:text}`yard_middle`, and 1 less the cosine with the way back {glue:text}`yard_turn`; the objective of eq. 2
# has {glue:text}`yard_eq2`, at its best scale {glue:text}`yard_eq2_best`; and the squared gradient norm, which is no
# yardstick of a density at all, has {glue:text}`yard_norm`. The largest of all belongs to {glue:text}`yard_first`.
# Here eq. 2 is at its best, on a density that vanishes at the border and without an image that decides alone; on photographs it has neither.
# And the noise must suit the data: where it drowns them, nothing is left to find the way back to.
#
# ## The test that the paper could not make
#
# On photographs nobody knows the score, and the hypothesis has to be tested with a yardstick. Here it need not be. Is the
# explanation better where the score is *truly* nearer? Explanations are judged as elsewhere in this book: by the area that the
# gradient wins over a random order in pixel perturbation ([chapter 12](12_pixel_perturbation.ipynb)), and by samples
# ([chapter 11](11_samples.ipynb)), whose judge is now the true posterior. Beside the
# gradient of the logit we ask that of the *centred* logit, $f_y - \frac1C\sum_j f_j$, which is a function of the
# probabilities alone.

# %% mystnb={"figure": {"name": "fig-yardstick-explain", "caption": "The paper's hypothesis, with the true error of the score below. If nearer densities explained better, the marks would fall from left to right. The star is the true density itself. First two panels: the area that a gradient wins over a random order, as a fraction. Last panel: the share of samples, made by climbing the logit, in which the true posterior sees their class, with the better of two step sizes."}, "image": {"alt": "Three scatter plots against the true error of the score: gain over random of the logit's gradient and of the centred logit's, and the share of samples in which the true posterior sees their class. Marks are networks, the star is the true density."}} tags=["hide-input"]
EXPLAINED = {
    "gain": "gain over random, logit",
    "gain_centred": "gain over random, centred logit",
    "judged": "samples seen as their class",
}
known.scatter(
    networks, truth, "true_error", EXPLAINED, "true error of the score"
)
plt.show()

# %% tags=["remove-cell"]
why = known.correlations(networks, "true_error", list(EXPLAINED))
why = why.set_index("column")
for name in EXPLAINED:
    row = why.loc[name]
    said = direction(row, "nearer is worse", "nearer is better", "undecided")
    kinds = "" if row["sign"] or "und" in said else ", not for all kinds"
    tell({f"why_{name}": f"{interval_text(row)}, {said}{kinds}"})
tell(
    truth_gain=f"{100 * truth['gain']:+.1f}",
    truth_centred=f"{100 * truth['gain_centred']:+.1f}",
    best_gain=f"{100 * networks['gain'].max():+.1f}",
    truth_step=f"{100 * truth['judged_0.1']:.0f} %",
    truth_small=f"{100 * truth['judged_0.01']:.0f} %",
)

# %% [markdown]
# Rank correlations with the true error (below 0, nearer is better):
#
# - gain over random, logit: {glue:text}`why_gain`;
# - gain over random, centred logit: {glue:text}`why_gain_centred`;
# - samples seen as their class: {glue:text}`why_judged`.
#
# Then look at the star. It is the end of the road that the hypothesis recommends: the density is not near, it is exact. The gradient of
# its logit wins {glue:text}`truth_gain` points over a random order; the best of the networks wins {glue:text}`best_gain`. The gradient
# of its *centred* logit wins {glue:text}`truth_centred`. The score of an exact density speaks first of all of what is improbable
# about an image, which here is its grain, and only then of its class. What belongs to the class is in the part that the
# probabilities determine.
#
# The samples carry a warning of another kind. With the step of the paper's released code, 0.1, the true posterior sees
# the class in {glue:text}`truth_step` of the true density's samples; with a step of 0.01, in {glue:text}`truth_small`. An exact density of
# noisy images is steep, and a fixed step jumps over it.
#
# ## Networks on images
#
# With the yardstick checked, to the networks of this book. Of photographs the truth is unknown, so each network is asked for the
# way back from noise on test images: the digits, and CIFAR at both tiers, as far as the weights were kept.

# %% mystnb={"figure": {"name": "fig-yardstick-networks", "caption": "The share of the noise that is left after the best step along the logit's gradient, on test images, against the noise. Thin lines are seeds, thick ones their mean. 100 % is left by a gradient that knows nothing of the data."}, "image": {"alt": "Four panels of curves, digits, CIFAR-100 and CIFAR-10 with ResNet-9, and CIFAR-100 with ResNet-18: share of the noise left against the noise level, a colour for each kind of network."}} tags=["hide-input"]
known.curves(yardsticks.SHELVES)
plt.show()

# %% tags=["remove-cell"]
SIGMA = yardsticks.SIGMA
frames = {
    title: yardsticks.of_networks(*shelf)
    for title, shelf in yardsticks.SHELVES.items()
}
ASKED = {"gain": "gain over random", **yardsticks.QUALITIES}
ranks = {
    title: yardsticks.rank_table(frames[title], ASKED)
    for title in ("digits", "CIFAR-100, ResNet-9")
}
for place, table in zip(("digits", "cifar"), ranks.values(), strict=True):
    mine = table[table["yardstick"] == "denoising"].set_index("quality")
    tell({
        f"net_{place}": yardsticks.steadily(table, "denoising", ASKED),
        f"net_{place}_gain": interval_text(mine.loc["gain"]),
        f"net_{place}_n": int(mine["n"]["gain"]),
    })
tell(net_sigma=f"{SIGMA:g}")

# %% [markdown]
# Does the yardstick go with the quality of the gradients? Within each data set we correlate the ranks of the networks, as in
# [chapter 15](15_claims.ipynb), which sets all yardsticks side by side. *Steady* is what excludes 0 and keeps its sign whichever kind is left out.
#
# - On digits, over {glue:text}`net_digits_n` networks, what goes steadily with less noise left at $\sigma =$ {glue:text}`net_sigma`:
#   {glue:text}`net_digits`. The gain over random has a rank correlation of {glue:text}`net_digits_gain`.
# - On CIFAR-100 with the small network, over {glue:text}`net_cifar_n`: {glue:text}`net_cifar`. The gain over random has a rank
#   correlation of {glue:text}`net_cifar_gain`.

# %% mystnb={"figure": {"name": "fig-yardstick-differences", "caption": "Every network a mark, as a difference from the baseline of the same seed (the first row has those whose weights were kept), a column of panels for each data set and architecture. Upwards, the gain over random: the area, in percentage points, that a network's own gradients win in pixel perturbation over a random order. From above, against the noise that is left at σ = 0.1; against the objective of eq. 2, on an axis that is linear around 0 and logarithmic beyond; and against the squared gradient norm, as a multiple of the baseline's. The grey lines are the baseline."}, "image": {"alt": "Twelve scatter plots, three for each of four sets of networks: gain over random against the noise left, against the objective, and against the squared gradient norm, all relative to the baseline of the same seed. Three kinds of network have a mark and a colour each."}} tags=["hide-input"]
label = "gain over random,\npoints above baseline"
yardsticks.against_baseline(frames, "gain", label)
plt.show()

# %% [markdown]
# {numref}`fig-yardstick-differences` takes away what the seeds and the data sets have in common. If the paper is right, the marks in
# the first two rows fall from left to right: the nearer the density, the larger the gain. If the size of the gradient is what counts,
# those in the last row do. The rank correlations above, and [chapter 15](15_claims.ipynb)'s, say which of the two is seen.

# %% [markdown]
# ## Which part of the logit is it?
#
# A logit has three parts ([chapter 3](03_logits_as_log_densities.ipynb)): $\log p_i$, which decides; $-\frac1C\sum_j \log p_j$, which the
# probabilities determine too; and the mean logit, which is free. Each is a function of $\mathbf{x}$ with a gradient, so each can be
# asked for the way back by itself.

# %% mystnb={"figure": {"name": "fig-yardstick-parts", "caption": "The share of the noise that a step along the gradient of each part takes away, at the best scale of that part. Marks are networks; where there is one of a kind, the line is the 95 % interval over images. The centred logit is the sum of the two parts that the probabilities determine."}, "image": {"alt": "Four panels, one for each set of networks. On the horizontal axis the logit, its three parts and the centred logit; on the vertical axis the share of the noise taken away. Score-matching's marks are highest for the mean logit."}} tags=["hide-input"]
known.parts(yardsticks.SHELVES, SIGMA)
plt.show()

# %% tags=["remove-cell"]
for place, shelf in zip(
    ("digits", "cifar", "ten", "paper"),
    yardsticks.SHELVES.values(),
    strict=True,
):
    table = 100 * known.taken(*shelf, SIGMA)
    for kind in ("baseline", "score_matching"):
        if kind not in table.index:
            continue
        row = table.loc[kind]
        tell({
            f"part_{place}_{kind}": f"{row['whole']:.1f} % with the logit, "
            f"{row['free']:.1f} % with the mean logit alone, "
            f"{row['centred']:.1f} % with the centred logit"
        })

# %% [markdown]
# At $\sigma =$ {glue:text}`net_sigma`, score-matching takes away
#
# - on digits {glue:text}`part_digits_score_matching` (the baseline: {glue:text}`part_digits_baseline`);
# - on CIFAR-100 with the small network {glue:text}`part_cifar_score_matching` (the baseline: {glue:text}`part_cifar_baseline`);
# - on CIFAR-100 with the paper's network {glue:text}`part_paper_score_matching` (the baseline: {glue:text}`part_paper_baseline`).
#
# Where the mean logit alone takes away more than the whole, training has put the density where it costs no accuracy: in
# the one function that no probability depends on.
#
# ## One row, computed again
#
# The tables behind these figures take far longer than this page: `companion study known_density` and `companion study denoising` make them again. Here is one
# network's line, from its weights.

# %%
run = runs.find("quick", "mnist5k", "gradient_norm", 0)
few = denoising.IMAGES["tiny" if tier == "tiny" else "quick"]
again = pd.DataFrame(denoising.measure(run, few, parts=["whole"]))
table = known.measured("quick", "mnist5k", part="whole")
kept = table[(table["model"] == "gradient_norm") & (table["seed"] == 0)]
apart = np.abs(again["loss"].to_numpy() - kept["loss"].to_numpy()).max()
again[shown].round(4)

# %% tags=["remove-cell"]
tell(again=f"{apart:.0e}" if apart else "nothing", again_few=few)

# %% [markdown]
# Here, on {glue:text}`again_few` images, the largest distance from the kept table is {glue:text}`again`.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# That the hidden density's alignment with the data is why gradients explain, and that its experiments support this. It
# measures the density by samples and by density ratios under noise, and eq. 2 is the objective that it trains with.
# :::
#
# :::{admonition} What you just saw
# - A yardstick without a Hessian: how much of the noise on an image a step along the gradient takes away. On a known density of digits its
#   rank correlation with the true error of the score is {glue:text}`yard_middle`; that of eq. 2 is {glue:text}`yard_eq2`.
# - The rank correlation of the true error with the gain over random is {glue:text}`why_gain`.
# - The exact density itself wins {glue:text}`truth_gain` points over a random order with the gradient of its logit, and
#   {glue:text}`truth_centred` with that of its centred logit.
# - On images: over the networks on CIFAR-100 (ResNet-9), what goes steadily with less noise left: {glue:text}`net_cifar`.
#   Over those on digits: {glue:text}`net_digits`.
# - On CIFAR-100 with the paper's network, score-matching takes away {glue:text}`part_paper_score_matching`.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* Find the scale $s$ that makes $\mathbb{E}\,\|s\,\mathbf{g} + \boldsymbol\eta/\sigma\|^2$ least, and the share of the noise that is left. What if all logits are doubled?
#
# :::{admonition} Solution
# :class: dropdown
#
# Write $A = \mathbb{E}\,\|\mathbf{g}\|^2$, $B = -\,\mathbb{E}\,(\mathbf{g} \cdot \boldsymbol\eta/\sigma)$ and $N = \mathbb{E}\,\|\boldsymbol\eta/\sigma\|^2$. The mean is $s^2 A - 2sB + N$, least at $s = B/A$, and the share left is $1 - B^2/(AN)$. Doubled logits double
# $B$ and make $A$ four times as large. So $s$ is halved, and the share is what it was: the yardstick does not hear how loud the logits are. (If $B$ is negative the gradient points the wrong way. Then the best scale that is not negative is 0, and all of the noise
# is left.)
# :::
#
# **2.** *With one line.* In the first cell, ask for `sigmas=[0.05, 0.1, 0.2, 0.5, 1.0]`. At which noise does the score-matched network find back best?
#
# :::{admonition} Solution
# :class: dropdown
#
# In the middle. On the two hundred digits we found about 94, 90, 92, 98 and 100 % left. With little noise the way back is hard to see, since the picture itself says where it should be only roughly; with much of it there is hardly a digit left to go back to. The networks'
# density has a grain, and the noise has to fit it.
# :::
#
# **3.** *What would happen if* the density were perfect? Let the data be $\mathcal{N}(\mathbf{0}, v\,\mathbf{I})$ and the gradient the true score of the noisy data. How much is left?
#
# :::{admonition} Solution
# :class: dropdown
#
# The noisy data have the variance $v + \sigma^2$ and the score $-\tilde{\mathbf{x}}/(v + \sigma^2)$. The noise given $\tilde{\mathbf{x}}$ has the mean $\sigma \tilde{\mathbf{x}} / (v + \sigma^2)$, and what it varies by around that is $v/(v + \sigma^2)$ of its energy. That
# is the share left, and no gradient can leave less. With $\sigma^2$ much smaller than $v$ it is nearly all. So 100 % is not the mark of a bad density at every noise, and networks can be compared at the same $\sigma$ only.
# :::
