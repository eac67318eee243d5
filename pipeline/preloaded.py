"""What Python's fork server imports for all that is forked from it: see `forks`."""

from __future__ import annotations

from importlib import import_module

from pipeline.paths import ROOT

JUPYTER = ("pipeline.quick_jupyter", "ipykernel.kernelapp", "jupytext", "myst_nb.ext.glue", "papermill")
DRAWING = ("ipywidgets", "matplotlib.pyplot", "pandas")
LEARNING = ("scipy.stats", "torch.func")

for name in (*JUPYTER, *DRAWING):
    import_module(name)
if (ROOT / "companion" / "data.py").exists():  # The tests' toy project has no networks and no data.
    for name in LEARNING:
        import_module(name)
    # The digits stay in memory: they are read from a text file of four million numbers.
    import_module("companion.data").load("mnist5k")
