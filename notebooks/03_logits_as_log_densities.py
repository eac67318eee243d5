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
# # Logits as log-densities
#
# A classifier is asked one thing: which class is this? Yet its logits can be read as the logarithm of a density, and then they claim to know something else: where pictures of each class lie. **How much of that density did the classifier learn?**
#
# We take the reading apart in three steps. First Bayes' rule, and what it does not say. Then an identity that splits every gradient map in two, and in three, on real digits. Then a mixture in the plane, where the true density is known and can be drawn beside the classifier's.

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
import math

import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats
from torch import Tensor, nn

from companion import data, runs
from companion.book import plots, stencils
from companion.audit import split_gradient
from companion.book.split import PARTS, WORDS
from companion.book.style import SIGNED
from companion.book.words import counted, interval_text
from companion.experiments import presets
from companion.book.opening import begin, tell
from companion.fooling import mean_logit_shift, shift_logits
from companion.gradients import log_probability_gradient, logit_gradient
from companion.losses import ScoreMatching
from companion.metrics import mean_interval, median_interval, score_alignment
from companion.fooling.shifts import linear_shift

begin(globals())
generator = torch.Generator().manual_seed(seed)

# %% [markdown]
# ## Bayes' rule, forwards and backwards
#
# A classifier gives a number $f_i(\mathbf{x})$ to each class $i = 1, \dots, C$. Suppose that we declare them to be the logarithm of a joint density of picture and class:
#
# $$
# p_\theta(\mathbf{x}, y = i) = \frac{\exp f_i(\mathbf{x})}{Z},
# \qquad
# Z = \sum_{j=1}^{C} Z_j,
# \qquad
# Z_j = \int \exp f_j(\mathbf{x}) \, d\mathbf{x} .
# $$ (eq-logits-joint)
#
# Divide by the sum over the classes, which is Bayes' rule, and $Z$ cancels. What remains is the softmax:
#
# $$
# p_\theta(y = i \mid \mathbf{x})
# = \frac{p_\theta(\mathbf{x}, y = i)}{\sum_j p_\theta(\mathbf{x}, y = j)}
# = \frac{\exp f_i(\mathbf{x})}{\sum_j \exp f_j(\mathbf{x})} .
# $$ (eq-logits-posterior)
#
# So nothing about the classifier has changed. It has only been read in another way, as {cite:t}`bridle1990probabilistic` and {cite:t}`grathwohl2020your` read it before. Now divide by the class instead. Its probability is $p_\theta(y = i) = Z_i / Z$, hence
#
# $$
# p_\theta(\mathbf{x} \mid y = i) = \frac{\exp f_i(\mathbf{x})}{Z_i},
# \qquad
# \nabla_{\mathbf{x}} \log p_\theta(\mathbf{x} \mid y = i) = \nabla_{\mathbf{x}} f_i(\mathbf{x}) .
# $$ (eq-logits-score)
#
# The gradient of a log-density is called its {term}`score`. A {term}`logit-gradient` is the score of the class-conditional density, and no $Z$ appears in it.
#
# Two things are easily read into this that it does not say.
#
# **The paper divides by $Z/C$**, "assuming equiprobable classes". That is right where all $Z_i$ are equal. But $Z_i$ is an integral of the *model's* function; data with equally many pictures of each class do not make the integrals equal. In general the divisor is $Z_i$. The score does not notice the difference.
#
# **$Z$ has to be finite.** Nothing in a classifier's training asks for that. We shall see a classifier for which it is not. For pictures one may stop the integral at the walls of a box, where it is finite; but then the walls belong to the density, and outside it is nought.
#
# Here is the first point in numbers. Three Gaussians in the plane, two for class 0 and one for class 1; class 0 holds three quarters of the points. The ideal logits are $f_i = \log p(\mathbf{x}, i)$, and `mixture.classifier()` returns them.

# %%
mixture = data.gaussian_mixture(
    torch.tensor([[-1.5, 1.0], [1.5, 1.5], [0.5, -0.9]]),
    torch.tensor([
        [[0.5, 0.3], [0.3, 0.6]],
        [[0.4, -0.2], [-0.2, 0.5]],
        [[1.6, 0.0], [0.0, 0.35]],
    ]),
    labels=torch.tensor([0, 0, 1]),
    weights=torch.tensor([2.0, 1.0, 1.0]),
)
ideal = mixture.classifier()


