"""The process that computes a layer's neurons: one row for each kind that has a process of its own."""

from functools import singledispatch
from typing import NamedTuple

from lava.magma.core.process.process import AbstractProcess

from lava_qsnn import integer
from lava_qsnn.errors import DeploymentError
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


def entry(process: AbstractProcess, port: int) -> object:
    """The port of a process for one of its neurons' currents."""
    return getattr(process, f"a_in_{port}") if isinstance(process, Neurons) else process.a_in
