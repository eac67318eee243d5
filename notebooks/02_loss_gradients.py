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
# # A ripple on the loss
#
# [Chapter 1](01_softmax_shift.ipynb) drew a face into every logit-gradient, and could not touch the
# gradient of the loss. That suggests a remedy: use the loss-gradient instead. **Are loss-gradients any
# safer?**
#
# They are safer in one sense. The loss-gradient is fixed by the classifier: the same probabilities at every
# input give the same loss-gradients. But suppose that the probabilities need not be *quite* the same. The
# paper's appendix A.1 shows that two losses may differ by as little as you like while their gradients
# differ by as much as you like {cite:p}`srinivas2021rethinking`. Its argument has a slip in it, which can
# be mended. Then it makes a remark about confident samples, which we measure.

# %% tags=["parameters", "hide-input"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["hide-input"]
import math
from collections.abc import Callable

import pandas as pd
import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats
from torch import Tensor, nn

from companion import data, fooling, live, runs
from companion.book import plots, stencils
from companion.book.curves import curve_with_band
from companion.experiments import presets
from companion.book.opening import begin, tell
from companion.book.words import interval_text
from companion.gradients import logit_gradient, loss_gradient
from companion.metrics import mean_interval

begin(globals())

# %% tags=["remove-cell"]
dataset = presets.DATASETS[tier][0]
model = runs.find(tier, dataset, "baseline", seed).model().to(device).double()
images = data.load(dataset)
count = {"tiny": 24}.get(tier, 300)
x = data.to_float(images.x_test[:count]).to(device).double()
y = images.y_test[:count].to(device)
with torch.no_grad():
    probability = model(x).softmax(dim=1).gather(1, y[:, None])[:, 0]
by_confidence, D = probability.argsort(), x[0].numel()

# %% [markdown]
# Here are two such ripples to play with, on images from uncertain to confident: on the loss, as the appendix has it,
# and on one logit, which makes it a classifier. The first is as high as $\epsilon$ says, and as steep as $m \epsilon$.
# The bounds are printed beside what is measured. Watch the sum of $\exp(-\tilde\ell_i)$ in the second link: it gives
# the game away.

# %% tags=["hide-input"]
ranks = [int(q * (count - 1)) for q in (0.0, 0.03, 0.1, 0.3, 0.6, 0.9)]
offered = by_confidence[ranks]
live.ripple(model, x[offered], y[offered], images.class_names)

# %% [markdown]
# Everything in this chapter is computed in double precision, because it is about small numbers.
#
# ## As printed
#
# The appendix adds a wave of small height $\epsilon$ and high frequency $m$ to the loss of every class.
#
# ````{prf:proposition} A ripple on the loss, appendix A.1
# :label: prf-ripple
#
# Let $g(\mathbf{x}) = \epsilon \sin\big(m \sum_{d=1}^D x_d\big)$ with $\epsilon, m > 0$, and let
# $\tilde\ell_i = \ell_i + g$ for every class $i$. Then at every $\mathbf{x}$
#
# $$
# |\tilde\ell_i - \ell_i| \le \epsilon
# \qquad\text{and}\qquad
# \|\nabla_{\mathbf{x}} \tilde\ell_i - \nabla_{\mathbf{x}} \ell_i\|_1 \le m\,\epsilon\,D .
# $$ (eq-ripple-bounds)
# ````
#
# ````{prf:proof}
# The differences are $g$ and $\nabla_{\mathbf{x}} g$. A sine is at most 1. Each of the $D$ entries of
# $\nabla_{\mathbf{x}} g$ is $m \epsilon \cos\big(m \sum_d x_d\big)$, and a cosine is at most 1.
# ````
#
# The paper writes $\sin(m \mathbf{x})$ of a vector; the sum is the reading for which both bounds hold and are
# attained, though never at the same place: the sine is at its peak where the cosine is nought. We can go and
# look. Brightening an image evenly moves it along the wave, and a whole wavelength is $2\pi / mD$,
# which is far less than one grey level.

# %%
epsilon, m = 0.01, 50.0
printed = fooling.ripple_loss(model, epsilon, m)


def gradient_of(
    loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor
) -> Tensor:
    """Return the gradient, like x, of a loss (B, ...), (B,) -> (B,)."""
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(loss(leaf, y).sum(), leaf)[0]


