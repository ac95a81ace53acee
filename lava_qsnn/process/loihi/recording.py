"""Lava processes that feed a batch into a network and take its answers out, through memory shared with the parent.

Reading a Var of a process costs Lava some 20 microseconds per element. These processes write into an anonymous shared
mapping instead, which children inherit and which leaves nothing behind.
"""

import mmap

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort, RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


def shared_array(shape: tuple[int, ...], dtype: np.dtype | type = np.int32) -> np.ndarray:
    """Zeros in memory that child processes share; freed with the array."""
    count, size = int(np.prod(shape)), np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, max(1, size * count)), dtype, count).reshape(shape)


class Feed(AbstractProcess):
    """Sends one frame per time step, then zeros.

    Args:
        frames: int32 (steps, *shape).
        clock: a `shared_array` (1,) that holds the time step reached, for the parent to watch.

    Port: `s_out`.
    """

    def __init__(self, frames: np.ndarray, clock: np.ndarray) -> None:
        super().__init__(frames=frames, clock=clock)
        self.s_out = OutPort(shape=frames.shape[1:])


class Record(AbstractProcess):
    """Stores what arrives from some time step on.

    Args:
        frames: a `shared_array` (steps, *shape), filled during the run.
        delay: time steps to pass over before the first frame.

    Port: `s_in`.
    """

    def __init__(self, frames: np.ndarray, delay: int) -> None:
        super().__init__(frames=frames, delay=delay)
        self.s_in = InPort(shape=frames.shape[1:])


class Probe(AbstractProcess):
    """Stores a Var of another process after each time step; connect `var` to it. Args as Record's."""

    def __init__(self, frames: np.ndarray, delay: int) -> None:
        super().__init__(frames=frames, delay=delay)
        self.var = RefPort(shape=frames.shape[1:])


class _Store(PyLoihiProcessModel):
    def store(self, frame: np.ndarray) -> None:
        frames = self.proc_params["frames"]
        index = self.time_step - 1 - self.proc_params["delay"]
        if 0 <= index < len(frames):
            frames[index] = frame


@implements(proc=Feed, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyFeedModel(PyLoihiProcessModel):
    """Fixed-point model of Feed."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        frames = self.proc_params["frames"]
        index = self.time_step - 1
        self.proc_params["clock"][0] = self.time_step
        self.s_out.send(frames[index] if index < len(frames) else np.zeros_like(frames[0]))


@implements(proc=Record, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRecordModel(_Store):
    """Fixed-point model of Record."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        self.store(self.s_in.recv())


@implements(proc=Probe, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyProbeModel(_Store):
    """Fixed-point model of Probe."""

    var: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)

    def post_guard(self) -> bool:
        return True

    def run_post_mgmt(self) -> None:
        self.store(self.var.read())
