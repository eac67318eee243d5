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
# # A test that asks the density
#
# How good is a saliency map? A popular answer: delete the pixels that the map calls unimportant, and see what the
# network's output does {cite:p}`samek2016evaluating`. If little happens, the map was right. The test sounds as
# though it could not go wrong, since it asks the network itself.
#
# But a network has several outputs, and two of them answer different questions. The question of this chapter:
# **when we delete pixels and watch the logit, what is being tested?**

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["hide-input"]
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats
from torch import nn

from companion import data, fooling, runs
from companion.book import figures, plots
from companion.book.curves import curve_with_band
from companion.experiments import presets
from companion.book.opening import begin, tell
from companion.book.strongest import strongest
from companion.gradients import logit_gradient
from companion.metrics import (
    extremal_mask, mean_interval, paired_difference_interval,
    pixel_perturbation,
)
from companion.book.words import direction, interval_text

begin(globals())
dataset = presets.DATASETS[tier][0]
count, masked, mask_steps = {"tiny": (12, 3, 2)}.get(tier, (100, 6, 40))
fractions = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
source = torch.Generator().manual_seed(seed)

# %% [markdown]
# ## An identity
#
# Read the logits as log-densities, as in [chapter 3](03_logits_as_log_densities.ipynb): $p_\theta(\mathbf{x} \mid
# y = i) = \exp f_i(\mathbf{x}) / Z_i$. Let $\mathbf{x}'$ be the picture $\mathbf{x}$ with some pixels replaced.
# Divide one density by the other, and the unknown $Z_i$ cancels:
#
# $$
# \log \frac{p_\theta(\mathbf{x}' \mid y = i)}{p_\theta(\mathbf{x} \mid y = i)}
# = f_i(\mathbf{x}') - f_i(\mathbf{x}) .
# $$ (eq-ratio-identity)
#
# The right side is what the test reads off. The left side says what it means: *is the damaged picture as
# likely as the whole one?* That is a question to a density of pictures. "Which class is this?" does not occur in
# it.
#
# To see that nothing has been lost on the way, we run the test where the density is known. Two classes of
# "pictures" of 6 by 6 pixels are Gaussian; the classifier's logits are $\log p(\mathbf{x}, i)$. One column below
# is the test, run through the classifier. The other replaces the pixels by hand and asks the formula of the
# Gaussian for both densities.

# %%
pixels, n = 36, 50
centres = torch.rand(2, pixels, generator=source, dtype=torch.float64)
mixture = data.gaussian_mixture(centres, 0.05, weights=torch.tensor([1.0, 3.0]))
bayes = nn.Sequential(nn.Flatten(), mixture.classifier())
flat, label = mixture.sample(n, source)
gaussian = flat.view(n, 1, 6, 6)
saliency = logit_gradient(bayes, gaussian, label)
test = pixel_perturbation(
    bayes, gaussian, label, saliency, fractions=fractions, score="logit"
)

# %%
least_first = saliency.abs().flatten(1).argsort(dim=1, stable=True)
mean = flat.mean(dim=1, keepdim=True)
rows = []
for fraction, by_test in zip(fractions, test.per_sample, strict=True):
    damaged = flat.clone()
    replaced = least_first[:, : round(fraction * pixels)]
    damaged.scatter_(1, replaced, mean.expand_as(replaced))
    before, after = (mixture.log_density(z, label) for z in (flat, damaged))
    rows.append({
        "pixels replaced": fraction,
        "change of the logit": float(by_test.mean()),
        "log density ratio": float((after - before).mean()),
        "largest difference": float((by_test - (after - before)).abs().max()),
    })
table = pd.DataFrame(rows).set_index("pixels replaced")
styled = table.style.format("{:.4f}").format_index("{:.0%}")
styled.format("{:.0e}", subset=["largest difference"])

# %% tags=["remove-cell"]
tell(
    identity_gap=f"{table['largest difference'].max():.0e}",
    identity_size=float(table["log density ratio"].abs().max()),
    gaussian_pictures=n,
)

