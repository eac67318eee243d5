"""A step of training as one CUDA graph: a GPU is then told once what to do, and not kernel by kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

WARM_UP = 3
"""Plain calls before the graph is recorded: in them kernels are chosen and workspaces allocated."""
Batch = Callable[[Tensor, Tensor], dict[str, Tensor]]


class Graph(Protocol):
    """What records the kernels of one call, and launches them again."""

    def warm_up(self, call: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Call it where it will be recorded."""
        ...

    def record(self, call: Callable[[], Tensor], generator: torch.Generator) -> Tensor:
        """Record a call that draws from a generator, without computing anything; return what it returns."""
        ...

    def replay(self) -> None:
        """Compute what was recorded, on what now lies in the memory that it reads."""
        ...


class CudaGraph:
    """A `torch.cuda.CUDAGraph`, recorded on a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        """Begin with nothing recorded."""
        self.stream = torch.cuda.Stream(device)
        self.graph = torch.cuda.CUDAGraph()

    def warm_up(self, call: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Call it on the graph's stream."""
        ours = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(ours)
        with torch.cuda.stream(self.stream):
            result = call()
        ours.wait_stream(self.stream)
        return result

    def record(self, call: Callable[[], Tensor], generator: torch.Generator) -> Tensor:
        """Record a call.

        Raises:
            RuntimeError: it does something that no graph can hold.
        """
        self.graph.register_generator_state(generator)
        try:
            with torch.cuda.device(self.stream.device), torch.cuda.graph(self.graph, stream=self.stream):
                return call()
        except RuntimeError as error:
            raise RuntimeError(
                f"this step cannot be recorded as a CUDA graph; train without --graph. PyTorch says: {error}"
            ) from error

    def replay(self) -> None:
        """Launch what was recorded."""
        self.graph.replay()


class Captured:
    """A function of a batch, recorded after a few plain calls and replayed from then on.

    What is recorded is the sequence of kernels and the memory that they use: the function's Python runs no
    more, no value may decide what is computed, and each batch is copied to where the first one lay. The
    numbers are those of the plain calls, those drawn from the generator included.
    """

    def __init__(self, function: Batch, generator: torch.Generator, device: torch.device) -> None:
        """Begin; the function may draw from this generator alone.

        Raises:
            ValueError: the device has no such graphs.
        """
        self.function, self.generator, self.graph = function, generator, recorder(device)
        self.calls = 0
        self.batch: tuple[Tensor, Tensor] | None = None
        self.names: tuple[str, ...] = ()
        self.results = torch.empty(0)

    def __call__(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return what the function returns for a batch: scalars, each by its name."""
        self.calls += 1
        if self.calls <= WARM_UP:
            return self.graph.warm_up(lambda: self.function(x, y))
        if self.batch is None:
            self.batch = (x.clone(), y.clone())
            self.results = self.graph.record(self._stacked, self.generator)
        for held, given in zip(self.batch, (x, y), strict=True):
            held.copy_(given)
        self.graph.replay()
        return dict(zip(self.names, self.results.clone(), strict=True))

    def _stacked(self) -> Tensor:
        assert self.batch is not None
        results = self.function(*self.batch)
        self.names = tuple(results)
        return torch.stack(list(results.values()))


def recorder(device: torch.device) -> Graph:
    """Return what records on a device.

    Raises:
        ValueError: the device has no such graphs.

    Example:
        >>> recorder(torch.device("cpu"))
        Traceback (most recent call last):
        ...
        ValueError: a CUDA graph needs a CUDA device, and this run is on cpu: leave out --graph
    """
    if device.type != "cuda":
        raise ValueError(f"a CUDA graph needs a CUDA device, and this run is on {device}: leave out --graph")
    return CudaGraph(device)
