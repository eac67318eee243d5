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
# # Estimating the trace
#
# Score-matching asks for a number that ordinary training never computes: the trace of a logit's Hessian with respect to the picture, one second derivative for every pixel, added up. Nobody computes them all at each step of training; they are estimated, with noise. The paper proposes an estimate that needs no derivative at all. **How far off is it, and what does it cost?**
#
# First the two estimators on paper, and on a polynomial where every answer is known. Then on a trained network, where we pay once for the exact trace of a few digits so as to have something to compare with.

# %% tags=["parameters", "hide-input"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
import copy
import time
from collections.abc import Callable
from functools import partial

import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor, nn

from companion import data, live, runs, trace
from companion.experiments import presets
from companion.book import precision_figures
from companion.book.opening import begin, tell
from companion.gradients import logit_gradient
from companion.losses import ScoreMatching
from companion.metrics import Interval, mean_interval

begin(globals(), figures="svg")

# %% tags=["remove-cell"]
dataset = presets.DATASETS[tier][0]
model = runs.find(tier, dataset, "baseline", seed).model().to(device)
images = data.load(dataset)
VARIANTS = ("forward", "control", "central")
LOOKS = {
    "forward": ("#D55E00", "o", "Taylor, forward (the paper's)"),
    "control": ("#E69F00", "s", "Taylor, control"),
    "central": ("#0072B2", "^", "Taylor, central"),
    "gaussian": ("#6A6A6A", "D", "Hutchinson, Gaussian"),
    "rademacher": ("#009E73", "v", "Hutchinson, signs"),
}
STYLES = {
    name: {"color": colour, "marker": marker, "label": label}
    for name, (colour, marker, label) in LOOKS.items()
}

# %% [markdown]
# Here you can draw estimates yourself, for the book's baseline and a test digit. For a patch of 8 × 8 pixels everything is computed on the page, the exact trace too: 64 second derivatives, each from a difference of two gradients. Click on the picture to move the patch. Begin with the paper's estimator, called forward, then take the central one, and see the axis of the histogram shrink.

# %% tags=["hide-input"]
offered = {"tiny": 1}.get(tier, 4)
x_live = data.to_float(images.x_test[:offered]).to(device)
y_live = images.y_test[:offered].to(device)
with torch.no_grad(), trace.full_precision():
    known = trace.exact(trace.logit(model, y_live), x_live, chunk_size=64)
live.traces(model, x_live, y_live, images.class_names, exact=known)

