"""What centring takes off a method's effect, on networks whose mean logit is known."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from companion import fooling
from companion.book import centring


class _Flat(nn.Module):
    """A linear classifier on 8 x 8 images."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        source = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(4, 64, generator=source))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.T


def test_what_is_in_the_mean_logit_alone_is_gone_when_it_is_centred() -> None:
    plain, judge = _Flat(0).eval(), _Flat(1).eval()
    ramp = torch.arange(64.0).view(1, 8, 8) / 64
    painted = fooling.shift_logits(plain, fooling.linear_shift(ramp, 50.0)).eval()
    x = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    y, starts = torch.tensor([0, 1, 2, 3, 0]), torch.full((4, 1, 8, 8), 0.5)

    def measure(network: nn.Module) -> tuple[dict[str, float], Tensor]:
        return centring.qualities(network, x, y, starts, judge, steps=3)

    rows = [
        *centring.both_ways("baseline", 0, plain, measure),
        *centring.both_ways("score_matching", 0, painted, measure),
    ]
    found = centring.effects(pd.DataFrame(rows)).set_index("measure")
    assert found.loc["smoothness", "trained"] > 0.5
    assert found["centred"].abs().max() < 1e-4
    assert rows[2]["moved"] > 0.1


def frame(trained: list[float], centred: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": "gradient_norm",
            "seed": range(len(trained)),
            "measure": "samples",
            "trained": trained,
            "centred": centred,
        }
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_the_answer_says_which_effects_stay_under_both_signs(sign: int) -> None:
    trained = [sign * value for value in (1.0, 1.1, 0.9)]
    name = "gradient norm (samples, by the judge)"
    stays = centring.answer(centring.compared(frame(trained, [sign * value for value in (0.9, 1.02, 0.79)])))
    assert stays["clear"].endswith(
        f"one is clear as trained, {name}; without the mean logit it stays clear, on the same side"
    )
    assert stays["through"] == name
    assert stays["smaller"] == "1 of 1"
    goes = centring.answer(centring.compared(frame(trained, [0.01, -0.01, 0.0])))
    assert goes["clear"].endswith("without the mean logit it is not, or not on the same side")
    assert goes["smaller"] == "0 of 1"


def test_an_undecided_effect_is_called_undecided() -> None:
    found = centring.compared(frame([1.0, -1.1, 0.2], [0.9, -1.0, 0.2]))
    assert "none is clear" in centring.answer(found)["clear"]
    assert centring.in_words(found, "samples").startswith("gradient norm +0.0333 (")


def test_one_seed_has_no_interval_and_decides_nothing() -> None:
    found = centring.compared(frame([1.0], [0.5]))
    assert "none is clear" in centring.answer(found)["clear"]
    assert "one seed, no interval" in centring.in_words(found, "samples")
