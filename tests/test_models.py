"""The networks against torchvision's, the softplus against its limits, weights against what can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from companion import models

M = TypeVar("M", bound=nn.Module)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_statistics(model: M) -> M:
    """Give every batch norm statistics and scales that are not 0 and 1."""
    generator = seeded(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.running_mean, -1.0, 1.0), (module.running_var, 0.5, 2.0),
                (module.weight, 0.5, 2.0), (module.bias, -1.0, 1.0),
            ):  # fmt: skip
                assert values is not None
                values.data.uniform_(low, high, generator=generator)
    return model


@pytest.mark.parametrize(
    ("make", "width", "num_classes", "count"),
    [
        (models.resnet9, 16, 10, 308_826),
        (models.resnet18, 64, 100, 11_220_132),
        (models.resnet34, 64, 100, 21_328_292),
    ],
)
def test_parameter_counts_are_those_of_the_usual_cifar_resnet(
    make: Callable[..., models.ResNet], width: int, num_classes: int, count: int
) -> None:
    network = make(num_classes, width=width)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_resnet18_equals_torchvisions_with_a_3x3_stem_no_max_pool_and_softplus() -> None:
    ours = with_statistics(models.resnet18(10, generator=seeded())).double().eval()
    theirs = torchvision.models.resnet18(num_classes=10)
    theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.maxpool = nn.Identity()  # type: ignore[assignment]
    theirs.load_state_dict(ours.state_dict())
    theirs = models.to_softplus(theirs, beta=10.0).double().eval()
    x = torch.rand(2, 3, 32, 32, dtype=torch.float64, generator=seeded())
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 28), (1, 32), (3, 32)])
def test_accepts_28_and_32_pixels_and_any_channels(channels: int, size: int) -> None:
    network = models.resnet9(7, in_channels=channels, width=2)
    assert network(torch.rand(2, channels, size, size)).shape == (2, 7)


@pytest.mark.parametrize("shape", [(2, 1, 32, 32), (2, 3, 30, 30), (2, 3, 28, 32), (3, 32, 32)])
def test_wrong_size_or_channels_says_what_was_given_and_what_is_allowed(shape: tuple[int, ...]) -> None:
    network = models.resnet9(10, width=2)
    with pytest.raises(ValueError, match=r"\(B, 3, 28, 28\) or \(B, 3, 32, 32\); got") as error:
        network(torch.rand(shape))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"width": 0}, "width"),
        ({"in_channels": 0}, "in_channels"),
        ({"beta": 0.0}, "beta"),
        ({"beta": -1}, "beta"),
    ],
)
def test_sizes_out_of_range_are_refused_by_name(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        models.resnet9(10, **settings)


def test_initial_weights_come_from_the_generator_and_leave_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (models.resnet9(10, width=2, generator=seeded(seed)) for seed in (3, 3, 4))
    fresh, fresh_too = models.resnet9(10, width=2), models.resnet9(10, width=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.conv1.weight, again.conv1.weight)
    assert torch.equal(first.fc.bias, again.fc.bias)
    assert not torch.equal(first.conv1.weight, other.conv1.weight)
    assert not torch.equal(fresh.conv1.weight, fresh_too.conv1.weight)


def test_the_input_hessian_of_a_softplus_network_is_not_zero_where_that_of_its_relu_original_is() -> None:
    relu = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1)).double()
    smooth = models.to_softplus(relu)
    x = torch.full((3,), 0.3, dtype=torch.float64)
    assert torch.autograd.functional.hessian(lambda v: relu(v).sum(), x).abs().max() == 0
    assert torch.autograd.functional.hessian(lambda v: smooth(v).sum(), x).abs().max() > 1e-6


def test_softplus_has_no_step_where_torchs_default_switches_to_the_identity() -> None:
    layer = models.to_softplus(nn.ReLU(), beta=10.0)
    x = torch.tensor([2.0 + 1e-9], dtype=torch.float64)
    exact = x + torch.log1p(torch.exp(-10 * x)) / 10
    torch.testing.assert_close(layer(x), exact, rtol=0, atol=1e-15)


@pytest.mark.parametrize("module", [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-0.5, 2.0), nn.LeakyReLU(0.2)])
def test_smooth_versions_tend_to_the_originals_as_beta_grows(module: nn.Module) -> None:
    x = torch.linspace(-3, 9, 400, dtype=torch.float64)
    for beta in (10.0, 1000.0):
        gap = (models.to_softplus(module, beta)(x) - module(x)).abs().max()
        assert 0 < gap <= torch.log(torch.tensor(2.0)) / beta + 1e-12  # log(2)/beta, attained at the kink


def test_to_softplus_copies_and_keeps_class_modes_weights_and_shared_activations() -> None:
    model = torchvision.models.mobilenet_v2(num_classes=4)
    model.features.train()
    model.classifier.eval()
    smooth = models.to_softplus(model)
    assert type(smooth) is type(model)
    assert any(isinstance(module, nn.ReLU6) for module in model.modules())
    assert not any(isinstance(module, nn.ReLU6) for module in smooth.modules())
    assert smooth.features.training
    assert not smooth.classifier.training
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), smooth.parameters(), strict=True))
    shared = nn.ReLU()
    both = models.to_softplus(nn.Sequential(shared, nn.Sequential(shared)))
    assert both[0] is both.get_submodule("1.0")


class CallsRelu(nn.Module):
    """A module and a function, one after the other."""

    def __init__(self) -> None:
        """Make both."""
        super().__init__()
        self.first, self.activation = nn.Linear(2, 2), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Call F.relu, which no copy can replace."""
        return F.relu(self.activation(self.first(x)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (CallsRelu(), "forward calls relu.*nn.ReLU"),
        (nn.Sequential(nn.Linear(2, 2), nn.PReLU()), "PReLU.*no smooth version"),
        (nn.Linear(2, 2), "nothing to replace"),
    ],
)
def test_what_to_softplus_cannot_replace_it_refuses(model: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.to_softplus(model)


@pytest.mark.parametrize("make", [models.resnet9, models.resnet34])
def test_folded_batch_norm_gives_the_same_logits_in_float64(make: Callable[..., models.ResNet]) -> None:
    network = with_statistics(make(10, width=4, generator=seeded())).double().eval()
    folded = models.fold_batch_norm(network)
    x = torch.rand(3, 3, 32, 32, dtype=torch.float64, generator=seeded())
    with torch.no_grad():
        logits = network(x)
        torch.testing.assert_close(folded(x), logits, rtol=1e-12, atol=1e-12)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_folding_works_on_torchvisions_network_and_refuses_a_batch_norm_on_its_own() -> None:
    network = with_statistics(torchvision.models.resnet18(num_classes=3)).double().eval()
    x = torch.rand(2, 3, 64, 64, dtype=torch.float64, generator=seeded())
    with torch.no_grad():
        torch.testing.assert_close(models.fold_batch_norm(network)(x), network(x), rtol=1e-11, atol=1e-11)
    with pytest.raises(ValueError, match="batch norm 0 does not follow a convolution"):
        models.fold_batch_norm(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3)))


