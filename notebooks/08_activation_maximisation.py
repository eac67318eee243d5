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
# # Climbing a logit
#
# Take a picture of noise and a network that tells things apart. Change each pixel a little in the direction that
# raises the logit of one class, say "bicycle". Do it again, a few hundred times. What you end up with is often shown as "what the
# network thinks a bicycle looks like". The method is called *activation maximisation* {cite:p}`simonyan2013deep`.
#
# Read the logit as a log-density ([chapter 3](03_logits_as_log_densities.ipynb)), and the method turns into
# something that has been known to statisticians for decades. The question of this chapter is: **what does one
# sample when one climbs a logit?**

# %% tags=["parameters", "hide-input"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["hide-input"]
import ipywidgets as widgets
import pandas as pd
import torch
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats
from torch import nn

from companion import data, fooling, live, runs, sampling
from companion.book import figures, plots, stencils
from companion.audit import split_logits
from companion.book.split import PARTS, WORDS
from companion.book.strongest import strongest
from companion.book.style import MODEL_LABELS, model_style
from companion.experiments import presets
from companion.book.opening import begin, tell
from companion.metrics import (
    mean_interval, paired_difference_interval, total_variation,
)
from companion.book.words import direction, interval_text

begin(globals())
dataset = presets.DATASETS[tier][0]

# %% tags=["hide-input"]
sizes = {"tiny": (40, 20, 3), "quick": (400, 1000, 80)}
points, steps_2d, steps = sizes.get(tier, (400, 1000, 200))


def fresh(purpose):
    """Return a source of random numbers of its own for each experiment."""
    return torch.Generator().manual_seed(1000 * seed + purpose)


# %% [markdown]
# Climb one yourself. Two of the book's networks run in your browser, from the same noise: choose a class and press
# "Run", or take single steps. With Langevin dynamics, turn the temperature up towards 1 and watch the picture dissolve.

# %% tags=["hide-input"]
names = ("baseline", "score_matching")
trained = {name: runs.find(tier, dataset, name, seed) for name in names}
networks = {name: run.model().to(device) for name, run in trained.items()}
shape = trained["baseline"].pictures()["samples"].shape[1:]
live.sampling(
    {MODEL_LABELS[name]: networks[name] for name in names},
    shape, data.load(dataset).class_names, target=3,
)

# %% tags=["remove-cell"]
lead = strongest("cifar100", "samples")
tell(lead_networks=lead.described(), lead_notes=lead.notes())

# %% [markdown]
# Digits are a small world. Here is what the method makes of four networks trained on CIFAR-100: {glue:text}`lead_networks`.

# %% mystnb={"figure": {"name": "fig-climb-lead", "caption": "Pictures of the first ten classes of CIFAR-100, made by climbing the logit of each class from noise, for four networks."}, "image": {"alt": "Four rows of ten small colour pictures, grainy and garish, many of which show what the class is called: round fruit in the column of apples, a furry animal in that of bears, spoked wheels in that of bicycles."}} tags=["hide-input"]
figures.samples(*lead.shelf)
plt.show()

# %% [markdown]
# Nobody drew these, and no photograph was shown to the sampler: they come out of the networks' logits.
#
# :::{admonition} What the records note of how they were made
# :class: dropdown
#
# {glue:text}`lead_notes`
# :::
#
# Whether they are good pictures is counted in [chapter 11](11_samples.ipynb). What they tell about the networks is another
# matter, and the one of this chapter. We take it apart in the plane, where everything is known, and then on digits.
#
# ## Two algorithms, one line
#
# *Langevin dynamics* draws samples from a density of which only the score is known
# {cite:p}`welling2011bayesian,roberts1996exponential`. For the density $p_\theta(\mathbf{x} \mid y = i) \propto
# \exp f_i(\mathbf{x})$ the score is the logit-gradient, and one step of size $\alpha$ is
#
# $$
# \mathbf{x} \leftarrow \mathbf{x} + \frac{\alpha}{2} \nabla_{\mathbf{x}} f_i(\mathbf{x})
# + \sqrt{\alpha T}\, \mathbf{n},
# \qquad \mathbf{n} \sim \mathcal{N}(0, \mathbf{I}) .
# $$ (eq-climb-langevin)
#
# At the temperature $T = 1$ the points end up distributed as the density is, up to an error of the order of the
# step. Now turn the temperature down to $T = 0$. The noise is gone, and what is left,
#
# $$
# \mathbf{x} \leftarrow \mathbf{x} + \frac{\alpha}{2} \nabla_{\mathbf{x}} f_i(\mathbf{x}) ,
# $$ (eq-climb-ascent)
#
# is activation maximisation with half the step. It no longer samples. It walks uphill, and stops at a mode.
#
# We begin in the plane, where everything can be checked. Class 0 has two Gaussians, a wide one with 80 % of its
# points and a narrow one with the other 20 %. The logits are the true $\log p(\mathbf{x}, i)$.