def brighten(
    x: Tensor, phase: float, frequency: float, picture: Tensor
) -> Tensor:
    """Brighten evenly until frequency <x, picture> is `phase`, modulo 2 pi."""
    overlap = (x * picture).flatten(1).sum(dim=1)
    turn = (phase - frequency * overlap) % (2 * math.pi)
    added = turn / (frequency * picture.expand_as(x[0]).sum())
    return x + added[:, None, None, None]


def largest_norm(maps: Tensor) -> float:
    """Return the largest ‖map‖₁ of a batch."""
    return float(maps.flatten(1).norm(p=1, dim=1).max())


# %%
few, ones = by_confidence[: {"tiny": 6}.get(tier, 30)], torch.ones_like(x[0])
places = {
    "the image itself": x[few],
    "brightened to a peak": brighten(x[few], math.pi / 2, m, ones),
    "brightened to a slope": brighten(x[few], 0.0, m, ones),
}
loss_bound = fooling.ripple_loss_bound(epsilon)
gradient_bound = fooling.ripple_gradient_bound(epsilon, m, D)
rows = {}
for place, points in places.items():
    before = loss_gradient(model, points, y[few])
    turned = gradient_of(printed, points, y[few]) - before
    with torch.no_grad():
        plain = F.cross_entropy(model(points), y[few], reduction="none")
        moved = float((printed(points, y[few]) - plain).abs().max())
    rows[place] = {
        "largest |change of loss| / ε": moved / loss_bound,
        "largest ‖change of gradient‖₁ / mεD": (
            largest_norm(turned) / gradient_bound
        ),
    }
attained = pd.DataFrame(rows).T
attained.style.format("{:.6f}")

# %% tags=["remove-cell"]
tell(
    epsilon=epsilon,
    frequency=m,
    wavelength_in_grey_levels=255 * 2 * math.pi / (m * D),
    bound_loss_attained=float(attained.iloc[1, 0]),
    bound_gradient_attained=float(attained.iloc[2, 1]),
    bound_loss_worst=float(attained.iloc[:, 0].max()),
    bound_gradient_worst=float(attained.iloc[:, 1].max()),
    checked=len(few),
)

# %% [markdown]
# Here $\epsilon$ is {glue:text}`epsilon`, $m$ is {glue:text}`frequency:.0f`, and a wavelength is
# {glue:text}`wavelength_in_grey_levels:.2f` of a grey level; the images are the {glue:text}`checked` test
# images of which the network is least certain. At a peak the first ratio is
# {glue:text}`bound_loss_attained:.4g`, on a slope the second is {glue:text}`bound_gradient_attained:.4g`.
# Both bounds hold, and neither can be improved. For a fixed $\epsilon$ the second grows with $m$ without
# end.
#
# ## The slip
#
# Now look at what has been built. A cross-entropy loss is minus the logarithm of a probability, so over the
# classes $\sum_i \exp(-\ell_i) = 1$. With $g$ added to each,
#
# $$
# \sum_{i=1}^C \exp(-\tilde\ell_i) = \sum_{i=1}^C \exp(-\ell_i - g) = e^{-g} \neq 1 .
# $$ (eq-ripple-sum)
#
# These "probabilities" do not sum to one. And where the network is confident, $\ell_i < \epsilon$, a trough
# of the wave takes the loss below zero: a probability above one.

# %%
classes = range(images.num_classes)
with torch.no_grad():
    losses = torch.stack([printed(x[few], i) for i in classes])
    total = (-losses).exp().sum(dim=0)
    below_zero = int((printed(x, y) < 0).sum())
pd.DataFrame({
    "smallest sum": [f"{float(total.min()):.6f}"],
    "largest sum": [f"{float(total.max()):.6f}"],
    "losses < 0": [below_zero],
}, index=["the printed loss"])

# %% tags=["remove-cell"]
tell(
    sum_low=float(total.min()),
    sum_high=float(total.max()),
    below_zero=below_zero,
    count=count,
)

