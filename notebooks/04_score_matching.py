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
# # Score-matching
#
# We would like the score of a model, $\nabla_{\mathbf{x}} \log p_\theta$, to equal the score of the data, $\nabla_{\mathbf{x}} \log p_{\text{data}}$. But nobody can see the score of the data. There are only samples. **How can a loss match a score that it cannot see?**
#
# {cite:t}`hyvarinen2005estimation` found that it needs one integration by parts. We follow it line by line, note what it asks for, check both sides on a density that we know, and then let it train a small network.

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
from collections.abc import Callable

import pandas as pd
import torch
from matplotlib import pyplot as plt
from torch import Tensor, nn

from companion import trace
from companion.book.curves import curve_with_band
from companion.book.opening import begin, tell
from companion.gradients import logit_gradient
from companion.metrics import (
    hyvarinen_objective,
    mean_interval,
    score_alignment,
    standard_error,
)
from companion.mixture import gaussian_mixture

begin(globals(), figures="svg")
tiny = tier == "tiny"
num_points = 200 if tiny else 2000
generator = torch.Generator().manual_seed(seed)

# %% [markdown]
# ## The objective, and its other form
#
# Write $p$ for the density of the data, $s = \nabla_{\mathbf{x}} \log p$ for its score, and $s_\theta = \nabla_{\mathbf{x}} \log p_\theta$ for the model's. The paper's eq. 1 is the mean squared distance between the two:
#
# $$
# J(\theta) = \mathbb{E}_{p} \, \tfrac12 \big\| s_\theta(\mathbf{x}) - s(\mathbf{x}) \big\|^2 .
# $$ (eq-matching-explicit)
#
# Its eq. 2 is the same number without $s$, but for a constant:
#
# $$
# J(\theta) = \mathbb{E}_{p} \Big( \operatorname{trace}\big(\nabla_{\mathbf{x}}^2 \log p_\theta(\mathbf{x})\big) + \tfrac12 \big\| s_\theta(\mathbf{x}) \big\|^2 \Big) + \tfrac12 \, \mathbb{E}_{p} \| s(\mathbf{x}) \|^2 .
# $$ (eq-matching-implicit)
#
# The last term belongs to the data. No $\theta$ is in it, so a minimiser may forget it. What is left is a mean over samples of something that the model alone can tell. (In this chapter "eq. 1" and "eq. 2" without a link are the paper's; linked numbers are the book's.)
#
# ```{prf:proposition} Eq. 1 equals eq. 2
# :label: prf-matching
# Let $p$ be a differentiable density on $\mathbb{R}^D$ and $\log p_\theta$ twice continuously differentiable. Let $\mathbb{E}_p \|s\|^2$, $\mathbb{E}_p \|s_\theta\|^2$ and $\mathbb{E}_p |\operatorname{trace} \nabla^2 \log p_\theta|$ be finite. Suppose that nothing leaks out at infinity:
#
# $$
# \oint_{\|\mathbf{x}\| = R} p(\mathbf{x}) \, \| s_\theta(\mathbf{x}) \| \, dS \longrightarrow 0 \quad \text{as } R \to \infty .
# $$ (eq-matching-boundary)
#
# Then {eq}`eq-matching-explicit` and {eq}`eq-matching-implicit` are equal.
# ```
#
# ```{prf:proof}
# *Step 1.* Expand the square in {eq}`eq-matching-explicit`. Only the middle term mixes model and data:
#
# $$
# J(\theta) = \tfrac12 \mathbb{E}_p \|s_\theta\|^2 - \mathbb{E}_p \, (s_\theta \cdot s) + \tfrac12 \mathbb{E}_p \|s\|^2 .
# $$ (eq-matching-expand)
#
# *Step 2.* Since $s = \nabla \log p$, we have $p \, s = \nabla p$. The logarithm is gone:
#
# $$
# \mathbb{E}_p \, (s_\theta \cdot s) = \int s_\theta \cdot (p \, s) \, d\mathbf{x} = \int s_\theta \cdot \nabla p \, d\mathbf{x} .
# $$ (eq-matching-cross)
#
# *Step 3.* Integrate by parts over a ball of radius $R$, with outward normal $\mathbf{n}$:
#
# $$
# \int_{\|\mathbf{x}\| \le R} s_\theta \cdot \nabla p \, d\mathbf{x}
# = \oint_{\|\mathbf{x}\| = R} p \, (s_\theta \cdot \mathbf{n}) \, dS
# - \int_{\|\mathbf{x}\| \le R} p \, \operatorname{div} s_\theta \, d\mathbf{x} .
# $$ (eq-matching-parts)
#
# *Step 4.* Let $R$ grow. The surface term goes to 0 by {eq}`eq-matching-boundary`. The divergence of a gradient is the trace of the Hessian, $\operatorname{div} s_\theta = \operatorname{trace} \nabla^2 \log p_\theta$. Hence $\mathbb{E}_p (s_\theta \cdot s) = -\,\mathbb{E}_p \operatorname{trace} \nabla^2 \log p_\theta$. Put this into {eq}`eq-matching-expand`.
# ```
#
# ```{prf:proposition} Consistency
# :label: prf-matching-consistent
# If moreover $p$ is positive everywhere, $J(\theta) = 0$ exactly when $p_\theta = p$.
# ```
#
# ```{prf:proof}
# $J = 0$ means $s_\theta = s$ wherever $p > 0$, which is everywhere. Then $\log p_\theta - \log p$ has gradient 0, so it is a constant. Both densities integrate to 1, so the constant is 0. The converse is plain.
# ```
#
# For a classifier, all this is said of each class: $p(\mathbf{x} \mid i)$ for $p$, and $\nabla_{\mathbf{x}} f_i$ for $s_\theta$. The expectation is then over pictures and their labels.
#
# ## The same number twice
#
# We take the three Gaussians of [chapter 3](03_logits_as_log_densities.ipynb), where $s$ is known, and measure both forms for four models: the true density, one that is too wide, one that is moved, and a softplus network with random weights, which is no density at all. `score_alignment` measures {eq}`eq-matching-explicit`, with the true score in hand. `hyvarinen_objective` measures {eq}`eq-matching-implicit` without it.

