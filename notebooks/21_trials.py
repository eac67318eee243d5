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
# # How sturdy, and how fast?
#
# Would you trust a number from this package if it had been killed while it computed it?
#
# Readers bring their own classifiers, their own files, and little patience. This chapter shows what was done to the package on purpose:
# processes killed, files damaged, calls made up by a machine, its own source changed behind the back of its tests. Then it is timed beside
# other libraries. All four campaigns are programs in the repository. They take from minutes to hours, so this page reads their tables
# from `results/trials/`, each with the commit and the machine it was made on.

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %% tags=["remove-cell"]
from matplotlib import pyplot as plt

from companion.book import trials
from companion.book.opening import begin, tell
from companion.metrics.intervals import wilson

begin(globals(), figures="svg")

# %% [markdown]
# ## Faults
#
# A process that is killed may lose its last minute, but nothing else: the same command goes on, and ends with the same weights, tables
# and pages as if nothing had happened. A damaged file is refused in a sentence, or counts as absent and is computed again. A call with
# arguments that make no sense raises a documented error; one that makes sense gives the same numbers in whatever container, layout or
# context it is made; and it leaves images, weights, modes and PyTorch's random state as they were. What keeps to this has *survived*.

# %%
faults = trials.table("faults")
trials.by_part(faults)

# %% tags=["remove-cell"]
lost = faults[faults["lost"] > 0]
tell(
    fault_tried=f"{faults['tried'].sum():,}",
    fault_lost=f"{faults['lost'].sum():,} lost: {', '.join(lost['kind'])}"
    if len(lost)
    else "none lost",
    fault_kills=str(
        faults.loc[faults["kind"].str.contains("SIG"), "tried"].sum()
    ),
    fault_where=trials.where(faults),
)

# %% [markdown]
# {glue:text}`fault_tried` trials, {glue:text}`fault_lost`. {glue:text}`fault_kills` of them are kills, by
# SIGKILL, SIGTERM and SIGINT at moments drawn at random; after each series the run or the book was finished and compared with one that had not been touched,
# and half-written files and orphaned processes were looked for. ({glue:text}`fault_where`.) Every kind, in a box that scrolls:

# %% tags=["hide-input", "output_scroll"]
faults.drop(columns=["commit", "machine"]).style.hide()

# %% [markdown]
# What was **not** tried: a power failure, where a file that was written may not have reached the disk; a GPU that fails; a network file system
# that answers late; Windows and macOS; files made by somebody who knows the formats and means harm, beyond those that the tests have.
#
# `make faults` does it again.
#
# ## Mutants
#
# Tests that pass say little if they would also pass for a wrong program. So the programs are made wrong: a plus becomes a minus, a `<` becomes a
# `<=`, a 1 a 2, an argument is left out. Each such *mutant* of `companion/trace`, `companion/losses` and `companion/metrics` is given to the tests that reach it. A
# mutant that fails one, or crashes it, is killed. Whole error messages are not mutated.

# %%
mutants = trials.table("mutants")
rooms = trials.by_room(mutants)
rooms.style.format({"share": "{:.1%}"})

# %% tags=["remove-cell"]
killed = wilson(
    int(mutants["killed"].sum()), int(mutants["mutants"].sum())
)
made = int(mutants["made"].iloc[0])
tell(
    mutant_tried=f"{killed.n:,}",
    mutant_how=f"All {made:,} mutants were tried"
    if killed.n == made
    else f"Of {made:,} mutants {killed.n:,}, drawn at random, were tried",
    mutant_share=f"{killed.value:.1%}",
    mutant_interval=f"{killed.low:.1%} to {killed.high:.1%}",
    mutant_where=trials.where(mutants),
)

# %% [markdown]
# {glue:text}`mutant_how`, and of these **{glue:text}`mutant_share` were killed**
# (95 % interval {glue:text}`mutant_interval`; {glue:text}`mutant_where`). The survivors, each with what it changed, in a box that scrolls:

# %% tags=["hide-input", "output_scroll"]
survivors = trials.table("survivors")
survivors[["file", "change"]].style.hide()

# %% [markdown]
# Why do they live? Read down the last column, and you will meet five kinds.
#
# - **The same program in other words.** `None` where `False` stood; an argument that PyTorch takes for granted; a default that every caller overrides; `<` for `<=`
#   between numbers that are never equal; a `+` in front of what is centred anyway.
# - **The same answer, more slowly.** Layers that are no longer replaced by their faster twins give the numbers of PyTorch's own, and a gradient that nobody asked for is
#   computed and dropped.
# - **Words.** A part of a message in capitals; a batch of at most 501 images in place of 500.
# - **Another machine.** Devices, TensorFloat-32 and the switches of older PyTorch: a processor alone never gets there.
# - **Gaps in the tests**, such as a mask's optimisation that takes one step more.
#
# `make mutants` does it again.
#
# ## Beside other libraries
#
# The alternatives take turns on one thread, each answer is compared before it is timed, and the time is the processor's. A ratio below 1 means that ours is faster; the bar
# spans the middle half of the turns. The row that counts most is the one beside *the forward passes alone*: a pixel-perturbation curve cannot cost less than running
# the network on its images.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-trials-peers", "caption": "Our time as a multiple of that of other libraries, and of the least that is possible. Median and middle half of the turns."}, "image": {"alt": "Points on a logarithmic axis, one a row: logit-gradients beside Captum, pixel-perturbation curves beside Quantus and beside the bare forward passes, Hessian traces beside curvlinops."}}
peers = trials.table("peers")
figure = trials.beside_peers(peers)
plt.show()

