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
# # Any picture you like
#
# Here is a wager. You train a classifier, and I choose a picture: a smiling face, say. I may change your
# classifier, but if a single prediction changes, I lose. If its saliency map shows my picture, for every
# input you try, you lose.
#
# Should you accept? The question of this chapter is: **can a saliency map be turned into any picture
# without changing one prediction?** The paper's section 2 answers it in one line of algebra
# {cite:p}`srinivas2021rethinking`. We go through that line, and then carry it out on a network that was
# trained in the ordinary way.

# %% tags=["parameters", "hide-input"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["hide-input"]
from functools import partial

import pandas as pd
import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats
from torch import Tensor, nn

from companion import audit, data, fooling, live, runs
from companion.book import plots, stencils
from companion.experiments import presets
from companion.book.opening import begin, tell
from companion.gradients import (
    log_probability_gradient,
    logit_gradient,
    loss_gradient,
)

begin(globals(), figures="png", dpi=200)
dataset = presets.DATASETS[tier][0]
model = runs.find(tier, dataset, "baseline", seed).model().to(device)
images = data.load(dataset)
x, y = data.to_float(images.x_test).to(device), images.y_test.to(device)
few = {"tiny": 6}.get(tier, 40)

# %% tags=["remove-cell"]
with torch.no_grad():
    probabilities = torch.cat(
        [model(part).softmax(dim=1) for part in x.split(250)]
    )
right = probabilities.argmax(dim=1) == y
tell(accuracy=100 * float(right.double().mean()), test_images=len(x))

# %% [markdown]
# The network is the book's baseline, which gets {glue:text}`accuracy:.1f` % of {glue:text}`test_images` test
# images right. Nothing about it is special. Any classifier that ends in a softmax would do.
#
# Here it is, to play with. Your browser computes this very network, in double precision, whenever you move
# something; there is no server behind the page. Choose an image and a picture $T$, or draw them, and turn up the
# strength with which $T$ is added to every score. What is called unchanged was computed with the addition like
# everything else, so that the numbers show what rounding leaves of it. In float32 (the last of the links) rounding
# gets the better of the softmax.

# %% tags=["hide-input"]
hesitant = int((probabilities.amax(dim=1) - 0.8).abs().argmin())
first_of = [
    int((y == label).nonzero()[0])
    for label in range(min(10, images.num_classes))
]
picked = [hesitant, *first_of]
live.fooling(
    model, x[picked], y[picked], images.class_names,
    run=runs.find(tier, dataset, "baseline", seed), indices=picked,
)