# %% [markdown]
# ## Two ways to avoid 784 second derivatives
#
# Write $H$ for the Hessian of $f$ at $\mathbf{x}$, and let $\mathbf{u}$ be random with $\mathbb{E}\,\mathbf{u}\mathbf{u}^\top = I$: standard Gaussian numbers, or random signs. {cite:t}`hutchinson1990stochastic` saw that
#
# $$
# \mathbb{E}\, \mathbf{u}^\top H \mathbf{u} = \operatorname{trace}\big(H\, \mathbb{E}\,\mathbf{u}\mathbf{u}^\top\big) = \operatorname{trace} H .
# $$ (eq-trace-hutchinson)
#
# The product $H\mathbf{u}$ does not need $H$. It is the gradient of $\mathbf{u}^\top \nabla f$, so a backward pass through the backward pass gives it {cite:p}`pearlmutter1994fast`. That is the catch: each sample costs two backward passes, and training differentiates the result a third time.
#
# The paper gets rid of them with Taylor's formula. Take a small step $\mathbf{v} = \sigma \mathbf{u}$ with Gaussian $\mathbf{u}$, and solve the expansion
#
# $$
# f(\mathbf{x}+\mathbf{v}) = f(\mathbf{x}) + \nabla f^\top \mathbf{v} + \tfrac12 \mathbf{v}^\top H \mathbf{v} + \dots
# $$
#
# for the curvature:
#
# $$
# \begin{aligned}
# \operatorname{trace} H
# &\approx \frac{2}{\sigma^2}\, \mathbb{E} \big( f(\mathbf{x}+\mathbf{v}) - f(\mathbf{x}) - \nabla f(\mathbf{x})^\top \mathbf{v} \big) \\
# &= \frac{2}{\sigma^2}\, \mathbb{E} \big( f(\mathbf{x}+\mathbf{v}) - f(\mathbf{x}) \big) .
# \end{aligned}
# $$ (eq-trace-taylor)
#
# This is the paper's eq. 3, and its eq. 7. The gradient's term is nought on average, so the second form leaves it out, and with it the last derivative. The mean over $N$ samples of that form is eq. 8, the {term}`Taylor trace estimator <Taylor estimate>`: one more forward pass a sample.
#
# Nought on average is not nought. So we carry two relatives along, which the paper does not use as estimates:
#
# | variant | one sample | costs |
# |---|---|---|
# | `forward`, eq. 8 | $\frac{2}{\sigma^2} \big(f(\mathbf{x}+\mathbf{v}) - f(\mathbf{x})\big)$ | a forward pass |
# | `control`, the first form of {eq}`eq-trace-taylor` | $\frac{2}{\sigma^2} \big(f(\mathbf{x}+\mathbf{v}) - f(\mathbf{x}) - \nabla f^\top \mathbf{v}\big)$ | a forward pass; one gradient for all samples |
# | `central` | $\frac{1}{\sigma^2} \big(f(\mathbf{x}+\mathbf{v}) + f(\mathbf{x}-\mathbf{v}) - 2 f(\mathbf{x})\big)$ | two forward passes |
#
# ## How wrong on average?
#
# The mean of $f(\mathbf{x}+\mathbf{v})$ is $f$ blurred by a Gaussian, and a Gaussian blur is heat flowing for a time $\sigma^2/2$. With the Laplacian $\Delta f = \operatorname{trace} H$,
#
# $$
# \begin{aligned}
# \mathbb{E} f(\mathbf{x}+\mathbf{v}) = e^{\frac{\sigma^2}{2}\Delta} f
# &= f + \frac{\sigma^2}{2}\,\Delta f + \frac{\sigma^4}{8}\,\Delta^2 f + \dots, \\
# \text{so the bias is}\quad
# &\phantom{=}\ \frac{\sigma^2}{4}\,\Delta^2 f + \mathcal{O}(\sigma^4) .
# \end{aligned}
# $$ (eq-trace-bias)
#
# All three variants share it: they differ by terms that are odd in $\mathbf{v}$, and those average out. For the same reason the paper's remainder is too cautious. Eq. 7 ends with $\mathcal{O}(\sigma^3)$ inside the bracket, which is $\mathcal{O}(\sigma)$ after the division; but the third-order term is odd as well, and the error is $\mathcal{O}(\sigma^2)$.
#
# ## How much does it scatter?
#
# Let $f$ be quadratic, as in appendix B. There is no bias then, and one forward sample is exactly
#
# $$
# \frac{2}{\sigma^2}\big(f(\mathbf{x}+\mathbf{v}) - f(\mathbf{x})\big) = \mathbf{u}^\top H \mathbf{u} + \frac{2}{\sigma} \nabla f^\top \mathbf{u} :
# $$
#
# Hutchinson's sample, and the gradient's term on top. The first is even in $\mathbf{u}$, the second odd, so they are uncorrelated and their variances add.
#
# ```{prf:proposition} The variance of the Taylor estimates
# :label: prf-trace-variance
#
# For quadratic $f$ and $N$ independent samples,
#
# $$
# \begin{aligned}
# \operatorname{Var}(\text{forward}) &= \frac{2}{N}\,\|H\|_F^2 + \frac{4\,\|\nabla f\|^2}{N\sigma^2}, \\
# \operatorname{Var}(\text{control}) = \operatorname{Var}(\text{central}) &= \frac{2}{N}\,\|H\|_F^2 .
# \end{aligned}
# $$
#
# The last is Hutchinson's variance with Gaussian $\mathbf{u}$. With random signs it is $\frac{2}{N}\big(\|H\|_F^2 - \sum_d H_{dd}^2\big)$.
# ```
#
# Appendix B states that the excess is *at most* $4\sigma^{-2}\|\nabla f\|^2$. It is exactly that at $N = 1$, and $N$ times smaller otherwise: the cross terms of the proof vanish, but the $1/N$ they leave is then lost.
#
# To the test. A polynomial in six dimensions has everything in closed form. Its quadratic part has a random symmetric Hessian $A$ and slope $\mathbf{b}$; adding $\sum_d x_d^4$ makes $\Delta^2 f = 24 \cdot 6$, and the fourth order is its last.

# %%
source = torch.Generator().manual_seed(seed)
matrix, slope = (
    torch.randn(6, n, generator=source, dtype=torch.float64) for n in (6, 1)
)
hessian = (matrix + matrix.T) / 2


def quadratic(x: Tensor) -> Tensor:
    """Return x' A x / 2 + b' x."""
    return (x @ hessian * x).sum(dim=1) / 2 + (x @ slope)[:, 0]


def quartic(x: Tensor) -> Tensor:
    """Return the quadratic plus the sum of x_d^4."""
    return quadratic(x) + x.pow(4).sum(dim=1)


rows = {"tiny": 500}.get(tier, 20_000)
x0 = torch.zeros(rows, 6, dtype=torch.float64)
point = torch.full((rows, 6), 0.3, dtype=torch.float64)
exact_quartic = float(hessian.trace() + 12 * point[0].square().sum())

# %% [markdown]
# Each estimator draws {glue:text}`polynomial_samples:,` samples in double precision, from the same random numbers. For the bias we move $\sigma$; for the variance we fix $\sigma = 0.5$ and move $N$.


# %%
def same_noise() -> torch.Generator:
    """Return a generator in the same state each time, for the same noise."""
    return torch.Generator().manual_seed(seed)


