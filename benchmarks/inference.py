"""Evaluating a data set: `fast` beside the reference, torch in evaluation mode, slayer, and unmodified NetX.

    python -m benchmarks.inference            # JSON in benchmarks/results
    python -m benchmarks.inference --quick    # a few seconds, only to see that it runs

Random networks of 1-bit weights whose norms have seen data, on random 4-bit images repeated in time, or sparse events;
one thread. fast, torch and slayer take the whole batch, the reference and NetX fewer samples. NetX's time is the slope
between two runs, so that building and compiling do not count. Slayer's network has the same shapes, its own neurons.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import netx_export
from benchmarks._timing import RESULTS, interleave, ratio
from lava_qsnn._slayer import slayer
from lava_qsnn.bench.machine import write_json
from lava_qsnn.block import memory_free

NEURON = {"threshold": 0.5, "history": 4, "norm": "batch"}
CUBA = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.03}


@dataclass(frozen=True)
class Case:
    """A network with its input: `sizes` of dense layers, after convolutions of so many `channels`, if any."""

    name: str
    input_shape: tuple[int, ...]
    channels: tuple[int, ...]
    sizes: tuple[int, ...]
    timesteps: int
    input_bits: int


CASES = (
    Case("MNIST conv, T = 4", (1, 28, 28), (32, 64), (3136, 128), 4, 4),
    Case("dense 784-512-512-10, T = 4", (784,), (), (784, 512, 512), 4, 4),
    Case("dense 2312-256-256-10, T = 16", (2312,), (), (2312, 256, 256), 16, 1),
)


def build(case: Case) -> nn.Sequential:
    """The network, its norms' statistics from a few random batches."""
    torch.manual_seed(0)
    blocks: list[nn.Module] = []
    source = case.input_shape[0]
    for width in case.channels:
        blocks += [memory_free.Conv(NEURON, source, width, 3, padding=1), memory_free.Pool(None, 2)]
        source = width
    blocks += [memory_free.Flatten()] if case.channels else []
    blocks += [memory_free.Dense(NEURON, *pair) for pair in pairwise(case.sizes)]
    net = nn.Sequential(*blocks, memory_free.Output(case.sizes[-1], 10))
    for _ in range(10):
        net(torch.tensor(samples(case, 16)).float())
    return net.eval()


def slayers(case: Case) -> Callable[[Tensor], Tensor]:
    """Slayer's network of the same shapes."""
    blocks: list[nn.Module] = []
    source = case.input_shape[0]
    for width in case.channels:
        blocks.append(slayer.block.cuba.Conv(dict(CUBA), source, width, 3, padding=1))
        blocks.append(slayer.block.cuba.Pool(dict(CUBA), 2))
        source = width
    blocks += [slayer.block.cuba.Flatten()] if case.channels else []
    blocks += [slayer.block.cuba.Dense(dict(CUBA), *pair) for pair in pairwise(case.sizes)]
    blocks.append(slayer.block.cuba.Dense(dict(CUBA), case.sizes[-1], 10))
    return nn.Sequential(*blocks).eval()


def samples(case: Case, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Images repeated in time, as the data modules give them, or sparse events."""
    random = np.random.default_rng(count)
    shape = (count, *case.input_shape, case.timesteps)
    if case.input_bits == 1:
        return (random.random(shape) < 0.05).astype(np.int64)
    still = random.integers(0, 2**case.input_bits, shape[:-1])
    return np.broadcast_to(still[..., None], shape)


def measure(case: Case, batch: int, runs: int, stock: tuple[int, int] | None) -> dict[str, Any]:
    """Milliseconds per sample of each engine, and ratios to `fast`."""
    net = build(case)
    network = netx_export.export(net, None, case.input_shape, case.timesteps, case.input_bits)
    x = samples(case, batch)
    real, few = torch.tensor(x).float(), x[: max(1, batch // 32)]
    engines: dict[str, Callable[[], Any]] = {
        "fast": partial(netx_export.simulate, network, x, "fast"),
        "torch eval": partial(_without_gradient, net, real),
        "slayer": partial(_without_gradient, slayers(case), real.contiguous()),
    }
    timings = interleave(engines, runs)
    truth = interleave({"reference": partial(netx_export.simulate, network, few)}, 1, 0)["reference"]
    seconds = {name: timing.median / batch for name, timing in timings.items()}
    seconds["reference"] = truth.median / len(few)
    if stock is not None and network.stock_exact:
        seconds["stock NetX"] = _stock_seconds(network, x, *stock)
    return {
        "network": case.name,
        "batch": batch,
        "ms per sample": {name: 1000 * value for name, value in seconds.items()},
        "times fast": {name: value / seconds["fast"] for name, value in seconds.items() if name != "fast"},
        "torch eval / fast": asdict(ratio(timings["torch eval"], timings["fast"])),
        "stock_exact": network.stock_exact,
    }


def _without_gradient(net: Callable[[Tensor], Tensor], x: Tensor) -> None:
    with torch.no_grad():
        net(x)


def _stock_seconds(network: Any, x: np.ndarray[Any, Any], few: int, more: int) -> float:
    """Seconds per sample in unmodified NetX: the slope between runs of few and of more samples."""
    seconds = []
    for count in (few, more):
        start = time.perf_counter()
        netx_export.simulate(network, x[:count], "netx")
        seconds.append(time.perf_counter() - start)
    return (seconds[1] - seconds[0]) / (more - few)


def main(
    batch: Annotated[int, typer.Option(min=1, help="Samples that fast, torch and slayer take at a time.")] = 256,
    runs: Annotated[int, typer.Option(min=2, help="Of each, after two to warm up.")] = 7,
    quick: Annotated[bool, typer.Option("--quick", help="Small, without NetX, to see that it runs.")] = False,
    results: Annotated[Path, typer.Option(help="Folder for the JSON file.")] = RESULTS,
) -> None:
    """Measure, print ratios, write JSON."""
    torch.set_num_threads(1)
    console = Console()
    cases = CASES[1:2] if quick else CASES
    rows = []
    for case in cases:
        stock = None if quick else ((4, 20) if case.channels else (8, 72))
        rows.append(measure(case, 16 if quick else batch, 2 if quick else runs, stock))
    others = list(dict.fromkeys(name for row in rows for name in row["times fast"]))
    table = Table("network", "fast, ms / sample", *(f"{name} / fast" for name in others))
    for row in rows:
        cells = [f"{row['times fast'][name]:,.1f}" if name in row["times fast"] else "not exact" for name in others]
        table.add_row(row["network"], f"{row['ms per sample']['fast']:.4f}", *cells)
    console.print(table)
    console.print(f"wrote {write_json('inference', {'batch': batch, 'threads': 1, 'rows': rows}, results)}")


if __name__ == "__main__":
    typer.run(main)