# %%
means = torch.tensor([[-1.5, 1.0], [1.5, 1.5], [0.5, -0.9]])
covariances = torch.tensor([
    [[0.5, 0.3], [0.3, 0.6]],
    [[0.4, -0.2], [-0.2, 0.5]],
    [[1.6, 0.0], [0.0, 0.35]],
])
parts = {
    "labels": torch.tensor([0, 0, 1]),
    "weights": torch.tensor([2.0, 1.0, 1.0]),
}
mixture = gaussian_mixture(means, covariances, **parts)


def small_network() -> nn.Module:
    """Return an untrained softplus network from the plane to two logits."""
    hidden = (nn.Linear(2, 48), nn.Softplus(), nn.Linear(48, 48), nn.Softplus())
    network = nn.Sequential(*hidden, nn.Linear(48, 2)).double()
    source = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        scale = parameter.shape[-1] ** -0.5
        nn.init.normal_(parameter, std=scale, generator=source)
    return network


# %%
def both_forms(
    model: nn.Module, x: Tensor, y: int | Tensor
) -> tuple[Tensor, Tensor]:
    """Return what eq. 1 and eq. 2 (without its constant) average, each (B,)."""
    explicit = score_alignment(model, x, y, mixture.score(x, y))
    implicit = hyvarinen_objective(model, x, y, batch_size=20_000)
    return explicit.per_sample_squared_error / 2, implicit.per_sample


# %% [markdown]
# We average in two ways: over random points, as in training, with standard errors; and over a fine grid weighted with the known density, which leaves no chance in it.

# %%
doubled = gaussian_mixture(means, 2 * covariances, **parts)
moved = gaussian_mixture(means + torch.tensor([1.0, 0.0]), covariances, **parts)
models = {
    "the truth": mixture.classifier(),
    "variances doubled": doubled.classifier(),
    "moved by 1": moved.classifier(),
    "random network": small_network(),
}
x, y = mixture.sample(num_points, generator)
axis = torch.linspace(-8, 8, 31 if tiny else 101, dtype=torch.float64)
grid = torch.cartesian_prod(axis, axis)
weights = mixture.log_joint(grid).exp() * (axis[1] - axis[0]) ** 2


