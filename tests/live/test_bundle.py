"""The modules as one script: each before those that need it, and nothing left for a module loader."""

from __future__ import annotations

import re

from companion.live import bundle


def test_each_module_comes_after_those_it_imports() -> None:
    script = bundle.page_script()
    places = {
        name: script.index(f"modules.{name} = ") for name in re.findall(r"^modules\.(\w+) = ", script, re.M)
    }
    assert set(places) == {path.stem for path in bundle.FOLDER.glob("*.mjs")}
    for name, place in places.items():
        for needed in re.findall(
            r'from "\./(\w+)\.mjs"', (bundle.FOLDER / f"{name}.mjs").read_text(encoding="utf-8")
        ):
            assert places[needed] < place


def test_the_style_sheet_of_each_module_is_joined_once() -> None:
    style = bundle.style()
    sheets = [path.read_text(encoding="utf-8") for path in bundle.FOLDER.glob("*.css")]
    assert len(sheets) > 1
    assert [style.count(sheet) for sheet in sheets] == [1] * len(sheets)
    assert all(path.with_suffix(".mjs").exists() for path in bundle.FOLDER.glob("*.css"))


def test_the_page_has_a_classic_script_and_jupyter_a_module() -> None:
    assert not re.search(r"^(import|export)\b", bundle.page_script(), re.M)
    assert re.findall(r"^export .*", bundle.jupyter_module(), re.M) == [
        "export default { render: companionLive.render };"
    ]