# %% tags=["hide-input"]
PEERS = {
    "what": "what",
    "peer": "beside",
    "ms": "ours, ms",
    "peer_ms": "theirs, ms",
    "ratio": "ratio",
    "largest_difference": "largest difference",
}
columns = list(PEERS)
shown = peers[columns].rename(columns=PEERS)
styled = shown.style.hide().format(precision=3, na_rep="–")
styled.format("{:,.0f}", subset=[PEERS["ms"], PEERS["peer_ms"]])

# %% tags=["remove-cell"]
ratio = peers.set_index("peer")["ratio"]
tell(
    bare=f"{ratio.filter(like='alone').iloc[0] - 1:+.1%}",
    captum=f"{ratio.filter(like='captum').iloc[0]:.2f}",
    quantus=f"{ratio.filter(like='quantus').iloc[0]:.2f}",
    curvlinops=" and ".join(
        f"{1 / value:.1f}" for value in ratio.filter(like="curvlinops")
    ),
    peers_where=trials.where(peers),
)

# %% [markdown]
# - Logit-gradients take {glue:text}`captum` times Captum's time.
# - A perturbation curve takes {glue:text}`quantus` times Quantus's time (`PixelFlipping`, the same curve), and {glue:text}`bare` beside its bare forward passes.
# - Hessian traces for each image are {glue:text}`curvlinops` times as fast as a loop over curvlinops's operators, by Hutchinson's estimator with as many probes and by Taylor's to the same standard error.
#   A loop is how one gets a trace *for each image* from a library made for weights. (There the difference is told in standard errors.)
#
# ({glue:text}`peers_where`.) The training step beside the released code's loop is in {doc}`../book/reproduce`.
#
# ## How the cost grows

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-trials-growth", "caption": "The time of one call over the size of the image, the number of classes and the number of images at a time, ResNet-9 of width 16, one thread. Both axes are logarithmic: a straight line is a power."}, "image": {"alt": "Three panels with five lines each: time over pixels, classes and images. Over pixels and images the lines rise steadily, over classes they are nearly flat."}}
scaling = trials.table("scaling")
figure = trials.growth(scaling)
plt.show()

# %%
powers = trials.exponents(scaling)
powers

# %% tags=["remove-cell"]
spans = {
    along: f"{powers[along].min():.2f} to {powers[along].max():.2f}"
    for along in powers
}
tell(
    power_pixels=spans["pixels"],
    power_classes=spans["classes"],
    power_images=spans["images"],
)

# %% [markdown]
# The table has the exponents, over the larger half of the sizes: time grows as the number of pixels to the power {glue:text}`power_pixels`, of
# images {glue:text}`power_images`, of classes {glue:text}`power_classes`. An exact Hessian trace is not among them. It needs one backward pass for each pixel, so that its cost
# grows with one power more; that is why there are estimators ([chapter 5](05_trace_estimators.ipynb)).
#
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# Nothing about faults, tests or times. Of costs it says that Hutchinson's estimator needs "two backward passes for a single monte-carlo sample", and that
# its own needs none, "but using only a single additional forward pass" (section 3); {doc}`05_trace_estimators` measures both.
# :::
#
# :::{admonition} What you just saw
# - **Faults.** Of {glue:text}`fault_tried` trials, {glue:text}`fault_lost`.
# - **Mutants.** The tests notice {glue:text}`mutant_share` of {glue:text}`mutant_tried` small changes ({glue:text}`mutant_interval`).
# - **Speed.** A perturbation curve differs from its forward passes by {glue:text}`bare`; traces for each image are {glue:text}`curvlinops` times as fast as a loop over another library's operators.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* Ten thousand calls were drawn at random and none went wrong. How large may the share of calls that go wrong still be?
#
# :::{admonition} Solution
# :class: dropdown
#
# If it is $p$, then $n$ calls all go well with probability $(1 - p)^n \approx e^{-np}$. This is 5 % at $np = \log 20 \approx 3$, so with $n = 10\,000$ the share may be up to 3 in
# ten thousand (the "rule of three"). It is the share among calls *drawn like these*. A fault that the generator cannot draw is not made rare by ten million calls.
# :::
#
# **2.** *With one line.* Write `trials.exponents(scaling.query("size <= 256"))` in the last cell of code. Which exponents move, and towards what?
#
# :::{admonition} Solution
# :class: dropdown
#
# Those over pixels fall. A small image costs little arithmetic, and what a call costs in any case (Python, the choice of kernels, one allocation a layer) is a larger part of its time. An exponent read off
# small sizes is too small, which is why the table takes the larger half.
# :::
#
# **3.** *What would happen if* every test asserted only that its function returns without an error?
#
# :::{admonition} Solution
# :class: dropdown
#
# The lines would be covered as they are now, and "coverage" would say 100 %. The mutants would tell: a minus in place of a plus seldom raises anything, so nearly all of them would survive. That is what mutants
# are for: they ask whether the tests look at the *answer*.
# :::
