"""Weights of dense layers as unmodified NetX makes them, bit for bit, and those that make what is wanted.

NetX shifts a layer's weights up until they use 8 bits, 9 with a sign. Lava's fixed-point Dense clips them, cuts off the
bits below `num_weight_bits`, and shifts sums down again: I[t] = floor(sum_j W_ij s_j[t] / 2^k). Mostly this is
the sum that the file means; where no weight is positive it need not be, for then bits are lost. Sources:
`optimize_weight_bits` of lava-dl's `netx/utils.py`, and `clip_weights` and `truncate_weights` of Lava's
`utils/weightutils.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError

Integers = NDArray[np.int64]

#: Bits of a weight's magnitude.
WEIGHT_BITS = 8

#: Weights of both signs are clipped to this range first.
MIXED_RANGE = (-256, 254)


def netx_weights(*parts: NDArray[Any]) -> tuple[list[Integers], int]:
    """The weights W that Lava's Dense multiplies by, and k, the bits by which it shifts sums down.

    Args:
        parts: integers (out, in) of a file, int64; several where a layer has recurrent weights, too, which share k.

    Returns:
        W of each part, and k >= 0.

    Raises:
        DeploymentError: all weights are zero, which NetX cannot read.
    """
    low, high = min(int(part.min()) for part in parts), max(int(part.max()) for part in parts)
    if low == high == 0:
        raise DeploymentError("all its weights are zero, and NetX cannot read that", remedy="leave the layer out")
    if (high > MIXED_RANGE[1] and low < 0) or (low < MIXED_RANGE[0] and high > 0):
        parts = tuple(part.clip(*MIXED_RANGE) for part in parts)
        low, high = max(low, MIXED_RANGE[0]), min(high, MIXED_RANGE[1])
    signed = low < 0 <= high
    shift = _shift(low, high, signed)
    if shift < 0:  # a shift by less than nothing leaves nothing
        return [np.zeros(part.shape, np.int64) for part in parts], 0
    common = min(WEIGHT_BITS, _factors_of_two(parts))
    # num_weight_bits is 8 - shift - (common - signed); what a part's own sign needs is kept or cut in Lava.
    return [_kept(part.astype(np.int64) << shift, shift + common - signed) for part in parts], shift


def _shift(low: int, high: int, signed: bool) -> int:
    """The bits by which NetX shifts weights up; logarithms as it takes them, in float64."""
    scales = [127 / high if high else math.inf, -128 / low] if signed else [-256 / low if high < 0 else 255 / high]
    return int(np.floor(np.log2(min(scales)))) + signed


def _factors_of_two(parts: Sequence[NDArray[Any]]) -> int:
    """The powers of two that divide all weights."""
    together = int(np.bitwise_or.reduce([np.bitwise_or.reduce(part, None) for part in parts]))
    return (together & -together).bit_length() - 1


def _kept(weight: Integers, cut: int) -> Integers:
    """Weights as Lava clips and cuts them, by the signs that it finds itself: `cut` bits, one more of mixed signs."""
    limit = 2**WEIGHT_BITS - 1
    if weight.min() < 0 < weight.max():
        return weight.clip(-limit - 1, limit) >> cut + 1 << cut + 1
    if weight.min() >= 0:
        return weight.clip(0, limit) >> cut << cut
    return -((-weight).clip(0, limit) >> cut << cut)


def file_weights(parts: Sequence[NDArray[Any]], shift: int) -> list[Integers] | None:
    """Weights for a file, of which NetX makes these; None if there are none.

    Args:
        parts: W (out, in), see `netx_weights`; integers.
        shift: k.
    """
    wide = [part.astype(np.int64) for part in parts]
    found = [candidate for candidate in _candidates(wide, shift) if _is_made(candidate, wide, shift)]
    return next((each for each in found if netx_weights(*each)[1] == shift), found[0] if found else None)


def _candidates(parts: list[Integers], shift: int) -> Iterator[list[Integers]]:
    """Weights that NetX may make these of: the sums' own, or larger ones that lose bits."""
    own = [part >> shift for part in parts]
    yield own
    if len({bool(part.any()) for part in own}) > 1:  # beside weights of 9 bits, NetX makes zeros of those of one sign
        yield [part if part.any() else _with_first(part, -(2**WEIGHT_BITS)) for part in own]
    for widest in (-(2**WEIGHT_BITS >> shift), None):  # clipping makes a least weight of -2^m smaller in magnitude
        for count in (None, 1):
            yield [_widened(part, widest, count) for part in own]
    if not any(part.any() for part in parts):
        yield [np.full_like(part, 2 ** (WEIGHT_BITS + 1)) for part in parts]  # too large: NetX makes zeros of it


def _with_first(part: Integers, value: int) -> Integers:
    changed = part.copy()
    changed.flat[0] = value
    return changed


def _widened(part: Integers, widest: int | None, count: int | None) -> Integers:
    """Weights without positive ones, the first `count` of the least replaced by the widest, or by twice as much."""
    least = int(part.min())
    if least == 0 or part.max() > 0:
        return part
    changed = part.copy()
    changed.ravel()[np.flatnonzero(part == least)[:count]] = 2 * least if widest is None else widest
    return changed


def _is_made(candidate: list[Integers], wanted: Sequence[Integers], shift: int) -> bool:
    """True if NetX makes the same sums of a candidate; if it shifts by more than k, but for wrapping to 32 bits."""
    try:
        made, by = netx_weights(*candidate)
    except DeploymentError:
        return False
    same = all(np.array_equal(one << shift, other << by) for one, other in zip(made, wanted))
    return same and (shift == by or not any((part & ((1 << by) - 1)).any() for part in made))
