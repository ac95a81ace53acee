"""Lava's own neurons and synapses, LIF, sigma-delta, resonators, Dense and DelayDense, whose samples begin from rest.

The arithmetic is that of Lava's fixed-point models. What is added is that they forget the sample before: a process at
depth d, counted in synapses, sees the first time step of each sample at steps d + 1, d + 1 + T, ..; see `memory_free`.
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
from lava.proc.dense.models import AbstractPyDenseModelBitAcc, PyDelayDenseModelBitAcc
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.lif.models import PyLifModelBitAcc
from lava.proc.lif.process import LIF
from lava.proc.rf.models import PyRFModelFixed
from lava.proc.rf.process import RF
from lava.proc.rf_iz.models import PyRF_IZModelFixed
from lava.proc.rf_iz.process import RF_IZ
from lava.proc.sdn.models import PyDeltaModelFixed, PySigmaDeltaModelFixed, PySigmaModelFixed
from lava.proc.sdn.process import Delta, Sigma, SigmaDelta
from lava.utils.weightutils import SignMode

from lava_qsnn import integer
from lava_qsnn.integer.layouts import to_lava

#: Bits by which CUBA's biases, and the states of others, lie above the lowest bit; bits of decays.
STATE_EXPONENT, DECAY_BITS = 6, 12

#: With nine bits, of which one is a sign, Lava's Dense truncates no weight from -256 to 255.
WEIGHT_BITS = 9

#: Messages are integers, which Lava's synapses take as graded spikes of this many bits.
MESSAGE_BITS = 24


class RestingLIF(LIF):
    """Lava's LIF with the numbers of CUBA neurons; equations at `lava_qsnn.integer.CUBA`.

    Args:
        shape: of the population, Lava's order, channels last.
        neuron: the neurons.
        timesteps: T, steps per sample.
        depth: synapses between the network's input and this process.

    Ports: `a_in`, `b_in`, which adds to the bias, `s_out`, and `v_out`, the voltage; all of `shape`.
    """

    def __init__(self, shape: tuple[int, ...], neuron: integer.CUBA, timesteps: int, depth: int) -> None:
        super().__init__(
            shape=shape,
            du=to_lava(neuron.current_decay) - 1,
            dv=to_lava(neuron.voltage_decay),
            vth=to_lava(neuron.threshold),
            bias_mant=np.broadcast_to(to_lava(neuron.bias), shape),
            bias_exp=STATE_EXPONENT,
            timesteps=timesteps,
            depth=depth,
        )
        self.b_in = InPort(shape=shape)
        self.v_out = OutPort(shape=shape)


class RestingSigmaDelta(SigmaDelta):
    """Lava's SigmaDelta; equations at `lava_qsnn.integer.SigmaDelta`. Args as RestingLIF's, ports `a_in`, `s_out`."""

    def __init__(self, shape: tuple[int, ...], neuron: integer.SigmaDelta, timesteps: int, depth: int) -> None:
        super().__init__(
            shape=shape,
            vth=int(neuron.threshold.ravel()[0]),
            bias=np.broadcast_to(to_lava(neuron.bias), shape),
            spike_exp=neuron.exponent,
            state_exp=STATE_EXPONENT,
            timesteps=timesteps,
            depth=depth,
        )


class RestingDelta(Delta):
    """Lava's Delta. Args and ports as RestingSigmaDelta's."""

    def __init__(self, shape: tuple[int, ...], neuron: integer.SigmaDelta, timesteps: int, depth: int) -> None:
        threshold = int(neuron.threshold.ravel()[0])
        super().__init__(shape=shape, vth=threshold, spike_exp=neuron.exponent, state_exp=STATE_EXPONENT)
        _tell(self, timesteps, depth)


class RestingSigma(Sigma):
    """Lava's Sigma. Args and ports as RestingSigmaDelta's."""

    def __init__(self, shape: tuple[int, ...], neuron: integer.SigmaDelta, timesteps: int, depth: int) -> None:
        super().__init__(shape=shape)
        _tell(self, timesteps, depth)


class RestingRF(RF):
    """Lava's RF; equations at `lava_qsnn.integer.RF`. Args as RestingLIF's, ports `a_real_in`, `a_imag_in`, `s_out`."""

    def __init__(self, shape: tuple[int, ...], neuron: integer.RF, timesteps: int, depth: int) -> None:
        super().__init__(shape, period=1, alpha=0, state_exp=STATE_EXPONENT, decay_bits=DECAY_BITS)
        _turn(self, neuron)
        _tell(self, timesteps, depth)


class RestingRFIzhikevich(RF_IZ):
    """Lava's RF_IZ. Args and ports as RestingRF's."""

    def __init__(self, shape: tuple[int, ...], neuron: integer.RF, timesteps: int, depth: int) -> None:
        super().__init__(shape, period=1, alpha=0, state_exp=STATE_EXPONENT, decay_bits=DECAY_BITS)
        _turn(self, neuron)
        _tell(self, timesteps, depth)


def _turn(process: RF, neuron: integer.RF) -> None:
    """Give a resonator its coefficients, which Lava's constructor takes as a period and a decay only."""
    process.sin_decay.init, process.cos_decay.init = to_lava(neuron.sine), to_lava(neuron.cosine)
    process.vth.init = np.left_shift(neuron.threshold.ravel()[:1], STATE_EXPONENT)


