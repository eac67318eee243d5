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
# # Adversarial kin
#
# Train a network against attacks, and its gradient maps begin to look like the picture {cite:p}`etmann2019connection,engstrom2019adversarial,kaur2019perceptually`; climb one of its
# logits, and an object appears {cite:p}`santurkar2019image`. Nobody asked the network for either. The paper says the same of score-matching, and
# both trainings tame a gradient. Section 4.3 {cite:p}`srinivas2021rethinking` puts the two together in a conjecture:
#
# > training the implicit density model via score-matching may have similar outcomes as adversarial training. We leave the
# > verification and proof of this conjecture to future work.
#
# This chapter takes that up, on digits. **Which outcomes do the two trainings share, and does adversarial training bring the implicit
# density nearer to the data?**

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %%
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib_inline.backend_inline import set_matplotlib_formats

from companion import data, fooling, runs
from companion.book import adversarial, figures
from companion.book.opening import begin, tell
from companion.book.style import MODEL_LABELS
from companion.experiments import attacked, presets
from companion.gradients import logit_gradient
from companion.losses import AdversarialTraining, ScoreMatching

begin(globals(), figures="svg")

# %% [markdown]
# ## What adversarial training asks for
#
# An attack moves every pixel by at most $\epsilon$, so that the loss becomes as large as it can. Adversarial training minimises the
# loss *there* {cite:p}`goodfellow2015explaining,madry2018towards`:
#
# $$
# \min_\theta\; \mathbb{E} \max_{\|\boldsymbol\delta\|_\infty \le \epsilon} \ell_i(\mathbf{x} + \boldsymbol\delta)
# \;\approx\; \min_\theta\; \mathbb{E}\,\bigl[\,\ell_i(\mathbf{x}) + \epsilon\, \|\nabla_{\mathbf x} \ell_i(\mathbf{x})\|_1 \,\bigr],
# $$ (adversarial-objective)
#
# to first order in $\epsilon$: a linear loss is largest in the corner of the box that the signs of its gradient point to. So it is a penalty on the
# norm of a gradient, as score-matching has one (eq. 4), and as the gradient-norm regulariser is one. But look at *whose* gradient it is.
#
# **Adversarial training cannot see the free part of a logit.** The loss is a function of the probabilities, at $\mathbf x$ and at every other point of
# the box. Put $f_i + g$ for $f_i$, as in [chapter 1](01_softmax_shift.ipynb), and neither the attack nor the objective changes. Score-matching's
# penalty is made of the gradient and the Hessian of a *logit*, and does change. Here is a network that was trained against attacks, and the same network with $g(\mathbf{x}) = \frac12 \|\mathbf{x}\|^2$ added to its logits, which makes brighter images likelier.

# %%
run = runs.find("quick", "mnist5k", "adversarial", seed)
model = run.model().eval()
images = data.load("mnist5k")
x, y = data.to_float(images.x_test[:100]), images.y_test[:100]


def brighter(inputs):
    return 0.5 * inputs.flatten(1).square().sum(dim=1)


shifted = fooling.shift_logits(model, brighter)
moved = {}
for loss in (AdversarialTraining(), ScoreMatching(mu=0.1)):
    values = [
        loss(one, x, y, generator=torch.Generator().manual_seed(0)).detach()
        for one in (model, shifted)
    ]
    change = (values[1] - values[0]).abs().mean() / values[0].abs().mean()
    moved[type(loss).__name__] = change.item()
pd.Series(moved, name="change of the penalty").map("{:.2g}".format).to_frame()

# %% tags=["remove-cell"]
before, after = (logit_gradient(one, x, y) for one in (model, shifted))
turned = (after - before).flatten(1).norm(dim=1)
turned = (turned / before.flatten(1).norm(dim=1)).median().item()
tell(
    seen_adversarial=f"{moved['AdversarialTraining']:.0e}",
    seen_score=f"{moved['ScoreMatching']:.2g}",
    seen_turned=f"{turned:.2g}",
)

