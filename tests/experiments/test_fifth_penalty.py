"""CONTRIBUTING's new penalty, one file and one row, trains and stands beside the others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEEN = """
from companion import runs
from companion.book import axes, style, tables, training_figures
run = runs.find("tiny", "mnist5k", "logit_norm", 0)
history = run.history()
assert run.record.status == "finished" and (history["penalty"] > 0).all()
assert not run.from_earlier_code
row = tables.seed_table("tiny", "mnist5k", "test_accuracy").set_index("model").loc["logit_norm"]
assert row["n"] == 1 and 0 <= row["value"] <= 1
assert style.model_style("logit_norm")["color"] == "#CC79A7"
drawn = training_figures.learning("tiny", "mnist5k").legends[0].get_texts()
print([text.get_text() for text in drawn])
"""


def test_a_fifth_penalty_is_one_file_and_one_row(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    new_file, row = re.findall(r"```python\n(.*?)```", text.partition("## Add a penalty")[2], re.DOTALL)[:2]
    shutil.copytree(ROOT / "companion", tmp_path / "companion", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    name, _, code = new_file.partition("\n")
    (tmp_path / name.removeprefix("# ")).write_text(code, encoding="utf-8")
    methods = tmp_path / "companion" / "experiments" / "methods.py"
    before = methods.read_text(encoding="utf-8")
    head, brace, tail = before.rpartition("}\n")
    imported = "from companion.losses import AdversarialTraining"
    assert imported in head
    head = head.replace(imported, f"from companion.losses.logit_norm import LogitNorm\n{imported}")
    methods.write_text(head + row + brace + tail, encoding="utf-8")

    def python(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, check=False,
        encoding="utf-8")  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    python("-m", "companion.cli", "train", "--tier", "tiny", "--method", "logit_norm", "--quiet")
    assert python("-c", SEEN).strip() == "['Logit norm']"
    lines = len(code.splitlines()) + len(row.splitlines()) + 1
    assert f"{lines} lines in all" in text
