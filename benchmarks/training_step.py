"""The cost of a training step beside what a user would otherwise run: forward and backward, input gradient included.

    python -m benchmarks.training_step                     # all shapes and T, JSON and pictures in benchmarks/results
    python -m benchmarks.training_step --quick             # a few seconds, only to see that it runs
    python -m benchmarks.training_step --device cuda

Contenders: this project's memory-free block and its sequential quantized_lif; the stateless baseline (Conv2d or Linear,
BatchNorm, ReLU on N T samples), the physical price; slayer's CUBA block; SpikingJelly's LIF (multi-step) and SlidingPSN
behind the same Conv2d or Linear and BatchNorm, where it is installed. Names with bf16 run under torch's autocast, which
slayer's blocks and a stored potential do not. Each gets its input in the layout and precision it works in, as from a
block before it. Peak memory is what a step adds, in a process each.
"""

from __future__ import annotations

import ctypes
import gc
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from benchmarks._timing import RESULTS, draw_growth, interleave, ratio
from lava_qsnn._slayer import slayer
from lava_qsnn.bench.machine import write_json
from lava_qsnn.block import memory_free, quantized_lif

Step = Callable[[], None]

#: Input shape of a time step, the layers on it, and the frames (samples times time steps) of a training step.
#: A layer is (sources, targets) if dense, (sources, targets, stride) if a convolution of 3 x 3; "flatten" between them.
Layers = tuple[Any, ...]
CONVOLUTIONS: Layers = ((2, 32, 1), (32, 32, 2), (32, 64, 1), (64, 64, 2), (64, 128, 1), (128, 128, 2))
NETWORKS: dict[str, tuple[tuple[int, ...], Layers, int]] = {
    "conv 64 channels 16x16": ((64, 16, 16), ((64, 64, 1),), 64),
    "dense 784-512": ((784,), ((784, 512),), 1024),
    "6 conv, 2 dense, 32x32": (
        (2, 32, 32),
        (
            (2, 32, 1),
            (32, 32, 2),
            (32, 64, 1),
            (64, 64, 2),
            (64, 128, 1),
            (128, 128, 2),
            "flatten",
            (2048, 256),
            (256, 10),
        ),
        64,
    ),
}

MEMORY_FREE = {"threshold": 0.5, "history": 4, "norm": "batch"}
LIF = {"threshold": 0.5, "potential_bits": 4, "norm": "batch"}

OURS = "memory-free"
BASELINE = "stateless baseline"
BF16 = ", bf16"


def cuba(layers: Layers) -> nn.Module:
    """Slayer's CUBA as in lava-dl's tutorials, with the batch norm that slayer deploys."""
    parameters = {
        "threshold": 1.25,
        "current_decay": 0.25,
        "voltage_decay": 0.03,
        "tau_grad": 0.03,
        "scale_grad": 3,
        "requires_grad": True,
        "norm": slayer.neuron.norm.MeanOnlyBatchNorm,
    }
    return blocks(slayer.block.cuba, parameters, layers)


def stateless(layers: Layers) -> nn.Module:
    """Conv2d or Linear, BatchNorm, ReLU: what the same network costs without time, on frames (N T, ..)."""
    return nn.Sequential(*(module for layer in layers for module in (*_plain(layer), *_relu(layer))))


def _plain(layer: Any) -> tuple[nn.Module, ...]:
    if layer == "flatten":
        return (nn.Flatten(),)
    if len(layer) == 3:
        source, target, stride = layer
        return nn.Conv2d(source, target, 3, stride, 1, bias=False), nn.BatchNorm2d(target)
    source, target = layer
    return nn.Linear(source, target, bias=False), nn.BatchNorm1d(target)


def _relu(layer: Any) -> tuple[nn.Module, ...]:
    return () if layer == "flatten" else (nn.ReLU(),)


def blocks(family: Any, parameters: dict[str, Any], layers: Layers) -> nn.Module:
    """The network of a family of slayer-style blocks, on (N, .., T)."""
    made: list[nn.Module] = []
    for layer in layers:
        if layer == "flatten":
            made.append(family.Flatten())
        elif len(layer) == 3:
            made.append(family.Conv(dict(parameters), *layer[:2], 3, stride=layer[2], padding=1))
        else:
            made.append(family.Dense(dict(parameters), *layer))
    return nn.Sequential(*made)


