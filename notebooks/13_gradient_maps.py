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
# # What the maps look like
#
# So far we have counted. Now we look. The paper's Figure 4 sets the gradient maps of its four
# networks side by side and finds that some resemble the object and some resemble noise
# {cite:p}`srinivas2021rethinking`. **Do some networks' gradients look more like the digit than others', and what
# does it mean if they do?**
#
# Eyes are quick to find what they were promised. So each look is followed by a number, and each number by the
# question of what it takes to move it.

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
from dataclasses import asdict

import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats
from torch.nn.functional import cosine_similarity

from companion import data, runs
from companion.book import figures, plots, tables
from companion.book.sentences import (
    differences_in_words, ranking, runs_in_words,
)
from companion.book.style import MODEL_LABELS
from companion.book.words import counted, interval_text, listed
from companion.experiments import presets
from companion._support import flat_sum
from companion.book.opening import begin, tell
from companion.fooling import shift_logits
from companion.gradients import log_probability_gradient, logit_gradient
from companion.metrics import gradient_map_quality, mean_interval
from companion.metrics.image_quality import sobel_magnitude

begin(globals())
dataset = presets.DATASETS[tier][0]

# %% [markdown]
# ## Four networks, the same digits
#
# The maps are $\nabla_{\mathbf{x}} f_y(\mathbf{x})$, the gradient of the true class's logit, with its sign. Orange pixels raise the
# logit if made brighter, blue ones lower it, and white does nothing. The images are the first eight of the test
# set, so nobody chose them. The maps come from the runs' records, in half precision; we also compute them again from
# the weights.

# %%
images = data.load(dataset)
few = {"tiny": 20}.get(tier, 100)
x = data.to_float(images.x_test[:few]).to(device)
y = images.y_test[:few].to(device)
trained = {name: runs.find(tier, dataset, name, seed) for name in runs.METHODS}
kept = {name: run.pictures()["gradients"] for name, run in trained.items()}
models = {name: run.model().to(device) for name, run in trained.items()}
maps = {name: logit_gradient(model, x, y) for name, model in models.items()}
apart = 0.0
for name, pictures in kept.items():
    change = maps[name][: len(pictures)].cpu() - pictures
    apart = max(apart, float(change.abs().max() / pictures.abs().max()))

# %% mystnb={"figure": {"name": "fig-maps-models", "caption": "The first eight test images, and the signed logit-gradients of four networks for them. Each map has its own scale of colour; white is zero."}, "image": {"alt": "Five rows of eight pictures: handwritten digits, then a row of orange and blue gradient maps for the baseline, for score-matching, for anti-score-matching and for gradient norm."}} tags=["hide-input"]
heading = "The same digits, through the gradients of four networks"
figure = figures.gradient_maps(tier, dataset, seed)
figure.suptitle(heading, x=0.02, ha="left")
plt.show()

# %% tags=["remove-cell"]
tell(apart=f"{apart:.0e}", few=few)
for name, gradients in maps.items():
    size = flat_sum(gradients.square()).mean().sqrt()
    tell({f"size_{name}": float(size)})

# %% [markdown]
# Take your time over {numref}`fig-maps-models`, and decide which row you find clearest, and which one noisiest.
# (Recomputed from the weights, the maps differ from the stored ones by {glue:text}`apart` of their largest pixel.)
#
# One thing the figure hides. Each map is stretched to the full range of colour, but the networks differ in
# the size of their gradients. A typical map's length is {glue:text}`size_baseline:.2f` for the baseline,
# {glue:text}`size_score_matching:.2f` with score-matching, {glue:text}`size_anti_score_matching:.2f` with
# anti-score-matching and {glue:text}`size_gradient_norm:.2f` with the gradient-norm penalty.
#
# ## Two measures
#
# "Perceptually aligned" is the paper's word, and it gives no measure. We use two, both blind to the scale of a map:
#
# - **smoothness**, the correlation of a map with itself moved by one pixel. White noise has 0;
# - **edge correlation**, the correlation over the pixels between $|\nabla f_y|$ and the strength of the image's edges.
#
# To get a feeling for the two scales, here is what they say of maps that we know: noise, the image itself, and the
# image's edges (by Sobel's filter).

