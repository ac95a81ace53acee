"""Neurons of deployed networks: one dataclass a kind, its equation in the docstring; `Neuron` is their contract."""

from lava_qsnn.integer.neurons._cuba import CUBA, CUBAReadout
from lava_qsnn.integer.neurons._memory_free import MemoryFree, Readout, TimedMemoryFree
from lava_qsnn.integer.neurons._neuron import (
    Bounds,
    Neuron,
    PerChannel,
    PerNeuron,
    PerPlace,
    PerStep,
    PerStepAndChannel,
    State,
    Step,
)
from lava_qsnn.integer.neurons._quantized_lif import LEAKS, POTENTIAL_BITS, RESETS, QuantizedLIF
from lava_qsnn.integer.neurons._resonate import RF, RFIzhikevich
from lava_qsnn.integer.neurons._sigma_delta import SigmaDelta

__all__ = [
    "CUBA",
    "LEAKS",
    "POTENTIAL_BITS",
    "RESETS",
    "RF",
    "Bounds",
    "CUBAReadout",
    "MemoryFree",
    "Neuron",
    "PerChannel",
    "PerNeuron",
    "PerPlace",
    "PerStep",
    "PerStepAndChannel",
    "QuantizedLIF",
    "RFIzhikevich",
    "Readout",
    "SigmaDelta",
    "State",
    "Step",
    "TimedMemoryFree",
]
