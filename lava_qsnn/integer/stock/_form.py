"""A network of stock neurons as the groups of a NetX file, from which unmodified NetX computes the same.

Chains of layers, each fed by the one before it, and by itself where it is recurrent. What NetX has no words for is
refused with its layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer._layers import INPUT, Connection, Layer
from lava_qsnn.integer._limits import CONV_GEOMETRY_LIMIT, largest_geometry
from lava_qsnn.integer._values import Shape
from lava_qsnn.integer.neurons import CUBA, RF, CUBAReadout, Neuron, RFIzhikevich, SigmaDelta
from lava_qsnn.integer.stock._resonator import file_coefficients
from lava_qsnn.integer.stock._weights import file_weights, netx_weights
from lava_qsnn.integer.synapses import Conv, DelayedDense, Dense, OneToOne, Synapse

if TYPE_CHECKING:
    from lava_qsnn.integer._network import IntegerNetwork

Arrays = dict[str, NDArray[Any]]

#: NetX's sums have so many bits, its delays at most so many steps.
DENSE_BITS, CONV_BITS, LONGEST_DELAY = 32, 24, 62

#: Messages from here on, times a weight of 8 bits and a sign, may leave 32 bits.
DELAYED_REACH = 2**23

#: The fraction bits of sigma-delta messages, unless the network has others.
SPIKE_EXPONENT = 6

#: The kinds of neurons that stock NetX has.
NEURONS = (CUBA, SigmaDelta, RF)


@dataclass(frozen=True)
class NetxForm:
    """The groups of a file, in order, and what NetX must be told besides.

    Attributes:
        groups: arrays of each group, by their paths below it.
        input_message_bits: bits of the numbers that come in, 0 for spikes.
        spike_exp: fraction bits of sigma-delta messages.
        is_late: each layer is a step later than the one before it, as in NetX's own time.
        begins: the kind of neurons that data are written into, "cuba" or "sdnn"; "" where synapses come first.
    """

    groups: Sequence[Mapping[str, NDArray[Any]]]
    input_message_bits: int
    spike_exp: int
    is_late: bool
    begins: str


def has_stock_neurons(network: IntegerNetwork) -> bool:
    """True if all neurons are of kinds that stock NetX has."""
    return all(isinstance(layer.neuron, NEURONS) for layer in network.layers)


def netx_form(network: IntegerNetwork) -> NetxForm:
    """A network of stock neurons in NetX's form.

    Raises:
        DeploymentError: NetX would not compute it exactly, or has no words for it; the text names the layer.
    """
    network = network.merged
    delays = {
        each.delay
        for layer in network.layers
        for each in layer.connections
        if each.source != layer.name and not isinstance(each.synapse, OneToOne)
    }
    if len(delays) > 1 or delays - {0, 1}:
        raise DeploymentError(
            f"its connections have delays of {', '.join(map(str, sorted(delays)))} steps, and NetX has one for all",
            remedy="use delays of the synapses",
        )
    exponents = {layer.neuron.exponent for layer in network.layers if isinstance(layer.neuron, SigmaDelta)}
    if len(exponents) > 1:
        raise DeploymentError("its sigma-delta layers have several exponents, and NetX has one for all")
    bits = 0 if (network.input.minimum, network.input.maximum) == (0, 1) else network.input.bits
    groups: list[Arrays] = [{"type": _text("input"), "shape": np.array(network.input.shape)}]
    first = network.layers[0]
    begins = _begins(first)
    for index, layer in enumerate(network.layers):
        before = network.layers[index - 1] if index else None
        try:
            groups += _block(network, layer, before) if before or not begins else [_input_block(network, layer)]
            _check_messages(layer, before, bits)
        except DeploymentError as error:
            raise DeploymentError(error.problem, layer=layer.name, remedy=error.remedy) from None
    exponent = exponents.pop() if exponents else SPIKE_EXPONENT
    return NetxForm(groups[1:] if begins else groups, 0 if begins else bits, exponent, delays == {1}, begins)


def _begins(first: Layer) -> str:
    """The kind of input block that the first layer is, if it is one."""
    if len(first.connections) == 1 and isinstance(first.connections[0].synapse, OneToOne):
        return "sdnn" if isinstance(first.neuron, SigmaDelta) else "cuba"
    return ""


def _check_messages(layer: Layer, before: Layer | None, bits: int) -> None:
    """Refuse a recurrent layer that sends itself other bits than come in."""
    recurrent = any(each.source == layer.name for each in layer.connections)
    graded = isinstance(before.neuron, SigmaDelta) if before is not None else bits > 0
    if recurrent and not graded and not layer.neuron.spikes and not isinstance(layer.neuron, CUBAReadout):
        raise DeploymentError("NetX sends only whether it has a message for itself, for what comes in has no bits")


def _input_block(network: IntegerNetwork, layer: Layer) -> Arrays:
    (connection,), neuron = layer.connections, layer.neuron
    port = 1 if isinstance(neuron, CUBA) else 0
    delta = isinstance(neuron, SigmaDelta) and neuron.form == "delta"
    plain = bool((connection.synapse.weight == 1).all()) and not connection.delay and connection.port == port
    if connection.source != INPUT or not plain or not (delta or type(neuron) is CUBA):
        raise DeploymentError("NetX has no such input block", remedy="feed biases of CUBA, or a delta")
    if isinstance(neuron, CUBA) and neuron.bias.any():
        raise DeploymentError("data take the place of an input block's bias, which must be 0")
    if port and not -(2**15) <= network.input.minimum <= network.input.maximum < 2**15:
        raise DeploymentError("its input leaves the 16 bits of a bias")
    shape = network.shapes[layer.name]
    return {"type": _text("input"), "shape": np.array(shape), **_neuron_arrays(neuron, shape)}


def _block(network: IntegerNetwork, layer: Layer, before: Layer | None) -> list[Arrays]:
    """The group of a layer with synapses, and a flatten group before it where that is needed."""
    source = INPUT if before is None else before.name
    own = [each for each in layer.connections if each.source == layer.name]
    others = [each for each in layer.connections if each.source != layer.name]
    if any(each.source != source for each in others) or len(own) > 1 or not others:
        raise DeploymentError("NetX only runs chains of layers, each fed by the one before it and by itself")
    shape, from_shape = network.shapes[layer.name], network.shapes[source]
    if isinstance(layer.neuron, RF):
        arrays = _complex(network, layer, others, own)
    elif len(others) > 1 or any(each.port for each in layer.connections):
        raise DeploymentError("NetX has one connection between two layers")
    elif isinstance(others[0].synapse, Conv):
        arrays = _convolution(network, others[0], own)
    else:
        arrays = _dense(network, others[0], own)
    flat = len(from_shape) == 3 and not isinstance(others[0].synapse, Conv)
    flatten = [{"type": _text("flatten"), "shape": np.array([int(np.prod(from_shape))])}] if flat else []
    return [*flatten, {"shape": np.array(shape), **arrays, **_neuron_arrays(layer.neuron, shape)}]


def _convolution(network: IntegerNetwork, connection: Connection, own: Sequence[Connection]) -> Arrays:
    synapse = connection.synapse
    assert isinstance(synapse, Conv)
    if own:
        raise DeploymentError("NetX has no recurrent convolutions")
    if largest_geometry(synapse) > CONV_GEOMETRY_LIMIT:
        raise DeploymentError(f"its geometry exceeds {CONV_GEOMETRY_LIMIT}, and would wrap in Lava's Conv")
    bits = min(connection.sum_bits or CONV_BITS, CONV_BITS)
    fits = connection.sum_bits == CONV_BITS or _reach(network, connection) < 2 ** (bits - 1)
    if connection.sum_shift or not fits:
        raise DeploymentError(f"Lava's Conv wraps its sums to {CONV_BITS} bits, and does not shift them")
    geometry = {name: np.array(getattr(synapse, name)) for name in ("stride", "padding", "dilation", "groups")}
    return {"type": _text("conv"), "weight": synapse.weight[..., None], **geometry}


def _dense(network: IntegerNetwork, connection: Connection, own: Sequence[Connection]) -> Arrays:
    both = [connection, *own]
    if any(not isinstance(each.synapse, (Dense, DelayedDense)) for each in both):
        raise DeploymentError(f"NetX has no {connection.synapse.kind.replace('_', '-')} synapses")
    if any(each.delay != 1 for each in own):
        raise DeploymentError("what a recurrent layer sends itself takes one step in NetX")
    delays = [each.synapse.delays if isinstance(each.synapse, DelayedDense) else None for each in both]
    if own and not _same(delays, connection.synapse):
        raise DeploymentError("NetX has the same delays for what comes in and what a layer sends itself")
    weights = _file_weights(network, both, delays[0] is not None)
    arrays = {"type": _text("dense_rec" if own else "dense"), "weight": weights[0]}
    if own:
        arrays["weight_rec"] = weights[1]
    if delays[0] is not None:
        if max(map(abs, network.trace_range(connection.source, (1,)))) >= DELAYED_REACH:
            raise DeploymentError(
                "NetX wraps each product of delayed synapses to 32 bits, which its messages may exceed"
            )
        if int(delays[0].max()) > LONGEST_DELAY:
            raise DeploymentError(f"delays of up to {delays[0].max()} steps exceed NetX's {LONGEST_DELAY}")
        arrays["delay"] = np.ascontiguousarray(np.broadcast_to(delays[0], weights[0].shape))
    return arrays


def _same(delays: Sequence[NDArray[Any] | None], synapse: Synapse) -> bool:
    one, other = delays
    if one is None or other is None:
        return one is other
    shape = synapse.weight.shape
    return shape[0] == shape[1] and np.array_equal(np.broadcast_to(one, shape), np.broadcast_to(other, shape))


def _file_weights(network: IntegerNetwork, connections: Sequence[Connection], delayed: bool) -> list[NDArray[Any]]:
    """Weights of which NetX makes those of connections that share a shift."""
    shifts = {each.sum_shift for each in connections}
    weights = [each.synapse.weight.astype(np.int64) for each in connections]
    found = None
    if delayed and len(connections) > 1 and shifts == {0}:  # here NetX does not shift sums
        scaled = ([weight >> by for weight in weights] for by in range(9))
        found = next((each for each in scaled if _makes(each, weights)), None)
    elif len(shifts) == 1 and not (delayed and shifts != {0}):
        found = file_weights(weights, shifts.pop())
    if found is None:
        raise DeploymentError(
            "no weights in a file make NetX compute with these",
            remedy="use dense weights from -256 to 254, even ones beyond -128 to 127, of which one is positive",
        )
    _, by = netx_weights(*found)
    for each in connections:
        reach = _reach(network, each)
        exact = each.sum_bits == DENSE_BITS and (each.sum_shift == by or delayed)
        wraps = each.sum_bits not in (0, DENSE_BITS) and reach >= 2 ** (each.sum_bits - 1)
        if wraps or (not exact and reach << max(by - each.sum_shift, 0) >= 2 ** (DENSE_BITS - 1)):
            raise DeploymentError(
                f"sums may leave the {DENSE_BITS} bits to which Lava's Dense wraps, and no other ones"
            )
    return found


def _makes(candidate: list[NDArray[Any]], wanted: Sequence[NDArray[Any]]) -> bool:
    try:
        made, _ = netx_weights(*candidate)
    except DeploymentError:
        return False
    return all(np.array_equal(one, other) for one, other in zip(made, wanted))


def _complex(network: IntegerNetwork, layer: Layer, others: Sequence[Connection], own: Sequence[Connection]) -> Arrays:
    """The real and the imaginary weights of resonate-and-fire neurons."""
    plain = all(isinstance(each.synapse, Dense) for each in others)
    if own or not plain or sorted(each.port for each in others) != [0, 1]:
        raise DeploymentError("NetX has one dense connection for the real and one for the imaginary current")
    real, imaginary = sorted(others, key=lambda each: each.port)
    return {
        "type": _text("dense"),
        "weight/real": _file_weights(network, [real], False)[0],
        "weight/imag": _file_weights(network, [imaginary], False)[0],
    }


def _reach(network: IntegerNetwork, connection: Connection) -> int:
    """The largest magnitude of a connection's sums, before they wrap."""
    low, high = network.trace_range(connection.source, (1,))
    least, greatest = connection.sum_range(network.shapes[connection.source], low, high)
    return max(-int(least.min()), int(greatest.max()))