def log_partition(
    model: nn.Module, half_width: float, points: int = 241
) -> Tensor:
    """Return log Z_i of every class, (C,), from a square grid around 0."""
    ends = (-half_width, half_width)
    axis = torch.linspace(*ends, points, dtype=torch.float64)
    with torch.no_grad():
        sums = model(torch.cartesian_prod(axis, axis)).logsumexp(dim=0)
    return sums + 2 * math.log(axis[1] - axis[0])


# %%
partition = log_partition(ideal, 10.0).exp()
pd.DataFrame(
    {
        "Z_i": partition,
        "integral of exp(f_i) / (Z / C)": partition / (partition.sum() / 2),
        "integral of exp(f_i) / Z_i": partition / partition,
    },
    index=pd.Index([0, 1], name="class"),
).round(3)

# %% tags=["remove-cell"]
tell(
    mass_class_0=float(2 * partition[0] / partition.sum()),
    mass_class_1=float(2 * partition[1] / partition.sum()),
)

# %% [markdown]
# With $Z/C$ the "densities" of the two classes integrate to {glue:text}`mass_class_0:.2f` and {glue:text}`mass_class_1:.2f`. A density integrates to 1.
#
# ## Every gradient map is a sum of two
#
# Take the logarithm of {eq}`eq-logits-posterior` and move one term across:
#
# $$
# f_i(\mathbf{x}) = \log p_\theta(i \mid \mathbf{x}) + \log \sum_j \exp f_j(\mathbf{x}) .
# $$
#
# The gradient of this line is an identity that the rest of the book leans on. It is not in the paper.
#
# $$
# \underbrace{\nabla_{\mathbf{x}} f_i(\mathbf{x})}_{\text{the gradient map}}
# = \underbrace{\nabla_{\mathbf{x}} \log p_\theta(i \mid \mathbf{x})}_{\text{what decides the class}}
# + \underbrace{\nabla_{\mathbf{x}} \log \textstyle\sum_j \exp f_j(\mathbf{x})}_{\text{the same for every class}}
# $$ (eq-logits-identity)
#
# It is Bayes' rule for scores. The sum $\sum_j \exp f_j$ is $Z\,p_\theta(\mathbf{x})$, so the second term is the score of the model's density of *pictures*, whatever their class. The first term is all that cross-entropy looks at: its loss is $-\log p_\theta(y \mid \mathbf{x})$.
#
# The package has functions for the map and for its first term. For the second we treat $\log \sum_j \exp f_j$ as a network with a single logit.


# %%
class Evidence(nn.Module):
    """A classifier's logsumexp as one logit (B, 1): log p(x), but for Z."""

    def __init__(self, model: nn.Module) -> None:
        """Wrap a classifier."""
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Return log sum_j exp f_j(x)."""
        return self.model(x).logsumexp(dim=1, keepdim=True)


def two_terms(model: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """Return the gradient map of logit y and its two terms, each like x."""
    common = logit_gradient(Evidence(model), x, 0)
    deciding = log_probability_gradient(model, x, y)
    return logit_gradient(model, x, y), deciding, common


# %% [markdown]
# The network is the book's baseline, an ordinary classifier. We take test pictures with their true classes.

# %%
dataset = presets.DATASETS[tier][0]
run = runs.find(tier, dataset, "baseline", seed)
model = run.model().to(device)
images = data.load(dataset)
count = {"tiny": 20, "quick": 300}.get(tier, 100)
x = data.to_float(images.x_test[:count]).to(device)
y = images.y_test[:count].to(device)


def residual(whole: Tensor, deciding: Tensor, common: Tensor) -> float:
    """Return the largest deviation of the terms' sum, relative to the map."""
    return float((whole - deciding - common).abs().max() / whole.abs().max())


whole, deciding, common = two_terms(model, x, y)
single = residual(whole, deciding, common)
double = residual(*two_terms(model.double(), x[:20].double(), y[:20]))
model = model.float()
accuracy = run.metric("test_accuracy")["value"]
aged = ", from earlier code" * run.from_earlier_code
print(f"{run.record.name}, test accuracy {accuracy:.3f}{aged}")
print(
    f"identity: largest relative error {single:.1e} in float32, "
    f"{double:.1e} in float64"
)

