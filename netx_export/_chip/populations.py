"""Networks as a chip sees them: populations of neurons and the projections into them, by shapes, bits and strides.

That is all a layout needs, so that a network can be laid out whose weights nobody has.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.integer import INPUT, Shape, whole
from netx_export._chip.yaml_files import read_mapping

#: The connectivities that a projection can have.
KINDS = ("dense", "conv", "one_to_one")

#: Words of 64 bits of a neuron's state, by the neuron: [T] the compiler's tables.
STATE_WORDS = {"lif": 1, "sigma_delta": 1, "s4d": 2, "memory_free": 1}

_MOST = 2**28


@dataclass(frozen=True)
class Projection:
    """Synapses from one source into a population.

    Args:
        source: the name of the population, or "input", that it comes from.
        source_shape: its shape, (C,) or (C, H, W).
        kind: "dense", "conv" or "one_to_one".
        bits: of a stored weight, as lava-dl's `optimize_weight_bits` chooses them; more than 8 fit no chip.
        kernel, stride, padding, dilation: of a convolution, (height, width).
        groups: of a convolution.
        copies: synapses that each weight becomes, one for each delay.
        delay: the longest delay of its synapses, in time steps; 0 for synapses without any.
    """

    source: str
    source_shape: Shape
    kind: str = "dense"
    bits: int = 8
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    copies: int = 1
    delay: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DeploymentError(f"there is no projection {self.kind!r:.60}", remedy=f"choose {', '.join(KINDS)}")
        for name in ("bits", "groups", "copies"):
            whole(getattr(self, name), f"{name} of the projection from '{self.source}'", 1, _MOST)
        whole(self.delay, f"the delay of the projection from '{self.source}'", 0, _MOST)
        for name, least in (("source_shape", 1), ("kernel", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
            what = f"{name} of the projection from '{self.source}'"
            object.__setattr__(self, name, tuple(whole(each, what, least, _MOST) for each in getattr(self, name)))

    @property
    def sources(self) -> int:
        """Neurons of the source."""
        return math.prod(self.source_shape)


@dataclass(frozen=True)
class Population:
    """Neurons of one layer.

    Args:
        name: of the layer.
        shape: (C,) or (C, H, W).
        projections: into it.
        neuron: "lif", "sigma_delta", "s4d", "memory_free", or any other name, whose program is unknown.
        state_words: words of 64 bits that one neuron keeps; that of its kind by default.
        state_bits: bits of state that the neuron's equations need, for the table; None if unknown.
        register_bits: of them, those of a memory-free source's last outputs.
        program: None if the neuron is one that chip and compiler have; else the reason why that is unknown.
    """

    name: str
    shape: Shape
    projections: tuple[Projection, ...] = ()
    neuron: str = "lif"
    state_words: int = 0
    state_bits: int | None = None
    register_bits: int = 0
    program: str | None = None

    def __post_init__(self) -> None:
        shape = tuple(whole(each, f"the shape of '{self.name}'", 1, _MOST) for each in self.shape)
        if len(shape) not in (1, 3):
            raise DeploymentError(f"its shape must be (C,) or (C, H, W), not {shape}", layer=self.name)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "projections", tuple(self.projections))
        object.__setattr__(self, "state_words", self.state_words or STATE_WORDS.get(self.neuron, 1))

    @property
    def neurons(self) -> int:
        """Neurons of the layer."""
        return math.prod(self.shape)

    @property
    def extent(self) -> tuple[int, int, int]:
        """Channels, height and width; 1 where it has none."""
        channels, height, width = (*self.shape, 1, 1)[:3]
        return channels, height, width

    @property
    def is_flat(self) -> bool:
        """True if the compiler cuts it as a vector: it has no positions, and no convolution leads into it."""
        return math.prod(self.extent[1:]) == 1 and all(each.kind != "conv" for each in self.projections)


def chain(input_shape: Shape, rows: Sequence[dict[str, Any]]) -> tuple[Population, ...]:
    """Populations in a row, each from the one before it, by what is known of each layer.

    Args:
        input_shape: (C,) or (C, H, W).
        rows: of each layer `channels`, and, as far as they differ from the defaults, `name`, `kind` ("conv" where a
            `kernel` is given, else "dense"), `bits`, `kernel`, `stride`, `padding`, `dilation`, `groups`, `neuron` and
            `state_words`; numbers stand for height and width alike.

    Raises:
        DeploymentError: a row has an unknown key, or does not fit the one before it.
    """
    populations: list[Population] = []
    source, shape = INPUT, tuple(input_shape)
    for index, row in enumerate(rows):
        population = _population(str(row.get("name", index)), row, source, shape)
        populations.append(population)
        source, shape = population.name, population.shape
    return tuple(populations)


def read_populations(path: str | os.PathLike[str]) -> tuple[Population, ...]:
    """Read a chain of layers of which only shapes, bits and strides are known from a YAML file.

    The file has the keys `input`, a shape, and `layers`, a list of rows as `chain` takes them.

    Raises:
        ConfigurationError: the file is no such thing.
        DeploymentError: a layer does not fit the one before it; the text names it.
        FileNotFoundError: there is no such file.
    """
    values = read_mapping(path, "a network's shapes")
    shape, rows = values.get("input"), values.get("layers")
    if set(values) != {"input", "layers"} or not _is_shape(shape) or not _is_rows(rows):
        raise ConfigurationError(
            f"'{path}' does not hold an input's shape and a list of layers",
            remedy="write for example 'input: [784]' and 'layers: [{channels: 128, bits: 8}, {channels: 10}]'",
        )
    return chain(tuple(values["input"]), values["layers"])


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (1, 3) and all(isinstance(each, int) for each in value)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


#: What a row may say of its projection, and of its population.
_PAIRS = ("kernel", "stride", "padding", "dilation")
_PLAIN = ("bits", "groups")
_NEURON = ("neuron", "state_words")


def _population(name: str, row: dict[str, Any], source: str, shape: Shape) -> Population:
    known = {"name", "kind", "channels", *_PAIRS, *_PLAIN, *_NEURON}
    if unknown := sorted(map(str, set(row) - known)):
        raise DeploymentError(
            f"it has unknown keys: {', '.join(unknown)}", layer=name, remedy=f"known are {', '.join(sorted(known))}"
        )
    kind = row.get("kind", "conv" if "kernel" in row else "dense")
    geometry: dict[str, Any] = {key: _pair(row[key], key, name) for key in _PAIRS if key in row}
    projection = Projection(source, shape, kind, **geometry, **{key: row[key] for key in _PLAIN if key in row})
    channels = shape[0] if kind == "one_to_one" else row.get("channels")
    if channels is None:
        raise DeploymentError("it has no channels", layer=name, remedy="say how many neurons or channels it has")
    target = {"dense": (channels,), "one_to_one": shape}.get(kind) or _convolved(projection, channels, name)
    return Population(name, target, (projection,), **{key: row[key] for key in _NEURON if key in row})


def _pair(value: Any, key: str, name: str) -> tuple[int, int]:
    numbers = (value, value) if isinstance(value, int) else tuple(value)
    if len(numbers) != 2:
        raise DeploymentError(f"its {key} must be one number or two, not {value!r:.60}", layer=name)
    return numbers[0], numbers[1]


def _convolved(projection: Projection, channels: int, name: str) -> Shape:
    if len(projection.source_shape) != 3:
        raise DeploymentError("a convolution needs a source of shape (C, H, W)", layer=name)
    extents = zip(
        projection.source_shape[1:], projection.kernel, projection.stride, projection.padding, projection.dilation
    )
    height, width = (
        (size + 2 * pad - spread * (kernel - 1) - 1) // step + 1 for size, kernel, step, pad, spread in extents
    )
    if min(height, width) < 1:
        raise DeploymentError(f"its kernel is larger than its source {projection.source_shape}", layer=name)
    return channels, height, width
