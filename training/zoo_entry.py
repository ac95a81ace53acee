"""Add a trained network to the zoo, or measure it anew: export it, measure it on the whole test set, write its record.

    python training/zoo_entry.py runs/mnist --task "handwritten digits" --folder ~/mnist --licence "CC BY-SA 3.0"

The folder is the one that `lava-qsnn train` has written, of a shipped configuration, which the record names with what
was changed in it. The accuracy, or the error of numbers, is what `lava-qsnn run` says in its last line, on all test
samples; then each backend that takes the network is compared with the reference, layer for layer and step for step, and
no value may differ. With a licence, some test samples come with it. `netx_export/_zoo/cards/NAME.md`, words of the
model card, must be there.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import lava_qsnn
import netx_export
from lava_qsnn.cli.inputs import fitting_data, test_samples
from lava_qsnn.errors import ConfigurationError, QsnnError
from lava_qsnn.integer import INPUT, IntegerNetwork
from lava_qsnn.train.config import Config, Data, load_config, shipped, to_dict
from lava_qsnn.train.data import make
from lava_qsnn.train.module import restore
from lava_qsnn.train.provenance import recorded_data
from netx_export._verify import GROUND_TRUTH
from netx_export._zoo._records import FOLDER, Count, Measurement, Record, Samples, names, record, write_index

#: Test samples that come with a network, and the samples that the slow backends are compared on, at most.
ENCLOSED, COMPARED = 20, 200

#: Keys of a configuration that say where something is or how it is computed, not what is trained.
ELSEWHERE = ("data.folder", "data.download", "data.cache", "trainer.accelerator", "trainer.devices", "model.target")

#: The last line of `lava-qsnn run`.
LAST_LINE = re.compile(r"(?P<measure>\D+) (?P<value>\S+( \(root \S+\))?) on (?P<samples>\d+) samples of (?P<data>.+)")


def add(
    run: Annotated[Path, typer.Argument(help="The folder of a training: best.ckpt and config.yaml.")],
    task: Annotated[str, typer.Option(help="What the network does, in a few words.")],
    name: Annotated[str | None, typer.Option(help="In the zoo; the folder's own by default.")] = None,
    configuration: Annotated[str | None, typer.Option(help="The shipped one; the name by default.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Of the data set, if it needs one.")] = None,
    licence: Annotated[str | None, typer.Option(help="Of the data: without one, no samples are packed.")] = None,
    compared: Annotated[int, typer.Option(help="Samples for the Lava backends.")] = COMPARED,
    zoo: Annotated[Path, typer.Option(help="The zoo to add to.")] = FOLDER,
    workers: Annotated[int, typer.Option(min=1, help="Processes that compare all samples on `fast`.")] = 1,
) -> None:
    """Export, measure and record a network."""
    name = name or run.name
    card = zoo / "cards" / f"{name}.md"
    if not card.is_file():
        raise ConfigurationError(f"there is no model card '{card}'", remedy="write what a person has to say there")
    command = training_command(configuration or name, load_config(run / "config.yaml"))
    with tempfile.TemporaryDirectory() as side:
        file = Path(side) / f"{name}.net"
        network = export(run / "best.ckpt", file)
        made = measured(name, network, file, folder, compared, workers)
        packed = packed_samples(network, folder, licence, Path(side) / f"{name}.npz")
        known = replace(made, task=task, training=command, seed=load_config(run / "config.yaml").seed, samples=packed)
        _install(known, Path(side), zoo)
    typer.echo(netx_export.to_json({"networks": [known]}))


def training_command(configuration: str, used: Config) -> str:
    """The command that trains what was trained, by a shipped configuration and what was changed in it."""
    if configuration not in shipped():
        raise ConfigurationError(
            f"no configuration '{configuration}' is shipped", remedy="put it into training/configs"
        )
    usual, own = _flat(to_dict(load_config(configuration))), _flat(to_dict(used))
    changed = {key: own[key] for key in sorted(own) if key not in ELSEWHERE and usual.get(key) != own[key]}
    seed = f" --seed {changed.pop('seed')}" if "seed" in changed else ""
    begun, taught = changed.pop("model.initial", None), changed.pop("optimizer.teacher", None)
    settings = "".join(f" --set {key}={value}" for key, value in changed.items())
    place = "" if used.data.folder is None else " --folder FOLDER"
    initial = "" if begun is None else f" --initial {_in_runs(begun)}"
    teacher = "" if taught is None else f" --teacher {_in_runs(taught)}"
    return f"lava-qsnn train {configuration}{place}{initial}{teacher}{seed}{settings}"


def _in_runs(checkpoint: str) -> str:
    """The usual place of another training's checkpoint or file; a network of the zoo is where it is."""
    if checkpoint.startswith(netx_export.zoo.PREFIX):
        return checkpoint
    return f"runs/{Path(checkpoint).parent.name}/{Path(checkpoint).name}"


def export(checkpoint: Path, file: Path) -> IntegerNetwork:
    """Export a checkpoint with what the file should tell of its data."""
    classifier = restore(checkpoint)
    given = make(classifier.config.data).properties
    about = classifier.metadata(given.timesteps)
    return netx_export.export(
        classifier.network, file, given.input_shape, given.timesteps, given.input_bits, metadata=about
    )


