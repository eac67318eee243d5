"""A flipped bit is noticed wherever a run keeps something; a damaged intermediate is computed again."""

import collections
import json
import random
import threading
from dataclasses import asdict, replace

import pandas as pd
import pytest
import torch

from companion import runs
from companion.experiments import checkpoint, files, presets, shelf, training, unfinished
from companion.experiments.measurements import Findings
from companion.experiments.settings import build_network
from companion.metrics.intervals import wilson

TINY = presets.preset("tiny", "mnist5k", "baseline")


def state():
    model = build_network(TINY)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    made = checkpoint.State(
        model=model, optimizer=optimizer, schedule=schedule, generator=torch.Generator(), epoch=1
    )
    made.last_whole = model.state_dict()
    return made


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def restored(path):
    found = state()
    found.epoch = 0
    checkpoint.restore(found, path, TINY, torch.device("cpu"))
    return found.epoch


def test_a_flipped_bit_anywhere_in_a_checkpoint_is_noticed(tmp_path):
    path = tmp_path / checkpoint.CHECKPOINT
    checkpoint.write(path, TINY, state())
    assert restored(path) == 1
    size, draw = path.stat().st_size, random.Random(0)
    for place in [0, 30, 85, size - 1, *(draw.randrange(size) for _ in range(15))]:
        flip(path, place)
        with pytest.raises(runs.RecordError, match="damaged.*delete it"):
            restored(path)
        flip(path, place)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(runs.RecordError, match="damaged"):
        restored(path)


def test_a_checkpoint_of_earlier_code_begins_the_run_anew(tmp_path):
    torch.save({"settings": asdict(TINY), "hash": "", "epoch": 3}, tmp_path / "checkpoint.pt")
    assert restored(tmp_path / "checkpoint.pt") == 0


def test_writers_of_one_checkpoint_do_not_take_each_others_partial_file(tmp_path):
    path, ended = tmp_path / checkpoint.CHECKPOINT, collections.Counter()
    mine = state()

    def write():
        for _ in range(20):
            try:
                checkpoint.write(path, TINY, mine)
                ended["whole"] += 1
            except OSError as error:
                ended[type(error).__name__] += 1

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == {"whole": 40}
    assert restored(path) == 1
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_write_that_fails_leaves_the_old_file_and_no_partial_one(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    files.write_atomically(path, b"old")

    def full(self, content):
        with self.open("wb") as file:
            file.write(content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", full)
    with pytest.raises(OSError, match="no space is left on the disk"):
        files.write_atomically(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_bytes() == b"old"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "whole"
    training.train(replace(TINY, epochs=1, train_size=64), directory=folder, progress=False)
    return folder


def test_a_new_records_history_is_checked_against_it(trained):
    run = shelf.load(trained)
    assert list(run.record.digests) == ["history.csv"]
    assert shelf.is_finished(run.settings, trained)
    assert len(run.history()) == 1
    flip(trained / "history.csv", -3)
    with pytest.raises(runs.RecordError, match=r"history.csv is damaged or of another run.*train again"):
        run.history()
    assert not shelf.is_finished(run.settings, trained)
    flip(trained / "history.csv", -3)


def test_a_table_is_checked_against_the_record_and_one_of_earlier_code_is_read(trained):
    run = shelf.load(trained)
    sum_ = files.write_table(pd.DataFrame({"a": [1.0]}), trained / "trace.csv")
    assert run.table("trace").a[0] == 1  # a record without digests of its tables
    replace(run.record, digests={**run.record.digests, "trace.csv": sum_}).write(trained / "record.json")
    assert shelf.load(trained).table("trace").a[0] == 1
    (trained / "trace.csv").write_bytes(b"a\n2\n")
    with pytest.raises(runs.RecordError, match="companion evaluate"):
        shelf.load(trained).table("trace")


def findings():
    return Findings(
        metrics={"gan_test": wilson(3, 4)},
        tables={"trace": pd.DataFrame({"trace": [1.5, 2.5]})},
        pictures={"maps": torch.ones(2, 2)},
        seconds=2.0,
    )


def test_what_was_kept_of_an_evaluation_comes_back(tmp_path):
    unfinished.keep(findings(), tmp_path, "key")
    kept = unfinished.kept(tmp_path, "key")
    assert kept is not None
    assert kept.metrics == findings().metrics
    assert kept.tables["trace"].equals(findings().tables["trace"])
    assert torch.equal(kept.pictures["maps"], torch.ones(2, 2))
    assert unfinished.kept(tmp_path, "other key") is None
    assert unfinished.kept(tmp_path / "nowhere", "key") is None


@pytest.mark.parametrize("name", ["findings.json", "trace.csv", "pictures.safetensors"])
def test_a_flipped_bit_in_what_was_kept_makes_it_absent(tmp_path, name):
    unfinished.keep(findings(), tmp_path, "key")
    content = (tmp_path / name).read_bytes()
    for place in range(0, len(content), max(1, len(content) // 40)):
        flip(tmp_path / name, place)
        assert unfinished.kept(tmp_path, "key") is None, place
        (tmp_path / name).write_bytes(content)
    (tmp_path / name).unlink()
    assert unfinished.kept(tmp_path, "key") is None


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"key": "k"}', '{"sha256": "", "said": {}}', "[" * 10**5]
)
def test_foreign_intermediates_are_absent(tmp_path, text):
    (tmp_path / "findings.json").write_text(text, encoding="utf-8")
    assert unfinished.kept(tmp_path, "k") is None


@pytest.mark.parametrize("text", ["[" * 10**5, "", "[]", json.dumps({"digests": []})])
def test_a_record_that_is_none_is_refused_in_a_sentence(tmp_path, text):
    (tmp_path / "record.json").write_text(text, encoding="utf-8")
    with pytest.raises(runs.RecordError, match="is not a whole record"):
        runs.load(tmp_path)
