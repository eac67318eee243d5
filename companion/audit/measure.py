"""The audit: how far each map of each output moves while no probability does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from tqdm import tqdm

from companion._support import at_least, evaluation_mode, generator_or_fresh
from companion.audit import checks
from companion.audit.attributions import GRADIENTS, Factory, attribute_with, named
from companion.audit.comparison import Plain, length, relative
from companion.audit.cures import CentredLogits, Cured
from companion.audit.findings import Movement, Unchanged
from companion.audit.notes import notes_on
from companion.audit.outputs import OUTPUTS, Explained, Shifted, checked_outputs, probabilities
from companion.audit.report import Report
from companion.audit.shifts import default_shifts
from companion.audit.split import split_gradient
from companion.fooling import Shift
from companion.metrics import Curve, Interval, median_interval, pixel_perturbation

FRACTIONS = (0.0, 0.25, 0.5, 0.75)
"""How much of an image the perturbation curves replace."""
KEPT = 2
"""Of how many images the maps are kept, for the page."""
AS_GIVEN = "as given"


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """What is audited, and how."""

    model: nn.Module
    x: Tensor
    y: Tensor
    batch_size: int
    seed: int

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images and classes, in order."""
        return zip(self.x.split(self.batch_size), self.y.split(self.batch_size), strict=True)

    def maps(
        self, name: str, factory: Factory, output: str, g: Shift | None, *, cured: bool = True
    ) -> Tensor:
        """Return an attribution's maps of one output; those of what lies below a cure, if not `cured`."""
        model = self.model
        if isinstance(model, Cured) and not cured:
            model = model.model
        forward = Explained(model, output, g)
        return torch.cat(
            [attribute_with(name, factory, forward, x, y, seed=self.seed) for x, y in self.batches()]
        )

    def curve(self, maps: Tensor) -> Curve:
        """Return the perturbation curve of the classifier as it was given, in the order of some maps."""
        return pixel_perturbation(
            self.model, self.x, self.y, maps, fractions=FRACTIONS, score="probability",
            batch_size=self.batch_size,
        )  # fmt: skip


def audit(
    model: nn.Module,
    x: Tensor,
    y: int | Tensor | None = None,
    *,
    attributions: Sequence[str] | Mapping[str, Factory] | None = None,
    outputs: Collection[str] = tuple(OUTPUTS),
    shifts: Mapping[str, Shift] | None = None,
    picture: Tensor | None = None,
    perturbation: bool = True,
    generator: torch.Generator | None = None,
    batch_size: int = 8,
    progress: bool = False,
) -> Report:
    r"""Add functions g(x) to all logits, which no probability notices, and see which maps move.

    With :math:`\tilde f_i = f_i + g` the probabilities are what they were, and
    :math:`\nabla_x \tilde f_i = \nabla_x f_i + \nabla_x g` (section 2). For every attribution A, every output
    h (a logit, a log-probability, a probability, a centred logit) and every g, this measures

    .. math:: |A[\tilde h] - A[h]| \,/\, |A[h]| ,

    the rank correlation of the two maps' pixels, and what the move does to a pixel-perturbation curve. A
    model wrapped in a cure (`centred`, `shift_invariant`) is shifted below the cure.

    Args:
        model: any classifier, (B, C, H, W) in [0, 1] -> (B, classes) logits; a fixed function of each image.
            It is put in evaluation mode, and gets its modes back.
        x: images (B, C, H, W) in [0, 1]; from 6 on there are intervals.
        y: the classes asked about: (B,), an int for all, or None for the predictions.
        attributions: names of `attributions.GRADIENTS` (the default) and `ON_REQUEST`, or a mapping from
            names to factories: functions that take the module to be explained and return an object with
            `attribute(inputs, target=...)`, as Captum's classes are, or such a function.
        outputs: which of `OUTPUTS` to explain.
        shifts: mapping from names to functions g, (B, C, H, W) -> (B,), differentiable. By default three:
            `linear`, s <x, T>; `sine`, at most 0.01 and steep; `learned`, a small network that paints T on
            every map, learned on x.
        picture: T of the default shifts, (C, H, W) or (1, H, W); None for a checkerboard.
        perturbation: whether to draw the perturbation curves, which takes a third of the time.
        generator: source of all randomness; None means a fresh one.
        batch_size: images at a time. SmoothGrad's noise depends on it, nothing else does.
        progress: whether to show a bar.

    Returns:
        A `Report`.

    Raises:
        TypeError: x is not a tensor, or the model does not return one.
        ValueError: images outside [0, 1], a model that is no fixed function of them, a name that does not
            exist, an attribution that fails or returns maps of another shape or with nan.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        >>> report = audit(model, torch.rand(6, 1, 8, 8), attributions=["saliency"])
        >>> sorted({row.output for row in report.moved})
        ['logit']
        >>> from companion.audit import centred
        >>> audit(centred(model), torch.rand(6, 1, 8, 8), attributions=["saliency"]).moved
        ()
    """
    x, names = checks.images(x), checked_outputs(outputs)
    batch_size = at_least("batch_size", batch_size, 1)
    generator = generator_or_fresh(generator)
    factories = _factories(attributions)
    with evaluation_mode(model):
        parts = x.split(batch_size)
        if isinstance(y, Tensor) and y.ndim and len(y) != len(x):
            raise ValueError(
                f"y must have a class for each of the {len(x)} images; got shape {tuple(y.shape)}"
            )
        given = y.split(batch_size) if isinstance(y, Tensor) and y.ndim else [y] * len(parts)
        classes = torch.cat([checks.fixed_function(model, *part) for part in zip(parts, given, strict=True)])
        seed = int(torch.randint(2**31, (1,), generator=generator, device=generator.device))
        subject = _Subject(model=model, x=x, y=classes, batch_size=batch_size, seed=seed)
        if shifts is None:
            below = model.model if isinstance(model, Cured) else model
            drawn = default_shifts(below, x, classes, picture, batch_size=batch_size, generator=generator)
        elif not (drawn := shifts):
            raise ValueError("give at least one shift, or None for the three of the audit")
        before = probabilities(model, x, batch_size)
        unchanged = tuple(_unchanged(subject, before, name, g) for name, g in drawn.items())
        rows, maps = _movements(
            subject, factories, names, drawn, perturbation=perturbation, progress=progress
        )
        free, lengths = _lengths(subject, names)
        notes = notes_on(model, factories, learned=shifts is None)
    cure = "" if not isinstance(model, Cured) else _cure(model)
    return Report(
        movements=tuple(rows),
        unchanged=unchanged,
        free=free,
        lengths=lengths,
        labels=classes,
        label_probability=before.gather(1, classes[:, None])[:, 0],
        cure=cure,
        notes=notes,
        images=x[:KEPT],
        maps=maps,
    )


