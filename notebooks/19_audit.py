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
# # Who can be fooled, and the cure
#
# Sooner or later everyone who draws an attribution map has to fill in a field: attribute *what*? The logit of the
# class, its log-probability, its probability? Users of Captum have asked its authors for years (threads [91](https://github.com/meta-pytorch/captum/issues/91),
# [407](https://github.com/meta-pytorch/captum/issues/407), [418](https://github.com/meta-pytorch/captum/issues/418), [1060](https://github.com/meta-pytorch/captum/issues/1060) of its tracker). One is told that gradients of a probability fade where the network is sure, another that a logit leaves the
# other classes out, a third that it depends.
#
# All three are right, and there is something that none of them says. [Chapter 1](01_softmax_shift.ipynb) showed that a logit's map can be forged without
# a trace in the predictions {cite:p}`srinivas2021rethinking`. This chapter turns that into a test that you can run on your own network: **which attribution
# methods, applied to which outputs, can be fooled; what is the cure, and what does the cure cost?**

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %%
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats
from torch.nn.functional import cosine_similarity

from companion import audit, data, fooling, metrics, runs
from companion.audit.shifts import loudness
from companion.book import centring, plots, stencils
from companion.book.opening import begin, tell
from companion.book.style import MODEL_LABELS
from companion.book.words import counted, interval_text, listed
from companion.experiments import presets
from companion.gradients import logit_gradient

begin(globals())
dataset = presets.DATASETS[tier][0]
model = runs.find(tier, dataset, "baseline", seed).model().to(device)
images = data.load(dataset)
x_test = data.to_float(images.x_test).to(device)
y_test = images.y_test.to(device)
x_train = data.to_float(images.x_train[:200]).to(device)
few, many = {"tiny": (6, 20)}.get(tier, (6, 100))
x, y = x_test[:few], y_test[:few]

# %% [markdown]
# ## Which outputs cannot be fooled
#
# Take a classifier with logits $f_1, \dots, f_C$ and probabilities $p_1, \dots, p_C$. To *fool* it is to put $f_i + g$ in place of $f_i$, for
# every class $i$, with a function $g(\mathbf{x})$ of one's choice. The probabilities stay, so nothing that the classifier does gives the
# change away. An output $h$ is what somebody attributes: it is made of the logits, $h(f_1, \dots, f_C)$.
#
# ````{prf:proposition} Immunity
# :label: prf-audit-immune
#
# An output $h$ is the same after every shift,
#
# $$
# h(f_1 + g, \dots, f_C + g) = h(f_1, \dots, f_C) \qquad \text{for all } g,
# $$
#
# if and only if it is a function of the probabilities. Then every attribution of it is the same, too,
# as far as it asks for nothing but values and gradients of $h$ at points $\mathbf{x}$.
# ````
#
# ````{prf:proof}
# Equal logits up to a common $g$ have equal probabilities, so a function of the probabilities is the same after
# every shift. The other way round, let $h$ be the same after every shift, and choose $g = -\frac1C \sum_j f_j$. Then
#
# $$
# \begin{aligned}
# h(f_1, \dots, f_C) &= h\Big(f_1 - \tfrac1C \sum_j f_j, \, \dots\Big), \\
# f_i - \tfrac1C \sum_j f_j &= \tfrac1C \sum_j \log \frac{p_i}{p_j},
# \end{aligned}
# $$ (eq-audit-centred)
#
# and on the right there are only probabilities. Values and gradients of one and the same function of $\mathbf{x}$
# do not differ.
# ````
#
# In particular, the gradient of a difference of two logits does not contain $g$:
#
# $$
# \nabla_{\mathbf{x}} (f_i + g) - \nabla_{\mathbf{x}} (f_k + g) = \nabla_{\mathbf{x}} f_i - \nabla_{\mathbf{x}} f_k .
# $$ (eq-audit-difference)
#
# Three outputs in use are made of such differences. With $\nabla = \nabla_{\mathbf{x}}$,
#
# $$
# \begin{aligned}
# \nabla \log p_i &= \sum_j p_j \, (\nabla f_i - \nabla f_j), \\
# \nabla p_i &= p_i \, \nabla \log p_i, \\
# \nabla \Big(f_i - \tfrac1C \sum_j f_j\Big) &= \tfrac1C \sum_j (\nabla f_i - \nabla f_j).
# \end{aligned}
# $$ (eq-audit-three)
#
# They are the log-probability, the probability and the *centred logit*. A logit alone is no such difference. That settles the theory. What follows
# is the practice.
#
# ## The audit
#
# `audit.audit` adds three functions to all logits, and lets Captum {cite:p}`kokhlikyan2020captum` draw the maps:
#
# - **linear**, $g = s \langle \mathbf{x}, T \rangle$, where $T$ is a picture, here a smiling face;
# - **sine**, $g = \epsilon \sin(m \sum_d x_d)$ with $\epsilon = 0.01$: no logit moves by more than that, and yet the gradient of $g$ is as large as one likes;
# - **learned**: a small network, trained on training images until its gradient and the classifier's add up to the face.

