"""A deployed network as one Lava process: all its layers computed by one model.

`NetworkProcess` on the run configuration `fused()` is for larger Lava programs, with one frame per time step. `Fused`
takes messages of time steps, whole samples or many, as they come.
"""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.async_protocol import AsyncProtocol

from lava_qsnn import integer
from lava_qsnn.engines.layerwise import NetworkEngine, one_thread
from lava_qsnn.engines.message_format import Messages
from lava_qsnn.process.messages.answering import PyAnsweringModel


class Fused(AbstractProcess):
    """A whole network that answers messages; run it with `asynchronous()`.

    Args:
        network: the deployed network.
        messages: that it receives and sends.
        stores: for some layers, by name, a `shared_array` (samples, timesteps, *shape) that takes their outputs.

    Ports: `inp` and `out`, with pipes from and to the parent; messages as engines.message_format says, uint8.
    """

    def __init__(
        self, network: integer.IntegerNetwork, messages: Messages, stores: dict[str, np.ndarray] | None = None
    ) -> None:
        super().__init__(network=network, messages=messages, stores=stores or {})
        self.inp = InPort(shape=(messages.about(network, [integer.INPUT]).size,))
        self.out = OutPort(shape=(messages.about(network, [network.output.name]).size,))
        self.inp.flag_external_pipe(messages.slots)
        self.out.flag_external_pipe(messages.slots)


@implements(proc=Fused, protocol=AsyncProtocol)
@requires(CPU)
@tag("asynchronous")
class PyFusedModel(PyAnsweringModel):
    """Asynchronous model of Fused."""

    inp: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.uint8)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        one_thread()
        network, messages = proc_params["network"], proc_params["messages"]
        self.engine = NetworkEngine(network)
        self.formats = {"inp": messages.about(network, [integer.INPUT])}
        self.format = messages.about(network, [network.output.name])

    def compute(self, frames: list[dict[str, np.ndarray]], step: int) -> dict[str, np.ndarray]:
        outputs = self.engine(frames[0][integer.INPUT], step == 0)
        self.store(outputs, step)
        return outputs
