"""Encodings: integers from 0 to 2^b - 1, with or without a time axis, to T time steps of a network's input.

Each is a named pure function; a configuration selects it by `data.encoding`, and the file of a network records it.
Still samples (images, features) become time steps by `levels`, `bits`, `rate` or `latency`; signals, which have a time
axis of their own, by `levels`, `delta` or `crossings`.

    x = encode("latency", values, timesteps=8, bits=4)  # integers (N, C, [H, W]) to (N, C, [H, W,] 8)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.checked import unknown_choice
from lava_qsnn.errors import ConfigurationError, InputError

Integers = NDArray[np.uint8]

#: Values, T, and bits of a value, to the time steps: (N, *shape[, T]) to (N, *encoded shape, T).
Function = Callable[[Integers, int, int], Integers]


def levels(values: Integers, timesteps: int, bits: int) -> Integers:
    """The values as they are: of still samples at every time step, a view that repeats them; of signals, themselves."""
    return values


def intensity_bits(values: Integers, timesteps: int, bits: int) -> Integers:
    """The bits of a value, one a time step, the least significant one first; after the last one, the first again.

    With the lowest first, a memory-free neuron with taps in powers of two and a history of b steps sees the value
    itself in the word of time step b - 1. In weighted spikes (Kim et al., "Deep neural networks with weighted spikes",
    Neurocomputing 311, 2018), phases repeat as here, with the highest first.
    """
    phases = (np.arange(timesteps) % bits).astype(np.uint8)
    return (values[..., None] >> phases) & np.uint8(1)


def rate(values: Integers, timesteps: int, bits: int) -> Integers:
    """Spikes as many as the value asks for, round(T v / (2^b - 1)), at distances that are as even as can be.

    The spikes are not drawn at random, so that a sample is the same in every run and on every backend: one comes in
    each time step in which t n / T passes an integer.
    """
    most = 2**bits - 1
    # Twice the numbers, so that halves are rounded up in integers.
    count = (2 * values.astype(np.int64) * timesteps + most) // (2 * most)
    passed = count[..., None] * np.arange(timesteps + 1) // timesteps
    return np.diff(passed, axis=-1).astype(np.uint8)


def latency(values: Integers, timesteps: int, bits: int) -> Integers:
    """One spike a value, the earlier the larger: the largest at the first time step, 1 near the last, 0 never.

    The spike of v comes at round((T - 1) (1 - v / (2^b - 1))) (after Thorpe, "Spike arrival times: a highly efficient
    coding scheme for neural networks", 1990; linear in v, as in snnTorch's `spikegen.latency(linear=True)`).
    """
    most = 2**bits - 1
    time = (2 * (most - values.astype(np.int64)) * (timesteps - 1) + most) // (2 * most)
    spikes = (time[..., None] == np.arange(timesteps)) & (values[..., None] > 0)
    return spikes.astype(np.uint8)


def delta(values: Integers, timesteps: int, bits: int) -> Integers:
    """Delta modulation: a value that is tracked from 0 on follows the signal by at most one level each time step.

    A step up is a spike in a channel of its own, and a step down one in another. Spikes summed over time are the
    tracked value, so that slow signals lose nothing, and fast ones are followed late.

    Returns:
        Zeros and ones (N, 2 C, .., T): the rises of all channels, then the falls.
    """
    tracked = np.zeros(values.shape[:-1], np.int16)
    steps = np.empty(values.shape, np.int8)
    for t in range(values.shape[-1]):
        steps[..., t] = np.sign(values[..., t] - tracked)
        tracked += steps[..., t]
    return _polarities(steps)


def crossings(values: Integers, timesteps: int, bits: int) -> Integers:
    """Level crossing: a spike where the signal has risen past a level since the time step before, or fallen.

    Before the first time step it is 0. However many levels are crossed at once, it is one spike, as event sensors have
    it; what the signal is, is then not the sum of the spikes.

    Returns:
        Zeros and ones (N, 2 C, .., T): the rises of all channels, then the falls.
    """
    return _polarities(np.diff(values.astype(np.int16), axis=-1, prepend=0))


def _polarities(change: NDArray[np.signedinteger[Any]]) -> Integers:
    """Positive and negative changes (N, C, ..) as zeros and ones (N, 2 C, ..)."""
    return np.concatenate([change > 0, change < 0], axis=1).astype(np.uint8)


@dataclass(frozen=True)
class Encoding:
    """A named method to make time steps of values.

    Args:
        function: the method.
        still: takes samples without a time axis.
        signals: takes samples with one.
        spikes: puts out zeros and ones; otherwise integers of as many bits as the values have.
        channels: of the output for each channel of the values.
    """

    function: Function
    still: bool = True
    signals: bool = False
    spikes: bool = True
    channels: int = 1


#: The table of encodings. A new one is one more row, and its name in `lava_qsnn.train.config.Data.encoding`.
ENCODINGS: dict[str, Encoding] = {
    "levels": Encoding(levels, signals=True, spikes=False),
    "bits": Encoding(intensity_bits),
    "rate": Encoding(rate),
    "latency": Encoding(latency),
    "delta": Encoding(delta, still=False, signals=True, channels=2),
    "crossings": Encoding(crossings, still=False, signals=True, channels=2),
}


def names(still: bool) -> tuple[str, ...]:
    """The encodings of still samples, or of signals."""
    return tuple(name for name, each in ENCODINGS.items() if (each.still if still else each.signals))


def encode(name: str, values: Any, timesteps: int, bits: int, still: bool = True) -> Integers:
    """Time steps of values by a named encoding.

    Args:
        name: a key of ENCODINGS.
        values: integers from 0 to 2^bits - 1, (N, C, [H, W]) of still samples, or signals (N, C, [H, W,] T).
        timesteps: T, of still samples; signals have their own, and it must be this one.
        bits: b of a value, 1 to 8.
        still: the values have no time axis.

    Returns:
        uint8 (N, C', [H, W,] T), C' = C, or 2 C of encodings with two polarities; of `levels` a view of the values.

    Raises:
        ConfigurationError: there is no such encoding, or it does not take such samples.
        InputError: the values are not such integers.
    """
    check(name, timesteps, bits, still)
    found = np.asarray(values)
    if found.dtype.kind not in "iub" or (found.size and not 0 <= int(found.min()) <= int(found.max()) < 2**bits):
        raise InputError(f"the values must be integers from 0 to {2**bits - 1}", remedy="scale and round them first")
    if not still and found.shape[-1:] != (timesteps,):
        raise InputError(
            f"signals of shape {found.shape} do not have {timesteps} time steps", remedy="T is the last axis"
        )
    encoded = ENCODINGS[name].function(found.astype(np.uint8), timesteps, bits)
    return (
        encoded if encoded.ndim == found.ndim + still else np.broadcast_to(found[..., None], (*found.shape, timesteps))
    )


def check(name: str, timesteps: int, bits: int, still: bool) -> None:
    """Raise ConfigurationError unless an encoding exists, and takes values of so many bits and time steps."""
    if name not in ENCODINGS:
        raise unknown_choice("data.encoding", name, ENCODINGS)
    if name not in names(still):
        kind = "samples without a time axis" if still else "signals, which have a time axis of their own,"
        raise ConfigurationError(
            f"data.encoding is '{name}', which does not take {kind}",
            remedy=f"choose one of {', '.join(names(still))}",
        )
    if name == "bits" and timesteps < bits:
        raise ConfigurationError(
            f"data.encoding is 'bits', and {timesteps} time steps do not hold the {bits} bits of a value",
            remedy=f"set data.timesteps to {bits} or more, or data.input_bits to {timesteps} or less",
        )
