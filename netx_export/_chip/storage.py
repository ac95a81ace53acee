"""The words of a core's memories that a part of a layer takes: the formulas, each with its source.

A part is a box of a layer's neurons: some channels, rows and columns; of a dense layer, some neurons. All functions
take numpy arrays of such extents, so that a search weighs all boxes at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netx_export._chip.populations import Population, Projection
from netx_export._chip.profiles import Chip

Counts = NDArray[np.int64]

#: Bits of a word of synaptic memory.
WORD_BITS = 64

#: Widths that a stored weight can have; the others are rounded up [T]; on Loihi 1 the same, nengo-loihi `block.py` [C].
STORED_BITS = (1, 2, 3, 4, 5, 6, 8)

#: Bits of a synapse of a dense row that name its target, and of its delay if it has one [T].
INDEX_BITS, DELAY_BITS = 12, 6

#: Bits of a row besides its synapses: 1 to 12 fit all public tables of dense layers, 17 to 24 of convolutions [T].
DENSE_ROW_BITS, CONV_ROW_BITS = 10, 20

#: Loihi 1, nengo-loihi `block.py` [C]: bits of a block, its most synapses, and the widths of a target's index.
LOIHI_1_BLOCK_BITS, LOIHI_1_BLOCK, LOIHI_1_INDEX_BITS = 10, 64, (6, 7, 8, 9, 10, 11, 12)

#: Incoming axons of a convolution in one core: 1 to 2 in the public tables [T]; the larger is counted.
CONV_AXONS = 2


class Box(NamedTuple):
    """Extents of parts of a layer: channels, height, width, as arrays of one shape, or numbers."""

    channels: Counts
    height: Counts
    width: Counts

    @property
    def neurons(self) -> Counts:
        """Neurons of each part."""
        return self.channels * self.height * self.width


class Demand(NamedTuple):
    """The demand of a layer's parts on their cores' resources; the names are those of a chip's limits."""

    axons_in: Counts
    synmem_words: Counts
    state_words: Counts
    axons_out: Counts
    neuron_groups: Counts
    total_words: Counts

    def fits(self, chip: Chip) -> NDArray[np.bool_]:
        """Of each part, whether it fits a core."""
        return np.logical_and.reduce([values <= getattr(chip, name) for name, values in self._asdict().items()])

    def shares(self, chip: Chip) -> dict[str, NDArray[np.float64]]:
        """The fraction of each limit that each part takes."""
        return {name: np.asarray(values / getattr(chip, name)) for name, values in self._asdict().items()}


def stored_bits(bits: int) -> int:
    """The width that weights of so many bits are stored in; 8 at most."""
    return next((width for width in STORED_BITS if width >= bits), STORED_BITS[-1])


def optimized_bits(weights: NDArray[Any], taps: Sequence[int] = (1,)) -> int:
    """The bits that lava-dl's `netx/utils.optimize_weight_bits` chooses for integers, each times each of some taps.

    Weights are shifted to fill 8 bits, and the low bits that are 0 in all of them are not stored. More than 8 are
    returned for what lava-dl would clip. Weights that are all 0, which lava-dl refuses, take 1.
    """
    factors = [int(tap) for tap in taps if tap]
    low, high = int(weights.min()) * max(factors), int(weights.max()) * max(factors)
    if low == high == 0:
        return 1
    signed = int(high >= 0 > low)
    if signed:
        spare = min(_floor_log2(127, high), _floor_log2(128, -low)) + 1
    else:
        spare = _floor_log2(256, -low) if high < 0 else _floor_log2(255, high)
    zeros = _trailing_zeros(weights) + min(_trailing_zeros(np.array([factor])) for factor in factors)
    return max(1, 8 - spare - (min(zeros, 8) - signed))