class SpikingJelly(nn.Module):
    """The same with a neuron of SpikingJelly's in place of the ReLU, multi-step, on (T, N, ..)."""

    def __init__(self, layers: Layers, neuron: str) -> None:
        super().__init__()
        from spikingjelly.activation_based import layer as wrappers
        from spikingjelly.activation_based import neuron as neurons

        made: list[nn.Module] = []
        for layer in layers:
            made.append(wrappers.SeqToANNContainer(*_plain(layer)))
            if layer != "flatten":
                made.append(
                    neurons.LIFNode(step_mode="m") if neuron == "LIF" else neurons.SlidingPSN(k=4, step_mode="m")
                )
        self.network = nn.Sequential(*made)

    def forward(self, x: Tensor) -> Tensor:
        from spikingjelly.activation_based import functional

        functional.reset_net(self.network)
        return self.network(x)


def contenders(network: str, samples: int, timesteps: int, device: str, only: str | None = None) -> dict[str, Step]:
    """A step of each contender for one network, or of one of them, on the same spikes, each in the layout it likes."""
    torch.manual_seed(0)
    shape, layers, _ = NETWORKS[network]
    spikes = (torch.rand(samples, timesteps, *shape, device=device) < 0.2).float()
    frames = spikes.flatten(0, 1)
    last = frames.contiguous(memory_format=torch.channels_last) if frames.dim() == 4 else frames
    inputs: dict[str, Callable[[], Tensor]] = {
        "frames, channels last": lambda: last,
        "time last": lambda: last.unflatten(0, (samples, timesteps)).movedim(1, -1),
        "time last, in memory": lambda: spikes.movedim(1, -1).contiguous(),
        "time first": lambda: spikes.movedim(1, 0).contiguous(),
    }
    made: dict[str, tuple[Callable[[], nn.Module], str]] = {
        OURS: (partial(blocks, memory_free, MEMORY_FREE, layers), "time last"),
        OURS + BF16: (partial(blocks, memory_free, MEMORY_FREE, layers), "time last"),
        BASELINE: (partial(stateless, layers), "frames, channels last"),
        BASELINE + BF16: (partial(stateless, layers), "frames, channels last"),
        **({"slayer CUBA": (partial(cuba, layers), "time last, in memory")} if slayer is not None else {}),
        "sequential quantized_lif": (partial(blocks, quantized_lif, LIF, layers), "time last"),
    }
    for neuron in ("LIF", "SlidingPSN"):
        if _has_spikingjelly(neuron):
            made[f"SpikingJelly {neuron}"] = (partial(SpikingJelly, layers, neuron), "time first")
            made[f"SpikingJelly {neuron}{BF16}"] = (partial(SpikingJelly, layers, neuron), "time first")
    return {
        name: _step(_in_its_layout(module(), layout).to(device), inputs[layout](), name.endswith(BF16))
        for name, (module, layout) in made.items()
        if only in (None, name)
    }


def _in_its_layout(module: nn.Module, layout: str) -> nn.Module:
    if layout == "frames, channels last":
        for parameter in module.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def _has_spikingjelly(neuron: str) -> bool:
    try:
        from spikingjelly.activation_based import neuron as neurons
    except ImportError:
        return False
    return neuron == "LIF" or hasattr(neurons, neuron)


def _step(module: nn.Module, x: Tensor, bf16: bool) -> Step:
    x = (x.bfloat16() if bf16 else x).detach().requires_grad_()

    def step() -> None:
        module.zero_grad()
        x.grad = None
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            y = module(x)
        y.backward(torch.ones_like(y))

    return step