def on_grid(model: nn.Module) -> Tensor:
    """Return eq. 1 and eq. 2, (2,), as integrals."""
    exact = torch.zeros(2, dtype=torch.float64)
    for i in range(mixture.num_classes):
        forms = both_forms(model, grid, i)
        exact += torch.stack([(weights[:, i] * form).sum() for form in forms])
    return exact


# %%
rows, gaps = {}, {}
for name, model in models.items():
    explicit, implicit = both_forms(model, x, y)
    gaps[name] = mean_interval(explicit - implicit)
    exact = on_grid(model)
    rows[name] = {
        "eq. 1": float(explicit.mean()),
        "s.e.": float(standard_error(explicit)),
        "eq. 2": float(implicit.mean()),
        "s.e. ": float(standard_error(implicit)),
        "eq. 1, grid": float(exact[0]),
        "eq. 2, grid": float(exact[1]),
        "difference, grid": float(exact[0] - exact[1]),
    }
table = pd.DataFrame(rows).T
table.round(4)

# %% tags=["remove-cell"]
halves = [mixture.score(grid, i).square().sum(dim=1) / 2 for i in range(2)]
constant = float(sum((weights[:, i] * halves[i]).sum() for i in range(2)))
apart = (table["difference, grid"] - constant).abs()
wide, network = gaps["variances doubled"], gaps["random network"]
tell(
    constant=constant,
    largest_mismatch=float(apart.max()),
    wide_gap=wide.value,
    wide_gap_low=wide.low,
    wide_gap_high=wide.high,
    network_gap=network.value,
    network_gap_low=network.low,
    network_gap_high=network.high,
    num_points=num_points,
)

# %% [markdown]
# The two forms differ by a constant: on the grid it is {glue:text}`constant:.4f`, which is $\frac12 \mathbb{E} \|s\|^2$ computed on its own, and none of the four models departs from it by more than {glue:text}`largest_mismatch:.0e`, which is the coarseness of the grid.
#
# With {glue:text}`num_points` random points the difference scatters. For the doubled variances it is {glue:text}`wide_gap:.2f` (95 % interval {glue:text}`wide_gap_low:.2f` to {glue:text}`wide_gap_high:.2f`); for the random network {glue:text}`network_gap:.2f` ({glue:text}`network_gap_low:.2f` to {glue:text}`network_gap_high:.2f`). Equal in expectation is not equal on a sample. With a finite sample, eq. 2 can be driven down in ways that eq. 1 would never reward; [chapter 6](06_collapse.ipynb) is about that.
#
# ## The minimum is in the right place
#
# Now a family of models: the true mixture with every standard deviation multiplied by $t$. At $t = 1$ it is the truth. Does eq. 2, which never sees the true score, find that out?

# %%
scales = torch.linspace(0.7, 1.5, 17, dtype=torch.float64)
forms = []
for t in scales:
    scaled = gaussian_mixture(means, covariances * t**2, **parts)
    forms.append(both_forms(scaled.classifier(), x, y))
explicit, implicit = (torch.stack(form) for form in zip(*forms, strict=True))


def minimiser(curves: Tensor) -> Tensor:
    """Return where curves (..., K) over the scales are lowest, by parabolas."""
    lowest = curves.argmin(dim=-1).clamp(1, len(scales) - 2)
    left, middle, right = (
        curves.gather(-1, (lowest + k)[..., None])[..., 0] for k in (-1, 0, 1)
    )
    offset = 0.5 * (left - right) / (left - 2 * middle + right)
    return scales[lowest] + offset.clamp(-1, 1) * (scales[1] - scales[0])


