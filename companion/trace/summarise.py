"""From estimates, one a probe, to an estimate and its standard error."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class TraceSummary:
    """The estimated trace of each sample.

    Attributes:
        mean: (B,) mean over the probes: the estimate.
        standard_error: (B,) of that mean; NaN with one probe, which shows no spread.

    Example:
        >>> import torch
        >>> TraceSummary(mean=torch.tensor([6.0]), standard_error=torch.tensor([0.5])).to_frame()
           mean  standard_error
        0   6.0             0.5
    """

    mean: Tensor
    standard_error: Tensor

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with a row a sample and the columns mean and standard_error."""
        columns = {"mean": self.mean, "standard_error": self.standard_error}
        return pd.DataFrame({name: values.detach().cpu().numpy() for name, values in columns.items()})


def summarise(samples: Tensor) -> TraceSummary:
    r"""Average over the probes: $\bar h$ and its standard error $\sqrt{\sum_p (h_p - \bar h)^2 / (P (P-1))}$.

    Args:
        samples: (P, B), P at least 1, as `hutchinson` and `taylor` return them.

    Returns:
        `mean` and `standard_error`, each (B,).

    Raises:
        ValueError: samples that are not (P, B) with P at least 1.

    Example:
        >>> import torch
        >>> summary = summarise(torch.tensor([[1.0], [3.0]]))
        >>> summary.mean, summary.standard_error
        (tensor([2.]), tensor([1.]))
    """
    if samples.ndim != 2 or len(samples) < 1:
        raise ValueError(
            f"samples must have shape (P, B) with P >= 1 probes; got shape {tuple(samples.shape)}"
        )
    probes = len(samples)
    mean = samples.mean(dim=0)
    if probes == 1:
        return TraceSummary(mean=mean, standard_error=mean.new_full(mean.shape, float("nan")))
    return TraceSummary(mean=mean, standard_error=samples.std(dim=0) / probes**0.5)
