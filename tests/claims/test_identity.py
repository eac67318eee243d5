"""A run is what its record says, and not what its folder is called."""

import shutil
from dataclasses import replace

import pytest

from companion import runs
from companion.claims.evidence.records import Shelf, metric
from companion.experiments import shelf
from companion.experiments.records import Record
from companion.experiments.settings import Settings


def baselines():
    read = Shelf(tier="quick", dataset="mnist5k").values("baseline", metric("test_accuracy"))
    return {seed: reading.interval.value for seed, reading in read.items()}


@pytest.mark.parametrize("name", ["baseline-seed7", "baseline-seed", "x-SEED12"])
def test_a_name_that_ends_as_folders_do_is_refused(name):
    with pytest.raises(ValueError, match="must not end in -seed"):
        Settings(tier="quick", dataset="mnist5k", method="baseline", seed=0, name=name)
    Settings(tier="quick", dataset="mnist5k", method="baseline", seed=0, name="reseeded-7")


def test_a_run_with_a_longer_name_is_no_seed_of_the_shorter(make_run):
    make_run("baseline", 0, {"test_accuracy": 0.9})
    longer = make_run("baseline-wide", 0, {"test_accuracy": 0.5})
    record, name = Record.read(longer / "record.json"), "baseline-seed7"
    replace(record, name=name, settings={**record.settings, "name": name}).write(longer / "record.json")
    longer.rename(longer.with_name("baseline-seed7-seed0"))
    assert baselines() == {0: 0.9}


@pytest.mark.parametrize("called", ["baseline-seed5", "baseline-seed0-copy", "baseline-seed00"])
def test_a_copied_folder_is_no_other_run(make_run, called):
    folder = make_run("baseline", 0, {"test_accuracy": 0.9})
    shutil.copytree(folder, folder.with_name(called))
    assert baselines() == {0: 0.9}
    assert called in "".join(shelf.misfiled())
    assert not any("baseline-seed0 " in sentence.split("holds")[0] for sentence in shelf.misfiled())


def test_another_methods_run_in_a_baselines_folder_is_refused_where_it_is_asked_for(make_run):
    shutil.move(make_run("score_matching", 1), make_run("baseline", 0).with_name("baseline-seed1"))
    assert [run.record.seed for run in runs.find_all("quick", "mnist5k", "baseline")] == [0]
    with pytest.raises(runs.RecordError, match=r"holds the record of .*score_matching-seed1.*delete it"):
        runs.find("quick", "mnist5k", "baseline", 1)