# %%
mixture = data.gaussian_mixture(
    torch.tensor([[-1.1, 0.0], [1.3, 0.5], [0.0, -2.5]]),
    torch.tensor([0.8**2, 0.4**2, 0.7**2])[:, None].expand(3, 2),
    labels=torch.tensor([0, 0, 1]),
    weights=torch.tensor([0.4, 0.1, 0.5]),
)
bayes = mixture.classifier()
above = torch.tensor([[0.2, 2.0]], dtype=torch.float64)
path = {}
for name, temperature in (("T = 1", 1.0), ("T = 0.1", 0.1), ("T = 0", 0.0)):
    places = path[name] = []
    sampling.langevin(
        bayes, 0, steps=5, step_size=0.1, start=above, clamp=None,
        temperature=temperature, generator=fresh(1),
        callback=lambda _, x, places=places: places.append(x[0]),
    )

# %%
places = path["activation maximisation"] = []
sampling.activation_maximisation(
    bayes, 0, steps=5, step_size=0.05, start=above, clamp=None,
    callback=lambda _, x, places=places: places.append(x[0]),
)
pairs = zip(path["T = 0"], places, strict=True)
apart = max(float((a - b).abs().max()) for a, b in pairs)
table = pd.DataFrame({
    name: ["({:.3f}, {:.3f})".format(*x.tolist()) for x in places]
    for name, places in path.items()
})
table.index = pd.RangeIndex(1, 6, name="step")
table

# %% tags=["remove-cell"]
tell(apart=f"{apart:.0e}" if apart else "nothing at all")

# %% [markdown]
# Five steps from one starting point, with the same random numbers. The last two columns are two functions of the
# package, called independently; the largest difference between them is {glue:text}`apart`. So much for the
# algebra. What a difference the noise makes is seen when both run for longer. We let
# {glue:text}`points` points start anywhere in the square.

# %%
uniform = torch.rand(points, 2, generator=fresh(2), dtype=torch.float64)
start = (uniform - 0.5) * 8
settings = {"steps": steps_2d, "step_size": 0.05, "start": start, "clamp": None}
climbed = sampling.activation_maximisation(bayes, 0, **settings)
results = {
    "true samples": mixture.sample(points, fresh(3), y=0)[0],
    "Langevin": sampling.langevin(bayes, 0, **settings, generator=fresh(4)),
    "activation maximisation": climbed,
}
narrow = {name: (x[:, 0] > 0.55).double() for name, x in results.items()}
share = {name: mean_interval(inside) for name, inside in narrow.items()}

# %% mystnb={"figure": {"name": "fig-climb-plane", "caption": "The density of class 0 as contours, and three sets of points: drawn from it exactly, by Langevin dynamics, and by activation maximisation from the same starting points."}, "image": {"alt": "Three panels with the same two-humped contours. In the first two the points fill both humps. In the third all points sit on the two summits."}} tags=["hide-input"]
set_matplotlib_formats("png", dpi=200)
axis = torch.linspace(-4, 4, 121, dtype=torch.float64)
grid = torch.cartesian_prod(axis, axis)
density = mixture.log_density(grid, 0).exp().reshape(121, 121).T
figure, axes = plt.subplots(1, 3, figsize=(8.8, 3.3), sharey=True)
for ax, (name, x) in zip(axes, results.items(), strict=True):
    ax.contour(axis, axis, density, 8, colors="#8C8C8C", linewidths=0.7)
    size = 28 if "maximisation" in name else 6
    ax.scatter(*x.T, s=size, color="#0072B2", alpha=0.5, linewidths=0)
    ax.set(xlim=(-3.6, 3), ylim=(-2.6, 2.6), aspect="equal")
    ax.set(title=name, xlabel="$x_1$")
axes[0].set_ylabel("$x_2$")
plt.show()

# %% tags=["remove-cell"]
left = mixture.score(climbed, 0).norm(dim=1).max()
tell(points=points, steps_2d=steps_2d, left_gradient=f"{float(left):.0e}")
for key, name in zip(("true", "langevin", "climbed"), share, strict=True):
    tell({f"share_{key}": interval_text(share[name], "{:.0f}", 100)})

