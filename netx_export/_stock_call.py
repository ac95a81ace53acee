"""The call of unmodified lava-dl NetX that answers as a network does: arguments that no file tells it."""

from __future__ import annotations

from dataclasses import dataclass

from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.integer.stock import input_message_bits


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


def stock_call(network: IntegerNetwork) -> StockCall:
    """The call that a network needs: NetX resets each sample's states, and takes its input's numbers as they are."""
    return StockCall(input_message_bits(network), network.timesteps, 1)