# %% [markdown]
# The means agree to every digit shown. Over {glue:text}`gaussian_pictures` pictures and all fractions the largest
# difference of a single picture is {glue:text}`identity_gap`, in numbers of the size of
# {glue:text}`identity_size:.0f`.
#
# ## A corner that nobody looks at
#
# If the logit test asks the density, then it must listen to what changes the density and leaves the classifier
# alone: a function $g$ added to all logits ([chapter 1](01_softmax_shift.ipynb)). Ours looks at the lower left corner of
# the picture, where digits are seldom. It adds up the pixels there:
#
# $$
# g(\mathbf{x}) = s \sum_{d \,\in\, \mathrm{corner}} x_d .
# $$ (eq-ratio-corner)
#
# With $s > 0$ the network's density likes ink in the corner, with $s < 0$ it dislikes it. By
# {eq}`eq-ratio-identity`, the test's result moves by $g(\mathbf{x}') - g(\mathbf{x})$ exactly. We take the
# baseline, its own gradient map and the first {glue:text}`count` test images. The least relevant pixels go
# first, and each is replaced by the mean of its image. The map is that of the untouched network throughout, so
# that all three networks see the same damaged pictures. As every such test needs, there is a random order too,
# for the comparison below the figure.

# %%
images = data.load(dataset)
x = data.to_float(images.x_test[:count]).to(device)
y = images.y_test[:count].to(device)
model = runs.find(tier, dataset, "baseline", seed).model().to(device)
gradient = logit_gradient(model, x, y)


# %%
def corner_of(pictures):
    """Return a picture of zeros with ones in its lower left corner."""
    side, corner = pictures.shape[-1] // 3, torch.zeros(pictures.shape[1:])
    corner[:, -side:, :side] = 1.0
    return corner


def three_networks(model, corner):
    """Return the network as trained, and with the corner liked and disliked."""
    likes, dislikes = (
        fooling.shift_logits(model, fooling.linear_shift(corner, strength))
        for strength in (2.0, -2.0)
    )
    return {
        "as trained": model,
        "likes ink in the corner": likes.eval(),
        "dislikes it": dislikes.eval(),
    }


corner = corner_of(x)
networks = three_networks(model, corner)


# %%
SCORES = ("logit", "probability", "accuracy")


def perturbed(
    network, score, on=(x, y, gradient), order="least", replacement="mean"
):
    """Run the test: by default on test images, with the trained map."""
    return pixel_perturbation(
        network, *on, fractions=fractions, score=score, order=order,
        replacement=replacement,
        generator=torch.Generator().manual_seed(seed),  # the same for each
    )


def by_three_scores(networks, on=(x, y, gradient)):
    """Run the test on each network, by each score."""
    return {
        (name, score): perturbed(network, score, on)
        for name, network in networks.items()
        for score in SCORES
    }


# %%
curves = by_three_scores(networks)
at_random = {
    (name, score): perturbed(network, score, order="random")
    for name, network in networks.items()
    for score in ("logit", "probability")
}

# %% mystnb={"figure": {"name": "fig-ratio-shift", "caption": "The pixel perturbation test of one map on three networks that give the same answers: scored by the logit, by the probability and by the accuracy. Bands: 95 % over images. In the second and third panel three curves lie on each other."}, "image": {"alt": "Three panels. In the first, three curves part widely: one bends up, one stays between, one bends down. In the second and third only one curve is to be seen, falling as pixels are replaced."}} tags=["hide-input"]
def draw_three_scores(curves):
    """Draw the curves of the three networks, a panel for each score."""
    figure, axes = plt.subplots(1, 3, figsize=(8.8, 3.2))
    looks = (
        ("#000000", "o", "-"), ("#E69F00", "^", "--"), ("#CC79A7", "v", ":"),
    )
    titles = (
        "Logit: three curves", "Probability: one curve", "Accuracy: one curve",
    )
    for ax, score, title in zip(axes, SCORES, titles, strict=True):
        for name, (colour, marker, dashes) in zip(networks, looks, strict=True):
            frame = curves[name, score].to_frame()
            line = curve_with_band(ax, frame, color=colour, label=name)
            line.set(marker=marker, linestyle=dashes)
        ax.set(title=title, xlabel="share of pixels replaced")
    axes[0].set_ylabel("log density ratio")
    axes[1].set(ylabel="probability of the class", ylim=(-0.03, 1.03))
    axes[2].set(ylabel="accuracy", ylim=(-0.03, 1.03))
    axes[0].legend(loc="best")
    plt.show()


