"""The index of the zoo: what was measured of each network, and what reproduces it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from lava_qsnn.errors import ConfigurationError

#: The folder of the index and of what it tells of.
FOLDER = Path(__file__).parent

INDEX = "index.json"


@dataclass(frozen=True)
class Measurement:
    """A result as a command has said it in its last line: `accuracy 98.22% on 10000 samples of mnist`."""

    measure: str
    value: str
    samples: int
    data: str
    command: str

    @property
    def short(self) -> str:
        """The accuracy, or the root of the mean squared error, as in "± 0.35"."""
        root = re.search(r"\(root (.*)\)", self.value)
        return self.value if root is None else f"± {float(root[1]):.2g}"

    def __str__(self) -> str:
        return f"{self.measure} {self.value} on {self.samples:,} samples of {self.data}"


@dataclass(frozen=True)
class Count:
    """A comparison of a backend with the reference: samples, values of all layers and steps, and differences."""

    samples: int
    values: int
    mismatches: int


@dataclass(frozen=True)
class Samples:
    """Test samples that come with a network: how many, the SHA-256 digest of their file, and their licence."""

    count: int
    digest: str
    licence: str


@dataclass(frozen=True)
class Record:
    """The facts about a network in the zoo.

    Args:
        name: `zoo:NAME` stands for its file.
        task: what it does, in a few words.
        layers: widths and kinds, from the input to the output, such as 784-512-512-10.
        neuron: the kind of its neurons, with the history or the bits that they store.
        input_shape, input_bits, timesteps: (C,) or (C, H, W) of a step, bits of a number, T.
        weights, weight_bits: how many weights there are, and the bits of those in hidden layers.
        neuron_state_bits, input_state_bits: bits that all neurons, and all inputs, keep from step to step.
        bytes, digest: of its file, the digest by SHA-256.
        measured: its result on the full test set.
        exact: what each backend was compared in with the reference.
        refused: why the other backends do not compute it exactly.
        training: the command that trains it, which names the configuration.
        seed: of that training.
        release: of the package that trained and exported it.
        samples: what comes with it to try it on; None if nothing does.
    """

    name: str
    task: str
    layers: str
    neuron: str
    input_shape: tuple[int, ...]
    input_bits: int
    timesteps: int
    weights: int
    weight_bits: int
    neuron_state_bits: int
    input_state_bits: int
    bytes: int
    digest: str
    measured: Measurement
    exact: Mapping[str, Count]
    refused: Mapping[str, str]
    training: str
    seed: int
    release: str
    samples: Samples | None


def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """The names of the networks in the zoo, in alphabetical order."""
    return tuple(sorted(_index(folder)))


def record(name: str, folder: Path = FOLDER) -> Record:
    """The record of a network in the zoo.

    Raises:
        ConfigurationError: there is none of that name; the text lists those that there are.
    """
    index = _index(folder)
    if name not in index:
        near = get_close_matches(name, index, n=1)
        meant = f"did you mean '{near[0]}'? There are" if near else "choose one of"
        raise ConfigurationError(
            f"there is no network '{name}' in the zoo", remedy=f"{meant} {', '.join(names(folder)) or 'none'}"
        )
    return index[name]


def write_index(records: Mapping[str, Record], folder: Path) -> None:
    """Write the index of a folder; `names` and `record` know the new one."""
    content = {name: {key: value for key, value in asdict(records[name]).items() if key != "name"} for name in records}
    text = json.dumps({"version": 1, "networks": dict(sorted(content.items()))}, indent=2, ensure_ascii=False)
    (folder / INDEX).write_text(text + "\n", "utf-8")
    _index.cache_clear()


@cache
def _index(folder: Path) -> dict[str, Record]:
    content = json.loads((folder / INDEX).read_text("utf-8"))
    return {name: _record(name, told) for name, told in content["networks"].items()}


def _record(name: str, told: dict[str, Any]) -> Record:
    parts = {
        "input_shape": tuple(told["input_shape"]),
        "measured": Measurement(**told["measured"]),
        "exact": {backend: Count(**count) for backend, count in told["exact"].items()},
        "samples": None if told["samples"] is None else Samples(**told["samples"]),
    }
    return Record(**{"name": name, **told, **parts})
