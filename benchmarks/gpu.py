"""Measurements on one NVIDIA GPU: steps of training, exactness, ResNet-19 on CIFAR-10. `gpu.sh` says in which order.

    python -m benchmarks.gpu look steps exact unpack resnet19 --device cuda
    python -m benchmarks.gpu steps exact resnet19 --device cpu --quick      # to see that it runs

Each stage writes gpu_STAGE.json with the device's name. One that lacks a package or data says so, and the others go on.
What it needs beyond torch and numpy is this project and what its blocks import.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lava_qsnn.bench.machine import write_json

FOLDER = Path("runs/gpu")

#: What a step of training should cost: times ours for others, and ours in times its stateless twin.
GOALS = {"slayer CUBA": 4.0, "SpikingJelly LIF": 2.0, "ours / baseline": 1.15}


@dataclass(frozen=True)
class Options:
    """The choices of the command line.

    Args:
        device: "cuda" or "cpu".
        quick: small, to see that it runs.
        seconds: that a stage may take, about.
        folder: for data and checkpoints.
        results: for JSON and weights.
    """

    device: str
    quick: bool
    seconds: float
    folder: Path
    results: Path


def look(options: Options) -> dict[str, Any]:
    """Look for the GPU, and for the packages that stages ask for."""
    found: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda, "python": sys.version}
    for name in ("h5py", "yaml", "rich", "typer", "lava.lib.dl.slayer", "spikingjelly", "torchvision", "lightning"):
        try:
            __import__(name)
            found[name] = "here"
        except Exception as error:
            found[name] = f"missing: {error!r}"
    if options.device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found |= {"memory, GiB": properties.total_memory / 2**30, "capability": torch.cuda.get_device_capability()}
    return {"packages": found}


def steps(options: Options) -> dict[str, Any]:
    """Steps of training, neighbouring runs: ours, its stateless twin, slayer's CUBA on CUDA kernels, SpikingJelly."""
    from benchmarks._timing import interleave, ratio
    from benchmarks.training_step import BASELINE, BF16, NETWORKS, OURS, contenders

    rows: list[dict[str, Any]] = []
    left_out, start = {}, time.monotonic()
    cases = product(NETWORKS, (4,) if options.quick else (4, 16, 64))
    for network, timesteps in cases:
        if time.monotonic() - start > options.seconds:
            left_out[f"{network}, T = {timesteps}"] = "no time was left"
            continue
        frames = NETWORKS[network][2] // (16 if options.quick else 1)
        chosen = contenders(network, max(1, frames // timesteps), timesteps, options.device)
        for name in list(chosen):
            try:
                chosen[name]()
            except Exception as error:  # a kernel that cannot be compiled, say
                left_out[f"{name}, {network}, T = {timesteps}"] = repr(error)
                del chosen[name]
        timings = interleave(chosen, 1 if options.quick else 20, 3, _wait(options.device))
        for suffix in ("", BF16):
            ours = timings[OURS + suffix]
            others = {name: timings.get(name + suffix, timings[name]) for name in timings if BF16 not in name}
            rows.append(
                {
                    "layer": network,
                    "T": timesteps,
                    "precision": suffix[2:] or "float32",
                    "seconds": ours.median,
                    "ours / baseline": asdict(ratio(ours, others[BASELINE])),
                    "other / ours": {n: asdict(ratio(t, ours)) for n, t in others.items() if n not in (OURS, BASELINE)},
                }
            )
    missing = [name for name in GOALS if "/" not in name and not any(name in row["other / ours"] for row in rows)]
    return {"rows": rows, "goals": GOALS, "missing": missing, "left out": left_out}


def _wait(device: str) -> Callable[[], None] | None:
    return torch.cuda.synchronize if device == "cuda" else None


#: What must not matter for evaluation: TF32 in products and convolutions, and cuDNN's choice by measurement.
SETTINGS = tuple({"tf32": tf32, "autotuning": autotuning} for tf32, autotuning in product((False, True), (False, True)))


def exact(options: Options) -> dict[str, Any]:
    """Evaluation on the device beside the reference, every potential, under every setting that could round."""
    import netx_export

    rows = []
    for name, (net, shape, bits) in _networks().items():
        x = torch.randint(0, 2**bits, (4 if options.quick else 64, *shape, 6))
        with torch.no_grad():
            net.train()(x.float())  # statistics of these data, hence thresholds that are met
        net.eval()
        network = netx_export.fold(net, shape, 6, bits)
        expected = torch.from_numpy(netx_export.simulate(network, x.numpy(), backend="reference"))
        scale = _scale(net(x.float()), expected)
        net.to(options.device)
        for setting in SETTINGS:
            with _set(setting), torch.no_grad():
                found = net(x.float().to(options.device)).cpu() / scale
            wrong = int((found.round().long() != expected).sum())
            rows.append({"network": name, **setting, "values": expected.numel(), "mismatches": wrong})
    return {"rows": rows, "mismatches": sum(row["mismatches"] for row in rows)}


def _scale(y: torch.Tensor, expected: torch.Tensor) -> float:
    """The positive constant between torch's answer and the integers, from the largest of them."""
    place = expected.abs().argmax()
    largest = float(expected.flatten()[place])
    if largest == 0:
        raise RuntimeError("every answer is 0")
    return float(y.flatten()[place]) / largest


def _networks() -> dict[str, tuple[nn.Module, tuple[int, ...], int]]:
    """Networks whose sums and words are long: each with its input's shape and bits."""
    from lava_qsnn.block import memory_free, quantized_lif

    long = {"threshold": 0.5, "history": 6, "taps": "geometric", "tap_bits": 8}
    lif = {"threshold": 0.5, "potential_bits": 4}

    def convolutional(family: Any, neuron: dict[str, Any], first_bits: int) -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(
            family.Conv(dict(neuron), 3, 32, 3, padding=1, weight_bits=first_bits),
            family.Residual(*(family.Conv(dict(neuron), 32, 32, 3, padding=1) for _ in range(2))),
            memory_free.Pool(None, 2),
            family.Conv(dict(neuron), 32, 64, 3, padding=1),
            memory_free.Pool(None, 8),
            memory_free.Flatten(),
            family.Output(64, 10, weight_bits=8),
        )

    torch.manual_seed(0)
    dense = nn.Sequential(memory_free.Dense(dict(long), 512, 512), memory_free.Output(512, 10))
    return {
        "dense, words of 15 bits": (dense, (512,), 4),
        "convolutions, memory-free": (convolutional(memory_free, long, 1), (3, 16, 16), 5),
        "convolutions, 4-bit potential": (convolutional(quantized_lif, lif, 8), (3, 16, 16), 8),
    }


def _set(setting: Mapping[str, bool]) -> ExitStack:
    stack = ExitStack()
    matmul = torch.backends.cuda.matmul
    stack.callback(setattr, matmul, "allow_tf32", matmul.allow_tf32)
    matmul.allow_tf32 = setting["tf32"]
    flags = {"enabled": True, "benchmark": setting["autotuning"], "allow_tf32": setting["tf32"]}
    stack.enter_context(torch.backends.cudnn.flags(**flags))
    return stack


def unpack(options: Options) -> dict[str, Any]:
    """Write the files of CIFAR-10's binary version from the parts that are there."""
    from benchmarks import gpu_resnet19

    return gpu_resnet19.unpack(options.folder)


def resnet19(options: Options) -> dict[str, Any]:
    """Train ResNet-19 on CIFAR-10, or go on with it, until the time is over."""
    from benchmarks import gpu_resnet19

    return gpu_resnet19.run(options.folder, options.results, options.device, options.seconds, options.quick)


STAGES: dict[str, Callable[[Options], dict[str, Any]]] = {
    stage.__name__: stage for stage in (look, steps, exact, unpack, resnet19)
}


def device_name(device: str) -> str:
    """The name of what was measured."""
    return torch.cuda.get_device_name(0) if device == "cuda" else "the CPU, a dry run"


def run(name: str, options: Options) -> bool:
    """Run a stage, and write what came of it; false where it could not be run."""
    start = time.monotonic()
    try:
        content, done = STAGES[name](options), True
    except (ImportError, FileNotFoundError) as error:
        content, done = {"not run": f"missing: {error}"}, False
    except Exception as error:  # whatever happens, the other stages go on
        content, done = {"not run": repr(error), "traceback": traceback.format_exc()}, False
    told = {"stage": name, "device": device_name(options.device), "seconds": time.monotonic() - start, **content}
    path = write_json(f"gpu_{name}", told, options.results)
    print(f"{name}: {'done' if done else told['not run']}, {told['seconds']:.0f} s, {path}", flush=True)
    return done


def main() -> None:
    """Run the stages that the command line names, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="+", choices=list(STAGES))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=["cuda", "cpu"])
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    parser.add_argument("--seconds", type=float, default=240.0, help="of a stage, about")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for data and checkpoints")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"), help="for JSON and weights")
    given = vars(parser.parse_args())
    names = given.pop("stages")
    outcomes = [run(name, Options(**given)) for name in names]
    sys.exit(0 if all(outcomes) else 3)


if __name__ == "__main__":
    main()
