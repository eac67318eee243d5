"""What a chapter's source says: its code and its parameters, and what decides the outputs of its cells.

A build reads every chapter to know whether anything is to be done, so this reads the cells by their markers.
Whoever executes or merges a chapter reads it through jupytext, which takes a second to import.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from companion.experiments.imports import files_used
from companion.experiments.provenance import hash_of

_MARKER = re.compile(r"^# %%(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Chapter:
    """A chapter's code.

    Attributes:
        name: its file's.
        code: the sources of the code cells, as a notebook has them.
        parameters: the names that the cell tagged `parameters` assigns, and the values written there.
    """

    name: str
    code: tuple[str, ...]
    parameters: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> Chapter:
        """Read a source in jupytext's percent format.

        Raises:
            ValueError: it names no kernel, or has no cell tagged `parameters`, or more than one.
        """
        header, *parts = _MARKER.split(path.read_text(encoding="utf-8"))
        if "kernelspec:" not in header:
            raise ValueError(
                f"{path} names no kernel, so papermill could not run it: begin it as the other chapters begin"
            )
        cells = zip(parts[::2], (body.strip("\n") for body in parts[1::2]), strict=True)
        code = [(options, body) for options, body in cells if "[markdown]" not in options]
        tagged = [body for options, body in code if '"parameters"' in options]
        if len(tagged) != 1:
            raise ValueError(
                f"{path} has {len(tagged)} cells tagged 'parameters'; a chapter has exactly one: "
                '# %% tags=["parameters"]'
            )
        assigned = {
            target.id: ast.unparse(node.value)
            for node in ast.parse(tagged[0]).body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        return cls(path.name, tuple(body for _, body in code), assigned)

    def check_parameters(self, given: Mapping[str, Any]) -> None:
        """Raise a ValueError for a parameter that the chapter does not have, listing those it has."""
        for name in given:
            if name not in self.parameters:
                known = ", ".join(self.parameters)
                raise ValueError(f"{self.name} has no parameter {name!r}; it has {known}")

    def effective_parameters(self, given: Mapping[str, Any]) -> str:
        """Return the parameters as Python writes them, those not given with the chapter's own values."""
        known = self.parameters.items()
        return ", ".join(f"{name} = {given.get(name, ast.literal_eval(own))!r}" for name, own in known)

    def files(self, root: Path) -> list[Path]:
        """Return the files of the package that the code can reach."""
        return files_used(self.code, root)

    def key(self, parameters: Mapping[str, Any], files: Sequence[Path], root: Path) -> str:
        """Return what decides the outputs, except the records it reads: cells, parameters, `files`."""
        return json.dumps(
            {
                "cells": hashlib.sha256(json.dumps(self.code).encode()).hexdigest(),
                "parameters": dict(parameters),
                "files": hash_of(files, root),
            },
            sort_keys=True,
        )
