"""Undoing what merging a sum pooling into the synapse after it did: pool first, and the synapse has less to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer._synapses import Conv, Dense
from lava_qsnn.integer._values import Shape

#: The largest pooling looked for.
LARGEST = 8


def unmerge(synapse: Dense | Conv, source: Shape) -> tuple[int, Dense | Conv]:
    """Split a synapse into a sum over windows of p x p, stride p, and a smaller synapse of the same currents.

    Args:
        synapse: integer weights.
        source: (C,) or (C, H, W), what it fits.

    Returns:
        The largest p up to LARGEST, 1 if the weights do not factor, and the synapse, which takes a source
        (C, H // p, W // p). Pixels beyond whole windows are those that the given synapse does not see either.
    """
    if len(source) == 1:
        return 1, synapse
    found: Iterator[tuple[int, Dense | Conv]]
    found = _dense(synapse, source) if isinstance(synapse, Dense) else _convolutions(synapse, source)
    return next(found, (1, synapse))


def _dense(dense: Dense, source: Shape) -> Iterator[tuple[int, Dense | Conv]]:
    """All splits, the largest p first; here, pixels beyond whole windows must have no weights."""
    weight = dense.weight.reshape(-1, *source)
    for size in range(min(LARGEST, *source[1:]), 1, -1):
        rows, columns = (extent // size * size for extent in source[1:])
        inside = weight[:, :, :rows, :columns]
        if not weight[:, :, rows:].any() and not weight[:, :, :, columns:].any() and _repeats(inside, size):
            yield size, Dense(inside[:, :, ::size, ::size].reshape(len(weight), -1))


def _convolutions(conv: Conv, source: Shape) -> Iterator[tuple[int, Dense | Conv]]:
    """All splits, the largest p first; where it is padded, pixels beyond whole windows would be seen."""
    if conv.dilation != (1, 1):
        return
    multiples: tuple[int, ...] = (*conv.stride, *conv.padding)
    multiples += tuple(extent for extent, padding in zip(source[1:], conv.padding) if padding)
    for size in range(LARGEST, 1, -1):
        if not any(number % size for number in multiples) and _repeats(conv.weight, size):
            stride, padding = ((a // size, b // size) for a, b in (conv.stride, conv.padding))
            yield size, replace(conv, weight=conv.weight[:, :, ::size, ::size], stride=stride, padding=padding)


def _repeats(weight: NDArray[np.signedinteger], size: int) -> bool:
    """Whether weights (.., H, W) are equal over windows: the first rows decide most cases quickly."""
    return all(
        np.array_equal(some, some[..., ::size, ::size].repeat(size, -2).repeat(size, -1))
        for some in (weight[:1], weight)
    )
