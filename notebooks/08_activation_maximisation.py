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
# Take a picture of noise and a network that tells digits apart. Change each pixel a little in the direction that
# raises the logit of class 3. Do it again, a few hundred times. What you end up with is often shown as "what the
# network thinks a 3 looks like". The method is called *activation maximisation* {cite:p}`simonyan2013deep`.
#
# Read the logit as a log-density ([chapter 3](03_logits_as_log_densities.ipynb)), and the method turns into
# something that has been known to statisticians for decades. The question of this chapter is: **what does one
# sample when one climbs a logit?**

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
from companion.book.opening import refuse_unknown

refuse_unknown(globals(), ("tier", "seed", "device"))

# %% tags=["hide-input"]

import ipywidgets as widgets
import pandas as pd
import torch
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats
from myst_nb import glue
from torch import nn

from companion import data, fooling, live, runs, sampling
from companion.book import plots, stencils, style
from companion.experiments import presets
from companion._support import choose
from companion.metrics import mean_interval, paired_difference_interval, total_variation
from companion.book.sentences import direction, interval_text

style.use_style()
dataset = presets.DATASETS[choose("tier", tier, runs.TIERS)][0]
points, steps_2d, steps = {"tiny": (40, 20, 3), "quick": (400, 1000, 80)}.get(tier, (400, 1000, 200))


def fresh(purpose):
    """Return a source of random numbers of its own for each experiment."""
    return torch.Generator().manual_seed(1000 * seed + purpose)


# %% [markdown]
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
path = {}
for name, temperature in (("T = 1", 1.0), ("T = 0.1", 0.1), ("T = 0", 0.0)):
    places = path[name] = []
    sampling.langevin(
        bayes, 0, steps=5, step_size=0.1, start=torch.tensor([[0.2, 2.0]], dtype=torch.float64), clamp=None,
        temperature=temperature, generator=fresh(1), callback=lambda _, x, places=places: places.append(x[0]),
    )  # fmt: skip

# %%
places = path["activation maximisation"] = []
sampling.activation_maximisation(
    bayes, 0, steps=5, step_size=0.05, start=torch.tensor([[0.2, 2.0]], dtype=torch.float64), clamp=None,
    callback=lambda _, x, places=places: places.append(x[0]),
)  # fmt: skip
apart = max(float((a - b).abs().max()) for a, b in zip(path["T = 0"], places, strict=True))
table = pd.DataFrame({name: ["({:.3f}, {:.3f})".format(*x.tolist()) for x in rows] for name, rows in path.items()})
table.index = pd.RangeIndex(1, 6, name="step")
table

# %% tags=["remove-cell"]
glue("apart", f"{apart:.0e}" if apart else "0", display=False)

# %% [markdown]
# Five steps from one starting point, with the same random numbers. The last two columns are two functions of the
# package, called independently; the largest difference between them is {glue:text}`apart`. So much for the
# algebra. What a difference the noise makes is seen when both run for longer. We let
# {glue:text}`points` points start anywhere in the square.