def _tell(process: AbstractProcess, timesteps: int, depth: int) -> None:
    """Let a model know what Lava's constructor does not pass on."""
    process.proc_params["timesteps"], process.proc_params["depth"] = timesteps, depth


class RestingDense(Dense):
    """Lava's Dense of integer weights, -256 to 255, none of which it truncates; sums are shifted down.

    Args:
        weight: (out, in).
        shift: bits.
        timesteps: T, steps per sample.
        rests_at: the depth at which what is on its way is forgotten before it is sent; None if nothing need be.
    """

    def __init__(self, weight: np.ndarray, shift: int, timesteps: int, rests_at: int | None) -> None:
        super().__init__(
            weights=weight.astype(np.int32),
            weight_exp=-shift,
            num_weight_bits=WEIGHT_BITS,
            sign_mode=SignMode.MIXED,
            num_message_bits=MESSAGE_BITS,
            timesteps=timesteps,
            depth=rests_at,
        )


class RestingDelayDense(DelayDense):
    """Lava's DelayDense of integer weights, -256 to 255, none of which it truncates.

    Args:
        synapse: weights and delays.
        timesteps: T, steps per sample.
        depth: of what comes in; or of the neurons whose own spikes come in.
        is_own: neurons' own spikes come in, of which none of the sample before may come back.
    """

    def __init__(self, synapse: integer.DelayedDense, timesteps: int, depth: int, is_own: bool) -> None:
        super().__init__(
            weights=synapse.weight.astype(np.int32),
            delays=np.broadcast_to(synapse.delays, synapse.weight.shape).astype(int),
            num_weight_bits=WEIGHT_BITS,
            sign_mode=SignMode.MIXED,
            num_message_bits=MESSAGE_BITS,
            timesteps=timesteps,
            depth=depth,
            is_own=is_own,
        )


class _Resting(PyLoihiProcessModel):
    """The common part of models that know when a sample begins. Those of Lava below it may have another process."""

    implements_process = None
    bias_mant: np.ndarray
    real: np.ndarray
    imag: np.ndarray
    a_buff: np.ndarray

    def is_first(self) -> bool:
        depth, timesteps = self.proc_params["depth"], self.proc_params["timesteps"]
        return depth is not None and (self.time_step - 1 - depth) % timesteps == 0


@implements(proc=RestingLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRestingLIFModel(_Resting, PyLifModelBitAcc):
    """Fixed-point model of RestingLIF: Lava's, with a port for its bias and one for its voltage."""

    b_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    v_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self.bias: np.ndarray | None = None

    def run_spk(self) -> None:
        if self.bias is None:
            self.bias = self.bias_mant.astype(np.int32)
        if self.is_first():
            self.u[:], self.v[:] = 0, 0
        self.bias_mant = (self.bias + self.b_in.recv()).astype(np.int16)
        super().run_spk()
        self.v_out.send(self.v)


class _ForgettingSums(_Resting):
    def run_spk(self) -> None:
        if self.is_first():
            for name in ("sigma", "act", "residue"):
                if getattr(self, name, None) is not None:
                    setattr(self, name, np.zeros_like(getattr(self, name)))
        super().run_spk()


@implements(proc=RestingSigmaDelta, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRestingSigmaDeltaModel(_ForgettingSums, PySigmaDeltaModelFixed):
    """Fixed-point model of RestingSigmaDelta: Lava's."""


@implements(proc=RestingDelta, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRestingDeltaModel(_ForgettingSums, PyDeltaModelFixed):
    """Fixed-point model of RestingDelta: Lava's."""


@implements(proc=RestingSigma, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRestingSigmaModel(_ForgettingSums, PySigmaModelFixed):
    """Fixed-point model of RestingSigma: Lava's."""


class _ForgettingTurns(_Resting):
    def run_spk(self) -> None:
        if self.is_first():
            self.real[:], self.imag[:] = 0, 0
        super().run_spk()


@implements(proc=RestingRF, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRestingRFModel(_ForgettingTurns, PyRFModelFixed):
    """Fixed-point model of RestingRF: Lava's."""


@implements(proc=RestingRFIzhikevich, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRestingRFIzhikevichModel(_ForgettingTurns, PyRF_IZModelFixed):
    """Fixed-point model of RestingRFIzhikevich: Lava's."""


@implements(proc=RestingDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRestingDenseModel(_Resting, AbstractPyDenseModelBitAcc):
    """Fixed-point model of RestingDense: Lava's."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        if self.is_first():
            self.a_buff = np.zeros_like(self.a_buff)
        super().run_spk()


@implements(proc=RestingDelayDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRestingDelayDenseModel(_Resting, PyDelayDenseModelBitAcc):
    """Fixed-point model of RestingDelayDense: Lava's. What it sends when a sample's first step comes in is older."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        if self.is_first():
            self.a_buff = self.a_buff.copy()
            self.a_buff[:, 0 if self.proc_params["is_own"] else 1 :] = 0
        super().run_spk()
