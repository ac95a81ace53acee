"""A deployed network as populations and projections: what a memory-free neuron becomes on a chip, in three ways.

    word       the source's core keeps the register of its last K outputs and sends their trace h = sum_k L_k s[t-k] as
               one graded message while it is not 0; targets add W h and keep nothing
    delayed    binary spikes, and K synapses of weight L_k W and delay k for each weight W
    stock      Loihi's CUBA neuron with a current decay of one half, which sums the shift taps itself

Other neurons send their own outputs under each of them. Poolings are merged, or are relays: see `pools`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.integer import (
    INPUT,
    Connection,
    Conv,
    IntegerNetwork,
    Layer,
    MemoryFree,
    OneToOne,
    QuantizedLIF,
    Readout,
    TimedMemoryFree,
)
from netx_export._chip.pools import without_poolings
from netx_export._chip.populations import Population, Projection
from netx_export._chip.profiles import Chip
from netx_export._chip.storage import optimized_bits

MAPPINGS = ("word", "delayed", "stock")

#: The register bits that one word of state surely holds [I]; beyond, what a program does is unknown.
REGISTER_BITS = 24

#: Payloads of graded messages, in bits: public code [C].
PAYLOADS = (8, 16, 24)

#: Ports that take a bias instead of synaptic input: what enters there needs no synapse.
BIAS_PORTS = ("bias",)

MICROCODE = "needs a microcode program, whose length, and whether it fits, is not public"

#: The neurons that chips and compilers have, by their kinds, and their names in tables of state.
_KNOWN = {"cuba": "lif", "cuba_readout": "lif", "sigma_delta": "sigma_delta"}


@dataclass(frozen=True)
class Message:
    """The messages of a source into some projections: one message for each time step at which it is not 0.

    Args:
        source: the name of a layer, or "input".
        taps: the weights of the source's outputs in it, those of this time step first.
        targets: the layers that it goes to, each with the numbers of its connections.
        payload_bits: 0 for a spike without payload, else 8, 16 or 24; more than 24 do not fit a message.
        is_bounded: False if the source's equations allow more bits, which its data decide whether it needs.
    """

    source: str
    taps: tuple[int, ...]
    targets: tuple[tuple[str, int], ...]
    payload_bits: int
    is_bounded: bool = True


@dataclass(frozen=True)
class Mapped:
    """A network as a chip sees it: populations in the network's order, and the messages between them."""

    network: IntegerNetwork
    mapping: str
    populations: tuple[Population, ...]
    messages: tuple[Message, ...]
    waits: dict[tuple[str, int], int]


def map_network(network: IntegerNetwork, chip: Chip, mapping: str, apart: Collection[str] = ()) -> Mapped:
    """Map a network; poolings of the layers in `apart` become neurons of their own.

    Raises:
        ConfigurationError: there is no such mapping, or the chip cannot have it.
        DeploymentError: a loop of layers has fewer time steps of delay than layers.
    """
    if mapping not in MAPPINGS:
        raise ConfigurationError(f"there is no mapping {mapping!r:.60}", remedy=f"choose one of {', '.join(MAPPINGS)}")
    merged = without_poolings(network, apart)
    if mapping == "word" and not chip.message_bits and any(map(has_history, merged.layers)):
        raise ConfigurationError(
            f"traces of memory-free neurons are graded messages, and {chip.name} sends spikes without a payload",
            remedy="use the mapping 'delayed', which is exact there, or 'stock'",
        )
    waits = pipeline_delays(merged)
    populations = tuple(_population(merged, layer, mapping, waits) for layer in merged.layers)
    return Mapped(merged, mapping, populations, tuple(_messages(merged, mapping, waits)), waits)


def has_history(layer: Layer) -> bool:
    """True for layers whose targets see traces instead of outputs: memory-free neurons and their readouts."""
    return isinstance(layer.neuron, (MemoryFree, TimedMemoryFree, Readout)) or layer.neuron.taps != (1,)


def pipeline_delays(network: IntegerNetwork) -> dict[tuple[str, int], int]:
    """The time steps that each connection, by its layer and number, must wait on a chip, where each layer takes one.

    A layer of depth p computes the network's time step t at the chip's step t + p; a connection of delay d from depth q
    must then wait p - q - 1 + d steps. Depths are the least for which no wait is negative, by the longest path.

    Raises:
        DeploymentError: a loop has fewer time steps of delay than layers.
    """
    depth = dict.fromkeys([INPUT, *network], 0)
    for _ in range(len(network) + 1):
        before = dict(depth)
        for layer in network.layers:
            needed = (depth[each.source] + 1 - each.delay for each in layer.connections)
            depth[layer.name] = max(depth[layer.name], *needed)
        if before == depth:
            break
    else:
        raise DeploymentError(
            "a loop of layers has less delay than layers, and each layer takes a time step on a chip",
            layer=next(name for name in network if depth[name] != before[name]),
            remedy="delay its connection that points backwards by as many time steps as the loop has layers",
        )
    return {
        (layer.name, number): depth[layer.name] - depth[each.source] - 1 + each.delay
        for layer in network.layers
        for number, each in enumerate(layer.connections)
    }


def _taps(network: IntegerNetwork, layer: Layer, mapping: str) -> tuple[int, ...]:
    """The taps that messages carry into a layer, or that its synapses repeat."""
    return layer.neuron.taps[: network.timesteps] if mapping != "stock" else (1,)


