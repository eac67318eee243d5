"""What the README and the guide print can be typed in: commands, targets, chapters, and the Python blocks."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from companion import cli, clone, making
from companion.experiments import methods, presets, series, shelf
from companion.experiments.plan import plan
from pipeline.chapter import Chapter

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "book/reproduce.md", "CONTRIBUTING.md")


def blocks(page: str, language: str) -> Iterator[str]:
    """Yield the fenced blocks of one language."""
    fenced = re.finditer(
        rf"^( *)```{language}\n(.*?)^\1```",
        (ROOT / page).read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    for found in fenced:
        yield textwrap.dedent(found[2])


def commands(program: str) -> list[list[str]]:
    """Return every printed command of one program, as words; the parts of a pipe count one by one."""
    lines = [
        part.strip()
        for page in PAGES
        for block in blocks(page, "sh")
        for line in block.replace("\\\n", " ").splitlines()
        for part in re.split(r"\||&&", line)
    ]
    words = [shlex.split(line, comments=True) for line in lines]
    return [found for found in words if found and found[0] == program]


@pytest.mark.parametrize("words", commands("companion"), ids=" ".join)
def test_a_printed_companion_command_is_one(words: list[str]) -> None:
    options = cli.parser().parse_args(words[1:])
    if options.command == "train":
        settings = making.chosen_settings(options)
        assert settings.name not in methods.METHODS or settings in plan(settings.tier, seed=settings.seed)
    if options.command == "evaluate":
        assert set(options.directory) <= {Path("_runs") / s.run_id for s in series.committed_plan("quick")}


@pytest.mark.parametrize("words", commands("make"), ids=" ".join)
def test_a_printed_make_command_has_a_target_and_known_variables(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words[1:]:
        name, assigned, _ = word.partition("=")
        if assigned:
            assert re.search(rf"^export .*\b{name}\b", makefile, re.MULTILINE)
        else:
            assert name in clone.COMMANDS


def test_the_printed_chapter_exists_and_its_parameters_have_committed_networks() -> None:
    sources = [word for words in commands("jupytext") for word in words if word.endswith(".py")]
    given = [
        dict(zip(words[i + 1 :: 3], words[i + 2 :: 3], strict=True))
        for words in commands("papermill")
        for i in [words.index("-p")]
    ]
    assert len(sources) == len(given) == 2
    for source, parameters in zip(sources, given, strict=True):
        Chapter.read(ROOT / source).check_parameters(parameters)
        for method in methods.METHODS:
            settings = presets.preset("quick", "mnist5k", method, int(parameters["seed"]))
            assert (shelf.committed_directory(settings) / "weights.safetensors").exists()


@pytest.mark.parametrize(
    ("page", "number"),
    [("README.md", 0), ("book/reproduce.md", 0), ("book/reproduce.md", 1), ("book/reproduce.md", 2)],
)
def test_a_printed_python_block_runs(page: str, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    code = list(blocks(page, "python"))[number]
    exec(compile(code, f"{page}, block {number}", "exec"), {})
    assert capsys.readouterr().out or "print(" not in code


def test_every_python_block_is_among_those_that_run_but_the_one_for_slurm() -> None:
    assert [len(list(blocks(page, "python"))) for page in PAGES] == [1, 4, 2]
    slurm = list(blocks("book/reproduce.md", "python"))[3]
    assert "SLURMCluster(" in slurm
    compile(slurm, "book/reproduce.md", "exec")


def test_the_names_in_the_layout_exist() -> None:
    folders = re.findall(r"^\| `(\w+)/` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert folders
    assert all((ROOT / folder).is_dir() for folder in folders)