def _floor_log2(limit: int, value: int) -> int:
    """floor(log2(limit / value)), negative where the value is beyond the limit."""
    if value == 0:
        return 64
    if value <= limit:
        return (limit // value).bit_length() - 1
    return -math.ceil(math.log2(value / limit)) if value <= limit << 40 else -40


def _trailing_zeros(values: NDArray[Any]) -> int:
    """The zero bits at the low end of all of some integers that are not 0."""
    joined = int(np.bitwise_or.reduce(np.abs(values.astype(np.int64)), axis=None))
    return (joined & -joined).bit_length() - 1


def words(bits: Any) -> Any:
    """Words that hold so many bits."""
    return -(-bits // WORD_BITS)


def demand(population: Population, box: Box, chip: Chip, sent: int, per_neuron: bool) -> Demand:
    """The demand of a layer's parts.

    Args:
        sent, per_neuron: entries of the table of outgoing axons per position, or per neuron; see `outgoing`.
    """
    neurons = np.asarray(box.neurons)
    none = np.zeros_like(neurons)
    taken = [_projection(each, population, box, chip) for each in population.projections]
    axons_in: Counts = sum((axons for axons, _ in taken), start=none)
    synmem: Counts = sum((words_ for _, words_ in taken), start=none)
    state = neurons * population.state_words
    out = sent * (neurons if per_neuron else np.asarray(box.height * box.width))
    groups = none + 1
    return Demand(axons_in, synmem, state, out, groups, axons_in + groups + state + synmem + out)


def outgoing(targets: Sequence[Projection]) -> tuple[int, bool]:
    """Entries of the table of outgoing axons that a layer takes: how many, and True if for each neuron.

    [T] A layer that only convolutions follow has one entry for each position, two where one follows with a stride of
    two (five layers of PilotNet); any other one for each neuron (PilotNet's last convolution, S4D).
    """
    if targets and all(each.kind == "conv" for each in targets):
        return max(max(each.stride) for each in targets), False
    return 1, True


def _projection(projection: Projection, population: Population, box: Box, chip: Chip) -> tuple[Counts, Counts]:
    """Incoming axons and words of synaptic memory."""
    if chip.storage == "loihi1":
        return loihi_1_rows(projection, population, box)
    if projection.kind == "conv":
        return _shared(projection, population, box)
    if projection.kind == "one_to_one":
        return np.asarray(box.neurons), np.asarray(box.neurons * dense_row(projection, 1))
    rows = np.full_like(np.asarray(box.neurons), projection.sources)
    return rows, np.asarray(rows * dense_row(projection, box.neurons))


def dense_row(projection: Projection, targets: Any) -> Any:
    """[T] Words of the row of one source: an index, a weight and a delay for each synapse to a target in the core."""
    delay = DELAY_BITS if projection.delay else 0
    synapse = INDEX_BITS + stored_bits(projection.bits) + delay
    return words(targets * projection.copies * synapse + DENSE_ROW_BITS)


def conv_row(projection: Projection, channels: Any) -> Any:
    """[T] Words of one kernel position of one source channel: weights of a core's channels, shared by its positions.

    The extra bit at a horizontal stride of two is empirical; that of delays [I].
    """
    delay = DELAY_BITS if projection.delay else 0
    synapse = stored_bits(projection.bits) + int(projection.stride[1] == 2) + delay
    return words(channels * projection.copies * synapse + CONV_ROW_BITS)


def _shared(projection: Projection, population: Population, box: Box) -> tuple[Counts, Counts]:
    """A convolution: weights are stored once per core. Of groups [I], those that a core's channels belong to."""
    per_group = max(1, population.extent[0] // projection.groups)
    groups = -(-np.asarray(box.channels) // per_group)
    rows = groups * (projection.source_shape[0] // projection.groups) * math.prod(projection.kernel)
    axons = np.full_like(np.asarray(box.neurons), CONV_AXONS)
    return axons, np.asarray(rows * conv_row(projection, np.minimum(box.channels, per_group)))


def loihi_1_rows(projection: Projection, population: Population, box: Box) -> tuple[Counts, Counts]:
    """Loihi 1: a row for each source neuron that reaches a core, its synapses in blocks of at most 64.

    [C] nengo-loihi `block.py`. Kernels are not shared between positions here, which NxSDK could: an upper bound [I].
    """
    rows, fan_out = _reaching(projection, population, box)
    index = np.asarray(LOIHI_1_INDEX_BITS)[
        np.searchsorted(2 ** np.asarray(LOIHI_1_INDEX_BITS), np.minimum(box.neurons, 2 ** LOIHI_1_INDEX_BITS[-1]))
    ]
    synapse = index + stored_bits(projection.bits) + (DELAY_BITS if projection.delay else 0)
    whole_blocks, rest = np.divmod(fan_out * projection.copies, LOIHI_1_BLOCK)
    row = whole_blocks * words(LOIHI_1_BLOCK * synapse + LOIHI_1_BLOCK_BITS)
    row = row + (rest > 0) * words(rest * synapse + LOIHI_1_BLOCK_BITS)
    return np.asarray(rows), np.asarray(rows * row)


def _reaching(projection: Projection, population: Population, box: Box) -> tuple[Counts, Counts]:
    """Source neurons that reach a part of a layer, at most, and the synapses of one of them there, at most."""
    neurons = np.asarray(box.neurons)
    if projection.kind == "dense":
        return np.full_like(neurons, projection.sources), neurons
    if projection.kind == "one_to_one":
        return neurons, np.ones_like(neurons)
    per_group = max(1, population.extent[0] // projection.groups)
    channels = -(-np.asarray(box.channels) // per_group) * (projection.source_shape[0] // projection.groups)
    fan_out = np.minimum(box.channels, per_group)
    for axis, extent in enumerate((box.height, box.width)):
        kernel, stride, spread = projection.kernel[axis], projection.stride[axis], projection.dilation[axis]
        reached = (np.asarray(extent) - 1) * stride + (kernel - 1) * spread + 1
        channels = channels * np.minimum(reached, projection.source_shape[1 + axis])
        fan_out = fan_out * np.minimum(extent, -(-kernel // stride))
    return channels, fan_out
