"""The door to the records of trained networks: `find` a run by name, or `load` the one in a folder.

The rooms behind it are in `companion.experiments`.

Example:
    >>> run = find("quick", "mnist5k", "score_matching", seed=0)
    >>> run.metric("test_accuracy")["n"]
    1000
"""

from companion.experiments.methods import METHODS
from companion.experiments.records import Record, RecordError, Run
from companion.experiments.settings import TIERS, Settings
from companion.experiments.shelf import find, find_all, load

__all__ = ["METHODS", "TIERS", "Record", "RecordError", "Run", "Settings", "find", "find_all", "load"]
