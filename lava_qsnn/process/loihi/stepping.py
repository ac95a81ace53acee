"""Lava processes for neurons and synapses of any kind, which compute by the kind's own step; with models for the CPU.

A kind that has a process of its own, with the hardware's arithmetic, does not need them.
"""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from lava_qsnn import integer
from lava_qsnn.integer.layouts import from_lava, to_lava
from lava_qsnn.process.ports import declares_inports

#: InPorts of a process for neurons, one for each current. Lava's models declare their ports one by one.
PORTS = 4


class Neurons(AbstractProcess):
    """Neurons of any kind. Their state is forgotten at each sample's first step; see the module `memory_free`.

    Args:
        shape: of the population, Lava's order, channels last.
        neuron: the neurons.
        timesteps: T, steps per sample.
        depth: synapses between the network's input and this process.

    Ports: `a_in_0` to `a_in_3`, one for each of its currents, and `s_out`, all of `shape`, int32.
    """

    def __init__(self, shape: tuple[int, ...], neuron: integer.Neuron, timesteps: int, depth: int) -> None:
        super().__init__(shape=shape, neuron=neuron, timesteps=timesteps, depth=depth)
        for port in range(PORTS):
            setattr(self, f"a_in_{port}", InPort(shape=shape))
        self.s_out = OutPort(shape=shape)


class Synapses(AbstractProcess):
    """Synapses of any kind, one time step long as all synapses are.

    Args:
        source: shape of what comes in, Lava's order, channels last.
        target: shape of the currents.
        synapse: the synapses.
        timesteps: T, steps per sample.
        depth: synapses between the network's input and what comes in.

    Ports: `s_in` of shape `source`, `a_out` of shape `target`, int32.
    """

    def __init__(
        self,
        source: tuple[int, ...],
        target: tuple[int, ...],
        synapse: integer.Synapse,
        timesteps: int,
        depth: int,
    ) -> None:
        super().__init__(target=target, synapse=synapse, timesteps=timesteps, depth=depth)
        self.s_in = InPort(shape=source)
        self.a_out = OutPort(shape=target)


@implements(proc=Neurons, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
@declares_inports("a_in_", PORTS, np.int32)
class PyNeuronsModel(PyLoihiProcessModel):
    """Fixed-point model of Neurons."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self.state: integer.State = ()

    def run_spk(self) -> None:
        neuron: integer.Neuron = self.proc_params["neuron"]
        ports = [getattr(self, f"a_in_{port}") for port in range(len(neuron.currents))]
        currents = [from_lava(port.recv())[None].astype(np.int64) for port in ports]
        t = (self.time_step - 1 - self.proc_params["depth"]) % self.proc_params["timesteps"]
        if t == 0 or not self.state:
            self.state = neuron.start(currents[0].shape)
        output, _, self.state = neuron.step(self.state, currents, t)
        self.s_out.send(to_lava(output[0]).astype(np.int32))


@implements(proc=Synapses, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySynapsesModel(PyLoihiProcessModel):
    """Fixed-point model of Synapses: sends what came a step before, weighted."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self.held = np.zeros(proc_params["target"], np.int32)
        self.past: list[np.ndarray] = []

    def run_spk(self) -> None:
        synapse: integer.Synapse = self.proc_params["synapse"]
        self.a_out.send(self.held)
        if (self.time_step - 1 - self.proc_params["depth"]) % self.proc_params["timesteps"] == 0:
            self.past = []
        traces = from_lava(self.s_in.recv()).astype(np.int64)
        self.past = [*self.past, traces][-synapse.delay - 1 :]
        self.held = to_lava(synapse.current(np.stack(self.past, -1)[None])[0, ..., -1]).astype(np.int32)
