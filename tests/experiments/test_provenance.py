"""A hash of code that no version of Python changes, and what records are told by it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from companion.experiments import presets, provenance, registry
from companion.experiments.registry import EARLIER, SAME, THIS, Registry, RegistryError

FIXTURE = '''"""A docstring."""
from __future__ import annotations
import math as m

@decorated(by="a name")
class Shape[KIND]:
    """Another."""
    sides: int = 3
    names: dict[str, tuple[float, ...]] = {}

    async def area(self, /, *sizes: float, scale=1.5, **rest) -> str | None:
        # A comment.
        if (total := m.fsum(sizes)) > 1e-9 and not rest:
            return f"{total!r:>{self.sides}} of {scale:.2f}%" + "é\\u2009\\x00"
        match sizes:
            case [first, *_] if first:
                return None
            case {"a": 1, **others}:
                return others
        return [x async for x in rest if x is not ...][::2]
'''.replace("class Shape[KIND]:", "class Shape:")  # The syntax of Python 3.11.
HASH = "ca748d949fe1c37ed97d4cf5b666f3a14429c0c0d4c08ae5f2f0c2e6bab9a3c7"
ROOT = Path(__file__).resolve().parents[2]


def pythons() -> list[str]:
    """Return each Python of a version that the package promises, of those on this machine."""
    found = {}
    names = [f"3.{minor}" for minor in (11, 12, 13)]
    for name in names:
        candidates = [
            shutil.which(f"python{name}"),
            *Path.home().glob(f".pyenv/versions/{name}.*/bin/python"),
        ]
        for candidate in filter(None, candidates):
            asked = [str(candidate), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
            done = subprocess.run(asked, capture_output=True, text=True, check=False, encoding="utf-8")
            if done.stdout.strip() == name:
                found[name] = str(candidate)
    return list(found.values())


@pytest.mark.parametrize("python", pythons())
def test_the_hash_of_a_module_is_one_literal_under_every_python(python: str, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(FIXTURE, encoding="utf-8")
    code = (
        "import sys; from pathlib import Path\n"
        "from companion.experiments.provenance import hash_of\n"
        f"root = Path({str(tmp_path)!r})\n"
        "print(hash_of([root / 'module.py'], root), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [python, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, encoding="utf-8"
    )
    assert done.stdout.split() == [HASH, "False"], done.stderr


@pytest.fixture
def hash_of(tmp_path: Path) -> Callable[[str], str]:
    def hash_of(text: str) -> str:
        path = tmp_path / "module.py"
        path.write_text(text, encoding="utf-8")
        provenance._content.cache_clear()
        return provenance.hash_of([path], tmp_path)

    return hash_of


def test_comments_docstrings_and_layout_do_not_count_but_code_does(hash_of: Callable[[str], str]) -> None:
    base = hash_of('"""One."""\ndef f(x):\n    """Two."""\n    return x + 1\n')
    assert hash_of('"""Other."""\ndef f(x):  # three\n    return (x + 1)\n') == base
    assert hash_of('"""One."""\ndef f(x):\n    """Two."""\n    return x + 2\n') != base
    assert hash_of('"""One."""\ndef f(x):\n    """Two."""\n    return x - 1\n') != base


def test_a_penalty_decides_the_trainings_with_it_alone(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "companion", tmp_path / "companion", ignore=shutil.ignore_patterns("*.pyc"))
    runs = {method: presets.preset("quick", "mnist5k", method) for method in presets.METHODS}

    def hashes() -> dict[str, tuple[str, str]]:
        provenance._source_hash.cache_clear()
        return {
            name: (
                provenance.source_hash("train", settings, tmp_path),
                provenance.source_hash("evaluate", settings, tmp_path),
            )
            for name, settings in runs.items()
        }

    before = hashes()
    path = tmp_path / "companion" / "losses" / "gradient_norm.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nEXTRA = 1\n", encoding="utf-8")
    after = hashes()
    changed = {name for name in runs if before[name] != after[name]}
    assert changed == {"gradient_norm"}
    assert before["gradient_norm"][1] == after["gradient_norm"][1]


def row(case: str, equals: str, worst: float = 0.0) -> dict[str, Any]:
    return {
        "kind": "train", "case": case, "recorded": "recorded", "equals": equals, "commit": "c",
        "worst": worst, "allowed": 1e-3,
    }  # fmt: skip


def test_a_record_is_of_this_code_of_code_that_computes_the_same_or_of_earlier_code() -> None:
    settings = presets.preset("quick", "mnist5k", "score_matching")
    today = provenance.source_hash("train", settings)
    names = provenance.cases("train", settings)
    assert len(names) == 3
    same = tuple(row(name, code) for name in names for code in ("recorded", today))
    found = Registry(same_text={"old": "recorded", "new": today}, reference={}, codes=same)
    assert found.standing({"train": today}, settings) == THIS
    assert found.standing({"train": "new"}, settings) == THIS
    assert found.standing({"train": "old"}, settings) == SAME
    assert found.standing({"train": "another"}, settings) == EARLIER
    all_but_one = Registry(same_text={"old": "recorded"}, reference={}, codes=same[:-1])
    assert all_but_one.standing({"train": "old"}, settings) == EARLIER
    assert found.in_words([THIS, SAME, SAME]) == (
        "3 records: 1 by this code, 2 by code that computes the same (3 cases, worst deviation 0e+00)"
    )


def test_without_a_registry_only_this_code_is_known(tmp_path: Path) -> None:
    settings = presets.preset("quick", "mnist5k", "baseline")
    found = registry.read(tmp_path / "behaviour.json")
    assert found.standing({"train": provenance.source_hash("train", settings)}, settings) == THIS
    assert found.standing({"train": "another"}, settings) == EARLIER


GOOD = {"same_text": {}, "reference": {"train": {}, "evaluate": {}}, "codes": [row("a", "b")]}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Expecting value"),
        (json.dumps(GOOD)[:-20], "Expecting|Unterminated"),
        ("\x00\x01", "Expecting value"),
        ("[]", "it must have same_text, reference and codes"),
        (json.dumps({"a": 1}), "it must have same_text, reference and codes"),
        (json.dumps({**GOOD, "same_text": {"a": 1}}), "same_text must map hashes to hashes"),
        (json.dumps({**GOOD, "reference": {"train": {}}}), "reference must have train and evaluate"),
        (
            json.dumps({**GOOD, "reference": {"train": {"a": {"b": "c"}}, "evaluate": {}}}),
            "quantities to numbers",
        ),
        (json.dumps({**GOOD, "reference": {"train": [], "evaluate": {}}}), "must map cases to quantities"),
        (json.dumps({**GOOD, "codes": {}}), "codes must be a list"),
        (json.dumps({**GOOD, "codes": [{"kind": "train"}]}), "codes must be rows of kind, case, recorded"),
        (json.dumps({**GOOD, "codes": [{**row("a", "b"), "worst": "0"}]}), "codes must be rows"),
        (json.dumps({**GOOD, "codes": [row("a", "b", worst=1.0)]}), "deviates too much"),
        (json.dumps({**GOOD, "codes": [row("a", "b", worst=float("nan"))]}), "deviates too much"),
    ],
)
def test_a_damaged_registry_is_refused_with_its_name_and_a_command(
    text: str, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "behaviour.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError, match=sentence) as refused:
        registry.read(path)
    assert f"{path} cannot be read" in str(refused.value)
    assert "git checkout -- behaviour.json" in str(refused.value)


def test_a_registry_is_written_as_it_is_read() -> None:
    assert registry.written(registry.read()).encode() == registry.PATH.read_bytes()