# %%
start = (torch.rand(points, 2, generator=fresh(2), dtype=torch.float64) - 0.5) * 8
settings = {"steps": steps_2d, "step_size": 0.05, "start": start, "clamp": None}
results = {
    "true samples": mixture.sample(points, fresh(3), y=0)[0],
    "Langevin": sampling.langevin(bayes, 0, **settings, generator=fresh(4)),
    "activation maximisation": sampling.activation_maximisation(bayes, 0, **settings),
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
    ax.contour(axis, axis, density, levels=8, colors="#8C8C8C", linewidths=0.7)
    ax.scatter(*x.T, s=28 if "maximisation" in name else 6, color="#0072B2", alpha=0.5, linewidths=0)
    ax.set(xlim=(-3.6, 3), ylim=(-2.6, 2.6), aspect="equal", title=name, xlabel="$x_1$")
axes[0].set_ylabel("$x_2$")
plt.show()

# %% tags=["remove-cell"]
glue("points", points, display=False)
glue("steps_2d", steps_2d, display=False)
glue("left_gradient", f"{float(mixture.score(results['activation maximisation'], 0).norm(dim=1).max()):.0e}", display=False)
for key, name in (("true", "true samples"), ("langevin", "Langevin"), ("climbed", "activation maximisation")):
    glue(f"share_{key}", interval_text(share[name], "{:.0f}", 100), display=False)

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
# {cite:p}`mordvintsev2015inceptionism`. In the density's terms each is a known change of the density that is
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
# the mean log-density of all shifted copies. How large is the bias? For a Gaussian over pictures it can be
# calculated. Ours is centred on a face, and each pixel varies by 0.2 around it, independently.

# %%
size = 20
truth, precision = (0.2 + 0.6 * stencils.smiley(size)).double(), 0.2**-2


class Gaussian(nn.Module):
    """One logit: the log-density of pictures around `truth`, up to a constant."""

    def forward(self, x):
        return -precision / 2 * (x - truth).square().sum(dim=(1, 2, 3))[:, None]


samplers = {
    "no help": {},
    "pull to grey": {"weight_decay": precision},
    "smoothness": {"smoothness": precision},
    "jitter": {"jitter": 2},
}
step_size, chain, burn_in = 0.008, {"tiny": 60}.get(tier, 1500), {"tiny": 20}.get(tier, 300)


# %%
def predicted(weight_decay=0.0, smoothness=0.0, jitter=0):
    """Return the mean picture and the mean pixel deviation of the biased density, in closed form."""
    identity = torch.eye(size * size, dtype=torch.float64)
    roughness = sampling.roughness_gradient(identity.view(-1, 1, size, size)).flatten(1)
    total = (precision + weight_decay) * identity + smoothness * roughness
    shifts = [(a, b) for a in range(-jitter, jitter + 1) for b in range(-jitter, jitter + 1)]
    centre = torch.stack([truth.roll(shift, dims=(-2, -1)) for shift in shifts]).mean(dim=0)
    pulls = precision * centre.flatten() + weight_decay / 2
    spread = torch.linalg.inv(total - step_size / 4 * total @ total).diagonal().mean().sqrt()
    return torch.linalg.solve(total, pulls).view(1, size, size), float(spread)


def measured(**options):
    """Run 32 Langevin chains; return the mean picture and the mean pixel deviation after the burn-in."""
    kept = []
    sampling.langevin(
        Gaussian(), 0, steps=chain, step_size=step_size, start=truth.expand(32, -1, -1, -1), clamp=None,
        generator=fresh(5), callback=lambda step, x: kept.append(x) if step > burn_in else None, **options,
    )  # fmt: skip
    samples = torch.stack(kept)
    return samples.mean(dim=(0, 1)), float(samples.var(dim=1).mean().sqrt())


# %%
biased = {name: (predicted(**options), measured(**options)) for name, options in samplers.items()}


def off(picture):
    """Root of the mean squared distance from the true mean, a pixel."""
    return float((picture - truth).square().mean().sqrt())


table = pd.DataFrame(
    [
        (off(theory[0]), off(chains[0]), float((theory[0] - chains[0]).square().mean().sqrt()), theory[1], chains[1])
        for theory, chains in biased.values()
    ],
    index=pd.Index(biased, name="sampler"),
    columns=pd.MultiIndex.from_tuples(
        [("mean's distance from the truth", "predicted"), ("mean's distance from the truth", "measured"),
         ("measured from", "predicted"), ("pixel deviation", "predicted"), ("pixel deviation", "measured")]
    ),
)  # fmt: skip
table.style.format("{:.3f}")

# %% mystnb={"figure": {"name": "fig-climb-bias", "caption": "The mean picture of four samplers of one density. Above: calculated. Below: the mean of 32 Langevin chains."}, "image": {"alt": "Two rows of four faces, equal in pairs: a sharp face, a pale one, one with soft edges, and one blurred almost beyond recognition."}} tags=["hide-input"]
figure, axes = plt.subplots(2, 4, figsize=(7.0, 3.9))
for row, label in enumerate(("calculated", "measured")):
    means = torch.stack([both[row][0] for both in biased.values()])
    plots.show_images(axes[row], means, titles=list(biased) if row == 0 else None)
    axes[row, 0].set_ylabel(label)
figure.suptitle("Each kind of help samples another density", x=0.02, ha="left")
plt.show()

# %% tags=["remove-cell"]
for key, name in (("none", "no help"), ("grey", "pull to grey"), ("smooth", "smoothness"), ("jitter", "jitter")):
    glue(f"off_{key}", off(biased[name][1][0]), display=False)
    if key != "jitter":
        glue(f"spread_{key}", biased[name][1][1], display=False)
glue("worst_agreement", max(float((a[0] - b[0]).square().mean().sqrt()) for a, b in biased.values()), display=False)

# %% [markdown]
# The chains arrive where the algebra says, to within {glue:text}`worst_agreement:.3f` a pixel. Without help their
# mean is {glue:text}`off_none:.3f` from the truth. The pull to grey moves it by {glue:text}`off_grey:.3f`, the
# smoothness by {glue:text}`off_smooth:.3f` and the jitter by {glue:text}`off_jitter:.3f`; the first two also
# make the pixels vary less, {glue:text}`spread_grey:.2f` and {glue:text}`spread_smooth:.2f` in place of
# {glue:text}`spread_none:.2f`. None of this is a fault. But a picture that looks pleasant owes some of that to
# the help ({numref}`fig-climb-bias`).
#
# ## The book's networks
#
# Now digits. The baseline and the score-matched network start from the same noise, one picture for each of ten
# classes, with the step and the weak pull to grey that the authors used ($\alpha = 0.1$, $w = 0.01$; pixels are
# clamped to $[0, 1]$).

# %%
names = ("baseline", "score_matching")
networks = {name: runs.find(tier, dataset, name, seed).model().to(device) for name in names}
targets = torch.arange(10, device=device)
shape = runs.find(tier, dataset, "baseline", seed).pictures()["samples"].shape[1:]
noise = (0.5 + 0.2 * torch.randn(10, *shape, generator=fresh(6))).clamp(0, 1).to(device)


def climb(network, start):
    """Return the pictures after every step of the climb, the start among them: (steps + 1, 10, C, H, W)."""
    frames = [start]
    sampling.activation_maximisation(
        network, targets, steps=steps, step_size=0.1, weight_decay=0.01, start=start,
        callback=lambda _, x: frames.append(x),
    )  # fmt: skip
    return torch.stack(frames)


climbs = {name: climb(network, noise) for name, network in networks.items()}

# %% [markdown]
# Move the slider to see the pictures grow.

# %% tags=["hide-input"]
stops = sorted({s for s in (0, 1, 2, 4, 8, 15, 30, 50, 80, 120, 200) if s <= steps})


def pictures_after(step):
    """Return the pictures after some steps, as a widget."""
    figure, axes = plt.subplots(2, 10, figsize=(7.6, 1.75))
    for row, name in zip(axes, names, strict=True):
        plots.show_images(row, climbs[name][step])
        row[0].set_ylabel(style.MODEL_LABELS[name], rotation=0, ha="right", va="center", fontsize=8)
    return plots.figure_widget(figure, alt=f"Ten pictures by each of the two networks, after {step} steps.", dpi=90)


slider = widgets.SelectionSlider(options=[(str(stop), i) for i, stop in enumerate(stops)], description="steps")
stack = widgets.Stack([pictures_after(stop) for stop in stops], selected_index=0)
widgets.jslink((slider, "index"), (stack, "selected_index"))
display(widgets.VBox([slider, stack]))

# %% [markdown]
# And here you hold the brush. Both networks run in your browser; choose a class and press "Run", or take single
# steps. With Langevin dynamics, turn the temperature up towards 1 and watch the picture dissolve.

# %% tags=["hide-input"]
live.sampling(
    {style.MODEL_LABELS[name]: network for name, network in networks.items()}, shape, data.load(dataset).class_names,
    target=3,
)  # fmt: skip

# %% [markdown]
# What do the numbers do meanwhile? The logit has two parts
# ([chapter 3](03_logits_as_log_densities.ipynb)): $f_i = \log p(i \mid \mathbf{x}) + \log \sum_j \exp
# f_j(\mathbf{x})$. The first is the classifier's opinion. The second, common to all classes, is what a shift of
# the logits changes at will.

# %%
@torch.no_grad()
def parts(network, frames):
    """Return the target's logit through a climb, its common part, and the probability: (steps + 1, 10) each."""
    logits = torch.stack([network(x) for x in frames])
    own = logits.gather(2, targets.expand(len(logits), -1)[..., None])[..., 0].cpu()
    common = logits.logsumexp(dim=2).cpu()
    return {"logit": own, "common": common, "probability": (own - common).exp()}


curves = {name: parts(network, climbs[name]) for name, network in networks.items()}

# %% mystnb={"figure": {"name": "fig-climb-curves", "caption": "The target's logit and its probability through the climb. Thin lines: ten classes; thick: their mean."}, "image": {"alt": "Left: the logits of both networks rise, steeply at first, and are still rising at the last step. Right: the probability of each class jumps from near 0 to near 1, each at a time of its own; the two means climb over the whole width and are still rising at the last step."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.4))
for name in names:
    style = {**style.model_style(name), "marker": None}
    for ax, quantity in zip(axes, ("logit", "probability"), strict=True):
        ax.plot(curves[name][quantity], color=style["color"], linewidth=0.6, alpha=0.35)
        ax.plot(curves[name][quantity].mean(dim=1), **style)
axes[0].set(xlabel="steps", ylabel="logit of the target", title="What is climbed")
axes[1].set(xlabel="steps", ylabel="probability of the target", title="What the classifier answers", ylim=(-0.03, 1.03))
axes[0].legend()
plt.show()

# %% tags=["remove-cell"]
for name in names:
    logit, common, probability = (curves[name][key] for key in ("logit", "common", "probability"))
    rise, shared = (float((part[-1] - part[0]).mean()) for part in (logit, common))
    glue(f"{name}_rise", f"{rise:.1f}", display=False)
    for key, part in (("own", rise - shared), ("common", shared)):
        glue(f"{name}_{key}", f"{round(part, 1) + 0.0:+.1f}", display=False)
    moved = "fell" if round(shared, 1) < 0 else "rose" if round(shared, 1) > 0 else "stayed where it was"
    glue(f"{name}_moved", moved, display=False)
    sure = [(c, int(p.gt(0.99).nonzero()[0])) for c, p in enumerate(probability.T) if p.gt(0.99).any()]
    later = [float(common[-1, c] - common[first, c]) for c, first in sure]
    words = f"no class passed a probability of 0.99 within {steps} steps"
    if sure:
        words = f"{len(sure)} of {logit.shape[1]} classes passed a probability of 0.99; from there on"
        words += f" their common part changed by {round(sum(later) / len(later), 1) + 0.0:+.1f} on average"
    glue(f"{name}_sure", words, display=False)
most = [n for n, c in curves.items() if (c["logit"] - c["common"]).diff(dim=0).sum() > c["common"].diff(dim=0).sum()]
most = {0: "for neither network", 1: "for one network alone", 2: "for both networks"}[len(most)]
glue("most_own", most, display=False)
glue("steps", steps, display=False)

# %% [markdown]
# In {glue:text}`steps` steps the baseline's logit rose by {glue:text}`baseline_rise` on average:
# {glue:text}`baseline_own` in $\log p(i \mid \mathbf{x})$ and {glue:text}`baseline_common` in the common part. The
# score-matched network's rose by {glue:text}`score_matching_rise`: {glue:text}`score_matching_own` and
# {glue:text}`score_matching_common` ({numref}`fig-climb-curves`). So the classifier's opinion has the larger share in
# the rise {glue:text}`most_own`; the baseline's common part {glue:text}`baseline_moved`, and the score-matched
# network's {glue:text}`score_matching_moved`.
#
# Once the classifier has made up its mind, it has nothing more to say: from a probability of 0.99 on,
# $\log p(i \mid \mathbf{x})$ can rise by about a hundredth at most, and whatever else the climb adds to the logit is the
# common part. In the baseline {glue:text}`baseline_sure`; in the score-matched network
# {glue:text}`score_matching_sure`.
#
# That the logit rises with the opinion does not make its picture a picture of the opinion alone. There is a plain
# way to see whose picture it is. Add $g(\mathbf{x}) = s\,\langle \mathbf{x}, T\rangle$ to
# all logits, with a face for $T$, as in [chapter 1](01_softmax_shift.ipynb). The classifier's answers stay what
# they were. We climb the new logits, and beside them add the noise of Langevin, and the two kinds of help.

# %%
face = fooling.shift_logits(networks["baseline"], fooling.linear_shift(stencils.smiley(shape[-1]), 1.0))
kinds = {
    "climb": (sampling.activation_maximisation, {"step_size": 0.1}),
    "Langevin, T = 0.001": (sampling.langevin, {"step_size": 0.2, "temperature": 0.001}),
    "Langevin, T = 1": (sampling.langevin, {"step_size": 0.2, "temperature": 1.0}),
    "climb, smoothness": (sampling.activation_maximisation, {"step_size": 0.1, "smoothness": 0.1}),
    "climb, jitter": (sampling.activation_maximisation, {"step_size": 0.1, "jitter": 2}),
}
album = {}
for name, network in (*networks.items(), ("baseline + face", face)):
    for kind, (sampler, options) in kinds.items() if network is not face else [("climb", kinds["climb"])]:
        album[name, kind] = sampler(
            network, targets, steps=steps, start=noise, weight_decay=0.01, generator=fresh(7), **options
        )

# %% mystnb={"figure": {"name": "fig-climb-album", "caption": "Ten classes, from the same noise. The third row has the same probabilities as the first for every picture there is."}, "image": {"alt": "Rows of ten small pictures, one row for each network and sampler. In the row of the baseline with the face added, every picture shows a smiling face. At temperature 1 all pictures are noise."}} tags=["hide-input"]
set_matplotlib_formats("png", dpi=200)
order = [("baseline", "climb"), ("score_matching", "climb"), ("baseline + face", "climb")]
order += [(name, kind) for kind in list(kinds)[1:] for name in names]
figure, axes = plt.subplots(len(order), 10, figsize=(8.8, 0.68 * len(order)))
for row, key in zip(axes, order, strict=True):
    plots.show_images(row, album[key])
    label = f"{style.MODEL_LABELS.get(key[0], 'Baseline + face')}\n{key[1]}"
    row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
plt.show()

# %%
variation = {key: total_variation(made) for key, made in album.items()}
plain = {name: variation[name, "climb"] for name in names}
rows = [
    (style.MODEL_LABELS[name], kind, mean_interval(values), paired_difference_interval(values, plain[name]))
    for (name, kind), values in variation.items()
    if name in names
]
table = pd.DataFrame(
    [(label, kind, interval_text(value, "{:.3f}"), "" if kind == "climb" else interval_text(change, "{:+.3f}"))
     for label, kind, value, change in rows],
    columns=["network", "sampler", "total variation", "change from the plain climb"],
).set_index(["network", "sampler"])  # fmt: skip
table

# %% tags=["remove-cell"]
changes = {key: paired_difference_interval(values, plain[key[0]]) for key, values in variation.items() if key[0] in names}
for name in names:
    for key, kind in (("smooth", "climb, smoothness"), ("jitter", "climb, jitter"), ("hot", "Langevin, T = 1")):
        words = ("rougher", "smoother", "neither clearly rougher nor smoother")
        glue(f"{name}_{key}", direction(changes[name, kind], *words), display=False)
difference = paired_difference_interval(plain["score_matching"], plain["baseline"])
glue("between", direction(difference, "rougher than", "smoother than", "not clearly smoother or rougher than"), display=False)
glue("between_value", interval_text(difference, "{:+.3f}"), display=False)
with torch.no_grad():
    glue("face_kept", f"{float((face(noise).softmax(1) - networks['baseline'](noise).softmax(1)).abs().max()):.0e}", display=False)
glue("noise_variation", float(total_variation(noise).mean()), display=False)

# %% [markdown]
# The third row of {numref}`fig-climb-album` is the point of the chapter. The climb found the face that we put in,
# although the classifier has not changed an answer: on the starting pictures the probabilities of the two
# networks differ by {glue:text}`face_kept`, which is rounding.
#
# The table gives the total variation of the pictures, the mean difference between neighbouring pixels, over the
# ten classes; the noise that they start from has {glue:text}`noise_variation:.3f`. Against its own plain climb,
# the baseline's pictures are {glue:text}`baseline_smooth` with the smoothness prior and
# {glue:text}`baseline_jitter` with jitter; the score-matched network's are {glue:text}`score_matching_smooth` with
# the prior and {glue:text}`score_matching_jitter` with jitter. Between the two networks without any help, the score-matched network's pictures are {glue:text}`between` the baseline's (difference
# {glue:text}`between_value`). These are ten pictures from one trained network each; the count over many pictures
# and three seeds is in [chapter 11](11_samples.ipynb).
#
# At $T = 1$, the temperature at which Langevin dynamics would sample the density itself, the pictures of
# the baseline are {glue:text}`baseline_hot` than its climbed ones, and those of the score-matched network are
# {glue:text}`score_matching_hot` than theirs. With this step the noise adds 0.45 to every pixel each time, and the clamp does the rest. A typical sample of
# a density over hundreds of pixels need not look like its summit at all.

# %% tags=["remove-cell"]
found = [run for name in names for run in runs.find_all("small", "cifar100", name)[:1]]
theirs = {run.record.name: run.model().to(device) for run in found if (run.directory / "weights.safetensors").exists()}
colours = (0.5 + 0.2 * torch.randn(10, 3, 32, 32, generator=fresh(8))).clamp(0, 1).to(device)
rows = {}
for name, network in theirs.items():
    climbed = parts(network, climb(network, colours))
    rise, shared = (climbed[key][-1] - climbed[key][0] for key in ("logit", "common"))
    rows[style.MODEL_LABELS[name]] = {
        "rise of the logit": interval_text(mean_interval(rise), "{:+.1f}"),
        "in the log-probability": interval_text(mean_interval(rise - shared), "{:+.1f}"),
        "in the common part": interval_text(mean_interval(shared), "{:+.1f}"),
        "probability at the end": f"{float(climbed['probability'][-1].mean()):.2f}",
    }
said = [f"{name.lower()} {row['rise of the logit']}, of it {row['in the common part']} in the common part" for name, row in rows.items()]
glue("cifar_rise", "; ".join(said) or "not measured yet", display=False)
glue("cifar_networks", "none has been trained yet" if not theirs else " and ".join(style.MODEL_LABELS[n].lower() for n in theirs), display=False)

# %% [markdown]
# ## On CIFAR-100
#
# Are these the ways of digits alone? The climb needs a network and some noise, but no data. We take the small networks that
# [](07_training.ipynb) trains on CIFAR-100 ({glue:text}`cifar_networks`), its first ten classes, and as many steps as above.

# %% tags=["hide-input"]
pd.DataFrame(rows).T

# %% [markdown]
# Means over ten climbs, with 95 % intervals over the classes. The pictures themselves are in [chapter 11](11_samples.ipynb).
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
# - The two updates differ by {glue:text}`apart` when the noise is off. In the plane the climb ends on the modes,
#   and its counts there ({glue:text}`share_climbed` %) are not the density's ({glue:text}`share_true` %).
# - Grey, smoothness and jitter move the mean of a known density by {glue:text}`off_grey:.3f`,
#   {glue:text}`off_smooth:.3f` and {glue:text}`off_jitter:.3f` a pixel, as calculated.
# - On digits the baseline's logit rose by {glue:text}`baseline_rise`: {glue:text}`baseline_own` in
#   $\log p(i \mid \mathbf{x})$, the classifier's opinion, and {glue:text}`baseline_common` in the part that
#   classification does not determine.
# - On CIFAR-100's first ten classes: {glue:text}`cifar_rise`.
# - A face that no answer depends on appears in every picture.
# :::