# %% [markdown]
# The penalty of adversarial training has moved by {glue:text}`seen_adversarial` of its size, which is rounding, that of score-matching by
# {glue:text}`seen_score` times its size, and the maps by {glue:text}`seen_turned` times their length. So adversarial training sets no limit to $g$, nor to the implicit density $p_\theta(\mathbf{x} \mid y)$, of which $g$ is a
# part. Whatever it does to *that*, it does by way of the network's habits, not by its objective.
#
# ## The networks
#
# Networks of {glue:text}`kin_seeds` seeds were trained as the four models of [chapter 7](07_training.ipynb) were, with the attack in place of their penalties: three signed steps from a random start within
# an $\epsilon$ of {glue:text}`kin_eps`, of a range of pixels from 0 to 1, and the loss of the attacked image alone. The size of the attack was fixed beforehand and nothing was tuned.
# First, do they withstand attacks? Those of the test take {glue:text}`kin_steps` steps.

# %% mystnb={"figure": {"name": "fig-kin-attack", "caption": "The share of test digits that is classified rightly after an attack, over the size of the attack. Thick lines are means over seeds, thin ones the seeds. The attack that was trained against has size 0.1; the paper's networks were trained against none."}, "image": {"alt": "Five falling curves of accuracy over the size of the attack, one for each kind of network. That of adversarial training falls last."}} tags=["hide-input"]
found = adversarial.measured()
adversarial.under_attack(found)
plt.show()

# %% tags=["remove-cell"]
SCORE, KIN = "score_matching", "adversarial"
means = found.groupby("model")[["right_0.1", "right_fast"]].mean()
tell(
    kin_seeds=len(presets.KIN_SEEDS),
    kin_eps=f"{run.settings.penalty['eps']:g}",
    kin_steps=attacked.STEPS,
    kin_images=attacked.IMAGES,
    kin_weights=len(presets.SEEDS_WITH_WEIGHTS),
)
for name in adversarial.NAMES:
    row = 100 * means.loc[name]
    tell({
        f"many_{name}": f"{row['right_0.1']:.0f} %",
        f"fast_{name}": f"{row['right_fast']:.0f} %",
    })
table = adversarial.shared(found)
tell(
    adversarial.told(table),
    near_norm=int((table["nearer to"] == "gradient norm").sum()),
    near_score=int((table["nearer to"] == "score-matching").sum()),
    near_open=int((table["nearer to"] == "undecided").sum()),
    kin_pairs=int((found["model"] == SCORE).sum()),
)

# %% [markdown]
# At $\epsilon = 0.1$: adversarial training {glue:text}`many_adversarial`, score-matching {glue:text}`many_score_matching`, gradient norm {glue:text}`many_gradient_norm`, baseline
# {glue:text}`many_baseline`, anti-score-matching {glue:text}`many_anti_score_matching`. After a single step of the same size, the fast gradient sign method, the same networks have {glue:text}`fast_adversarial`,
# {glue:text}`fast_score_matching`, {glue:text}`fast_gradient_norm`, {glue:text}`fast_baseline` and {glue:text}`fast_anti_score_matching`. The weak attack makes more of a robustness than there is, which
# is why one step is not enough to speak of it. ({glue:text}`kin_images` test images, {glue:text}`kin_weights` networks of each kind.)
#
# ## Ten outcomes
#
# What the literature says of adversarially trained networks, and the paper of score-matched ones, can be measured: how smooth the maps are and how well they follow edges
# ([chapter 13](13_gradient_maps.ipynb)), samples ([chapter 11](11_samples.ipynb)), pixel perturbation ([chapter 12](12_pixel_perturbation.ipynb)), density under noise
# ([chapter 10](10_density_ratios.ipynb)), the way back from noise ([chapter 18](18_yardstick.ipynb)).

