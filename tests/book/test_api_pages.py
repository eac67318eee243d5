"""The API pages say which chapters use a function; every function there has an example."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from tests import builds

EXTENSION = builds.ROOT / "book" / "_ext" / "used_in.py"
DOCUMENTED = re.findall(
    r"automodule:: (companion\S*)\n   :members:",
    (builds.ROOT / "book" / "api.md").read_text(encoding="utf-8"),
)
assert DOCUMENTED


@pytest.fixture(scope="module")
def used_in() -> ModuleType:
    spec = importlib.util.spec_from_file_location("used_in", EXTENSION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_names_are_followed_through_imports_and_other_packages_are_left_out(used_in: ModuleType) -> None:
    code = """
from companion import audit, trace as t
from companion.gradients import logit_gradient, loss_gradient
from torch import nn

logit_gradient(audit.centred(nn.Identity()), t.taylor)
audit = None
"""
    assert used_in.names_in(ast.parse(code)) == {
        "companion.gradients.logit_gradient",
        "companion.audit",
        "companion.audit.centred",
        "companion.trace",
        "companion.trace.taylor",
    }


def test_a_name_leads_to_where_the_function_or_class_is_defined(used_in: ModuleType) -> None:
    assert used_in.defined_as("companion.audit.centred") == "companion.audit.cures.centred"
    assert used_in.defined_as("companion.losses.ScoreMatching") == (
        "companion.losses.score_matching.ScoreMatching"
    )
    assert used_in.defined_as("companion.audit") is None
    assert used_in.defined_as("companion.experiments.presets.DATASETS") is None
    assert used_in.defined_as("companion.experiments.presets.DATASETS.items.nowhere") is None


def test_a_chapter_counts_for_its_code_and_not_for_its_prose(used_in: ModuleType, tmp_path: Path) -> None:
    header = "# ---\n# jupyter:\n#   kernelspec:\n#     name: python3\n# ---\n\n"
    parameters = '# %% tags=["parameters"]\nseed = 0\n\n'
    imports = "# %%\nfrom companion import trace\n\n"
    prose = "# %% [markdown]\n# We take `trace.hutchinson`.\n\n"
    (tmp_path / "01_first.py").write_text(
        header + parameters + imports + prose + "# %%\ntrace.taylor\n", encoding="utf-8"
    )
    (tmp_path / "02_second.py").write_text(
        header + parameters + imports + "# %%\n%time trace.exact\ntrace.taylor\n", encoding="utf-8"
    )
    assert used_in.uses(tmp_path) == {"companion.trace.taylor.taylor": ["01_first", "02_second"]}


def test_the_line_names_and_links_the_chapters(used_in: ModuleType) -> None:
    assert used_in.sentence(["05_trace_estimators", "18_yardstick"]) == (
        "Used in: :doc:`chapter 5 </_executed/05_trace_estimators>`, "
        ":doc:`chapter 18 </_executed/18_yardstick>`"
    )


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_function_on_the_api_pages_has_an_example(name: str) -> None:
    members = vars(importlib.import_module(name)).items()
    functions = [f for key, f in members if key[0] != "_" and inspect.isfunction(inspect.unwrap(f))]
    mine = [f for f in functions if f.__module__ == name]
    assert [f.__name__ for f in mine if ">>>" not in (inspect.getdoc(f) or "")] == []
