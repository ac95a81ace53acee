"""The call of unmodified lava-dl NetX that answers as a network does: arguments that no file tells it."""

from __future__ import annotations

from dataclasses import dataclass

from lava_qsnn.integer import RF, IntegerNetwork, Layer, SigmaDelta
from lava_qsnn.integer.stock import input_message_bits
from netx_export._open import NetworkOrPath, is_stock, opened


@dataclass(frozen=True)
class StockCall:
    """Arguments of `lava.lib.dl.netx.hdf5.Network` beside the file, with NetX's own defaults.

    Args:
        input_message_bits: 0 for spikes, of which NetX takes every number but 0 for a 1; else the bits of a number.
        reset_interval: time steps after which states are reset; None never resets them.
        reset_offset: the time step of the first reset, one more for each layer.
    """

    input_message_bits: int = 0
    reset_interval: int | None = None
    reset_offset: int = 0

    def __str__(self) -> str:
        return (
            f"netx.hdf5.Network(net_config=FILE, input_message_bits={self.input_message_bits}, "
            f"reset_interval={self.reset_interval}, reset_offset={self.reset_offset})"
        )


def stock_call(network: NetworkOrPath, steps: int | None = None) -> StockCall:
    """The call that a network needs: NetX resets each sample's states, and takes its input's numbers as they are.

    Args:
        network: a deployed network, or one of a stock file, whose samples have so many steps; or the path of its file.
        steps: of a sample; the network's longest one by default.
    """
    network = opened(network)
    told = network.metadata["netx"]["input_message_bits"] if is_stock(network) else input_message_bits(network)
    longest = None if network.is_endless else network.timesteps
    return StockCall(int(told), steps or longest, 0 if has_input_block(network) else 1)


def has_input_block(network: IntegerNetwork) -> bool:
    """True if data are written into the neurons of a first layer, as into the Input block of a stock file."""
    first = network.layers[0]
    return first.connections[0].synapse.kind == "one_to_one" and first.neuron.wraps


def keeps(layer: Layer) -> bool:
    """True if a layer keeps of a sample what NetX does not reset: delays, messages to itself, states not of CUBA."""
    recurrent = any(each.source == layer.name for each in layer.connections)
    delayed = any(each.synapse.delay for each in layer.connections)
    return recurrent or delayed or isinstance(layer.neuron, (SigmaDelta, RF))


def feeding(network: IntegerNetwork) -> str:
    """The place where unmodified NetX takes a network's input, in words."""
    if not has_input_block(network):
        return "connect the data to stock.inp"
    first = network.layers[0]
    port = "neuron.a_in" if first.neuron.kind == "sigma_delta" else "neuron.bias_mant"
    told = network.metadata.get("netx", {}).get("transform")
    hint = "" if told is None else f"; the file hints at {told['weight']} x + {told['bias']} of data x from 0 to 1"
    verb = "connect the data to" if port == "neuron.a_in" else "write the data at each step into"
    return f"{verb} stock.layers[0].{port}, for stock.inp is connected to nothing{hint}"