set_matplotlib_formats("svg")
draw_three_scores(curves)

# %% tags=["remove-cell"]
KEYS = dict(zip(("plain", "likes", "dislikes"), networks, strict=True))
unclear = "not clearly better or worse than"
sure = {}
for key, name in KEYS.items():
    denser, surer = (
        paired_difference_interval(
            curves[name, score].area(), at_random[name, score].area()
        )
        for score in ("logit", "probability")
    )
    sure[key] = direction(
        surer, "better", "worse", "neither clearly better nor worse"
    )
    tell({
        f"map_{key}": direction(denser, "better than", "worse than", unclear),
        f"map_{key}_gap": interval_text(denser, "{:+.2f}"),
        f"sure_{key}": sure[key],
        f"sure_{key}_gap": interval_text(surer, "{:+.3f}"),
    })
agree = "agree" if len(set(sure.values())) == 1 else "do not agree"
tell(count=count, sure_agree=agree)


# %% tags=["remove-cell"]
def tell_what_moved(curves, prefix=""):
    """Tell the log density ratios at half the pixels, and what else moved."""
    half = fractions.index(0.5)
    for key, name in KEYS.items():
        ratio = mean_interval(curves[name, "logit"].per_sample[half])
        tell({f"{prefix}half_{key}": interval_text(ratio, "{:+.1f}")})
    trained = curves["as trained", "probability"].per_sample
    answers = curves["as trained", "accuracy"].per_sample
    moved, changed = 0.0, 0
    altered = [name for name in networks if name != "as trained"]
    for name in altered:
        probability = curves[name, "probability"].per_sample
        moved = max(moved, float((probability - trained).abs().max()))
        given = curves[name, "accuracy"].per_sample
        changed += int((given != answers).sum())
    tell({
        f"{prefix}probability_moved": f"{moved:.0e}",
        f"{prefix}answers_moved": changed,
        f"{prefix}answers": answers.numel() * len(altered),
    })


tell_what_moved(curves)

# %% [markdown]
# With half the pixels replaced, the mean log density ratio is {glue:text}`half_plain` for the network as
# trained, {glue:text}`half_likes` where the corner is liked and {glue:text}`half_dislikes` where it is disliked
# (95 % over images). Meanwhile no probability of any damaged picture moved by more than
# {glue:text}`probability_moved`, which is rounding, and of {glue:text}`answers` answers of the two altered
# networks {glue:text}`answers_moved` changed ({numref}`fig-ratio-shift`).
#
# Even the verdict on the map depends on $g$. Scored by the logit, and with the mean height of the curve for a
# mark, the gradient map is
#
# - {glue:text}`map_plain` a random order on the network as trained, by {glue:text}`map_plain_gap`;
# - {glue:text}`map_likes` a random order where the corner is liked, by {glue:text}`map_likes_gap`;
# - {glue:text}`map_dislikes` a random order where the corner is disliked, by {glue:text}`map_dislikes_gap`.
#
# Same map, same damaged pictures, same answers. Scored by the probability the three networks
# {glue:text}`sure_agree`: against a random order, the map is {glue:text}`sure_plain` on the network as trained
# ({glue:text}`sure_plain_gap`), {glue:text}`sure_likes` where the corner is liked ({glue:text}`sure_likes_gap`) and
# {glue:text}`sure_dislikes` where it is disliked ({glue:text}`sure_dislikes_gap`).
#
# ## Do the two scores disagree on ordinary networks?
#
# Nobody adds corners to networks. So we leave $g$ out, and ask how often the density's answer and the
# classifier's differ on the baseline as it is. A deleted pixel has to become something. Three replacements are in
# use: the image's mean, a fixed grey of one half, and random values.

