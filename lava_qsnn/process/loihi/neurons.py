"""The process that computes a layer's neurons: one row for each kind that has a process of its own."""

from functools import singledispatch
from typing import NamedTuple

import numpy as np
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess

from lava_qsnn import integer
from lava_qsnn.errors import DeploymentError
from lava_qsnn.process.loihi import resting
from lava_qsnn.process.loihi.memory_free import MemoryFree, Readout
from lava_qsnn.process.loihi.quantized_lif import QuantizedLIF
from lava_qsnn.process.loihi.stepping import PORTS, Neurons


class Population(NamedTuple):
    """The things that a process of neurons must know besides their kind.

    `shape` in Lava's order; `ranges` of their currents, per channel; `taps` of the traces that their targets
    take; `timesteps` per sample; `depth` in synapses from the network's input.
    """

    shape: integer.Shape
    ranges: tuple[integer.Bounds, ...]
    taps: tuple[int, ...]
    timesteps: int
    depth: int


@singledispatch
def neurons(neuron: integer.Neuron, of: Population) -> AbstractProcess:
    """The process of a layer's neurons: by the row of their kind, or else one that computes by their own step."""
    if len(neuron.currents) > PORTS:
        raise DeploymentError(
            f"{neuron.described} takes {len(neuron.currents)} currents, and a process has {PORTS} ports",
            remedy="use the backend 'lava-fused'",
        )
    return Neurons(of.shape, neuron, of.timesteps, of.depth)


@neurons.register
def _(neuron: integer.MemoryFree, of: Population) -> AbstractProcess:
    return MemoryFree(of.shape, neuron.within(of.ranges), of.taps, of.timesteps, of.depth)


@neurons.register
def _(neuron: integer.QuantizedLIF, of: Population) -> AbstractProcess:
    return QuantizedLIF(of.shape, neuron, of.ranges, of.timesteps, of.depth)


@neurons.register
def _(neuron: integer.Readout, of: Population) -> AbstractProcess:
    return Readout(of.shape)


@neurons.register
def _(neuron: integer.CUBA, of: Population) -> AbstractProcess:
    return resting.RestingLIF(of.shape, neuron, of.timesteps, of.depth)


@neurons.register
def _(neuron: integer.SigmaDelta, of: Population) -> AbstractProcess:
    if neuron.rule != "stock" or _differ(neuron.threshold):  # Lava has neither
        return Neurons(of.shape, neuron, of.timesteps, of.depth)
    forms = {"sigma_delta": resting.RestingSigmaDelta, "delta": resting.RestingDelta, "sigma": resting.RestingSigma}
    return forms[neuron.form](of.shape, neuron, of.timesteps, of.depth)


@neurons.register
def _(neuron: integer.RF, of: Population) -> AbstractProcess:
    if _differ(neuron.threshold):
        return Neurons(of.shape, neuron, of.timesteps, of.depth)
    made = resting.RestingRFIzhikevich if isinstance(neuron, integer.RFIzhikevich) else resting.RestingRF
    return made(of.shape, neuron, of.timesteps, of.depth)


def _differ(threshold: np.ndarray) -> bool:
    return bool((threshold != threshold.ravel()[0]).any())


def entry(process: AbstractProcess, port: int) -> InPort:
    """The port of a process for one of its neurons' currents."""
    if isinstance(process, Neurons):
        return getattr(process, f"a_in_{port}")
    if isinstance(process, resting.RestingLIF):
        return (process.a_in, process.b_in)[port]
    if isinstance(process, (resting.RestingRF, resting.RestingRFIzhikevich)):
        return (process.a_real_in, process.a_imag_in)[port]
    return process.a_in


def output(process: AbstractProcess, neuron: integer.Neuron) -> OutPort:
    """The port of a process for what its neurons put out."""
    return process.v_out if isinstance(neuron, integer.CUBAReadout) else process.s_out
