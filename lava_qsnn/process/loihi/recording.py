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


#: Vars of another process that one process brings to rest. Lava's models declare their ports one by one.
RESTING = 5


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


class Rest(AbstractProcess):
    """Brings Vars of another process to rest, to zeros, after some time steps; connect `var_0` to `var_4` to them.

    Args:
        shapes: of the Vars, at most 5.
        steps: for each of them a time step at whose end it is brought to rest.
        period: time steps from there to the next, and to that before, were the run so long.
    """

    def __init__(self, shapes: list[tuple[int, ...]], steps: list[int], period: int) -> None:
        super().__init__(shapes=shapes, steps=steps, period=period)
        for index in range(RESTING):
            setattr(self, f"var_{index}", RefPort(shape=shapes[index] if index < len(shapes) else (1,)))


class Drive(AbstractProcess):
    """Writes one frame after the other into a Var of another process, for the time step after, then zeros.

    Args as Feed's; connect `var`.
    """

    def __init__(self, frames: np.ndarray, clock: np.ndarray) -> None:
        super().__init__(frames=frames, clock=clock)
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


@implements(proc=Rest, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRestModel(PyLoihiProcessModel):
    """Fixed-point model of Rest."""

    var_0: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)
    var_1: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)
    var_2: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)
    var_3: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)
    var_4: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)

    def post_guard(self) -> bool:
        return any(map(self.is_due, self.proc_params["steps"]))

    def run_post_mgmt(self) -> None:
        for index, step in enumerate(self.proc_params["steps"]):
            if self.is_due(step):
                write(getattr(self, f"var_{index}"), np.zeros(self.proc_params["shapes"][index], np.int32))

    def is_due(self, step: int) -> bool:
        elapsed = self.time_step - step
        return elapsed >= 0 and elapsed % self.proc_params["period"] == 0


@implements(proc=Drive, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyDriveModel(PyLoihiProcessModel):
    """Fixed-point model of Drive."""

    var: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)

    def post_guard(self) -> bool:
        return True

    def run_post_mgmt(self) -> None:
        frames = self.proc_params["frames"]
        index = self.time_step - 1
        self.proc_params["clock"][0] = self.time_step
        write(self.var, frames[index] if index < len(frames) else np.zeros_like(frames[0]))


def write(port: PyRefPort, values: np.ndarray) -> None:
    """Write a Var, and wait until it is written: the answer to a question comes after what was sent before it."""
    port.write(values)
    port.read()
