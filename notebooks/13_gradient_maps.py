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
# {cite:p}`srinivas2021rethinking`. **Do some networks' gradients look more like the object than others', and what
# does it mean if they do?**
#
# Eyes are quick to find what they were promised. So each look is followed by a number, and each number by the
# question of what it takes to move it.

# %% tags=["parameters", "hide-input"]
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

from companion import data, live, metrics, runs
from companion._support import flat_sum
from companion.book import figures, one_network, plots, tables
from companion.book.class_names import CIFAR100
from companion.book.opening import begin, tell
from companion.book.photographs import CLASSES, photographs
from companion.book.sentences import ranking, runs_in_words
from companion.audit import split_gradient
from companion.book.split import PARTS, WORDS, shares_over_seeds
from companion.book.strongest import strongest
from companion.book.style import MODEL_LABELS
from companion.book.words import counted, interval_text, listed
from companion.experiments import presets, settings
from companion.fooling import shift_logits
from companion.gradients import logit_gradient

begin(globals())

# %% tags=["remove-cell"]
dataset = presets.DATASETS[tier][0]
CIFAR = ("small", "cifar100")
lead = strongest("cifar100", "pixel_perturbation")
smaller = strongest("cifar100", "pixel_perturbation", CIFAR[:1])
tell(lead_networks=lead.described(), lead_notes=lead.notes())

# %% [markdown]
# (your-own-picture)=
# ## Your own picture
#
# Begin with a picture of your own. Four small networks, trained on CIFAR-100 in four ways ([chapter 7](07_training.ipynb)), run in your browser:
# what you choose stays on this page, and nothing is uploaded. They know a hundred classes, and a picture of anything else is taken
# for one of these. Ask for the map of the first class and of an unlikely one. Then raise the strength $s$: it adds $g(\mathbf{x}) = s \langle \mathbf{x}, T \rangle$ to every logit, as in
# [chapter 1](01_softmax_shift.ipynb). The upper maps become the picture $T$, the probabilities and the lower maps stay. These are maps of
# the centred logit, $f_y - \frac1C \sum_j f_j$, from which every such $g$ falls out. Last, climb the logit until the class
# appears, and see how much of the picture had to change.

# %% tags=["hide-input"]
small_runs = {
    name: found[0]
    for name in runs.METHODS
    if (found := runs.find_all(*CIFAR, name))
}
live.photograph(
    {
        MODEL_LABELS[name]: run.model()
        for name, run in small_runs.items()
    },
    *photographs(), CIFAR100,
)

# %% [markdown]
# ## On the paper's data
#
# The maps are $\nabla_{\mathbf{x}} f_y(\mathbf{x})$, the gradient of the true class's logit, with its sign. Orange pixels raise the
# logit if made brighter, blue ones lower it, and white does nothing. We begin with the strongest networks that the
# book has on CIFAR-100: {glue:text}`lead_networks`. The images are the first eight of the test set, so nobody
# chose them, and the maps are those of the runs' records. The photographs belong to their owners and are not part of this
# book; where the data are on the machine that builds it, they stand in the first row.

# %% mystnb={"figure": {"name": "fig-maps-lead", "caption": "Signed logit-gradients of four networks on CIFAR-100's first eight test images, summed over the colours. Each map has its own scale of colour; white is zero."}, "image": {"alt": "Four rows of eight orange and blue maps. In the baseline's row and in anti-score-matching's single pixels alternate in colour; the gradient-norm model's grain is a little coarser; in the score-matching row patches and streaks of several pixels have one colour."}} tags=["hide-input"]
figures.gradient_maps(*lead.shelf)
plt.show()

# %% [markdown]
# Look at the grain first: how far does one colour reach before it changes into the other? Then ask whether you can tell
# what the photograph showed.
#
# :::{admonition} What the records note of how they were made
# :class: dropdown
#
# {glue:text}`lead_notes`
# :::
#
# To have photographs beside the maps, we take four that anyone may show: a raccoon, a rocket, a cup and a woman, which
# are classes of CIFAR-100, cut to its 32 pixels. (They are example pictures of SciPy and of scikit-image, in the public domain or under
# CC0; `book/images/photographs.txt` has their sources.) The paper's network is too large for its weights to be kept in this book,
# so here the four small networks look at them, and this you can execute. They have never seen these
# pictures.