sigma0, counts = 0.5, (1, 2, 4, 8, 16)
with torch.no_grad():
    biases = {
        (variant, sigma): trace.taylor(
            quartic, point, sigma=sigma, variant=variant,
            num_probes=16, generator=same_noise(),
        )
        for variant in VARIANTS
        for sigma in (0.05, 0.1, 0.2, 0.4, 0.8)
    }

# %%
samples = {}
with torch.no_grad():
    for variant in VARIANTS:
        samples[variant] = trace.taylor(
            quadratic, x0, sigma=sigma0, variant=variant,
            num_probes=16, generator=same_noise(),
        )
    for law in ("gaussian", "rademacher"):
        samples[law] = trace.hutchinson(
            quadratic, x0, distribution=law,
            num_probes=16, generator=same_noise(),
        )


# %%
def variance(values: Tensor) -> Interval:
    """Return the variance of independent values with its 95 % interval."""
    squares = (values - values.mean()).square()
    return mean_interval(squares * len(values) / (len(values) - 1))


# %% tags=["hide-input"]
hutchinson = 2 * float(hessian.square().sum())
excess = 4 * float(slope.square().sum()) / sigma0**2
signs = hutchinson - 2 * float(hessian.diagonal().square().sum())
grey = {"color": "#8C8C8C", "linestyle": "--", "linewidth": 1, "zorder": 0}


def draw_biases(ax: Axes) -> None:
    """Draw the measured biases, a little apart, and the derived line."""
    for nudge, variant in zip((0.93, 1.0, 1.07), VARIANTS, strict=True):
        style = STYLES[variant] | {"capsize": 2, "linestyle": "none"}
        for sigma in (sigma for name, sigma in biases if name == variant):
            error = biases[variant, sigma].flatten() - exact_quartic
            end = mean_interval(error)
            reach = end.value - end.low
            ax.errorbar(nudge * sigma, end.value, yerr=reach, **style)
            style["label"] = None  # The first one has named them all.
    line = torch.logspace(-1.4, 0, 50)
    ax.plot(line, line.square() / 4 * 144, color="black", linewidth=1, zorder=0)
    ax.plot(line, line / 4 * 144 * 0.8, **grey)
    ax.set(xscale="log", yscale="log", ylim=(0.03, 60))
    ax.set(xlabel=r"$\sigma$", ylabel="bias")
    ax.set_title("The bias is of second order")
    ax.legend(loc="upper left")


# %% mystnb={"figure": {"name": "fig-trace-derived", "caption": "Left: bias on the quartic; the line is $\\frac{\\sigma^2}{4}\\Delta^2 f$, the dashed one has the slope of an error $\\mathcal{O}(\\sigma)$. Right: variance on the quadratic at $\\sigma = 0.5$; solid lines from {prf:ref}`prf-trace-variance`, the dashed one with the excess at appendix B's bound. Bars are 95 % intervals; one that runs off the bottom contains 0."}, "image": {"alt": "Two panels with logarithmic axes. Left, the measured biases of all variants lie on a line of slope two. Right, the measured variances fall along straight lines with the number of samples; the forward one is highest, and the dashed bound stays flat above it."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 4.0))
draw_biases(left)
derived = {
    "forward": hutchinson + excess,
    "gaussian": hutchinson,
    "rademacher": signs,
}
for name, predicted in derived.items():
    style = STYLES[name] | {"linestyle": "none"}
    ends = [variance(samples[name][:n].mean(dim=0)) for n in counts]
    bars = [end.value - end.low for end in ends]
    right.errorbar(counts, [end.value for end in ends], yerr=bars, **style)
    line = {"color": style["color"], "linewidth": 1, "zorder": 0}
    right.plot(counts, [predicted / n for n in counts], **line)
bound = [hutchinson / n + excess for n in counts]
right.plot(counts, bound, **grey, label="appendix B's bound")
right.set(xscale="log", yscale="log")
right.set(xlabel="samples N", ylabel="variance of the mean")
right.set_title("The variance falls as 1/N, all of it")
right.set_xticks(counts, [str(n) for n in counts], minor=False)
right.minorticks_off()
right.legend(loc="lower left")
plt.show()

# %% [markdown]
# On the right, control and central are not drawn because they would hide under the grey diamonds. With the same $\mathbf{u}$ they are Gaussian Hutchinson, sample by sample. The table has all five at $N = 1$.

# %%
apart = "largest difference from Gaussian Hutchinson"
measured, found = {}, {}
for name, values in samples.items():
    interval = measured[name] = variance(values.flatten())
    found[STYLES[name]["label"]] = {
        "derived variance": derived.get(name, hutchinson),
        "measured": interval.value,
        "95 % low": interval.low,
        "95 % high": interval.high,
        apart: float((values - samples["gaussian"]).abs().max()),
    }
table = pd.DataFrame(found).T
table.style.format("{:.2f}").format("{:.2g}", subset=[apart])

