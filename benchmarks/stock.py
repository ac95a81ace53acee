"""Stock networks on `fast` beside unmodified NetX: time per step and sample, and processor time.

    python -m benchmarks.stock                      # networks of its own; JSON in benchmarks/results
    python -m benchmarks.stock mine.net other.net   # files of yours, if they open without further options
    python -m benchmarks.stock --quick              # a minute, only to see that it runs

NetX runs as its users run it: one sample after the other in one Lava run, on as many cores as there are. Of its time
only that of running counts, not of building the network, starting its processes and ending them. `fast` computes a
batch from its integers to its integers, on one thread. The two take turns, so that what slows the machine slows both.
The networks of its own are slayer's blocks, exported by slayer: random weights, scaled so that layers fire.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import psutil
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits
from torch import nn

import netx_export
from benchmarks._timing import RESULTS
from lava_qsnn._slayer import slayer
from lava_qsnn.bench.machine import write_json
from lava_qsnn.guard import GuardedRuntime
from lava_qsnn.integer import IntegerNetwork, Shape
from netx_export import simulate

CUBA = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.03}
SIGMA_DELTA = {"threshold": 0.02, "activation": torch.relu}


@dataclass(frozen=True)
class Case:
    """A stock file, how it is opened, and how much is run: samples of `fast`, and time steps of both."""

    path: Path
    input_shape: Shape | None = None
    samples: int = 64
    timesteps: int = 32
    netx_steps: int = 64


@dataclass(frozen=True)
class Cost:
    """Of one time step of one sample: seconds by the clock, and of all processors together."""

    wall: float
    cpu: float


def main(
    files: Annotated[list[Path] | None, typer.Argument(help="Stock NetX files, in place of own networks.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Of a batch of fast.")] = 64,
    timesteps: Annotated[int, typer.Option(min=1, help="Of a sample.")] = 32,
    runs: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="One small network, one turn, to see that it runs.")] = False,
    results: Annotated[Path, typer.Option(help="Folder for the JSON file.")] = RESULTS,
) -> None:
    """Measure, print, write JSON."""
    torch.set_num_threads(1)
    console, rows = Console(), []
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        given = [Case(path, None, samples, timesteps) for path in files or ()]
        for case in given or own_cases(Path(folder), samples, timesteps, quick):
            rows.append(measure(case, 1 if quick else runs))
            console.print(f"{case.path.stem}: {rows[-1]['ratio']:.0f} x")
    console.print(table(rows))
    console.print(f"wrote {write_json('stock', {'rows': rows}, results)}")


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """The figures, per time step and sample."""
    shown = Table("network", "samples x steps", "NetX, ms", "fast, ms", "x", "x, processor time")
    for row in rows:
        times = [f"{1000 * row[name]['wall']:.4g}" for name in ("netx", "fast")]
        size = f"{row['samples']} x {row['timesteps']}"
        spread = f"{row['ratio']:.0f} ({row['least']:.0f} .. {row['most']:.0f})"
        shown.add_row(row["name"], size, *times, spread, f"{row['cpu_ratio']:.0f}")
    return shown


def measure(case: Case, runs: int) -> dict[str, Any]:
    """Both in turn, so many times: medians, and the ratios of neighbouring turns."""
    network = netx_export.load(case.path, case.input_shape, case.timesteps)
    x = inputs(network, case.samples)
    found = simulate(network, x, "fast")  # compiles, and makes the network ready
    turns = [(netx_cost(case, x), fast_cost(network, x)) for _ in range(runs)]
    ratios = [netx.wall / fast.wall for netx, fast in turns]
    return {
        "name": case.path.stem,
        "samples": case.samples,
        "timesteps": case.timesteps,
        "netx": _median([netx for netx, _ in turns]),
        "fast": _median([fast for _, fast in turns]),
        "ratio": statistics.median(ratios),
        "least": min(ratios),
        "most": max(ratios),
        "cpu_ratio": statistics.median(netx.cpu / fast.cpu for netx, fast in turns),
        "answers": int(np.count_nonzero(found)),
    }


def _median(costs: Sequence[Cost]) -> dict[str, float]:
    return {name: statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu")}


def inputs(network: IntegerNetwork, samples: int) -> NDArray[np.integer[Any]]:
    """A batch (N, *shape, T): spikes, one in ten; or of graded inputs smooth 8-bit images that drift."""
    random = np.random.default_rng(0)
    shape = (samples, *network.input.shape, network.timesteps)
    if network.input.maximum == 1:
        return (random.random(shape) < 0.1).astype(np.uint8)
    drift = random.normal(0, 4, shape).cumsum(-1) + random.integers(0, 256, (*shape[:-1], 1))
    return drift.clip(0, 255).astype(np.int16)


def fast_cost(network: IntegerNetwork, x: NDArray[np.integer[Any]]) -> Cost:
    """The cost of `fast`, on average over a quarter of a second or one batch."""
    begin, cpu, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begin < 0.25 or not count:
        simulate(network, x, "fast")
        count += 1
    steps = count * len(x) * x.shape[-1]
    return Cost((time.perf_counter() - begin) / steps, (time.process_time() - cpu) / steps)


def netx_cost(case: Case, x: NDArray[np.integer[Any]]) -> Cost:
    """The cost of unmodified NetX, fed with samples of the batch one after the other, after a few steps to warm up."""
    from lava.magma.core.run_configs import Loihi2SimCfg

    network = _opened(case)
    _feed(network, x, case.netx_steps + 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with GuardedRuntime(network, Loihi2SimCfg(select_tag="fixed_pt"), time_limit=600.0) as runtime:
            runtime.run(4)
            begin, cpu = time.perf_counter(), _children_cpu()
            runtime.run(case.netx_steps)
            wall, used = time.perf_counter() - begin, _children_cpu() - cpu
    return Cost(wall / case.netx_steps, used / case.netx_steps)


def _opened(case: Case) -> Any:
    """Unmodified NetX's network of a file, resetting after each sample where it can."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lava.lib.dl.netx.hdf5 import Network

        options = {"input_shape": case.input_shape[::-1]} if case.input_shape and len(case.input_shape) == 3 else {}
        network = Network(str(case.path), reset_interval=case.timesteps, reset_offset=1, **options)
    network.net_config.f.close()
    return network


