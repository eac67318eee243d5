"""What `make` does in a clone of the repository, in Python alone: no make, no shell, no package installed.

`python -m companion book` works where there is only Python: on Windows, too. The first command makes `.venv`
from `requirements.lock`; each command then runs in it. This module imports nothing but Python's own library,
and an older Python than 3.11 can read it, to be told so.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
MADE = VENV / "made"
"""Written last: what was begun and not finished has none."""
SOURCES = ("requirements.lock", "pyproject.toml")
INSTALL = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
OLDEST = (3, 11)
TOOLS = ROOT / ".tools"
BENCHES = ("bench_commands", "bench_live", "bench_peers", "bench_training")
NEED_TOOLS = ("bench", "mutants")
"""The commands that need `benchmarks/tools.lock`: peers to compare with, and the maker of mutants."""
COMMANDS = {
    "help": "what can be made",
    "setup": "make .venv, with everything in it",
    "book": "train, evaluate, execute the chapters, build the book (TIER=small SEED=0 FRESH=1)",
    "pdf": "print the book: a PDF beside its pages, made by Chromium",
    "dist": "pack the book and its PDF as one archive that opens from the disk",
    "launch": "write the notebooks that open on Colab, if _config.yml names the repository",
    "test": "run the tests",
    "lint": "ruff, pyright, and what may import what",
    "serve": "serve the book on 127.0.0.1",
    "bench": "run the benchmarks; results are written beside them",
    "faults": "kill, damage and misuse what there is; the table goes to results/trials/",
    "mutants": "change the library in small ways, and see which changes no test notices; likewise",
    "clean": "remove what was built; trained runs and committed results stay",
}


def main(words: list[str]) -> NoReturn:
    """Run a command of `COMMANDS`, and end with its status.

    Args:
        words: the command; then `NAME=value`, which goes into the environment as with make, and arguments for
            the program that does the work: `test tests/trace -x`, `book TIER=small`.
    """
    if not all((ROOT / name).is_file() for name in SOURCES):
        sys.exit(
            f"companion {words[0]}: {ROOT} is no clone of the repository, and this command works on one; "
            "the others (companion --help) work anywhere"
        )
    command, arguments = words[0], []
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if equals and name.isupper():
            os.environ[name] = value
        else:
            arguments.append(word)
    os.chdir(ROOT)
    programs = _programs(command)
    if arguments and len(programs) != 1:
        sys.exit(f"companion {command} takes no arguments; got {' '.join(arguments)}")
    if command in ("help", "clean"):
        {"help": tell, "clean": clean}[command]()
        sys.exit()
    make_environment()
    if command in NEED_TOOLS:
        add_tools()
    if not programs:
        sys.exit()
    *first, last = programs
    for program in first:
        if status := subprocess.run([PYTHON, *program], check=False).returncode:
            sys.exit(status)
    _become([str(PYTHON), *last, *arguments])


def _programs(command: str) -> list[list[str]]:
    """Return what a command runs, one after the other: Python's arguments."""
    return {
        "help": [],
        "setup": [],
        "clean": [],
        "book": [["-m", "pipeline"]],
        "pdf": [["-m", "pipeline"], ["-m", "pipeline.pdf"]],
        "dist": [["-m", "pipeline"], ["-m", "pipeline.dist"]],
        "launch": [["-m", "pipeline.launch"]],
        "test": [["-m", "pytest", "--numprocesses", _test_processes()]],
        "lint": [
            ["-m", "ruff", "check", "."],
            ["-m", "ruff", "format", "--check", "."],
            ["-m", "pyright"],
            ["-c", "from importlinter.cli import lint_imports_command as main; main()"],
        ],
        "serve": [
            ["-m", "http.server", "--bind", "127.0.0.1", "--directory", str(ROOT / "_build/html"), "8000"]
        ],
        "bench": [["-m", f"benchmarks.{name}"] for name in BENCHES],
        "faults": [["-m", "benchmarks.faults"]],
        "mutants": [["-m", "benchmarks.mutants"]],
    }[command]


def _test_processes() -> str:
    """Return how many processes share the tests, 0 for this one alone.

    One for two cores, since a browser, a kernel or a build works beside most tests.
    """
    wanted = min(4, (os.cpu_count() or 1) // 2)
    return str(wanted if wanted > 1 else 0)


def make_environment() -> None:
    """Make `.venv`, unless it is there, whole, in the folder that it was made in, and newer than the lock."""
    stale = VENV.exists() and MADE.exists() and not _is_sound()
    if MADE.exists() and not stale:
        made = MADE.stat().st_mtime
        if all((ROOT / name).stat().st_mtime <= made for name in SOURCES):
            return
    if sys.version_info < OLDEST:
        sys.exit("Python 3.11 or newer is needed; try make PYTHON=python3.11, or python3.11 -m companion")
    if stale:
        print("The folder .venv was moved or copied, or its Python is gone: it is made anew.", flush=True)
    print("Setting up .venv: about 6 GB, a few minutes, once.", flush=True)
    # Not the Python of .venv itself, if that one runs this.
    outside = getattr(sys, "_base_executable", sys.executable)
    steps = [
        [outside, "-m", "venv", *(["--clear"] if stale else []), str(VENV)],
        [str(PYTHON), *INSTALL, "--require-hashes", "--requirement", str(ROOT / "requirements.lock")],
        [str(PYTHON), *INSTALL, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
    ]
    for step in steps:
        if status := subprocess.run(step, check=False).returncode:
            sys.exit(status)
    MADE.touch()


def add_tools() -> None:
    """Install what `NEED_TOOLS` need into a folder of its own, and let Python look there, too."""
    lock, made = ROOT / "benchmarks/tools.lock", TOOLS / "made"
    if not made.exists() or made.stat().st_mtime < lock.stat().st_mtime:
        shutil.rmtree(TOOLS, ignore_errors=True)
        options = ["--no-deps", "--require-hashes", "--target", str(TOOLS), "--requirement", str(lock)]
        if status := subprocess.run([PYTHON, *INSTALL, *options], check=False).returncode:
            sys.exit(status)
        made.touch()
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(TOOLS)]))


def _is_sound() -> bool:
    """Say whether `.venv` lies where it was made, and its Python starts."""
    # Its scripts name the folder that it was made in, as its pyvenv.cfg does.
    try:
        if f" {VENV}\n" not in (VENV / "pyvenv.cfg").read_text(encoding="utf-8"):
            return False
        return subprocess.run([PYTHON, "-c", ""], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def tell() -> None:
    """Print what can be made."""
    for command, about in COMMANDS.items():
        print(f"{command:8} {about}")


def clean() -> None:
    """Remove what was built."""
    for name in ("_build", "_executed", ".pytask"):
        shutil.rmtree(ROOT / name, ignore_errors=True)
    (ROOT / "pytask.lock").unlink(missing_ok=True)


def _become(words: list[str]) -> NoReturn:
    """Run a program in this process's place: signals reach it, and its status is this one's."""
    if os.name == "posix":
        sys.stdout.flush()
        os.execv(words[0], words)
    # Windows has no such call. Ctrl-C reaches both; the program alone answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(subprocess.run(words, check=False).returncode)