# %% [markdown]
# Langevin dynamics filled both humps ({numref}`fig-climb-plane`). Activation maximisation ended on two summits;
# after {glue:text}`steps_2d` steps the longest gradient that is left, of all points, is
# {glue:text}`left_gradient`. What happened to the 80 and 20 %? To the right of $x_1 = 0.55$ lie
#
# - {glue:text}`share_true` % of the true samples,
# - {glue:text}`share_langevin` % of the Langevin points,
# - {glue:text}`share_climbed` % of those that only climbed.
#
# The last number says nothing about the density. It is the share of *starting points* from which the way up
# leads to that summit. A mode tells where a density is highest, and neither how much of it is there nor how wide
# it is.
#
# ## Priors and jitter: sampling something else
#
# Climbing a real network gives noisy pictures, so people helped. They pulled the picture towards grey, asked
# neighbouring pixels to agree {cite:p}`mahendran2016visualizing`, or shifted it at random before each step
# {cite:p}`mordvintsev2015inceptionism`. And nearly everybody cuts pixels that leave $[0, 1]$ back to its ends. In the density's terms each is a known change of what is
# sampled. A pull of strength $w$ to grey and a roughness penalty of strength $s$ multiply it,
#
# $$
# p_\theta(\mathbf{x} \mid i) \quad\longrightarrow\quad
# p_\theta(\mathbf{x} \mid i) \;
# \exp\!\Big({-\tfrac w2} \lVert \mathbf{x} - \tfrac12 \rVert^2 - s\,V(\mathbf{x})\Big),
# $$ (eq-climb-prior)
#
# where $V$ is half the sum of squared differences of neighbours. Jitter takes the gradient at a shifted copy
# $R\mathbf{x}$ and shifts it back. On average over the shifts that is the gradient of
#
# $$
# \bar f_i(\mathbf{x}) = \mathbb{E}_R \, f_i(R\mathbf{x}),
# $$ (eq-climb-jitter)
#
# the mean log-density of all shifted copies. The cut, or *clamp*, is a bias as well, though it looks like a mere matter of bookkeeping. A density on the box would be
# sampled by a chain that rejects steps beyond the walls, or reflects them. A clamp puts whatever stepped outside exactly *on* the wall, where a
# density has no mass at all, and the next step starts from there.
#
# How large is the bias? For a Gaussian over pictures it can be
# calculated. Ours is centred on a face, and each pixel varies by 0.2 around it, independently.

# %%
size = 20
truth, precision = (0.2 + 0.6 * stencils.smiley(size)).double(), 0.2**-2


class Gaussian(nn.Module):
    """One logit: the log-density around `truth`, up to a constant."""

    def forward(self, x):
        return -precision / 2 * (x - truth).square().sum(dim=(1, 2, 3))[:, None]


samplers = {
    "no help": {},
    "pull to grey": {"weight_decay": precision},
    "smoothness": {"smoothness": precision},
    "jitter": {"jitter": 2},
    "clamp": {"clamp": (0.0, 1.0)},
}
step_size = 0.008
chain, burn_in = {"tiny": (60, 20)}.get(tier, (1500, 300))


# %%
def in_the_box():
    """Return mean and deviation of the Gaussian cut off at the walls."""
    pixel = torch.linspace(0, 1, 1001, dtype=torch.float64)[:, None]
    weight = (-precision / 2 * (pixel - truth.flatten()).square()).exp()
    weight = weight / weight.sum(dim=0)
    mean = (weight * pixel).sum(dim=0)
    variance = (weight * (pixel - mean).square()).sum(dim=0)
    return mean.view(1, size, size), float(variance.mean().sqrt())


# %%
def predicted(weight_decay=0.0, smoothness=0.0, jitter=0, clamp=None):
    """Return the biased density's mean picture and mean pixel deviation."""
    if clamp:
        return in_the_box()
    identity = torch.eye(size * size, dtype=torch.float64)
    roughness = sampling.roughness_gradient(identity.view(-1, 1, size, size))
    total = (precision + weight_decay) * identity
    total = total + smoothness * roughness.flatten(1)
    moves = range(-jitter, jitter + 1)
    shifts = [(a, b) for a in moves for b in moves]
    shifted = [truth.roll(shift, dims=(-2, -1)) for shift in shifts]
    centre = torch.stack(shifted).mean(dim=0)
    pulls = precision * centre.flatten() + weight_decay / 2
    mean = torch.linalg.solve(total, pulls).view(1, size, size)
    precisions = total - step_size / 4 * total @ total
    return mean, float(torch.linalg.inv(precisions).diagonal().mean().sqrt())

