"""Taps: the integer weights of the last K time steps in a trace."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lava_qsnn.errors import ConfigurationError

#: Time steps of the longest history, bits of the widest tap.
MAXIMUM_HISTORY, MAXIMUM_TAP_BITS = 64, 8


def check_history(history: int) -> int:
    """Return `history` (K, time steps) if it is an integer from 1 to 64; raise ConfigurationError otherwise."""
    if isinstance(history, bool) or not isinstance(history, int) or not 1 <= history <= MAXIMUM_HISTORY:
        raise ConfigurationError(
            f"history must be an integer from 1 to {MAXIMUM_HISTORY} time steps, not {history!r}",
            remedy="choose K in that range; taps of steps before the first are never used",
        )
    return history


def shift_taps(history: int) -> tuple[int, ...]:
    """Powers of two, L_k = 2^(K-1-k): the trace is the shift register of the last K spikes itself."""
    return tuple(2 ** (check_history(history) - 1 - k) for k in range(history))


def geometric_taps(history: int, decay: float, bits: int) -> tuple[int, ...]:
    """A geometric decay in few-bit integers, L_k = round((2^bits - 1) decay^k), without the taps that round to 0.

    Args:
        history: K, 1 to 64 time steps; fewer taps come back where the decay reaches 0 before.
        decay: ratio of successive taps before rounding, in (0, 1].
        bits: width of a tap, 1 to 8.
    """
    check_history(history)
    check_tap_bits(bits)
    if not 0.0 < decay <= 1.0:
        raise ConfigurationError(f"decay must be in (0, 1], not {decay!r}", remedy="0.9 is a usual value")
    full = tap_scale("geometric", history, bits) - 1
    taps = (math.floor(full * decay**k + 0.5) for k in range(history))
    return tuple(tap for tap in taps if tap > 0)


def check_tap_bits(bits: int) -> int:
    """Return `bits` if it is an integer from 1 to 8; raise ConfigurationError otherwise."""
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= MAXIMUM_TAP_BITS:
        raise ConfigurationError(
            f"tap_bits must be an integer from 1 to {MAXIMUM_TAP_BITS}, not {bits!r}", remedy="4 is the default"
        )
    return bits


def tap_scale(family: str, history: int, bits: int) -> int:
    """The power of two by which training divides the integer taps of a family, so that the first is near 1."""
    return 2 ** (history - 1) if family == "shift" else 2**bits


def reduce_taps(taps: Sequence[int], timesteps: int) -> tuple[tuple[int, ...], int]:
    """Drop the taps that T time steps can never reach and divide the others by their greatest common divisor.

    Args:
        taps: positive integers, tap 0 for the present step.
        timesteps: T >= 1.

    Returns:
        The reduced taps and the divisor g. On T steps, potentials by the given taps are exactly g times those by
        the reduced ones, so a threshold divides by g and nothing else changes.
    """
    if timesteps < 1:
        raise ConfigurationError(f"timesteps must be at least 1, not {timesteps!r}")
    reached = tuple(int(tap) for tap in taps[:timesteps])
    divisor = math.gcd(*reached)
    return tuple(tap // divisor for tap in reached), divisor