# %%
face = stencils.smiley(x.shape[-1])
strength = loudness(model, x, y, batch_size=few)
noise = torch.Generator().manual_seed(seed)
painter = audit.painter(
    model, x_train, face.to(device), strength,
    steps={"tiny": 5}.get(tier, 200), batch_size=64, generator=noise,
)
shifts = {
    "linear": fooling.linear_shift(face.to(device), strength),
    "sine": fooling.sine_shift(0.01, strength / 0.01),
    "learned": painter,
}
report = audit.audit(model, x, y, shifts=shifts, generator=noise)
found = report.to_frame()

# %%
def strongest(attribution, output):
    """Return the strongest shift's change in words."""
    row = report.strongest(attribution, output)
    return interval_text(row.change, "{:.2g}")


pd.DataFrame(
    {
        output.replace("_", " "): {
            name.replace("_", " "): strongest(name, output)
            for name in report.names("attribution")
        }
        for output in report.names("output")
    }
).rename_axis("attribution")

# %% tags=["remove-cell"]
by_output = found.groupby("output")["change"]
still = [name for name in audit.OUTPUTS if name != "logit"]
most_still = max(
    float(row.per_image.max())
    for row in report.movements
    if row.output in still
)
left = max(row.probability for row in report.unchanged)
moving = listed(
    name.replace("_", " ") for name in dict.fromkeys(
        row.output for row in report.moved
    )
)
tell(
    audited=few,
    moving=moving,
    logit_least=float(by_output.min()["logit"]),
    logit_most=float(by_output.max()["logit"]),
    still_most=f"{most_still:.0e}" if most_still else "exactly 0",
    left=f"{left:.0e}" if left else "exactly 0",
    threshold=audit.MOVED,
)

# %% [markdown]
# A column is an output, a row a method. Each cell is the change of the map under the shift that moves it furthest, relative to the length of the map
# itself; the median over {glue:text}`audited` test images, with its 95 % interval. Outputs that move by more than {glue:text}`threshold`: {glue:text}`moving`. The logit's maps change
# by {glue:text}`logit_least:.2f` to {glue:text}`logit_most:.1f` times their length, method by method and shift by shift. The largest change of any image's map of the other three outputs is {glue:text}`still_most`,
# and the largest change of a probability {glue:text}`left`. (The network computes in single precision, and the audit adds and subtracts its logits in double precision,
# where two numbers of single precision have room enough: so rounding can neither hide a change nor fake one. [Chapter 1](01_softmax_shift.ipynb) measures what rounding does otherwise.)
#
# By {prf:ref}`prf-audit-immune` the method decides how far a logit's map can be moved, and the output decides whether. Below is the logit's column once more, with each shift, with Spearman's rank correlation between the
# pixels of the map before and after, and with the area under the pixel-perturbation curve of [chapter 12](12_pixel_perturbation.ipynb): the least relevant pixels are
# replaced first, and the probability of the class is watched.

# %%
rows = {
    (row.attribution.replace("_", " "), row.shift): {
        "change": interval_text(row.change, "{:.2g}"),
        "rank correlation": interval_text(row.correlation, "{:.2f}"),
        "change of the area": interval_text(row.area, "{:+.3f}"),
    }
    for row in report.movements
    if row.output == "logit"
}
pd.DataFrame(rows).T.rename_axis(["attribution", "shift"])

# %% tags=["remove-cell"]
logit_rows = [row for row in report.movements if row.output == "logit"]
lower = [row for row in logit_rows if row.area.sign() < 0]
higher = [row for row in logit_rows if row.area.sign() > 0]
tell(
    area_rows=len(logit_rows),
    area_lower=len(lower),
    area_higher=len(higher),
    free_share=interval_text(report.free, "{:.2g}"),
)

