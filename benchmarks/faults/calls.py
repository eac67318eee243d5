"""Library calls and command lines that Hypothesis makes up: right, or refused in a sentence.

A call is given a model, images, classes and options of many kinds, fit and unfit. It survives if it returns
what the same call returns for plain arguments (images copied, classes as a tensor), or if it raises one of
the documented errors with a sentence; and if it leaves images, weights, modes and the global random state as
they were.
"""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from benchmarks.faults.trials import Trials
from companion import audit, cli, fooling, gradients, losses, making, metrics, sampling, trace

SIDE, CLASSES = 4, 3
SENTENCE = 20
"""An error of fewer characters is no sentence."""
DOCUMENTED = (ValueError, TypeError, ArithmeticError)


class InPlace(nn.Module):
    """A classifier that overwrites its input."""

    def __init__(self, body: nn.Module) -> None:
        """Keep what comes after."""
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """Centre x where it lies, and classify it."""
        return self.body(x.sub_(0.5))


class Returns(nn.Module):
    """A classifier with something done to its logits."""

    def __init__(self, body: nn.Module, function: Callable[[Tensor], Any]) -> None:
        """Keep both."""
        super().__init__()
        self.body, self.function = body, function

    def forward(self, x: Tensor) -> Any:  # noqa: ANN401
        """Return what the function makes of the logits."""
        return self.function(self.body(x))


def smooth(channels: int, activation: type[nn.Module] = nn.Softplus) -> nn.Sequential:
    """Return a small classifier of (B, channels, SIDE, SIDE) images."""
    head = nn.Linear(8, CLASSES)
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * SIDE**2, 8), activation(), head)


def convolutional(channels: int) -> nn.Sequential:
    """Return one with a batch norm."""
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Softplus(), nn.Flatten(), nn.LazyLinear(3)
    )


MODELS: dict[str, Callable[[int], nn.Module]] = {
    "smooth": smooth,
    "linear": lambda c: nn.Sequential(nn.Flatten(), nn.Linear(c * SIDE**2, CLASSES)),
    "ReLU": lambda c: smooth(c, nn.ReLU),
    "batch norm": convolutional,
    "dropout": lambda c: nn.Sequential(nn.Dropout(0.5), smooth(c)),
    "in place": lambda c: InPlace(smooth(c)),
    "spectral norm": lambda c: nn.Sequential(
        nn.Flatten(), nn.utils.parametrizations.spectral_norm(nn.Linear(c * SIDE**2, CLASSES))
    ),
    "NaN": lambda c: Returns(smooth(c), lambda z: z * math.nan),
    "a tuple": lambda c: Returns(smooth(c), lambda z: (z, z)),
    "one logit": lambda c: Returns(smooth(c), lambda z: z[:, 0]),
    "constant": lambda c: Returns(smooth(c), torch.zeros_like),
    "detached": lambda c: Returns(smooth(c), torch.Tensor.detach),
    "half": lambda c: smooth(c).bfloat16(),
}

OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "count": st.one_of(st.integers(-1, 4), st.sampled_from([2.0, 1.5, math.nan, "2", True, None])),
    "sigma": st.sampled_from([0.1, 0.03, 1, 1e-3, 0.0, -1.0, 1e-200, 1e200, math.nan, math.inf, "0.1"]),
    "levels": st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, -0.1, math.nan]), max_size=3),
    "word": st.sampled_from(["central", "forward", "control", "exact", "pair", "mean", "grey", "", "none"]),
}


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


