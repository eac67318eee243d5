"""What Python's fork server imports for all that is forked from it: see `forks`."""

from __future__ import annotations

import os
from importlib import import_module

from pipeline.paths import ROOT
from pipeline.process import FIXED

JUPYTER = ("pipeline.quick_jupyter", "ipykernel.kernelapp", "jupytext", "myst_nb.ext.glue", "papermill")
DRAWING = ("ipywidgets", "matplotlib.pyplot", "pandas")
LEARNING = ("scipy.stats", "torch.func")

os.environ.update(FIXED)
for name in (*JUPYTER, *DRAWING):
    import_module(name)
if (ROOT / "companion" / "data.py").exists():  # The tests' toy project has no networks and no data.
    for name in LEARNING:
        import_module(name)
    # The digits stay in memory: they are read from a text file of four million numbers.
    import_module("companion.data").load("mnist5k")
