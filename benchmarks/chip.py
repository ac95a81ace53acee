"""Networks of the shipped configurations on Loihi 2, and memory-free neurons beside slayer's CUBA on a chip.

    python -m benchmarks.chip layouts       # MNIST, CIFAR-10 and ResNet-19: cores, chips, memory, in seconds
    python -m benchmarks.chip beside-cuba   # digits: trains both, minutes; JSON in benchmarks/results

A layout depends on shapes and bits, not on what was learned: the first command folds networks of random weights. The
second one trains 64-128-128-10 on scikit-learn's digits with the same data, seed and epochs: 1-bit memory-free blocks
by the shipped configuration, slayer's CUBA blocks with slayer's own quantized weights, and counts the test samples.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import nn

import netx_export
from benchmarks._timing import RESULTS
from lava_qsnn import parameters
from lava_qsnn._slayer import slayer
from lava_qsnn.bench.machine import write_json
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.train.config import Config, Model, load_config, override
from lava_qsnn.train.data import SampleData, make
from lava_qsnn.train.models import build
from lava_qsnn.train.module import restore
from lava_qsnn.train.train import train

app = typer.Typer(help=__doc__, no_args_is_help=True)
console = Console()

Array = np.ndarray[Any, Any]

#: ResNet-19 with 1-bit weights on CIFAR-10 at T = 4.
RESNET_19 = Model(
    name="resnet",
    channels=(128, 256, 512),
    blocks=(3, 3, 2),
    hidden=(256,),
    weight_bits=1,
    neuron=parameters.MemoryFree(threshold=0.5, history=4, taps="shift"),
)


def fresh(config: Config) -> IntegerNetwork:
    """The network of a configuration with random weights, folded."""
    torch.manual_seed(config.seed)
    given = make(config.data).properties
    net = build(config.model, given).eval()
    return netx_export.fold(net, given.input_shape, given.timesteps, given.input_bits)


def resnet_19() -> Config:
    """The configuration of ResNet-19 on CIFAR-10."""
    return replace(load_config("cifar10"), model=RESNET_19)


@app.command()
def layouts(
    quick: Annotated[bool, typer.Option("--quick", help="Digits alone, only to see that it runs.")] = False,
    output: Annotated[Path, typer.Option("--output", help="Folder for the JSON.")] = RESULTS,
) -> None:
    """Lay the networks of the shipped configurations and ResNet-19 out on Loihi 2."""
    configurations = {name: load_config(name) for name in ("digits", "mnist", "cifar10")} | {"ResNet-19": resnet_19()}
    configurations = {"digits": configurations["digits"]} if quick else configurations
    table = Table("network", "mapping", "cores", "chips", "board", "fullest SynMem", "seconds")
    rows = []
    for name, config in configurations.items():
        network = fresh(config)
        for mapping in netx_export.MAPPINGS:
            row = {"network": name, **_laid_out(network, mapping)}
            rows.append(row)
            cores, chips = (_range(row[f"tight_{what}"], row[what]) for what in ("cores", "chips"))
            words = f"{row['synmem_words']:,} {row['synmem_words'] / 16_000:.0%}"
            table.add_row(name, mapping, cores, chips, str(row["board"]), words, f"{row['seconds']:.2f}")
    console.print(table)
    console.print(f"wrote {write_json('chip_layouts', {'rows': rows}, output)}")


def _range(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _laid_out(network: IntegerNetwork, mapping: str) -> dict[str, Any]:
    start = time.perf_counter()
    found = netx_export.layout(network, mapping=mapping)
    return {
        "mapping": mapping,
        "seconds": time.perf_counter() - start,
        **{name: getattr(found, name) for name in ("cores", "tight_cores", "chips", "tight_chips", "board")},
        "synmem_words": max(part.synmem_words for part in found.parts),
        "synmem_words_of_all": sum(int(part.needs.synmem_words.sum()) for part in found.parts),
        "rules": sorted({f"{each.severity}: {each.rule}" for each in found.findings}),
    }


@app.command("beside-cuba")
def beside_cuba(
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Of both trainings.")] = 40,
    output: Annotated[Path, typer.Option("--output", help="Folder for the JSON.")] = RESULTS,
) -> None:
    """Train memory-free blocks and slayer's CUBA on the same digits, and count what they move on Loihi 2."""
    torch.set_num_threads(1)
    config = override(load_config("digits"), {"trainer.max_epochs": epochs})
    data = make(config.data)
    x, labels = data.test_arrays()
    networks = {"memory-free, 1 bit": trained_memory_free(config), "slayer's CUBA": trained_cuba(config, data)}
    columns: dict[str, dict[str, Any]] = {}
    for name, network in networks.items():
        for mapping in netx_export.MAPPINGS if name.startswith("memory") else ("word",):
            column = f"{name}, {mapping}" if name.startswith("memory") else name
            columns[column] = _counted(network, mapping, x, labels)
    table = Table("", *columns)
    for row in next(iter(columns.values())):
        table.add_row(row, *(_shown(column[row]) for column in columns.values()))
    console.print(table)
    console.print(f"wrote {write_json('chip_beside_cuba', {'epochs': epochs, 'columns': columns}, output)}")


