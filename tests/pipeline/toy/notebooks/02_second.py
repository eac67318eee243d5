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
# # The second toy
#
# It quotes {glue:text}`01_first.ipynb::first_number:.2f`,
# {prf:ref}`thm-toy`, {eq}`eq-toy` and {numref}`fig-sine`.

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %%
import json

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from myst_nb import glue

from companion.experiments import shelf
from companion.experiments.plan import plan

# %%
paths = [shelf.directory(run) / "record.json" for run in plan(tier, seed=seed)]
records = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
glue("accuracy", records[0]["metrics"]["accuracy"]["value"], display=False)

# %% mystnb={"figure": {"name": "fig-noise", "caption": "Noise."}, "image": {"alt": "Grey noise"}}
fig, ax = plt.subplots(figsize=(9, 3), dpi=200)
ax.imshow(np.random.default_rng(seed).normal(size=(20, 60)), cmap="RdBu_r")
ax.set_title("Noise")
plt.show()

# %%
slider = widgets.IntSlider(0, 0, 1, description="which")
words = [widgets.HTML("zero"), widgets.HTML("one")]
stack = widgets.Stack(words, selected_index=0)
widgets.jslink((slider, "value"), (stack, "selected_index"))
widgets.VBox([slider, stack])

# %%
import pandas as pd

names = [f"a rather long column {i}" for i in range(12)]
pd.DataFrame(dict.fromkeys(names, [0.123456789] * 3))

# %% [markdown]
# Accuracy {glue:text}`accuracy:.2f`, with $x \ge 0$.