# %% [markdown]
# How can that be?
#
# ## The observation
#
# A classifier turns an input $\mathbf{x} \in \mathbb{R}^D$ into $C$ *logits* $f_1(\mathbf{x}), \dots,
# f_C(\mathbf{x})$. The softmax turns these into probabilities,
#
# $$
# p_i = p(y = i \mid \mathbf{x}) = \frac{\exp f_i(\mathbf{x})}{\sum_{j=1}^C \exp f_j(\mathbf{x})} .
# $$ (eq-shift-softmax)
#
# The loss for class $i$ is $\ell_i = -\log p_i$. Two gradients with respect to the input are in use as
# saliency maps: the {term}`logit-gradient` $\nabla_{\mathbf{x}} f_i$ and the {term}`loss-gradient` $\nabla_{\mathbf{x}}
# \ell_i$.
#
# ````{prf:proposition} Shift invariance
# :label: prf-shift-invariance
#
# Let $g : \mathbb{R}^D \to \mathbb{R}$ be any differentiable function, and let $\tilde f_i = f_i + g$ for
# every class, $1 \le i \le C$. Then for every class
#
# $$
# \begin{gathered}
# \tilde p_i = p_i, \qquad
# \tilde\ell_i = \ell_i, \qquad
# \nabla_{\mathbf{x}} \tilde\ell_i = \nabla_{\mathbf{x}} \ell_i, \\
# \nabla_{\mathbf{x}} \tilde f_i = \nabla_{\mathbf{x}} f_i + \nabla_{\mathbf{x}} g .
# \end{gathered}
# $$ (eq-shift-claim)
# ````
#
# ````{prf:proof}
# Write out the loss and its gradient (the paper's eq. 5 and 6):
#
# $$
# \ell_i(\mathbf{x}) = -f_i(\mathbf{x}) + \log \sum_{j=1}^C \exp f_j(\mathbf{x}),
# $$ (eq-shift-loss)
#
# $$
# \nabla_{\mathbf{x}} \ell_i(\mathbf{x}) = -\nabla_{\mathbf{x}} f_i(\mathbf{x})
# + \sum_{j=1}^C p_j \, \nabla_{\mathbf{x}} f_j(\mathbf{x}) .
# $$ (eq-shift-loss-gradient)
#
# Put $\tilde f_i = f_i + g$ into {eq}`eq-shift-loss`. The first term brings $-g$. In the second, every
# summand has the factor $\exp g$, which leaves the logarithm as $+g$. The two cancel, so $\tilde\ell_i =
# \ell_i$, and with it $\tilde p_i = \exp(-\tilde\ell_i) = p_i$. Functions that are equal everywhere have
# equal gradients; {eq}`eq-shift-loss-gradient` shows it term by term, since $-\nabla g + \sum_j p_j \nabla
# g = 0$: the probabilities sum to one. The last equation of {eq}`eq-shift-claim` is the sum rule.
# ````
#
# So the logit-gradient is ours to choose. Take the picture $T$ that you want to see, and
#
# $$
# g(\mathbf{x}) = s \, \langle \mathbf{x}, T \rangle
# \quad\Longrightarrow\quad
# \nabla_{\mathbf{x}} \tilde f_i = \nabla_{\mathbf{x}} f_i + s\,T
# $$ (eq-shift-linear)
#
# at every input and for every class. The strength $s$ says how loudly.
#
# ## Doing it
#
# The gradients of this network have some size of their own. We take $s$ as twice the largest pixel of a
# typical map, so that the picture can be seen above them.

# %%
before = logit_gradient(model, x[:few], y[:few])
strength = 2 * float(before.abs().amax(dim=(1, 2, 3)).median())
size = x.shape[-1]
targets = {
    "a smiling face": stencils.smiley(size),
    "a greeting": stencils.word("HI", size),
    "a checkerboard": stencils.checkerboard(size),
}
fooled = {
    name: fooling.shift_logits(
        model, fooling.linear_shift(picture, strength)
    ).eval()
    for name, picture in targets.items()
}
one, label = x[hesitant : hesitant + 1], int(probabilities[hesitant].argmax())

# %% [markdown]
# For the first look we choose the test image on which the network's highest probability is nearest to 0.8. It
# hesitates there, so that there is something to be seen in its probabilities.

# %% mystnb={"figure": {"name": "fig-shift-demo", "caption": "One test digit, the gradient map of the trained classifier for it, and the maps of two altered classifiers; below each map, what that classifier answers. Each map has its own scale of colour. Orange pixels raise the logit of the predicted class, blue ones lower it."}, "image": {"alt": "A handwritten digit and three gradient maps. The first is a tangle of orange and blue; the second shows a smiling face; the third shows the word HI. The three bar charts of class probabilities below them are identical."}} tags=["hide-input"]
shown = {
    "as trained": model,
    "with a face added": fooled["a smiling face"],
    "with a greeting": fooled["a greeting"],
}
figure, axes = plt.subplots(2, 4, figsize=(8.4, 4.0), height_ratios=[2.2, 1])
figure.suptitle("Three classifiers that give the same answers")
plots.show_images(axes[0, 0], one, titles=["the input"])
axes[1, 0].set_axis_off()
axes[1, 0].text(1, 0.5, "probability\nof each class", ha="right", va="center")
for column, (name, classifier) in enumerate(shown.items(), start=1):
    shown_map = logit_gradient(classifier, one, label)
    plots.signed_maps(axes[0, column], shown_map, titles=[f"gradient, {name}"])
    with torch.no_grad():
        answer = classifier(one).softmax(dim=1)[0].cpu()
    bars, classes = axes[1, column], range(len(answer))
    colours = ["#D55E00" if i == label else "#555555" for i in classes]
    bars.bar(classes, answer, color=colours)
    bars.set(ylim=(0, 1), yticks=[0, 1])
    bars.set_xticks(classes if len(classes) == 10 else [])
    bars.tick_params(labelsize=9)