# %%
def measured(**options):
    """Run 32 Langevin chains; return the same two, after the burn-in."""
    kept = []
    sampling.langevin(
        Gaussian(), 0, steps=chain, step_size=step_size,
        start=truth.expand(32, -1, -1, -1), generator=fresh(5),
        callback=lambda step, x: kept.append(x) if step > burn_in else None,
        **{"clamp": None, **options},
    )
    samples = torch.stack(kept)
    walls = float(((samples <= 0) | (samples >= 1)).double().mean())
    mean, variance = samples.mean(dim=(0, 1)), samples.var(dim=1).mean()
    return mean, float(variance.sqrt()), walls


# %%
biased = {
    name: (predicted(**options), measured(**options))
    for name, options in samplers.items()
}


# %%
def apart_by(first, second):
    """Return the root mean square difference of two pictures."""
    return float((first - second).square().mean().sqrt())


distance = "mean's distance from the truth"
columns = [
    (distance, "predicted"), (distance, "measured"),
    ("distance between", "the two"),
    ("pixel deviation", "predicted"), ("pixel deviation", "measured"),
]
rows = [
    (apart_by(mean, truth), apart_by(chain_mean, truth),
     apart_by(mean, chain_mean), spread, chain_spread)
    for (mean, spread), (chain_mean, chain_spread, _) in biased.values()
]
table = pd.DataFrame(rows, index=pd.Index(biased, name="sampler"))
table.columns = pd.MultiIndex.from_tuples(columns)
table.style.format("{:.3f}")

# %% mystnb={"figure": {"name": "fig-climb-bias", "caption": "The mean picture of five samplers of one density. Above: calculated, for the clamp as a density that ends at the walls. Below: the mean of 32 Langevin chains."}, "image": {"alt": "Two rows of five faces, equal in pairs: a sharp face, a pale one, one with soft edges, one blurred almost beyond recognition, and a slightly paler one."}} tags=["hide-input"]
figure, axes = plt.subplots(2, 5, figsize=(8.6, 3.9))
for row, label in enumerate(("calculated", "measured")):
    means = torch.stack([both[row][0] for both in biased.values()])
    titles = list(biased) if row == 0 else None
    plots.show_images(axes[row], means, titles=titles)
    axes[row, 0].set_ylabel(label)
figure.suptitle("Each kind of help samples another density", x=0.02, ha="left")
plt.show()

# %% tags=["remove-cell"]
keys = ("none", "grey", "smooth", "jitter", "clamp")
for key, (_, (mean, spread, walls)) in zip(keys, biased.values(), strict=True):
    tell({
        f"off_{key}": apart_by(mean, truth),
        f"spread_{key}": spread,
        f"walls_{key}": f"{100 * walls:.0f}",
    })
agreement = table["distance between", "the two"]
tell(
    worst_agreement=float(agreement.drop("clamp").max()),
    clamp_agreement=float(agreement["clamp"]),
    clamp_deviation=float(table["pixel deviation", "predicted"]["clamp"]),
)

# %% [markdown]
# The first four chains arrive where the algebra says, to within {glue:text}`worst_agreement:.3f` a pixel. Without help their
# mean is {glue:text}`off_none:.3f` from the truth. The pull to grey moves it by {glue:text}`off_grey:.3f`, the
# smoothness by {glue:text}`off_smooth:.3f` and the jitter by {glue:text}`off_jitter:.3f`; the first two also
# make the pixels vary less, {glue:text}`spread_grey:.2f` and {glue:text}`spread_smooth:.2f` in place of
# {glue:text}`spread_none:.2f`. None of this is a fault. But a picture that looks pleasant owes some of that to
# the help ({numref}`fig-climb-bias`).
#
# The clamp has no density to arrive at. Were the Gaussian simply to end at the walls, its mean could be calculated; the
# chain's is {glue:text}`clamp_agreement:.3f` from that and {glue:text}`off_clamp:.3f` from the truth, its pixels vary by {glue:text}`spread_clamp:.2f`, where the cut-off Gaussian's would by {glue:text}`clamp_deviation:.2f`, and
# {glue:text}`walls_clamp` % of them lie exactly on a wall. It is a bias like the others, and every picture that is climbed in this book has it.
#
# ## The book's networks
#
# Now digits. The baseline and the score-matched network start from the same noise, one picture for each of ten
# classes, with the step and the weak pull to grey that the authors used ($\alpha = 0.1$, $w = 0.01$; pixels are
# clamped to $[0, 1]$).

