"""Stand-ins, in simulation, for the adapters between a host and a chip: each passes on a time step later.

That is what is assumed of the real ones, and what lava-dl's PilotNet notebook counts; nobody here has them.
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


class PyToNxAdapter(AbstractProcess):
    """From the host to the chip, flat."""

    def __init__(self, shape: tuple[int, ...], num_message_bits: int) -> None:
        assert len(shape) == 1
        super().__init__(shape=shape, num_message_bits=num_message_bits)
        self.inp, self.out = InPort(shape=shape), OutPort(shape=shape)


class PyToN3ConvAdapter(AbstractProcess):
    """From the host to the chip, for the layout of convolutions."""

    def __init__(self, shape: tuple[int, ...], num_message_bits: int) -> None:
        assert len(shape) == 3
        super().__init__(shape=shape, num_message_bits=num_message_bits)
        self.inp, self.out = InPort(shape=shape), OutPort(shape=shape)


class NxToPyAdapter(AbstractProcess):
    """From the chip to the host."""

    def __init__(self, shape: tuple[int, ...], num_message_bits: int) -> None:
        super().__init__(shape=shape, num_message_bits=num_message_bits)
        self.inp, self.out = InPort(shape=shape), OutPort(shape=shape)


class _Late(PyLoihiProcessModel):
    inp: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self.held = np.zeros(proc_params["shape"], np.int32)

    def run_spk(self) -> None:
        self.out.send(self.held)
        self.held = self.inp.recv()


@implements(proc=PyToNxAdapter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyToNxModel(_Late):
    """Model of PyToNxAdapter."""


@implements(proc=PyToN3ConvAdapter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyToN3ConvModel(_Late):
    """Model of PyToN3ConvAdapter."""


@implements(proc=NxToPyAdapter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class NxToPyModel(_Late):
    """Model of NxToPyAdapter."""