# %%
photos, things = (part.to(device) for part in photographs())
looked = {}
for name, run in small_runs.items():
    network = run.model().to(device)
    with torch.no_grad():
        p = network(photos).softmax(dim=1).gather(1, things[:, None])[:, 0]
    looked[name] = logit_gradient(network, photos, things), p

# %% mystnb={"figure": {"name": "fig-maps-photographs", "caption": "Four photographs in 32 pixels, and the signed logit-gradients of four small networks for the class of what they show. p: the probability that the network gives to that class. Each map has its own scale of colour. Photographs: public-domain-image.com; SpaceX; Rachel Michetti, CC0; NASA."}, "image": {"alt": "Four rows: a raccoon, a rocket at dusk, a cup of coffee and a woman in an orange suit, each beside four maps. The baseline's and anti-score-matching's are fine grain. In score-matching's and gradient norm's the patches are larger: the rocket's body and the rim of the cup can be made out."}} tags=["hide-input"]
figure, axes = plt.subplots(len(photos), 1 + len(looked), figsize=(8.8, 7.6))
plots.show_images(axes[:, 0], photos)
for ax, thing in zip(axes[:, 0], CLASSES, strict=True):
    ax.set_ylabel(thing, rotation=0, ha="right", va="center")
for column, (name, (gradients, p)) in enumerate(looked.items(), start=1):
    plots.signed_maps(axes[:, column], gradients)
    title = MODEL_LABELS[name].replace("-score", "-\nscore")
    axes[0, column].set_title(title, loc="center", fontsize=10)
    for ax, value in zip(axes[:, column], p.tolist(), strict=True):
        ax.set_xlabel(f"p = {value:.2g}", fontsize=9)
figure.suptitle("Free photographs, through four small networks")
plt.show()

# %% [markdown]
# ## Four networks, the same digits
#
# With digits you can compute everything, from the data on. Again the images are the first eight of the test
# set. The maps come from the runs' records, in half precision; we also compute them again from
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
    smooth, edges = metrics.gradient_map_quality(gradients, x).per_sample
    return {
        "smoothness": interval_text(metrics.mean_interval(smooth)),
        "edge correlation": interval_text(metrics.mean_interval(edges)),
    }


source = torch.Generator().manual_seed(seed)
sobel = metrics.image_quality.sobel_magnitude
known = {
    "white noise": torch.randn(x.shape, generator=source).to(x),
    "the image itself": x,
    "the image's edges": sobel(x)[:, None].to(x),
}
rows = {name: qualities(picture) for name, picture in known.items()}
pd.DataFrame(rows).T.rename_axis("map")

# %% [markdown]
# Now the four networks, in the order of the figures. The records hold both measures for every test image. First the
# networks of {numref}`fig-maps-lead`.

# %% mystnb={"figure": {"name": "fig-maps-lead-measures", "caption": "Smoothness and edge correlation of the logit-gradients on CIFAR-100's test images, for the networks of {numref}`fig-maps-lead`. Intervals: 95 %, over images where there is one network each, over seeds where there are several. White noise would have 0 in both."}, "image": {"alt": "Two bar charts with a bar and a small interval for each of four models: smoothness of the maps on the left, edge correlation on the right."}} tags=["hide-input"]
set_matplotlib_formats("svg")
figures.map_qualities(*lead.shelf)
plt.show()

# %% tags=["remove-cell"]
measures = figures.MAP_QUALITIES
tell(cifar_runs=runs_in_words(*CIFAR, "pixel_perturbation"))
for metric, key in zip(measures.values(), ("smooth", "edges"), strict=True):
    for whose, evidence in (("lead", lead), ("small", smaller)):
        tell({
            f"{whose}_{key}": ranking(*evidence.shelf, metric),
            f"{whose}_{key}_told": one_network.told(
                evidence, metric, "{:+.3f}"
            ),
        })

# %% [markdown]
# From high to low:
#
# - **Smoothness**: {glue:text}`lead_smooth`. {glue:text}`lead_smooth_told`
# - **Edge correlation**: {glue:text}`lead_edges`. {glue:text}`lead_edges_told`
#
# The small networks on the same images ({glue:text}`cifar_runs`):

# %% tags=["hide-input"]
tables.interval_table(*CIFAR, measures, "{:.3f}")

