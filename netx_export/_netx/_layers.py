"""The synapses of a stock layer: what of its weights NetX computes with, as connections."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import Connection, Conv, DelayedDense, Dense, Shape
from lava_qsnn.integer.stock import MIXED_RANGE, netx_weights
from netx_export._netx._group import Group

Integers = NDArray[np.int64]

#: NetX clips delays here, and Lava's Dense adds in 32 bits, its Conv in 24.
LONGEST_DELAY, DENSE_BITS, CONV_BITS = 62, 32, 24

#: Kernel size, stride, padding, dilation and groups of a convolution, which Lava holds in 8 bits.
GEOMETRY = 127


#: Times a weight of 8 bits and a sign, messages of delayed synapses keep below 32 bits.
DELAYED_REACH = 2**23


def dense(group: Group, source: str, recurrent: bool) -> tuple[Connection, ...]:
    """The connections of a dense layer: from its source, and from itself where it is recurrent."""
    parts = [_matrix(group, "weight")]
    if recurrent:
        parts.append(_matrix(group, "weight_rec"))
        out = len(parts[0])
        if parts[1].shape != (out, out):
            raise group.refusal(f"its recurrent weights {parts[1].shape} do not fit {out} neurons")
    weights, shift = _weights(group, *parts)
    delays = _delays(group, weights[0])
    if delays is None:
        found = [Connection(source, Dense(each), sum_bits=DENSE_BITS, sum_shift=shift) for each in weights]
    elif recurrent:  # NetX gives these synapses no exponent, so that sums are not shifted
        if weights[0].shape[1] != len(weights[0]):
            raise group.refusal("it is recurrent and has delays, which NetX reads of as many inputs as neurons only")
        group.note(
            "recurrent_sums_not_shifted", "NetX does not scale the weights of a recurrent layer with delays back"
        )
        found = [Connection(source, DelayedDense(each, delays), sum_bits=DENSE_BITS) for each in weights]
    else:
        found = [Connection(source, DelayedDense(_scaled(group, weights[0], shift), delays), sum_bits=DENSE_BITS)]
    if recurrent:
        own = found[1]
        found[1] = Connection(group.layer, own.synapse, 1, sum_bits=own.sum_bits, sum_shift=own.sum_shift)
        if "delay_rec" in group:
            group.note("recurrent_delays_dropped", "NetX passes over delay_rec")
    return tuple(found)


def complex_dense(group: Group, source: str) -> tuple[Connection, ...]:
    """The two connections of a layer with complex weights, into the real and the imaginary current."""
    for name in ("bias", "delay", "weight_rec"):
        if name in group:
            group.note("complex_parts_dropped", f"NetX passes over the {name} of a layer with complex weights")
    found = []
    for port, part in enumerate(("real", "imag")):
        (weight,), shift = _weights(group, _matrix(group, f"weight/{part}"))
        found.append(Connection(source, Dense(weight), port=port, sum_bits=DENSE_BITS, sum_shift=shift))
    return tuple(found)


def convolution(group: Group, source: str, shape: Shape | None) -> tuple[Shape, tuple[Connection, ...]]:
    """The connection of a convolution from a source of some shape, which must be known, and that shape."""
    if shape is None or len(shape) != 3:
        raise group.refusal(
            "the shape of its input is not known" if shape is None else f"its source has the shape {shape}",
            remedy="give load an input_shape=(channels, height, width)",
        )
    weight = group.truncated("weight")
    if weight.ndim == 5 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    if weight.ndim != 4 or max(-int(weight.min()), int(weight.max())) >= 2**31:
        raise group.refusal(
            f"its weights of shape {weight.shape}, {weight.min()} to {weight.max()}, are no kernels of 32 bits",
            remedy="kernels are (out, in / groups, height, width)",
        )
    stride, padding, dilation = (
        _pair(group, name, low) for name, low in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    groups = group.numbers("groups", 1, GEOMETRY)
    if groups.ndim or max(weight.shape[2:]) > GEOMETRY:
        raise group.refusal(f"its groups are no single number, or its kernel is larger than {GEOMETRY}")
    if "delay" in group:
        group.note("conv_delays_dropped", "NetX passes over the delays of convolutions")
    if weight.shape[0] % int(groups):
        raise group.refusal(f"its {weight.shape[0]} channels do not divide into {groups} groups")
    synapse = Conv(weight, stride, padding, dilation, int(groups))
    return shape, (Connection(source, synapse, sum_bits=CONV_BITS),)


def _pair(group: Group, name: str, low: int) -> tuple[int, int]:
    values = group.numbers(name, low, GEOMETRY)
    if values.shape not in ((), (2,)):
        raise group.refusal(f"its '{name}' are {values.size} numbers of shape {values.shape}, not one or two")
    height, width = np.broadcast_to(values, 2)
    return int(height), int(width)


def _matrix(group: Group, name: str) -> Integers:
    weight = group.truncated(name)
    if weight.ndim == 1:
        out = math.prod(group.shape())
        if weight.size % out:
            raise group.refusal(f"its {weight.size} weights do not divide among {out} neurons")
        weight = weight.reshape(out, -1)
    if weight.ndim != 2:
        raise group.refusal(f"its '{name}' has shape {weight.shape}", remedy="dense weights are (out, in)")
    return weight


def _weights(group: Group, *parts: Integers) -> tuple[Sequence[Integers], int]:
    try:
        found, shift = netx_weights(*parts)
    except DeploymentError as error:
        raise group.refusal(error.problem, remedy=error.remedy) from None
    _note_changes(group, parts, found, shift)
    return found, shift


def _note_changes(group: Group, parts: Sequence[Integers], found: Sequence[Integers], shift: int) -> None:
    """Note the weights with which NetX computes other sums than those of the file, by what happens to them."""
    changed = sum(int((made != part << shift).sum()) for made, part in zip(found, parts))
    if not changed:
        return
    low, high = min(int(part.min()) for part in parts), max(int(part.max()) for part in parts)
    told = f"NetX computes with other weights than the file's in {changed:,} of {sum(map(np.size, parts)):,} places: "
    if high <= 0:
        group.note("dense_without_positive_weights", f"{told}none is positive, and it loses bits of them")
    elif low < MIXED_RANGE[0] or high > MIXED_RANGE[1]:
        group.note("weights_clipped_by_netx", f"{told}they reach from {low:,} to {high:,}, and it clips them")
    else:
        group.note("weights_truncated_by_netx", f"{told}they reach from {low:,} to {high:,}, and it cuts bits off")


def check_products(group: Group, connections: Sequence[Connection], reach: int) -> None:
    """Refuse delayed synapses whose single products leave 32 bits, to which NetX wraps each of them.

    Args:
        reach: the largest magnitude of what comes in.
    """
    for each in connections:
        if isinstance(each.synapse, DelayedDense) and reach >= DELAYED_REACH:
            raise group.refusal(
                f"messages may reach {reach:,}, and NetX wraps each product of delayed synapses to 32 bits",
                remedy="leave its delays out, or let spikes come in",
            )


def _scaled(group: Group, weight: Integers, shift: int) -> Integers:
    """Weights divided by what sums are shifted by: with delays, NetX shifts the sum of each delay apart."""
    if (weight & ((1 << shift) - 1)).any():
        raise group.refusal(
            "its weights lose bits in NetX, which rounds the sum of each delay apart",
            remedy="let one weight be positive, or none be a power of two",
        )
    return weight >> shift


def _delays(group: Group, weight: Integers) -> Integers | None:
    """The delays of dense weights, as NetX spreads and clips them; None without any."""
    if "delay" not in group:
        return None
    delays = group.truncated("delay")
    if int(delays.max()) > LONGEST_DELAY:
        group.note("delays_clipped", f"NetX clips delays of up to {delays.max()} steps to {LONGEST_DELAY}")
        delays = delays.clip(0, LONGEST_DELAY)
    if int(delays.min()) < 0:
        raise group.refusal(f"its delays go down to {delays.min()}, and NetX ends with negative ones")
    if delays.ndim == 0:
        return delays.reshape(1, 1)
    if delays.ndim == 1 and delays.size in weight.shape:
        return delays.reshape((-1, 1) if delays.size == len(weight) else (1, -1))
    if delays.shape != weight.shape:
        raise group.refusal(
            f"its delays of shape {delays.shape} do not fit weights {weight.shape}",
            remedy="give one for all, one for each target, one for each source, or one for each weight",
        )
    return delays
