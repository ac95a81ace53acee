"""Lava processes of the memory-free neuron, with fixed-point models for the CPU.

Neuron processes compute within the time step in which their input arrives; synapses (Lava's own Dense and Conv) take
one step. A process at depth d, counted in synapses, therefore sees the first time step of each sample at steps
d + 1, d + 1 + T, d + 1 + 2 T, ..: there it forgets the sample before. What it received earlier than that, during
start-up, is forgotten at the same moment and reaches nobody.
"""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class History(AbstractProcess):
    """Turns spikes (or graded input) into traces: h[t] = sum_k L_k s[t-k] within each sample.

    Args:
        shape: of the population.
        taps: L_0 .. L_{K-1}, positive integers.
        timesteps: T, steps per sample.
        depth: synapses between the network's input and this process.

    Ports: `s_in` and `h_out`, both of `shape`, int32.
    """

    def __init__(self, shape: tuple[int, ...], taps: tuple[int, ...], timesteps: int, depth: int) -> None:
        super().__init__(shape=shape, timesteps=timesteps, depth=depth)
        self.s_in = InPort(shape=shape)
        self.h_out = OutPort(shape=shape)
        self.taps = Var(shape=(len(taps),), init=np.array(taps, np.int32))
        self.history = Var(shape=(len(taps), *shape), init=0)


class MemoryFree(AbstractProcess):
    """Memory-free neurons: s[t] = 1 iff a_in[t] >= threshold; they send spikes and their own traces.

    The membrane potential is the synapses' output and is not kept. The only state is `history`, the last K spikes.

    Args:
        shape: of the population.
        threshold: integers, broadcastable to `shape`.
        taps: of the layer that the traces go to; L_0 .. L_{K-1}, positive integers.
        timesteps: T, steps per sample.
        depth: synapses between the network's input and this process.

    Ports: `a_in`, `h_out` and `s_out`, all of `shape`, int32.
    """

    def __init__(
        self, shape: tuple[int, ...], threshold: np.ndarray, taps: tuple[int, ...], timesteps: int, depth: int
    ) -> None:
        super().__init__(shape=shape, timesteps=timesteps, depth=depth)
        self.a_in = InPort(shape=shape)
        self.h_out = OutPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.threshold = Var(shape=shape, init=np.broadcast_to(threshold, shape).astype(np.int32))
        self.taps = Var(shape=(len(taps),), init=np.array(taps, np.int32))
        self.history = Var(shape=(len(taps), *shape), init=0)


class Readout(AbstractProcess):
    """Neurons that do not spike: they pass their potential on. Ports: `a_in` and `s_out` of `shape`, int32."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape=shape)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)


class OneToOne(AbstractProcess):
    """Synapses from each neuron to its own target, one time step long as all synapses are.

    Args:
        shape: of the populations, Lava's order, channels last.
        weight: integers, one per channel.

    Ports: `s_in` and `a_out` of `shape`, int32.
    """

    def __init__(self, shape: tuple[int, ...], weight: np.ndarray) -> None:
        super().__init__(shape=shape)
        self.s_in = InPort(shape=shape)
        self.a_out = OutPort(shape=shape)
        self.weight = Var(shape=shape, init=np.broadcast_to(weight, shape).astype(np.int32))
        self.held = Var(shape=shape, init=0)


class Delay(AbstractProcess):
    """Holds messages back by some time steps, so that a skip connection arrives with the main path.

    Args:
        shape: of a message.
        steps: how many time steps, from 1.

    Ports: `s_in` and `s_out` of `shape`, int32.
    """

    def __init__(self, shape: tuple[int, ...], steps: int) -> None:
        super().__init__(shape=shape, steps=steps)
        self.s_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.held = Var(shape=(steps, *shape), init=0)


class _HistoryModel(PyLoihiProcessModel):
    """The common part of models with a history; `history` is a ring in which the present step moves on."""

    taps: np.ndarray = LavaPyType(np.ndarray, np.int32)
    history: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def trace(self, spikes: np.ndarray) -> np.ndarray:
        """Take up the present spikes and return the traces."""
        elapsed = self.time_step - 1 - self.proc_params["depth"]
        if elapsed % self.proc_params["timesteps"] == 0:
            self.history[:] = 0
        present = elapsed % len(self.taps)
        self.history[present] = spikes
        lags = (present - np.arange(len(self.taps))) % len(self.taps)
        return np.tensordot(self.taps, self.history[lags], 1)


@implements(proc=History, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyHistoryModel(_HistoryModel):
    """Fixed-point model of History."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    h_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    taps: np.ndarray = LavaPyType(np.ndarray, np.int32)
    history: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def run_spk(self) -> None:
        self.h_out.send(self.trace(self.s_in.recv()))


@implements(proc=MemoryFree, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyMemoryFreeModel(_HistoryModel):
    """Fixed-point model of MemoryFree."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    h_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    threshold: np.ndarray = LavaPyType(np.ndarray, np.int32)
    taps: np.ndarray = LavaPyType(np.ndarray, np.int32)
    history: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def run_spk(self) -> None:
        spikes = (self.a_in.recv() >= self.threshold).astype(np.int32)
        self.h_out.send(self.trace(spikes))
        self.s_out.send(spikes)


@implements(proc=Readout, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyReadoutModel(PyLoihiProcessModel):
    """Fixed-point model of Readout."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        self.s_out.send(self.a_in.recv())


@implements(proc=Delay, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyDelayModel(PyLoihiProcessModel):
    """Fixed-point model of Delay."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    held: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def run_spk(self) -> None:
        oldest = self.time_step % len(self.held)
        self.s_out.send(self.held[oldest])
        self.held[oldest] = self.s_in.recv()


@implements(proc=OneToOne, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyOneToOneModel(PyLoihiProcessModel):
    """Fixed-point model of OneToOne: sends what came a step before, weighted."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    weight: np.ndarray = LavaPyType(np.ndarray, np.int32)
    held: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def run_spk(self) -> None:
        self.a_out.send(self.held)
        self.held = self.weight * self.s_in.recv().astype(np.int32)
