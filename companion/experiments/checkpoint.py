"""What an interrupted training goes on from."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from companion.experiments import files, provenance
from companion.experiments.records import RecordError
from companion.experiments.settings import Settings

CHECKPOINT = "checkpoint.pt"
"""Its name in a run's folder."""
_BEGINNING = b"companion checkpoint\n"
_OLDER = b"PK"  # of earlier code, whose checkpoints have no digest


@dataclass
class State:
    """What a checkpoint holds, and whether a step was `checked` since the process began.

    `last_whole` are the weights at the end of the last whole epoch.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    last_whole: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    checked: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return what is kept, for `torch.save`."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
            "last_whole": self.last_whole,
            "epoch": self.epoch,
            "step": self.step,
            "seconds": self.seconds,
            "sums": self.sums,
            "history": self.history,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Take up what `to_dict` returned."""
        self.model.load_state_dict(saved["last_whole"])
        self.last_whole = saved["last_whole"]
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        self.generator.set_state(saved["generator"].cpu())
        for name in ("epoch", "step", "seconds", "sums", "history"):
            setattr(self, name, saved[name])


def sealed(saved: object) -> bytes:
    """Return what `torch.save` writes, after the SHA-256 of it, since PyTorch notices no flipped bit.

    Example:
        >>> opened(sealed({"epoch": 3}), torch.device("cpu"))
        {'epoch': 3}
    """
    content = io.BytesIO()
    torch.save(saved, content)
    return _BEGINNING + files.digest(content.getvalue()).encode() + content.getvalue()


def opened(whole: bytes, device: torch.device) -> dict[str, Any]:
    """Return what `sealed` was given, or what earlier code saved without a digest.

    Raises:
        ValueError: the bytes are not those that were sealed.

    Example:
        >>> opened(sealed({"epoch": 3})[:-1], torch.device("cpu"))
        Traceback (most recent call last):
        ...
        ValueError: its SHA-256 is not the one that it begins with
    """
    content = whole
    if not whole.startswith(_OLDER):
        sum_, content = whole[len(_BEGINNING) :][:64], whole[len(_BEGINNING) + 64 :]
        if not whole.startswith(_BEGINNING) or files.digest(content).encode() != sum_:
            raise ValueError("its SHA-256 is not the one that it begins with")
    return torch.load(io.BytesIO(content), map_location=device, weights_only=True)


def write(path: Path, settings: Settings, state: State) -> None:
    """Keep all that a training needs to go on; a run is finished by the very code that began it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from companion.experiments.presets import preset
        >>> model = nn.Linear(2, 2)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> constant = torch.optim.lr_scheduler.ConstantLR(optimizer)
        >>> state = State(model, optimizer, constant, torch.Generator(), model.state_dict(), epoch=3)
        >>> with TemporaryDirectory() as folder:
        ...     write(Path(folder, CHECKPOINT), preset("tiny", "mnist5k", "baseline"), state)
        ...     opened(Path(folder, CHECKPOINT).read_bytes(), torch.device("cpu"))["epoch"]
        3
    """
    code = provenance.source_hash("train", settings)
    files.write_atomically(path, sealed({"settings": asdict(settings), "hash": code, **state.to_dict()}))


def restore(state: State, path: Path, settings: Settings, device: torch.device) -> None:
    """Go on from a checkpoint; where other code began the run, leave the state at its beginning.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from companion.experiments.presets import preset
        >>> model, settings = nn.Linear(2, 2), preset("tiny", "mnist5k", "baseline")
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> constant = torch.optim.lr_scheduler.ConstantLR(optimizer)
        >>> state = State(model, optimizer, constant, torch.Generator(), model.state_dict(), epoch=3)
        >>> with TemporaryDirectory() as folder:
        ...     write(Path(folder, CHECKPOINT), settings, state)
        ...     state.epoch = 0
        ...     restore(state, Path(folder, CHECKPOINT), settings, torch.device("cpu"))
        >>> state.epoch
        3
    """
    try:
        saved = opened(path.read_bytes(), device)
        same_settings = Settings.from_dict(saved["settings"]) == settings
        same_code = saved["hash"] == provenance.source_hash("train", settings)
        if same_settings and same_code:
            state.restore(saved)
    except Exception as error:
        raise RecordError(
            f"{path} is damaged and cannot be read ({type(error).__name__}); delete it to start the run anew"
        ) from error
    if not same_settings:
        raise RecordError(f"{path} is of a run with other settings; delete it, or give the run another name")
