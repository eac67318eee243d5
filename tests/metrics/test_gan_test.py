"""GAN-test with judges whose answers are known."""

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from companion import metrics


class SaysItsPixel(nn.Module):
    """Answers the class that the first pixel holds, times 10."""

    def __init__(self) -> None:
        """Set up."""
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        return nn.functional.one_hot((10 * x[:, 0, 0, 0]).round().long(), 10).float()


def pictures_of(classes: list[int]) -> Tensor:
    return torch.tensor(classes)[:, None, None, None].expand(-1, 1, 4, 4) / 10


@pytest.mark.parametrize("batch_size", [1, 3, 500])
def test_accuracy_counts_each_sample_once_whatever_the_batch(batch_size: int) -> None:
    result = metrics.gan_test(
        pictures_of([0, 1, 2, 3, 4, 5, 6]),
        torch.tensor([0, 1, 2, 3, 9, 9, 9]),
        SaysItsPixel(),
        batch_size=batch_size,
    )
    assert result.accuracy == pytest.approx(4 / 7)
    assert result.n == 7
    assert result.correct.tolist() == [True] * 4 + [False] * 3
    expected = stats.binomtest(4, 7).proportion_ci(0.95, method="wilson")
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high))


def test_perfect_and_hopeless_samples_score_1_and_0() -> None:
    judge = SaysItsPixel()
    assert metrics.gan_test(pictures_of([3, 3, 3]), 3, judge).accuracy == 1.0
    assert metrics.gan_test(pictures_of([3, 3, 3]), 4, judge).accuracy == 0.0


def test_judge_gets_its_modes_back_also_after_an_error() -> None:
    judge = SaysItsPixel().train()
    metrics.gan_test(pictures_of([1]), 1, judge)
    assert judge.training
    assert judge.norm.training
    with pytest.raises(ValueError, match="classes are 0 to 9"):
        metrics.gan_test(pictures_of([1]), 10, judge)
    assert judge.norm.training


def test_missing_targets_and_empty_samples_are_refused() -> None:
    with pytest.raises(TypeError, match="targets"):
        metrics.gan_test(pictures_of([1]), None, SaysItsPixel())  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="at least one"):
        metrics.gan_test(torch.zeros(0, 1, 4, 4), 0, SaysItsPixel())
    with pytest.raises(ValueError, match="shape"):
        metrics.gan_test(pictures_of([1, 2]), torch.tensor([1]), SaysItsPixel())


def test_frame_has_one_row() -> None:
    frame = metrics.gan_test(pictures_of([1, 2]), torch.tensor([1, 1]), SaysItsPixel()).to_frame()
    assert frame.columns.tolist() == ["accuracy", "low", "high", "n"]
    assert frame.loc[0, "accuracy"] == 0.5