def measured(
    name: str, network: IntegerNetwork, file: Path, folder: Path | None, compared: int, workers: int = 1
) -> Record:
    """Count and measure what can be of a network; every backend that takes it must be exact."""
    told = netx_export.inspect(file)
    spiking = [layer for layer in told.layers if layer.thresholds is not None]
    measurement = accuracy(name, network, file, folder)
    refused = {each.name: each.refusal for each in told.backends if each.refusal is not None}
    x, counts = test_data(network, folder)[0], {}
    for backend in (each.name for each in told.backends if each.name not in refused and each.name != GROUND_TRUTH):
        part, many = (x, workers) if backend == "fast" else (x[:compared], None)
        counts[backend] = count(network, backend, part, many)
    if wrong := [backend for backend, each in counts.items() if each.mismatches]:
        raise QsnnError(f"{', '.join(wrong)} differ from the reference", remedy="report it: this must never happen")
    return Record(
        name=name,
        task="",
        layers=_layers(told),
        neuron=_neuron(told),
        input_shape=told.input.shape,
        input_bits=told.input.bits,
        timesteps=told.timesteps,
        weights=told.weights,
        weight_bits=max((layer.weight_bits for layer in told.layers[1:-1]), default=told.layers[-1].weight_bits),
        neuron_state_bits=sum(layer.neurons * layer.state_bits for layer in spiking),
        input_state_bits=int(np.prod(told.input.shape)) * netx_export.state_bits(network, INPUT),
        bytes=file.stat().st_size,
        digest=digest(file),
        measured=measurement,
        exact=counts,
        refused=refused,
        training="",
        seed=0,
        release=lava_qsnn.__version__,
        samples=None,
    )


def accuracy(name: str, network: IntegerNetwork, file: Path, folder: Path | None) -> Measurement:
    """Ask the public command about a network on all test samples, in its last line."""
    total = len(test_data(network, folder)[1])
    place = ["--folder", str(folder)] if folder else ["--data", _recorded(network).name]
    shown = "--folder FOLDER" if folder else " ".join(place)
    rest = ["--samples", str(total), "--backend", "fast"]
    command = [str(Path(sys.executable).with_name("lava-qsnn")), "run", str(file), *place, *rest]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1]
    found = LAST_LINE.fullmatch(said)
    if found is None:
        raise QsnnError(f"the last line of `lava-qsnn run` is '{said}'")
    parts: dict[str, Any] = found.groupdict()
    parts["samples"] = int(parts["samples"])
    return Measurement(**parts, command=f"lava-qsnn run zoo:{name} {shown} {' '.join(rest)}")


def count(network: IntegerNetwork, backend: str, x: np.ndarray[Any, Any], workers: int | None) -> Count:
    """Compare a backend with the reference, layer for layer and step for step; chunk by chunk if by workers."""
    rows = netx_export.verify(network, x, [backend], workers=workers).rows
    return Count(len(x), sum(row.values for row in rows), sum(row.mismatches for row in rows))


def test_data(network: IntegerNetwork, folder: Path | None) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """All test samples as the network takes them, and their labels."""
    changes = {} if folder is None else {"data.folder": str(folder)}
    x, labels = test_samples(network, fitting_data(network, _recorded(network), changes), sys.maxsize)
    assert labels is not None
    return x, labels


def _recorded(network: IntegerNetwork) -> Data:
    """The data that a network was trained on, as its file tells them."""
    recorded = recorded_data(network.metadata)
    assert recorded is not None
    return recorded


def packed_samples(network: IntegerNetwork, folder: Path | None, licence: str | None, file: Path) -> Samples | None:
    """Write the first test samples to a file, if their licence is known."""
    if licence is None:
        return None
    x, labels = (each[:ENCLOSED] for each in test_data(network, folder))
    np.savez_compressed(file, x=x.astype(np.uint8), y=labels)
    return Samples(len(x), digest(file), licence)


def digest(file: Path) -> str:
    """The SHA-256 digest of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _install(known: Record, side: Path, zoo: Path) -> None:
    """Copy the files of a network into the zoo, and then write the index that tells of them."""
    for kind, suffix in (("networks", ".net"), ("samples", ".npz")):
        (zoo / kind / f"{known.name}{suffix}").unlink(missing_ok=True)
        if (side / f"{known.name}{suffix}").is_file():
            shutil.copyfile(side / f"{known.name}{suffix}", zoo / kind / f"{known.name}{suffix}")
    records = {name: record(name, zoo) for name in (names(zoo) if (zoo / "index.json").is_file() else ())}
    write_index({**records, known.name: known}, zoo)


def _layers(told: netx_export.Inspection) -> str:
    """Widths and kinds of layers, such as 64-128-128-10 or 1x28x28, conv 16, conv 32, dense 128, dense 10."""
    if all(len(shape) == 1 for shape in (told.input.shape, *(layer.shape for layer in told.layers))):
        return "-".join(str(shape[0]) for shape in (told.input.shape, *(layer.shape for layer in told.layers)))
    parts = [f"{'conv' if len(layer.shape) == 3 else 'dense'} {layer.shape[0]}" for layer in told.layers]
    return ", ".join(["x".join(map(str, told.input.shape)), *parts])


def _neuron(told: netx_export.Inspection) -> str:
    """The kind of the first layer's neurons, and what they remember."""
    first = told.layers[0]
    return f"{netx_export.kind_words(first.neuron)}, {first.potential or f'history {len(first.taps)}'}"


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries by dotted keys."""
    result: dict[str, Any] = {}
    for key, value in content.items():
        nested = isinstance(value, Mapping)
        result |= _flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return result


if __name__ == "__main__":
    typer.run(add)