# %% [markdown]
# Does the yardstick for maps move as well? In {glue:text}`area_lower` of the {glue:text}`area_rows` rows the area is clearly smaller than before, in {glue:text}`area_higher` clearly larger:
# whoever compares two networks by the perturbation curves of their logits compares two functions $g$, too. A sine adds the same number to every pixel of a gradient, so it leaves their order as it is (a rank correlation of 1). But relevance is judged by *absolute values*, and the order of these it spoils.
# Maps that are multiplied by the image (input × gradient, integrated gradients) are 0 on black whatever $g$ is: on digits the least relevant pixels are the black ones, before and after.
#
# And before anybody tampers? A logit has three parts ([chapter 3](03_logits_as_log_densities.ipynb)), and only the mean logit is free. In this network its gradient has
# {glue:text}`free_share` of the length of the logit's (the median, with its interval). That is what no answer of this network fixes, as it was trained.
#
# ## One picture for every image
#
# A linear $g$ adds the face to whatever was there. The learned one does better: it cancels the classifier's own gradient, as far as it can, and leaves the face alone. It has never seen the
# test images below.

# %%
forged = fooling.shift_logits(model, painter).eval()
cured = audit.centred(forged)
with torch.no_grad():
    before, after = (
        torch.cat([f(part).softmax(dim=1) for part in x_test.split(250)])
        for f in (model, forged)
    )
maps = {
    name: logit_gradient(network, x_test[:many], y_test[:many])
    for name, network in {
        "the logit,\nas trained": model,
        "the logit,\nwith g": forged,
        "centred logit,\nwith g": cured,
    }.items()
}

# %% mystnb={"figure": {"name": "fig-audit-face", "caption": "Eight test images, and their gradient maps: of the logit as the network was trained; of the logit with the learned g added to all logits; of the centred logit, with the same g. The probabilities of the two networks are the same. Each map has its own scale of colour; white is zero."}, "image": {"alt": "Four rows of eight pictures: handwritten digits; a row of tangled orange and blue maps; a row in which every map is the same orange smiling face; and a row that looks like the second one again."}} tags=["hide-input"]
figure, axes = plt.subplots(4, 8, figsize=(8.8, 4.9))
plots.show_images(axes[0], x_test[:8])
axes[0, 0].set_ylabel("image", rotation=0, ha="right", va="center")
for row, (name, gradients) in zip(axes[1:], maps.items(), strict=True):
    plots.signed_maps(row, gradients[:8])
    row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
heading = "One face on every map, and the cure brings the maps back"
figure.suptitle(heading, x=0.02, ha="left")
plt.show()

# %% tags=["remove-cell"]
picture = face.to(device).flatten()[None]
likeness = {
    key: metrics.median_interval(
        cosine_similarity(gradients.flatten(1), picture)
    )
    for key, gradients in zip(
        ("plain", "forged", "cured"), maps.values(), strict=True
    )
}
right = [
    float((answer.argmax(dim=1) == y_test).double().mean())
    for answer in (before, after)
]
tell(
    {f"like_{key}": interval_text(end) for key, end in likeness.items()},
    tested=len(x_test),
    mapped=many,
    accuracy_before=f"{100 * right[0]:.1f}",
    accuracy_after=f"{100 * right[1]:.1f}",
    changed=int((before.argmax(dim=1) != after.argmax(dim=1)).sum()),
    moved_probability=f"{float((before - after).abs().max()):.0e}",
)

# %% [markdown]
# On {glue:text}`tested` test images the accuracy is {glue:text}`accuracy_before` % before and {glue:text}`accuracy_after` % after, the number of changed predictions {glue:text}`changed`, and no probability moves by more than
# {glue:text}`moved_probability`: here the forged network runs in single precision from end to end, as somebody would run it, and this is rounding. The cosine between a map and the face, median over {glue:text}`mapped`
# images: {glue:text}`like_plain` as trained, {glue:text}`like_forged` with $g$, and {glue:text}`like_cured` if the centred logit of that same forged network is attributed.
#
# ## The cures, and what they cost
#
# Both cures are modules that stand where the network stood, with the same probabilities:
#
# ```python
# from companion import audit
#
# model = audit.centred(model)          # f_i - mean_j f_j
# model = audit.shift_invariant(model)  # log p_i
# ```
#
# They are not the same cure. The weights in the first line of {eq}`eq-audit-three` sum to $1 - p_i$ over the classes other than $i$. Hence
#
# $$
# \|\nabla \log p_i\| \;\le\; (1 - p_i) \, \max_j \|\nabla f_i - \nabla f_j\| ,
# $$ (eq-audit-sure)
#
# and where the network is sure, the map of the log-probability dies away; that of the probability with it. The centred logit gives every class the weight $\frac1C$ and keeps its length. We look at the
# first {glue:text}`sampled` test images.