# %%
kinds = {
    (replacement, score): perturbed(model, score, replacement=replacement)
    for replacement in ("mean", "grey", "random")
    for score in SCORES
}

# %% mystnb={"figure": {"name": "fig-ratio-replacement", "caption": "The baseline's own gradient map, least relevant pixels first, with three replacements and three scores; grey and random values nearly coincide. Bands: 95 % over images."}, "image": {"alt": "Three panels with a curve for each replacement. In every panel the mean keeps the curve highest; grey and random values nearly coincide, and fall far below it long before the right end."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(8.8, 3.2))
looks = {
    "mean": ("#0072B2", "o", "-"),
    "grey": ("#8C8C8C", "s", "--"),
    "random": ("#D55E00", "x", ":"),
}
labels = ("log density ratio", "probability of the class", "accuracy")
for ax, score, label_ in zip(axes, SCORES, labels, strict=True):
    for name, (colour, marker, dashes) in looks.items():
        frame = kinds[name, score].to_frame()
        line = curve_with_band(ax, frame, color=colour, label=name)
        line.set(marker=marker, linestyle=dashes)
    ax.set(title=label_.capitalize(), xlabel="share of pixels replaced")
axes[0].legend(title="replaced by")
plt.show()

# %%
quarter = fractions.index(0.25)


def verdicts(replacement):
    """Return the shares of images with each of the four pairs of answers."""
    ratio = kinds[replacement, "logit"].per_sample[quarter]
    probability = kinds[replacement, "probability"].per_sample
    denser, surer = ratio > 0, probability[quarter] > probability[0]
    return {
        "denser, surer": float((denser & surer).double().mean()),
        "denser, less sure": float((denser & ~surer).double().mean()),
        "less dense, surer": float((~denser & surer).double().mean()),
        "less dense, less sure": float((~denser & ~surer).double().mean()),
    }


table = pd.DataFrame({name: verdicts(name) for name in looks}).T
table.index.name = "replaced by"
table.style.format("{:.0%}")

# %% tags=["remove-cell"]
at_quarter = {key: curve.per_sample[quarter] for key, curve in kinds.items()}
forms = {"logit": "{:+.1f}", "probability": "{:.2f}", "accuracy": "{:.2f}"}
for (name, score), values in at_quarter.items():
    ends = mean_interval(values)
    tell({f"{name}_{score}": interval_text(ends, forms[score])})
unlike = table["denser, less sure"] + table["less dense, surer"]
tell({f"{name}_unlike": 100 * float(unlike[name]) for name in looks})
words = ("a higher", "a lower", "no clear change in the")
against = {"grey": [], "random": []}
for score in ("logit", "probability"):
    for name in ("grey", "random"):
        gap = paired_difference_interval(
            at_quarter[name, score], at_quarter["mean", score]
        )
        against[name].append(direction(gap, *words))
said = {
    name: f"{a} density ratio and {b} probability"
    for name, (a, b) in against.items()
}
tell(
    against_mean=f"grey and random values both give {said['grey']}"
    if said["grey"] == said["random"]
    else f"grey gives {said['grey']}; random values give {said['random']}"
)

