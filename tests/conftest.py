"""What all tests share: one thread for PyTorch, and what stays in one process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

# The tests' tensors are small, and beside a browser a second thread only waits.
torch.set_num_threads(1)

EXECUTED = (
    "tests/browser/test_book.py",
    "tests/browser/test_claims.py",
    "tests/notebooks/test_chapters.py",
)
"""The files that use the executed chapters: two processes must not execute them at a time."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401
    """Keep a file's tests in one process, for its fixtures' sake, and those of `EXECUTED` in the same one."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return "chapters" if path in EXECUTED else path

    return ByFile(config, log)


@pytest.fixture(scope="module")
def few_probes() -> Iterator[None]:
    """Let an epoch's measurements, which take longer than a tiny network's epoch, look at four images."""
    from companion.experiments import training

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "PROBED_IMAGES", 4)
        yield