# %%
sampled = {"tiny": 40}.get(tier, 200)
tell(sampled=sampled)
model.double()
points, labels = x_test[:sampled].double(), y_test[:sampled]
parts = audit.split_gradient(model, points, labels)
with torch.no_grad():
    p = model(points).softmax(dim=1).gather(1, labels[:, None])[:, 0]
model.float()
length = parts.whole.flatten(1).norm(dim=1)
relative = {
    "log-probability": parts.own.flatten(1).norm(dim=1) / length,
    "centred logit": parts.centred.flatten(1).norm(dim=1) / length,
}
same_way = cosine_similarity(parts.own.flatten(1), parts.centred.flatten(1))

# %% mystnb={"figure": {"name": "fig-audit-sure", "caption": "Test images: the length of the gradient of two outputs, relative to that of the logit's, against one minus the probability of the class. Sure images are on the left."}, "image": {"alt": "A scatter plot on logarithmic axes. The centred logit's marks lie along a horizontal line at 1. The log-probability's marks fall towards the left along a straight line, over several powers of ten."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figure, ax = plt.subplots(figsize=(7.0, 3.6))
looks = {
    "log-probability": ("#D55E00", "o"), "centred logit": ("#0072B2", "s"),
}
unsure = (1 - p).clamp_min(1e-16).cpu()
for name, (colour, marker) in looks.items():
    ax.plot(
        unsure, relative[name].cpu(), marker, color=colour, markersize=3.5,
        alpha=0.6, label=name,
    )
ax.set(xscale="log", yscale="log", xlabel="1 − probability of the class")
ax.set_ylabel("gradient's length,\nrelative to the logit's")
ax.set_title("Where it is sure, the log-probability's map dies away")
ax.legend()
plt.show()

# %% tags=["remove-cell"]
sure = p > 0.999
tell(
    sure=int(sure.sum()),
    sure_log=interval_text(
        metrics.median_interval(relative["log-probability"][sure]), "{:.1e}"
    ),
    unsure_log=interval_text(
        metrics.median_interval(relative["log-probability"][~sure]), "{:.1e}"
    ),
    sure_centred=interval_text(
        metrics.median_interval(relative["centred logit"][sure]), "{:.3f}"
    ),
    same_way=interval_text(metrics.median_interval(same_way), "{:.2f}"),
)

# %% [markdown]
# {glue:text}`sure` of the {glue:text}`sampled` images have a probability above 0.999. On these the log-probability's gradient has {glue:text}`sure_log` of the logit's length in the median, on the others {glue:text}`unsure_log`;
# the centred logit's {glue:text}`sure_centred` ({numref}`fig-audit-sure`). A short map can be scaled up, of course. But what one then sees is the answer to another question: which pixels would tip the last thousandth of
# the probability? How far do the two cures agree? The cosine between their maps is {glue:text}`same_way` in the median.
#
# | to be explained | attribute | its price |
# |---|---|---|
# | the decision, on images that the network is sure of; many images side by side | the centred logit | weighs classes that nobody would confuse as much as the rival |
# | why this class and not that one | a difference of two logits | needs a rival |
# | the probability itself, and what would change it; losses; calibration | the log-probability | vanishes where the network is sure |
# | the same, where maps are to add up to a probability | the probability | vanishes on both sides |
# | the density that the paper reads into the logits | the bare logit | can be forged: nothing that the network answers fixes it |
#
# The last line is the price of both cures. A function of the probabilities cannot be the score of a density of pictures ([chapter 1](01_softmax_shift.ipynb)).
#
# ## Do the regularisers work through the mean logit?
#
# Now turn the cure on the paper's own question. Score-matching and its relatives change the gradients of logits, and a logit contains the mean logit, which no probability depends on. It could be that all they do is to put something there,
# as we have put a face. Then centring would undo them. We centre the logits of all four kinds of network, and measure maps, perturbation curves and samples of both.

