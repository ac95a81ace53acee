"""Lava's own synapses on integers: Dense and Conv with their fixed-point models, and with no others.

Lava's processes have models of floating point, too, which take weights in another sense and which a run configuration
without a tag would choose. Where there is one model, every run configuration means it.
"""

from functools import singledispatch

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


@singledispatch
def synapse(of: integer.Synapse, source: integer.Shape, timesteps: int, depth: int) -> AbstractProcess:
    """The process of a deployed synapse: by the row of its kind, or else one that computes by its own form.

    Args:
        of: the synapse.
        source: (C,) or (C, H, W), the shape of its source.
        timesteps: T, steps per sample.
        depth: synapses between the network's input and this one.
    """
    return Synapses(lava_shape(source), lava_shape(of.output_shape(source)), of, timesteps, depth)


@synapse.register
def _(of: integer.OneToOne, source: integer.Shape, timesteps: int, depth: int) -> AbstractProcess:
    return OneToOne(lava_shape(source), of.weight)


@synapse.register
def _(of: integer.Dense, source: integer.Shape, timesteps: int, depth: int) -> AbstractProcess:
    return IntegerDense(of.weight)


@synapse.register
def _(of: integer.Conv, source: integer.Shape, timesteps: int, depth: int) -> AbstractProcess:
    return IntegerConv(of, source)


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