plt.show()

# %% tags=["remove-cell"]
with torch.no_grad():
    shifted = torch.cat(
        [fooled["a smiling face"](part) for part in x.split(250)]
    )
changed = shifted.argmax(dim=1) != probabilities.argmax(dim=1)
tell(
    predictions_changed=int(changed.sum()),
    largest_shift=float(shifted.abs().max()),
    strength=strength,
)

# %% [markdown]
# The three bar charts in {numref}`fig-shift-demo` come from three different networks, and no bar has moved.
# Of the {glue:text}`test_images` test images, the number that the second network classifies differently
# from the first is {glue:text}`predictions_changed`.
#
# ## How exactly are the answers unchanged?
#
# {prf:ref}`prf-shift-invariance` is exact. A computer is not: it adds $g$ to $f$, rounds, and subtracts
# again inside the softmax. We therefore compute everything *through* $f + g$, copying nothing over from
# $f$, and look at the largest difference that is left. We do it for several functions $g$:
#
# - **the face**, as above;
# - **a sine**, $g = \epsilon \sin(m \sum_d x_d)$, which never exceeds $\epsilon$ and is steep all the same;
# - **minus the mean logit**, $g = -\frac1C \sum_j f_j$, which centres the logits, a thing that one might
#   well do out of tidiness;
# - **minus the top logit**, $g = -\max_j f_j$, which makes the logit of the predicted class zero
#   everywhere, and its map blank;
# - **a swap**, $g = f_{(2)} - f_{(1)}$, where $(1)$ is the class that the network predicts and $(2)$ the
#   runner-up. The predicted class now has the runner-up's old logit. Ask this network why it sees a 4, and it
#   shows what the first one would have shown for, say, a 9;
# - **a learned $g$**: a small network, trained on training images until its gradient and the classifier's
#   add up to the picture.

# %%
def minus_top(x: Tensor) -> Tensor:
    """Return -max_j f_j(x)."""
    return -model(x).amax(dim=1)


def swap(x: Tensor) -> Tensor:
    """Return the runner-up's logit less the top one."""
    first, second = model(x).topk(2, dim=1).values.unbind(dim=1)
    return second - first


learned = fooling.learned_shift(
    model, data.to_float(images.x_train[: 10 * few]).to(device),
    targets["a smiling face"], strength=strength,
    steps={"tiny": 2}.get(tier, 200),
    generator=torch.Generator().manual_seed(seed),
)
shifts = {
    "face": fooling.linear_shift(targets["a smiling face"], strength),
    "sine": fooling.sine_shift(epsilon=0.01, frequency=100 * strength),
    "minus the mean logit": fooling.mean_logit_shift(model),
    "minus the top logit": minus_top,
    "swap": swap,
    "learned": learned,
}

