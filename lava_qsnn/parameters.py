"""The parameters of the neurons that are trained: a frozen dataclass for each kind, with its ranges and choices.

Constructors of neurons and blocks (`neuron_params`), configurations (`model.neuron`) and the documentation all read
these. The module needs no torch, so that a command line can check its arguments at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from lava_qsnn.checked import Checked, bounded, chosen
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.integer import LEAKS, MAXIMUM_HISTORY, MAXIMUM_TAP_BITS, POTENTIAL_BITS

Surrogate = Literal["triangle", "fast_sigmoid", "arctan", "exponential"]
TapFamily = Literal["shift", "geometric", "learned"]
Reset = Literal["hard", "soft"]

#: A norm by name, True for "batch", False or None for none; or a class, or another callable, that makes a module.
NormChoice = Literal["auto", "batch"] | bool | Callable[[], Any] | None

#: What may be left of a stored potential after a step: 1 - 1/2^k, which integers compute exactly.
DECAYS = tuple(1 - 0.5**leak for leak in LEAKS)

#: Thresholds beyond this are no neuron's.
LARGEST_THRESHOLD = 1e12


@dataclass(frozen=True)
class Firing(Checked):
    """The parameter of every neuron that spikes.

    Args:
        threshold: in units of the normalized potential.
    """

    threshold: float = bounded(..., -LARGEST_THRESHOLD, LARGEST_THRESHOLD)


@dataclass(frozen=True)
class Spiking(Firing):
    """The parameters that all neurons that spike share; `family` is the name of their blocks' module.

    Args:
        threshold: in units of the normalized potential.
        surrogate: name of the surrogate gradient, see lava_qsnn.surrogate.
        tau_grad: its width, in units of the normalized potential.
        scale_grad: its height.
        norm: None; "batch" (or True, or one of torch's batch norm classes); or a callable that makes a module, such as
            slayer's norms. "auto" is "batch" where the number of channels is known, as in most blocks, and else None.
    """

    family: ClassVar[str]

    surrogate: Surrogate = "triangle"
    tau_grad: float = bounded(1.0, 1e-6, 1e6)
    scale_grad: float = bounded(1.0, 1e-6, 1e6)
    norm: NormChoice = "auto"


@dataclass(frozen=True)
class Taps(Checked):
    """The weights of the last K time steps, integers when deployed.

    Args:
        history: K, time steps that take part. K >= T forgets nothing.
        taps: "shift", powers of two, L_k = 2^(K-1-k), a decay of one half; "geometric", round((2^b - 1) decay^k)
            without the taps that round to 0; "learned", K integers from 1 to 2^b - 1 with a straight-through gradient,
            which start as the geometric ones.
        decay: ratio of successive taps, of the geometric family, and of the learned one at the start.
        tap_bits: b, the bits of a geometric or learned tap.
    """

    history: int = bounded(4, 1, MAXIMUM_HISTORY)
    taps: TapFamily = "shift"
    decay: float = bounded(0.9, 0, 1, open_low=True)
    tap_bits: int = bounded(4, 1, MAXIMUM_TAP_BITS)


@dataclass(frozen=True)
class Readout(Taps):
    """The parameters of a readout, which does not spike: taps, of one time step by default."""

    history: int = bounded(1, 1, MAXIMUM_HISTORY)


@dataclass(frozen=True)
class MemoryFree(Spiking, Taps, Firing):
    """The parameters of the memory-free neuron: see Firing, Taps and Spiking.

    Args:
        step_norms: T, for a batch norm of its own, and so thresholds of its own, at each of T time steps; 0 for one of
            all. They are deployed as T integers for each channel, which unmodified NetX has not.
        threshold_spread: how far above `threshold` that of the first of these steps is before training, and below it
            that of the last, in equal steps. Without it, a still image would give the same spikes at each of them.
    """

    family: ClassVar[str] = "memory_free"

    step_norms: int = bounded(0, 0, 1024)
    threshold_spread: float = bounded(0.0, 0.0, LARGEST_THRESHOLD)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step_norms and self.norm not in ("auto", "batch", True):
            raise ConfigurationError("step_norms are batch norms", remedy='leave norm as "auto"')
        if self.threshold_spread and not self.step_norms:
            raise ConfigurationError("threshold_spread is for step_norms", remedy="set step_norms to the time steps")


@dataclass(frozen=True)
class Leaky(Checked):
    """The parameters of a potential that leaks.

    Args:
        decay: what is left of a potential after a step, 1 - 1/2^k.
        reset: what a spike does to the potential: "hard" sets it to 0, "soft" subtracts the threshold.
    """

    decay: float = chosen(0.5, DECAYS)
    reset: Reset = "hard"


@dataclass(frozen=True)
class LIF(Spiking, Leaky, Firing):
    """The parameters of the leaky integrate-and-fire neuron at full precision: see Leaky and Spiking.

    Args:
        threshold: in units of the normalized potential, positive.
    """

    family: ClassVar[str] = "lif"

    threshold: float = bounded(..., 0, LARGEST_THRESHOLD, open_low=True)


@dataclass(frozen=True)
class Stored(Checked):
    """The parameter of a potential that is stored in few bits.

    Args:
        potential_bits: b.
    """

    potential_bits: int = bounded(4, POTENTIAL_BITS[0], POTENTIAL_BITS[-1])


@dataclass(frozen=True)
class QuantizedLIF(Spiking, Leaky, Stored, Firing):
    """The parameters of the leaky integrate-and-fire neuron with a potential of few bits: see Leaky and Spiking.

    Args:
        threshold: in units of the normalized potential, positive.
        potential_bits: b, the bits of the stored potential.
        potential_range: how many thresholds the stored potential reaches at least, to either side; the wider, the
            coarser its steps. None for 2 with up to 4 bits and 8 with more, which did best on spoken digits.
    """

    family: ClassVar[str] = "quantized_lif"

    threshold: float = bounded(..., 0, LARGEST_THRESHOLD, open_low=True)
    potential_range: int | None = bounded(None, 1, 64)

    @property
    def reached(self) -> int:
        """The number of thresholds that the stored potential reaches at least."""
        return self.potential_range or (2 if self.potential_bits <= 4 else 8)


@dataclass(frozen=True)
class TanhLIF(Spiking, Leaky, Firing):
    """The parameters of the neuron whose potential tanh bounds and the batch's largest one scales: see Leaky, Spiking.

    Args:
        threshold: in units of the potential, above 0 and below 1, which tanh never reaches.
        potential_bits: b, the bits of the quantized potential; None for full precision.
    """

    family: ClassVar[str] = "tanh_lif"

    threshold: float = bounded(..., 0, 1, open_low=True, open_high=True)
    potential_bits: int | None = bounded(4, POTENTIAL_BITS[0], POTENTIAL_BITS[-1])


#: The kinds by the names of their families, as `model.neuron.family` in a configuration has them.
FAMILIES: dict[str, type[Spiking]] = {kind.family: kind for kind in (MemoryFree, QuantizedLIF, LIF, TanhLIF)}
