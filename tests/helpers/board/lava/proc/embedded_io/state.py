"""A stand-in, in simulation, for the reader of a chip's state: what it reads after a time step it sends in the next."""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort, RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class Read(AbstractProcess):
    """Reads a Var at each time step."""

    def __init__(self, shape: tuple[int, ...], interval: int, offset: int) -> None:
        assert (interval, offset) == (1, 0)
        super().__init__(shape=shape)
        self.state, self.out = RefPort(shape), OutPort(shape=shape)

    def connect_var(self, var: Var) -> None:
        """Say which one."""
        self.state.connect_var(var)


@implements(proc=Read, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyReadModel(PyLoihiProcessModel):
    """Model of Read."""

    state: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)
    out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self.held = np.zeros(proc_params["shape"], np.int32)

    def run_spk(self) -> None:
        self.out.send(self.held)

    def post_guard(self) -> bool:
        return True

    def run_post_mgmt(self) -> None:
        self.held = self.state.read()