# %%
judge = runs.find(tier, dataset, "judge", 1000).model().to(device)
size, steps = {"tiny": (20, 2)}.get(tier, (40, 15))
starts = 0.5 + 0.2 * torch.randn(
    (10, *x.shape[1:]), generator=torch.Generator().manual_seed(seed)
)
starts = starts.clamp(0, 1).to(device)
rows, shares = [], {}
for name in runs.METHODS:
    trained = [
        run for run in runs.find_all(tier, dataset, name)
        if (run.directory / "weights.safetensors").exists()
    ]
    for run in trained[:3]:
        network = run.model().to(device)
        rows += centring.both_ways(
            name, run.record.seed, network,
            lambda net: centring.qualities(
                net, x_test[:size], y_test[:size], starts, judge, steps=steps
            ),
        )
        split = audit.split_gradient(network, x_test[:size], y_test[:size])
        free = float(split.shares()["free"].median())
        shares.setdefault(name, []).append(free)
measured = pd.DataFrame(rows)
effects = centring.effects(measured)

# %%
table = {}
for name in runs.METHODS:
    mine = measured[measured["model"] == name].set_index("seed")
    plain, mended = mine[~mine["centred"]], mine[mine["centred"]]
    table[MODEL_LABELS[name]] = {
        "free share of the maps": interval_text(
            metrics.seed_interval(shares[name]), "{:.2g}"
        ),
        "samples move by": interval_text(
            metrics.seed_interval(plain["moved"].tolist()), "{:.2g}"
        ),
    } | {
        f"{measure} changes by": interval_text(
            metrics.paired_difference_interval(
                mended[measure].tolist(), plain[measure].tolist()
            ),
            "{:+.4f}",
        )
        for measure in centring.MEASURES
    }
pd.DataFrame(table).rename_axis("by centring")

# %% mystnb={"figure": {"name": "fig-audit-centring", "caption": "Each method's difference from the baseline of the same seed: smoothness of the gradient maps; mean accuracy while the least relevant pixels are replaced; the judge's probability of the class that a sample was made for. Each line leads from the networks as trained to the same networks with centred logits; thin, a seed, thick, their mean. If a method worked through the mean logit, its lines would lead to 0, the black line."}, "image": {"alt": "Three panels, for smoothness, perturbation and samples. In each, three groups of lines, a group a method, lead from a mark for the networks as trained to a mark for the centred ones. Next to the spread between the thin lines the slopes are small: most lines are nearly level."}} tags=["hide-input"]
figure = centring.draw(effects)
heading = "Take the mean logit away: what is left of each method's effect?"
figure.suptitle(heading, x=0.02, ha="left")
plt.show()

# %% tags=["remove-cell"]
over_seeds = centring.compared(effects)
answer = centring.answer(over_seeds)
tell(
    {f"effect_{name}": words for name, words in answer.items()},
    {
        f"told_{name}": centring.in_words(over_seeds, name)
        for name in centring.MEASURES
    },
    effect_of=len(over_seeds),
    centred_seeds=counted(measured["seed"].nunique(), "seed"),
    centred_images=size,
)