def _feed(network: Any, x: NDArray[np.integer[Any]], steps: int) -> None:
    """Let frames of samples, one after the other, come in by the port that its first block has for them."""
    from lava.proc.io.source import RingBuffer

    first = network.layers[0]
    is_block = type(first).__name__ == "Input"
    if is_block and hasattr(first.neuron, "bias_mant"):
        first.neuron.bias_mant.init = x[0, ..., 0].transpose()  # it would have to be set step by step, which is slower
        return
    port = first.neuron.a_in if is_block else network.inp
    needed = -(-steps // x.shape[-1])
    frames = np.concatenate([x[index % len(x)] for index in range(needed)], -1)[..., :steps].astype(np.int32)
    lava = frames.transpose(*range(frames.ndim - 2, -1, -1), frames.ndim - 1)
    source = RingBuffer(data=lava.reshape(*port.shape, steps))
    source.s_out.connect(port)


def _children_cpu() -> float:
    """Processor seconds of all processes that this one has started and that live."""
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            spent = child.cpu_times()
            total += spent.user + spent.system
    return total


def own_cases(folder: Path, samples: int, timesteps: int, quick: bool) -> Iterator[Case]:
    """Networks of slayer's blocks, exported by slayer."""
    for name, (make, shape, few) in NETWORKS.items():
        if quick and name != "dense_784":
            continue
        path = folder / f"{name}.net"
        torch.manual_seed(0)
        export(make(), path, shape)
        yield Case(path, shape, min(samples, few), 4 if quick else timesteps, 8 if quick else 64)


def export(net: nn.Sequential, path: Path, shape: Shape) -> None:
    """Write slayer's blocks the way lava-dl's tutorials do, after one pass, which tells them their shapes."""
    x = (torch.rand(1, *shape, 4) < 0.5).float()
    with h5py.File(path, "w") as file, torch.no_grad():
        layers = file.create_group("layer")
        for index, block in enumerate(net):
            x = block(x)
            block.export_hdf5(layers.create_group(str(index)))


def _dense(*sizes: int) -> nn.Sequential:
    pairs = list(itertools.pairwise(sizes))
    return nn.Sequential(*(slayer.block.cuba.Dense(dict(CUBA), *pair, weight_scale=4) for pair in pairs))


def _conv(channels: Sequence[int], kernel: int, stride: int, flat: int, *sizes: int) -> nn.Sequential:
    block, options = slayer.block.cuba, {"weight_scale": 3}
    maps = [block.Conv(dict(CUBA), *pair, kernel, stride=stride, **options) for pair in itertools.pairwise(channels)]
    dense = [block.Dense(dict(CUBA), *pair, **options) for pair in zip((flat, *sizes), sizes)]
    return nn.Sequential(*maps, block.Flatten(), *dense)


def _pilotnet_lif() -> nn.Sequential:
    net = _conv((3, 24, 36, 48, 64, 64), 3, 2, 64 * 5, 100, 50, 10, 1)
    return nn.Sequential(slayer.block.cuba.Input(dict(CUBA)), *net)


def _pilotnet_sdnn() -> nn.Sequential:
    block, neuron = slayer.block.sigma_delta, SIGMA_DELTA
    maps = [
        block.Conv(dict(neuron), *pair, 3, stride=2, weight_scale=2) for pair in ((3, 24), (24, 36), (36, 48), (48, 64))
    ]
    dense = [block.Dense(dict(neuron), *pair, weight_scale=2) for pair in ((64 * 5, 100), (100, 50), (50, 10))]
    last = block.Output(dict(neuron), 10, 1)
    return nn.Sequential(block.Input(dict(neuron)), *maps, block.Flatten(), *dense, last)


#: How each network is made, its input's shape, and the samples of a batch, at most.
NETWORKS: dict[str, tuple[Callable[[], nn.Sequential], Shape, int]] = {
    "dense_784": (lambda: _dense(784, 128, 64, 10), (784,), 64),
    "conv_16x16": (lambda: _conv((3, 24, 36), 5, 2, 36, 10), (3, 16, 16), 64),
    "conv_nmnist": (lambda: _conv((2, 16, 32), 5, 2, 32 * 36, 128, 10), (2, 34, 34), 64),
    "pilotnet_lif": (_pilotnet_lif, (3, 66, 200), 16),
    "pilotnet_sdnn": (_pilotnet_sdnn, (3, 33, 100), 64),
}


if __name__ == "__main__":
    typer.run(main)