# %%
def qualities(gradients):
    """Return the smoothness and the edge correlation of maps in words."""
    smooth, edges = gradient_map_quality(gradients, x).per_sample
    return {
        "smoothness": interval_text(mean_interval(smooth)),
        "edge correlation": interval_text(mean_interval(edges)),
    }


source = torch.Generator().manual_seed(seed)
known = {
    "white noise": torch.randn(x.shape, generator=source).to(x),
    "the image itself": x,
    "the image's edges": sobel_magnitude(x)[:, None].to(x),
}
rows = {name: qualities(picture) for name, picture in known.items()}
pd.DataFrame(rows).T.rename_axis("map")

# %% [markdown]
# Now the four networks. The records hold both measures for every test image of the tier. The bars are means over
# seeds.

# %% mystnb={"figure": {"name": "fig-maps-measures", "caption": "Smoothness and edge correlation of the logit-gradients: mean over seeds, with 95 % t-intervals over seeds. White noise would have 0 in both."}, "image": {"alt": "Two bar charts with a bar and an interval for each of four models: smoothness of the maps on the left, edge correlation on the right."}} tags=["hide-input"]
set_matplotlib_formats("svg")
measures = figures.MAP_QUALITIES
figures.map_qualities(tier, dataset)
plt.show()

# %%
metrics = measures.items()
over_runs, paired = (
    {title: found(tier, dataset, metric) for title, metric in metrics}
    for found in (tables.seed_table, tables.paired_differences)
)
cells = {}
for title in measures:
    for column, frame, form in (
        ("mean over seeds", over_runs[title].iloc[1:], "{:.3f}"),
        ("minus the baseline", paired[title], "{:+.3f}"),
    ):
        rows = frame.to_dict("records")
        cells[title, column] = [interval_text(row, form) for row in rows]
labels = [MODEL_LABELS[name] for name in paired["smoothness"]["model"]]
pd.DataFrame(cells, index=pd.Index(labels, name="model"))

# %% tags=["remove-cell"]
seeds = int(over_runs["smoothness"]["n"].min())
quality = trained["baseline"].metric("map_spatial_smoothness")
tell(seeds=counted(seeds, "seed"), n_images=int(quality["n"]))
for title, key in zip(measures, ("smooth", "edges"), strict=True):
    base = over_runs[title].set_index("model").loc["baseline"]
    tell({f"{key}_baseline": interval_text(base, "{:.3f}")})
    words = {1: "above", -1: "below", 0: "undecided"}
    sides = {word: [] for word in words.values()}
    for row in paired[title].to_dict("records"):
        name = row["model"]
        sides[words[row["sign"]]].append(MODEL_LABELS[name].lower())
        tell({f"{key}_{name}": interval_text(row, "{:+.3f}")})
    for word, names in sides.items():
        tell({f"{key}_{word}": listed(names)})

# %% [markdown]
# The baseline has a smoothness of {glue:text}`smooth_baseline` and an edge correlation of
# {glue:text}`edges_baseline`, over {glue:text}`seeds` of {glue:text}`n_images` images. Compared with it, pair by pair:
#
# | | above the baseline | below | undecided |
# |---|---|---|---|
# | smoothness | {glue:text}`smooth_above` | {glue:text}`smooth_below` | {glue:text}`smooth_undecided` |
# | edge correlation | {glue:text}`edges_above` | {glue:text}`edges_below` | {glue:text}`edges_undecided` |
#
# ## The most beautiful map
#
# Before we admire a number, let us see what it costs to move it. In [](01_softmax_shift.ipynb) we added a function
# $g(\mathbf{x})$ to all logits, and no prediction changed. There $\nabla g$ was a fixed picture. Now take
#
# $$
# g(\mathbf{x}) = \tfrac{s}{2} \|\mathbf{x}\|^2
# \quad\Longrightarrow\quad
# \nabla_{\mathbf{x}} (f_y + g) = \nabla_{\mathbf{x}} f_y + s\,\mathbf{x} .
# $$ (eq-maps-self)
#
# The shift draws each image into its own map.