# %% [markdown]
# Over those images the sums run from {glue:text}`sum_low:.4f` to {glue:text}`sum_high:.4f`, and of
# {glue:text}`count` test images {glue:text}`below_zero` have a loss below zero. No softmax classifier has
# such losses. The proposition is true of functions, and no classifier is among them.
#
# ## Mended
#
# Add the ripple to *one logit* instead, that of class $k$: $\tilde f_k = f_k + g$, the others as they were.
# This is a classifier by construction. Its losses follow from the softmax,
#
# $$
# \tilde\ell_i - \ell_i = \log\big(1 + p_k\,(e^g - 1)\big) - \delta_{ik}\,g ,
# $$ (eq-ripple-one-logit)
#
# where $\delta_{ik}$ is 1 if $i = k$, and 0 otherwise. The logarithm lies between 0 and $g$, so that again
# $|\tilde\ell_i - \ell_i| \le \epsilon$. The gradient follows from the formula for the loss-gradient,
# equation {eq}`eq-shift-loss-gradient` of [chapter 1](01_softmax_shift.ipynb):
#
# $$
# \nabla_{\mathbf{x}} \tilde\ell_i - \nabla_{\mathbf{x}} \ell_i
# = (\tilde p_k - \delta_{ik})\,\nabla_{\mathbf{x}} g
# + \sum_{j=1}^C (\tilde p_j - p_j)\,\nabla_{\mathbf{x}} f_j .
# $$ (eq-ripple-one-logit-gradient)
#
# The first term brings the ripple, times a factor of at most one. The second comes from weighting the
# network's own gradients by slightly different probabilities. It is at most $\tanh(\epsilon/4)\,G$, with
# $G$ the largest $\ell_1$ distance between the gradient of logit $k$ and that of another, and it does not
# grow with $m$.

# %%
Pair = tuple[Tensor, Tensor]


def on_own_logit(
    g: Callable[[Tensor], Tensor],
) -> Callable[[Tensor, Tensor], Pair]:
    """Return x, y -> loss and loss-gradient, with g added to the logit of y."""

    def loss_and_gradient(x: Tensor, y: Tensor) -> Pair:
        loss, gradient = torch.empty_like(x[:, 0, 0, 0]), torch.empty_like(x)
        for k in y.unique().tolist():
            mine = y == k
            classifier = fooling.ShiftedLogits(model, g, only_class=k)
            gradient[mine] = loss_gradient(classifier, x[mine], k)
            with torch.no_grad():
                logits = classifier(x[mine])
                loss[mine] = F.cross_entropy(logits, y[mine], reduction="none")
        return loss, gradient

    return loss_and_gradient


# %%
own = logit_gradient(model, x[few], y[few])
others = [logit_gradient(model, x[few], j) for j in classes]
gap = max(largest_norm(own - other) for other in others)
with torch.no_grad():
    plain_loss = F.cross_entropy(model(x), y, reduction="none")
plain = loss_gradient(model, x, y)
rows = {}
for frequency in (1.0, 10.0, 100.0, 1000.0):
    mend = on_own_logit(fooling.sine_shift(epsilon, frequency))
    loss, gradient = mend(x[few], y[few])
    turned = gradient - plain[few]
    bound = fooling.ripple_logit_gradient_bound(
        epsilon, frequency, D, gradient_gap=gap
    )
    rows[frequency] = {
        "largest |change of loss|": float((loss - plain_loss[few]).abs().max()),
        "largest ‖change of gradient‖₁": largest_norm(turned),
        "its bound": bound,
        "largest ‖gradient‖₁ before": largest_norm(plain[few]),
    }
mended = pd.DataFrame(rows).T.rename_axis("m")
styled = mended.style.format("{:.1f}").format_index("{:.0f}")
styled.format("{:.5f}", subset=["largest |change of loss|"])

# %% tags=["remove-cell"]
tell(
    mended_loss=float(mended.iloc[:, 0].max()),
    mended_gradient=float(mended.iloc[-1, 1]),
    mended_bound=float(mended.iloc[-1, 2]),
    mended_before=float(mended.iloc[-1, 3]),
    mended_times=float(mended.iloc[-1, 1] / mended.iloc[-1, 3]),
    mended_m=float(mended.index[-1]),
)

# %% [markdown]
# A real classifier, then, whose losses differ by no more than {glue:text}`mended_loss:.5f` from the first
# one's, and whose loss-gradients, at $m$ = {glue:text}`mended_m:.0f`, differ by up to
# {glue:text}`mended_gradient:.0f`, where the largest of the network's own is
# {glue:text}`mended_before:.0f`. The appendix is right in what it set out to show.
#
# {numref}`fig-ripple-slice` walks through two images by brightening them, by about a tenth of a grey level
# in all.