# %% tags=["remove-cell"]
tell(
    polynomial_samples=16 * rows,
    excess_derived=excess,
    excess_measured=measured["forward"].value - measured["gaussian"].value,
    bias_measured=float(biases["central", 0.4].mean() - exact_quartic),
    bias_derived=0.4**2 / 4 * 144,
    central_difference=float(table.loc[STYLES["central"]["label"], apart]),
)

# %% [markdown]
# At $\sigma = 0.4$ the derived bias is {glue:text}`bias_derived:.2f` and the measured one {glue:text}`bias_measured:.2f`. The derived excess variance is {glue:text}`excess_derived:.1f`; forward minus Gaussian Hutchinson gives {glue:text}`excess_measured:.1f`. The formulas describe the code.
#
# They also say where the paper's estimator will be in trouble. Its excess grows as $1/\sigma^2$ while $\sigma$ has to be small, and it is proportional to the squared gradient. How large is that for a network?
#
# ## On a network
#
# The network is the book's baseline. For a few test digits we compute the exact trace: one Hessian-vector product for each pixel.

# %%
count = {"tiny": 1, "quick": 2}.get(tier, 2)
x = data.to_float(images.x_test[:count]).to(device)
y = images.y_test[:count].to(device)
started = time.perf_counter()
with torch.no_grad(), trace.full_precision():
    exact = trace.exact(trace.logit(model, y), x, chunk_size=64)
exact_seconds = (time.perf_counter() - started) / count
slopes = logit_gradient(model, x, y).flatten(1).square().sum(dim=1)
pd.DataFrame(
    {
        "class": [images.class_names[int(i)] for i in y],
        "exact trace": exact.tolist(),
        "squared gradient norm": slopes.tolist(),
    },
    index=pd.RangeIndex(1, count + 1, name="picture"),
).round(2)

# %% [markdown]
# Now {glue:text}`probes` samples of every estimator on each picture, over three and a half decades of $\sigma$, and their distance from the exact trace. Alongside we ask for narrower numbers. TF32, which recent GPUs use for convolutions unless told otherwise, keeps 10 bits of each factor's mantissa where float32 has 23; bfloat16 keeps 7. To see what that does on any machine, we round the inputs and weights of each layer and leave the sums in float32. The real bfloat16 also rounds the results, so it can only be worse.

# %%
probes = {"tiny": 4, "quick": 32}.get(tier, 32)
SIGMAS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)


def rounding_layers(network: nn.Module, bits: int) -> nn.Module:
    """Return a copy whose layers see factors of so many mantissa bits."""

    def rounded(t: Tensor) -> Tensor:
        stretched = t * (2.0 ** (23 - bits) + 1)  # Veltkamp's way
        return stretched - (stretched - t)

    network = copy.deepcopy(network)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.weight.data = rounded(layer.weight.data)
            layer.register_forward_pre_hook(lambda _, seen: (rounded(seen[0]),))
    return network


# %%
def one_sample_error(network: nn.Module, sigma: float, variant: str) -> float:
    """Return a Taylor sample's root mean square error: bias and all."""
    f = trace.logit(network, y)
    kind = next(network.parameters()).dtype
    with torch.no_grad(), trace.full_precision():
        drawn = trace.taylor(
            # The noise is drawn in float64, the same for every format.
            lambda points: f(points.to(kind)),
            x.double(),
            sigma=sigma,
            variant=variant,
            num_probes=probes,
            generator=same_noise(),
            chunk_size=16,
        )
    return float((drawn - exact).square().mean().sqrt())


# %%
def over_sigmas(network: nn.Module, variant: str) -> list[float]:
    """Return the error of one sample at each sigma."""
    return [one_sample_error(network, sigma, variant) for sigma in SIGMAS]


errors = {variant: over_sigmas(model, variant) for variant in VARIANTS}
formats = {
    "bfloat16 factors": over_sigmas(rounding_layers(model, 7), "central"),
    "TF32 factors": over_sigmas(rounding_layers(model, 10), "central"),
    "float32": errors["central"],
    "float64": over_sigmas(copy.deepcopy(model).double(), "central"),
}
with torch.no_grad():
    drawn = trace.hutchinson(
        trace.logit(model, y), x,
        num_probes=probes, generator=same_noise(), chunk_size=16,
    )
hutchinson_error = float((drawn - exact).square().mean().sqrt())
size = float(exact.square().mean().sqrt())

# %% mystnb={"figure": {"name": "fig-trace-tradeoff", "caption": "Root mean square error of one sample, over $\\sigma$. Left: the three variants in float32, and {prf:ref}`prf-trace-variance` for the forward one (dotted). Right: the central variant in four number formats. The horizontal lines are one sample of Hutchinson's estimator (signs), and the size of the trace itself: an error above it is larger than what it estimates."}, "image": {"alt": "Two panels with logarithmic axes. Left, the forward variant's error falls along a straight line as sigma grows and stays above the others; control and central are flat in the middle and rise at both ends. Right, the rise towards small sigma begins the earlier the fewer digits a format has, and is absent in float64."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 4.3), sharey=True)
for variant in VARIANTS:
    left.plot(SIGMAS, errors[variant], **STYLES[variant])