# %% mystnb={"figure": {"name": "fig-shift-gallery", "caption": "Gradient maps of the predicted class for four test images, in the trained network and in six networks with the same predictions. Each map has its own scale of colour; white is zero."}, "image": {"alt": "A grid of four digits with seven maps each. The trained network's maps are tangled; with the face and with the learned shift each shows a smiling face; the sine lays a flat wash of one colour over each; with minus the top logit each is blank; centring and swapping give other tangles."}} tags=["hide-input"]
names = {"as trained": None, **shifts}
figure, axes = plt.subplots(4, 8, figsize=(8.8, 4.9))
plots.show_images(axes[:, 0], x[:4])
for column, (name, g) in enumerate(names.items(), start=1):
    classifier = model if g is None else fooling.shift_logits(model, g)
    plots.signed_maps(axes[:, column], logit_gradient(classifier, x[:4]))
    for ax in axes[:, column]:
        ax.spines[:].set(visible=True, color="#cccccc")
    title = name.replace("minus the ", "minus\n").replace("as ", "as\n")
    axes[0, column].set_title(title, fontsize=9, loc="center")
axes[0, 0].set_title("input", fontsize=9, loc="center")
plt.show()

# %% [markdown]
# Seven networks, one and the same classifier ({numref}`fig-shift-gallery`). The sine washes a map with one
# flat colour, since its gradient is the same for all pixels; how strong the wash is depends on the cosine
# of the phase, and so on the image. Centring the logits changes next to nothing, for a reason we shall come
# to. Now the differences, in double precision and in the single precision in which networks usually run.