# %% [markdown]
# - **Smoothness**: {glue:text}`small_smooth`. {glue:text}`small_smooth_told`
# - **Edge correlation**: {glue:text}`small_edges`. {glue:text}`small_edges_told`
#
# And the digits, where the bars are means over seeds.

# %% mystnb={"figure": {"name": "fig-maps-measures", "caption": "Smoothness and edge correlation of the logit-gradients: mean over seeds, with 95 % t-intervals over seeds. White noise would have 0 in both."}, "image": {"alt": "Two bar charts with a bar and an interval for each of four models: smoothness of the maps on the left, edge correlation on the right."}} tags=["hide-input"]
figures.map_qualities(tier, dataset)
plt.show()

# %%
over_runs, paired = (
    {title: found(tier, dataset, metric) for title, metric in measures.items()}
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
# Before we admire a number, let us see what it costs to move it. In [chapter 1](01_softmax_shift.ipynb) we added a function
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
# ## Does a map need the training?
#
# {cite:t}`adebayo2018sanity` asked a simpler question of saliency maps. Give the network random weights, and see whether the map
# changes. One that does not change is a map of the image, whatever it claims to explain. Plain gradients passed
# their test; guided backpropagation, which is made of gradients with the negative ones struck out on the way, did not. Here is the test for
# the baseline, beside a network of its kind that nobody trained.

# %%
with torch.random.fork_rng():
    torch.manual_seed(seed)
    untrained = settings.build_network(trained["baseline"].settings)
untrained = untrained.to(device).eval()
random_maps = logit_gradient(untrained, x, y)
alike = cosine_similarity(maps["baseline"].flatten(1), random_maps.flatten(1))
rows = {
    "trained": qualities(maps["baseline"]),
    "random weights": qualities(random_maps),
}
pd.DataFrame(rows).T.rename_axis("baseline")

# %% tags=["remove-cell"]
tell(random_cosine=interval_text(metrics.mean_interval(alike.cpu()), "{:+.3f}"))

# %% [markdown]
# The mean cosine between the two maps of an image is {glue:text}`random_cosine`, where that of unrelated maps is 0. The lesson for our two measures is
# in the table: the numbers of random weights, not 0, are what a map has that knows nothing of the classes.
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

# %% mystnb={"figure": {"name": "fig-maps-classes", "caption": "One image, four networks. From left to right: the image, the gradient of the true class's logit, that of another class, and their difference, which is the gradient of the log-odds between the two. Each row has one scale of colour."}, "image": {"alt": "Four rows of a digit and three gradient maps: true class, other class, and their difference."}} tags=["hide-input"]
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
    name: metrics.mean_interval(
        cosine_similarity(mine.flatten(1), theirs.flatten(1))
    )
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
# Equation {eq}`eq-logits-three` of [chapter 3](03_logits_as_log_densities.ipynb) splits every map into three parts:
#
# $$
# \nabla_{\mathbf{x}} f_y = \underbrace{\nabla_{\mathbf{x}} \log p_y}_{\text{decides}}
# \; \underbrace{-\, \nabla_{\mathbf{x}} \textstyle\frac1C \sum_j \log p_j}_{\text{the other classes}}
# \; + \underbrace{\nabla_{\mathbf{x}} \textstyle\frac1C \sum_j f_j}_{\text{free}} .
# $$ (eq-maps-terms)
#
# The first two are functions of the probabilities, and only the mean logit is free: a function $g$ enters there and nowhere
# else. We draw the parts for all four networks, on the first test image.

# %%
split = {name: split_gradient(model, x, y) for name, model in models.items()}
centred = {name: parts.centred for name, parts in split.items()}
free = {name: parts.free for name, parts in split.items()}

# %% mystnb={"figure": {"name": "fig-maps-terms", "caption": "The gradient map of the first test image and its three parts, in four networks. Each panel has its own scale of colour; the number below it is the part's length, relative to the map's."}, "image": {"alt": "Four rows, a network each: the digit, its gradient map and three more maps with numbers below. The first part is of the order of a thousandth of the map or less; the second is nearly the map itself; the third has a pattern of its own, about a hundredth of the map's length for the baseline and for gradient norm, and a fifth to a third for the other two."}} tags=["hide-input"]
figure, axes = plt.subplots(4, 5, figsize=(8.4, 7.4))
for row, (name, parts) in zip(axes, split.items(), strict=True):
    plots.show_images(row[0], x[:1])
    shown = (parts.whole, parts.own, parts.others, parts.free)
    plots.signed_maps(row[1:], torch.stack([part[0] for part in shown]))
    for ax, share in zip(row[2:], parts.shares().values(), strict=True):
        ax.set_xlabel(f"{float(share[0]):.1g}", fontsize=9)
    label = {"rotation": 0, "ha": "right", "va": "center", "fontsize": 9}
    row[0].set_ylabel(MODEL_LABELS[name].replace("-score", "-\nscore"), **label)
titles = ("image", "map of $f_y$", r"$\log p_y$", *list(PARTS.values())[1:])
for ax, title in zip(axes[0], titles, strict=True):
    ax.set_title(title, loc="center", fontsize=10)
figure.suptitle("One map, three parts", x=0.02, ha="left")
plt.show()

# %% [markdown]
# And in numbers: the length of each part, relative to the map's, as the median over images and the geometric mean over
# seeds with its interval. Below the digits stand the small CIFAR-100 networks on their own samples, since those need no data.
# The samples are extreme pictures, on which a logit has been driven as high as it would go.

# %%
def own_samples(run):
    """Return the samples that a run keeps, with their classes."""
    made = run.pictures()["samples"].to(device)
    return made, torch.arange(len(made), device=device)


found = {
    (where, name): shares_over_seeds(
        runs.find_all(*place, name), lambda run, of=pictures: of(run)
    )
    for where, place, pictures in (
        ("test images", (tier, dataset), lambda _: (x, y)),
        ("CIFAR-100, own samples", CIFAR, own_samples),
    )
    for name in models
}
rows = {
    (where, MODEL_LABELS[name]): {
        WORDS[part]: interval_text(share, "{:.2g}")
        for part, share in shares.items()
    }
    for (where, name), shares in found.items()
}
pd.DataFrame(rows).T.rename_axis(["pictures", "network"])

# %% [markdown]
# What do we see, then, when one network's maps look smoother than another's: something that its probabilities
# determine, or the free part? Take the free part away and measure again.

# %%
rows, change = {}, {}
for name in models:
    smooth = {
        "map": maps[name],
        "without the free part": centred[name],
        "free part": free[name],
    }
    each = {
        part: metrics.gradient_map_quality(gradients.float(), x).per_sample[0]
        for part, gradients in smooth.items()
    }
    rows[MODEL_LABELS[name]] = {
        part: interval_text(metrics.mean_interval(values), "{:.3f}")
        for part, values in each.items()
    }
    change[name] = metrics.paired_difference_interval(
        each["without the free part"], each["map"]
    )
pd.DataFrame(rows).T.rename_axis("smoothness")

# %% tags=["remove-cell"]
little = {
    where: [
        MODEL_LABELS[name].lower()
        for name in models
        if found[where, name]["free"].value < 0.1
    ]
    for where in ("test images", "CIFAR-100, own samples")
}
for name in models:
    tell({
        f"free_{name}": interval_text(found["test images", name]["free"]),
        f"without_{name}": interval_text(change[name], "{:+.4f}"),
    })
tell(
    little=listed(little["test images"]),
    little_cifar=listed(little["CIFAR-100, own samples"]),
)

# %% [markdown]
# The free part has less than a tenth of the map's length on test digits in {glue:text}`little`, and on the CIFAR-100
# networks' own samples in {glue:text}`little_cifar`. Where it is small, the maps are functions of the
# probabilities, however little the digit's own class has to do with them. Where it is not, part of what one sees is what no
# prediction depends on.
#
# Without the free part the smoothness of the maps changes by {glue:text}`without_baseline` in the baseline,
# {glue:text}`without_score_matching` with score-matching, {glue:text}`without_anti_score_matching` with anti-score-matching and
# {glue:text}`without_gradient_norm` with gradient norm, over {glue:text}`few` images and one network each.
# Whatever smoothness is left without the free part belongs to the probabilities.
#
# ## What came before, and after
#
# **Why should an ordinary network's gradients look like anything?** The paper ends with this question, and guesses that
# stochastic gradient descent regularises the norm of gradients by itself. {cite:t}`barrett2021implicit` had shown
# that steps of a finite size $h$ follow, to first order in $h$, the gradient flow of another loss, $L + \frac h4 \|\nabla_\theta L\|^2$. But
# that gradient is one with respect to the *weights*, and of the loss. For a first layer $W\mathbf{x}$ the two gradients are
# neighbours, with $\boldsymbol\delta$ what comes back from above: $\nabla_W \ell = \boldsymbol\delta\,\mathbf{x}^\top$ and $\nabla_{\mathbf{x}} \ell = W^\top \boldsymbol\delta$, hence
#
# $$
# \|\nabla_{\mathbf{x}} \ell\| \;\le\; \|W\|\,\|\boldsymbol\delta\| \;=\; \|W\|\, \frac{\|\nabla_W \ell\|_F}{\|\mathbf{x}\|} .
# $$ (eq-maps-implicit)
#
# A small gradient in the weights makes a small one in the pixels. It is the loss's gradient all the same, which vanishes where
# the network is sure, and a logit's need not. So the guess is still a guess. {cite:t}`srinivas2023which` later gave another answer: gradients look
# like the data if the model is robust to noise that leads away from them.
#
# **And are they what the network uses?** {cite:t}`shah2021input` trained on images whose discriminative part was known beforehand, and found
# that the largest input-gradients of ordinary networks often lie elsewhere, while those of adversarially trained networks do not. A map that
# looks right and a map that is right are two things, in both directions.
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
# - **On CIFAR-100**, {glue:text}`lead_networks`. Smoothness, from high to low: {glue:text}`lead_smooth`. {glue:text}`lead_smooth_told`
# - **On digits**, difference from the baseline in smoothness over {glue:text}`seeds`: score-matching
#   {glue:text}`smooth_score_matching`, gradient norm {glue:text}`smooth_gradient_norm`, anti-score-matching
#   {glue:text}`smooth_anti_score_matching`.
# - **Edge correlation**, likewise: score-matching {glue:text}`edges_score_matching`, gradient norm
#   {glue:text}`edges_gradient_norm`, anti-score-matching {glue:text}`edges_anti_score_matching`.
# - Where an interval holds 0, a comparison over {glue:text}`seeds` does not decide. Two measures are not an eye either; they may disagree with
#   it, and with each other.
# - **What it means.** A map that looks like the object is no proof that the network looked there: $g$ of
#   {eq}`eq-maps-self` gives any network such maps. Of the three parts of a map only the mean logit's is as free as that. It is
#   {glue:text}`free_baseline` of the map's length in the baseline, {glue:text}`free_score_matching` in the score-matched network. The paper reads a
#   map that resembles the data as the score of a hidden density. That density is fixed only together with the mean logit; the
#   maps agree with the reading as far as the numbers above go.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* In {eq}`eq-maps-self`, suppose that the image and its map are orthogonal. How large must $s$ be for the new map to have a cosine of 0.99 with the image?
#
# :::{admonition} Solution
# :class: dropdown
#
# The cosine is $s\|\mathbf{x}\| / \sqrt{\|\nabla f_y\|^2 + s^2 \|\mathbf{x}\|^2}$. Setting it to 0.99 gives $s \|\mathbf{x}\| = \frac{0.99}{\sqrt{1 - 0.99^2}} \|\nabla f_y\| \approx 7 \|\nabla f_y\|$. Seven times its own length,
# and the network's map has turned into the image.
# :::
#
# **2.** *With one line.* Turn the sign of the strength round: `strength = -5 * float(...)`. Now $g$ says that *dark* images are likely. What do the two measures say of the new maps?
#
# :::{admonition} Solution
# :class: dropdown
#
# Next to nothing. Smoothness is a correlation, which is the same for a map and for its negative, and edge correlation looks at the absolute value. On the hundred digits we found 0.787 and 0.570 with the one sign, and 0.787 and 0.571 with the
# other. Two densities that say the opposite of each other are equally well aligned.
# :::
#
# **3.** *What would happen if* all logits of a network were multiplied by ten? What becomes of its maps, of the two measures, and of the three parts of {eq}`eq-maps-terms`?
#
# :::{admonition} Solution
# :class: dropdown
#
# Each map is ten times as long and otherwise the same, and both measures are blind to length. The probabilities do change: the network becomes surer of what it answers. So the parts shift. The one that decides is $10 \sum_j \tilde p_j (\nabla f_y - \nabla
# f_j)$, with the new probabilities $\tilde p_j$ of the other classes, and where the answer is right it becomes a smaller part of the map. The centred logit and the mean logit are both multiplied by ten, so the share of the free part stays as it is.
# :::