def trained_memory_free(config: Config) -> IntegerNetwork:
    """Memory-free blocks by a configuration, trained and exported."""
    with TemporaryDirectory() as folder:
        trained = restore(train(config, Path(folder)).best)
    given = make(config.data).properties
    return netx_export.export(trained.network, None, given.input_shape, given.timesteps, given.input_bits)


def trained_cuba(config: Config, data: SampleData) -> IntegerNetwork:
    """slayer's blocks of the same sizes, trained on the same batches; the currents of the last one are the logits."""
    torch.manual_seed(config.seed)
    data.prepare_data()
    data.setup()
    given = data.properties
    neuron = {"current_decay": 0.5, "voltage_decay": 0.25, "scale_grad": 1.0, "tau_grad": 0.3}
    sizes = (math.prod(given.input_shape), *config.model.hidden)
    thresholds = (8.0, 1.25)  # pixels have 5 bits
    net = nn.Sequential(
        *(
            slayer.block.cuba.Dense({"threshold": threshold, **neuron}, *pair, weight_scale=2)
            for threshold, pair in zip(thresholds, pairwise(sizes))
        ),
        slayer.block.cuba.Affine(
            {"threshold": 1.25, **neuron}, sizes[-1], given.outputs, weight_scale=2, dynamics=False
        ),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(config.trainer.max_epochs):
        for x, labels in data.train_dataloader():
            loss = nn.functional.cross_entropy(net(x.float()).sum(-1), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return netx_export.export(net, None, given.input_shape, given.timesteps, given.input_bits)


def _counted(
    network: IntegerNetwork, mapping: str, x: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]
) -> dict[str, Any]:
    found = netx_export.layout(network, mapping=mapping, activity=x)
    traffic = found.traffic
    assert traffic is not None
    outputs = netx_export.simulate(network, x, "fast")
    is_running_sum = network.output.neuron.kind == "cuba_readout"
    answers = (outputs[..., -1] if is_running_sum else outputs.sum(-1)).argmax(1)
    populations = [part.population for part in found.parts]
    return {
        "test accuracy": float((answers == labels).mean()),
        "state bits": sum(each.neurons * (each.state_bits or 0) for each in populations),
        "state words allotted": sum(int(part.needs.state_words.sum()) for part in found.parts),
        "SynMem words": sum(int(part.needs.synmem_words.sum()) for part in found.parts),
        "cores": found.cores,
        "cores at the least": found.tight_cores,
        "messages": float(traffic.messages.mean()),
        "messages between layers": float((traffic.messages - traffic.layers["input"].messages).mean()),
        "payload bits": float(traffic.payload_bits.mean()),
        "SynOps": float(traffic.synops.mean()),
        "SynMem words read": float(traffic.words_read.mean()),
        "neuron updates": traffic.updates,
    }


def _shown(value: float) -> str:
    return f"{value:.2%}" if isinstance(value, float) and value <= 1 else f"{value:,.0f}"


if __name__ == "__main__":
    app()
