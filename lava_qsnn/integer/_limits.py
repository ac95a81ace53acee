"""The limits of what backends can compute exactly, as named rules over an IntegerNetwork.

A rule is a function from a network to its violations. A backend lists the rules it needs (`netx_export.simulate`),
and refuses a network before anything runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lava_qsnn.errors import DeploymentError, RangeError
from lava_qsnn.integer._dtypes import FLOAT32_LIMIT, INT32_LIMIT
from lava_qsnn.integer.neurons import Bounds, Neuron
from lava_qsnn.integer.synapses import Conv, DelayedDense, Dense, Synapse

if TYPE_CHECKING:
    from lava_qsnn.integer._layers import Connection
    from lava_qsnn.integer._network import IntegerNetwork

FLOAT32 = "2^24, the largest exact integer range of float32"

#: Messages between Lava's synapses and neurons have 24 bits, one of them a sign.
MESSAGE_LIMIT = 2**23 - 1

#: Loihi's u and v have 24 bits of which synaptic input is shifted up by 6: |U| <= 2^17.
LOIHI_LIMIT = 2**17

#: Lava's fixed-point Dense keeps even weights of magnitude up to 254; ours are doubled for it.
DENSE_WEIGHT_LIMIT = 127

#: What Lava's own Dense holds without cutting anything off, for neurons that wrap.
DENSE_WEIGHT_RANGE = (-256, 255)

#: Bits to which Lava's Dense and Conv wrap their sums; messages of its delayed synapses, times weights of 8 bits and a
#: sign, keep below the former.
DENSE_BITS, CONV_BITS, DELAYED_REACH = 32, 24, 2**23

#: Lava's Conv holds kernel size, stride, padding, dilation and groups as int8.
CONV_GEOMETRY_LIMIT = 127


@dataclass(frozen=True)
class Violation:
    """A layer, the limit it breaks and what to do about it."""

    layer: str
    problem: str
    remedy: str


Rule = Callable[["IntegerNetwork"], Iterator[Violation]]


def currents_exact_in_float32(network: IntegerNetwork) -> Iterator[Violation]:
    """|sum W h| <= 2^24, so that float32 arithmetic (torch, BLAS) is exact."""
    for name, currents in network.current_ranges.items():
        yield from _currents_within(name, currents, FLOAT32_LIMIT, FLOAT32)


def currents_fit_loihi(network: IntegerNetwork) -> Iterator[Violation]:
    """|sum W h| <= 2^17, so that Loihi's 24-bit state, shifted by 6, never wraps where wrapping is not meant."""
    for name, currents in network.current_ranges.items():
        if not network.layer(name).neuron.wraps:
            yield from _currents_within(name, currents, LOIHI_LIMIT, "2^17, Loihi's limit (24-bit state shifted by 6)")


def potentials_fit_int32(network: IntegerNetwork) -> Iterator[Violation]:
    """|x| < 2^31 for every number x on the way to a stored potential: leak, reset and rounding included.

    Neurons that store nothing compare their currents, which other rules bound; of some, wrapping is the definition.
    """
    for layer in network.layers:
        yield from _potential_within_int32(layer.name, layer.neuron, network.port_ranges[layer.name])


def traces_fit_lava_messages(network: IntegerNetwork) -> Iterator[Violation]:
    """Traces within the messages that Lava's synapses take: 24 bits, signed; neurons that wrap take what wraps."""
    for layer in (each for each in network.layers if not each.neuron.wraps):
        for connection in layer.connections:
            low, high = network.trace_range(connection.source, layer.taps(connection)[: network.timesteps])
            if (trace := max(-low, high)) > MESSAGE_LIMIT:
                yield Violation(
                    layer.name,
                    f"traces of '{connection.source}' may reach {trace:,}, beyond {MESSAGE_LIMIT:,}, a message",
                    "use a shorter history, taps of fewer bits or fewer input_bits",
                )


