"""All that a network tells about itself without running."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lava_qsnn.integer import INPUT, IntegerNetwork, Shape
from netx_export._check import check_numbers
from netx_export._describe import LayerSummary, describe, state_bits, weight_bytes
from netx_export._findings import Finding
from netx_export._read import load
from netx_export._simulate import BACKENDS
from netx_export._stock import StockUse, stock_use


@dataclass(frozen=True)
class FileFacts:
    """A network's file: its size in bytes, and the bytes that the weights of each layer take in it."""

    path: str
    size: int
    weights: dict[str, int]


@dataclass(frozen=True)
class InputFacts:
    """The input of one time step: shape, least and greatest number, bits of one, and bits kept of each."""

    shape: Shape
    minimum: int
    maximum: int
    bits: int
    state_bits: int


@dataclass(frozen=True)
class BackendFacts:
    """A backend, and the reason why it would not compute the network exactly; None if it would."""

    name: str
    summary: str
    refusal: str | None
    absence: str | None  # the reason why it cannot run here; None if it can


@dataclass(frozen=True)
class Inspection:
    """All about a network: its layers, the verdict of each backend, and warnings from its numbers.

    Args:
        file: None for a network that was not read from one.
        timesteps: the longest sample.
        stock: how unmodified lava-dl opens, runs and reads the file; None without a file.
        findings: of the checks that look at the numbers alone, the worst first.
    """

    file: FileFacts | None
    input: InputFacts
    timesteps: int
    layers: tuple[LayerSummary, ...]
    backends: tuple[BackendFacts, ...]
    stock: StockUse | None
    findings: tuple[Finding, ...]

    @property
    def neurons(self) -> int:
        """Of all layers."""
        return sum(layer.neurons for layer in self.layers)

    @property
    def weights(self) -> int:
        """Of all layers."""
        return sum(layer.weights for layer in self.layers)


def inspect(network: IntegerNetwork | str | os.PathLike[str]) -> Inspection:
    """Describe a network without running it.

    Args:
        network: a deployed network, or the path of its file.

    Raises:
        FileFormatError, FileNotFoundError: as `load`.
    """
    file, stock = None, None
    if not isinstance(network, IntegerNetwork):
        path, network = Path(network), load(network)
        file = FileFacts(str(path), path.stat().st_size, weight_bytes(network, path))
        stock = stock_use(path)
    given = network.input
    return Inspection(
        file,
        InputFacts(given.shape, given.minimum, given.maximum, given.bits, state_bits(network, INPUT)),
        network.timesteps,
        tuple(describe(network)),
        tuple(
            BackendFacts(name, backend.summary, backend.refusal(network), backend.absence())
            for name, backend in BACKENDS.items()
        ),
        stock,
        check_numbers(network),
    )
