"""The exact checks pass on the book's code and fail on code that is wrong by a small factor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from companion import fooling, metrics, sampling, trace
from companion.claims.evidence import estimators, identities
from companion.claims.rule import Check
from companion.gradients import logit_gradient
from companion.metrics.intervals import mean_interval


@pytest.fixture(scope="module")
def subject() -> tuple[Any, ...]:
    """A small smooth network whose gradients are not small, with pictures and classes."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Softplus(beta=10), nn.Linear(20, 4)).double()
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return (
        model,
        torch.rand(5, 1, 6, 6, generator=generator, dtype=torch.float64),
        torch.tensor([0, 1, 2, 3, 0]),
    )


def scaled(function: Callable[..., Tensor], factor: float) -> Callable[..., Tensor]:
    """Return the function with a wrong factor."""
    return lambda *arguments, **options: factor * function(*arguments, **options)


def failed(checks: list[Check]) -> list[str]:
    return [check.label for check in checks if not check.passed]


def test_shift_invariance_holds_and_a_shift_of_one_logit_breaks_it(subject: tuple[Any, ...]) -> None:
    assert failed(identities.shift_invariance(*subject)) == []
    one_logit = partial(fooling.ShiftedLogits, only_class=0)
    assert {"probabilities", "loss"} <= set(failed(identities.shift_invariance(*subject, shift=one_logit)))

    def weaker(model: nn.Module, g: Callable[..., Tensor]) -> nn.Module:
        return fooling.shift_logits(model, scaled(g, 0.999))

    broken = failed(identities.shift_invariance(*subject, shift=weaker))
    assert broken == ["change of the logit-gradient, minus grad g"]


def test_ripple_bounds_hold_and_twice_the_amplitude_breaks_them(subject: tuple[Any, ...]) -> None:
    assert failed(identities.ripple(*subject)) == []

    def ripple_of(factor: float) -> Callable[..., Callable[..., Tensor]]:
        return lambda model, epsilon, m: fooling.ripple_loss(model, factor * epsilon, m)

    assert "loss beyond eps" in failed(identities.ripple(*subject, loss=ripple_of(2)))
    nearly_none = failed(identities.ripple(*subject, loss=ripple_of(1e-12)))
    assert nearly_none == ["l1 change of the gradient, against m eps D |cos|"]


def test_bayes_holds_and_a_score_wrong_by_a_thousandth_breaks_it(subject: tuple[Any, ...]) -> None:
    mixture = identities.two_classes()
    model, x, y = subject
    assert failed(identities.bayes(model, x, y, mixture)) == []
    assert failed(identities.bayes(model, x, y, mixture, score=scaled(logit_gradient, 1.001))) == [
        "logit-gradient against the score",
        "network: grad f_i against its two terms",
    ]


def test_perturbation_is_the_log_ratio_and_masking_one_pixel_less_is_not() -> None:
    assert failed(identities.perturbation_is_density_ratio()) == []

    def one_less(
        model: nn.Module, x: Tensor, y: Tensor, maps: Tensor, *, fractions: Sequence[float], score: str
    ) -> metrics.Curve:
        fewer = [max(0.0, f - 1 / 16) for f in fractions]
        return metrics.pixel_perturbation(model, x, y, maps, fractions=fewer, score=score)

    assert len(failed(identities.perturbation_is_density_ratio(perturb=one_less))) == 3


def test_activation_maximisation_is_noiseless_langevin_and_other_steps_are_not(
    subject: tuple[Any, ...],
) -> None:
    assert failed(identities.activation_maximisation(*subject)) == []

    climb = sampling.activation_maximisation

    def changed(**changes: Callable[[float], float]) -> Callable[..., Tensor]:
        return lambda *arguments, **options: climb(
            *arguments, **options | {k: change(options.get(k, 0.0)) for k, change in changes.items()}
        )

    longer = changed(step_size=lambda size: 1.01 * size)
    assert "five steps of a network" in failed(identities.activation_maximisation(*subject, climb=longer))
    without_prior = changed(weight_decay=lambda _: 0.0)
    broken = failed(identities.activation_maximisation(*subject, climb=without_prior))
    assert broken == ["with a pull to grey, mode of the product"]


def test_hyvarinen_holds_and_a_trace_wrong_by_a_thousandth_breaks_it() -> None:
    assert failed(estimators.hyvarinen()) == []
    broken = failed(estimators.hyvarinen(trace_of=scaled(trace.exact, 1.001)))
    assert "eq. 1 minus eq. 2, minus the constant" in broken


def test_taylor_holds_and_half_its_factor_breaks_it() -> None:
    assert failed(estimators.taylor()) == []
    assert len(failed(estimators.taylor(estimate=scaled(trace.taylor, 0.5)))) == 1


def test_taylor_quadrature_gives_the_closed_form_of_a_cosine() -> None:
    x = torch.tensor([[0.3, 0.0]], dtype=torch.float64)
    sigma = 0.7
    exact = 2 / sigma**2 * (x[0].cos().sum() * (torch.tensor(-(sigma**2) / 2, dtype=torch.float64).exp() - 1))
    expected = estimators.taylor_expectation(lambda z: z.cos().sum(dim=1), x, sigma)
    torch.testing.assert_close(expected[0], exact, rtol=1e-10, atol=0)


def test_variances_hold_and_a_tenth_more_breaks_them() -> None:
    assert failed(estimators.taylor_variance()) == []
    assert failed(estimators.hutchinson_variance()) == []
    assert len(failed(estimators.taylor_variance(estimate=scaled(trace.taylor, 1.05)))) == 3
    assert len(failed(estimators.hutchinson_variance(estimate=scaled(trace.hutchinson, 1.05)))) == 3


def test_probes_shared_by_all_samples_break_the_quarter_for_four_probes() -> None:
    def repeated(
        f: Callable[..., Tensor], x: Tensor, *, num_probes: int, distribution: str, generator: torch.Generator
    ) -> Tensor:
        one = trace.hutchinson(f, x, distribution=distribution, generator=generator)
        return one.expand(num_probes, -1)

    assert any("four probes" in label for label in failed(estimators.hutchinson_variance(estimate=repeated)))


def test_an_interval_too_wide_to_mean_anything_does_not_pass() -> None:
    wide = mean_interval([0.0, 2.0], confidence=0.999)
    assert not estimators.sharp("mean", wide, 1.0).passed
