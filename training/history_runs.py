"""One training of the history experiment: a setting of a neuron is trained, exported and counted."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import netx_export
from history_rows import Row, Setting
from lava_qsnn.errors import DeploymentError, RangeError
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.train.config import Config, load_config, override
from lava_qsnn.train.data import make
from lava_qsnn.train.module import restore
from lava_qsnn.train.provenance import metadata
from lava_qsnn.train.train import train

#: The networks, where they differ from the shipped configuration of the data set.
NETWORKS: dict[str, dict[str, Any]] = {
    "digits": {"trainer.max_epochs": 12},  # to try the experiment out
    "spoken_crossings": {"trainer.max_epochs": 12},
    "spoken_digits": {"trainer.max_epochs": 12},
    "nmnist": {"trainer.max_epochs": 15},
    # What two CPU cores do in an hour; --channels and --epochs make it a real network on an accelerator.
    "cifar10": {
        "model.channels": [8, 16, 32],
        "model.hidden": [128],
        "model.first_bits": 8,
        "data.batch_size": 64,
        "data.augment": False,
        "trainer.max_epochs": 3,
    },
}


def base(data: str) -> Config:
    """A shipped configuration with the experiment's network, which may be one that not all backends run."""
    return override(load_config(data), {**NETWORKS[data], "model.target": "any"})


@dataclass(frozen=True)
class Shared:
    """The part that all trainings of a grid share: the data, changes of their configuration, and where to write.

    Args:
        data: name of the data set.
        changes: of its configuration, by key.
        folder: for checkpoints and logs, on the machine that trains.
        threads: of each training.
        command: that asked for it, for the record.
    """

    data: str
    changes: dict[str, Any]
    folder: Path
    threads: int
    command: str


def trained(shared: Shared, task: tuple[Setting, int]) -> Row | str:
    """Measure a setting with a seed, on a worker; the reason, if no network of this kind can be deployed."""
    try:
        return measure(shared.data, *task, shared.changes, shared.folder, shared.threads, shared.command)
    except RangeError as error:
        return str(error)


def measure(
    data: str, setting: Setting, seed: int, changes: dict[str, Any], folder: Path, threads: int, command: str = ""
) -> Row:
    """Train, export, and count."""
    torch.set_num_threads(threads)
    config = override(base(data), {**changes, **setting.changes(), "seed": seed})
    run = folder / f"{data}-{setting.name}-{seed}".replace(" ", "-").replace(",", "")
    if run.exists():  # an interrupted run's
        run = Path(f"{run}-{time.time_ns()}")
    result = train(config, run, progress=False)
    net, file = restore(result.best).network, run / "network.net"
    data_module = make(config.data)
    given = data_module.properties
    try:
        network = netx_export.export(
            net, file, given.input_shape, given.timesteps, given.input_bits, metadata=metadata(data_module)
        )
        size, state = file.stat().st_size, _state_bits(network)
    except DeploymentError:
        size, state = 0, 32.0
    return Row(
        data=data,
        family=setting.family,
        bits=str(setting.bits or ("full" if setting.family == "quantized_lif" else "")),
        decay=str(setting.decay or ""),
        reset=setting.reset,
        history=str(setting.history or ""),
        taps=setting.taps,
        regulated="yes" if setting.regulated else "no",
        seed=seed,
        epochs=config.trainer.max_epochs,
        test_accuracy=round(result.test_accuracy, 5),
        validation_accuracy=round(result.best_accuracy, 5),
        state_bits=round(state, 3),
        weight_bits=config.model.weight_bits,
        file_bytes=size,
        seconds_per_epoch=round(result.seconds_per_epoch, 3),
        network=network_name(config),
        torch=torch.__version__,
        commit=_commit(),
        command=command,
    )


def _state_bits(network: IntegerNetwork) -> float:
    """Bits that the network keeps from step to step, inputs included, per spiking neuron."""
    spiking = [layer for layer in netx_export.describe(network) if layer.thresholds is not None]
    inputs = netx_export.state_bits(network, "input") * _count(network.input.shape)
    kept = inputs + sum(layer.neurons * layer.state_bits for layer in spiking)
    return kept / sum(layer.neurons for layer in spiking)


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


def network_name(config: Config) -> str:
    """The network in words, by which rows of the file are told apart."""
    model = config.model
    return f"{model.name} {'-'.join(map(str, (*model.channels, *model.hidden)))}, T={config.data.timesteps}"


def _commit() -> str:
    try:
        asked = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=10"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