Call = Callable[..., Tensor]
CALLS: dict[str, tuple[Call, tuple[str, ...]]] = {
    "logit_gradient": (gradients.logit_gradient, ()),
    "loss_gradient": (gradients.loss_gradient, ()),
    "log_probability_gradient": (gradients.log_probability_gradient, ()),
    "trace.exact": (lambda m, x, y, n: trace.exact(trace.logit(m, y), x, chunk_size=n), ("count",)),
    "trace.hutchinson": (
        lambda m, x, y, n: trace.hutchinson(trace.logit(m, y), x, num_probes=n, generator=_seeded()),
        ("count",),
    ),
    "trace.taylor": (
        lambda m, x, y, s, n, v: trace.taylor(
            trace.logit(m, y), x, sigma=s, num_probes=n, variant=v, generator=_seeded()
        ),
        ("sigma", "count", "word"),
    ),
    "ScoreMatching": (
        lambda m, x, y, s, v: losses.ScoreMatching(sigma=s, variant=v)(m, x, y, generator=_seeded()),
        ("sigma", "word"),
    ),
    "AntiScoreMatching": (
        lambda m, x, y, s: losses.AntiScoreMatching(sigma=s)(m, x, y, generator=_seeded()),
        ("sigma",),
    ),
    "GradientNorm": (
        lambda m, x, y, v: losses.GradientNorm(norm=v)(m, x, y, generator=_seeded()),
        ("word",),
    ),
    "density_ratio": (
        lambda m, x, y, s: metrics.density_ratio(m, x, y, sigmas=s, generator=_seeded()).log_ratio,
        ("levels",),
    ),
    "denoising_alignment": (
        lambda m, x, y, s: torch.from_numpy(
            metrics.denoising_alignment(m, x, y, sigmas=s, generator=_seeded())
            .to_frame()
            .select_dtypes("number")
            .to_numpy()
        ),
        ("levels",),
    ),
    "pixel_perturbation": (
        lambda m, x, y, f, w: (
            metrics.pixel_perturbation(m, x, y, x.clone(), fractions=f, replacement=w).per_sample
        ),
        ("levels", "word"),
    ),
    "hyvarinen_objective": (
        lambda m, x, y, w: metrics.hyvarinen_objective(m, x, y, estimator=w).per_sample,
        ("word",),
    ),
    "gan_test": (lambda m, x, y: metrics.gan_test(x, y, m).correct.double(), ()),
    "langevin": (
        lambda m, x, y, n, s: sampling.langevin(
            m, y, steps=n, step_size=s, start=x.clone(), generator=_seeded()
        ),
        ("count", "sigma"),
    ),
    "activation_maximisation": (
        lambda m, x, y, n, s: sampling.activation_maximisation(
            m, y, steps=n, step_size=s, start=x.clone(), generator=_seeded()
        ),
        ("count", "sigma"),
    ),
    "shift_logits": (
        lambda m, x, y, s: gradients.logit_gradient(
            fooling.shift_logits(m, fooling.linear_shift(torch.ones(1, SIDE, SIDE), s)), x, y
        ),
        ("sigma",),
    ),
    "centred": (lambda m, x, y: gradients.logit_gradient(audit.centred(m), x, y), ()),
    "shift_invariant": (lambda m, x, y: audit.shift_invariant(m)(x), ()),
}


DTYPES = [
    torch.float32,
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.uint8,
    torch.int64,
]


@st.composite
def image_batches(draw: st.DrawFn) -> Any:  # noqa: ANN401
    """Draw images: their number, channels, type, values and layout."""
    count, channels = draw(st.sampled_from([3, 1, 2, 0])), draw(st.sampled_from([1, 3]))
    x = torch.rand(
        count, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(draw(st.integers(0, 3)))
    )
    dtypes = (
        [torch.float32] * 3 + [torch.float64] * 2 + [torch.float16, torch.bfloat16, torch.uint8, torch.int64]
    )
    x = x.to(draw(st.sampled_from(dtypes)))
    value = draw(st.sampled_from([None] * 8 + [0.0, 1e30, math.nan, math.inf]))
    if value is not None and x.is_floating_point() and x.numel():
        x.view(-1)[0] = value
    layout = draw(st.sampled_from(["plain", "plain", "channels last", "expanded", "leaf", "flat", "list"]))
    if layout == "channels last":
        x = x.to(memory_format=torch.channels_last)
    elif layout == "expanded" and len(x):
        x = x[:1].expand(len(x), -1, -1, -1)
    elif layout == "leaf" and x.is_floating_point():
        x.requires_grad_()
    elif layout == "flat":
        x = x.flatten(1)
    elif layout == "list":
        return x.tolist()
    return x