# %% [markdown]
# The first row is the share of the mean logit in the maps, the second how far the samples move, the others what else centring changes. ({glue:text}`centred_seeds` each, {glue:text}`centred_images` test images, ten samples; the samples start from the same noise.) A method's effect is its difference from the
# baseline of the same seed ({numref}`fig-audit-centring`):
#
# - **smoothness of the maps**: {glue:text}`told_smoothness`.
# - **perturbation curve**, the mean accuracy while the least relevant pixels are replaced: {glue:text}`told_perturbation`.
# - **samples**, the judge's probability of the class that was climbed for: {glue:text}`told_samples`.
#
# In words: {glue:text}`effect_clear`. (Of {glue:text}`effect_of` intervals of 95 % one may well miss by chance.) The intervals of the parts through the mean logit are mostly narrower, since a network is compared with itself. By their means, {glue:text}`effect_smaller` parts through the mean logit are smaller than what is left without it;
# clearly different from 0 are those of: {glue:text}`effect_through`. What stays in a centred network is a fact about its probabilities. It is no sign of a density in the mean logit; nor can anybody have forged it without
# changing an answer.
#
# ## What came before
#
# That maps can be fooled is known, and this book does not claim it. What differs is what has to be changed, and whether the predictions tell.
#
# | | what is changed | do predictions move? | does the cure help? |
# |---|---|---|---|
# | {cite:t}`ghorbani2019interpretation` | the image, a little, by search | the label stays, probabilities move a little | no |
# | {cite:t}`dombrowski2019explanations` | the image, towards a chosen map; made possible by the curvature of the output | outputs nearly stay | no; a smoother network does |
# | {cite:t}`heo2019fooling` | the weights, by fine-tuning with a penalty on the maps | accuracy nearly stays | not in general: probabilities may move |
# | {cite:t}`adebayo2018sanity` | the weights, put at random to test whether a map notices | yes, they are destroyed | another question: a map that passes may be forged |
# | a shift $g$ {cite:p}`srinivas2021rethinking` | all logits, by one function | not at all | yes, by {prf:ref}`prf-audit-immune` |
#
# The first two fool a map of the network *as it is*, the third makes another network. Adebayo and others asked whether a map depends on the network at all; we ask whether
# it depends on more than the network's answers. A cured map can still be fooled in the first three ways. It cannot be fooled behind the back of the predictions by $g$.
#
# Two warnings about rules that change the backward pass. Captum's guided backpropagation and deconvolution change what `nn.ReLU` modules hand back, and nothing else: on a network with softplus, such as those of this book, or with `F.relu`,
# they return the plain gradient without a word. The audit says so. And perturbation methods (occlusion, LIME, KernelSHAP) see differences of *values*: of a linear $g$ they see all, of the sine at most $2\epsilon$.
#
# ## How to audit your own network
#
# Write a function that returns the network, an `nn.Module` from images in $[0, 1]$ to logits, and type
#
# ```sh
# companion audit --model my_module:build --images photographs/ \
#     --size 224 --out report.html
# ```
#
# The answer is a sentence, a page with pictures that needs nothing from elsewhere, and an exit status: 1 where a shift moves a map, 0 where none does, 2 where something was wrong with the question. `--outputs centred_logit` asks about the
# output that you use; a network that `build` returns inside `audit.centred` is tampered with below the cure. In Python it is `audit.audit(model, x, y)`, which takes any method of Captum's: `attributions={"mine": lambda forward: captum.attr.Saliency(forward)}`.
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Logit-gradients can be manipulated at will by adding one function to all logits; losses and loss-gradients stay (section 2). The paper advises against logit-gradients for interpretation, and reads
# them as scores of an implicit density. It says nothing of centred logits, and does not ask whether its regularisers act on the mean logit.
# :::
#
# :::{admonition} What you just saw
# - **Which output?** One that is a function of the probabilities. Moved by a shift: {glue:text}`moving`. The largest change of the other outputs' maps was {glue:text}`still_most`.
# - **One face on every map.** Cosine with the face {glue:text}`like_forged` in the median, and {glue:text}`changed` changed predictions of {glue:text}`tested`.
# - **The cure** is a line of code. The log-probability's map dies away on sure images ({glue:text}`sure_log` of the logit's length); the centred logit's does not ({glue:text}`sure_centred`).
# - **The regularisers**, over {glue:text}`centred_seeds` of small networks on digits: {glue:text}`effect_clear`. Of their effects, {glue:text}`effect_smaller` parts that go through the mean logit are smaller than what is left without it. A part is clearly different from 0 in: {glue:text}`effect_through`.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* Which of these are immune: the logit less that of the strongest rival; $p_i f_i$; $\sum_j w_j f_j$ with fixed weights?
#
# :::{admonition} Solution
# :class: dropdown
#
# Add $g$ to every logit. In the first it cancels, so it is immune. The second becomes $p_i f_i + p_i g$ and is not. The third gains $g \sum_j w_j$, so it is immune exactly if the weights sum to 0. The centred logit is of this kind: its weights are $1 - \frac1C$ for class $i$ and
# $-\frac1C$ for each of the others.
# :::
#
# **2.** *With one line.* In the dictionary of shifts write `fooling.sine_shift(0.001, strength / 0.001)` for the sine. What happens to its row for gradients, and what would occlusion see of it?
#
# :::{admonition} Solution
# :class: dropdown
#
# The height falls to a tenth and the frequency is ten times as large, so the gradient of $g$ is up to $\epsilon m = $ `strength` a pixel, as before. Each image sits at another phase of the wave now, so its own number changes, but the changes stay of the same size. Occlusion sees differences of values, and
# these are at most $2\epsilon$: ten times less than before. One shift fools the methods that differentiate, and is nothing to those that do not.
# :::
#
# **3.** *What would happen if* one centred by the mean of the five largest logits in place of all of them?
#
# :::{admonition} Solution
# :class: dropdown
#
# It would be a cure as well. Which logits are the five largest can be told from the probabilities, and $f_i$ less their mean is a mean of five log-odds. It has one rough edge: where the fifth and the sixth class change places, the output is continuous, but its gradient
# jumps. In exchange it no longer weighs classes that nobody would confuse.
# :::
