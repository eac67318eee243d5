"""What all tests share: one thread for PyTorch each, and which of them stay together in one process."""

import pytest
import torch

# The tests' tensors are small, and beside a browser a second thread only waits.
torch.set_num_threads(1)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep a file's tests together, for its fixtures' sake, and all those that use the executed chapters."""
    uses_chapters = item.path.name in ("test_book.py", "test_chapters.py")
    item.add_marker(pytest.mark.xdist_group("chapters" if uses_chapters else str(item.path)))