# %% mystnb={"figure": {"name": "fig-kin-outcomes", "caption": "Ten measures of the same networks on test digits. A mark is one training, a bar the mean over seeds. The accuracy under attack is for ε = 0.1; it and the noise left need weights, which are kept of three seeds."}, "image": {"alt": "Ten small panels, each with a column of marks for each of five kinds of network: accuracy, accuracy under attack, squared gradient norm, smoothness, edge correlation, GAN-test, two perturbation areas, log-ratio and noise left."}} tags=["hide-input"]
adversarial.properties(found)
plt.show()

# %% [markdown]
# The table has the differences from the baseline of the same seed, with Student's 95 % interval over seeds. *In common* is what the two intervals say together.

# %% tags=["hide-input"]
table

# %% [markdown]
# - **The same way** in {glue:text}`common_count`: {glue:text}`common_agree`.
# - **Opposite ways**: {glue:text}`common_against`.
# - **Adversarial training alone** moves: {glue:text}`common_other`. **Score-matching alone**: {glue:text}`common_one`.
# - **Undecided of both**: {glue:text}`common_unclear`.
#
# The table also says how far apart the two are, which decides whether "similar" is the right word. And there is a third training that tames a gradient: seed by seed, adversarial training is nearer to the
# *gradient norm* in {glue:text}`near_norm` of the ten, nearer to score-matching in {glue:text}`near_score`, and {glue:text}`near_open` are undecided. Score-matching has {glue:text}`kin_pairs` seeds and adversarial training {glue:text}`kin_seeds`. Ten intervals stand in each column, so one of them may exclude nought by luck.
#
# Here are the maps and the samples themselves.

# %% mystnb={"figure": {"name": "fig-kin-maps", "caption": "Signed logit-gradients of the first eight test digits, a row a network, all of the same seed. Orange raises the logit, blue lowers it; each map has its own scale."}, "image": {"alt": "Rows of eight orange and blue maps of digits below the digits themselves, a row for each of five networks."}} tags=["hide-input"]
set_matplotlib_formats("png")
NAMES = adversarial.NAMES
figures.gradient_maps("quick", "mnist5k", seed, names=NAMES)
plt.show()

# %% mystnb={"figure": {"name": "fig-kin-samples", "caption": "Samples made by climbing each digit's logit from noise, as in chapter 11, a row a network; real digits below."}, "image": {"alt": "Rows of ten generated grey pictures, one for each digit, a row for each of five networks, and a row of real digits."}} tags=["hide-input"]
figures.samples("quick", "mnist5k", seed, names=NAMES)
plt.show()

# %% [markdown]
# ## Where does the density go?
#
# A logit has a part that is free ([chapter 3](03_logits_as_log_densities.ipynb)), the mean logit, and one that the probabilities determine, the centred logit. How much of the noise on an image does a step along the gradient of each take away, at $\sigma = 0.1$?

# %% tags=["hide-input"]
parts = adversarial.parts(found)
parts

# %% tags=["remove-cell"]
free = parts["the mean logit alone"]
centred = parts["the centred logit"]
whole = parts["the logit"]
for name in (SCORE, KIN):
    title = MODEL_LABELS[name]
    tell({
        f"way_{name}": f"{whole[title]} % with the logit, {free[title]} % "
        f"with the mean logit alone, {centred[title]} % with the centred logit"
    })

# %% [markdown]
# - Score-matching takes away {glue:text}`way_score_matching`.
# - Adversarial training takes away {glue:text}`way_adversarial`.
#
# In percent, over {glue:text}`kin_images` test images. ([Chapter 18](18_yardstick.ipynb) has the same of the other four over more images and with other noise, so its digits are not quite these.)
#
# By the argument above, whatever adversarial training gains it should gain in the centred logit, for its objective sees no other part, while score-matching may gain in either. The
# table is to be read so: the middle column is where an objective that sees the free part can work, and one that does not cannot.
#
# ## One row, computed again
#
# The study behind these numbers is made by `companion study attacked`, in a quarter of an hour. One network's attack, again, on fewer images:

