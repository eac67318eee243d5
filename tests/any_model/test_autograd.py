"""Inference mode, fused attention, checkpoints, compiled models, layers with a backward of their own."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from companion import gradients, losses, metrics, models, trace
from tests.any_model.models import Before, images, smooth
from tests.any_model.test_fixed_function import CALLS, seeded


@pytest.mark.parametrize("name", CALLS)
def test_inference_tensors_and_inference_mode_change_no_number(name):
    model, (x, y) = smooth().eval(), images()
    right = CALLS[name](model, x, y).detach()
    with torch.inference_mode():
        made_there, classes = x.clone(), y.clone()
        assert torch.equal(CALLS[name](model, x, y), right)
    assert torch.equal(CALLS[name](model, made_there, classes).detach(), right)


def test_a_model_loaded_in_inference_mode_is_refused_with_the_remedy():
    with torch.inference_mode():
        model = smooth().eval()
    x, y = images()
    with pytest.raises(ValueError, match="outside of it"):
        gradients.logit_gradient(model, x, y)


class Attends(nn.Module):
    """Scaled dot-product attention between the rows of an image."""

    def __init__(self):
        super().__init__()
        self.project, self.head = nn.Linear(4, 12), nn.Linear(16, 3)

    def forward(self, x):
        q, k, v = self.project(x).chunk(3, dim=-1)
        return self.head(nn.functional.scaled_dot_product_attention(q, k, v).flatten(1))


def encoder():
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, activation="gelu", batch_first=True)
    return nn.Sequential(nn.Flatten(1, 2), layer, nn.Flatten(), nn.Linear(16, 3))


@pytest.mark.parametrize("make", [Attends, encoder])
@pytest.mark.parametrize("frozen", [True, False])
def test_attention_has_the_trace_of_its_plain_formula(make, frozen):
    torch.manual_seed(0)
    model, (x, y) = make().eval().double().requires_grad_(not frozen), images()
    x = x.double()
    f = trace.logit(model, y)

    def of_one(row, index):
        with sdpa_kernel(SDPBackend.MATH):
            hessian = torch.autograd.functional.hessian(lambda z: model(z[None])[0, y[index]], row)
        return hessian.reshape(16, 16).trace()

    right = torch.stack([of_one(row, index) for index, row in enumerate(x)])
    with torch.no_grad():
        assert torch.allclose(trace.exact(f, x), right)
        samples = trace.hutchinson(f, x, num_probes=400, generator=seeded())
        central = trace.taylor(f, x, sigma=1e-3, variant="central", num_probes=400, generator=seeded())
    for found in (samples, central):
        spread = found.std(dim=0) / 20
        assert ((found.mean(dim=0) - right).abs() < 4 * spread + 1e-3).all()


@pytest.mark.parametrize("make", [Attends, encoder])
def test_penalties_on_attention_reach_its_weights(make):
    model, (x, y) = make().eval(), images()
    for loss in (losses.ScoreMatching(), losses.GradientNorm()):
        model.zero_grad()
        loss(model, x, y).mean().backward()
        reached = [name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()]
        assert {name for name, p in model.named_parameters() if name.endswith("weight")} <= set(reached)


class Checkpoints(nn.Module):
    def __init__(self, *, reentrant, norm=False):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Softplus())
        if norm:
            self.body.insert(1, nn.BatchNorm2d(2))
        self.head, self.reentrant = nn.Sequential(nn.Flatten(), nn.Linear(32, 3)), reentrant

    def forward(self, x):
        if self.reentrant is None:
            return self.head(self.body(x))
        return self.head(checkpoint(self.body, x, use_reentrant=self.reentrant))


@pytest.mark.filterwarnings("ignore:None of the inputs:UserWarning")
@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("name", ["logit_gradient", "exact", "hutchinson", "ScoreMatching", "GradientNorm"])
def test_activation_checkpointing_is_right_or_refused(reentrant, name):
    x, y = images()
    model = Checkpoints(reentrant=reentrant).eval()
    if reentrant or name == "exact":
        with pytest.raises(ValueError, match=r"checkpointing|of its own"):
            CALLS[name](model, x, y)
        model.reentrant = None  # switched off, as the message says
    right = CALLS[name](Checkpoints(reentrant=None).eval(), x, y)
    assert torch.allclose(CALLS[name](model, x, y), right)


@pytest.mark.filterwarnings("ignore:None of the inputs:UserWarning")
@pytest.mark.parametrize("choice", ["joint", "of_x", "separate"])
@pytest.mark.parametrize("reentrant", [True, False])
def test_batch_norms_inside_a_checkpoint_are_refused_in_training(choice, reentrant):
    loss = losses.ScoreMatching(batch_norm=choice, norm="pair")
    with pytest.raises(ValueError, match="checkpointing"):
        loss(Checkpoints(reentrant=reentrant, norm=True).train(), *images())


@pytest.fixture
def compiled():
    """Compile what it is given, without a compiler of C++, and forget it at the end."""
    torch._dynamo.reset()
    yield lambda model: torch.compile(model, backend="aot_eager")
    torch._dynamo.reset()


@pytest.mark.parametrize("where", ["whole", "inside", "in a function"])
@pytest.mark.parametrize("name", ["logit_gradient", "exact", "hutchinson", "ScoreMatching", "GradientNorm"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_model_gives_the_numbers_of_the_model_inside(compiled, where, name):
    model, (x, y) = smooth().eval(), images()
    inside = compiled(model)
    given = {"whole": inside, "inside": nn.Sequential(inside), "in a function": lambda z: inside(z)}[where]
    right = CALLS[name](model, x, y)
    assert torch.allclose(CALLS[name](given, x, y), right, rtol=1e-5, atol=1e-7)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_gradient_of_a_penalty_on_a_compiled_model_is_that_of_the_model_inside(compiled):
    model, (x, y) = smooth().eval(), images()
    slopes = []
    for given in (model, compiled(model)):
        model.zero_grad()
        losses.GradientNorm(weight=1.0)(given, x, y).mean().backward()
        slopes.append(model[1].weight.grad.clone())
    assert torch.allclose(*slopes)


def test_the_surgery_of_a_compiled_model_is_that_of_the_model_inside(compiled):
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.ReLU())
    assert isinstance(models.to_softplus(compiled(model))[2], nn.Softplus)


class Cube(torch.autograd.Function):
    """x^3, whose backward hides x from autograd."""

    @staticmethod
    def forward(ctx, x):
        ctx.x = x.detach()
        return x**3

    @staticmethod
    def backward(ctx, g):
        return g * 3 * ctx.x**2


class OnceCube(Cube):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return g * 3 * ctx.x**2


@pytest.mark.parametrize("layer", [Cube, OnceCube])
def test_no_zero_stands_for_a_curvature_that_autograd_cannot_see(layer):
    x, y = images()
    model = Before(lambda z, _: layer.apply(z), nn.Sequential(nn.Flatten(), nn.Linear(16, 3))).eval()
    f = trace.logit(model, y)
    with pytest.raises(ValueError, match=r"trace\.taylor"):
        trace.hutchinson(f, x)
    with pytest.raises(ValueError, match=r"trace\.taylor"):
        trace.exact(f, x)
    # What both messages advise; the trace is the sum of 6 w x.
    samples = trace.taylor(f, x, sigma=0.03, variant="central", num_probes=2000, generator=seeded()).detach()
    right = (6 * model.body[1].weight[y] * x.flatten(1)).sum(dim=1)
    assert ((samples.mean(dim=0) - right).abs() < 5 * samples.std(dim=0) / 2000**0.5 + 1e-3).all()


def test_a_linear_model_has_a_trace_of_zero_and_says_so():
    x, y = images()
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    with pytest.warns(UserWarning, match="exactly zero"):
        assert not trace.hutchinson(trace.logit(model, y), x).any()


def test_metrics_leave_inference_mode_as_they_found_it():
    x, y = images()
    model = smooth()
    with torch.inference_mode():
        metrics.extremal_mask(model, x, y, steps=1, grid=2)
        assert torch.is_inference_mode_enabled()
    with torch.no_grad():
        trace.hutchinson(trace.logit(smooth().eval(), y), x)
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize("cut", [torch.Tensor.detach, torch.zeros_like])
def test_logits_from_which_no_gradient_leads_back_are_refused(cut):
    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = smooth()

        def forward(self, x):
            return cut(self.body(x))

    x, y = images()
    for call in (gradients.logit_gradient, gradients.loss_gradient):
        with pytest.raises(ValueError, match="no gradient leads from the logits back to the images"):
            call(Cut().eval(), x, y)