noise = 4 * float(slopes.mean())
theory = [(hutchinson_error**2 + noise / s**2) ** 0.5 for s in SIGMAS]
line = {"color": STYLES["forward"]["color"], "linestyle": ":", "zorder": 0}
left.plot(SIGMAS, theory, label="forward, derived", **line)
colours = ("#000000", "#CC79A7", STYLES["central"]["color"], "#8C8C8C")
for name, colour, mark in zip(formats, colours, "vD^o", strict=True):
    right.plot(SIGMAS, formats[name], color=colour, marker=mark, label=name)
for ax in (left, right):
    ax.axhline(
        hutchinson_error, label="Hutchinson, signs",
        color=STYLES["rademacher"]["color"], linestyle="--", linewidth=1.2,
    )
    ax.axhline(size, color="#8C8C8C", linewidth=1, label="size of the trace")
    ax.set(xscale="log", yscale="log", xlabel=r"$\sigma$")
    ax.legend(fontsize=9)
left.set_ylabel("error of one sample")
right.set_title("What rounding adds to the central one")
left.set_title("The gradient's noise, and how to be rid of it")
plt.show()

# %% tags=["remove-cell"]
many = {"tiny": 8}.get(tier, 100)
x_many = data.to_float(images.x_test[:many]).to(device)
f_many = trace.logit(model, images.y_test[:many].to(device))
scatter = {}
with torch.no_grad(), trace.full_precision():
    for variant in ("forward", "central"):
        scatter[variant] = trace.taylor(
            f_many, x_many, sigma=0.01, variant=variant,
            num_probes=16, generator=same_noise(), chunk_size=4,
        ).std(dim=0)
ratios = (scatter["forward"] / scatter["central"]).double().cpu()
quartiles = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
low, middle, high = ratios.quantile(quartiles).tolist()
tell(
    scatter_pictures=many,
    scatter_low=low,
    scatter_median=middle,
    scatter_high=high,
)

# %% tags=["remove-cell"]
at = {s: k for k, s in enumerate(SIGMAS)}
tell(
    probes=probes,
    count=count,
    trace_size=size,
    mean_slope=float(slopes.mean()),
    hutchinson_error=hutchinson_error,
    forward_derived=theory[at[1e-2]],
)
for variant, mine in errors.items():
    tell({
        f"{variant}_best": min(mine),
        f"{variant}_best_sigma": f"{SIGMAS[mine.index(min(mine))]:g}",
        f"{variant}_error": mine[at[1e-2]],
        f"{variant}_large": mine[at[1e-1]],
    })
for name, mine in formats.items():
    key = name.split()[0].lower()
    tell({
        f"{key}_small": mine[0],
        f"{key}_middle": mine[at[1e-2]],
        f"{key}_thousandth": mine[at[1e-3]],
    })

# %% [markdown]
# Read the left panel from its middle, at the $\sigma = 0.01$ that the authors' code uses. The traces of these {glue:text}`count` pictures have a root mean square of {glue:text}`trace_size:.1f`. One forward sample misses the trace by {glue:text}`forward_error:.0f`; {prf:ref}`prf-trace-variance` expects {glue:text}`forward_derived:.0f`. One central sample misses it by {glue:text}`central_error:.1f`, and one of Hutchinson's with signs by {glue:text}`hutchinson_error:.1f`. How much better is central than forward, for one more forward pass? So few pictures cannot say. But a comparison of scatter needs no exact trace, so it can be made on many: over {glue:text}`scatter_pictures` test digits the standard deviation of a forward sample is {glue:text}`scatter_median:.1f` times that of a central one in the median, and between {glue:text}`scatter_low:.1f` and {glue:text}`scatter_high:.1f` times for the middle half of them.
#
# Going right, bias takes over: at $\sigma = 0.1$ the central error is {glue:text}`central_large:.1f`. Going left, digits run out. $f(\mathbf{x}+\mathbf{v})$ and $f(\mathbf{x})$ agree in all but their last places, the subtraction leaves rounding error, and $2/\sigma^2$ multiplies it. At $\sigma = 10^{-4}$ the central error is {glue:text}`float32_small:.1f` in float32 and {glue:text}`float64_small:.1f` in float64. So there is a valley with two walls, and the forward variant never sees its floor: its own noise is lowest where bias is already high. Of the $\sigma$ tried, the smallest error of the forward variant is {glue:text}`forward_best:.0f`, at $\sigma$ = {glue:text}`forward_best_sigma`; that of the central one is {glue:text}`central_best:.1f`, at {glue:text}`central_best_sigma`.
#
# The right panel is a warning. With TF32's factors the wall moves right: the error is {glue:text}`tf32_middle:.1f` at $\sigma = 0.01$ and {glue:text}`tf32_thousandth:.0f` at $0.001$. With bfloat16's it is {glue:text}`bfloat16_middle:.0f` at $0.01$.
#
# ## The same on a graphics processor
#
# Those factors were rounded by hand. What the hardware itself does we measured once, where the paper works: a ResNet-18 of width 64 on CIFAR-100, trained without a penalty and with score-matching, one network each ([chapter 7](07_training.ipynb) shows their training). {glue:text}`gpu_setting` In each format the noise is the same.

