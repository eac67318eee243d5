"""What a chapter's first call refuses, and what the prose is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from companion.book import opening


def test_chapter_cells_executed_again_by_hand_are_not_taken_for_parameters() -> None:
    cells = ["", "seed = 0", "# Parameters\nseed = 1", "model = 1", "# Parameters of the figure\nwidth = 3"]
    opening.refuse_unknown({"In": cells, "model": 1, "_": 2, "exit": 3}, ("seed",))
    opening.refuse_unknown({"model": 1}, ("seed",))


@pytest.mark.parametrize(
    ("namespace", "message"),
    [
        ({"tier": "huge"}, "tier='huge' does not exist; choose one of 'tiny', 'quick', 'small', 'paper'"),
        ({"tier": "quick", "In": ["# Parameters\nsed = 1"]}, "no parameter 'sed'; it has tier, seed, device"),
    ],
)
def test_an_unknown_tier_or_parameter_is_refused_with_those_there_are(
    namespace: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        opening.begin(namespace)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """Be inside IPython for a while, without a history, whatever environment the tests were called from."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    off = Config({"HistoryManager": {"enabled": False}})
    yield InteractiveShell.instance(config=off, ipython_dir=str(tmp_path))
    InteractiveShell.clear_instance()


@pytest.mark.usefixtures("shell")
def test_each_word_is_one_output_that_the_page_can_quote_and_does_not_show() -> None:
    with capture_output() as captured:
        opening.tell({"digits-right": 3}, error=f"{0.05:.0e}")
    quoted = {output.metadata["scrapbook"]["name"]: output.data for output in captured.outputs}
    assert quoted == {
        "digits-right": {"application/papermill.record/text/plain": "3"},
        "error": {"application/papermill.record/text/plain": "'5e-02'"},
    }