# %%
targets = torch.arange(10, device=device)
noise = 0.5 + 0.2 * torch.randn(10, *shape, generator=fresh(6))
noise = noise.clamp(0, 1).to(device)


def way_up(network, start):
    """Return the start and what follows each step, (steps + 1, 10, C, H, W)."""
    frames = [start]
    sampling.activation_maximisation(
        network, targets, steps=steps, step_size=0.1, weight_decay=0.01,
        start=start, callback=lambda _, x: frames.append(x),
    )
    return torch.stack(frames)


climbs = {name: way_up(network, noise) for name, network in networks.items()}

# %% [markdown]
# Move the slider to see the pictures grow.

# %% tags=["hide-input"]
offered = (0, 1, 2, 4, 8, 15, 30, 50, 80, 120, 200)
stops = sorted({stop for stop in offered if stop <= steps})


def pictures_after(step):
    """Return the pictures after some steps, as a widget."""
    figure, axes = plt.subplots(2, 10, figsize=(7.6, 1.95))
    for row, name in zip(axes, names, strict=True):
        titles = [*"0123456789"] if name == names[0] else None
        plots.show_images(row, climbs[name][step], titles=titles)
        label = {"rotation": 0, "ha": "right", "va": "center", "fontsize": 8}
        row[0].set_ylabel(MODEL_LABELS[name], **label)
    alt = f"Ten pictures by each of the two networks, after {step} steps."
    return plots.figure_widget(figure, alt=alt, dpi=90)


options = [(str(stop), i) for i, stop in enumerate(stops)]
slider = widgets.SelectionSlider(options=options, description="steps")
stack = widgets.Stack([pictures_after(s) for s in stops], selected_index=0)
widgets.jslink((slider, "index"), (stack, "selected_index"))
display(widgets.VBox([slider, stack]))

# %% [markdown]
# What do the numbers do meanwhile? The logit has three parts, by equation {eq}`eq-logits-three` of
# [chapter 3](03_logits_as_log_densities.ipynb):
#
# $$
# f_i = \underbrace{\log p_i}_{\text{decides}}
# \; \underbrace{- \; \textstyle\frac1C \sum_j \log p_j}_{\text{the other classes}}
# \; + \; \underbrace{\textstyle\frac1C \sum_j f_j}_{\text{free}} .
# $$ (eq-climb-parts)
#
# The first is the classifier's opinion of its class. The second rises as the other classes become less and less probable, and it is a function of the
# probabilities, too. Only the third, the mean logit, is what a shift of the logits changes at will.

# %%
@torch.no_grad()
def parts(network, frames):
    """Return logit, its three parts and probability, (steps + 1, 10) each."""
    split = [split_logits(network(x), targets) for x in frames]
    found = {
        name: torch.stack([getattr(one, name) for one in split]).cpu()
        for name in ("whole", *PARTS)
    }
    return {**found, "probability": found["own"].exp()}


curves = {name: parts(networks[name], climbs[name]) for name in names}

# %% mystnb={"figure": {"name": "fig-climb-curves", "caption": "The target's logit and its probability through the climb. Thin lines: ten classes; thick: their mean."}, "image": {"alt": "Left: the logits of both networks rise, steeply at first, and are still rising at the last step. Right: the probability of each class jumps from near 0 to near 1, each at a time of its own; the two means climb over the whole width and are still rising at the last step."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.4))
for name in names:
    style = {**model_style(name), "marker": None}
    for ax, quantity in zip(axes, ("whole", "probability"), strict=True):
        values, colour = curves[name][quantity], style["color"]
        ax.plot(values, color=colour, linewidth=0.6, alpha=0.35)
        ax.plot(values.mean(dim=1), **style)
axes[0].set(xlabel="steps", ylabel="logit of the target")
axes[0].set_title("What is climbed")
axes[1].set(xlabel="steps", ylabel="probability of the target")
axes[1].set(title="What the classifier answers", ylim=(-0.03, 1.03))
axes[0].legend()
plt.show()

# %%
def rises(curve):
    """Return how the logit and its parts change over a climb, (10,) each."""
    ends = ("whole", *PARTS)
    return {name: curve[name][-1] - curve[name][0] for name in ends}


named = {"whole": "rise of the logit", **WORDS}
pd.DataFrame({
    MODEL_LABELS[name]: {
        named[part]: interval_text(mean_interval(rise), "{:+.2f}")
        for part, rise in rises(curves[name]).items()
    }
    for name in names
}).T