@singledispatch
def _neuron_arrays(neuron: Neuron, shape: Shape) -> Arrays:
    raise DeploymentError(f"NetX has no neurons that compute {neuron.described}")


@_neuron_arrays.register
def _(neuron: CUBA, shape: Shape) -> Arrays:
    arrays = {
        "neuron/type": _text("CUBA"),
        "neuron/iDecay": _placed(neuron.current_decay),
        "neuron/vDecay": _placed(neuron.voltage_decay),
        "neuron/vThMant": _placed(neuron.threshold),
    }
    return arrays | ({"bias": _lava_order(neuron.bias)} if neuron.bias.any() else {})


@_neuron_arrays.register
def _(neuron: SigmaDelta, shape: Shape) -> Arrays:
    if neuron.rule != "stock":
        raise DeploymentError("NetX has the stock rule of sigma-delta neurons alone", remedy="load it with that rule")
    arrays = {"neuron/type": _text("SDNN"), "neuron/vThMant": _single(neuron.threshold)}
    if neuron.form == "sigma":
        return {**arrays, "neuron/sigma_output": np.array(True)}
    return arrays | ({"bias": _lava_order(neuron.bias)} if neuron.form == "sigma_delta" and neuron.bias.any() else {})


@_neuron_arrays.register
def _(neuron: RF, shape: Shape) -> Arrays:
    if (found := file_coefficients(neuron.sine, neuron.cosine)) is None:
        raise DeploymentError("no sinDecay and cosDecay make NetX compute with its coefficients")
    return {
        "neuron/type": _text("RF_IZ" if isinstance(neuron, RFIzhikevich) else "RF_PHASE"),
        "neuron/sinDecay": _placed(found[0]),
        "neuron/cosDecay": _placed(found[1]),
        "neuron/vThMant": _single(neuron.threshold),
    }


def _placed(values: NDArray[Any]) -> NDArray[Any]:
    """One number where all are the same, else those of channels or, in Lava's order, of neurons."""
    return np.array(values.ravel()[0]) if (values == values.ravel()[0]).all() else _lava_order(values)


def _lava_order(values: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(values.transpose())


def _single(values: NDArray[Any]) -> NDArray[Any]:
    if (values != values.ravel()[0]).any():
        raise DeploymentError("its thresholds differ, and NetX has one for all of them")
    return np.array(values.ravel()[0])


def _text(value: str) -> NDArray[np.bytes_]:
    return np.array([value.encode("ascii")])
