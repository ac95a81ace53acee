"""How a network is said in the words of unmodified lava-dl NetX, and when that is exact.

A stock CUBA neuron with iDecay 2048 halves its current every step, without reset by spikes: it is the memory-free
neuron with power-of-two taps over all T steps of a sample. In full,

    u[t] = u[t-1] / 2 + 2^6 2^p I[t],   spike iff u + 2^6 bias > 0,   p = T - 1, bias = 1 - Theta,

so u / 2^6 is the integer potential U and `>` becomes the wanted `>=`. The weights 2^p W carry the factor. With one
tap, iDecay 4096 keeps nothing of the past and p = 0. A readout never fires; its potential is read from the voltage.
A stored potential of few bits has no stock neuron: a LIF of 24 bits with its leak is the nearest, and not exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer._limits import CONV_GEOMETRY_LIMIT, LOIHI_LIMIT, largest_geometry
from lava_qsnn.integer._network import IntegerNetwork, Layer
from lava_qsnn.integer._neurons import QuantizedLIF, Readout
from lava_qsnn.integer._synapses import Conv, Dense, OneToOne, Synapse
from lava_qsnn.integer._taps import shift_taps

#: From T = 8 on, the halved current loses its lowest bit.
LONGEST_STOCK_SAMPLE = 7

#: The largest threshold mantissa; a neuron whose voltage stays within Loihi's limit never exceeds it.
NEVER_SPIKES = 2**17 - 1

BIAS_RANGE = (-(2**15), 2**15 - 1)
DECAY_HALF, DECAY_ALL = 2048, 4096


@dataclass(frozen=True)
class StockLayer:
    """The numbers stock NetX reads for one layer of a chain."""

    weight_shift: int  # p: the file holds W 2^p
    current_decay: int  # iDecay
    voltage_decay: int  # vDecay
    bias: NDArray[np.int64] | None  # (channels,), None for a readout
    threshold: int  # vThMant

    @property
    def spikes(self) -> bool:
        return self.bias is not None


def stock_layer(network: IntegerNetwork, layer: Layer) -> StockLayer:
    """Express one layer for stock NetX: exactly if `stock_obstacles` is empty, else as near as it comes."""
    neuron = layer.neuron
    if isinstance(neuron, QuantizedLIF):
        return _nearest_lif(neuron)
    stateless = neuron.taps == (1,)
    decay = DECAY_ALL if stateless else DECAY_HALF
    if isinstance(neuron, Readout):
        return StockLayer(0, decay, DECAY_ALL, bias=None, threshold=NEVER_SPIKES)
    if stateless or _whole_sample(network, layer):
        shift = len(neuron.taps) - 1
        return StockLayer(shift, decay, DECAY_ALL, bias=1 - neuron.threshold, threshold=0)
    nearest = neuron.threshold // neuron.taps[0] + (neuron.threshold % neuron.taps[0] > 0)
    return StockLayer(0, decay, DECAY_ALL, bias=1 - nearest, threshold=0)


def _nearest_lif(neuron: QuantizedLIF) -> StockLayer:
    """A LIF with one threshold for all channels, the middle one, which the biases make up for."""
    threshold, bias = neuron.threshold >> neuron.current_shift, neuron.bias >> neuron.current_shift
    middle = int(np.median(threshold).clip(0, NEVER_SPIKES))
    return StockLayer(0, DECAY_ALL, DECAY_ALL >> neuron.leak, bias + middle - threshold, middle)


def stock_obstacles(network: IntegerNetwork) -> Iterator[str]:
    """The reasons why unmodified NetX would not compute the network exactly, each naming its layer."""
    if not network.is_chain:
        yield "it has skip connections, and stock NetX only runs chains"
    for layer in network.layers:
        for reason in _layer_obstacles(network, layer):
            yield f"layer '{layer.name}': {reason}"


def _layer_obstacles(network: IntegerNetwork, layer: Layer) -> Iterator[str]:
    taps = layer.neuron.taps
    if isinstance(layer.neuron, QuantizedLIF):
        yield f"no stock neuron stores its potential in {layer.neuron.bits} bits"
        return
    if taps != (1,) and taps != shift_taps(min(network.timesteps, 64)):
        yield f"its taps {_shortened(taps)} are neither one step nor powers of two over all {network.timesteps} steps"
    elif taps != (1,) and network.timesteps > LONGEST_STOCK_SAMPLE:
        yield f"{network.timesteps} time steps exceed {LONGEST_STOCK_SAMPLE}, where the stock state loses bits"
    stock = stock_layer(network, layer)
    low, high = network.potential_ranges[layer.name]
    reach, limit = max(-int(low.min()), int(high.max())), LOIHI_LIMIT
    if not stock.spikes:
        limit = (LOIHI_LIMIT - 1) * taps[0]
    if reach > limit:
        yield f"potentials may reach {reach:,}, beyond the {limit:,} of its 24-bit state"
    if stock.bias is not None and not _within(stock.bias, BIAS_RANGE):
        yield f"biases from {stock.bias.min()} to {stock.bias.max()} do not fit the 16 bits of a stock bias"
    for connection in layer.connections:
        yield from _synapse_obstacles(connection.synapse, stock.weight_shift)


def _synapse_obstacles(synapse: Synapse, shift: int) -> Iterator[str]:
    if isinstance(synapse, OneToOne):
        yield "stock NetX has no one-to-one synapses"
    elif isinstance(synapse, Conv):
        if (largest := largest_geometry(synapse)) > CONV_GEOMETRY_LIMIT:
            yield f"a kernel size, stride, padding, dilation or group count of {largest} wraps in Lava's Conv"
    else:
        yield from _dense_obstacles(synapse, shift)


def _dense_obstacles(synapse: Dense, shift: int) -> Iterator[str]:
    low, high = int(synapse.weight.min()) << shift, int(synapse.weight.max()) << shift
    if high <= 0:
        yield "no dense weight is positive, and stock NetX computes such layers wrongly"
    elif low < 0 and (low < -256 or high > 254):
        yield f"dense weights from {low} to {high} (times 2^{shift}) are clipped to -256 .. 254"
    elif low >= 0 and high > 255:
        yield f"dense weights up to {high} (times 2^{shift}) are clipped to 255"
    elif low < 0 and (low < -128 or high > 127) and bool((synapse.weight << shift & 1).any()):
        yield f"odd dense weights from {low} to {high} are truncated to even ones"


def _whole_sample(network: IntegerNetwork, layer: Layer) -> bool:
    return network.timesteps <= LONGEST_STOCK_SAMPLE and layer.neuron.taps == shift_taps(network.timesteps)


def _within(values: NDArray[np.int64], limits: tuple[int, int]) -> bool:
    return limits[0] <= int(values.min()) and int(values.max()) <= limits[1]


def _shortened(taps: tuple[int, ...]) -> str:
    return str(taps) if len(taps) <= 6 else f"({', '.join(map(str, taps[:4]))}, .. {len(taps)} in all)"


def input_message_bits(network: IntegerNetwork) -> int:
    """What stock NetX is to be told of its input: 0 for binary spikes, else the bits of a graded message."""
    return 0 if network.input.maximum == 1 else network.input.bits