# %%
few = 20 if tier == "tiny" else 60
again = attacked.measure(run, few)
columns = ["n", "right_0", "right_fast", "right_0.1"]
words = ["images", "no attack", "one step", f"{attacked.STEPS} steps"]
shown = pd.Series(again)[columns].map("{:.3g}".format).set_axis(words)
shown.to_frame("classified rightly")

# %% [markdown]
# ## What the paper reports, what you just saw
#
# :::{admonition} What the paper reports
# A conjecture, with three reasons: adversarially trained networks share "saliency map structure and samples from activation maximization" with score-matched ones; both trainings regularise local geometry, "usually involving
# regularization of the gradient-norm"; and training both densities "has been shown to improve adversarial robustness". No experiment (section 4.3).
# :::
#
# :::{admonition} What you just saw
# - Of ten outcomes on digits, adversarial training and score-matching move the same way in {glue:text}`common_count`: {glue:text}`common_agree`. Opposite: {glue:text}`common_against`. Adversarial training alone moves: {glue:text}`common_other`; score-matching alone: {glue:text}`common_one`.
# - The way back from noise at $\sigma = 0.1$: adversarial training takes away {glue:text}`way_adversarial`; score-matching {glue:text}`way_score_matching`.
# - In {glue:text}`near_norm` of the ten, adversarial training is nearer to the gradient norm, in {glue:text}`near_score` nearer to score-matching.
# - Under attack at $\epsilon = 0.1$: adversarial training {glue:text}`many_adversarial`, score-matching {glue:text}`many_score_matching`, gradient norm {glue:text}`many_gradient_norm`, baseline {glue:text}`many_baseline`.
# - Adversarial training's objective does not change when one function is added to all logits (but for rounding), so that it says nothing of the free part of the density. Score-matching's changes by {glue:text}`seen_score` times its size.
# - Digits, one size of network and one size of attack: a fact about these. The literature's networks are larger, and see photographs.
# :::
#
# ## Exercises
#
# **1.** *With pencil and paper.* Derive {eq}`adversarial-objective` for a box in another norm, $\|\boldsymbol\delta\|_p \le \epsilon$. For which box does the penalty look most like the paper's gradient norm, and what differs even then?
#
# :::{admonition} Solution
# :class: dropdown
#
# The maximum of $\boldsymbol\delta^\top \nabla \ell$ over $\|\boldsymbol\delta\|_p \le \epsilon$ is $\epsilon \|\nabla \ell\|_q$ with $1/p + 1/q = 1$ (Hölder). For $p = 2$ it is $\epsilon\,\|\nabla \ell\|_2$. The paper's penalty is $\tfrac\lambda2 \|\nabla f_i\|_2^2$: squared, and of
# the logit. Since $\nabla \ell_i = -\nabla f_i + \sum_j p_j \nabla f_j$, the first fades where the network is sure, and the second does not.
# :::
#
# **2.** *With one line.* In the cell that compares the two penalties, let `brighter` return `30 * inputs.flatten(1).sum(dim=1)`. What changes, and what must not?
#
# :::{admonition} Solution
# :class: dropdown
#
# The maps move far more, since the gradient of $g$ is now 30 in every pixel, and so does score-matching's penalty through its gradient norm (its trace does not: this $g$ is linear). Adversarial training's must stay where it was, up to the rounding of larger logits.
# :::
#
# **3.** *What would happen if* one trained against attacks and with score-matching at once?
#
# :::{admonition} Solution
# :class: dropdown
#
# The two objectives compete only in what the probabilities determine. Score-matching can still shape the mean logit as it likes, since the attack does not see it: so the
# density may be brought nearer without any loss of robustness, and without any gain. Whether training finds that out is a question for an experiment; with `Penalty` it is a class whose `terms` adds two.
# :::