def test_round_to_half_is_what_the_file_gives_back(tmp_path: Path) -> None:
    network = with_statistics(models.resnet9(10, width=2, generator=seeded()))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    rounded = models.round_to_half(network)
    models.save_weights(network, tmp_path / "new" / "weights.safetensors")
    loaded = models.load_weights(models.resnet9(10, width=2), tmp_path / "new" / "weights.safetensors")
    assert loaded.fc.weight.dtype == torch.float32
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, rounded.state_dict()[name])
        assert torch.equal(network.state_dict()[name], before[name])
    assert not torch.equal(rounded.fc.weight, network.fc.weight)


def test_float32_weights_come_back_bit_for_bit_and_the_digest_is_the_files(tmp_path: Path) -> None:
    from hashlib import sha256

    network = models.resnet9(10, width=2)
    path = tmp_path / "weights.safetensors"
    digest = models.save_weights(network, path, dtype=torch.float32)
    assert digest == sha256(path.read_bytes()).hexdigest()
    assert models.save_weights(network, path, dtype=torch.float32) == digest
    assert torch.equal(
        models.load_weights(models.resnet9(10, width=2), path).conv1.weight, network.conv1.weight
    )


def test_a_value_too_large_for_half_is_refused_and_the_former_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    layer = nn.Linear(1, 1)
    models.save_weights(layer, path)
    former = path.read_bytes()
    layer.weight.data.fill_(1e6)
    with pytest.raises(models.WeightsError, match=r"weight holds 1e\+06.*float32"):
        models.save_weights(layer, path)
    with pytest.raises(models.WeightsError, match="float32"):
        models.round_to_half(layer)
    assert path.read_bytes() == former


def test_a_write_that_fails_leaves_the_former_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.safetensors"
    models.save_weights(nn.Linear(1, 1), path)
    former = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        models.save_weights(nn.Linear(1, 1), path)
    assert path.read_bytes() == former
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", None])
def test_a_damaged_or_half_written_file_is_named_and_the_model_is_left_alone(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "weights.safetensors"
    models.save_weights(nn.Linear(9, 9), path)
    path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    layer = nn.Linear(9, 9)
    before = layer.weight.clone()
    with pytest.raises(models.WeightsError, match="weights.safetensors is damaged.*delete it"):
        models.load_weights(layer, path)
    assert torch.equal(layer.weight, before)


def test_weights_of_another_network_or_no_file_are_refused_with_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(models.WeightsError, match="cannot read weights from .*No such file"):
        models.load_weights(nn.Linear(2, 2), path)
    models.save_weights(nn.Linear(2, 3), path)
    layer = nn.Linear(2, 2)
    before = layer.bias.clone()
    with pytest.raises(
        models.WeightsError, match=r"weight has shape \(3, 2\) in the file, \(2, 2\) in the model"
    ):
        models.load_weights(layer, path)
    with pytest.raises(models.WeightsError, match="bias is unknown to the model"):
        models.load_weights(nn.Linear(2, 3, bias=False), path)
    assert torch.equal(layer.bias, before)
