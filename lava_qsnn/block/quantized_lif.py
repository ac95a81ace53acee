"""Blocks of leaky integrate-and-fire neurons with a potential of few bits: step by step.

`neuron_params` are the arguments of lava_qsnn.neuron.quantized_lif.Neuron.
Flatten, Output and Residual are the same for all families: they have no neurons of their own that spike.
"""

from lava_qsnn.block import _blocks
from lava_qsnn.block._blocks import Flatten, Output, Residual
from lava_qsnn.neuron.quantized_lif import Neuron


class Dense(_blocks.Dense):
    """N C T to N out T: slayer.block.cuba.Dense's arguments, `weight_bits` and `weight_regulation`."""

    neuron_type = Neuron


class Conv(_blocks.Conv):
    """N C H W T to N out H' W' T: slayer.block.cuba.Conv's arguments, `weight_bits` and `weight_regulation`."""

    neuron_type = Neuron


class Pool(_blocks.Pool):
    """N C H W T to N C H' W' T, sums or (with neuron_params) spikes: slayer.block.cuba.Pool's arguments."""

    neuron_type = Neuron


class Input(_blocks.Input):
    """Integers N C [H W] T to the same or (with neuron_params) spikes: slayer.block.cuba.Input's arguments."""

    neuron_type = Neuron


__all__ = ["Conv", "Dense", "Flatten", "Input", "Output", "Pool", "Residual"]
