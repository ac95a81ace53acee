"""The Lava process of the neuron with a membrane potential of few bits, with a fixed-point model for the CPU."""

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

from lava_qsnn import integer
from lava_qsnn.engines import StoredPotential


class QuantizedLIF(AbstractProcess):
    """Leaky integrate-and-fire neurons that store a potential of b bits; equations at lava_qsnn.integer.QuantizedLIF.

    The stored potential is forgotten at each sample's first step, as histories are; see the module `memory_free`.

    Args:
        shape: of the population, Lava's order, channels last.
        neuron: the integers of its channels.
        ranges: of its current, per channel.
        timesteps: T, steps per sample.
        depth: synapses between the network's input and this process.

    Ports: `a_in` and `s_out`, both of `shape`, int32.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        neuron: integer.QuantizedLIF,
        ranges: tuple[integer.Bounds, ...],
        timesteps: int,
        depth: int,
    ) -> None:
        super().__init__(shape=shape, neuron=neuron, ranges=ranges, timesteps=timesteps, depth=depth)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.potential = Var(shape=shape, init=0)


@implements(proc=QuantizedLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyQuantizedLIFModel(PyLoihiProcessModel):
    """Fixed-point model of QuantizedLIF: its potential has at most 16 bits between the steps."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    potential: np.ndarray = LavaPyType(np.ndarray, np.int16)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        shape = proc_params["shape"]
        # Channels are the last axis here, along which one number for each broadcasts by itself.
        self.step = StoredPotential(proc_params["neuron"], proc_params["ranges"], lambda values: values)
        self.stored = np.zeros(shape, self.step.dtype)
        self.spikes = np.zeros(shape, bool)

    def run_spk(self) -> None:
        if (self.time_step - 1 - self.proc_params["depth"]) % self.proc_params["timesteps"] == 0:
            self.potential[:] = 0
        self.stored[:] = self.potential
        self.step(self.stored, self.a_in.recv(), self.spikes)
        self.s_out.send(self.spikes.astype(np.int32))
        self.potential[:] = self.stored
