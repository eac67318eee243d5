"""Anti-score-matching's two clamps: what each pushes where the estimate is noisy, and where it stops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import Tensor, nn

from companion.experiments import forces
from companion.losses import AntiScoreMatching

CLAMPS = ["one_sided", "two_sided"]
DIMENSIONS = 5


class Bowl(nn.Module):
    """One logit, <w, x> + c |x|^2 / 2: at x = 0 its gradient is w, its Hessian c times the identity."""

    def __init__(self, w: Tensor, c: float) -> None:
        super().__init__()
        self.w, self.c = nn.Parameter(w), nn.Parameter(torch.tensor(c, dtype=w.dtype))

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.w + 0.5 * self.c * x.square().sum(dim=1))[:, None]


def bowl(slope: float, c: float, dimensions: int = DIMENSIONS) -> Bowl:
    """Return a bowl whose gradient at 0 has the length `slope`."""
    return Bowl(slope / math.sqrt(dimensions) * torch.ones(dimensions, dtype=torch.float64), c)


def at_zero(count: int, dimensions: int = DIMENSIONS) -> tuple[Tensor, Tensor]:
    return torch.zeros(count, dimensions, dtype=torch.float64), torch.zeros(count, dtype=torch.long)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@hypothesis_settings(deadline=None, max_examples=40)
@given(tau=st.floats(-50, 50), weight=st.floats(1e-4, 10), kind=st.sampled_from(CLAMPS))
def test_one_clamp_cuts_h_at_tau_and_the_other_folds_it(tau: float, weight: float, kind: str) -> None:
    x, y = at_zero(4)
    loss = AntiScoreMatching(weight=weight, tau=tau, sigma=0.1, clamp=kind)
    terms = loss.terms(bowl(0.5, 4.0), x, y, generator=generator())
    for h, penalty in zip(terms.trace.tolist(), terms.penalty.tolist(), strict=True):  # type: ignore[union-attr]
        clamped = min(h, tau) if kind == "one_sided" else tau - abs(h - tau)
        assert penalty == pytest.approx(-weight * clamped, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("kind", CLAMPS)
@pytest.mark.parametrize("u", [-2.0, 0.0, 1.0])
def test_the_expected_push_is_that_of_the_closed_form(u: float, kind: str) -> None:
    # At c = 0, h is s z for a standard normal z along w, s = 2 |w| / sigma, and tau lies u spreads above the
    # trace, which is 0. Then dh/dw = 2 v / sigma^2 and dh/dc = |v|^2 / sigma^2, z^2 and D - 1 others like it:
    # E[1(z < u) z] = -phi(u) and E[1(z < u) (z^2 + D - 1)] = D Phi(u) - u phi(u).
    model, sigma, count = bowl(3.0, 0.0), 0.1, 100_000
    spread = 2 * 3.0 / sigma
    x, y = at_zero(count)
    loss = AntiScoreMatching(weight=1.0, tau=u * spread, sigma=sigma, clamp=kind)
    loss(model, x, y, generator=generator()).mean().backward()
    normal = torch.distributions.Normal(0.0, 1.0)
    below, density = normal.cdf(torch.tensor(u)).item(), normal.log_prob(torch.tensor(u)).exp().item()
    on_trace, on_spread = DIMENSIONS * below - u * density, -density
    if kind == "two_sided":
        on_trace, on_spread = 2 * on_trace - DIMENSIONS, 2 * on_spread
    assert model.c.grad is not None
    assert model.w.grad is not None
    assert model.c.grad.item() == pytest.approx(-on_trace, abs=5 * DIMENSIONS / count**0.5)
    along = (model.w.grad @ model.w / model.w.norm()).item()
    assert along / (2 / sigma) == pytest.approx(-on_spread, abs=5 / count**0.5)


@pytest.mark.parametrize("kind", CLAMPS)
def test_without_noise_the_push_ends_at_tau_and_the_two_sided_one_turns_round(kind: str) -> None:
    # Many probes: h is the trace itself, 20 = 4 times as much as tau.
    model = bowl(0.0, 20 / DIMENSIONS)
    x, y = at_zero(1)
    loss = AntiScoreMatching(weight=1.0, tau=5.0, num_probes=10_000, variant="central", clamp=kind)
    loss(model, x, y, generator=generator()).mean().backward()
    assert model.c.grad is not None
    assert model.c.grad.item() == pytest.approx(0.0 if kind == "one_sided" else DIMENSIONS, rel=0.05)


def trained(kind: str, tau: float) -> float:
    """Return the trace of a bowl whose curvature alone is trained, where s is twice as large as tau.

    In 200 dimensions, because dh/dc = |v|^2 / sigma^2 weights the draws unevenly in few.
    """
    dimensions = 200
    model = bowl(0.1 * tau, 0.0, dimensions)
    x, y = at_zero(64, dimensions)
    loss, source = AntiScoreMatching(weight=1.0, tau=tau, sigma=0.1, clamp=kind), generator()
    for step in range(200):
        (gradient,) = torch.autograd.grad(loss(model, x, y, generator=source).mean(), [model.c])
        with torch.no_grad():
            model.c.sub_(1e-4 * 0.98**step * gradient)
    return dimensions * model.c.item()


def test_with_noise_the_one_sided_clamp_lets_the_trace_pass_and_the_two_sided_one_holds_it() -> None:
    tau = 10.0
    assert trained("one_sided", tau) > 3 * tau
    assert trained("two_sided", tau) == pytest.approx(tau, rel=0.1)


class TwoLogits(nn.Module):
    """The bowl's logit, and 0; behind a batch norm that is not used, to see whether it is left alone."""

    def __init__(self, c: float) -> None:
        super().__init__()
        self.bowl, self.unused = bowl(0.0, c), nn.BatchNorm1d(DIMENSIONS, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        self.unused(x)
        return torch.cat([self.bowl(x), torch.zeros(len(x), 1, dtype=x.dtype)], dim=1)


def test_the_forces_on_the_trace_are_those_of_the_closed_form() -> None:
    # Only c moves the trace, c D, and dh/dc is D on average. The cross-entropy of logits (f, 0) is
    # log(1 + exp(-f)), so d/dc of it is -|x|^2 / 2 / (1 + exp(f)): it too raises the trace.
    model, count = TwoLogits(0.5), 20_000
    model.bowl.w.requires_grad_(False)
    x = torch.full((count, DIMENSIONS), 0.6, dtype=torch.float64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loss = AntiScoreMatching(weight=0.01, variant="central", tau=-1e9)
    found = forces.forces(model, loss, x, at_zero(count)[1], batch_size=5_000, generator=generator())
    squared = DIMENSIONS * 0.36
    expected = DIMENSIONS * squared / 2 / (1 + math.exp(0.25 * squared))
    assert found.push.shape == found.pull.shape == (4,)
    assert found.push.tolist() == pytest.approx([0.01 * DIMENSIONS**2] * 4, rel=0.05)
    assert found.pull.tolist() == pytest.approx([expected] * 4, rel=0.05)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    with pytest.raises(ValueError, match="the number of batches must be .* at least 2; got 1"):
        forces.forces(model, loss, x[:7], at_zero(7)[1], batch_size=4)


@pytest.mark.parametrize("kind", CLAMPS)
def test_a_nan_is_not_hidden_by_a_clamp(kind: str) -> None:
    x, y = at_zero(2)
    assert AntiScoreMatching(clamp=kind)(bowl(math.nan, 1.0), x, y).isnan().all()


def test_an_unknown_clamp_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"'soft'.*one_sided.*two_sided"):
        AntiScoreMatching(clamp="soft")