# %%
chosen = {
    "An uncertain image": int((probability - 0.7).abs().argmin()),
    "A confident image": int((probability - 0.999).abs().argmin()),
}
grey = torch.linspace(-0.06, 0.06, {"tiny": 21}.get(tier, 91), dtype=x.dtype)
grey = grey.to(device)
real = on_own_logit(fooling.sine_shift(epsilon, m))
slices = {}
for name, index in chosen.items():
    points = x[index] + grey[:, None, None, None] / 255
    labels = y[index].expand(len(points))
    with torch.no_grad():
        trained = F.cross_entropy(model(points), labels, reduction="none")
        rippled = printed(points, labels)
    pairs = (
        (trained, loss_gradient(model, points, labels)),
        (rippled, gradient_of(printed, points, labels)),
        real(points, labels),
    )
    slices[name] = [
        (loss.cpu(), (gradient * (1 / 255)).flatten(1).sum(dim=1).cpu())
        for loss, gradient in pairs
    ]  # per grey level

# %% mystnb={"figure": {"name": "fig-ripple-slice", "caption": "Loss (above) and its derivative (below) as an image is brightened evenly by a few hundredths of a grey level. Shaded: losses below zero, which no classifier has."}, "image": {"alt": "Four panels. Left, an uncertain image: the loss wavers by a hundredth around its straight line, while its derivative swings widely. Right, a confident image: the printed ripple takes the loss below zero; the real classifier's loss lies on the trained one's."}} tags=["hide-input"]
set_matplotlib_formats("svg")
styles = {
    "as trained": {"color": "#000000", "linewidth": 2.2},
    "ripple on the loss, as printed": {"color": "#D55E00", "linestyle": "--"},
    "ripple on one logit, a real classifier": {"color": "#0072B2"},
}
figure, axes = plt.subplots(2, 2, figsize=(8.6, 5.2), sharex=True)
figure.suptitle("A low ripple has a steep slope")
for column, (name, curves) in enumerate(slices.items()):
    for (label, style), pair in zip(styles.items(), curves, strict=True):
        look = {"linewidth": 1.5, "label": label} | style
        for ax, values in zip(axes[:, column], pair, strict=True):
            ax.plot(grey.cpu(), values, **look)
    axes[0, column].set_title(name)
    low, high = axes[0, column].get_ylim()
    if low < 0:
        axes[0, column].axhspan(low, 0, color="#eeeeee", zorder=0)
        axes[0, column].set_ylim(low, high)
    axes[1, column].set_xlabel("brightness added, in grey levels")
axes[0, 0].set_ylabel("loss")
axes[1, 0].set_ylabel("change of loss per grey level")
entries = axes[0, 0].get_legend_handles_labels()
figure.legend(*entries, loc="outside lower center", ncols=3)
plt.show()

# %% [markdown]
# On the left, a wave too low to matter has a slope that matters very much. On the right the printed ripple
# dips into the forbidden region. The real classifier does not, and something else has happened to it: its
# ripple has almost gone. We come to that in a moment.
#
# First, the picture. Nothing obliges us to add up all the pixels in the sine. With $\langle \mathbf{x}, T
# \rangle$ in place of $\sum_d x_d$, the ripple $\epsilon \sin(m \langle \mathbf{x}, T \rangle)$ is as low
# as before and its gradient is $T$, times a number. So the wager of chapter 1 can be made about
# loss-gradients too.

# %%
face = stencils.smiley(x.shape[-1]).to(x)
steep = 500.0
sine = fooling.sine_shift(epsilon, steep)


def drawn(x: Tensor) -> Tensor:
    """Return the ripple epsilon sin(m <x, T>); its gradient is the face."""
    return sine(x * face)


ranks = [int(q * (count - 1)) for q in (0.03, 0.3, 0.9)]
chosen = by_confidence[ranks]
labels = y[chosen]
on_sum = brighten(x[chosen], 0.0, steep, ones)
on_face = brighten(x[chosen], 0.0, steep, face)
as_printed = fooling.ripple_loss(model, epsilon, steep)
of_face = gradient_of(lambda points, _: drawn(points), on_face, labels)
maps = {
    "loss-gradient,\nas trained": plain[chosen],
    "ripple on the loss,\nas printed": gradient_of(as_printed, on_sum, labels),
    "the same,\nwith a face": plain[chosen] + of_face,
    "face on one logit,\na real classifier": on_own_logit(drawn)(
        on_face, labels
    )[1],
}