# %% [markdown]
# The identity holds to the last digits of either precision.
#
# ## And a sum of three
#
# It is tempting to say that the second term is what classification leaves open. That goes too far. Take the mean of $f_j = \log p_\theta(j \mid \mathbf{x}) + \log \sum_k \exp f_k$ over the classes, and write $p_j$ for $p_\theta(j \mid \mathbf{x})$. Then
#
# $$
# \log \sum_k \exp f_k = -\frac1C \sum_j \log p_j + \frac1C \sum_j f_j ,
# $$
#
# and the second term falls apart:
#
# $$
# \nabla_{\mathbf{x}} f_i
# = \underbrace{\nabla_{\mathbf{x}} \log p_i}_{\text{decides}}
# \; \underbrace{-\, \nabla_{\mathbf{x}} \textstyle\frac1C \sum_j \log p_j}_{\text{the other classes}}
# \; + \underbrace{\nabla_{\mathbf{x}} \textstyle\frac1C \sum_j f_j}_{\text{free}}
# $$ (eq-logits-three)
#
# The first two parts are functions of the probabilities. Together they make the *centred logit*, which is the mean of the log-odds against every class,
#
# $$
# f_i - \frac1C \sum_{j=1}^C f_j = \frac1C \sum_{j=1}^C \log \frac{p_i}{p_j} .
# $$ (eq-logits-centred)
#
# Only the third part, the mean logit, is free: no probability depends on it, at any picture. And [chapter 1](01_softmax_shift.ipynb) found that in a trained network it is nearly nought, because training starts there and has no reason to move it. How large are the three? `split_gradient` computes them, in double precision, since some are small.

# %%
model = model.double()
x = x.double()
parts = split_gradient(model, x, y)
shares = parts.shares()
with torch.no_grad():
    certainty = model(x).softmax(dim=1).gather(1, y[:, None])[:, 0]
sure = certainty > 0.99
columns = {}
for name, group in (("p above 0.99", sure), ("the others", ~sure)):
    columns[f"{name} ({counted(int(group.sum()), 'image')})"] = [
        interval_text(median_interval(shares[part][group]), "{:.3g}")
        for part in PARTS
    ]
written = "gradient's length, relative to the map's"
pd.DataFrame(columns, index=pd.Index(WORDS.values(), name=written))

# %% [markdown]
# Medians over test pictures with 95 % intervals; $p$ is the probability that the network gives to the true class. Lengths of vectors do not add up, so the numbers need not sum to 1. Now the pictures: two for which the network is unsure of the right answer, and two for which it is sure.

