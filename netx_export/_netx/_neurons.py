"""The neurons of a stock layer: which kind NetX makes of them, with which numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import CUBA, RF, RFIzhikevich, Shape, SigmaDelta
from lava_qsnn.integer.stock import netx_coefficients
from netx_export._netx._group import Group
from netx_export._netx._reading import Reading

Integers = NDArray[np.int64]

#: Decays are in units of 1/4096; thresholds, shifted by 6 bits, keep within int32.
DECAYS = (0, 4096)
THRESHOLDS = (-(2**25), 2**25 - 1)

#: Sines and cosines, times a factor that lets an oscillation fade, likewise in units of 1/4096.
COEFFICIENTS = (-4096, 4096)

#: The threshold that NetX gives neurons of a layer without any.
NO_THRESHOLD = 1 << 17

#: Bits of CUBA's bias.
BIAS_BITS = 16

#: Message bits that NetX gives what a kind of neuron sends.
SPIKE_BITS, SIGMA_DELTA_BITS = 0, 16

#: From here on a threshold is meant never to be reached, and the answer is the voltage.
READ_OUT_THRESHOLD = 2**16

#: What NetX never reads: the check that tells it, what it would have meant, and the value that means nothing.
DROPPED = {
    "refDelay": ("refractory_delay_dropped", "refractory delays", 1),
    "wgtExp": ("weight_exponent_dropped", "the weights' exponent", 0),
    "weight_exp": ("weight_exponent_dropped", "the exponent of the batch norm", 0),
}


def kind_of(group: Group) -> str:
    """The kind that NetX makes: "cuba", "sdnn", "rf", or "rf_iz"."""
    named = group.text("neuron/type")
    if named in ("LOIHI", "CUBA"):
        return "cuba"
    if named == "SDNN":
        return "sdnn"
    if "RF" in named:
        return "rf" if "PHASE" in named else "rf_iz"
    raise group.refusal(f"NetX has no neuron '{named}'", remedy="it reads CUBA, LOIHI, SDNN, RF, RF_IZ and RF_PHASE")


def message_bits(group: Group, kind: str) -> int:
    """The message bits of what the neurons send; a file that names its own ends NetX, where it looks at them."""
    if "neuron/messageBits" in group:
        if not kind.startswith("rf"):
            raise group.refusal("it has 'neuron/messageBits', with which NetX ends", remedy="delete it from the file")
        group.note("message_bits_dropped", "NetX passes over its messageBits")
    return SIGMA_DELTA_BITS if kind == "sdnn" else SPIKE_BITS


def cuba(group: Group, shape: Shape, biased: bool = True) -> CUBA:
    """CUBA neurons for a population (C,) or (C, H, W); of a layer without neurons, those that only integrate."""
    biases = bias(group, shape, BIAS_BITS) if biased else np.zeros(shape[0], np.int64)
    if "neuron" not in group:
        zero = np.zeros(shape[0], np.int64)
        return CUBA(zero, zero + DECAYS[1], zero + NO_THRESHOLD, biases)
    neuron = group.below("neuron")
    for name, (check, meant, nothing) in DROPPED.items():
        if name in neuron and (neuron.array(name) != nothing).any():
            group.note(check, f"NetX passes over {meant} ({name})")
    decay, fall = (placed(neuron, name, shape, *DECAYS) for name in ("iDecay", "vDecay"))
    return CUBA(decay, fall, placed(neuron, "vThMant", shape, *THRESHOLDS), biases)


def sigma_delta(group: Group, shape: Shape, reading: Reading, is_input: bool = False) -> SigmaDelta:
    """Sigma-delta neurons for a population; the encoder "delta" of an input block."""
    exponent = reading.spike_exp
    form = "delta" if is_input else "sigma" if "neuron/sigma_output" in group else "sigma_delta"
    limit = (2**31 - 1) >> (exponent + 6)
    zero = np.zeros(shape[0], np.int64)
    threshold = zero if form == "sigma" else zero + _single(group.below("neuron"), "vThMant", -limit, limit)
    if form == "sigma" and "bias" in group:
        raise group.refusal("it has a bias and 'sigma_output', with which NetX ends", remedy="leave one of them out")
    biases = bias(group, shape, 32 - exponent - 6) if form == "sigma_delta" else zero
    return SigmaDelta(threshold, biases, form, exponent, reading.rule)


def resonate(group: Group, shape: Shape, kind: str) -> RF:
    """Resonate-and-fire neurons for a population, with the coefficients that Lava makes of those in the file."""
    neuron = group.below("neuron")
    if "ADRF" in neuron.text("type"):
        group.note("adaptation_dropped", "NetX passes over the adaptation of ADRF and runs it as RF")
    given = (in_place(group, name, neuron.reals(name, *COEFFICIENTS), shape) for name in ("sinDecay", "cosDecay"))
    found = netx_coefficients(*given)
    if found is None:
        raise group.refusal("its sinDecay and cosDecay make no number", remedy="give it a decay and a period")
    made = RFIzhikevich if kind == "rf_iz" else RF
    return made(*found, np.full(shape[0], _single(neuron, "vThMant", *THRESHOLDS)))


def bias(group: Group, shape: Shape, bits: int) -> Integers:
    """The bias of each channel or neuron, in our order; 0 if there is none. CUBA's wrap to 16 bits, as Lava's do."""
    if "bias" not in group:
        return np.zeros(shape[0], np.int64)
    values = group.truncated("bias")
    half = 1 << (bits - 1)
    if int(values.min()) < -half or int(values.max()) >= half:
        if bits != BIAS_BITS:
            raise group.refusal(f"its bias leaves {bits} bits, which Lava would wrap", remedy="use smaller biases")
        group.note("bias_wraps", f"its biases from {values.min():,} to {values.max():,} wrap to 16 bits in Lava")
        values = ((values + half) & (2 * half - 1)) - half
    if len(shape) == 3 and (values.ndim == 0 or values.shape == (1,) != shape[:1]):
        raise group.refusal(f"its bias of shape {values.shape} is none that NetX can spread over {shape}")
    return in_place(group, "bias", values, shape)


def placed(group: Group, name: str, shape: Shape, low: int, high: int) -> Integers:
    """A parameter of each channel or neuron of a population, from `low` to `high`."""
    return in_place(group, name, group.numbers(name, low, high), shape)


def in_place(group: Group, name: str, values: NDArray[Any], shape: Shape) -> NDArray[Any]:
    """Numbers for all, for each channel, or for each neuron, in NetX's order W H C, as arrays (C,) or (C, H, W)."""
    if values.size == 1 and values.ndim <= 1:
        return np.full(shape[0], values)
    if values.shape == shape[:1]:
        return values
    if len(shape) == 3 and values.shape == shape[::-1]:
        return np.ascontiguousarray(values.transpose())
    raise group.refusal(
        f"its '{name}' of shape {values.shape} does not fit neurons of shape {shape}",
        remedy="give one for all, one for each channel, or one for each neuron, in the order W H C",
    )


def _single(group: Group, name: str, low: int, high: int) -> int:
    """A number that NetX takes one of for all neurons."""
    values = group.numbers(name, low, high)
    if values.size > 1:
        raise group.refusal(f"its '{name}' are {values.size:,} numbers, and NetX takes one", remedy="give one for all")
    return int(values.ravel()[0])
