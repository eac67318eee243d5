"""Mean, standard error and the unbiased square, from hand-computed values and a known distribution."""

import pytest
import torch

from companion import trace


def test_mean_and_standard_error_of_hand_computed_samples():
    # Samples 1, 2, 6: mean 3, sum of squared deviations 14, standard error sqrt(14 / (2 * 3)).
    summary = trace.summarise(torch.tensor([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]]))
    torch.testing.assert_close(summary.mean, torch.tensor([3.0, 5.0]))
    torch.testing.assert_close(summary.standard_error, torch.tensor([(14 / 6) ** 0.5, 0.0]))


def test_one_probe_has_no_standard_error():
    summary = trace.summarise(torch.tensor([[4.0]]))
    assert summary.mean.item() == 4
    assert summary.standard_error.isnan().all()


def test_a_summary_becomes_a_frame_with_a_row_a_sample():
    frame = trace.summarise(torch.tensor([[1.0, 7.0], [3.0, 7.0]])).to_frame()
    assert frame.to_dict("list") == {"mean": [2.0, 7.0], "standard_error": [1.0, 0.0]}


@pytest.mark.parametrize("shape", [(3,), (0, 2), (2, 2, 2)])
def test_samples_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(P, B\)"):
        trace.summarise(torch.zeros(shape))


def test_unbiased_square_of_hand_computed_samples():
    # Pairs of 1, 2, 6: (1*2 + 1*6 + 2*6) / 3.
    result = trace.unbiased_square(torch.tensor([[1.0], [2.0], [6.0]]))
    torch.testing.assert_close(result, torch.tensor([20 / 3]))


def test_unbiased_square_has_the_squared_mean_as_its_mean_where_the_plain_square_adds_the_variance():
    # h ~ N(1, 3^2), 2 probes: the square of the mean averages 1 + 9/2.
    generator = torch.Generator().manual_seed(0)
    samples = 1 + 3 * torch.randn(2, 200_000, generator=generator, dtype=torch.float64)
    unbiased, plain = trace.unbiased_square(samples), samples.mean(dim=0).square()
    assert (unbiased.mean() - 1).abs() < 4 * unbiased.std() / 200_000**0.5
    assert (plain.mean() - 5.5).abs() < 4 * plain.std() / 200_000**0.5


@pytest.mark.parametrize("shape", [(1, 3), (3,), (0, 3)])
def test_unbiased_square_needs_two_probes(shape):
    with pytest.raises(ValueError, match="P >= 2 independent probes"):
        trace.unbiased_square(torch.zeros(shape))