# %% mystnb={"figure": {"name": "fig-ripple-maps", "caption": "Loss-gradients of three test images, from uncertain to confident. Each map has its own scale of colour; the number below it is its largest absolute pixel. The rippled ones are taken where the wave is steepest, a small part of a grey level away."}, "image": {"alt": "Three rows of an input and four maps. The ripple as printed turns the map into one flat colour, the other ripple turns it into a smiling face, in the real classifier as well. From the uncertain to the confident image the largest pixels fall by orders of magnitude as trained and in the real classifier, and stay level with the printed ripple."}} tags=["hide-input"]
set_matplotlib_formats("png", dpi=200)
figure, axes = plt.subplots(3, 5, figsize=(7.6, 5.8))
figure.suptitle("A loss-gradient can be a picture of your choice, too")
plots.show_images(axes[:, 0], x[chosen])
for ax, p in zip(axes[:, 0], probability[chosen], strict=True):
    written = f"p = {p:.2f}" if p < 0.99 else f"1 − p = {1 - p:.0e}"
    ax.set_xlabel(written, fontsize=9)
for column, (title, these) in enumerate(maps.items(), start=1):
    plots.signed_maps(axes[:, column], these)
    axes[0, column].set_title(title, fontsize=9, loc="center")
    for ax, one in zip(axes[:, column], these, strict=True):
        ax.set_xlabel(f"{one.abs().max():.1g}", fontsize=9)
axes[0, 0].set_title("input", fontsize=9, loc="center")
plt.show()

# %% [markdown]
# In the last column of {numref}`fig-ripple-maps` the face is blue, because the factor $\tilde p_y - 1$ is
# negative for the true class. It also grows fainter, by orders of magnitude, as the images grow more certain
# (see the numbers below the maps). But so does the map that it covers.
#
# ## Confident samples
#
# The appendix ends with a second remark. On confident samples loss and loss-gradient are close to zero, so
# that any noise, "due to stochastic training, for instance", easily dominates the gradient, even where $m$
# is small.
#
# Why should it be close to zero? Because the probabilities sum to one, equation
# {eq}`eq-shift-loss-gradient` of [chapter 1](01_softmax_shift.ipynb) can be written
#
# $$
# \begin{aligned}
# \nabla_{\mathbf{x}} \ell_y
# &= \sum_{j \neq y} p_j \, \big(\nabla_{\mathbf{x}} f_j - \nabla_{\mathbf{x}} f_y\big), \\
# \|\nabla_{\mathbf{x}} \ell_y\|
# &\le (1 - p_y)\, \max_j \|\nabla_{\mathbf{x}} f_j - \nabla_{\mathbf{x}} f_y\| .
# \end{aligned}
# $$ (eq-ripple-confident)
#
# The loss-gradient is a gradient of logits *times* the doubt that is left. Noise that is not multiplied by
# that doubt must win in the end. But which noise is it? Here are three, all of them gentle, with a small
# $m$:
#
# - **on the loss**, as printed: not a classifier, as we saw;
# - **on one logit**, that of the true class;
# - **on the probabilities**: $\tilde p_i = (1 - a)\,p_i + a / C$, a little of the uniform distribution
#   mixed in, with $0 \le a(\mathbf{x}) \le \epsilon$ rippling. This too is a classifier, and none of its
#   probabilities moves by more than $\epsilon$. It is our addition.

# %%
class Mixed(nn.Module):
    """A classifier with a share a(x) of the uniform distribution mixed in."""

    def __init__(
        self, model: nn.Module, share: Callable[[Tensor], Tensor]
    ) -> None:
        """Wrap a model; `share` maps (B, ...) to (B,) numbers in [0, 1]."""
        super().__init__()
        self.model, self.share = model, share

    def forward(self, x: Tensor) -> Tensor:
        """Return logits: the logarithms of the mixed probabilities."""
        a, p = self.share(x)[:, None], self.model(x).softmax(dim=1)
        return ((1 - a) * p + a / p.shape[1]).log()

# %%
gentle = 0.1
ripple = fooling.sine_shift(epsilon, gentle)
half = fooling.sine_shift(epsilon / 2, gentle)
mixed = Mixed(model, lambda points: epsilon / 2 + half(points))
changes = {
    "on the loss": gradient_of(lambda points, _: ripple(points), x, y),
    "on one logit": on_own_logit(ripple)(x, y)[1] - plain,
    "on the probabilities": loss_gradient(mixed, x, y) - plain,
}
norms = {
    name: maps.flatten(1).norm(dim=1).clamp(min=1e-300).cpu()
    for name, maps in {"loss-gradient, as trained": plain, **changes}.items()
}

