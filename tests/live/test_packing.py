"""What the page's engine is given is the network itself, every weight of it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from companion import models
from companion.live.packing import UnsupportedNetwork, pack, pack_array, unpack_array


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_an_array_comes_back_exactly(values: list[float]) -> None:
    array = torch.tensor(values, dtype=torch.float64)
    assert torch.equal(unpack_array(pack_array(array)), array)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.0, 255.0], "uint8"),
        ([-1.0, 0.5], "float16"),
        ([1 / 3], "float64"),
        ([float(2**-20 + 1)], "float32"),
    ],
)
def test_an_array_has_the_smallest_type_that_holds_it(values: list[float], kind: str) -> None:
    assert pack_array(torch.tensor(values, dtype=torch.float64))["type"] == kind


def test_every_weight_of_a_residual_network_is_packed() -> None:
    network = models.resnet9(10, in_channels=1, width=4)
    description = pack(network, (1, 28, 28))
    packed = [unpack_array(a) for step in description["steps"] for a in step.get("arrays", {}).values()]
    assert sum(array.numel() for array in packed) == sum(
        value.numel()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    )
    assert {step["op"] for step in description["steps"]} == {
        "input", "conv", "batch_norm", "softplus", "add", "spatial_mean", "linear",
    }  # fmt: skip


def test_packing_leaves_the_mode_as_it_was() -> None:
    network = models.resnet9(10, in_channels=1, width=2).train()
    pack(network, (1, 28, 28))
    assert network.training
    assert network.bn1.training


class _Unpackable(nn.Module):
    def __init__(self, forward: str) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.kind = forward

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "branch":
            return self.layer(x.flatten(1)) if x.sum() > 0 else self.layer(-x.flatten(1))
        if self.kind == "tanh":
            return self.layer(x.flatten(1)).tanh()
        return self.layer(x.flatten(1)) + 1.0


@pytest.mark.parametrize(
    "network",
    [
        _Unpackable("branch"),
        _Unpackable("tanh"),
        _Unpackable("constant"),
        nn.Sequential(nn.Conv2d(2, 4, 1, groups=2), nn.Flatten(), nn.LazyLinear(3)),
        nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Tanh()),
    ],
)
def test_a_step_that_the_engine_does_not_know_is_refused(network: nn.Module) -> None:
    with pytest.raises(UnsupportedNetwork):
        pack(network, (1, 2, 2))