# %%
strength = 5 * float(maps["baseline"].abs().amax())
flattered = shift_logits(
    models["baseline"], lambda z: strength / 2 * flat_sum(z.square())
).eval()
candidates = {MODEL_LABELS[name]: maps[name] for name in models}
candidates["Baseline + g"] = logit_gradient(flattered, x, y)
rows = {name: qualities(gradients) for name, gradients in candidates.items()}
with torch.no_grad():
    before, after = (
        f(x).argmax(dim=1) for f in (models["baseline"], flattered)
    )
pd.DataFrame(rows).T.rename_axis(f"seed {seed}, {few} images")

# %% mystnb={"figure": {"name": "fig-maps-flattered", "caption": "Gradient maps of the baseline, above, and of the baseline with g added to its logits, below. The two networks give the same answers."}, "image": {"alt": "Two rows of eight gradient maps. The lower row shows clean orange digits."}} tags=["hide-input"]
set_matplotlib_formats("png")
figure, axes = plt.subplots(2, 8, figsize=(8.8, 2.6))
for row, name in zip(axes, ("Baseline", "Baseline + g"), strict=True):
    plots.signed_maps(row, candidates[name][:8])
    row[0].set_ylabel(name, fontsize=9)
heading = "The same predictions, and a map that shows the digit"
figure.suptitle(heading, x=0.02, ha="left")
plt.show()

# %% tags=["remove-cell"]
tell(changed=int((after != before).sum()))

# %% [markdown]
# Predictions that changed on the {glue:text}`few` images: {glue:text}`changed`. The lower row of {numref}`fig-maps-flattered` is as
# perceptually aligned as a map can be, and it has been told nothing about what the network looks at. Its $g$ says that bright images are
# likely, which is a poor density and a splendid picture. Alignment can be bought. What we may still ask is
# whether a network that *was not* bribed has it, and where it got it.
#
# ## The same image, another class
#
# If a map shows what speaks for a 4, then the map for another class should look different. We take, for each
# image, the true class and the strongest of the others, on the image of these {glue:text}`few` that the baseline finds hardest.

# %%
with torch.no_grad():
    logits = {name: model(x) for name, model in models.items()}
plain = logits["baseline"]
hardest = int(plain.softmax(dim=1).gather(1, y[:, None]).argmin())
other = plain.scatter(1, y[:, None], -torch.inf).argmax(dim=1)
true_and_other = {
    name: (maps[name], logit_gradient(model, x, other))
    for name, model in models.items()
}

# %% mystnb={"figure": {"name": "fig-maps-classes", "caption": "One image, four networks. From left to right: the gradient of the true class's logit, that of another class, and their difference, which is the gradient of the log-odds between the two. Each row has one scale of colour."}, "image": {"alt": "Four rows of a digit and three gradient maps: true class, other class, and their difference."}} tags=["hide-input"]
figure, axes = plt.subplots(4, 4, figsize=(6.0, 6.2))
label, rival = (images.class_names[int(c[hardest])] for c in (y, other))
for row, (name, pair) in zip(axes, true_and_other.items(), strict=True):
    plots.show_images(row[0], x[[hardest]])
    mine, theirs = (gradients[hardest] for gradients in pair)
    three = torch.stack([mine, theirs, mine - theirs])
    plots.signed_maps(row[1:], three, limit="shared")
    written = MODEL_LABELS[name].replace("-score", "-\nscore")
    row[0].set_ylabel(written, fontsize=9)
titles = ("image", f"for {label}", f"for {rival}", "difference")
for ax, title in zip(axes[0], titles, strict=True):
    ax.set_title(title, loc="center", fontsize=10)
figure.suptitle("One image, asked about two classes", x=0.02, ha="left")
plt.show()

# %%
cosines = {
    name: mean_interval(cosine_similarity(mine.flatten(1), theirs.flatten(1)))
    for name, (mine, theirs) in true_and_other.items()
}
rows = [{"model": name, **asdict(end)} for name, end in cosines.items()]
table = tables.labelled(pd.DataFrame(rows)).astype({"n": int})
table = table.rename(columns={"value": "cosine, true and other class"})
table.style.format(precision=3, na_rep="–")

