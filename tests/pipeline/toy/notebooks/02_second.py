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
records = [json.loads((shelf.directory(s) / "record.json").read_text()) for s in plan(tier, seed=seed)]
glue("accuracy", records[0]["metrics"]["accuracy"]["value"], display=False)

# %% mystnb={"figure": {"name": "fig-noise", "caption": "Noise."}, "image": {"alt": "Grey noise"}}
fig, ax = plt.subplots(figsize=(9, 3), dpi=200)
ax.imshow(np.random.default_rng(seed).normal(size=(20, 60)), cmap="RdBu_r")
ax.set_title("Noise")
plt.show()

# %%
slider = widgets.IntSlider(0, 0, 1, description="which")
stack = widgets.Stack([widgets.HTML("zero"), widgets.HTML("one")], selected_index=0)
widgets.jslink((slider, "value"), (stack, "selected_index"))
widgets.VBox([slider, stack])

# %%
import pandas as pd

pd.DataFrame({f"a rather long column {i}": [0.123456789] * 3 for i in range(12)})

# %% [markdown]
# Accuracy {glue:text}`accuracy:.2f`, with $x \ge 0$.