# %% tags=["hide-input"]
measured_gpu = precision_figures.measured()
precision_figures.spreads_table(measured_gpu)

# %% mystnb={"figure": {"name": "fig-trace-precision", "caption": "The central estimate on a graphics processor, two networks in three formats. Left: the standard deviation of one sample on one picture. Right: what the narrower formats add to it, the root of the difference of the two variances; where a format adds nothing there is no mark. The lines fall as $1/\\sigma^2$ from the mark on the left."}, "image": {"alt": "Two panels with logarithmic axes over sigma. Left, the three formats' curves lie on each other at sigma 0.03 and part towards 0.001, bfloat16 first, TF32 only at 0.001. Right, the added noise falls along straight lines of slope minus two."}} tags=["hide-input"]
precision_figures.lost_digits(measured_gpu)
plt.show()

# %% tags=["remove-cell"]
tell(precision_figures.in_words(measured_gpu))

# %% [markdown]
# The differences $f(\mathbf{x}+\mathbf{v}) + f(\mathbf{x}-\mathbf{v}) - 2f(\mathbf{x})$ lose a fixed number of digits, and $1/\sigma^2$ multiplies the loss. So what a format adds should grow a hundredfold when $\sigma$ falls to a tenth. {glue:text}`gpu_growth`
#
# Whether a format will do is a question of $\sigma$, then, and not of the format alone. {glue:text}`gpu_rule` So `trace.taylor` refuses autocast, and TF32 on a GPU where $\sigma$ is below 0.01, unless it is told that you want to measure the damage. The formats are not the whole of the error, either. {glue:text}`gpu_bias`
#
# ## What it costs
#
# One sample a picture, {glue:text}`batch` pictures at a time, on the machine that made this page, one thread. "Alone" is the estimate with no graph kept. "In training" adds its square and the backward pass to the weights. Medians of {glue:text}`repeats` runs; the interval covers the median with 96 % confidence.

# %%
repeats, batch = 9, 4
some = data.to_float(images.x_test[:batch]).to(device)
f = trace.logit(model, images.y_test[:batch].to(device))
estimators: dict[str, Callable[[], Tensor]] = {
    "the logit alone": lambda: f(some)[None],
}
for name in VARIANTS:
    estimators[STYLES[name]["label"]] = partial(
        trace.taylor, f, some, sigma=0.01, variant=name
    )
estimators[STYLES["rademacher"]["label"]] = partial(trace.hutchinson, f, some)


def alone(estimate: Callable[[], Tensor]) -> None:
    """Compute an estimate without a graph, and wait for it."""
    with torch.no_grad():
        float(estimate().sum())


def in_training(estimate: Callable[[], Tensor]) -> None:
    """Compute an estimate and the gradient of its square at the weights."""
    model.zero_grad()
    estimate().square().sum().backward()
    float(next(model.parameters()).grad.sum())