# %% tags=["remove-cell"]
values = {name: interval.value for name, interval in cosines.items()}
low, high = min(values, key=values.get), max(values, key=values.get)
tell(
    most_alike=MODEL_LABELS[high].lower(),
    least_alike=MODEL_LABELS[low].lower(),
    highest_cosine=values[high],
    lowest_cosine=values[low],
)

# %% [markdown]
# A cosine of 1 would mean the same map for both classes, and −1 one the negative of the other. It is highest for
# {glue:text}`most_alike`, {glue:text}`highest_cosine:.2f`, and lowest for {glue:text}`least_alike`,
# {glue:text}`lowest_cosine:.2f`.
#
# ## What the maps are made of
#
# The identity of [](03_logits_as_log_densities.ipynb) splits every map into a term that decides between the
# classes and a term that all classes share, equation {eq}`eq-logits-identity` of
# [chapter 3](03_logits_as_log_densities.ipynb):
#
# $$
# \nabla_{\mathbf{x}} f_y = \underbrace{\nabla_{\mathbf{x}} \log p_\theta(y \mid \mathbf{x})}_{\text{decides}}
# + \underbrace{\nabla_{\mathbf{x}} \log \textstyle\sum_j \exp f_j}_{\text{common}} .
# $$ (eq-maps-terms)
#
# We draw it for the baseline and for the score-matched network: on the first test image, and on the hardest one.

# %%
deciding = {
    name: log_probability_gradient(model, x, y)
    for name, model in models.items()
}
common = {name: maps[name] - deciding[name] for name in models}

# %% mystnb={"figure": {"name": "fig-maps-terms", "caption": "The two terms of the gradient map, for two networks and two images. Each row has one scale of colour. p: the probability that the network gives to the true class."}, "image": {"alt": "Four rows of an image and three maps: the gradient map, the term that decides, and the common term."}} tags=["hide-input"]
figure, axes = plt.subplots(4, 4, figsize=(6.4, 6.4))
wanted = [
    (name, index)
    for index in (0, hardest)
    for name in ("baseline", "score_matching")
]
for row, (name, index) in zip(axes, wanted, strict=True):
    plots.show_images(row[0], x[[index]])
    terms = [part[name][index] for part in (maps, deciding, common)]
    plots.signed_maps(row[1:], torch.stack(terms), limit="shared")
    p = float(logits[name].softmax(dim=1)[index, y[index]])
    row[0].set_ylabel(f"{MODEL_LABELS[name]}\np = {p:.2g}", fontsize=9)
titles = ("image", "map", "decides", "common")
for ax, title in zip(axes[0], titles, strict=True):
    ax.set_title(title, loc="center", fontsize=10)
figure.suptitle("One map, two terms", x=0.02, ha="left")
plt.show()

# %% [markdown]
# And in numbers, for all four: how much of a map's squared length the deciding term has, in the median, and how
# each term fares on the two measures.

# %%
quantities = {"map": maps, "decides": deciding, "common": common}
decides = ("share of squared length", "decides")
rows = {}
for name in models:
    share = flat_sum(deciding[name].square()) / flat_sum(maps[name].square())
    found = {
        part: gradient_map_quality(gradients[name], x).value
        for part, gradients in quantities.items()
    }
    row = rows[MODEL_LABELS[name]] = {decides: float(share.median())}
    for k, measure in enumerate(("smoothness", "edge correlation")):
        row |= {(measure, part): float(v[k]) for part, v in found.items()}
terms = pd.DataFrame(rows).T
terms.style.format("{:.2f}").format("{:.1e}", subset=[decides])

# %% tags=["remove-cell"]
shares, smooth = terms[decides], terms["smoothness"]
near = (smooth["map"] - smooth["common"]).abs().max()
tell(
    share_low=f"{shares.min():.0e}",
    share_high=f"{shares.max():.0e}",
    gap_decides=float(smooth["decides"].max() - smooth["decides"].min()),
    gap_common=float(smooth["common"].max() - smooth["common"].min()),
    near_common=float(near),
    common_rules=int((shares < 0.5).sum()),
    networks=len(shares),
)