# %% tags=["remove-cell"]
def when_sure(curve):
    """Say how the parts changed once a class's probability was 0.99."""
    sure = curve["probability"] > 0.99
    passed = [c for c in range(sure.shape[1]) if sure[:, c].any()]
    if not passed:
        return f"no class passed a probability of 0.99 within {steps} steps"
    moved = {}
    for name in PARTS:
        values = [
            curve[name][-1, c] - curve[name][int(sure[:, c].nonzero()[0]), c]
            for c in passed
        ]
        moved[name] = round(float(sum(values)) / len(values), 2) + 0.0
    return (
        f"{len(passed)} of {sure.shape[1]} classes passed a probability of "
        f"0.99; from there on the deciding part changed by "
        f"{moved['own']:+.2f}, the other classes' part by "
        f"{moved['others']:+.2f} and the mean logit by {moved['free']:+.2f} "
        "on average"
    )


# %% tags=["remove-cell"]
largest = {
    "own": "the deciding part",
    "others": "the other classes' part",
    "free": "the mean logit",
}
for name in names:
    found = {k: float(v.mean()) for k, v in rises(curves[name]).items()}
    tell({
        f"{name}_{part}": f"{round(value, 2) + 0.0:+.2f}"
        for part, value in found.items()
    })
    most = max(largest, key=lambda part: found[part])
    tell({
        f"{name}_most": largest[most],
        f"{name}_sure": when_sure(curves[name]),
    })
tell(steps=steps)

# %% [markdown]
# Means over ten climbs with 95 % intervals over the classes. In {glue:text}`steps` steps the baseline's logit changed by {glue:text}`baseline_whole` on average. Of the three, {glue:text}`baseline_most` rose most:
# {glue:text}`baseline_own` in $\log p_i$, {glue:text}`baseline_others` in the other classes' part and {glue:text}`baseline_free` in the mean logit. The
# score-matched network's changed by {glue:text}`score_matching_whole`, and {glue:text}`score_matching_most` rose most: {glue:text}`score_matching_own`,
# {glue:text}`score_matching_others` and {glue:text}`score_matching_free` ({numref}`fig-climb-curves`).
#
# Once the classifier has made up its mind, it has nothing more to say of its own class: from a probability of 0.99 on,
# $\log p_i$ can rise by about a hundredth at most. But the climb goes on, and what it gains is in the other two parts. In the baseline
# {glue:text}`baseline_sure`; in the score-matched network {glue:text}`score_matching_sure`. What goes into the other classes' part makes improbable classes
# still less probable. That is a statement about probabilities, if one that no decision turns on. What goes into the mean logit is not.
#
# How small or large the mean logit's share may be in a network that was trained in the ordinary way, nothing holds it there. There is a plain
# way to see whose picture it is. Add $g(\mathbf{x}) = s\,\langle \mathbf{x}, \mathbf{t}\rangle$ to
# all logits, with a face for $\mathbf{t}$, as in [chapter 1](01_softmax_shift.ipynb). The classifier's answers stay what
# they were. We climb the new logits, and beside them add the noise of Langevin, and the two kinds of help.

# %%
bent = fooling.linear_shift(stencils.smiley(shape[-1]), 3.0)
face = fooling.shift_logits(networks["baseline"], bent)
climber, langevin = sampling.activation_maximisation, sampling.langevin
kinds = {
    "climb": (climber, {"step_size": 0.1}),
    "Langevin, T = 0.001": (langevin, {"step_size": 0.2, "temperature": 0.001}),
    "Langevin, T = 1": (langevin, {"step_size": 0.2, "temperature": 1.0}),
    "climb, smoothness": (climber, {"step_size": 0.1, "smoothness": 0.1}),
    "climb, jitter": (climber, {"step_size": 0.1, "jitter": 2}),
}
made_by = [(name, kind) for name in names for kind in kinds]
made_by.append(("baseline + face", "climb"))
album = {}
for name, kind in made_by:
    sampler, options = kinds[kind]
    album[name, kind] = sampler(
        networks.get(name, face), targets, steps=steps, start=noise,
        weight_decay=0.01, generator=fresh(7), **options,
    )

