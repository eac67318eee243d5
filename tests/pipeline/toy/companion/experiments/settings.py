"""The stand-in's settings."""

from __future__ import annotations

from dataclasses import dataclass

from companion.losses import Loss

METHODS = ("baseline", "score_matching")
TIERS = ("tiny", "quick", "small", "paper")


@dataclass(frozen=True)
class Settings:
    """A run's settings."""

    tier: str
    method: str
    seed: int
    dataset: str = "toy"
    network: str = "none"
    schedule: str = "none"
    augment: bool = False
    precision: str = "none"
    input_noise: float = 0.0
    role: str = "model"
    is_brief: bool = False
    is_evaluated: bool = True

    def loss(self) -> Loss | None:
        """Return the loss; the baseline has none."""
        return None if self.method == "baseline" else Loss()

    @property
    def name(self) -> str:
        """The run's name."""
        return self.method

    @property
    def run_id(self) -> str:
        """The run's folder below `_runs`."""
        return f"{self.tier}/{self.dataset}/{self.method}-seed{self.seed}"

    @classmethod
    def from_dict(cls, values: dict) -> Settings:
        """Build settings from a dictionary."""
        return cls(**values)