def _cure(model: Cured) -> str:
    return "centred" if isinstance(model, CentredLogits) else "shift_invariant"


def _factories(attributions: Sequence[str] | Mapping[str, Factory] | None) -> Mapping[str, Factory]:
    if attributions is None:
        return named(GRADIENTS)
    if isinstance(attributions, str):
        attributions = [attributions]
    if not attributions:
        raise ValueError("give at least one attribution, or None for the gradient methods")
    return attributions if isinstance(attributions, Mapping) else named(attributions)


def _movements(
    subject: _Subject,
    factories: Mapping[str, Factory],
    outputs: Sequence[str],
    shifts: Mapping[str, Shift],
    *,
    perturbation: bool,
    progress: bool,
) -> tuple[list[Movement], dict[tuple[str, str, str], Tensor]]:
    """Return a row for each attribution, output and shift, and the maps that are kept."""
    rows: list[Movement] = []
    kept: dict[tuple[str, str, str], Tensor] = {}
    total = len(factories) * len(outputs) * len(shifts)
    with tqdm(total=total, disable=not progress, unit="map", leave=False) as bar:
        for name, factory in factories.items():
            _check_repeats(subject, name, factory, outputs[0])
            # What a shift does to the bare logit: the size beside which rounding is small.
            bare = {
                shift: subject.maps(name, factory, "logit", g, cured=False) for shift, g in shifts.items()
            }
            for output in outputs:
                maps = subject.maps(name, factory, output, None)
                kept[name, output, AS_GIVEN] = maps[:KEPT].sum(dim=1).cpu()
                plain = Plain(maps, subject.curve if perturbation else None)
                for shift, g in shifts.items():
                    same = output == "logit" and not isinstance(subject.model, Cured)
                    maps = bare[shift] if same else subject.maps(name, factory, output, g)
                    kept[name, output, shift] = maps[:KEPT].sum(dim=1).cpu()
                    rows.append(plain.compare(name, output, shift, maps, bare[shift]))
                    bar.update()
    return rows, kept


def _check_repeats(subject: _Subject, name: str, factory: Factory, output: str) -> None:
    """Refuse a method whose own randomness would pass for a move of the map."""
    x, y = next(subject.batches())
    forward = Explained(subject.model, output)
    first, again = (attribute_with(name, factory, forward, x, y, seed=subject.seed) for _ in range(2))
    if not torch.allclose(first, again, rtol=1e-3, atol=1e-5 * float(first.abs().max())):
        raise ValueError(
            f"the attribution {name!r} gives another map each time, so no move could be told from its noise. "
            "Let it draw from PyTorch's random state, which is fixed for each call, or from a seed of its own"
        )


def _lengths(subject: _Subject, outputs: Sequence[str]) -> tuple[Interval, dict[str, Interval]]:
    """Return the free share of the logit's gradient, and each output's length relative to the logit's."""
    shifted, found = Shifted(subject.model), {name: [] for name in ("free", *OUTPUTS)}
    for x, y in subject.batches():
        parts = split_gradient(shifted, x, y)
        with torch.no_grad():
            chosen = shifted(x).softmax(dim=1).gather(1, y[:, None])[:, 0].cpu()
        whole, own = length(parts.whole), length(parts.own)
        found["free"].append(relative(length(parts.free), whole))
        found["logit"].append(relative(whole, whole))
        found["log_probability"].append(relative(own, whole))
        found["probability"].append(relative(chosen * own, whole))
        found["centred_logit"].append(relative(length(parts.centred), whole))
    intervals = {name: median_interval(torch.cat(shares)) for name, shares in found.items()}
    return intervals["free"], {name: intervals[name] for name in outputs}


def _unchanged(subject: _Subject, before: Tensor, name: str, g: Shift) -> Unchanged:
    after = probabilities(subject.model, subject.x, subject.batch_size, g)
    return Unchanged(
        shift=name,
        probability=float((after - before).abs().max()),
        predictions=int((after.argmax(dim=1) != before.argmax(dim=1)).sum()),
    )
