"""All that a network tells about itself without running."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lava_qsnn.integer import ENDLESS, INPUT, IntegerNetwork, Shape
from netx_export._backends import BACKENDS
from netx_export._check._numbers import check_numbers
from netx_export._describe import LayerSummary, describe, state_bits, stored_weights
from netx_export._file_weights import FileWeights, file_weights
from netx_export._findings import Finding
from netx_export._hdf5 import read_contents
from netx_export._open import NetworkOrPath, is_stock, opened
from netx_export._stock import StockUse, use_of
from netx_export._stock_call import feeding, stock_call
from netx_export._zoo import located


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
        weights_on_file: of a stock file, its weights beside those that NetX computes with; else empty.
        stock: how unmodified lava-dl opens, runs and reads a file of this project; None for others.
        opening: the same in sentences, for stock files, too.
        findings: of the checks that look at the numbers alone, the worst first.
    """

    file: FileFacts | None
    input: InputFacts
    timesteps: int
    layers: tuple[LayerSummary, ...]
    backends: tuple[BackendFacts, ...]
    weights_on_file: tuple[FileWeights, ...]
    stock: StockUse | None
    opening: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def is_endless(self) -> bool:
        """True if samples may have any number of time steps."""
        return self.timesteps >= ENDLESS

    @property
    def neurons(self) -> int:
        """Of all layers."""
        return sum(layer.neurons for layer in self.layers)

    @property
    def weights(self) -> int:
        """Of all layers."""
        return sum(layer.weights for layer in self.layers)


def inspect(network: NetworkOrPath, **options: Any) -> Inspection:
    """Describe a network without running it.

    Args:
        network: a deployed network, or the path of its file.
        options: of `load`, for stock files.

    Raises:
        FileFormatError, FileNotFoundError, ConfigurationError: as `load`.
    """
    return inspected(opened(network, **options), None if isinstance(network, IntegerNetwork) else located(network))


def inspected(loaded: IntegerNetwork, path: Path | None) -> Inspection:
    """Describe a network, and the file that it was read from, if there is one."""
    file, weights, stock = _file(loaded, path)
    given = loaded.input
    return Inspection(
        file,
        InputFacts(given.shape, given.minimum, given.maximum, given.bits, state_bits(loaded, INPUT)),
        loaded.timesteps,
        tuple(describe(loaded)),
        tuple(
            BackendFacts(name, backend.summary, backend.refusal(loaded), backend.absence())
            for name, backend in BACKENDS.items()
        ),
        weights,
        stock,
        _opening(loaded, stock),
        check_numbers(loaded),
    )


def _file(
    network: IntegerNetwork, path: Path | None
) -> tuple[FileFacts | None, tuple[FileWeights, ...], StockUse | None]:
    """The facts of a network's file, its weights if it is a stock file, and else how stock lava-dl uses it."""
    if path is None:
        return None, (), None
    size = path.stat().st_size
    if is_stock(network):
        weights = file_weights(network, path)
        return FileFacts(str(path), size, {each.layer: each.stored for each in weights}), weights, None
    contents = read_contents(path)
    return FileFacts(str(path), size, stored_weights(network, contents)), (), use_of(network, contents, path)


def _opening(network: IntegerNetwork, stock: StockUse | None) -> tuple[str, ...]:
    """Sentences on how unmodified lava-dl opens and feeds a file; none for a network without one."""
    if stock is not None:
        return stock.lines
    if not is_stock(network):
        return ()
    call = stock_call(network)
    neuron = network.output.neuron
    place = (
        "spikes of stock.out"
        if neuron.spikes
        else "messages of stock.out"
        if neuron.feeds
        else "voltages of stock.layers[-1].neuron.v"
    )
    lines = (f"stock = {call}", feeding(network), f"the answer is the {place}")
    if call.reset_interval is None:
        return (*lines, "reset_interval is the time steps of a sample, which the file does not say")
    return lines