# %% mystnb={"figure": {"name": "fig-ripple-confidence", "caption": "Norm of the loss-gradient, and of what three gentle ripples add to it, against the doubt $1 - p_y$. Each point is the median over a group of test images of like confidence, the bands hold the middle half."}, "image": {"alt": "On logarithmic axes the loss-gradient falls in proportion to the doubt. The ripples on the loss and on the probabilities stay level and cross it; the ripple on one logit falls along with it, two orders of magnitude below."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figure, ax = plt.subplots(figsize=(6.8, 4.2))
colours = ("#000000", "#D55E00", "#0072B2", "#009E73")
groups = by_confidence.cpu().chunk({"tiny": 4}.get(tier, 16))
doubts = (1 - probability).clamp(min=1e-16)
doubt = [float(doubts[group].median()) for group in groups]
for (name, norm), colour in zip(norms.items(), colours, strict=True):
    quarters = torch.tensor([0.25, 0.5, 0.75]).to(norm)
    rows = [norm[group].quantile(quarters).tolist() for group in groups]
    table = pd.DataFrame(rows, columns=["low", "value", "high"])
    table["doubt"] = doubt
    label = name if colour == "#000000" else f"change by a ripple {name}"
    curve_with_band(ax, table, x="doubt", color=colour, label=label)
ax.set(xscale="log", yscale="log", ylabel="Euclidean norm")
ax.set_xlabel("doubt $1 - p_y$  (confident images to the left)")
ax.set_title("Noise that ignores the doubt wins where there is little")
ax.legend()
plt.show()