redrawn = torch.randint(num_points, (1000, num_points), generator=generator)
ones = torch.ones(1000, num_points, dtype=torch.float64)
counts = torch.zeros_like(ones).scatter_add_(1, redrawn, ones)
found = minimiser(implicit.mean(dim=1))
quantiles = torch.tensor([0.025, 0.975]).double()
low, high = minimiser(counts @ implicit.T / num_points).quantile(quantiles)

# %% mystnb={"figure": {"name": "fig-matching-consistency", "caption": "Both forms of the objective for the true mixture with its standard deviations multiplied by $t$; the constant has been added to eq. 2. The vertical line is the truth. Bars: one standard error; all points come from one sample, so they err together. Shaded: 95 % bootstrap interval of eq. 2's minimiser."}, "image": {"alt": "Two curves that nearly coincide, with a minimum near t = 1. The shaded interval of the minimiser is narrow and contains 1."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.4, 3.6))
ax.axvspan(float(low), float(high), color="#D55E00", alpha=0.2, linewidth=0)
ax.axvline(1, color="#555555", linewidth=1)
curve = explicit.mean(dim=1)
ax.plot(scales, curve, color="black", label="eq. 1, knows the true score")
ax.errorbar(
    scales, implicit.mean(dim=1) + constant, yerr=standard_error(implicit),
    color="#D55E00", marker="o", linestyle="none", label="eq. 2, does not",
)
ax.set(xlabel="scale t of the standard deviations", ylabel="objective")
ax.set_title("Eq. 2 has its minimum at the truth")
ax.legend()
plt.show()

# %% tags=["remove-cell"]
tell(found=float(found), found_low=float(low), found_high=float(high))

# %% [markdown]
# It does ({numref}`fig-matching-consistency`). Its minimum is at $t = $ {glue:text}`found:.3f`, with a 95 % bootstrap interval from {glue:text}`found_low:.3f` to {glue:text}`found_high:.3f`.
#
# ## Two conditions, and what happens without them
#
# The paper states eq. 2 and consistency without conditions. There are two, and neither is idle.
#
# **The boundary.** Pixels lie in $[0, 1]$, and many lie *at* 0 or 1. There the density does not fade out; it stops. The surface term of {eq}`eq-matching-parts` is then not 0. Take the simplest case: one pixel, uniform on $[0, 1]$, and the model $\log p_\theta = -\frac{k}{2}(x - \frac12)^2$ up to its constant. The true score is 0, so eq. 1 is $\frac12 \mathbb{E}\, k^2 (x - \frac12)^2$, and without the constant, which is 0 too, eq. 2 is
#
# $$
# -k + \tfrac12 \, \mathbb{E}\, k^2 (x - \tfrac12)^2 = -k + \frac{k^2}{24} .
# $$ (eq-matching-uniform)
#
# Eq. 1 is least at the truth, the flat $k = 0$. Eq. 2 is least at $k = 12$: the normal distribution with the variance of the uniform one, $1/12$. The difference, $-k$, is the lost surface term.

# %%
pixel = torch.rand(num_points, 1, generator=generator, dtype=torch.float64)
precisions = torch.arange(1.0, 25.0, 1.0)
uniform = {"eq. 1": [], "eq. 2": []}
for k in precisions:
    model = gaussian_mixture(torch.tensor([[0.5]]), 1 / float(k)).classifier()
    zero = torch.zeros_like(pixel)
    aligned = score_alignment(model, pixel, 0, zero)
    uniform["eq. 1"].append(aligned.squared_error / 2)
    uniform["eq. 2"].append(hyvarinen_objective(model, pixel, 0).value)

# %% mystnb={"figure": {"name": "fig-matching-boundary", "caption": "One pixel, uniform on [0, 1]: both forms for a normal model of precision k, measured (points) and in closed form (lines)."}, "image": {"alt": "Eq. 1 rises with k from 0. Eq. 2 falls to -6 at k = 12 and rises again."}}
figure, ax = plt.subplots(figsize=(6.4, 3.4))
looks = {"eq. 1": ("black", 0), "eq. 2": ("#D55E00", 1)}
for name, (colour, slope) in looks.items():
    ax.plot(precisions, uniform[name], "o", color=colour, label=name)
    expected = precisions**2 / 24 - slope * precisions
    ax.plot(precisions, expected, color=colour, linewidth=1)
