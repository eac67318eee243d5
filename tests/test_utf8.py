"""Text files are UTF-8, whatever the system's own encoding is."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [*ROOT.glob("companion/**/*.py"), *ROOT.glob("pipeline/*.py"), *ROOT.glob("benchmarks/*.py")]


def calls_without_encoding(source: str) -> list[int]:
    """Return the lines that read or write text in the system's encoding; the linter sees a part of them."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            options = {word.arg for word in node.keywords}
            # Path.open() begins with a mode, open() with a name, others' open() with something else.
            before_mode = 1 if isinstance(node.func, ast.Name) else 0
            modes = node.args[before_mode : before_mode + 1]
            opens_text = all(isinstance(m, ast.Constant) and "b" not in str(m.value) for m in modes)
            as_text = name in ("read_text", "write_text") or (name == "open" and opens_text)
            piped = any(
                word.arg == "text" and getattr(word.value, "value", 0) is True for word in node.keywords
            )
            if (as_text or piped) and "encoding" not in options:
                lines.append(node.lineno)
    return lines


def test_the_search_finds_what_it_looks_for():
    source = (
        'p.read_text()\np.open("w")\np.open("rb")\nrun(c, text=True)\nopen(p)\nzip.open(member)\np.open()'
    )
    assert calls_without_encoding(source) == [1, 2, 4, 5, 7]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_text_file_is_read_and_written_as_utf8(path):
    assert calls_without_encoding(path.read_text(encoding="utf-8")) == []


def test_a_record_and_a_page_are_read_where_the_system_has_another_encoding(tmp_path):
    code = (
        "from pathlib import Path; from companion import runs; from companion.live import bundle;"
        "assert '\\u2212' in bundle.jupyter_module();"
        "run = runs.find('paper', 'cifar100', 'score_matching', 0);"
        f"folder = Path({str(tmp_path)!r}); run.record.write(folder / 'record.json');"
        "assert runs.load(folder).record == run.record"
    )
    settings = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=os.environ | settings, check=True)
