"""A deployed network as one Lava process: all its layers computed by one model.

`Network` on the run configuration `fused()` is for larger Lava programs, with one frame per time step. `Fused` takes
messages of time steps, whole samples or many, as they come.
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
from lava_qsnn.engines.message_format import bundle
from lava_qsnn.process.messages.answering import PyAnsweringModel


class Fused(AbstractProcess):
    """A whole network that answers messages; run it with `asynchronous()`.

    Args:
        network: the deployed network.
        batch: samples per message, at most.
        steps: time steps per message.
        stores: for some layers, by name, a `shared_array` (samples, timesteps, *shape) that takes their outputs.
        slots: messages that a channel from or to the parent holds.

    Ports: `inp` and `out`, with pipes from and to the parent; messages as engines.message_format says, uint8.
    """

    def __init__(
        self,
        network: integer.IntegerNetwork,
        batch: int,
        steps: int,
        stores: dict[str, np.ndarray] | None = None,
        slots: int = 8,
    ) -> None:
        super().__init__(network=network, batch=batch, steps=steps, stores=stores or {})
        self.inp = InPort(shape=(bundle(network, [integer.INPUT], batch, steps).size,))
        self.out = OutPort(shape=(bundle(network, [network.output.name], batch, steps).size,))
        self.inp.flag_external_pipe(slots)
        self.out.flag_external_pipe(slots)


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
        network, shape = proc_params["network"], (proc_params["batch"], proc_params["steps"])
        self.engine = NetworkEngine(network)
        self.formats = {"inp": bundle(network, [integer.INPUT], *shape)}
        self.format = bundle(network, [network.output.name], *shape)
        self.stored = 0

    def compute(self, frames: list[dict[str, np.ndarray]], step: int) -> dict[str, np.ndarray]:
        fed = frames[0][integer.INPUT]
        outputs = self.engine(fed, step == 0)
        self._store(outputs, step, len(fed))
        return outputs

    def _store(self, outputs: dict[str, np.ndarray], step: int, samples: int) -> None:
        steps = self.proc_params["steps"]
        for name, store in self.proc_params["stores"].items():
            store[self.stored : self.stored + samples, step : step + steps] = outputs[name]
        if step + steps == next((store.shape[1] for store in self.proc_params["stores"].values()), 0):
            self.stored += samples
