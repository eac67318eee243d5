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
# # The first toy
#
# A question, and an equation:
#
# $$
# \int p(x)\, dx = 1
# $$ (eq-toy)
#
# ```{prf:theorem} Toy
# :label: thm-toy
# It holds, see {cite:t}`srinivas2021rethinking`.
# ```

# %% tags=["parameters"]
tier = "quick"
seed = 0
device = "cpu"

# %%
import matplotlib.pyplot as plt
import numpy as np
from matplotlib_inline.backend_inline import set_matplotlib_formats
from myst_nb import glue
from companion import plots

set_matplotlib_formats("svg")

# %% mystnb={"figure": {"name": "fig-sine", "caption": "A sine, for tests."}, "image": {"alt": "A sine"}}
x = np.linspace(0, 6, 100)
fig, ax = plt.subplots(figsize=(6, 3))
ax.plot(x, np.sin(x), color=plots.COLOUR)
ax.set_title("A sine goes up and down")
plt.show()

# %%
glue("first_number", float(np.pi) + seed, display=False)

# %% [markdown]
# The number is {glue:text}`first_number:.3f`, see {numref}`fig-sine` and {eq}`eq-toy`.
