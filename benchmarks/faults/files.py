"""Files that were damaged, are of another kind, or lie where they do not belong; disks that are full.

A damaged file survives if it is refused in a sentence that names it, if it counts as absent and is computed
again, or if it is still read as it was.
"""

from __future__ import annotations

import errno
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.faults.trials import Trials
from companion import data, models
from companion.claims.page.records import links
from companion.experiments import checkpoint, evaluation, presets, provenance, registry, shelf, training
from companion.experiments.files import digest
from companion.experiments.records import RecordError

SENTENCE = 20
Refusals = (RecordError, data.DataError, models.WeightsError, ValueError, OSError)
Damage = Callable[[bytes, random.Random], bytes]


def _flip(content: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]


DAMAGES: dict[str, Damage] = {
    "a bit flipped": _flip,
    "cut off": lambda content, draw: content[: draw.randrange(len(content))],
    "zeros in the middle": lambda content, draw: (
        content[: len(content) // 2] + bytes(64) + content[len(content) // 2 + 64 :]
    ),
    "another file": lambda content, draw: draw.choice([b"", b"<html>sign in</html>", b"{}", b"\x80\x04N."]),
}


def _trial(
    trials: Trials, kind: str, path: Path, use: Callable[[], object], right: object, draw: random.Random
) -> None:
    """Damage a file in each way and use it; it is whole again afterwards."""
    whole = path.read_bytes()
    for how, damage in DAMAGES.items():
        path.write_bytes(damage(whole, draw))
        wrong = ""
        try:
            if path.read_bytes() != whole and use() != right:
                wrong = "it was used as it is"
        except Refusals as error:
            if len(str(error)) < SENTENCE:
                wrong = f"{type(error).__name__} without a sentence: {error}"
        except Exception as error:  # noqa: BLE001 - any other error is what is looked for
            wrong = f"{type(error).__name__}: {error}"[:150]
        trials.add("files", f"{kind}: {how}", wrong)
        path.write_bytes(whole)


def damaged(trials: Trials, folder: Path, times: int, draw: random.Random) -> None:
    """Damage what a run keeps, the reference of behaviour, and an archive of images."""
    settings = presets.preset("tiny", "mnist5k", "baseline")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "PROBED_IMAGES", 4)
        made = training.train(settings, directory=folder / "run", progress=False)
        evaluation.evaluate(folder / "run", progress=False)
        run = folder / "run"
        kept = made.model().state_dict()

        def weights() -> bool:
            found = shelf.load(run).model().state_dict()
            return all(torch.equal(found[name], kept[name]) for name in kept)

        def state() -> checkpoint.State:
            model = models.resnet9(10, width=8, in_channels=1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
            return checkpoint.State(
                model=model, optimizer=optimizer, schedule=schedule, generator=torch.Generator()
            )

        def restored() -> int:
            found = state()
            checkpoint.restore(found, folder / checkpoint.CHECKPOINT, settings, torch.device("cpu"))
            return found.epoch

        begun = state()
        begun.epoch, begun.last_whole = 1, begun.model.state_dict()
        checkpoint.write(folder / checkpoint.CHECKPOINT, settings, begun)
        cifar = folder / "cifar100.npz"
        names = np.array([f"class {i}" for i in range(100)])
        arrays: dict[str, np.ndarray] = {"class_names": names}
        for part, count in (("train", 50_000), ("test", 10_000)):
            arrays[f"x_{part}"] = np.zeros((count, 32, 32, 3), dtype=np.uint8)
            arrays[f"y_{part}"] = np.arange(count) % 100
        np.savez_compressed(cifar, **arrays)  # type: ignore[arg-type]

        def archive() -> list[str]:
            found = data.load("cifar100", root=folder)
            tensors = (found.x_train, found.y_train, found.x_test, found.y_test)
            return [digest(tensor.numpy().tobytes()) for tensor in tensors] + list(found.class_names)

        reference = folder / "results" / "behaviour.json"
        reference.parent.mkdir()
        shutil.copy(provenance.PROJECT / "results" / "behaviour.json", reference)
        table = run / "density_ratio.csv"
        uses: list[tuple[str, Path, Callable[[], object], object]] = [
            ("weights", run / "weights.safetensors", weights, True),
            ("checkpoint", folder / checkpoint.CHECKPOINT, restored, 1),
            ("record", run / "record.json", lambda: shelf.load(run).record, None),
            ("archive of images", cifar, archive, None),
            ("history", run / "history.csv", lambda: shelf.is_finished(settings, run), False),
            ("table", table, lambda: shelf.load(run).table(table.stem).to_csv(), None),
        ]
        for kind, path, use, right in uses:
            expected = use() if right is None else right
            for _ in range(times):
                _trial(trials, kind, path, use, expected, draw)
        patch.setattr(provenance, "PROJECT", folder)
        expected = registry.read()
        for _ in range(times):
            _trial(trials, "reference of behaviour", reference, registry.read, expected, draw)


def full_disks(trials: Trials, folder: Path, times: int) -> None:
    """Let each of the first writes of a training fail for want of space; then go on with space."""
    settings = presets.preset("tiny", "mnist5k", "baseline")
    write = Path.write_bytes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "PROBED_IMAGES", 4)
        for nth in range(times):
            run, left = folder / f"full-{nth}", [nth % 3]

            def full(path: Path, content: bytes, left: list[int] = left) -> int:
                left[0] -= 1
                if left[0] < 0:
                    write(path, content[: len(content) // 2])
                    raise OSError(errno.ENOSPC, "No space left on device")
                return write(path, content)

            patch.setattr(Path, "write_bytes", full)
            wrong = ""
            try:
                training.train(settings, directory=run, progress=False)
                wrong = "nothing was said"
            except OSError as error:
                if "no space is left" not in str(error):
                    wrong = str(error)
            patch.setattr(Path, "write_bytes", write)
            if not wrong and (left_over := [path.name for path in run.rglob("*partial*")]):
                wrong = f"{left_over} is left"
            if not wrong:
                training.train(settings, directory=run, progress=False)
                wrong = "" if shelf.is_finished(settings, run) else "it did not go on"
            trials.add("files", "a full disk", wrong)


def strangers(trials: Trials, folder: Path) -> None:
    """Put runs where others belong, and names with markup where pages quote them."""
    made = folder / "run"
    names = ["baseline-seed7", "baseline-seed07", "baseline-seed0 copy", "<b>x</b>-seed0", "x&y-seed0"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "PROJECT", folder)
        home = folder / "_runs" / "tiny" / "mnist5k"
        for name in names:
            shutil.copytree(made, home / name)
            found = [run.directory.name for run in shelf.find_all("tiny", "mnist5k", "baseline")]
            trials.add("files", "a copied or renamed run", f"taken for {found}" if name in found else "")
            shutil.rmtree(home / name)
    for name in ("<script>alert(1)</script>", 'a"b', "<img src=x onerror=alert(1)>", "&lt;", "'--><b>"):
        html = links({"paths": f"_runs/quick/mnist5k/{name}-seed0", "earlier": 0})
        tags = set(re.findall(r"<\s*(\w+)", html)) - {"i", "span"}
        trials.add("files", "a name with markup", f"{html} holds {tags}" if tags else "")
