"""Lava's own synapses on integers: Dense and Conv with their fixed-point models, and with no others.

Lava's processes have models of floating point, too, which take weights in another sense and which a run configuration
without a tag would choose. Where there is one model, every run configuration means it.
"""

from functools import singledispatch
from typing import NamedTuple

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.conv import utils
from lava.proc.conv.models import AbstractPyConvModel
from lava.proc.conv.process import Conv as LavaConv
from lava.proc.dense.models import AbstractPyDenseModelBitAcc
from lava.proc.dense.process import Dense as LavaDense
from lava.utils.weightutils import SignMode

from lava_qsnn import integer
from lava_qsnn.integer.layouts import lava_shape
from lava_qsnn.process.loihi.memory_free import OneToOne
from lava_qsnn.process.loihi.resting import RestingDelayDense, RestingDense
from lava_qsnn.process.loihi.stepping import Synapses

#: Messages are integers, which Lava's synapses take as graded spikes of this many bits.
MESSAGE_BITS = 24


class IntegerDense(LavaDense):
    """Lava's Dense of integer weights (out, in), -127 to 127.

    Lava truncates the lowest bit of mixed-sign weights: doubled weights and an exponent of -1 keep it.
    """

    def __init__(self, weight: np.ndarray) -> None:
        super().__init__(
            weights=weight.astype(np.int32) << 1,
            weight_exp=-1,
            num_weight_bits=8,
            sign_mode=SignMode.MIXED,
            num_message_bits=MESSAGE_BITS,
        )


class IntegerConv(LavaConv):
    """Lava's Conv, which flips kernels, and whose axes are W H C: a deployed convolution of a source (C, H, W)."""

    def __init__(self, conv: integer.Conv, source: integer.Shape) -> None:
        super().__init__(
            weight=conv.weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1),
            input_shape=lava_shape(source),
            stride=conv.stride[::-1],
            padding=conv.padding[::-1],
            dilation=conv.dilation[::-1],
            groups=conv.groups,
            num_message_bits=MESSAGE_BITS,
        )


class Path(NamedTuple):
    """The things that a process of synapses must know besides their kind.

    `source`, (C,) or (C, H, W), the shape of what comes in; `timesteps` per sample; `depth` in synapses between the
    network's input and what comes in; `shift` of sums; `is_own` if it comes from the neurons that are fed, and `is_raw`
    if these take what Lava's synapses make of sums that leave their range.
    """

    source: integer.Shape
    timesteps: int
    depth: int
    shift: int = 0
    is_own: bool = False
    is_raw: bool = False


@singledispatch
def synapse(of: integer.Synapse, path: Path) -> AbstractProcess:
    """The process of a deployed synapse: by the row of its kind, or else one that computes by its own form."""
    target = of.output_shape(path.source)
    return Synapses(lava_shape(path.source), lava_shape(target), of, path.timesteps, path.depth)


@synapse.register
def _(of: integer.OneToOne, path: Path) -> AbstractProcess:
    return OneToOne(lava_shape(path.source), of.weight)


@synapse.register
def _(of: integer.Dense, path: Path) -> AbstractProcess:
    if path.is_raw:
        return RestingDense(of.weight, path.shift, path.timesteps, path.depth if path.is_own else None)
    return IntegerDense(of.weight)


@synapse.register
def _(of: integer.DelayedDense, path: Path) -> AbstractProcess:
    if path.is_raw:
        return RestingDelayDense(of, path.timesteps, path.depth, path.is_own)
    target = of.output_shape(path.source)
    return Synapses(lava_shape(path.source), lava_shape(target), of, path.timesteps, path.depth)


@synapse.register
def _(of: integer.Conv, path: Path) -> AbstractProcess:
    return IntegerConv(of, path.source)


@implements(proc=IntegerDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyIntegerDenseModel(AbstractPyDenseModelBitAcc):
    """Fixed-point model of IntegerDense: Lava's."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)


@implements(proc=IntegerConv, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyIntegerConvModel(AbstractPyConvModel):
    """Fixed-point model of IntegerConv: Lava's."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    a_buf: np.ndarray = LavaPyType(np.ndarray, np.int32)
    weight: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def clamp_precision(self, x: np.ndarray) -> np.ndarray:
        return utils.signed_clamp(x, bits=MESSAGE_BITS)
