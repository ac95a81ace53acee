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


class QuantizedLIF(AbstractProcess):
    """Leaky integrate-and-fire neurons that store a potential of b bits; equations at lava_qsnn.integer.QuantizedLIF.

    The stored potential is forgotten at each sample's first step, as histories are; see lava_qsnn.process.memory_free.

    Args:
        shape: of the population, Lava's order, channels last.
        neuron: the integers of its channels.
        threshold: of its channels, within int32; `integer.IntegerNetwork.thresholds`.
        timesteps: T, steps per sample.
        depth: synapses between the network's input and this process.

    Ports: `a_in` and `s_out`, both of `shape`, int32.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        neuron: integer.QuantizedLIF,
        threshold: np.ndarray,
        timesteps: int,
        depth: int,
    ) -> None:
        super().__init__(
            shape=shape,
            timesteps=timesteps,
            depth=depth,
            leak=neuron.leak,
            hard=neuron.reset == "hard",
            stored_range=neuron.stored_range,
        )
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.potential = Var(shape=shape, init=0)
        self.potential_shift = _spread(neuron.potential_shift, shape)
        self.current_shift = _spread(neuron.current_shift, shape)
        self.bias = _spread(neuron.bias, shape)
        self.threshold = _spread(threshold, shape)


def _spread(values: np.ndarray, shape: tuple[int, ...]) -> Var:
    return Var(shape=shape, init=np.broadcast_to(values, shape).astype(np.int32))


@implements(proc=QuantizedLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyQuantizedLIFModel(PyLoihiProcessModel):
    """Fixed-point model of QuantizedLIF: int32 arithmetic, a stored potential of at most 16 bits."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    potential: np.ndarray = LavaPyType(np.ndarray, np.int16)
    potential_shift: np.ndarray = LavaPyType(np.ndarray, np.int32)
    current_shift: np.ndarray = LavaPyType(np.ndarray, np.int32)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32)
    threshold: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def run_spk(self) -> None:
        constants = self.proc_params
        leak = constants["leak"]
        if (self.time_step - 1 - constants["depth"]) % constants["timesteps"] == 0:
            self.potential[:] = 0
        reached = (self.potential.astype(np.int32) << self.potential_shift) + self.bias
        reached += self.a_in.recv().astype(np.int32) << self.current_shift
        fired = reached >= self.threshold
        self.s_out.send(fired.astype(np.int32))
        left = np.where(fired, 0 if constants["hard"] else reached - self.threshold, reached)
        total = self.potential_shift + leak
        leaked = ((2**leak - 1) * left + (1 << (total - 1))) >> total
        self.potential[:] = leaked.clip(*constants["stored_range"])
