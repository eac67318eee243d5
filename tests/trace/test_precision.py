"""TF32: noticed, refused on CUDA, turned off and restored."""

import types

import pandas as pd
import pytest
import torch

from companion import metrics, trace
from companion.experiments import provenance
from companion.trace import precision
from companion.trace.precision import TF32_SIGMA, require_full_precision, tf32_in_use


class _OnCuda:
    """What the check reads of a tensor, as a CUDA tensor has it."""

    dtype, is_cuda, device = torch.float32, True, torch.device("cuda")

    def is_floating_point(self):
        return True


@pytest.fixture
def tf32_switch():
    convolutions = (
        torch.backends.cudnn.conv if hasattr(torch.backends.cudnn, "conv") else torch.backends.cudnn
    )
    name = "fp32_precision" if convolutions is not torch.backends.cudnn else "allow_tf32"
    before = getattr(convolutions, name)
    yield lambda on: setattr(convolutions, name, {True: "tf32", False: "ieee"}[on] if "fp32" in name else on)
    setattr(convolutions, name, before)


def test_tf32_on_cuda_is_refused_and_full_precision_is_the_remedy(tf32_switch):
    tf32_switch(True)
    with pytest.raises(ValueError, match=r"trace\.full_precision\(\)"):
        require_full_precision(_OnCuda())
    require_full_precision(_OnCuda(), allow_low_precision=True)
    with trace.full_precision():
        require_full_precision(_OnCuda())


def test_tf32_on_cuda_is_allowed_for_a_taylor_estimate_of_a_sigma_that_is_large_enough(tf32_switch):
    tf32_switch(True)
    require_full_precision(_OnCuda(), sigma=0.01)
    with pytest.raises(ValueError, match=r"a sigma of at least 0\.01; got 0\.009"):
        require_full_precision(_OnCuda(), sigma=0.009)


def test_the_sigma_from_which_tf32_suffices_is_the_measured_one():
    rows = pd.read_csv(provenance.PROJECT / "results" / "paper" / "cifar100" / "tf32.csv")
    spread = rows.pivot_table(
        index=["model", "variant", "sigma"], columns="precision", values="spread_within_image"
    )
    worse = (spread["tf32"] / spread["float32"]).groupby("sigma").max()
    assert all(worse[worse.index >= TF32_SIGMA] < 1.01)
    assert worse[worse.index < TF32_SIGMA].max() > 4


def test_full_precision_restores_the_switch_also_on_error(tf32_switch):
    tf32_switch(True)

    def fail():
        with trace.full_precision():
            assert not tf32_in_use()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert tf32_in_use()


def test_float64_and_cpu_inputs_do_not_mind_tf32(tf32_switch):
    tf32_switch(True)
    require_full_precision(torch.rand(2))
    require_full_precision(torch.rand(2, dtype=torch.float64))


@pytest.mark.parametrize(
    "estimator", [trace.exact, trace.hutchinson, lambda f, x: trace.taylor(f, x, sigma=0.01)]
)
def test_integer_images_are_refused_with_the_remedy(estimator):
    with pytest.raises(ValueError, match=r"got torch.uint8.*x\.float\(\) / 255"):
        estimator(lambda x: x.sum(dim=1), torch.zeros(2, 3, dtype=torch.uint8))


def test_the_exact_trace_and_density_ratios_refuse_autocast():
    model = torch.nn.Linear(3, 2)
    x = torch.rand(2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.raises(ValueError, match="the exact trace does not work under autocast"):
            trace.exact(trace.logit(model, 0), x)
        with pytest.raises(ValueError, match="loses its digits under autocast"):
            metrics.density_ratio(model, x, 0, sigmas=[0.1])
        assert metrics.density_ratio(model, x, 0, sigmas=[0.0], allow_low_precision=True).ratio.item() == 1


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("before", [True, False])
def test_tf32_is_switched_in_convolutions_and_products_and_given_back(which, before):
    name, values, switches = precision._switches()
    assert switches[1] is torch.backends.cuda.matmul
    former = [getattr(switch, name) for switch in switches]
    try:
        for place, switch in enumerate(switches):
            setattr(switch, name, values[before and place == which])
        assert tf32_in_use() == before
        for allowed in (True, False):
            with precision.tensor_float32(allowed):
                assert [getattr(switch, name) for switch in switches] == [values[allowed]] * 2
                assert tf32_in_use() == allowed
            assert tf32_in_use() == before
            assert getattr(switches[1 - which], name) == values[False]
    finally:
        for switch, value in zip(switches, former, strict=True):
            setattr(switch, name, value)


def test_the_older_switches_are_used_where_there_are_no_newer_ones(monkeypatch):
    monkeypatch.setattr(torch.backends, "cudnn", types.SimpleNamespace(allow_tf32=True))
    name, values, switches = precision._switches()
    assert (name, values) == ("allow_tf32", {False: False, True: True})
    assert switches == (torch.backends.cudnn, torch.backends.cuda.matmul)


def test_a_refusal_of_half_precision_says_where_and_what_to_do():
    with pytest.raises(ValueError, match=r"in the model: .*Use float32 or float64.*allow_low"):
        precision.refuse_half("the model")
