"""How the learning rate changes through a training."""

from __future__ import annotations

import torch

from companion.experiments.settings import Settings


def learning_rate(
    settings: Settings, optimizer: torch.optim.Optimizer, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return the schedule of a run, stepped once a batch.

    `one_cycle`: linear warm-up over the first 20 %, then down linearly (Smith & Topin, 2019). `step`: a tenth
    at one half and at three quarters of the epochs, as the authors' code does at epochs 100 and 150 of 200.
    """
    total = settings.epochs * steps
    if settings.schedule == "one_cycle":
        warm = max(1, round(0.2 * total))
        return torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda t: (t + 1) / warm if t < warm else max(0.0, (total - t) / (total - warm + 1))
        )
    return torch.optim.lr_scheduler.MultiStepLR(optimizer, [total // 2, 3 * total // 4], gamma=0.1)
