"""A network in the words of unmodified lava-dl NetX, and when that is exact.

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
from functools import singledispatch
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer._limits import CONV_GEOMETRY_LIMIT, LOIHI_LIMIT, largest_geometry
from lava_qsnn.integer._taps import MAXIMUM_HISTORY, shift_taps
from lava_qsnn.integer._threshold import NEVER
from lava_qsnn.integer.neurons import MemoryFree, Neuron, QuantizedLIF, Readout
from lava_qsnn.integer.synapses import Conv, Dense, Synapse

if TYPE_CHECKING:
    from lava_qsnn.integer._layers import Layer
    from lava_qsnn.integer._network import IntegerNetwork

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


def stock_network(network: IntegerNetwork) -> IntegerNetwork | None:
    """The network, its poolings merged, if stock NetX has words for all of it, exact or near; None if it has not."""
    try:
        merged = network.merged
    except DeploymentError:
        return None
    plain = all(not layer.connections[0].delay for layer in merged.layers)
    known = merged.is_chain and plain and all(stock_layer(merged, layer) is not None for layer in merged.layers)
    return merged if known else None


def stock_layer(network: IntegerNetwork, layer: Layer) -> StockLayer | None:
    """One layer's neurons for stock NetX: exactly if `stock_obstacles` is empty, else as near as it comes.

    None if nothing comes near.
    """
    return _stock_form(layer.neuron, network.timesteps)


@singledispatch
def _stock_form(neuron: Neuron, timesteps: int) -> StockLayer | None:
    """The row of a kind of neuron; one without a row of its own has no stock form."""
    return None


@_stock_form.register
def _(neuron: Readout, timesteps: int) -> StockLayer:
    decay = DECAY_ALL if neuron.taps == (1,) else DECAY_HALF
    return StockLayer(0, decay, DECAY_ALL, bias=None, threshold=NEVER_SPIKES)


@_stock_form.register
def _(neuron: MemoryFree, timesteps: int) -> StockLayer:
    stateless = neuron.taps == (1,)
    decay = DECAY_ALL if stateless else DECAY_HALF
    if stateless or (timesteps <= LONGEST_STOCK_SAMPLE and neuron.taps == shift_taps(timesteps)):
        return StockLayer(len(neuron.taps) - 1, decay, DECAY_ALL, bias=_bias(neuron.threshold), threshold=0)
    nearest = neuron.threshold // neuron.taps[0] + (neuron.threshold % neuron.taps[0] > 0)  # rounded up
    return StockLayer(0, decay, DECAY_ALL, bias=_bias(nearest), threshold=0)


def _bias(threshold: NDArray[np.int64]) -> NDArray[np.int64]:
    """1 - Theta, for thresholds far beyond what a stock bias holds as near as int64 comes."""
    return 1 - np.maximum(threshold, -NEVER)


@_stock_form.register
def _(neuron: QuantizedLIF, timesteps: int) -> StockLayer:
    """A LIF with one threshold for all channels, the middle one, which the biases make up for."""
    threshold = np.maximum(neuron.threshold, -NEVER) >> neuron.current_shift
    bias = neuron.bias.clip(-NEVER, NEVER) >> neuron.current_shift
    middle = int(np.median(threshold).clip(0, NEVER_SPIKES))
    return StockLayer(0, DECAY_ALL, DECAY_ALL >> neuron.leak, bias + middle - threshold, middle)


def stock_obstacles(network: IntegerNetwork) -> Iterator[str]:
    """The reasons why unmodified NetX would not compute the network exactly, each naming its layer."""
    if not network.is_chain:
        yield "it has skip connections, and stock NetX only runs chains"
    if network.input.minimum < 0:
        yield "its input may be negative, and what unmodified NetX makes of that is not compared here"
    for layer in network.layers:
        for reason in _layer_obstacles(network, layer):
            yield f"layer '{layer.name}': {reason}"


def _layer_obstacles(network: IntegerNetwork, layer: Layer) -> Iterator[str]:
    stock = stock_layer(network, layer)
    if stock is None:
        yield f"no stock neuron computes {layer.neuron.described}"
        return
    if layer.neuron.state_bits:
        yield f"no stock neuron stores its potential in {layer.neuron.state_bits} bits"
        return
    yield from _taps_obstacles(layer.neuron.taps, network.timesteps)
    low, high = network.potential_ranges[layer.name]
    reach, limit = max(-int(low.min()), int(high.max())), LOIHI_LIMIT
    if not stock.spikes:
        limit = (LOIHI_LIMIT - 1) * layer.neuron.taps[0]
    if reach > limit:
        yield f"potentials may reach {reach:,}, beyond the {limit:,} of its 24-bit state"
    if stock.bias is not None and not _within(stock.bias, BIAS_RANGE):
        yield f"biases from {stock.bias.min()} to {stock.bias.max()} do not fit the 16 bits of a stock bias"
    for connection in layer.connections:
        if connection.delay:
            yield f"its input is delayed by {connection.delay} steps, and a stock delay does not end with its sample"
        yield from _synapse_obstacles(connection.synapse, stock.weight_shift)


def _taps_obstacles(taps: tuple[int, ...], timesteps: int) -> Iterator[str]:
    if taps != (1,) and taps != shift_taps(min(timesteps, MAXIMUM_HISTORY)):
        yield f"its taps {_shortened(taps)} are neither one step nor powers of two over all {timesteps} steps"
    elif taps != (1,) and timesteps > LONGEST_STOCK_SAMPLE:
        yield f"{timesteps} time steps exceed {LONGEST_STOCK_SAMPLE}, where the stock state loses bits"


def _synapse_obstacles(synapse: Synapse, shift: int) -> Iterator[str]:
    if isinstance(synapse, Dense):
        yield from _dense_obstacles(synapse, shift)
    elif not isinstance(synapse, Conv):
        yield f"stock NetX has no {synapse.kind.replace('_', '-')} synapses"
    elif (largest := largest_geometry(synapse)) > CONV_GEOMETRY_LIMIT:
        yield f"a kernel size, stride, padding, dilation or group count of {largest} wraps in Lava's Conv"


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


def _within(values: NDArray[np.int64], limits: tuple[int, int]) -> bool:
    return limits[0] <= int(values.min()) and int(values.max()) <= limits[1]


def _shortened(taps: tuple[int, ...]) -> str:
    return str(taps) if len(taps) <= 6 else f"({', '.join(map(str, taps[:4]))}, .. {len(taps)} in all)"


def input_message_bits(network: IntegerNetwork) -> int:
    """The message bits that stock NetX is told of its input: 0 for binary spikes, else the bits of a graded message."""
    return 0 if network.input.maximum == 1 else network.input.bits
