"""The campaign of faults notices what it is there to notice, and a short one loses nothing."""

import random

import pytest
import torch

from benchmarks.faults import calls, files, kills
from benchmarks.faults.trials import Trials
from companion.book import trials as shown


def test_trials_are_counted_by_kind(capsys):
    trials = Trials()
    for wrong in ("", "it burnt", ""):
        trials.add("files", "a fire", wrong)
    trials.add("kills", "a fire", "")
    assert trials.table().to_numpy().tolist() == [["files", "a fire", 3, 2, 1], ["kills", "a fire", 1, 1, 0]]
    assert "lost: files, a fire: it burnt" in capsys.readouterr().err


def test_some_made_up_calls_and_command_lines_lose_nothing():
    trials = Trials()
    calls.command_lines(trials, 50)
    calls.library(trials, 10 * len(calls.CALLS))
    assert trials.table()["lost"].sum() == 0
    assert set(trials.table()["kind"]) == {"companion", *calls.CALLS}


def overwrites(model, x, y):
    return model(x.mul_(2))


def moves_weights(model, x, y):
    with torch.no_grad():
        next(model.parameters()).add_(1)
    return model(x)


def wakes(model, x, y):
    return model.train()(x)


def draws(model, x, y):
    torch.rand(1)
    return model(x)


def mumbles(model, x, y):
    raise ValueError("no")


def breaks(model, x, y):
    raise KeyError("a key that nobody knows")


def minds_layout(model, x, y):
    return model(x) + x.is_contiguous(memory_format=torch.contiguous_format)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (overwrites, "the images were changed"),
        (moves_weights, "the model was changed"),
        (wakes, "the model was changed"),
        (draws, "random state was changed"),
        (mumbles, "without a sentence"),
        (breaks, "KeyError"),
        (minds_layout, "another result than with plain arguments"),
    ],
)
def test_a_call_that_does_wrong_is_lost(bad, words, monkeypatch):
    monkeypatch.setitem(calls.CALLS, "bad", (bad, ()))
    x = torch.rand(2, 3, calls.SIDE, calls.SIDE).to(memory_format=torch.channels_last)
    assert words in calls.check("bad", calls.smooth(3).eval(), x, 0, [], "plain")


def test_a_file_that_is_used_although_it_is_damaged_is_lost(tmp_path):
    path, trials = tmp_path / "numbers", Trials()
    path.write_bytes(b"0123456789" * 100)
    files._trial(trials, "numbers", path, path.read_bytes, path.read_bytes(), random.Random(0))
    assert trials.table()["lost"].tolist() == [1, 1, 1, 1]
    assert path.read_bytes() == b"0123456789" * 100


def test_what_a_killed_run_left_is_found(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".weights.safetensors.1f.partial").touch()
    assert kills._left(tmp_path) == [".weights.safetensors.1f.partial"]


@pytest.mark.parametrize("name", shown.TABLES)
def test_each_campaigns_table_is_there_with_its_commit(name):
    found = shown.table(name)
    assert len(found)
    assert " cores " in shown.where(found)
