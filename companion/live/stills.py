"""The still picture of each live figure: for readers without JavaScript, for print, and while it loads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from matplotlib import pyplot as plt
from torch import Tensor, nn

from companion import fooling as shifts
from companion import sampling as samplers
from companion import trace
from companion._calls import copied
from companion._support import evaluation_mode, logits_of
from companion.audit import centred
from companion.book import plots
from companion.gradients import logit_gradient, loss_gradient

Picture = tuple[str, str]
"""The source of an image, and its text for those who cannot see it."""

Still = Callable[[], Picture]


def evaluated(model: nn.Module, x: Tensor) -> Tensor:
    """Return the logits in evaluation mode."""
    with torch.no_grad(), evaluation_mode(model):
        return logits_of(model, x)


def fooling(model: nn.Module, x: Tensor, y: Tensor, names: Sequence[str], face: Tensor) -> Picture:
    """Draw the first image, its gradients before and after a face was added, and the probabilities."""
    one, label = x[:1], int(y[0])
    altered = shifts.shift_logits(model, shifts.linear_shift(face, 10.0))
    figure, axes = plt.subplots(1, 6, figsize=(9.2, 1.9), width_ratios=[1, 1, 1, 1, 1, 1.3])
    plots.show_images(axes[0], one, titles=[f"input, class {names[label]}"])
    for ax, gradient, name, classifier in (
        (axes[1], logit_gradient, "logit-gradient, f", model),
        (axes[2], logit_gradient, "f + g", altered),
        (axes[3], loss_gradient, "loss-gradient, f", model),
        (axes[4], loss_gradient, "f + g", altered),
    ):
        plots.signed_maps(ax, gradient(classifier, one, label), titles=[name])
    for classifier, width, colour, name in (
        (model, 0.8, "#B0B7BE", "f"),
        (altered, 0.35, "#B84A00", "f + g"),
    ):
        probabilities = evaluated(classifier, one).softmax(dim=1)[0].cpu()
        shown = probabilities.topk(min(10, len(probabilities))).indices.sort().values
        axes[5].bar(range(len(shown)), probabilities[shown].tolist(), width=width, color=colour, label=name)
    axes[5].set(ylim=(0, 1), xticks=[], xlabel="class")
    axes[5].set_title("probabilities", fontsize=9, loc="center")
    return plots.picture_source(figure), (
        "Still picture of the live figure: an image, its logit-gradient before and after a face was added to "
        "every logit, its loss-gradient before and after, which are equal, and the probabilities, equal too."
    )


def ripple(model: nn.Module, x: Tensor, y: Tensor, names: Sequence[str], face: Tensor) -> Picture:
    """Draw the first image and its loss-gradient, before and with a ripple on the logit of its class."""
    one, label = x[:1].double(), int(y[0])
    sine = shifts.sine_shift(0.01, 500.0)
    model = copied(model).double()
    rippled = shifts.ShiftedLogits(model, lambda images: sine(images * face.to(images)), only_class=label)
    maps = torch.cat([loss_gradient(model, one, label), loss_gradient(rippled, one, label)])
    figure, axes = plt.subplots(1, 3, figsize=(5.4, 2.1))
    plots.show_images(axes[0], one, titles=[f"input, class {names[label]}"])
    plots.signed_maps(axes[1:], maps, titles=["loss-gradient", "with a low ripple"])
    return plots.picture_source(figure), (
        "Still picture of the live figure: an image, the gradient of its loss, and that gradient with a "
        "ripple on one logit, which shows a face."
    )


def traces(model: nn.Module, x: Tensor, y: Tensor, names: Sequence[str]) -> Picture:
    """Draw the first image and a histogram of single forward and central estimates."""
    figure, axes = plt.subplots(1, 3, figsize=(8.0, 2.3), width_ratios=[0.8, 1.2, 1.2])
    plots.show_images(axes[0], x[:1], titles=[f"input, class {names[int(y[0])]}"])
    source = torch.Generator().manual_seed(0)
    for ax, variant, colour in ((axes[1], "forward", "#D55E00"), (axes[2], "central", "#0072B2")):
        with torch.no_grad(), evaluation_mode(model):
            samples = trace.taylor(
                trace.logit(model, y[:1]), x[:1], sigma=0.01, num_probes=64, variant=variant,
                generator=source, allow_low_precision=True,
            )  # fmt: skip
        ax.hist(samples.flatten().cpu().numpy(), bins=20, color=colour)
        ax.axvline(float(samples.mean()), color="black", linewidth=1, linestyle="--")
        ax.set(xlabel="estimate of the trace", yticks=[])
        ax.set_title(f"{variant}, 64 estimates", fontsize=9, loc="center")
    return plots.picture_source(figure), (
        "Still picture of the live figure: an image, and histograms of 64 forward and 64 central estimates "
        "of the trace, with their means as dashed lines."
    )


def sampling(
    models: Mapping[str, nn.Module], shape: tuple[int, ...], names: Sequence[str], target: int
) -> Picture:
    """Draw what each network makes of the same noise in 60 steps."""
    figure, axes = plt.subplots(1, len(models) + 1, figsize=(1.9 * (len(models) + 1), 2.1), squeeze=False)
    noise = (0.5 + 0.2 * torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    made = []
    for model in models.values():
        start = noise.to(next(model.parameters()))
        climbed = samplers.activation_maximisation(
            model, target, steps=60, step_size=0.1, weight_decay=0.01, start=start
        )
        made.append(climbed.cpu())
    titles = [f"noise, class {names[target]}", *models]
    plots.show_images(axes[0], torch.cat([noise, *made]), titles=titles)
    return plots.picture_source(figure), (
        "Still picture of the live figure: noise, and what "
        + " and ".join(models)
        + " make of it by climbing a logit."
    )


def photograph(models: Mapping[str, nn.Module], x: Tensor, y: Tensor, names: Sequence[str]) -> Picture:
    """Draw the first example, and of each network the maps of its class's logit and of the centred logit."""
    one, label = x[:1], int(y[0])
    figure, axes = plt.subplots(2, len(models) + 1, figsize=(1.6 * (len(models) + 1), 3.7), squeeze=False)
    plots.show_images(axes[:1, 0], one, titles=[f"input, class {names[label]}"])
    axes[1, 0].set_axis_off()
    for column, (name, model) in enumerate(models.items(), start=1):
        plots.signed_maps(axes[:1, column], logit_gradient(model, one, label), titles=[name])
        plots.signed_maps(axes[1:, column], logit_gradient(centred(model), one, label))
    for ax, name in zip(axes[:, 1], ("logit", "centred logit"), strict=True):
        ax.set_ylabel(name, fontsize=9)
    return plots.picture_source(figure), (
        "Still picture of the live figure: a photograph in few pixels and, for "
        + ", ".join(models)
        + ", the gradient map of the logit of its class above that of the centred logit."
    )