@st.composite
def class_lists(draw: st.DrawFn, count: int) -> Any:  # noqa: ANN401
    """Draw classes: one for all, one each, in several containers; some unfit."""
    each = [draw(st.integers(0, CLASSES - 1)) for _ in range(count)]
    kinds = [
        each,
        each,
        torch.tensor(each, dtype=torch.int64),
        torch.tensor(each, dtype=torch.int32),
        np.array(each, dtype=np.int64),
        1,
        None,
        [*each, 0],
        CLASSES,
        -1,
        0.5,
        [math.nan] * count,
        "1",
    ]
    return draw(st.sampled_from(kinds))


def _plain_classes(y: Any) -> Any:  # noqa: ANN401
    whole = isinstance(y, list | np.ndarray) and all(float(each).is_integer() for each in y)
    return torch.tensor(np.array(y, dtype=np.int64)) if whole else y


@contextlib.contextmanager
def surroundings(kind: str) -> Iterator[None]:
    """Enter one of the contexts that a caller may be in."""
    contexts = {
        "plain": contextlib.nullcontext,
        "no_grad": torch.no_grad,
        "inference": torch.inference_mode,
        "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    }
    with contexts[kind]():
        yield


def _state(model: nn.Module) -> tuple[Any, ...]:
    tensors = tuple((name, value.clone()) for name, value in model.state_dict().items())
    modes = tuple(module.training for module in model.modules())
    needs = tuple((p.requires_grad, p.grad is None) for p in model.parameters())
    return tensors, modes, needs


def _same_state(a: tuple[Any, ...], b: tuple[Any, ...], *, weights: bool) -> bool:
    if weights and not all(
        torch.equal(v, w) or v.isnan().any() for (_, v), (_, w) in zip(a[0], b[0], strict=True)
    ):
        return False
    return a[1:] == b[1:]


def _attempt(call: Callable[[], Tensor]) -> Tensor | Exception:
    """Return what a call returns, or the documented error with a sentence that it raises."""
    try:
        return call().detach().double()
    except DOCUMENTED as error:
        if len(str(error)) < SENTENCE:
            raise AssertionError(f"{type(error).__name__} without a sentence: {error}") from error
        return error


def check(name: str, model: nn.Module, x: Any, y: Any, options: list[Any], around: str) -> str:  # noqa: ANN401
    """Make one call; return what is wrong with it, or nothing."""
    call, _ = CALLS[name]
    before = x.detach().clone() if isinstance(x, Tensor) else None
    # In training mode a batch norm's statistics and a power iteration move: they should.
    state, random = _state(model), torch.get_rng_state()
    moves = model.training
    try:
        with surroundings(around):
            found = _attempt(lambda: call(model, x, y, *options))
    except Exception as error:  # noqa: BLE001 - any other error is what is looked for
        if _is_the_models_own(model, x, error):
            return ""
        return f"{type(error).__name__}: {error}".partition("\n")[0][:150]
    if (
        isinstance(x, Tensor)
        and before is not None
        and not torch.equal(x.detach().nan_to_num(), before.nan_to_num())
    ):
        return "the images were changed"
    if not _same_state(state, _state(model), weights=not moves):
        return "the model was changed"
    if not moves and not torch.equal(torch.get_rng_state(), random):
        return "the global random state was changed"
    if isinstance(found, Exception) or before is None or moves or around == "autocast":
        return ""
    try:
        copied = before.clone(memory_format=torch.contiguous_format)
        plain = _attempt(lambda: call(model, copied, _plain_classes(y), *options))
    except Exception as error:  # noqa: BLE001
        return f"with plain arguments {type(error).__name__}: {error}"[:150]
    if isinstance(plain, Exception):
        return f"refused with plain arguments alone: {plain}"[:150]
    if found.shape != plain.shape or not torch.allclose(found, plain, rtol=1e-3, atol=1e-3, equal_nan=True):
        return "another result than with plain arguments"
    return ""


def _is_the_models_own(model: nn.Module, x: Any, error: Exception) -> bool:  # noqa: ANN401
    """Say whether the model alone raises the same kind of error: shapes that do not fit its layers."""
    try:
        with torch.no_grad():
            model(x.clone())
    except Exception as own:  # noqa: BLE001
        return type(own) is type(error)
    return False


def library(trials: Trials, examples: int) -> None:
    """Make calls of the library, as many of each function."""
    for name in CALLS:
        _of_one_function(trials, name, math.ceil(examples / len(CALLS)))


def _of_one_function(trials: Trials, name: str, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(st.data())
    def made_up(drawn: st.DataObject) -> None:
        kind = drawn.draw(st.sampled_from([*MODELS, *["smooth", "batch norm"] * 3]))
        x = drawn.draw(image_batches())
        channels = x.shape[1] if isinstance(x, Tensor) and x.ndim == 4 else 1
        torch.manual_seed(0)
        model = MODELS[kind](channels)
        with torch.no_grad(), contextlib.suppress(Exception):
            model.eval()(torch.rand(2, channels, SIDE, SIDE))  # gives a lazy layer its size
        model.train(drawn.draw(st.sampled_from([False, False, True])))
        if isinstance(x, Tensor) and x.dtype == torch.float64:
            model.double()
        y = drawn.draw(class_lists(len(x)))
        options = [drawn.draw(OPTIONS[option]) for option in CALLS[name][1]]
        around = drawn.draw(st.sampled_from(["plain"] * 4 + ["no_grad", "inference", "autocast"]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrong = check(name, model, x, y, options, around)
        shape = tuple(x.shape) if isinstance(x, Tensor) else "a list"
        mode = "training" if model.training else "evaluation"
        where = f"{kind} in {mode}, {shape}, y={y!r:.40}, {options}, {around}"
        trials.add("calls", name, wrong and f"{wrong} [{where}]")

    made_up()


# fmt: off
WORDS = st.sampled_from([
    "train", "evaluate", "study", "audit", "claims", "records", "behaviour", "doctor",
    "--tier", "--dataset", "--method", "--seed", "--set", "--device", "--threads", "--data", "--directory",
    "--check", "--csv", "--out", "--model", "--images", "--quiet", "--again", "--evaluate", "--brief",
    "quick", "tiny", "small", "mnist5k", "cifar10", "baseline", "score_matching", "cuda:99", "0", "1", "-1",
    "1e9", "nan", "epochs=0", "epochs=x", "penalty.weight=-1", "name=", "name=a/../b", "name=<b>",
    "/nowhere/at/all", "=", "--", "é", "\x00",
])
# fmt: on


def command_lines(trials: Trials, examples: int) -> None:
    """Read command lines as the `companion` command does, up to where work would begin."""

    @settings(max_examples=examples, deadline=None, database=None, derandomize=True)
    @given(st.lists(WORDS, max_size=8))
    def made_up(words: list[str]) -> None:
        wrong = ""
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            try:
                options = cli.parser().parse_args(words)
                cli._check(options)
                if options.command == "train":
                    making.chosen_settings(options)
            except SystemExit as ended:
                if ended.code not in (0, 2) or "Traceback" in said.getvalue():
                    wrong = f"ended with {ended.code}"
            except cli.EXPECTED as error:
                if len(str(error)) < SENTENCE:
                    wrong = f"{type(error).__name__} without a sentence: {error}"
            except Exception as error:  # noqa: BLE001
                wrong = f"{type(error).__name__}: {error}"
        trials.add("command lines", "companion", wrong and f"{wrong} {words}")

    made_up()
    torch.set_num_threads(1)
