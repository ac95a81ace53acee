"""One group of a stock file as a block: synapses and neurons, or an input that data are written into."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import INPUT, Connection, Input, Layer, Neuron, OneToOne, Shape
from netx_export._netx._group import Group
from netx_export._netx._layers import check_products, complex_dense, convolution, dense
from netx_export._netx._neurons import SPIKE_BITS, cuba, kind_of, message_bits, resonate, sigma_delta
from netx_export._netx._reading import Reading

#: Numbers that an input block takes unless message bits are told: those of a bias of 16 bits.
BLOCK_INPUT = (-(2**15), 2**15 - 1)

#: Ports of CUBA neurons: a current, and a bias that passes it by.
CURRENT, BIAS = 0, 1

#: The largest magnitude of what kinds of neurons send: spikes, or messages of 25 bits.
MOST_SENT = {"cuba": 1, "rf": 1, "rf_iz": 1, "sigma_delta": 2**25}

#: What NetX shows a user who should turn data into the input of CUBA neurons, where the file says nothing.
TRANSFORM = {"weight": 64, "bias": 0}


@dataclass(frozen=True)
class Block:
    """A layer, its shape, what its neurons send, and what the network's input is, should it be the first one."""

    layer: Layer
    shape: Shape
    message_bits: int
    input: Input
    input_bits: int
    transform: dict[str, int] = field(default_factory=dict)


def input_block(group: Group, before: Block | None, reading: Reading) -> Block:
    """Neurons that data are written into: as the bias of CUBA neurons, or as what a delta encoder takes."""
    kind, shape = kind_of(group), group.shape()
    if before is not None:
        raise group.refusal("an input block after other blocks is connected to nothing in NetX")
    if kind not in ("cuba", "sdnn") or len(shape) not in (1, 3):
        raise group.refusal(f"NetX has no input block of neurons '{kind}' and shape {shape}")
    neuron: Neuron
    if kind == "cuba":
        neuron, port, bits = cuba(group, shape, biased=False), BIAS, 0
    else:
        neuron, port, bits = sigma_delta(group, shape, reading, is_input=True), CURRENT, 0
    given = reading.input_message_bits
    low, high = BLOCK_INPUT if given is None else _range(given)
    layer = Layer(group.layer, (Connection(INPUT, OneToOne(np.ones(shape[0], np.int64)), port=port),), neuron)
    hint = {name: _hint(group, name) if name in group else missing for name, missing in TRANSFORM.items()}
    return Block(layer, shape, message_bits(group, kind), Input(shape, high, low), given or bits, hint)


def _hint(group: Group, name: str) -> int:
    values = group.truncated(name)
    if values.size != 1:
        raise group.refusal(f"its '{name}' are {values.size} numbers, with which NetX ends")
    return int(values.ravel()[0])


def synaptic_block(
    kind: str, group: Group, before: Block | None, shape: Shape | None, bits: int, flatten: bool, reading: Reading
) -> Block:
    """A dense layer or a convolution, with its neurons.

    Args:
        kind: the type of the layer.
        group: of the file.
        before: the block before it, if there is one.
        shape: of what comes in, as far as it is known.
        bits: of the messages that come in.
        flatten: a flatten layer was before it.
        reading: what NetX is told.
    """
    source = before.layer.name if before is not None else INPUT
    is_complex = kind != "conv" and "weight/imag" in group
    if kind == "conv":
        shape, connections = convolution(group, source, shape)
    else:
        connections = complex_dense(group, source) if is_complex else dense(group, source, kind == "dense_rec")
        shape = _flat(group, connections[0], before, shape, flatten)
    out = _output_shape(group, connections[0], shape, kind == "conv")
    neurons = _kind(group, kind, is_complex)
    if kind == "dense_rec" and neurons == "sdnn" and bits == SPIKE_BITS:
        raise group.refusal(
            "NetX sends only whether it has a message for itself, for what comes in has no message bits",
            remedy="load it with input_message_bits",
        )
    neuron: Neuron
    if neurons == "cuba":
        neuron = cuba(group, out)
    elif neurons == "sdnn":
        neuron = sigma_delta(group, out, reading)
    else:
        neuron = resonate(group, out, neurons)
    low, high = _range(bits)
    layer = Layer(group.layer, connections, neuron)
    check_products(group, connections, high if before is None else MOST_SENT.get(before.layer.neuron.kind, 1))
    return Block(layer, out, message_bits(group, neurons), Input(shape, high, low), bits)


def _kind(group: Group, kind: str, is_complex: bool) -> str:
    """The kind of neurons, which real and complex weights do not share."""
    if kind.startswith("dense") and "neuron" not in group and not is_complex:
        return "cuba"
    neurons = kind_of(group)
    if is_complex != neurons.startswith("rf"):
        weights = "complex" if is_complex else "real"
        raise group.refusal(f"NetX ends with neurons '{neurons}' behind {weights} weights")
    return neurons


def _flat(group: Group, connection: Connection, before: Block | None, shape: Shape | None, flatten: bool) -> Shape:
    """The shape of a dense layer's source, which must be flattened if it has three axes, and not if it has one."""
    size = connection.synapse.weight.shape[1]
    if shape is None:
        return (size,)
    if before is not None and (len(shape) == 3) != flatten:
        told = "is flattened and has" if flatten else "is not flattened and has"
        raise group.refusal(f"its source {told} the shape {shape}", remedy="put one flatten layer after convolutions")
    if math.prod(shape) != size:
        raise group.refusal(
            f"its {size:,} inputs do not fit a source of shape {shape}",
            remedy=None if before else "load it with another input_shape",
        )
    return shape


def _output_shape(group: Group, connection: Connection, source: Shape, is_conv: bool) -> Shape:
    """The shape of the neurons, which must be what the file says."""
    try:
        shape = connection.output_shape(source)
    except DeploymentError as error:
        raise group.refusal(error.problem, remedy=error.remedy) from None
    told = group.shape()
    if (shape != told) if is_conv else (shape[0] != math.prod(told)):
        raise group.refusal(f"its neurons have the shape {shape}, and the file says {told}")
    return shape


def _range(bits: int) -> tuple[int, int]:
    """The integers that messages of so many bits hold, signed or not; without bits, spikes."""
    return (-(1 << (bits - 1)), (1 << bits) - 1) if bits else (0, 1)