# %% [markdown]
# | a quarter replaced by | log density ratio | probability | accuracy |
# |---|---|---|---|
# | the mean | {glue:text}`mean_logit` | {glue:text}`mean_probability` | {glue:text}`mean_accuracy` |
# | grey | {glue:text}`grey_logit` | {glue:text}`grey_probability` | {glue:text}`grey_accuracy` |
# | random values | {glue:text}`random_logit` | {glue:text}`random_probability` | {glue:text}`random_accuracy` |
#
# Against the mean, {glue:text}`against_mean` ({numref}`fig-ratio-replacement`).
#
# The first of the two tables asks two questions of every image with a quarter of its pixels replaced. Is the damaged
# picture denser than the whole one? Is the classifier surer of the class than it was? If the logit and the
# probability measured the same thing, the two middle columns would be empty. They hold
# {glue:text}`mean_unlike:.0f` % of the images with the mean, {glue:text}`grey_unlike:.0f` % with grey and
# {glue:text}`random_unlike:.0f` % with random values.
#
# ## The mask that keeps the logit
#
# {cite:t}`fong2019understanding` turn the test round. They do not delete pixels by a given map; they look for the
# smallest set of pixels that holds the output up. Formally, among all masks $m$ of a given area, they choose
#
# $$
# m^\ast = \arg\max_m \; f_i\big(m \odot \mathbf{x} + (1 - m) \odot \mathbf{r}\big)
# = \arg\max_m \; \log \frac{p_\theta(\mathbf{x}'_m \mid y = i)}{p_\theta(\mathbf{x} \mid y = i)},
# $$ (eq-ratio-mask)
#
# where $\mathbf{r}$ is the replacement. The two sides differ by $f_i(\mathbf{x})$, which no mask changes. So the
# search for the decisive pixels is a search for a *likely picture*. Our masks are a simplification of theirs: a
# smooth one of a fifth of the area, held exactly, found by a few steps of Adam; the rest of the picture becomes
# its mean. We run it with the logit and with the probability, on the network as trained and on the one that
# dislikes ink in the corner, all in double precision, since an optimiser magnifies rounding. Filling the corner with the image's mean puts ink there, so this network
# should prefer a mask that keeps the corner as it is: empty.

# %%
model.double()
subjects, classes = x[:masked].double(), y[:masked]
masks = {
    (name, objective): extremal_mask(
        networks[name], subjects, classes,
        area=0.2, objective=objective, steps=mask_steps,
    )
    for name in ("as trained", "dislikes it")
    for objective in ("logit", "probability")
}

# %% mystnb={"figure": {"name": "fig-ratio-masks", "caption": "What is kept (white) and what is replaced (black), for test images, two objectives and two networks with the same answers."}, "image": {"alt": "Rows of images: the digits, then four rows of soft masks. The two rows for the probability are the same; the two for the logit are not: with the corner disliked the mask covers the lower left corner."}} tags=["hide-input"]
set_matplotlib_formats("png", dpi=200)
size = (1.05 * masked + 1.8, 5.2)
figure, axes = plt.subplots(5, masked, figsize=size, squeeze=False)
side = {"rotation": 0, "ha": "right", "va": "center", "fontsize": 9}
plots.show_images(axes[0], x[:masked])
axes[0, 0].set_ylabel("image", **side)
rows_ = [
    (name, score)
    for score in ("logit", "probability")
    for name in ("as trained", "dislikes it")
]
for row, (name, score) in zip(axes[1:], rows_, strict=True):
    plots.show_images(row, masks[name, score].mask)
    written = name.replace("dislikes it", "corner disliked")
    row[0].set_ylabel(f"{score},\n{written}", **side)
plt.show()

# %%
def summary(result):
    """Return what a mask does to the trained network and to the corner."""
    with torch.no_grad():
        change = model(result.perturbed) - model(subjects)
    change = change.gather(1, classes[:, None])[:, 0]
    kept = (result.mask.cpu() * corner[:1]).sum(dim=(1, 2, 3))
    return {
        "log density ratio": mean_interval(change),
        "probability": mean_interval(result.probability),
        "share of the corner kept": mean_interval(kept / corner[:1].sum()),
    }