def synapses(layer: Layer) -> Iterator[tuple[int, Connection]]:
    """The connections of a layer that need synapses, with their numbers."""
    for number, connection in enumerate(layer.connections):
        if layer.neuron.currents[connection.port] not in BIAS_PORTS:
            yield number, connection


def _population(network: IntegerNetwork, layer: Layer, mapping: str, waits: dict[tuple[str, int], int]) -> Population:
    projections = tuple(
        _projection(network, layer, connection, mapping, waits[layer.name, number])
        for number, connection in synapses(layer)
    )
    register = _register_bits(network, layer.name, waits) if mapping == "word" else 0
    stock_cuba = mapping != "word" and has_history(layer) and not isinstance(layer.neuron, TimedMemoryFree)
    kind = "lif" if stock_cuba else _KNOWN.get(layer.neuron.kind, layer.neuron.kind)
    state = 48 if stock_cuba else layer.neuron.state_bits + register
    return Population(
        layer.name,
        network.shapes[layer.name],
        projections,
        kind,
        _state_words(layer, kind, register),
        state,
        register,
        _program(layer, kind, register),
    )


def _state_words(layer: Layer, kind: str, register: int) -> int:
    """Words of one neuron; what is beyond the known kinds by its bits, at least one."""
    if kind in ("lif", "sigma_delta", "memory_free"):
        return 0  # that of its kind
    return max(1, math.ceil((layer.neuron.state_bits + register) / 64))


def _program(layer: Layer, kind: str, register: int) -> str | None:
    """The reason why the neuron's program is unknown; None where chip and compiler have it."""
    if register > REGISTER_BITS:
        return f"{MICROCODE}, for a register of {register} bits, beyond the {REGISTER_BITS} that one word surely holds"
    if kind in ("lif", "sigma_delta") and register <= 1:
        return None
    if isinstance(layer.neuron, QuantizedLIF):
        return f"a potential of {layer.neuron.bits} bits {MICROCODE}"
    return f"{layer.neuron.described} {MICROCODE}"


def _register_bits(network: IntegerNetwork, name: str, waits: dict[tuple[str, int], int]) -> int:
    """Bits of the last outputs that a source keeps for its targets, as far back as the longest taps and waits go."""
    low, high = network.output_ranges[name]
    reached = [
        len(_taps(network, layer, "word")) + waits[layer.name, number]
        for layer in network.layers
        for number, connection in synapses(layer)
        if connection.source == name
    ]
    longest = max(reached, default=0)
    return longest * signed_bits(low, high) if longest > 1 else 0


def signed_bits(low: int, high: int) -> int:
    """Bits of integers in a range, a sign included if there are negative ones."""
    return max(int(high).bit_length(), (-int(low) - 1).bit_length() if low < 0 else 0) + (low < 0)


def _projection(network: IntegerNetwork, layer: Layer, connection: Connection, mapping: str, wait: int) -> Projection:
    synapse, taps = connection.synapse, _taps(network, layer, mapping)
    delayed = mapping == "delayed" and has_history(layer)
    geometry: dict[str, Any] = {}
    if isinstance(synapse, Conv):
        height, width = synapse.weight.shape[2:]
        geometry = {
            "kernel": (height, width),
            "stride": synapse.stride,
            "padding": synapse.padding,
            "dilation": synapse.dilation,
            "groups": synapse.groups,
        }
    kind = "conv" if isinstance(synapse, Conv) else "one_to_one" if isinstance(synapse, OneToOne) else "dense"
    return Projection(
        connection.source,
        network.shapes[connection.source],
        kind,
        optimized_bits(synapse.weight, taps if delayed else (1,)),
        copies=sum(tap != 0 for tap in taps) if delayed else 1,
        delay=synapse.delay + (0 if _register_waits(mapping, layer) else wait) + (len(taps) - 1 if delayed else 0),
        **geometry,
    )


def _register_waits(mapping: str, layer: Layer) -> bool:
    """True if a source's register holds what a connection waits for, so that no synapse needs a delay."""
    return mapping == "word" and has_history(layer)


def _messages(network: IntegerNetwork, mapping: str, waits: dict[tuple[str, int], int]) -> Iterator[Message]:
    """The messages of each source: one for each tuple of taps that its targets ask for."""
    for source in (INPUT, *network):
        groups: dict[tuple[int, ...], list[tuple[str, int]]] = {}
        for layer in network.layers:
            for number, connection in synapses(layer):
                if connection.source == source:
                    taps: tuple[int, ...] = (1,)
                    if _register_waits(mapping, layer):
                        taps = (0,) * waits[layer.name, number] + _taps(network, layer, mapping)
                    groups.setdefault(taps, []).append((layer.name, number))
        for taps, targets in groups.items():
            bits = payload_bits(*network.trace_range(source, taps))
            is_bounded = bits <= PAYLOADS[-1] or source == INPUT or not network.layer(source).neuron.wraps
            yield Message(source, taps, tuple(targets), bits if is_bounded else PAYLOADS[-1], is_bounded)


def payload_bits(low: int, high: int) -> int:
    """The payload of messages in a range: 0 for spikes, else the least of 8, 16 and 24, or all bits beyond."""
    if (low, high) == (0, 1):
        return 0
    bits = signed_bits(low, high)
    return next((width for width in PAYLOADS if width >= bits), bits)
