"""Cutting a layer into parts, one for each core: as the compiler does, and as tightly as boxes go.

A core never holds two layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from netx_export._chip.populations import Population
from netx_export._chip.profiles import Chip
from netx_export._chip.storage import Box, Demand, dense_row

#: A way to say what boxes of a layer take of a core.
Demands = Callable[[Box], Demand]


@dataclass(frozen=True)
class Cut:
    """A layer cut into boxes: all of one extent, but those at the far ends, which hold what is left.

    Args:
        extent: channels, height and width of the layer.
        box: those of a box; along the width it can be larger than the layer.
    """

    extent: tuple[int, int, int]
    box: tuple[int, int, int]

    @property
    def grid(self) -> tuple[int, int, int]:
        """Boxes along channels, height and width."""
        channels, height, width = (-(-whole // part) for whole, part in zip(self.extent, self.box))
        return channels, height, width

    @property
    def cores(self) -> int:
        """The number of boxes."""
        return math.prod(self.grid)

    @property
    def fullest(self) -> Box:
        """The largest box, as the compiler allots it."""
        return Box(*(np.array(each) for each in self.box))

    @property
    def boxes(self) -> Box:
        """The extents of all boxes, in the order of cores: columns fastest, then rows, then channels."""
        sizes = (np.minimum(part, whole - np.arange(0, whole, part)) for whole, part in zip(self.extent, self.box))
        return Box(*(each.ravel() for each in np.meshgrid(*sizes, indexing="ij")))

    @property
    def cores_of_neurons(self) -> NDArray[np.int64]:
        """The core, from 0, of each neuron: an array of the layer's channels, height and width."""
        channels, rows, columns = (np.arange(whole) // part for whole, part in zip(self.extent, self.box))
        _, high, wide = self.grid
        return (channels[:, None, None] * high + rows[:, None]) * wide + columns


def compiled(population: Population, chip: Chip, demands: Demands) -> Cut:
    """Cut a layer by the rules of the chip's compiler; DeploymentError if it fits no core."""
    fits = _fits(population, chip, demands)
    if not population.is_flat:
        return _fewest(population, _compilers_boxes(population, chip, fits), fits)
    rule = {"power_of_two_rows": _power_of_two_rows, "halving": _halving, "fewest": _fewest_neurons}
    return rule[chip.dense_partition](population, chip, demands, fits)


def tight(population: Population, chip: Chip, demands: Demands) -> Cut:
    """Cut a layer into the fewest boxes of any extent, a lower bound for compilers that cut into boxes."""
    boxes = _product(*(_extents(whole) for whole in population.extent))
    return _fewest(population, boxes, _fits(population, chip, demands))


Fits = Callable[[Box], NDArray[np.bool_]]


def _fits(population: Population, chip: Chip, demands: Demands) -> Fits:
    def fits(box: Box) -> NDArray[np.bool_]:
        return demands(box).fits(chip)

    one = Box(*(np.array(1) for _ in range(3)))
    if not fits(one):
        raise too_large(population, chip, demands(one))
    return fits


def too_large(population: Population, chip: Chip, taken: Demand) -> DeploymentError:
    """The error of a layer of which not even one neuron fits a core: the limit, and the split that would help."""
    shares = {name: float(share) for name, share in taken.shares(chip).items() if float(share) > 1}
    name = max(shares, key=lambda each: shares[each])
    limit, parts = getattr(chip, name), math.ceil(shares[name])
    broken = (f"{int(getattr(taken, each)):,} of {getattr(chip, each):,} {described(each)}" for each in shares)
    remedy = {
        "axons_in": f"let at most {limit:,} sources reach a neuron: pool more, use a convolution, or split the layer's "
        f"sources among {parts} layers whose outputs a further one adds",
        "synmem_words": f"pool more, use a convolution, fewer channels or fewer weight bits: {parts} times fewer",
        "total_words": f"let fewer sources reach a neuron: pool more, use a convolution, or split the layer's sources "
        f"among {parts} layers whose outputs a further one adds",
    }.get(name, "use another kind of neuron")
    return DeploymentError(
        f"it fits no core of {chip.name}: one neuron alone takes {', '.join(broken)}",
        layer=population.name,
        remedy=remedy,
    )


def described(limit: str) -> str:
    """A limit in words."""
    return {
        "axons_in": "incoming axons",
        "axons_out": "outgoing axons",
        "synmem_words": "words of synaptic memory",
        "state_words": "words of neuron state",
        "total_words": "words of all memories",
        "neuron_groups": "neuron groups",
    }[limit]


def _fewest(population: Population, boxes: Box, fits: Fits) -> Cut:
    """The boxes that need the fewest cores; of equals those of most channels, then of most rows."""
    boxes = Box(*(each[fits(boxes)] for each in boxes))
    cores = np.ones_like(boxes.channels)
    for whole, parts in zip(population.extent, boxes):
        cores = cores * -(-whole // parts)
    best = np.lexsort((-boxes.width, -boxes.height, -boxes.channels, cores))[0]
    return Cut(population.extent, (int(boxes.channels[best]), int(boxes.height[best]), int(boxes.width[best])))


def _compilers_boxes(population: Population, chip: Chip, fits: Fits) -> Box:
    """[T] Widths of a power of two, heights that divide the layer's, channels halved while they are even.

    The compiler of 2022 leaves columns whole. Where nothing of that fits, nothing is known of what it does, and columns
    are cut, and odd numbers of channels halved, too [I].
    """
    channels, height, width = population.extent
    widths = [2**power for power in range((width - 1).bit_length() + 1)]
    heights = [each for each in range(1, height + 1) if height % each == 0]
    halves = [channels // 2**power for power in range(channels.bit_length()) if channels % 2**power == 0]
    known = _product(halves, [height] if chip.conv_partition == "whole_columns" else heights, widths)
    if fits(known).any():
        return known
    return _product({-(-channels // 2**power) for power in range(channels.bit_length() + 1)}, heights, widths)


def _power_of_two_rows(population: Population, chip: Chip, demands: Demands, fits: Fits) -> Cut:
    """[T] One core if that holds all; else as many neurons as rows of 2^k words hold, for the best k.

    It gives the 50 neurons of MNIST's first layer and the 127 of S4D's last, and Oxford's cores of 2022.
    """
    numbers = _flat(np.arange(1, population.neurons + 1))
    fitting = fits(numbers)
    if fitting[-1]:
        return Cut(population.extent, (population.neurons, 1, 1))
    rows = np.zeros_like(numbers.channels)
    for projection in population.projections:
        if projection.kind == "dense":
            rows = np.maximum(rows, dense_row(projection, numbers.channels))
    largest = 2 ** int(np.log2(max(1, int(rows[fitting].max()))))
    return Cut(population.extent, (int(numbers.channels[fitting & (rows <= largest)].max()), 1, 1))


def _halving(population: Population, chip: Chip, demands: Demands, fits: Fits) -> Cut:
    """[T] An even share of the synaptic memory that the whole layer needs, halved, rounding up, until it fits."""
    whole = demands(_flat(np.array([population.neurons])))
    share = -(-int(whole.synmem_words[0]) // chip.synmem_words)
    number = -(-population.neurons // max(1, share))
    while not fits(_flat(np.array([number])))[0]:
        number = -(-number // 2)
    return Cut(population.extent, (number, 1, 1))


def _fewest_neurons(population: Population, chip: Chip, demands: Demands, fits: Fits) -> Cut:
    """The fewest cores, evenly filled."""
    numbers = _flat(np.arange(1, population.neurons + 1))
    most = int(numbers.channels[fits(numbers)].max())
    return Cut(population.extent, (-(-population.neurons // -(-population.neurons // most)), 1, 1))


def _flat(numbers: NDArray[np.int64]) -> Box:
    return Box(numbers, np.ones_like(numbers), np.ones_like(numbers))


def _extents(whole: int) -> list[int]:
    """The smallest extent for each number of parts that a length can be cut into."""
    return sorted({-(-whole // parts) for parts in range(1, whole + 1)})


def _product(*extents: Iterable[int]) -> Box:
    grid = np.meshgrid(*(np.asarray(list(each), np.int64) for each in extents), indexing="ij")
    return Box(*(each.ravel() for each in grid))
