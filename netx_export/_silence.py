"""Neurons that never fire: told when a network is exported, because its answers are exact, and worth nothing."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import QsnnWarning
from lava_qsnn.integer import IntegerNetwork

REMEDY = 'use norm="batch", the default where a block knows its channels, or a lower threshold, and train again'


def silent_channels(network: IntegerNetwork) -> dict[str, NDArray[np.bool_]]:
    """Of each spiking layer, which channels (channels,) no input can make fire: thresholds beyond all potentials."""
    return {
        layer.name: layer.neuron.never_fires(network.port_ranges[layer.name])
        for layer in network.layers
        if layer.neuron.spikes
    }


def constant_channels(network: IntegerNetwork) -> dict[str, NDArray[np.bool_]]:
    """Of each spiking layer, which channels (channels,) fire at every step, whatever comes in."""
    return {
        layer.name: layer.neuron.always_fires(network.port_ranges[layer.name])
        for layer in network.layers
        if layer.neuron.spikes
    }


def warn_of_silence(network: IntegerNetwork, silent: Iterable[str], samples: int) -> None:
    """Warn of each layer that cannot fire, or else did not.

    Args:
        network: a deployed network.
        silent: names of its layers that gave nothing but 0 on some random samples.
        samples: how many they were.
    """
    never = {name for name, channels in silent_channels(network).items() if channels.all()}
    for name in network:
        if name in never:
            problem = "none of its neurons can ever fire: every threshold lies above the largest potential"
        elif name in silent and network.layer(name).neuron.spikes:
            problem = f"none of its neurons fired on {samples} random samples"
        else:
            continue
        warnings.warn(QsnnWarning(f"layer '{name}': {problem}. Remedy: {REMEDY}"), stacklevel=3)
