"""A recorded and replayed step is the step: tried without a GPU, by recording what PyTorch dispatches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks import bench_gpu
from companion.experiments import cuda_graph, presets, settings, step, training
from companion.experiments.checkpoint import State
from companion.experiments.methods import known

READS = {
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "equal",
    "is_nonzero",
    "lift_fresh",
}
"""What makes a GPU and the processor wait for each other: no graph can hold it."""


def written(func: Any, args: Any) -> list[Tensor]:  # noqa: ANN401
    """Return the arguments that an operation writes to."""
    if func is torch.ops.aten.native_batch_norm.default:  # whose schema does not say so
        return [value for value in args[3:5] if value is not None]
    marked = zip(func._schema.arguments, args, strict=False)
    return [value for argument, value in marked if argument.alias_info and argument.alias_info.is_write]


class NoWaiting(TorchDispatchMode):
    """Refuses operations that read numbers from the device, or bring some from the processor."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        assert func.overloadpacket.__name__ not in READS, f"{func} waits for the device"
        return func(*args, **(kwargs or {}))


class Tape(NoWaiting):
    """A graph on any device: the operations of one call, and the memory that each reads and writes.

    As on a GPU, recording leaves all memory and the generator as they were, and Python runs once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self.made: set[int] = set()
        self.before: dict[int, tuple[Tensor, Tensor]] = {}

    def warm_up(self, call: Any) -> Any:  # noqa: ANN401
        return call()

    def record(self, call: Any, generator: torch.Generator) -> Tensor:  # noqa: ANN401
        state = generator.get_state()
        with self:
            result = call()
        generator.set_state(state)
        with torch.no_grad():
            for tensor, value in self.before.values():
                tensor.copy_(value)
        return result

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        kwargs = kwargs or {}
        for value in written(func, args):
            place = value.untyped_storage().data_ptr()
            if place not in self.made and place not in self.before:
                self.before[place] = (value, value.clone())
        out = super().__torch_dispatch__(func, types, args, kwargs)
        tensors = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        self.made |= {tensor.untyped_storage().data_ptr() for tensor in tensors} - set(self.before)
        self.calls.append((func, args, kwargs, tensors))
        return out

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, outputs in self.calls:
            again = [leaf for leaf in tree_leaves(func(*args, **kwargs)) if isinstance(leaf, Tensor)]
            for old, new in zip(outputs, again, strict=True):
                if old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                    old.copy_(new)


def prepared(method: str, **changes: Any) -> tuple[settings.Settings, State]:  # noqa: ANN401
    wanted = presets.preset("tiny", "mnist5k", method, 3, width=8, batch_size=8, **changes)
    model = settings.build_network(wanted)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (t + 1))
    return wanted, State(model, optimizer, schedule, torch.Generator().manual_seed(3))


def batches(count: int) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(4)
    return [
        (torch.rand(8, 1, 28, 28, generator=generator), torch.randint(0, 10, (8,), generator=generator))
        for _ in range(count)
    ]


CASES = [
    *((method, {}) for method in known()),
    ("score_matching", {"penalty": {"norm": "exact", "variant": "control", "num_probes": 2, "mu": 0.1}}),
    ("score_matching", {"penalty": {"batch_norm": "of_x", "mu": 0.1}}),
    ("anti_score_matching", {"penalty": {"batch_norm": "separate", "clamp": "two_sided"}}),
    ("gradient_norm", {"augment": True, "input_noise": 0.1}),
    ("baseline", {"augment": True, "precision": "bfloat16"}),
]


@pytest.mark.parametrize(("method", "changes"), CASES)
def test_steps_replayed_from_a_recording_are_those_taken_one_by_one(
    method: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_graph, "recorder", lambda device: Tape())
    results = []
    for with_graph in (False, True):
        wanted, state = prepared(method, **changes)
        gradients = step.captured(wanted, state, torch.device("cpu")) if with_graph else None
        means = [
            {k: v.item() for k, v in step.training_step(wanted, state, x, y, gradients=gradients).items()}
            for x, y in batches(cuda_graph.WARM_UP + 3)
        ]
        results.append((means, state))
    (plain_means, plain), (replayed_means, replayed) = results
    assert replayed_means == plain_means
    assert len({row["loss"] for row in plain_means}) == len(plain_means)
    assert torch.equal(plain.generator.get_state(), replayed.generator.get_state())
    for (name, old), new in zip(
        plain.model.state_dict().items(), replayed.model.state_dict().values(), strict=True
    ):
        assert torch.equal(old, new), name


@pytest.mark.parametrize("method", known())
def test_no_step_but_the_first_waits_for_the_device(method: str) -> None:
    wanted, state = prepared(method, augment=True)
    (x, y), (x2, y2) = batches(2)
    step.training_step(wanted, state, x, y)
    with NoWaiting():
        step.training_step(wanted, state, x2, y2)


def test_a_run_with_a_graph_is_the_run_without_also_where_it_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = presets.preset(
        "tiny", "mnist5k", "score_matching", 3, epochs=2, batch_size=16, train_size=96, augment=True
    )
    monkeypatch.setattr(training, "PROBED_IMAGES", 4)
    plain = training.train(wanted, directory=tmp_path / "plain", progress=False)
    monkeypatch.setattr(cuda_graph, "recorder", lambda device: Tape())
    with pytest.raises(training.OutOfTime):
        training.train(wanted, directory=tmp_path / "graph", graph=True, time_budget=0.0, progress=False)
    replayed = training.train(wanted, directory=tmp_path / "graph", graph=True, progress=False)
    assert replayed.history().drop(columns="seconds").equals(plain.history().drop(columns="seconds"))
    weights = [(run.directory / "weights.safetensors").read_bytes() for run in (plain, replayed)]
    assert weights[0] == weights[1]


def test_a_graph_without_a_gpu_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    wanted = presets.preset("tiny", "mnist5k", "baseline")
    with pytest.raises(ValueError, match="needs a CUDA device, and this run is on cpu: leave out --graph"):
        training.train(wanted, directory=tmp_path / "run", graph=True, progress=False)
    assert not (tmp_path / "run").exists()


def test_what_times_a_gpus_steps_can_be_rehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graph, "recorder", lambda device: Tape())
    plain = bench_gpu.rows(bench_gpu.REHEARSAL)
    assert not any(row.graph for row in plain)
    recorded = replace(plain[-1], graph=True)
    monkeypatch.setattr(bench_gpu, "rows", lambda sizes: [plain[0], plain[-1], recorded])
    table = bench_gpu.measure(replace(bench_gpu.REHEARSAL, steps=cuda_graph.WARM_UP + 1))
    assert list(table["step"]) == [bench_gpu.LOOP, "baseline", "baseline"]
    assert list(table["launched"]) == ["one by one", "one by one", "as one graph"]
    assert table["ms"].astype(float).gt(0).all()
    assert table["ratio"][0] == "1.00"