# %% mystnb={"figure": {"name": "fig-logits-three-parts", "caption": "The gradient map of the true class's logit and its three parts, equation {eq}`eq-logits-three`, for test pictures from the least certain to the most. Orange raises the logit, blue lowers it. Each panel has its own scale of colour; the number below it is the part's length, relative to the map's."}, "image": {"alt": "Four rows, each with a digit, its gradient map and three more maps with numbers below them. In the first row, an uncertain digit, the first two parts have lengths of the order of the map's. Down the rows the first part's number falls by many orders of magnitude, the second part becomes the picture of the map itself, and the third part, a pattern of its own, stays at about a hundredth."}} tags=["hide-input"]
order = certainty.argsort().tolist()
chosen = [order[0], order[len(order) // 20], order[len(order) // 2], order[-1]]
shown = [parts.whole, parts.own, parts.others, parts.free]
figure, axes = plt.subplots(4, 5, figsize=(8.2, 7.6))
for row, index in zip(axes, chosen, strict=True):
    plots.show_images(row[0], x[index, None])
    plots.signed_maps(row[1:], torch.stack([part[index] for part in shown]))
    for ax, part in zip(row[2:], PARTS, strict=True):
        ax.set_xlabel(f"{float(shares[part][index]):.1g}", fontsize=9)
    p = float(certainty[index])
    sure_of = f"p = {p:.2g}" if p < 0.99 else f"1 − p = {1 - p:.0e}"
    name = images.class_names[int(y[index])]
    label = {"rotation": 0, "ha": "right", "va": "center", "fontsize": 9}
    row[0].set_ylabel(f"{name}\n{sure_of}", **label)
titles = ("picture", "map of $f_i$", *PARTS.values())
for ax, title in zip(axes[0], titles, strict=True):
    ax.set_title(title, loc="center", fontsize=10)
heading = "Sure of its answer, the network maps the other classes"
figure.suptitle(heading, x=0.02, ha="left")
plt.show()

# %% tags=["remove-cell"]
of_all = {part: median_interval(shares[part]) for part in PARTS}
common_cosine = mean_interval(
    nn.functional.cosine_similarity(
        parts.whole.flatten(1), parts.common.flatten(1)
    ).cpu()
)
tell(
    count=count,
    sure_share=float(sure.double().mean()),
    cosine=interval_text(common_cosine, "{:.3f}"),
    **{
        f"{part}_share": interval_text(found, "{:.3g}")
        for part, found in of_all.items()
    },
)

# %% [markdown]
# Over {glue:text}`count` test pictures the first part has {glue:text}`own_share` of the map's length, in the median with its 95 % interval; the second {glue:text}`others_share`; and the free part {glue:text}`free_share`. The mean cosine between the map and the second term of {eq}`eq-logits-identity`, both last parts together, is {glue:text}`cosine`.
#
# Why is the first part small? It is $\sum_j p_j (\nabla f_i - \nabla f_j)$, and vanishes as $p_i$ goes to 1. The network gives its right answer a probability above 0.99 on {glue:text}`sure_share:.0%` of these pictures. There the map that we would have called "what the network looked at" is mostly the second part: the directions in which the *other* classes, improbable already, become more improbable still.
#
# Is that a matter of classification? Strictly, yes: it is a function of the probabilities, and whoever changes it changes a probability. In practice only just. Whether a wrong class has a probability of $10^{-5}$ or of $10^{-8}$ turns no decision, and changes the loss by $10^{-5}$. So there are two kinds of freedom in a map, and they should not be mixed up. What training *cannot* see is the mean logit, and in this network it is a small part of the map. What training *hardly* sees are the logarithms of tiny probabilities, and they are most of it. [Chapter 13](13_gradient_maps.ipynb) makes the same table for all four kinds of networks: in some the free part is not small.
#
# For the reading as a density this is awkward. Were the logits centred exactly, the model's log-density of pictures would be $-\frac1C \sum_j \log p_j$ and nothing else: high where the classifier rules out its other classes with emphasis. That is a fact about the classes, and centred logits are one choice of $g$ among all. Where a training leaves the mean logit decides which density the logits imply.
#
# ## A shift moves the third part, and nothing else
#
# In [chapter 1](01_softmax_shift.ipynb) we added a function $g(\mathbf{x})$ to every logit and could make the gradient map any picture. Now we can say what happened. The first two parts depend on the probabilities alone, so $g$ drops out of them. The third gains $\nabla g$, exactly:
#
# $$
# \begin{gathered}
# \nabla_{\mathbf{x}} \log \tilde p_i = \nabla_{\mathbf{x}} \log p_i
# \quad\text{for every class } i, \\
# \nabla_{\mathbf{x}} \textstyle\frac1C \sum_j \tilde f_j = \nabla_{\mathbf{x}} \textstyle\frac1C \sum_j f_j + \nabla_{\mathbf{x}} g .
# \end{gathered}
# $$ (eq-logits-shift)

# %%
target = stencils.smiley(x.shape[-1]).to(x)
largest = parts.whole.abs().amax(dim=(1, 2, 3)).median()
strength = float(largest / target.abs().max())
shifted = shift_logits(model, linear_shift(target, strength))
doubtful = [order[0]]
before = split_gradient(model, x[doubtful], y[doubtful])
after = split_gradient(shifted, x[doubtful], y[doubtful])
unmoved = max(
    float((getattr(after, part) - getattr(before, part)).abs().max())
    for part in ("own", "others")
)
gained = after.free - before.free
mismatch = float((gained - strength * target).abs().max())

# %% mystnb={"figure": {"name": "fig-logits-shift", "caption": "The first picture of {numref}`fig-logits-three-parts` again: above, the network; below, the same network with $g$ added to every logit, where the gradient of $g$ is the picture of a face. Each panel has its own scale of colour; the number below it is its largest pixel."}, "image": {"alt": "Two rows of four maps with numbers below them. The second and the third are the same in both rows. In the lower row a smiley covers the map and is the whole of the free part, whose largest pixel has grown many times."}} tags=["hide-input"]
figure, axes = plt.subplots(2, 4, figsize=(7.2, 4.4))
for row, name, split in zip(axes, ("f", "f + g"), (before, after), strict=True):
    maps = torch.cat([split.whole, split.own, split.others, split.free])
    plots.signed_maps(row, maps)
    for ax, one in zip(row, maps, strict=True):
        ax.set_xlabel(f"{float(one.abs().max()):.2g}", fontsize=9)
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
for ax, title in zip(axes[0], titles[1:], strict=True):
    ax.set_title(title, loc="center", fontsize=10)
figure.suptitle("The face enters through the mean logit", x=0.02, ha="left")
plt.show()
model, x = model.float(), x.float()

# %% tags=["remove-cell"]
exactly = f"to within {mismatch:.0e}" if mismatch else "to the last digit"
tell(unmoved=unmoved, gained=float(gained.abs().max()), mismatch=exactly)

# %% [markdown]
# The free part moved by up to {glue:text}`gained:.2g` a pixel, and that is $\nabla g$ {glue:text}`mismatch`. No pixel of the other two moved by more than {glue:text}`unmoved:.0e`, which is rounding.
#
# ## A density that can be seen
#
# For digits nobody knows the true density. For the three Gaussians we do. So we let a small softplus network learn to tell the two classes apart, and look at the density it did not know it was making.
#
# A second network has the same size, the same points and the same number of steps, and one more term in its loss: score-matching, which [chapter 4](04_score_matching.ipynb) derives. It knows no more than the first. It sees points and their classes.

# %%
points, classes = mixture.sample(20_000, generator)
steps = {"tiny": 30}.get(tier, 1000)


def train_on_mixture(penalty: ScoreMatching | None) -> nn.Module:
    """Train a small network by cross-entropy, with or without a penalty."""
    source = torch.Generator().manual_seed(seed)
    hidden = (nn.Linear(2, 48), nn.Softplus(), nn.Linear(48, 48), nn.Softplus())
    network = nn.Sequential(*hidden, nn.Linear(48, 2)).double()
    for parameter in network.parameters():
        scale = parameter.shape[-1] ** -0.5
        nn.init.normal_(parameter, std=scale, generator=source)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(points), (256,), generator=source)
        batch = points[rows], classes[rows]
        loss = nn.functional.cross_entropy(network(batch[0]), batch[1])
        if penalty is not None:
            loss = loss + penalty(network, *batch, generator=source).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network


# %%
classifier = train_on_mixture(None)
penalty = ScoreMatching(weight=1.0, mu=math.inf, variant="central")
matched = train_on_mixture(penalty)
networks = {
    "truth": ideal,
    "trained to classify": classifier,
    "with score-matching": matched,
}
centred_truth = shift_logits(ideal, mean_logit_shift(ideal))
two_parts = ("what decides", "common to all classes")

# %% [markdown]
# The figure shows, from left to right, the truth, the plain classifier, and the score-matched one. Above, the density of class 0, $\exp f_0 / Z_0$, where the integral has to stop at the edge of the picture. The arrows are the scores, all on one scale. Below, the probability of class 0.

# %% mystnb={"figure": {"name": "fig-logits-mixture", "caption": "Above: density of class 0 and its score (arrows). Below: probability of class 0, orange where it is near 1 and blue where it is near 0, with the line where it is one half, and some of the points, of both classes. Each density has its own scale. Left the truth, in the middle a network trained to classify (its density is piled up in the upper left corner), right the same network trained with score-matching as well."}, "image": {"alt": "Six panels. The lower three, the posteriors, look alike. Above, the true density has two tilted blobs, the plain classifier's density is piled up in the upper left corner, and its arrows, short and of nearly one length, all point upwards, away from class 1. The score-matched one shows the two blobs again."}} tags=["hide-input"]
axis = torch.linspace(-4, 4, 161, dtype=torch.float64)
grid = torch.cartesian_prod(axis, axis)
ticks = torch.linspace(-3.5, 3.5, 11, dtype=torch.float64)
sparse = torch.cartesian_prod(ticks, ticks)
figure, axes = plt.subplots(2, 3, figsize=(8.8, 6.2), sharex=True, sharey=True)
look = dict(origin="lower", extent=(-4, 4, -4, 4), interpolation="bilinear")
for column, (name, network) in zip(axes.T, networks.items(), strict=True):
    with torch.no_grad():
        density = network(grid)[:, 0].softmax(dim=0).view(161, 161).T
        posterior = network(grid).softmax(dim=1)[:, 0].view(161, 161).T
    arrows = logit_gradient(network, sparse, 0)
    column[0].imshow(density, cmap="Blues", **look)
    column[0].quiver(*sparse.T, *arrows.T, scale=95, width=0.006, color="#333")
    signed = {"cmap": SIGNED, "vmin": -0.6, "vmax": 1.6}
    column[1].imshow(posterior, **signed, **look)
    column[1].scatter(*points[:250].T, s=3, color="black", linewidths=0)
    column[1].contour(axis, axis, posterior, [0.5], colors="k", linewidths=1)
    column[0].set_title(name, loc="center")
    for ax in column:
        ax.grid(visible=False)
figure.suptitle("The answers agree; the densities do not", x=0.02, ha="left")
axes[0, 0].set(ylabel="density of class 0", xlim=(-4, 4), ylim=(-4, 4))
axes[1, 0].set_ylabel("probability of class 0")
plt.show()

# %% [markdown]
# Cover the upper row: wherever there are points, the three are one classifier. Cover the lower row, and the one in the middle might never have seen the data. Its arrows say "away from class 1", and they go on saying it where there is nothing left to be found.
#
# "Away from class 1" is what the centred logit says, {eq}`eq-logits-centred`: with two classes it is half the log-odds between them. To see whether that is all, we add a fourth model: the truth with its logits centred. Its probabilities are the true ones, to the last digit.
#
# Numbers, on fresh points with their true classes. The posterior error is the mean absolute difference from the true probability. The score error is the mean squared distance between the model's arrow and the true one. Standard errors stand beside.

# %%
fresh, labels = mixture.sample(400 if tier == "tiny" else 5000, generator)
truth = two_terms(ideal, fresh, labels)
networks["truth, centred"] = centred_truth
rows, errors = {}, {}
for name, network in networks.items():
    terms = two_terms(network, fresh, labels)
    errors[name] = [
        (mine - true).square().sum(dim=1)
        for mine, true in zip(terms, truth, strict=True)
    ]
    score = mixture.score(fresh, labels)
    aligned = score_alignment(network, fresh, labels, score)
    with torch.no_grad():
        posterior = network(fresh).softmax(dim=1)
    right = posterior.argmax(dim=1) == labels
    off = (posterior - mixture.log_posterior(fresh).exp()).abs()[:, 0]
    rows[name] = {
        "accuracy": float(right.double().mean()),
        "posterior error": float(off.mean()),
        "score error": aligned.squared_error,
        "score error, s.e.": aligned.squared_error_standard_error,
        "cosine": aligned.cosine,
        "cosine, s.e.": aligned.cosine_standard_error,
    }
pd.DataFrame(rows).T.round(3)

# %% tags=["remove-cell"]
free = {
    key: median_interval(split_gradient(net, fresh, labels).shares()["free"])
    for key, net in (("plain", classifier), ("matched", matched))
}
tell(
    squared_norm=aligned.squared_norm,
    num_fresh=len(fresh),
    plain_free=interval_text(free["plain"]),
    matched_free=interval_text(free["matched"]),
)

# %% tags=["remove-cell"]
keys = ("ideal", "plain", "matched", "centred")
for key, name in zip(keys, networks, strict=True):
    row = rows[name]
    tell({
        f"{key}_accuracy": row["accuracy"],
        f"{key}_posterior": row["posterior error"],
        f"{key}_score": row["score error"],
        f"{key}_score_se": row["score error, s.e."],
        f"{key}_cosine": row["cosine"],
        f"{key}_cosine_se": row["cosine, s.e."],
    })
    parts = zip(("whole", "deciding", "common"), errors[name], strict=True)
    for part, samples in parts:
        interval = mean_interval(samples)
        tell({
            f"{key}_{part}_error": interval.value,
            f"{key}_{part}_low": interval.low,
            f"{key}_{part}_high": interval.high,
        })

# %% [markdown]
# The plain classifier is right on {glue:text}`plain_accuracy:.1%` of {glue:text}`num_fresh` points; the ideal one on {glue:text}`ideal_accuracy:.1%`. Its probabilities are off by {glue:text}`plain_posterior:.3f` on average. But the squared error of its score is {glue:text}`plain_score:.1f` ± {glue:text}`plain_score_se:.1f`, where a network with no gradient at all, an arrow of length nought everywhere, would have {glue:text}`squared_norm:.1f`. The mean cosine between its arrows and the true ones is {glue:text}`plain_cosine:.2f` ± {glue:text}`plain_cosine_se:.2f`.
#
# With score-matching the error is {glue:text}`matched_score:.3f` ± {glue:text}`matched_score_se:.3f`, the cosine {glue:text}`matched_cosine:.3f`, and the accuracy {glue:text}`matched_accuracy:.1%`.
#
# The truth with centred logits, whose probabilities have no error at all, has a score error of {glue:text}`centred_score:.1f` ± {glue:text}`centred_score_se:.1f` and a cosine of {glue:text}`centred_cosine:.2f` ± {glue:text}`centred_cosine_se:.2f`. So no skill in telling the classes apart would have helped the plain classifier: what it lacks is the mean logit. That has, in the median, {glue:text}`plain_free` of the map's length in the plain network and {glue:text}`matched_free` in the score-matched one.
#
# Where does the error sit? The identity {eq}`eq-logits-identity` holds for the truth too, so the error of a score is the sum of two errors, one in each term. We sort the points by how far they are from the boundary, measured by the true $|\log p(0 \mid \mathbf{x}) - \log p(1 \mid \mathbf{x})|$, and cut them into five equal groups.

# %% mystnb={"figure": {"name": "fig-logits-where", "caption": "Mean squared error of the two terms of the score, in five equal groups of points from the boundary outwards, with 95 % intervals (one that runs off the bottom contains 0). The grey line is the mean squared length of the true score."}, "image": {"alt": "Two panels with a logarithmic axis. For the plain classifier the error of the deciding term falls away from the boundary while that of the common term stays high. With score-matching both are small."}} tags=["hide-input"]
set_matplotlib_formats("svg")
log_posterior = mixture.log_posterior(fresh)
distance = (log_posterior[:, 0] - log_posterior[:, 1]).abs()
groups = distance.argsort().tensor_split(5)
centres = [float(distance[group].median()) for group in groups]
squared = truth[0].square().sum(dim=1)
lengths = [float(squared[group].mean()) for group in groups]
figure, axes = plt.subplots(1, 2, figsize=(8.2, 3.8), sharey=True)
for ax, name in zip(axes, list(networks)[1:3], strict=True):
    for part, mark in ((1, "o"), (2, "s")):
        ends = [mean_interval(errors[name][part][group]) for group in groups]
        values = [end.value for end in ends]
        below = [end.value - end.low for end in ends]
        above = [end.high - end.value for end in ends]
        look = {"marker": mark, "label": two_parts[part - 1]}
        ax.errorbar(centres, values, yerr=[below, above], **look)
    look = {"color": "#8C8C8C", "linestyle": "--"}
    ax.plot(centres, lengths, label="true score, squared length", **look)
    ax.set(yscale="log", xlabel="distance from the boundary (log-odds)")
    ax.set_title(name)
axes[0].set_ylabel("mean squared error")
axes[1].legend(loc="lower left")
heading = "Far from the boundary only the common term is wrong"
figure.suptitle(heading, x=0.02, ha="left")
plt.show()

# %% tags=["remove-cell"]
_, deciding, common = errors["trained to classify"]
tell(
    near_common=float(common[groups[0]].mean()),
    far_common=float(common[groups[-1]].mean()),
    near_deciding=float(deciding[groups[0]].mean()),
    far_deciding=float(deciding[groups[-1]].mean()),
)

# %% [markdown]
# For the plain classifier, the error of the deciding term is {glue:text}`plain_deciding_error:.2f` ({glue:text}`plain_deciding_low:.2f` to {glue:text}`plain_deciding_high:.2f`), and that of the common term {glue:text}`plain_common_error:.1f` ({glue:text}`plain_common_low:.1f` to {glue:text}`plain_common_high:.1f`). Almost all that is wrong with its score is the second term. From the nearest fifth of the points to the farthest, the first falls from {glue:text}`near_deciding:.2f` to {glue:text}`far_deciding:.0e`; the second rises from {glue:text}`near_common:.1f` to {glue:text}`far_common:.1f`. Away from the boundary the first term is right because it is nought, as it should be. The score there is the second term alone.
#
# ## Is there a density at all?
#
# One question is left: whether $Z$ is finite. We integrate $\exp f_0$ over larger and larger squares.

# %%
half_widths = (4, 8, 16, 32)
log_z = {
    name: [float(log_partition(network, w)[0]) for w in half_widths]
    for name, network in list(networks.items())[:3]
}
index = pd.Index(half_widths, name="half-width of the square")
table = pd.DataFrame(log_z, index=index)
growth = table - table.iloc[0]
(growth.round(2) + 0.0).map("{:.2f}".format)

# %% tags=["remove-cell"]
growth = growth.iloc[-1]
added = float(growth["with score-matching"])
ratios = log_partition(matched, 16.0)
tell(
    plain_growth=float(growth["trained to classify"]),
    matched_growth=f"{added:.2f}" if added >= 0.005 else "less than 0.005",
    matched_ratio=float((ratios[0] - ratios[1]).exp()),
)

# %% [markdown]
# The table shows how much $\log Z_0$ grows beyond its value in the square of {numref}`fig-logits-mixture`. For the plain classifier it grows by {glue:text}`plain_growth:.0f`, in proportion to what is added to the square's width: the integral is infinite. A softplus network is nearly linear far out, and nothing told this one to slope downwards. Its "density" {eq}`eq-logits-joint` does not exist; only its score does. The score-matched network adds {glue:text}`matched_growth`. There cross-entropy has even set the classes' weights: $Z_0 / Z_1$ is {glue:text}`matched_ratio:.2f`, where the true ratio is 3.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Section 3 reads logits as unnormalised log-densities, recovers the softmax by Bayes' rule, and calls $\nabla_{\mathbf{x}} f_i$ the score of $p_\theta(\mathbf{x} \mid y = i)$. It then supposes that gradients look structured because this hidden density is close to that of the data. It reports no measurement of how close it is; for pictures, none is possible.
# :::
#
# :::{admonition} What you just saw
# - **Bayes' rule holds**, with $Z_i$ in the place of $Z/C$. The score needs neither.
# - **A gradient map has three parts**: what decides, what the other classes' probabilities say, and the free part, the mean logit's. On the digits' ordinary classifier their lengths are {glue:text}`own_share`, {glue:text}`others_share` and {glue:text}`free_share` of the map's. A shift $g$ enters through the last alone.
# - **A sure network maps the other classes.** The part that decides vanishes. The next is a function of tiny probabilities, which training hardly sees.
# - **Classification does not teach a density.** In the plane, where we can check, a network trained to classify has the right probabilities, a wrong score, and no density; and perfect probabilities with centred logits have a wrong score, too. This says that nothing *forces* the density to be right; it is no proof that a large network on real pictures gets it wrong. That is what the paper's experiments are about, and ours from [chapter 7](07_training.ipynb) on.
# - **Score-matching does teach it.** How a loss can match a score that nobody can see is the next chapter.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* Take two classes. Write the first two parts of {eq}`eq-logits-three` for $i = 1$ in terms of $\nabla f_1 - \nabla f_2$.
# When does the second part vanish? How large is the first, beside the centred map, at $p_1 = 0.99$?
#
# :::{admonition} Solution
# :class: dropdown
#
# With $p_1 + p_2 = 1$ we have $\nabla \log p_1 = p_2\,(\nabla f_1 - \nabla f_2)$ and $\nabla \log p_2 = -p_1\,(\nabla f_1 - \nabla f_2)$. So the first
# part is $p_2\,(\nabla f_1 - \nabla f_2)$, and the second is
#
# $$
# -\tfrac12 \big(\nabla \log p_1 + \nabla \log p_2\big) = \tfrac12\,(p_1 - p_2)\,(\nabla f_1 - \nabla f_2) .
# $$
#
# They add up to $\frac12 (\nabla f_1 - \nabla f_2)$, the gradient of the centred logit. The second part vanishes where the network hesitates, at
# $p_1 = \frac12$. The first is $2 p_2$ times the centred map: at $p_1 = 0.99$ a fiftieth of it.
# :::
#
# **2.** *With one line.* In the first cell that makes the mixture, give the classes equal weight: `weights=torch.tensor([1.0, 0.5, 1.5])`. Which entries of the
# table of $Z_i$ change, and why? Then execute it.
#
# :::{admonition} Solution
# :class: dropdown
#
# The ideal logits are $f_i = \log p(\mathbf{x} \mid i) + \log \pi_i$, so $Z_i = \pi_i$, the class's share of the points. It was $\frac34$ and $\frac14$, and is
# now one half for both classes (the weights are divided by their sum). Hence $Z/C = \frac12$ is right for both, and both columns of integrals
# say 1. The last column said so before.
# :::
#
# **3.** *What would happen if* only the shares of the classes were changed, as above, and each Gaussian of class 0 kept its part of its class? Which of these
# would notice: the score, the log-odds, the place where the two classes are equally likely?
#
# :::{admonition} Solution
# :class: dropdown
#
# The density of each class is the same as before, so each logit moves by a constant: $f_0$ by $\log \frac{1/2}{3/4} = \log \frac23$ and $f_1$ by
# $\log \frac{1/2}{1/4} = \log 2$. No score notices. The log-odds $f_0 - f_1$ fall by $\log 3$ everywhere, and the boundary moves away from class
# 1. A gradient map knows nothing of how frequent a class is; the classifier does.
# :::
