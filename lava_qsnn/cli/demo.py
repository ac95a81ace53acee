"""The demonstration: learn handwritten digits with 1-bit weights, export, run in Lava, and count what differs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeVar

import numpy as np
from numpy.typing import NDArray

import netx_export
from lava_qsnn.extras import extra
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.train import data
from lava_qsnn.train._folder import reserved
from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.module import restore
from lava_qsnn.train.provenance import metadata
from lava_qsnn.train.train import train

with extra("train"):
    import torch

Result = TypeVar("Result")

#: Called with what is about to be done, before each step.
Announce = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """One step of the demonstration: what was done, what came out, and its wall time in seconds."""

    done: str
    result: str
    seconds: float


@dataclass(frozen=True)
class Demonstration:
    """A demonstration that has ended: its steps, the network and its file, and pictures."""

    steps: tuple[Step, ...]
    network: IntegerNetwork
    file: Path
    pictures: tuple[Path, ...]
    mismatches: int


def demonstrate(
    folder: Path, announce: Announce, epochs: int | None = None, log: TextIO | None = None
) -> Demonstration:
    """Run the whole path on scikit-learn's digits.

    Args:
        folder: for everything that is written; an earlier demonstration in it is replaced.
        announce: told each step before it starts.
        epochs: of both trainings; the shipped configuration's by default.
        log: a file for their epochs; standard output by default.

    Raises:
        ConfigurationError: another demonstration writes to the folder.
    """
    with reserved(folder):
        return _demonstrate(folder, announce, epochs, log)


def _demonstrate(folder: Path, announce: Announce, epochs: int | None, log: TextIO | None) -> Demonstration:
    torch.set_num_threads(1)  # a network this small is slower on several, much slower on a busy machine
    config = load_config("digits")
    config = override(config, {"trainer.max_epochs": epochs or config.trainer.max_epochs})
    clock = _Clock(announce)
    for name in ("float", "one-bit"):
        shutil.rmtree(folder / name, ignore_errors=True)
    baseline = clock.time(
        "train the float-weight baseline", lambda: train(config, folder / "float", float_weights=True, log=log)
    )
    clock.say(f"test accuracy {baseline.test_accuracy:.2%}")
    trained = clock.time("train with 1-bit weights", lambda: train(config, folder / "one-bit", log=log))
    clock.say(f"test accuracy {trained.test_accuracy:.2%}")

    classifier, samples = restore(trained.best), data.make(config.data)
    shape, bits, timesteps = (getattr(samples.properties, n) for n in ("input_shape", "input_bits", "timesteps"))
    file = folder / "digits.net"
    network = clock.time(
        "export",
        lambda: netx_export.export(classifier.network, file, shape, timesteps, bits, metadata=metadata(samples)),
    )
    clock.say(f"{file.stat().st_size:,} bytes, exact in unmodified NetX: {'yes' if network.stock_exact else 'no'}")

    x, labels = samples.test_arrays()
    torch_report = clock.time("run in torch", lambda: netx_export.verify(network, x, [], classifier.network))
    mismatches = torch_report.mismatches("torch")
    clock.say(f"{mismatches} mismatches with the reference in {sum(row.values for row in torch_report.rows):,} values")
    mismatches += sum(_run(clock, network, x, labels, backend) for backend in netx_export.BACKENDS)
    picture = folder / "sample.png"
    clock.time("draw a sample", lambda: netx_export.plot_sample(network, x[0], picture))
    clock.say(str(picture))
    return Demonstration(tuple(clock.steps), network, file, (trained.curves, picture), mismatches)


def _run(clock: _Clock, network: IntegerNetwork, x: NDArray[Any], labels: NDArray[Any], backend: str) -> int:
    """Run all test samples on one backend and compare every layer with the reference; returns the mismatches."""
    outputs = clock.time(f"run on '{backend}'", lambda: netx_export.simulate_layers(network, x, backend))
    expected = outputs if backend == "reference" else netx_export.simulate_layers(network, x)
    mismatches = sum(int(np.count_nonzero(outputs[name] != expected[name])) for name in network)
    values = sum(values.size for values in expected.values())
    accuracy = (outputs[network.output.name].sum(-1).argmax(1) == labels).mean()
    found = "the ground truth" if backend == "reference" else f"{mismatches} mismatches in {values:,} values"
    clock.say(f"test accuracy {accuracy:.2%}, {found}")
    return mismatches


class _Clock:
    """Times steps, and keeps what is said of each."""

    def __init__(self, announce: Announce) -> None:
        self.announce = announce
        self.steps: list[Step] = []

    def time(self, text: str, action: Callable[[], Result]) -> Result:
        self.announce(text)
        start = time.perf_counter()
        result = action()
        self.steps.append(Step(text, "", time.perf_counter() - start))
        return result

    def say(self, result: str) -> None:
        last = self.steps[-1]
        self.steps[-1] = Step(last.done, result, last.seconds)