ax.axvline(12, color="#555555", linewidth=1, linestyle="--")
ax.set(xlabel="precision k of the model", ylabel="objective")
ax.set_title("With an edge, eq. 2 prefers a bump that is not there")
ax.legend()
plt.show()

# %% [markdown]
# For pictures, then, eq. 2 is a regulariser in the spirit of eq. 1, and not equal to it.
#
# **Full support.** The score forgets how much mass lies on either side of a gap. Here are two unit Gaussians a distance apart, weighted half and half, and a model that weights them nine to one. Eq. 1, by quadrature:

# %%
line = torch.linspace(-30, 30, 6001, dtype=torch.float64)[:, None]
one_class, nine_to_one = torch.tensor([0, 0]), torch.tensor([9.0, 1.0])
forgetting = []
for distance in (1.0, 2.0, 4.0, 8.0, 12.0):
    ends = torch.tensor([[-distance / 2], [distance / 2]])
    even = gaussian_mixture(ends, labels=one_class)
    uneven = gaussian_mixture(ends, labels=one_class, weights=nine_to_one)
    error = (even.score(line) - uneven.score(line)).square().sum(dim=1) / 2
    integral = (even.log_density(line).exp() * error).sum() * 0.01
    forgetting.append({"distance": distance, "eq. 1": float(integral)})
pd.DataFrame(forgetting).set_index("distance").map("{:.2g}".format)

# %% tags=["remove-cell"]
errors = [row["eq. 1"] for row in forgetting]
tell(forget_most=max(errors), forget_last=errors[-1])

# %% [markdown]
# $J$ is never quite 0, as {prf:ref}`prf-matching-consistent` says. But from {glue:text}`forget_most:.2f` at its worst it falls to {glue:text}`forget_last:.0e`, and no sample would ever show that. Where the density between two clusters is 0, $J$ is 0.
#
# ## Let it train
#
# The small network again, with its random weights. Once we minimise eq. 2 with the exact trace, and nothing else; once the cross-entropy, and nothing else. Every few steps we look at what neither of them sees: the distance to the true score.

# %%
train_x, train_y = mixture.sample(20_000, generator)