# %% mystnb={"figure": {"name": "fig-climb-album", "caption": "Ten classes, from the same noise. The third row has the same probabilities as the first for every picture there is."}, "image": {"alt": "Rows of ten small pictures, one row for each network and sampler. In the row of the baseline with the face added, every picture shows a smiling face. At temperature 1 all pictures are noise."}} tags=["hide-input"]
set_matplotlib_formats("png", dpi=200)
order = [(name, "climb") for name in (*names, "baseline + face")]
order += [(name, kind) for kind in list(kinds)[1:] for name in names]
figure, axes = plt.subplots(len(order), 10, figsize=(8.8, 0.68 * len(order)))
for row, key in zip(axes, order, strict=True):
    plots.show_images(row, album[key])
    label = f"{MODEL_LABELS.get(key[0], 'Baseline + face')}\n{key[1]}"
    row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
for ax, digit in zip(axes[0], targets.tolist(), strict=True):
    ax.set_title(f"{digit}", loc="center", fontsize=9)
plt.show()

# %%
variation = {key: total_variation(made) for key, made in album.items()}
plain = {name: variation[name, "climb"] for name in names}
changes = {
    (name, kind): paired_difference_interval(values, plain[name])
    for (name, kind), values in variation.items()
    if name in names
}
rows = []
for (name, kind), change in changes.items():
    value = interval_text(mean_interval(variation[name, kind]), "{:.3f}")
    less = "" if kind == "climb" else interval_text(change, "{:+.3f}")
    rows.append((MODEL_LABELS[name], kind, value, less))
columns = ["total variation", "change from the plain climb"]
table = pd.DataFrame(rows, columns=["network", "sampler", *columns])
table.set_index(["network", "sampler"])

# %% tags=["remove-cell"]
def both(said: dict[str, str]) -> str:
    """Say something of the two networks' pictures, once if it is the same."""
    plain, matched = (said[name] for name in names)
    if plain == matched:
        return f"the pictures of both networks are {plain}"
    return (
        f"the baseline's pictures are {plain}, and the score-matched network's "
        f"{matched}"
    )


# %% tags=["remove-cell"]
words = ("rougher", "smoother", "neither clearly rougher nor smoother")
helped, hot = {}, {}
for name in names:
    smooth, jitter = (
        direction(changes[name, f"climb, {kind}"], *words)
        for kind in ("smoothness", "jitter")
    )
    helped[name] = f"{smooth} with the smoothness prior, {jitter} with jitter"
    if smooth == jitter:
        helped[name] = f"{smooth} with either help"
    hot[name] = direction(changes[name, "Langevin, T = 1"], *words)
gap = paired_difference_interval(plain["score_matching"], plain["baseline"])
unclear = "not clearly smoother or rougher than"
with torch.no_grad():
    before, after = (f(noise).softmax(1) for f in (networks["baseline"], face))
tell(
    helped=both(helped),
    hot=both(hot),
    between=direction(gap, "rougher than", "smoother than", unclear),
    between_value=interval_text(gap, "{:+.3f}"),
    face_kept=f"{float((after - before).abs().max()):.0e}",
    noise_variation=float(total_variation(noise).mean()),
)

# %% [markdown]
# The third row of {numref}`fig-climb-album` is the point of the chapter. The climb found the face that we put in,
# although the classifier has not changed an answer: on the starting pictures the probabilities of the two
# networks differ by {glue:text}`face_kept`, which is rounding.
#
# The table gives the total variation of the pictures, the mean difference between neighbouring pixels, over the
# ten classes; the noise that they start from has {glue:text}`noise_variation:.3f`. Against the plain
# climb, {glue:text}`helped`. Between the two networks without any help, the score-matched network's pictures are {glue:text}`between` the baseline's (difference
# {glue:text}`between_value`). These are ten pictures from one trained network each; the count over many pictures
# and three seeds is in [chapter 11](11_samples.ipynb).
#
# At $T = 1$, the temperature at which Langevin dynamics would sample the density itself, {glue:text}`hot`
# than those of the plain climb. With this step the noise adds 0.45 to every pixel each time, and the clamp does the rest. A typical sample of
# a density over hundreds of pixels need not look like its summit at all.

# %% tags=["remove-cell"]
theirs = {}
for name in names:
    for run in runs.find_all("small", "cifar100", name)[:1]:
        if (run.directory / "weights.safetensors").exists():
            theirs[name] = run.model().to(device)
start = 0.5 + 0.2 * torch.randn(10, 3, 32, 32, generator=fresh(8))
start = start.clamp(0, 1).to(device)
rows, said = {}, []
for name, network in theirs.items():
    climbed = parts(network, way_up(network, start))
    rows[MODEL_LABELS[name]] = {
        named[part]: interval_text(mean_interval(rise), "{:+.2f}")
        for part, rise in rises(climbed).items()
    }
    end = float(climbed["probability"][-1].mean())
    rows[MODEL_LABELS[name]]["probability at the end"] = f"{end:.2f}"
    row = rows[MODEL_LABELS[name]]
    said.append(
        f"{MODEL_LABELS[name].lower()} {row[named['whole']]}, of it "
        f"{row[named['free']]} in the mean logit"
    )