# %% [markdown]
# In the median image the deciding term has between {glue:text}`share_low` and {glue:text}`share_high` of the map's
# squared length. In {glue:text}`common_rules` of the {glue:text}`networks` networks that is less than half, and what
# one sees in {numref}`fig-maps-models` is mostly the common term. It is the score of the network's density of
# images, the one thing that its predictions do not depend on.
#
# From the smoothest network to the roughest, the smoothness of the deciding term spans
# {glue:text}`gap_decides:.2f`, and that of the common term {glue:text}`gap_common:.2f`. The smoothness of the whole map
# is within {glue:text}`near_common:.2f` of its common term's, in every network.

# %% tags=["remove-cell"]
CIFAR = ("small", "cifar100")
tell(cifar_runs=runs_in_words(*CIFAR, "pixel_perturbation"))
for metric, key in zip(measures.values(), ("smooth", "edges"), strict=True):
    each = tables.run_table(*CIFAR, metric)
    told = differences_in_words(each, "{:+.3f}")
    ranked = ranking(*CIFAR, metric)
    tell({f"cifar_{key}": ranked, f"cifar_{key}_told": told})

# %% [markdown]
# ## On CIFAR-100
#
# The paper's Figure 4 shows CIFAR-100. These are the maps of the small networks of [](07_training.ipynb):
# {glue:text}`cifar_runs`. The photographs themselves belong to their owners and are not part of this book; where the data
# are on the machine that builds it, they stand in the first row.

# %% mystnb={"figure": {"name": "fig-maps-cifar", "caption": "Signed logit-gradients on CIFAR-100's first eight test images, summed over the colours and drawn as in {numref}`fig-maps-models`."}, "image": {"alt": "Rows of eight orange and blue gradient maps, one row a model."}} tags=["hide-input"]
set_matplotlib_formats("png")
figures.gradient_maps(*CIFAR)
plt.show()

# %% mystnb={"figure": {"name": "fig-maps-cifar-measures", "caption": "Smoothness and edge correlation on CIFAR-100's test images. Intervals: over seeds where there are several, over images where there is one."}, "image": {"alt": "Two bar charts with a bar and an interval for each model: smoothness of the maps on the left, edge correlation on the right."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figures.map_qualities(*CIFAR)
plt.show()

# %% tags=["hide-input"]
tables.interval_table(*CIFAR, measures, "{:.3f}")

# %% [markdown]
# From high to low:
#
# - **Smoothness**: {glue:text}`cifar_smooth`. {glue:text}`cifar_smooth_told`
# - **Edge correlation**: {glue:text}`cifar_edges`. {glue:text}`cifar_edges_told`
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# On CIFAR-100, shown and not measured: gradients of the gradient-norm regularised and score-matched models are
# highly perceptually aligned, compared with the baseline's and anti-score-matching's, and the latter are the
# noisiest.
# :::
#
# :::{admonition} What you just saw
# - **Smoothness**, difference from the baseline over {glue:text}`seeds`: score-matching
#   {glue:text}`smooth_score_matching`, gradient norm {glue:text}`smooth_gradient_norm`, anti-score-matching
#   {glue:text}`smooth_anti_score_matching`.
# - **Edge correlation**: score-matching {glue:text}`edges_score_matching`, gradient norm
#   {glue:text}`edges_gradient_norm`, anti-score-matching {glue:text}`edges_anti_score_matching`.
# - **On CIFAR-100**, from high to low: smoothness, {glue:text}`cifar_smooth`; edge correlation, {glue:text}`cifar_edges`.
# - Where an interval holds 0, a comparison over {glue:text}`seeds` does not decide. Two measures are not an eye either; they may disagree with
#   it, and with each other.
# - **What it means.** A map that looks like the digit is no proof that the network looked there: $g$ of
#   {eq}`eq-maps-self` gives any network such maps. And a common term that looks like the digit is
#   what one would expect of a network whose hidden density fits the data better. That is the paper's reading, and
#   the maps agree with it only as far as the numbers above go.
# :::