# %%
sure = by_confidence[count // 2 :].cpu()
unsure = by_confidence[: count // 2].cpu()
trained_norm = norms["loss-gradient, as trained"]
rows = {}
for name in changes:
    ratio = (norms[name] / trained_norm).log10()
    for half_name, group in (("confident half", sure), ("other half", unsure)):
        found = mean_interval(ratio[group])
        rows[name, half_name] = {
            "change / loss-gradient": 10**found.value,
            "low": 10**found.low,
            "high": 10**found.high,
            "images dominated": float((ratio[group] > 0).double().mean()),
        }
summary = pd.DataFrame(rows).T.rename_axis(["ripple", "images"])
summary.style.format("{:.3g}").format("{:.0%}", subset=["images dominated"])

# %% tags=["remove-cell"]
short = {
    "on the loss": "loss",
    "on one logit": "logit",
    "on the probabilities": "mixed",
}
for (name, half_name), row in summary.iterrows():
    key = f"{half_name.split()[0]}_{short[name]}"
    tell({
        key: float(row["change / loss-gradient"]),
        f"{key}_low": float(row["low"]),
        f"{key}_high": float(row["high"]),
        f"{key}_dominated": 100 * float(row["images dominated"]),
    })
other, confident = (
    mean_interval(trained_norm[group].log10()) for group in (unsure, sure)
)
logit_maps = logit_gradient(model, x[few], y[few])
logit_norm = float(logit_maps.flatten(1).norm(dim=1).mean())
tell(
    norm_drop=10 ** (other.value - confident.value),
    confident_n=len(sure),
    gentle=gentle,
    gentle_share=100 * gentle * epsilon * math.sqrt(D) / logit_norm,
)

# %% [markdown]
# The table gives geometric means of the ratio, with 95 % intervals, over {glue:text}`confident_n` test
# images in each half; an image is dominated if its ratio is above one. The waves have $\epsilon$ =
# {glue:text}`epsilon` and $m$ = {glue:text}`gentle`. Their steepest gradient has
# {glue:text}`gentle_share:.1f` % of the norm of a typical logit-gradient, so by the standard of the logits
# they are nearly nothing.
#
# By the standard of the loss-gradient they are not. From the less to the more confident half of the images
# its norm falls by a factor of {glue:text}`norm_drop:.0f`. In the confident half the ripple on the loss is
# {glue:text}`confident_loss:.3g` times the loss-gradient (95 % interval {glue:text}`confident_loss_low:.3g`
# to {glue:text}`confident_loss_high:.3g`) and dominates {glue:text}`confident_loss_dominated:.0f` % of the
# images; in the other half it is {glue:text}`other_loss:.2g` times. The ripple on the probabilities, from a
# real classifier, does much the same: {glue:text}`confident_mixed:.3g`
# ({glue:text}`confident_mixed_low:.3g` to {glue:text}`confident_mixed_high:.3g`) against
# {glue:text}`other_mixed:.2g`.
#
# The ripple on one logit does not: {glue:text}`confident_logit:.2g` times the loss-gradient in the
# confident half, {glue:text}`other_logit:.2g` in the other. {eq}`eq-ripple-one-logit-gradient` says why.
# The factor $\tilde p_y - 1$ before $\nabla g$ is the same doubt that multiplies the loss-gradient itself.
# The two shrink together, and their ratio stays ({numref}`fig-ripple-confidence`).
#
# So the remark holds for noise in losses or in probabilities, and it does not for noise in logits.
#
# ## Which noise does training leave?
#
# The remark speaks of noise "due to stochastic training". That can be looked at: train the same network again with another
# seed, and compare. What the networks of several seeds have in common is no noise of training; where they differ, it is. If the noise did not care about the
# doubt, then on confident images it would drown what is common, and the loss-gradients of two seeds would have nothing to
# do with each other. If it is noise in the logits, it shrinks along with the doubt, and they agree on confident images as well as on any.
#
# We take the baselines of all seeds whose weights are here, and the mean cosine between the maps of two seeds for the same image.

# %%
siblings = [
    run.model().to(device).double()
    for run in runs.find_all(tier, dataset, "baseline")
    if (run.directory / "weights.safetensors").exists()
]
left = {"loss-gradient": loss_gradient, "logit-gradient": logit_gradient}
agreement = {}
for name, gradient in left.items():
    stack = torch.stack([gradient(net, x, y).flatten(1) for net in siblings])
    unit = F.normalize(stack, dim=2)
    cosines = torch.einsum("abd,cbd->bac", unit, unit)
    a, c = torch.triu_indices(len(siblings), len(siblings), offset=1)
    agreement[name] = cosines[:, a, c].mean(dim=1).cpu()
with torch.no_grad():
    chances = torch.stack([net(x).softmax(dim=1) for net in siblings])
doubt_of_all = (1 - chances[:, torch.arange(count), y]).clamp(min=1e-16)
shared_doubt = doubt_of_all.log().mean(dim=0).exp().cpu()
by_doubt = shared_doubt.argsort()

# %% mystnb={"figure": {"name": "fig-ripple-seeds", "caption": "Cosine between the maps of two networks that were trained alike with different seeds, for the same image, against the doubt. Each point is the mean over a group of test images of like doubt (its geometric mean over the seeds), with a 95 % interval over images; where there are several pairs of seeds, an image has their mean."}, "image": {"alt": "Two nearly level rows of points over four orders of magnitude of doubt, close to each other, both far above 0 and falling a little towards the confident images on the left."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.8, 3.6))
looks = {"loss-gradient": ("#000000", "o"), "logit-gradient": ("#D55E00", "s")}
for name, values in agreement.items() if len(siblings) > 1 else ():
    colour, marker = looks[name]
    rows = [
        (float(shared_doubt[group].median()), mean_interval(values[group]))
        for group in by_doubt.chunk({"tiny": 2}.get(tier, 10))
    ]
    places, found = zip(*rows, strict=True)
    reach = [i.high - i.value for i in found]
    heights = [i.value for i in found]
    look = {"color": colour, "marker": marker, "label": name}
    ax.errorbar(places, heights, yerr=reach, **look)
ax.axhline(0, color="#8C8C8C", linestyle=":")
ax.set(xscale="log", ylim=(-0.1, 1), ylabel="cosine between two seeds")
ax.set_xlabel("doubt $1 - p_y$  (confident images to the left)")
ax.set_title("Do the maps of two trainings agree?")
if len(siblings) > 1:
    ax.legend()
plt.show()

# %% tags=["remove-cell"]
told = {"seeds": len(siblings), "doubt_fell": "not compared"}
for name in left:
    key = name.partition("-")[0]
    told |= {f"{key}_{part}": "not measured" for part in ("sure", "unsure")}
kind = "With one seed there is nothing to compare."

# %% tags=["remove-cell"]
if len(siblings) > 1:
    certain, doubtful = by_doubt[: count // 2], by_doubt[count // 2 :]
    for name, values in agreement.items():
        key = name.partition("-")[0]
        told |= {
            f"{key}_sure": interval_text(mean_interval(values[certain])),
            f"{key}_unsure": interval_text(mean_interval(values[doubtful])),
        }
    medians = [float(shared_doubt[g].median()) for g in (certain, doubtful)]
    told["doubt_fell"] = f"{medians[1] / medians[0]:,.0f}"
    alike = agreement["loss-gradient"]
    kept = float(alike[certain].mean() / alike[doubtful].mean())
    kind = (
        "So what training leaves behind is, for the most part, noise of the "
        "logits' kind, which shrinks with the doubt"
        if kept > 0.5
        else "So on confident images the noise of training does drown what "
        "the seeds have in common"
    )
    kind += f": the loss-gradients keep {100 * kept:.0f} % of their cosine."
tell(told, noise_kind=kind)

# %% [markdown]
# There are {glue:text}`seeds` seeds. From the less to the more confident half of the images the median doubt falls by a factor of
# {glue:text}`doubt_fell`. The cosine between two seeds' loss-gradients is {glue:text}`loss_unsure` in the less confident half and
# {glue:text}`loss_sure` in the more confident one; between their logit-gradients it is {glue:text}`logit_unsure` and
# {glue:text}`logit_sure`. {glue:text}`noise_kind`
#
# A cosine far from 1 is noise enough. But it is there on doubtful images nearly as much, and in logit-gradients nearly as much. That is
# little ground for preferring one kind of map to the other, or for trusting either less where the network is sure.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# A ripple of height $\epsilon$ and frequency $m$ changes the loss by at most $\epsilon$, and its gradient
# by up to $m \epsilon D$ in the $\ell_1$ norm. "Thus, loss-gradients are also unreliable." Confident
# samples have loss-gradients close to zero, which noise can easily dominate, even at small $m$ (appendix
# A.1).
# :::
#
# :::{admonition} What you just saw
# - Both bounds hold, and both are reached: to {glue:text}`bound_loss_attained:.4g` and
#   {glue:text}`bound_gradient_attained:.4g` of their values.
# - The ripple as printed belongs to no classifier. Moved to one logit, it does: losses within
#   {glue:text}`mended_loss:.5f`, gradients up to {glue:text}`mended_gradient:.0f` apart, and a face if you
#   like.
# - A gentle ripple on the loss is {glue:text}`confident_loss:.3g` times the loss-gradient on confident
#   images, and {glue:text}`other_loss:.2g` times on the others. On a logit it is
#   {glue:text}`confident_logit:.2g` and {glue:text}`other_logit:.2g` times: there is no difference of that
#   kind.
# - Two trainings of the same network agree in their loss-gradients with a cosine of {glue:text}`loss_sure` on confident images and
#   {glue:text}`loss_unsure` on the others.
# - There is a distinction worth keeping. Logit-gradients can be anything while the classifier stays
#   *exactly* the same. For loss-gradients one has to change the classifier, if only by a little.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* Derive {eq}`eq-ripple-one-logit`, and conclude that $\epsilon$ bounds the change of every loss.
#
# :::{admonition} Solution
# :class: dropdown
#
# Only the logit of class $k$ has changed, so
#
# $$
# \begin{aligned}
# \log \sum_j \exp \tilde f_j
# &= \log \Big( \sum_j \exp f_j + (e^g - 1) \exp f_k \Big) \\
# &= \log \sum_j \exp f_j + \log\big(1 + p_k (e^g - 1)\big) .
# \end{aligned}
# $$
#
# The loss is this minus $\tilde f_i = f_i + \delta_{ik}\, g$, which gives {eq}`eq-ripple-one-logit`. As $p_k$ runs from 0 to 1, the last
# logarithm runs from 0 to $g$ and never turns back. For $i \neq k$ the loss therefore moves by something between 0 and $g$; for $i = k$ by
# something between $-g$ and 0. Either is at most $|g| \le \epsilon$.
# :::
#
# **2.** *At the live figure.* Add the ripple to "the loss, as printed", look at "a peak near it", and set the height to 0.1. What will the table give
# for the sum of $\exp(-\text{loss})$? Decide before you look. Then add the ripple to one logit instead.
#
# :::{admonition} Solution
# :class: dropdown
#
# At a peak $g = \epsilon$, and by {eq}`eq-ripple-sum` the sum is $e^{-0.1} = 0.904837$, whatever the image and the class. With the ripple on
# one logit it is 1, because a softmax makes the probabilities.
# :::
#
# **3.** *What would happen if* one halved the height $\epsilon$ and doubled the frequency $m$, again and again?
#
# :::{admonition} Solution
# :class: dropdown
#
# The bound on the loss, $\epsilon$, halves each time. The bound on the gradient, $m \epsilon D$, stays. In the limit there is no wave left to be
# seen in the loss, and the gradient is as wrong as it was. Somebody pays: the second derivative along the wave is of the size
# $m^2 \epsilon$, and doubles each time. A bound on the curvature would rule such ripples out.
# :::