# %%
summaries = {
    f"{objective}, {name}": summary(result)
    for (name, objective), result in masks.items()
}
forms = {
    "log density ratio": "{:+.1f}",
    "probability": "{:.2f}",
    "share of the corner kept": "{:.2f}",
}
rows = {
    key: {name: interval_text(row[name], form) for name, form in forms.items()}
    for key, row in summaries.items()
}
pd.DataFrame(rows).T.rename_axis("objective, network")

# %% tags=["remove-cell"]
for objective in ("logit", "probability"):
    trained, disliking = (
        masks[name, objective].mask for name in ("as trained", "dislikes it")
    )
    apart = float((trained - disliking).abs().mean())
    tell({f"{objective}_masks_apart": f"{apart:.1g}"})
before, after = (
    summaries[f"logit, {name}"]["share of the corner kept"].value
    for name in ("as trained", "dislikes it")
)
tell(corner_before=before, corner_after=after, masked=masked)

# %% tags=["remove-cell"]
by_logit, by_probability = (
    masks["as trained", objective] for objective in ("logit", "probability")
)
denser = paired_difference_interval(
    by_logit.log_density_ratio, by_probability.log_density_ratio
)
surer = paired_difference_interval(
    by_logit.probability, by_probability.probability
)
tell(
    denser=int((by_logit.log_density_ratio > 0).sum()),
    logit_gain=interval_text(denser, "{:+.1f}"),
    probability_gain=interval_text(surer, "{:+.2f}"),
)

# %% [markdown]
# Adding the corner to the logits moved the logit's masks by {glue:text}`logit_masks_apart` a pixel on average
# (a mask runs from 0 to 1), and {glue:text}`corner_after:.0%` of the corner is kept in place of
# {glue:text}`corner_before:.0%`. The probability's masks moved by {glue:text}`probability_masks_apart`
# ({numref}`fig-ratio-masks`). An interval over so few images is wide, and that of a probability or a share can run
# past 0 and 1.
#
# On the network as trained, the mask found with the logit reaches a log density ratio that differs by
# {glue:text}`logit_gain` from that of the mask found with the probability; its probability differs by
# {glue:text}`probability_gain`. And for {glue:text}`denser` of the {glue:text}`masked` images the picture
# with four fifths of it erased is *more* likely, under the network's density, than the one it was made from. A
# maximiser looks for such pictures. It is the climb of [chapter 8](08_activation_maximisation.ipynb), with the mask
# in place of the pixels.

# %% tags=["remove-cell"]
drawers = strongest("cifar100", "samples")
theirs = figures.evaluated(*drawers.shelf)
drawn = [run.pictures()["samples"] for run in theirs.values()]
meant = [
    torch.tensor(run.table("samples")["target"][: len(pictures)].to_numpy())
    for run, pictures in zip(theirs.values(), drawn, strict=True)
]
drawn, meant = torch.cat(drawn).to(device), torch.cat(meant)
reader = runs.find("small", "cifar100", "baseline", 0).model().to(device)
on_cifar = (drawn, meant, logit_gradient(reader, drawn, meant))
cifar_networks = three_networks(reader, corner_of(drawn))
cifar_curves = by_three_scores(cifar_networks, on_cifar)
tell(cifar_drawn=len(drawn), cifar_drawers=drawers.short())
tell_what_moved(cifar_curves, "cifar_")

# %% [markdown]
# ## On CIFAR-100
#
# Nothing in {eq}`eq-ratio-identity` asks how large a picture is or how many classes there are. So we repeat the
# test with the small CIFAR-100 baseline of [chapter 7](07_training.ipynb); the corner is that of a colour picture now. The
# pictures are {glue:text}`cifar_drawn` that other networks [drew from noise](11_samples.ipynb)
# ({glue:text}`cifar_drawers`): they come with the book, and the photographs do not. With
# `tier=small` the whole chapter runs on the photographs.

# %% mystnb={"figure": {"name": "fig-ratio-cifar", "caption": "The test of {numref}`fig-ratio-shift` on the baseline of CIFAR-100 and on pictures that the networks drew. Bands: 95 % over pictures."}, "image": {"alt": "Three panels. In the first, three curves part; in the second and third the three lie on each other and fall as pixels are replaced."}} tags=["hide-input"]
draw_three_scores(cifar_curves)