def cross_entropy(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropies, (B,)."""
    return nn.functional.cross_entropy(network(x), y, reduction="none")


def equation_2(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return trace + half the squared gradient norm of the labels' logits."""
    gradient = logit_gradient(network, x, y, create_graph=True)
    half_norms = 0.5 * gradient.square().sum(dim=1)
    return trace.exact(trace.logit(network, y), x) + half_norms


# %%
def minimise(
    objective: Callable, steps: int = 10 if tiny else 600
) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train the small network; return it and its way to the true score."""
    network, source = small_network(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    history = []
    for step in range(steps + 1):
        if step % max(1, steps // 30) == 0:
            measured = score_alignment(network, x, y, mixture.score(x, y))
            margin = 1.96 * measured.squared_error_standard_error / 2
            J = measured.squared_error / 2
            history.append({"step": step, "J": J, "margin": margin})
        rows = torch.randint(len(train_x), (256,), generator=source)
        optimizer.zero_grad()
        objective(network, train_x[rows], train_y[rows]).mean().backward()
        optimizer.step()
        schedule.step()
    return network, history


trained = {"eq. 2": minimise(equation_2)}
trained["cross-entropy"] = minimise(cross_entropy)

# %% mystnb={"figure": {"name": "fig-matching-training", "caption": "Eq. 1, the distance to the true score, while a network is trained on eq. 2 or on cross-entropy. Bands: 95 % intervals over the points it is measured on, which are not trained on."}, "image": {"alt": "Logarithmic axis. Trained on eq. 2 the distance falls by about two orders of magnitude. Trained on cross-entropy it rises."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.4, 3.6))
looks = {"eq. 2": "score_matching", "cross-entropy": "baseline"}
for name, look in looks.items():
    frame = pd.DataFrame(trained[name][1])
    frame["low"] = frame["J"] - frame["margin"]
    frame["high"] = frame["J"] + frame["margin"]
    label = f"trained on {name}"
    curve_with_band(ax, frame, x="step", y="J", model=look, label=label)
look = {"color": "#8C8C8C", "linestyle": ":"}
ax.axhline(constant, label="a network with no gradient", **look)
ax.set(yscale="log", xlabel="step", ylabel="eq. 1")
ax.set_title("Eq. 2 finds the score; cross-entropy does not look for it")
ax.legend(loc="center right")
plt.show()

# %%
test_x, test_y = mixture.sample(num_points, generator)
final = {}
networks = {"random network": small_network()}
networks |= {name: network for name, (network, _) in trained.items()}
for name, network in networks.items():
    explicit, implicit = both_forms(network, test_x, test_y)
    with torch.no_grad():
        correct = (network(test_x).argmax(dim=1) == test_y).double()
    final[name] = {
        "eq. 1": float(explicit.mean()),
        "s.e.": float(standard_error(explicit)),
        "eq. 2": float(implicit.mean()),
        "s.e. ": float(standard_error(implicit)),
        "accuracy": float(correct.mean()),
        "s.e.  ": float(standard_error(correct)),
    }
pd.DataFrame(final).T.round(3)

# %% tags=["remove-cell"]
for key, name in zip(("start", "matched", "plain"), final, strict=True):
    tell({
        f"{key}_error": final[name]["eq. 1"],
        f"{key}_error_se": final[name]["s.e."],
        f"{key}_accuracy": round(final[name]["accuracy"], 3),
    })

# %% [markdown]
# On fresh points, {eq}`eq-matching-explicit` is {glue:text}`start_error:.3f` ± {glue:text}`start_error_se:.3f` for the random network. Minimising eq. 2 brings it to {glue:text}`matched_error:.3f` ± {glue:text}`matched_error_se:.3f`. Minimising the cross-entropy brings it to {glue:text}`plain_error:.3f` ± {glue:text}`plain_error_se:.3f`; a network with no gradient at all would have {glue:text}`constant:.3f`.
#
# Look at the accuracies too. Cross-entropy reaches {glue:text}`plain_accuracy:.1%`. Eq. 2 alone gives {glue:text}`matched_accuracy:.1%`, although it knows the shape of both classes: a gradient says nothing about the constant that may be added to each logit, and the decision needs their difference. So the two losses mend each other. Cross-entropy fixes the differences between logits and leaves their common level free; score-matching fixes each logit's shape and leaves its constant free. Together they leave one number.
#
# In the terms of [chapter 3](03_logits_as_log_densities.ipynb): cross-entropy leaves the mean logit free, and eq. 2 does not. Add $g$ to all logits, and every score moves by $\nabla g$, which eq. 1 notices. Score-matching is what ties down the part of a logit that a forger would use.
#
# ## What came before, and after
#
# **Noise in place of a Hessian.** {cite:t}`vincent2011connection` found another way round the unknown score. Add noise to the data, $\tilde{\mathbf{x}} = \mathbf{x} + \sigma \boldsymbol\eta$ with $\boldsymbol\eta \sim \mathcal{N}(\mathbf{0}, \mathbf{I})$, and ask the model for the way back:
#
# $$
# \tfrac12\, \mathbb{E} \left\| s_\theta(\tilde{\mathbf{x}}) + \frac{\boldsymbol\eta}{\sigma} \right\|^2
# = \tfrac12\, \mathbb{E} \big\| s_\theta(\tilde{\mathbf{x}}) - \nabla \log p_\sigma(\tilde{\mathbf{x}}) \big\|^2 + \text{const} ,
# $$ (eq-matching-denoising)
#
# where $p_\sigma$ is the density of the noisy data. It is step 1 once more: the two sides have the same middle term, because $-\boldsymbol\eta/\sigma$ has the mean $\nabla \log p_\sigma$, given $\tilde{\mathbf{x}}$. No second derivative is left, and no condition at the walls either, since $p_\sigma$ is positive everywhere. The price is that the score found is that of the blurred data. Trained at many noise levels, this became the generative models of {cite:t}`song2019generative`.
#
# **Differences in place of derivatives.** {cite:t}`kingma2010regularized` and {cite:t}`song2019sliced` kept the Hessian, the one its diagonal, the other its products with random directions. {cite:t}`pang2020efficient`, at the same time as the paper, replaced such products by differences of function values, for vanilla and for denoising score-matching, in generative models. The paper's estimate, which is the next chapter's subject, is of that kind, for a classifier's logits.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Section 3.1 quotes eq. 1 and eq. 2 from {cite:t}`hyvarinen2005estimation`, calls the objective consistent, $J(\theta) = 0 \iff p_{\text{data}} = p_\theta$, and is drawn to it because it "reduces the problem of generative modelling to that of regularization of the local geometry of functions".
# :::
#
# :::{admonition} What you just saw
# - **Eq. 1 equals eq. 2** up to a constant of the data: proven above, and confirmed for four models to {glue:text}`largest_mismatch:.0e`. **The minimum is at the truth**: in a family of mixtures, within an interval from {glue:text}`found_low:.3f` to {glue:text}`found_high:.3f`.
# - **Both need conditions that pictures do not meet.** With pixels in $[0, 1]$ there is a surface term, and eq. 2 prefers a bump. Where the support has gaps, the score does not tell how much mass lies on each side.
# - **It works, where the trace can be had.** In the plane the exact trace costs two Hessian-vector products. For a picture it costs as many as there are pixels. [Chapter 5](05_trace_estimators.ipynb) is about estimating it.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* The data are a standard normal on the line, and the model is a normal with mean 0 and variance $1/a$. Compute eq. 2 without its constant as a
# function of $a$, then eq. 1, and compare.
#
# :::{admonition} Solution
# :class: dropdown
#
# The model's score is $-ax$ and its derivative $-a$. With $\mathbb{E}\,x^2 = 1$, eq. 2 without its constant is $-a + \frac12 a^2$. Eq. 1 is
# $\frac12 \mathbb{E}\,(x - ax)^2 = \frac12 (1 - a)^2$, that is, $\frac12 - a + \frac12 a^2$. They differ by $\frac12$, which is $\frac12 \mathbb{E}\,\|s\|^2$, as
# {eq}`eq-matching-implicit` says. Both are least at $a = 1$.
# :::
#
# **2.** *With one line.* Put this below the line that trains with the cross-entropy, and execute the chapter from there on:
#
# ```python
# trained["both"] = minimise(
#     lambda n, x, y: cross_entropy(n, x, y) + equation_2(n, x, y)
# )
# ```
#
# What do you expect of its distance to the true score, and what of its accuracy?
#
# :::{admonition} Solution
# :class: dropdown
#
# The cross-entropy settles the difference between the logits and leaves their common level free, eq. 2 settles each logit's shape and leaves its constant free; the two do not contradict each other. So both should be well served, and are. On fresh points we found a distance (eq. 1) of about 0.03, where eq. 2 alone had 0.02 and the cross-entropy alone 6.9, and an accuracy of about 97.5 %, as high as that of the cross-entropy alone.
# :::
#
# **3.** *What would happen if* somebody forgot the factor $\frac12$ and minimised $\mathbb{E}\,\big(\operatorname{trace}{} + \|s_\theta\|^2\big)$?
#
# :::{admonition} Solution
# :class: dropdown
#
# The proof's steps 2 to 4 say $\mathbb{E} \operatorname{trace} = -\,\mathbb{E}\,(s_\theta \cdot s)$. So the objective is
#
# $$
# \mathbb{E}\,\big(\|s_\theta\|^2 - s_\theta \cdot s\big)
# = \mathbb{E}\,\|s_\theta - \tfrac12 s\|^2 - \tfrac14 \mathbb{E}\,\|s\|^2 .
# $$
#
# It is least at half the score, which belongs to the square root of
# the density: the same hills, only flatter. For the normal of the first exercise it gives $a = \frac12$, twice the variance.
# :::