def outputs_fit_lava_messages(network: IntegerNetwork) -> Iterator[Violation]:
    """Outputs that are no spikes within int32, the type of Lava's ports."""
    for layer in network.layers:
        low, high = network.output_ranges[layer.name]
        if not -INT32_LIMIT - 1 <= low <= high <= INT32_LIMIT:
            yield Violation(layer.name, f"its outputs from {low:,} to {high:,} leave int32", "use another backend")


def weights_fit_lava_dense(network: IntegerNetwork) -> Iterator[Violation]:
    """Dense weights within -127 to 127, which Lava's fixed-point Dense neither clips nor truncates.

    For neurons that wrap, -256 to 255: their synapses are told to keep all bits, as NetX tells them.
    """
    for layer, synapse in _synapses(network.simplified):
        low, high = int(synapse.weight.min()), int(synapse.weight.max())
        wraps, largest = network.layer(layer).neuron.wraps, max(-low, high)
        if not wraps and isinstance(synapse, Dense) and largest > DENSE_WEIGHT_LIMIT:
            yield Violation(
                layer,
                f"dense weights up to {largest} exceed {DENSE_WEIGHT_LIMIT}, the range of Lava's Dense",
                "use fewer weight_bits, or no overlapping pooling before this layer",
            )
        least, greatest = DENSE_WEIGHT_RANGE
        if wraps and isinstance(synapse, (Dense, DelayedDense)) and not least <= low <= high <= greatest:
            yield Violation(
                layer,
                f"dense weights from {low} to {high} leave {least} to {greatest}, the range of Lava's Dense",
                "use weights of 8 bits and a sign",
            )


def geometry_fits_lava_conv(network: IntegerNetwork) -> Iterator[Violation]:
    """Kernel, stride, padding, dilation and groups up to 127, which Lava's Conv stores as int8."""
    for layer, synapse in _synapses(network):
        if isinstance(synapse, Conv) and (largest := largest_geometry(synapse)) > CONV_GEOMETRY_LIMIT:
            yield Violation(
                layer,
                f"a kernel size, stride, padding, dilation or group count of {largest} exceeds {CONV_GEOMETRY_LIMIT}, "
                "which Lava's Conv would wrap",
                "split the layer, or use fewer groups",
            )


def poolings_merge(network: IntegerNetwork) -> Iterator[Violation]:
    """Poolings merge exactly into the synapses after them, for backends that have no poolings."""
    for layer in network.layers:
        for connection in layer.connections:
            try:
                connection.merged(network.shapes[connection.source])
            except DeploymentError as error:
                yield Violation(layer.name, error.problem, error.remedy or "give the Pool neuron_params")


def nothing_feeds_back(network: IntegerNetwork) -> Iterator[Violation]:
    """Layers one after the other, for backends that lead spikes forward only, or to themselves by Lava's own Dense."""
    for layer in network.layers:
        for connection in layer.connections:
            own = connection.source == layer.name and connection.delay == 1 and layer.neuron.wraps
            if not (own and isinstance(connection.synapse, (Dense, DelayedDense))) and not network.is_forward(
                layer, connection
            ):
                yield Violation(
                    layer.name,
                    f"{connection.described} leads back to it",
                    "use the backend 'fast' or 'lava-fused'",
                )


def sums_are_lavas(network: IntegerNetwork) -> Iterator[Violation]:
    """Weighted sums as they are, or wrapped and shifted as Lava's own synapses do it, for neurons that wrap, too."""
    for layer in network.simplified.layers:
        for connection in layer.connections:
            if not connection.is_linear and not (layer.neuron.wraps and _is_lavas(connection)):
                yield Violation(
                    layer.name,
                    f"the sums of {connection.described} wrap to {connection.sum_bits} bits or are shifted by "
                    f"{connection.sum_shift}",
                    "use the backend 'fast' or 'lava-fused'",
                )
            elif layer.neuron.wraps and (reach := _reach(network, connection)) >= _reach_limit(connection):
                yield Violation(
                    layer.name,
                    f"{connection.described} may reach {reach:,}, which Lava's synapses wrap in another way",
                    "use the backend 'fast' or 'lava-fused'",
                )


