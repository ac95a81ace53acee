"""Neurons of deployed networks: one dataclass a kind, its equation in the docstring; `Neuron` is their contract."""

from lava_qsnn.integer.neurons._memory_free import MemoryFree, Readout
from lava_qsnn.integer.neurons._neuron import (
    Bounds,
    Neuron,
    PerChannel,
    PerNeuron,
    PerStep,
    PerStepAndChannel,
    State,
    Step,
)
from lava_qsnn.integer.neurons._quantized_lif import LEAKS, POTENTIAL_BITS, RESETS, QuantizedLIF

__all__ = [
    "LEAKS",
    "POTENTIAL_BITS",
    "RESETS",
    "Bounds",
    "MemoryFree",
    "Neuron",
    "PerChannel",
    "PerNeuron",
    "PerStep",
    "PerStepAndChannel",
    "QuantizedLIF",
    "Readout",
    "State",
    "Step",
]