# %%
def outputs(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Return what a classifier gives for x, with classes y."""
    with torch.no_grad():
        logits = model(x)
    return {
        "probability": logits.softmax(dim=1),
        "loss": F.cross_entropy(logits, y, reduction="none"),
        "loss-gradient": loss_gradient(model, x, y),
        "logit-gradient": logit_gradient(model, x, y),
    }


def largest_differences(dtype: torch.dtype) -> pd.DataFrame:
    """Return, for every g, the largest change of each output."""
    classifier, points = model.to(dtype), x[:few].to(dtype)
    before = outputs(classifier, points, y[:few])
    rows = {}
    for name, g in shifts.items():
        g = g.to(dtype) if isinstance(g, nn.Module) else g
        after = outputs(fooling.shift_logits(classifier, g), points, y[:few])
        rows[name] = {
            key: float((after[key] - before[key]).abs().max())
            for key in before
        }
    return pd.DataFrame(rows).T


# %%
double = largest_differences(torch.float64)
single = largest_differences(torch.float32)
unchanged = ["probability", "loss", "loss-gradient"]
moving = ("changed", "logit-gradient")
table = pd.concat(
    {"float64": double[unchanged], "float32": single[unchanged]}, axis=1
)
table[moving] = double["logit-gradient"]
table.index.name = "g"
table.style.format("{:.0e}").format("{:.2f}", subset=[moving])

# %% tags=["remove-cell"]
for name, frame_ in {"double": double, "single": single}.items():
    tell({
        f"{name}_probability": f"{frame_['probability'].max():.0e}",
        f"{name}_loss": f"{frame_['loss'].max():.0e}",
        f"{name}_loss_gradient": f"{frame_['loss-gradient'].max():.0e}",
    })
changes = double["logit-gradient"]
tell(
    smallest_logit_gradient_change=float(
        changes.drop("minus the mean logit").min()
    ),
    mean_logit_change=float(changes["minus the mean logit"]),
    largest_logit_gradient=float(before.abs().max()),
    checked_images=few,
)

# %% [markdown]
# Each entry is the largest absolute difference over {glue:text}`checked_images` test images, all classes
# and all pixels. In double precision no probability moves by more than {glue:text}`double_probability`, no
# loss by more than {glue:text}`double_loss`, no pixel of a loss-gradient by more than
# {glue:text}`double_loss_gradient`. In single precision the figures are {glue:text}`single_probability`,
# {glue:text}`single_loss` and {glue:text}`single_loss_gradient`. Meanwhile the logit-gradients, whose
# largest pixel is {glue:text}`largest_logit_gradient:.2f` in the trained network, have moved by
# {glue:text}`smallest_logit_gradient_change:.2f` or more, with one exception.
#
# The exception is the mean logit, {glue:text}`mean_logit_change:.2f`. The trained network's logits very
# nearly have mean zero already. Cross-entropy never asked for that: it is blind to the mean, and by
# {eq}`eq-shift-loss-gradient` pushes the $C$ logits by amounts that sum to zero. The last layer's mean over
# the classes therefore stays where its random start put it, near zero, and weight decay shrinks it further.
# Here is a first sign that what the loss leaves open may be settled by something else.
#
# The differences in probabilities and losses are rounding, and rounding has a known size. A number $a$ is
# stored to within $u\,|a|$, where $u$ is {glue:text}`unit_double` in double and {glue:text}`unit_single` in
# single precision. With the face added the logits reach {glue:text}`largest_shift:.0f`, and the larger they
# are, the coarser the steps in which they are stored. If we keep turning $s$ up, the probabilities must
# begin to suffer, in proportion.

# %%
strengths = torch.logspace(-1, 6, 8).tolist()
moved = {}
for dtype in (torch.float32, torch.float64):
    classifier, points = model.to(dtype), x[:few].to(dtype)
    with torch.no_grad():
        truth = classifier(points).softmax(dim=1)
        for s in strengths:
            g = fooling.linear_shift(targets["a smiling face"], s)
            after = fooling.shift_logits(classifier, g)(points).softmax(dim=1)
            moved[dtype, s] = float((after - truth).abs().max())
model.float()
overlap = (x[:few].cpu() * targets["a smiling face"]).sum(dim=(1, 2, 3))
bulk = float(overlap.max())

# %% mystnb={"figure": {"name": "fig-shift-rounding", "caption": "Largest change of a probability, against the strength $s$ of the face. The thin lines are the unit of rounding times the largest shift, $u\\,s \\max_{\\mathbf{x}} \\langle \\mathbf{x}, T \\rangle$."}, "image": {"alt": "Two rising lines on logarithmic axes, float32 nine orders of magnitude above float64, each close to its thin line of predicted rounding error."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figure, ax = plt.subplots(figsize=(6.4, 3.4))
looks = {torch.float32: ("#D55E00", "o"), torch.float64: ("#0072B2", "s")}
for dtype, (colour, marker) in looks.items():
    name = str(dtype).removeprefix("torch.")
    change = [max(moved[dtype, s], 1e-18) for s in strengths]
    ax.plot(strengths, change, color=colour, marker=marker, label=name)
    expected = [torch.finfo(dtype).eps / 2 * bulk * s for s in strengths]
    ax.plot(strengths, expected, color=colour, linewidth=0.8, linestyle=":")
ax.axvline(strength, color="#888888", linewidth=1, linestyle="--")
ax.text(1.2 * strength, 1e-3, "used above", fontsize=9, color="#555555")
ax.set(xscale="log", yscale="log", xlabel="strength s")
ax.set_ylabel("largest change of a probability")
ax.set_title("Rounding is the only trace that the shift leaves")
ax.legend()
plt.show()

# %% tags=["remove-cell"]
tell(
    unit_double=f"{torch.finfo(torch.float64).eps / 2:.0e}",
    unit_single=f"{torch.finfo(torch.float32).eps / 2:.0e}",
    single_at_strongest=f"{moved[torch.float32, strengths[-1]]:.2g}",
    strongest=f"{strengths[-1]:.0e}",
)

# %% [markdown]
# They do ({numref}`fig-shift-rounding`). At $s$ = {glue:text}`strongest` single precision has nothing left
# to tell the classes apart with, and a probability moves by {glue:text}`single_at_strongest`. To be unseen,
# a forger must be moderate. There is ample room.
#
# ## Which saliency maps are fooled?
#
# Every map that is built from the gradient of one logit inherits the shift. We try the gradient, its absolute
# value {cite:p}`simonyan2013deep`, input times gradient {cite:p}`shrikumar2017learning`, SmoothGrad, which
# averages over noisy copies {cite:p}`smilkov2017smoothgrad`, and integrated gradients, which averages along a
# path from black {cite:p}`sundararajan2017axiomatic`. Beside them we put two maps in which $g$ cancels: the
# gradient of the difference of two logits, and that of the log-probability.

# %%
def saliency_maps(
    model: nn.Module, x: Tensor, y: Tensor, rival: Tensor
) -> dict[str, Tensor]:
    """Return seven maps for classes y; `rival` is another class an image."""
    gradient = partial(logit_gradient, model)
    noise = torch.Generator().manual_seed(seed)
    noisy = [
        x + 0.1 * torch.randn(x.shape, generator=noise).to(x) for _ in range(8)
    ]
    path = [(step + 0.5) / 8 * x for step in range(8)]
    smooth = torch.stack([gradient(point, y) for point in noisy])
    on_path = torch.stack([gradient(point, y) for point in path])
    return {
        "gradient": gradient(x, y),
        "|gradient|": gradient(x, y).abs(),
        "input ×\ngradient": x * gradient(x, y),
        "SmoothGrad": smooth.mean(dim=0),
        "integrated\ngradients": x * on_path.mean(dim=0),
        "difference\nof two logits": gradient(x, y) - gradient(x, rival),
        "log-probability": log_probability_gradient(model, x, y),
    }


# %%
count = min(few, 12)
top_two = probabilities[:count].topk(2, dim=1).indices
subjects = (x[:count].double(), top_two[:, 0], top_two[:, 1])
honest = saliency_maps(model.double(), *subjects)
forged = saliency_maps(fooled["a smiling face"], *subjects)
model.float()
relative = {}
for name, map_ in honest.items():
    change = (forged[name] - map_).flatten(1).norm(dim=1)
    relative[name] = float((change / map_.flatten(1).norm(dim=1)).mean())

# %% mystnb={"figure": {"name": "fig-shift-methods", "caption": "Seven maps of one test image, from the trained network and from the one with the face. The number below each column is the change relative to the trained network's map, as a mean over a dozen test images, in double precision."}, "image": {"alt": "Two rows of seven maps. In the lower row the face appears in gradient, absolute gradient and SmoothGrad, and inside the strokes of the digit in input times gradient and integrated gradients. The last two columns are the same in both rows."}} tags=["hide-input"]
set_matplotlib_formats("png", dpi=200)
figure, axes = plt.subplots(2, 7, figsize=(8.9, 3.2))
for column, name in enumerate(honest):
    maps = torch.stack([honest[name][0], forged[name][0]])
    plots.signed_maps(axes[:, column], maps)
    axes[0, column].set_title(name, fontsize=9.5, loc="center")
    change = relative[name]
    written = f"{change:.1g}" if change < 1e-2 else f"{change:.2f}"
    axes[1, column].set_xlabel(written)
axes[0, 0].set_ylabel("as trained")
axes[1, 0].set_ylabel("with the face")
plt.show()

# %% tags=["remove-cell"]
immune = ("difference\nof two logits", "log-probability")
tell(
    least_fooled=min(v for name, v in relative.items() if name not in immune),
    most_immune=f"{max(relative[name] for name in immune):.0e}",
)

# %% [markdown]
# The first five are fooled: they change by {glue:text}`least_fooled:.1f` times their own size or more
# ({numref}`fig-shift-methods`). Multiplying by the input confines the face to the strokes of the digit, and
# does no more than that. Averaging does nothing, since the shift is the same at every point that is
# averaged. The last two change by no more than {glue:text}`most_immune`, which is rounding. Methods that look inside the network, such as Grad-CAM
# {cite:p}`selvaraju2017grad`, see only what passes through the layer they look at; a $g$ that is computed
# from that layer reaches them too.
#
# ## The cure, and what it costs
#
# The last two columns of {numref}`fig-shift-methods` show that there is a cure. Any map is immune that is made of the
# *probabilities*. A difference of two logits is: $f_i - f_k = \log p_i - \log p_k$. If no rival class is to be singled out, take all of them at
# once, and subtract the mean logit,
#
# $$
# f_i - \frac1C \sum_{j=1}^C f_j = \frac1C \sum_{j=1}^C \log \frac{p_i}{p_j} .
# $$ (eq-shift-centred)
#
# This {term}`centred logit` is the mean log-odds of class $i$ against every class. It takes one line of code, `audit.centred(model)`, and the line may be applied to a
# classifier that somebody else has tampered with.

# %%
points, labels = x[:few].double(), y[:few]
model.double()
plain = logit_gradient(model, points, labels)
cured = logit_gradient(audit.centred(model), points, labels)
lengths = plain.flatten(1).norm(dim=1)

# %%
rows = {}
for name, g in shifts.items():
    g = g.double() if isinstance(g, nn.Module) else g
    forged = fooling.shift_logits(model, g)
    maps = logit_gradient(forged, points, labels)
    mended = logit_gradient(audit.centred(forged), points, labels)
    rows[name] = {
        "logit": float(((maps - plain).flatten(1).norm(dim=1) / lengths).max()),
        "centred logit": float(
            ((mended - cured).flatten(1).norm(dim=1) / lengths).max()
        ),
    }
cure = pd.DataFrame(rows).T.rename_axis("g")
cure.style.format("{:.1e}", subset=["centred logit"]).format(
    "{:.2f}", subset=["logit"]
)

# %% tags=["remove-cell"]
by_centring = (cured - plain).flatten(1).norm(dim=1) / lengths
model.float()
tell(
    cured_worst=f"{cure['centred logit'].max():.0e}",
    fooled_worst=float(cure["logit"].max()),
    by_centring=float(by_centring.median()),
)

# %% [markdown]
# Each entry is the largest change of a map by $g$, relative to the trained network's map and over {glue:text}`checked_images` test images. The
# gradient of the logit moves by up to {glue:text}`fooled_worst:.1f` times its length. That of the centred logit is what it was to within
# {glue:text}`cured_worst`, through all six forgeries: rounding. On the network as it was trained, centring changes a map by
# {glue:text}`by_centring:.2g` of its length, in the median, because the logits are nearly centred already.
#
# So if it is the *decision* that is to be explained, there is no reason to go on using the bare logit. The cure has a price, however, and it falls due in
# this book. The paper wants to read a logit as the logarithm of a density, $f_i(\mathbf{x}) = \log p(\mathbf{x} \mid i)$ up to a constant. By
# Bayes' rule the probabilities know $p(\mathbf{x} \mid i)$ only up to a factor that all classes share, namely the density
# $p(\mathbf{x})$ of the pictures themselves; and a centred logit is a function of the probabilities. It keeps whatever a picture says for one class and against the others, and loses how
# likely the picture is. The density reading stands or falls with the mean logit, the one thing that $g$ can change. No recipe for a map can be both: immune to
# $g$, and the score of a density.
#
# This has to be said with care. That a map *can* be forged does not show that the maps of ordinary networks
# are false. Nobody added a face to those. What it shows is that training does not decide the matter. The
# loss is blind to $g$, so whatever mean the logits of a trained network have got, they have got it
# for some other reason. [Chapter 3](03_logits_as_log_densities.ipynb) gives that mean a place and a
# meaning. [Chapter 2](02_loss_gradients.ipynb) first asks whether the loss-gradient, which this trick
# cannot reach, is any safer.
#
# ## What came before
#
# Maps had been fooled before, in three other ways.
#
# **By changing the picture.** {cite:t}`ghorbani2019interpretation` searched for small changes of a picture that leave the prediction and scramble the
# map. {cite:t}`dombrowski2019explanations` steered the map to a picture of their choice, and traced the matter to the curvature of the network's
# output; a softplus in place of the ReLU smooths it, and makes a map harder to steer. (The networks of this book have a softplus, but for another reason:
# [chapter 5](05_trace_estimators.ipynb) needs second derivatives.) {cite:t}`subramanya2019fooling` and {cite:t}`zhang2020interpretable` fool prediction and map together.
#
# **By changing the data's origin.** {cite:t}`kindermans2019unreliability` add one constant picture to all inputs and take it away again inside the first
# layer. Nothing has happened to the function, and some maps change.
#
# **By changing the network.** {cite:t}`heo2019fooling` come nearest to this chapter. They fine-tune networks for ImageNet with a penalty on their own
# maps, until these show what is wanted, and the accuracy stays nearly what it was. It is an experiment, and every weight and every prediction may move a little. The shift by $g$ is algebra: no prediction moves
# at all. By the same token it can only do what the mean logit can. Fine-tuning may also fool the maps that $g$ leaves alone.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# "It is trivial to manipulate input-gradients of standard classifiers." Adding one function to all logits
# changes the logit-gradients at will, and leaves losses and loss-gradients as they were (section 2; proof
# in appendix A). Individual logits and their gradients are therefore "meaningless on their own". The paper
# shows no pictures of this.
# :::
#
# :::{admonition} What you just saw
# - Six functions $g$, and maps such as a face, a flat wash, a blank, another class's map. Over
#   {glue:text}`test_images` test images the face changed {glue:text}`predictions_changed` predictions.
# - Probabilities, losses and loss-gradients agreed to {glue:text}`double_probability`,
#   {glue:text}`double_loss` and {glue:text}`double_loss_gradient` in double precision, and what was left
#   was rounding.
# - Gradient, absolute gradient, input times gradient, SmoothGrad and integrated gradients were fooled.
#   Differences of logits, log-probabilities and centred logits were not; the gradient of the centred logit moved by at most {glue:text}`cured_worst`.
# - The cure costs the density: what is immune to $g$ knows the probabilities alone.
# - You should not have accepted the wager.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* {prf:ref}`prf-shift-invariance` says that a shift leaves the probabilities alone. Show the converse: if two
# classifiers have the same probabilities at every input, then they differ by a shift, and by nothing else.
#
# :::{admonition} Solution
# :class: dropdown
#
# By {eq}`eq-shift-loss`, $\log p_i = f_i - \log \sum_j \exp f_j$. If $\tilde p_i = p_i$ for every class, then
#
# $$
# \tilde f_i - f_i = \log \sum_{j=1}^C \exp \tilde f_j - \log \sum_{j=1}^C \exp f_j .
# $$
#
# There is no $i$ on the right. So the difference is one function of the input, the same for every class, and that function is $g$. What the
# answers leave open in the logits is a shift and nothing more.
# :::
#
# **2.** *At the live figure.* Choose "a picture" and set the precision to float32. How large must $g$ be before a probability of 0.8 can be wrong
# by a hundredth? Work it out, and then turn the strength up until the first row of the table says so. (Numbers of single precision
# have 24 binary digits.)
#
# :::{admonition} Solution
# :class: dropdown
#
# Between $2^{19}$ and $2^{20}$ neighbouring numbers of single precision lie $2^{19-23} = \frac1{16}$ apart. Each logit is
# rounded by up to half of that, so the difference of two logits is off by up to $\frac1{16}$. A probability moves by $p(1-p)$ times
# as much, which is $0.16 / 16 = 0.01$. So it takes a $g$ of about $2^{19}$, half a million. Rounding may be kinder, and at some strengths it
# is: this is how large the error *can* be.
# :::
#
# **3.** *What would happen if* every class had a picture of its own, $\tilde f_i = f_i + s \langle \mathbf{x}, T_i \rangle$?
#
# :::{admonition} Solution
# :class: dropdown
#
# Each logit's map would show its own picture, and the trick would be noticed. The log-odds of two classes now move by $s \langle \mathbf{x}, T_i - T_k
# \rangle$, so probabilities and predictions change. By {eq}`eq-shift-loss-gradient` the loss-gradient changes by $s\,(-T_i + \sum_j \tilde p_j T_j)$, beside what
# the new probabilities do to its other terms. Only what all classes have in common is free.
# :::