tell(
    cifar_rise="; ".join(said) or "not measured yet",
    cifar_networks=" and ".join(rows).lower() or "none has been trained yet",
)

# %% [markdown]
# ## On CIFAR-100
#
# Are these the ways of digits alone? The climb needs a network and some noise, but no data. We take the small networks that
# [chapter 7](07_training.ipynb) trains on CIFAR-100 ({glue:text}`cifar_networks`), its first ten classes, and as many steps as above.

# %% tags=["hide-input"]
pd.DataFrame(rows).T

# %% [markdown]
# Means over ten climbs, with 95 % intervals over the classes, of one network each. The parts add up, with their signs. The pictures themselves are in [chapter 11](11_samples.ipynb).
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Section 4.1: Langevin sampling without its noise "recovers the modes of the density model", and that is what
# {cite:t}`simonyan2013deep` did to networks. Image priors and jitter make the method one of the "biased sampling
# methods". Since the pictures come from the implicit density, "their utility in interpreting discriminative
# models may be limited". The section argues; it has no experiment.
# :::
#
# :::{admonition} What you just saw
# - The two updates differ by {glue:text}`apart` when the noise is off. In the plane the climb ends on the modes;
#   how many climbs end on each is a matter of where they began, and not of the density.
# - Grey, smoothness and jitter move the mean of a known density by {glue:text}`off_grey:.3f`,
#   {glue:text}`off_smooth:.3f` and {glue:text}`off_jitter:.3f` a pixel, as calculated.
# - The clamp to $[0, 1]$ is a bias as well: {glue:text}`walls_clamp` % of the pixels of that density end up on a wall.
# - On digits the baseline's logit changed by {glue:text}`baseline_whole`: {glue:text}`baseline_own` in
#   $\log p_i$, the classifier's opinion, {glue:text}`baseline_others` in what its probabilities say of the other classes, and
#   {glue:text}`baseline_free` in the mean logit, the only part that no probability depends on.
# - On CIFAR-100's first ten classes: {glue:text}`cifar_rise`.
# - A face that no answer depends on appears in every picture.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* Let $f = -\frac a2 x^2$ on the line. After many steps of {eq}`eq-climb-langevin`, what is the variance of $x$? Compare it with the density's own, $1/a$.
#
# :::{admonition} Solution
# :class: dropdown
#
# One step is $x \leftarrow (1 - \frac{\alpha a}{2})\,x + \sqrt{\alpha T}\,n$. A variance $v$ that stays as it is satisfies $v = (1 - \frac{\alpha a}{2})^2 v + \alpha T$, hence
#
# $$
# v = \frac{T}{a} \cdot \frac{1}{1 - \alpha a / 4} .
# $$
#
# At $T = 1$ it is a little too large, by the error of the order of the step; that is the term with the squared precision in `predicted`. The
# temperature multiplies the variance, and at $T = 0$ nothing is left but the mode.
# :::
#
# **2.** *At the live figure.* Climb with activation maximisation until the probability of the class is above 0.99, and note the logit. Take fifty steps more. How much can
# $\log p_i$ have risen in them, and where did the rest of the rise go?
#
# :::{admonition} Solution
# :class: dropdown
#
# It can have risen by at most $-\log 0.99 \approx 0.01$. What the logit gained beyond that went, by {eq}`eq-climb-parts`, into the other
# classes' part or into the mean logit. The curve of the probability lies flat on its ceiling while that of the logit goes on climbing: the picture
# still changes, and no longer for the sake of the decision.
# :::
#
# **3.** *What would happen if* all logits were doubled, and Langevin dynamics ran at $T = 1$? What becomes of the shares of the two humps in the plane?
#
# :::{admonition} Solution
# :class: dropdown
#
# No answer changes, but the density is squared, and normalised again. For Langevin dynamics it is the same as halving $T$ and doubling $\alpha$: the samples crowd nearer to
# the summits. The square of a Gaussian of weight $w$ and width $s$ in the plane has the mass $w^2 / (4 \pi s^2)$. For our two humps $w/s$ is in the proportion of $0.8/0.8$ to
# $0.2/0.4$, two to one, and the masses are as four to one. By a coincidence of our numbers the shares stay near 80 and 20 %; with other widths they would not.
# :::