# %% [markdown]
# With half the pixels replaced the mean log density ratio is {glue:text}`cifar_half_plain` for the network as
# trained, {glue:text}`cifar_half_likes` where the corner is liked and {glue:text}`cifar_half_dislikes` where it
# is disliked. No probability of any damaged picture moved by more than {glue:text}`cifar_probability_moved`, and
# {glue:text}`cifar_answers_moved` of {glue:text}`cifar_answers` answers changed.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Section 4.2: with the logit as the score, pixel perturbation "exactly measures the density ratio between the
# perturbed image and the original image", and {cite:t}`fong2019understanding` optimise the same. It
# recommends that the test "always be used in conjunction with either the change in output probabilities, or the
# change in the accuracy". The section argues; its experiments (section 5.2) use accuracy.
# :::
#
# :::{admonition} What you just saw
# - Where the density is known, the test's result is the density ratio to {glue:text}`identity_gap`.
# - A function that changes no answer moved the result with half the pixels replaced from {glue:text}`half_plain`
#   to {glue:text}`half_likes` and {glue:text}`half_dislikes`. It changed {glue:text}`answers_moved` of
#   {glue:text}`answers` answers.
# - On CIFAR-100's baseline the result moved from {glue:text}`cifar_half_plain` to
#   {glue:text}`cifar_half_likes` and {glue:text}`cifar_half_dislikes`; {glue:text}`cifar_answers_moved` of
#   {glue:text}`cifar_answers` answers changed.
# - On the baseline as it is, density and probability point in opposite ways for {glue:text}`mean_unlike:.0f` %,
#   {glue:text}`grey_unlike:.0f` % and {glue:text}`random_unlike:.0f` % of the images, by replacement.
# - The same function moved the logit's masks by {glue:text}`logit_masks_apart` a pixel, and the probability's
#   by {glue:text}`probability_masks_apart`.
# :::
#
# The book follows the advice: [chapter 12](12_pixel_perturbation.ipynb) scores by accuracy.
#
# ## Exercises
#
# **1.** *With pencil and paper.* All pixels of the corner are black, and the test replaces each by the mean pixel $\bar x$ of the picture. By how much does the result move on the network that likes
# ink there? A digit has 28 by 28 pixels, the corner is nine pixels wide, and a typical mean is 0.13.
#
# :::{admonition} Solution
# :class: dropdown
#
# By $g(\mathbf{x}') - g(\mathbf{x}) = s \cdot 81\,\bar x$, which is $2 \cdot 81 \cdot 0.13 \approx 21$, by {eq}`eq-ratio-corner`. In units of the density ratio that is a factor of $e^{21}$, about a
# thousand million. No probability has moved.
# :::
#
# **2.** *With one line.* In `three_networks`, make the strengths 20 and $-20$ in place of 2 and $-2$. Before you execute the chapter again: what becomes of the three panels of
# {numref}`fig-ratio-shift`?
#
# :::{admonition} Solution
# :class: dropdown
#
# In the first panel the two altered curves move ten times as far from the curve of the network as trained, since $g$ is proportional to $s$. The second and the third panel stay as
# they are, but for rounding, which grows with the logits. The replaced pixels are the same too, because the map is that of the untouched network throughout.
# :::
#
# **3.** *What would happen if* the test watched the logit less that of the strongest rival, $f_i - \max_{k \neq i} f_k$?
#
# :::{admonition} Solution
# :class: dropdown
#
# It would be deaf to $g$, which is added to both and cancels. This score is $\log p_i - \max_{k \neq i} \log p_k$, a function of the probabilities, and it is above 0 exactly where the class is
# the answer. Unlike a probability it does not saturate where the network is sure. It no longer measures a density ratio, of course: that is the point.
# :::