# %%
def milliseconds(action: Callable[[], None]) -> Interval:
    """Return the median time a picture, with its 96 % interval."""
    times = []
    for _ in range(1 + repeats):
        begun = time.perf_counter()
        action()
        times.append((time.perf_counter() - begun) / batch * 1e3)
    times = sorted(times[1:])
    # Of nine times, the second and the eighth.
    median, ends = times[repeats // 2], {"low": times[1], "high": times[-2]}
    return Interval(value=median, n=repeats, **ends)


costs: dict[tuple[str, str], Interval] = {}
kinds = {"alone": alone, "in training": in_training}
with trace.full_precision():
    for name, estimate in estimators.items():
        for label, action in kinds.items():
            costs[name, label] = milliseconds(partial(action, estimate))
model.zero_grad(set_to_none=True)

# %%
table = pd.DataFrame(index=list(estimators))
for label in ("alone", "in training"):
    table[f"{label}, ms a picture"] = [
        f"{cost.value:.1f} ({cost.low:.1f} to {cost.high:.1f})"
        for cost in (costs[name, label] for name in estimators)
    ]
one = [None, *(errors[v][at[1e-2]] for v in VARIANTS), hutchinson_error]
error = pd.Series(one, index=table.index, dtype=float)
seconds = pd.Series({n: costs[n, "alone"].value / 1e3 for n in estimators})
table["error of one sample"] = error
table["seconds a picture for an error of 1"] = seconds * error**2
table.style.format("{:,.1f}", subset=list(table)[2:], na_rep="")

# %% tags=["remove-cell"]
told = ("forward", "central", "rademacher")
labels = [STYLES[name]["label"] for name in told]
forward, central, signs = (costs[label, "in training"] for label in labels)
preset = presets.preset(tier, dataset, "score_matching")
to_one = table["seconds a picture for an error of 1"]
tell(
    batch=batch,
    trained_variant=preset.loss().variant,
    repeats=repeats,
    forward_ms=costs[labels[0], "alone"].value,
    hutchinson_ms=costs[labels[2], "alone"].value,
    exact_seconds=exact_seconds,
    forward_training=forward.value,
    central_training=central.value,
    rademacher_training=signs.value,
    intervals="do not overlap" if forward.high < signs.low else "overlap",
    precise_forward=float(to_one[labels[0]]),
    precise_central=float(to_one[labels[1]]),
    precise_hutchinson=float(to_one[labels[2]]),
)

# %% [markdown]
# A forward sample takes {glue:text}`forward_ms:.1f` ms, a Hutchinson sample {glue:text}`hutchinson_ms:.1f` ms; in training {glue:text}`forward_training:.1f` and {glue:text}`rademacher_training:.1f`, and those two intervals {glue:text}`intervals`. The exact trace took {glue:text}`exact_seconds:.1f` s a picture.
#
# That is the estimate. Eq. 4 has another term, $\frac12 \lVert\nabla f\rVert^2$, and to lower a gradient's norm one has to differentiate the gradient: a double backward pass, which the Taylor estimate was to avoid. With the norm in it the bill looks different. Four ways to pay for the bracket of eq. 4, from the pictures to the gradient at the weights:

# %% tags=["hide-input"]
y_some = images.y_test[:batch].to(device)
penalties = {
    f"{variant}, {norm} norm": ScoreMatching(
        weight=1.0, mu=0.1, variant=variant, norm=norm
    )
    for variant, norm in (
        ("forward", "exact"), ("central", "exact"), ("central", "pair"),
    )
}


def taylor_penalty(loss: ScoreMatching) -> None:
    """Compute eq. 4's bracket with a Taylor estimate, and its gradient."""
    model.zero_grad()
    loss.terms(model, some, y_some).penalty.mean().backward()


# %% tags=["hide-input"]
def hutchinson_penalty() -> None:
    """Compute it with Hutchinson's; estimate and norm share a gradient."""
    model.zero_grad()
    inputs = some.clone().requires_grad_()
    (slope,) = torch.autograd.grad(f(inputs).sum(), inputs, create_graph=True)
    u = torch.randn(inputs.shape, generator=same_noise()).sign().to(device)
    along = (slope * u).sum()
    (product,) = torch.autograd.grad(along, inputs, create_graph=True)
    h = (product * u).flatten(1).sum(dim=1)
    half_norm = slope.square().flatten(1).sum(dim=1) / 2
    (h + half_norm + 1e-3 * h.square()).mean().backward()


# %% tags=["hide-input"]
ways = {
    f"Taylor, {name}": partial(taylor_penalty, loss)
    for name, loss in penalties.items()
} | {"Hutchinson, signs, exact norm": hutchinson_penalty}
with trace.full_precision():
    bills = {name: milliseconds(action) for name, action in ways.items()}
model.zero_grad(set_to_none=True)
written = {
    name: f"{bill.value:.1f} ({bill.low:.1f} to {bill.high:.1f})"
    for name, bill in bills.items()
}
pd.DataFrame({"the bracket of eq. 4, ms a picture": written})

# %% tags=["remove-cell"]
paper_bill, _, pair_bill, hutchinson_bill = bills.values()


def compared(first: Interval, second: Interval) -> str:
    """Say how one time stands to another, if their intervals are apart."""
    if first.high < second.low or second.high < first.low:
        return f"{first.value / second.value:.2f} times as long as"
    return "about as long as"


def saved(first: Interval, second: Interval) -> str:
    """Say how much less time one takes than another, or how much more."""
    less = second.value - first.value
    return f"{abs(less):.0f} ms {'less' if less > 0 else 'more'}"


tell(
    bill_forward=paper_bill.value,
    bill_hutchinson=hutchinson_bill.value,
    bill_pair=pair_bill.value,
    saved_alone=saved(forward, signs),
    saved_whole=saved(paper_bill, hutchinson_bill),
    bill_against_hutchinson=compared(paper_bill, hutchinson_bill),
    bill_pair_against=compared(pair_bill, paper_bill),
)

# %% [markdown]
# With the exact norm, the forward estimate's bracket takes {glue:text}`bill_forward:.1f` ms, {glue:text}`bill_against_hutchinson` Hutchinson's ({glue:text}`bill_hutchinson:.1f` ms), whose estimate and norm share one gradient. Where only the estimate is trained on, a forward sample takes {glue:text}`saved_alone` than Hutchinson's, and with the norm in the sum {glue:text}`saved_whole`. The double backward is not needed, though: the pair $f(\mathbf{x}\pm\mathbf{v})$ holds the norm too, since $\big(f(\mathbf{x}+\mathbf{v}) - f(\mathbf{x}-\mathbf{v})\big)^2 / 4\sigma^2$ has the mean $\lVert\nabla f\rVert^2$, up to a bias of order $\sigma^2$. Then no derivative with respect to the picture is left, and the bracket takes {glue:text}`bill_pair:.1f` ms, {glue:text}`bill_pair_against` the first.
#
# The first table's last column asks for something else: how long until the *mean* of many samples has an error of 1, if bias is left aside? The forward variant needs {glue:text}`precise_forward:,.0f` seconds a picture, the central one {glue:text}`precise_central:,.1f`, Hutchinson's {glue:text}`precise_hutchinson:,.1f`. A cheap sample is one thing, a cheap estimate another. In training nobody averages so long over one picture. There the noise goes into the gradient of each step, and averages out over many; but there the estimate is also squared, and the square of a noisy number is too large on average. [Chapter 6](06_collapse.ipynb) shows what comes of that.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Section 3.2 and appendix B: the Taylor estimate approaches the trace as $\sigma \to 0$, with no backward pass; for quadratic functions its variance exceeds Hutchinson's by at most $4\sigma^{-2}\|\nabla f\|^2$; large $\sigma$ means bias, small $\sigma$ variance; where the gradient is small, both are small. There is no measurement.
# :::
#
# :::{admonition} What you just saw
# - **The estimate is right as $\sigma \to 0$**, and faster than stated: the error is $\frac{\sigma^2}{4}\Delta^2 f$, not $\mathcal{O}(\sigma)$.
# - **The bound on the variance holds.** It is reached at $N = 1$ and forgets a factor $1/N$. The Hutchinson variance of the appendix, $\frac{2}{N}\|H\|_F^2$, is that of Gaussian probes; random signs have less.
# - **The trade-off is there, and has a third side.** Below some $\sigma$ the digits run out, and that point depends on the number format. The bias, too, is something else than the appendix suggests: it contains fourth derivatives and no gradient, so a small gradient norm helps against the variance alone.
# - **The format counts by $\sigma$.** What is lost in the subtraction grows as $1/\sigma^2$. On one GPU, {glue:text}`gpu_short`
# - **A sample without a backward pass is cheap, and on this network it is mostly the gradient's noise.** Eq. 4 asks for a double backward pass all the same, for its norm, unless the norm is taken from the pair. Here the mean squared gradient norm is {glue:text}`mean_slope:.1f`. The noise can be removed, by the term that eq. 3 drops or by a second forward pass with $-\mathbf{v}$. This book trains its score-matched networks with the {glue:text}`trained_variant` variant.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* Take $f(x) = x^4$ on the line. Compute the mean of one forward sample exactly, and compare its bias with {eq}`eq-trace-bias`.
#
# :::{admonition} Solution
# :class: dropdown
#
# With $v = \sigma u$ the odd powers of $v$ average out, $\mathbb{E}\,v^2 = \sigma^2$ and $\mathbb{E}\,v^4 = 3\sigma^4$. So $\mathbb{E}\,\big((x+v)^4 - x^4\big) =
# 6 x^2 \sigma^2 + 3 \sigma^4$, and times $2/\sigma^2$ this is $12 x^2 + 6 \sigma^2$. The first term is the second derivative. The bias is
# $6\sigma^2$, and $\frac{\sigma^2}{4} \Delta^2 f$ with $\Delta^2 f = 24$ says the same. There are no further terms, because $f$ has no sixth derivative.
# :::
#
# **2.** *At the live figure.* Take the forward estimator at $\sigma = 0.01$ and look at the width of the histogram. How wide will it be at $\sigma = 0.1$? And
# the central estimator's? Decide before you move the slider.
#
# :::{admonition} Solution
# :class: dropdown
#
# Nearly all of the forward estimator's scatter is the gradient's term, whose standard deviation is $2 \|\nabla f\| / \sigma$. A step ten times as long makes it
# ten times as narrow. The central estimator has no such term, and by {prf:ref}`prf-trace-variance` its width does not depend on $\sigma$ at all, as long as
# the function is nearly quadratic. Over a step of 0.1 the network is that no longer. For a patch in the middle of the
# first test digit we found a standard deviation of about 270 for the forward estimator, and then 27; for the central one about 10, and then 6.
# :::
#
# **3.** *What would happen if* one drew forward samples in pairs, the second with $-\mathbf{v}$ where the first had $\mathbf{v}$, and averaged the two?
#
# :::{admonition} Solution
# :class: dropdown
#
# The mean of the two is
#
# $$
# \tfrac12 \cdot \tfrac{2}{\sigma^2} \Big( f(\mathbf{x}+\mathbf{v}) - f(\mathbf{x}) + f(\mathbf{x}-\mathbf{v}) - f(\mathbf{x}) \Big)
# = \tfrac{1}{\sigma^2} \Big( f(\mathbf{x}+\mathbf{v}) + f(\mathbf{x}-\mathbf{v}) - 2 f(\mathbf{x}) \Big) ,
# $$
#
# one central sample. Two independent forward samples cost the same two passes and have half the variance of one. This pair has none of the gradient's
# noise at all.
# :::