def measure(layer: str, timesteps: int, frames: int, runs: int, device: str) -> list[dict[str, Any]]:
    """Seconds of each contender at one T, and the ratios between them, for either precision.

    Others are compared in the same precision where they have it, and else in float32.
    """
    samples = max(1, frames // timesteps)
    wait = torch.cuda.synchronize if device == "cuda" else None
    timings = interleave(contenders(layer, samples, timesteps, device), runs, synchronize=wait)
    rows = []
    for suffix in ("", BF16):
        ours = timings[OURS + suffix]
        others = {name: timings.get(name + suffix, timings[name]) for name in timings if BF16 not in name}
        rows.append(
            {
                "layer": layer,
                "T": timesteps,
                "samples": samples,
                "precision": suffix[2:] or "float32",
                "seconds": ours.median,
                "ours / baseline": asdict(ratio(ours, others[BASELINE])),
                "other / ours": {
                    n: asdict(ratio(other, ours)) for n, other in others.items() if n not in (OURS, BASELINE)
                },
            }
        )
    return rows


def peak_memory(layer: str, timesteps: int, frames: int, device: str) -> dict[str, float]:
    """MiB that one step of each contender adds to the process, or to the device; each in a process of its own."""
    samples, found = max(1, frames // timesteps), {}
    for name in contenders(layer, 1, 1, "cpu"):
        code = (
            "from benchmarks import training_step as t; import torch; torch.set_num_threads(1); "
            f"print(t.added_memory({layer!r}, {name!r}, {samples}, {timesteps}, {device!r}))"
        )
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        found[name] = float(answer.stdout.splitlines()[-1])
    return found


def added_memory(layer: str, name: str, samples: int, timesteps: int, device: str) -> float:
    """MiB between what the process (on Linux) or the device holds before a step and the most it held in three steps."""
    step = contenders(layer, samples, timesteps, device, only=name)[name]
    step()
    gc.collect()
    if device == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        return float(torch.cuda.max_memory_allocated() - before) / 2**20
    ctypes.CDLL(None).malloc_trim(0)  # what the first step left to the allocator, it gives back
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak starts anew from here
    before = _status("VmRSS")
    for _ in range(3):
        step()
    return (_status("VmHWM") - before) / 1024


def _status(name: str) -> int:
    """A line of the process's status, KiB."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def growth(layer: str, runs: int, device: str, longest: int) -> dict[str, dict[int, float]]:
    """Seconds per step of training with 4 samples, by contender and T."""
    curves: dict[str, dict[int, float]] = {}
    steps = [t for t in (1, 2, 4, 8, 16, 32, 64, 128, 256) if t <= longest]
    for timesteps in track(steps, f"growth, {layer}", transient=True):
        wait = torch.cuda.synchronize if device == "cuda" else None
        timings = interleave(contenders(layer, 4, timesteps, device), runs, 1, wait)
        for name, timing in timings.items():
            curves.setdefault(name, {})[timesteps] = timing.median
    return curves


def show(rows: list[dict[str, Any]], console: Console) -> None:
    """The ratios as a table."""
    others = list(rows[0]["other / ours"])
    table = Table("layer", "T", "precision", "ms", "ours / baseline", *(f"{name} / ours" for name in others))
    for row in rows:
        baseline = row["ours / baseline"]
        spread = f"{baseline['median']:.2f} ({baseline['low']:.2f} .. {baseline['high']:.2f})"
        cells = [f"{row['other / ours'][name]['median']:.1f}" for name in others]
        table.add_row(row["layer"], str(row["T"]), row["precision"], f"{1000 * row['seconds']:.1f}", spread, *cells)
    console.print(table)


def main(
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Of torch, on a CPU.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="Of each contender, after two to warm up.")] = 9,
    quick: Annotated[bool, typer.Option("--quick", help="Small, to see that it runs.")] = False,
    results: Annotated[Path, typer.Option(help="Folder for JSON and pictures.")] = RESULTS,
) -> None:
    """Measure, print ratios, write JSON and pictures."""
    torch.set_num_threads(threads)
    console = Console()
    steps, divisor = ((4,), 16) if quick else ((4, 16, 64), 1)
    cases = [(layer, timesteps) for layer in NETWORKS for timesteps in steps]
    rows = [
        row
        for layer, timesteps in track(cases, "training steps", console=console, transient=True)
        for row in measure(layer, timesteps, NETWORKS[layer][2] // divisor, 1 if quick else runs, device)
    ]
    show(rows, console)
    content: dict[str, Any] = {"device": device, "threads": threads, "runs": runs, "rows": rows}
    if not quick:
        content["peak memory, MiB, T = 16"] = {
            layer: peak_memory(layer, 16, frames * (16 if len(layers) == 1 else 4), device)
            for layer, (_, layers, frames) in NETWORKS.items()
        }
        layers = [name for name, (_, layers, _) in NETWORKS.items() if len(layers) == 1]
        content["growth, seconds, 4 samples"] = {layer: growth(layer, runs, device, 256) for layer in layers}
        console.print_json(json.dumps(content["peak memory, MiB, T = 16"]))
        for layer, curves in content["growth, seconds, 4 samples"].items():
            name = layer.split(",")[0].replace(" ", "_")
            draw_growth(curves, results / f"training_step_{name}_{device}.png", f"training step, {layer}, 4 samples")
            _show_growth(layer, curves, console)
    console.print(f"wrote {write_json(f'training_step_{device}', content, results)}")


def _show_growth(layer: str, curves: dict[str, dict[int, float]], console: Console) -> None:
    for name in (OURS, BASELINE, OURS + BF16, BASELINE + BF16):
        per_step = {timesteps: seconds / timesteps for timesteps, seconds in curves[name].items()}
        console.print(
            f"{layer}, {name}: T = 256 costs {per_step[256] / per_step[16]:.2f} times T = 16, per step of time"
        )


if __name__ == "__main__":
    typer.run(main)