def _is_lavas(connection: Connection) -> bool:
    bits, shift = connection.sum_bits, connection.sum_shift
    if isinstance(connection.synapse, Conv):
        return bits in (0, CONV_BITS) and not shift
    return bits in (0, DENSE_BITS) and (isinstance(connection.synapse, Dense) or not shift)


def _reach_limit(connection: Connection) -> float:
    """The sums, or of delayed synapses the messages, from which on Lava does not wrap as the connection says."""
    if isinstance(connection.synapse, DelayedDense):
        return DELAYED_REACH
    if isinstance(connection.synapse, Conv) and not connection.sum_bits:
        return 2 ** (CONV_BITS - 1)
    return math.inf if connection.sum_bits or not connection.sum_shift else 2 ** (DENSE_BITS - 1)


def _reach(network: IntegerNetwork, connection: Connection) -> int:
    low, high = network.trace_range(connection.source, (1,))
    if isinstance(connection.synapse, DelayedDense):
        return max(-low, high)
    least, greatest = connection.sum_range(network.shapes[connection.source], low, high)
    return max(-int(least.min()), int(greatest.max()))


#: What must hold for Lava's fixed-point processes to be exact.
LAVA_RULES: tuple[Rule, ...] = (
    nothing_feeds_back,
    sums_are_lavas,
    poolings_merge,
    currents_fit_loihi,
    traces_fit_lava_messages,
    outputs_fit_lava_messages,
    weights_fit_lava_dense,
    geometry_fits_lava_conv,
)

#: What must hold for torch, and so for training, to be exact.
TORCH_RULES: tuple[Rule, ...] = (currents_exact_in_float32, potentials_fit_int32)


def refuse_violations(network: IntegerNetwork, rules: Iterable[Rule], where: str) -> None:
    """Raise RangeError for the first violation of `rules`; `where` names what the network was meant for."""
    for rule in rules:
        for violation in rule(network):
            raise RangeError(
                f"not exact on {where}: {violation.problem}", layer=violation.layer, remedy=violation.remedy
            )


def largest_geometry(synapse: Conv) -> int:
    """The largest of a convolution's kernel size, stride, padding, dilation and groups."""
    return max(*synapse.weight.shape[2:], *synapse.stride, *synapse.padding, *synapse.dilation, synapse.groups)


def torch_violations(layer: str, neuron: Neuron, currents: Sequence[Bounds]) -> Iterator[Violation]:
    """The violations of TORCH_RULES by a layer if its currents lie in some ranges."""
    for bounds in currents:
        yield from _currents_within(layer, bounds, FLOAT32_LIMIT, FLOAT32)
    yield from _potential_within_int32(layer, neuron, currents)


def _currents_within(layer: str, currents: Bounds, limit: int, limit_text: str) -> Iterator[Violation]:
    low, high = currents
    reach = max(-int(low.min()), int(high.max()))
    if reach > limit:
        yield Violation(
            layer,
            f"potentials may reach {reach:,}, beyond {limit_text}",
            "use a shorter history, taps of fewer bits, fewer input_bits, fewer weight_bits or fewer inputs",
        )


def _potential_within_int32(layer: str, neuron: Neuron, currents: Sequence[Bounds]) -> Iterator[Violation]:
    if neuron.state_bits and not neuron.wraps and (reach := neuron.reach(currents)) > INT32_LIMIT:
        yield Violation(
            layer,
            f"its potential's leak may reach {reach:,}, beyond int32",
            "use fewer potential_bits, a faster decay, fewer weight_bits or fewer inputs",
        )


def _synapses(network: IntegerNetwork) -> Iterator[tuple[str, Synapse]]:
    """The synapses of each layer, after poolings were merged into them where that can be."""
    for layer in network.layers:
        for connection in layer.connections:
            try:
                yield layer.name, connection.merged(network.shapes[connection.source]).synapse
            except DeploymentError:  # another rule's affair
                yield layer.name, connection.synapse
