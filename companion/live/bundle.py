"""One script of the JavaScript modules beside this file: for a page, and for Jupyter."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent
MAIN = "main"
NAME = "companionLive"
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.mjs";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:(?:async )?function\*?|class|const) (\w+))", re.MULTILINE)


def page_script() -> str:
    """Return a classic script that draws the live figures of a page; module scripts need a server.

    Example:
        >>> "import " in page_script().split("export")[0][:200]
        False
    """
    return f"{_definition()}{NAME}.mountAll();\n"


def jupyter_module() -> str:
    """Return the module that anywidget loads: the same text, with anywidget's entrance."""
    return f"{_definition()}export default {{ render: {NAME}.render }};\n"


def style() -> str:
    """Return the style sheet: those beside the modules, in the modules' order."""
    sheets = ((FOLDER / name).with_suffix(".css") for name in _in_order(MAIN, []))
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets if sheet.exists())


def _source(name: str) -> str:
    return (FOLDER / f"{name}.mjs").read_text(encoding="utf-8")


def _definition() -> str:
    """Return the modules as functions that are called in order, each returning what it exports.

    The functions are kept in `definitions`, since a worker runs the text of some (`background.mjs`).
    """
    parts = [f"const {NAME} = (() => {{\nconst definitions = {{}};\nconst modules = {{}};\n"]
    for name in _in_order(MAIN, []):
        source = _source(name)
        exported = ", ".join(match[1] for match in _EXPORT.finditer(source))
        body = _EXPORT.sub("", _IMPORT.sub(r"const {\1} = modules.\2;\n", source))
        if re.search(r"^(?:import|export)\b", body, re.MULTILINE):
            raise ValueError(f"{name}.mjs has an import or export of another form than the other modules")
        parts.append(f"\ndefinitions.{name} = () => {{\n{body}return {{ {exported} }};\n}};\n")
        parts.append(f"modules.{name} = definitions.{name}();\n")
    return "".join([*parts, f"\nreturn modules.{MAIN};\n}})();\n"])


def _in_order(name: str, before: list[str]) -> list[str]:
    """Return the modules that one needs, and itself, each after those that it needs."""
    for _, needed in _IMPORT.findall(_source(name)):
        if needed not in before:
            before = _in_order(needed, before)
    return [*before, name]
