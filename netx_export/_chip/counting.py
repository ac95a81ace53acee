"""Counts over the cores of a layer, from how often each source neuron is not 0: messages, operations, rows read.

All counts are exact: sums of whole numbers, in float64 far below 2^53 where BLAS adds them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import Conv, Dense, OneToOne, Shape, Synapse
from netx_export._chip.partition import Cut

Counts = NDArray[np.int64]
Reals = NDArray[np.float64]


def extent(shape: Shape) -> tuple[int, int, int]:
    """(C,) or (C, H, W) as channels, height and width."""
    channels, height, width = (*shape, 1, 1)[:3]
    return channels, height, width


def summed(counts: Counts, cut: Cut) -> Counts:
    """Counts of a layer's neurons (N, C, H, W), summed over each core: (N, cores)."""
    reals: Reals = counts.astype(np.float64)
    for axis, parts in enumerate(_memberships(cut)):
        reals = np.moveaxis(np.tensordot(reals, parts, (1 + axis, 0)), -1, 1 + axis)
    return _whole(reals.reshape(len(counts), -1))


def flows(active: Counts, source: Cut, target: Cut, synapses: Sequence[Synapse]) -> Counts:
    """Messages between the cores of two layers.

    Args:
        active: how often each source neuron sends, (N, C, H, W).
        source, target: how the two layers are cut.
        synapses: what leads from the one to the other: a core is sent one message, whichever of them it is for.

    Returns:
        (N, source cores, target cores).
    """
    if len(synapses) > 1 and len({_pattern(each) for each in synapses}) > 1:
        return _flows_of_any(active, source, target, synapses)
    reals: Reals = active.astype(np.float64)
    for axis, (parts, reached) in enumerate(zip(_memberships(source), reaches(synapses[0], source, target))):
        pairs = (parts[:, :, None] * reached[:, None, :]).reshape(len(parts), -1)
        reals = np.moveaxis(np.tensordot(reals, pairs, (1 + axis, 0)), -1, 1 + axis)
    sizes = [size for pair in zip(source.grid, target.grid) for size in pair]
    split = reals.reshape(len(active), *sizes)
    return _whole(split.transpose(0, 1, 3, 5, 2, 4, 6).reshape(len(active), source.cores, target.cores))


def _flows_of_any(active: Counts, source: Cut, target: Cut, synapses: Sequence[Synapse]) -> Counts:
    """The same for synapses of different reach: of each source neuron, the cores that any of them reaches."""
    reached = np.zeros((int(np.prod(source.extent)), target.cores), bool)
    for synapse in synapses:
        channels, rows, columns = reaches(synapse, source, target)
        of_each = np.einsum("ca,hb,wd->chwabd", channels, rows, columns) > 0
        reached |= of_each.reshape(len(reached), -1)
    cores = source.cores_of_neurons.ravel()
    flat = active.reshape(len(active), -1)
    found = np.zeros((len(active), source.cores, target.cores), np.int64)
    for core in range(source.cores):
        found[:, core] = _whole(flat[:, cores == core].astype(np.float64) @ reached[cores == core])
    return found


def _pattern(synapse: Synapse) -> tuple[object, ...]:
    if isinstance(synapse, Conv):
        geometry = (synapse.stride, synapse.padding, synapse.dilation, synapse.groups)
        return ("conv", synapse.weight.shape[2:], *geometry)
    return ("one_to_one",) if isinstance(synapse, OneToOne) else ("dense",)


def reaches(synapse: Synapse, source: Cut, target: Cut) -> tuple[Reals, Reals, Reals]:
    """Of each channel, row and column of a source, the target's parts along that axis that its synapses lead to.

    Three arrays of 0 and 1: (C, parts), (H, parts), (W, parts). Synapses of weight 0 count: a chip stores them, too.
    """
    if isinstance(synapse, OneToOne):
        channels, rows, columns = _memberships(target)
        return channels, rows, columns
    if not isinstance(synapse, Conv):
        channels, rows, columns = (np.ones((size, parts)) for size, parts in zip(source.extent, target.grid))
        return channels, rows, columns
    inward, outward = source.extent[0] // synapse.groups, target.extent[0] // synapse.groups
    same_group = np.arange(source.extent[0])[:, None] // inward == np.arange(target.extent[0]) // outward
    parts = _memberships(target)
    found = [same_group @ parts[0]]
    for axis in (0, 1):
        places, positions = np.arange(source.extent[1 + axis])[:, None], np.arange(target.extent[1 + axis])
        offset = places + synapse.padding[axis] - positions * synapse.stride[axis]
        last = (synapse.weight.shape[2 + axis] - 1) * synapse.dilation[axis]
        inside = (offset >= 0) & (offset <= last) & (offset % synapse.dilation[axis] == 0)
        found.append(inside @ parts[1 + axis])
    channels, rows, columns = (np.minimum(each, 1.0) for each in found)
    return channels, rows, columns


def operations(active: Counts, synapse: Synapse, target: Cut, every: bool = False) -> Counts:
    """Synaptic operations in each core: synapses of a weight that is not 0, each as often as its source is not 0.

    Args:
        active: how often each source neuron is not 0, (N, C, H, W).
        synapse: a dense, convolutional or one-to-one one.
        target: how its layer is cut.
        every: count the synapses of weight 0, too.

    Returns:
        (N, cores).
    """
    weight = np.ones_like(synapse.weight) if every else synapse.weight != 0
    if isinstance(synapse, Dense):
        (parts, *_) = _memberships(target)
        return _whole(active.reshape(len(active), -1).astype(np.float64) @ (weight.T @ parts))
    if isinstance(synapse, OneToOne):
        return summed(active * weight[:, None, None], target)
    assert isinstance(synapse, Conv)
    kernels = _per_part(synapse, weight, target)
    return _over_positions(_correlated(active, kernels, synapse, target), target)


def rows_read(active: Counts, synapse: Conv, target: Cut) -> Counts:
    """Rows of shared kernels that messages read in each core: one for each position of a kernel that they hit."""
    inward, outward = synapse.weight.shape[1], target.extent[0] // synapse.groups
    (parts, *_) = _memberships(target)
    of_groups = np.repeat(np.eye(synapse.groups), outward, 0).T @ parts > 0  # groups of each part
    hit = np.repeat(of_groups.T, inward, 1)  # (parts, source channels)
    kernels = np.broadcast_to(hit[:, :, None, None], (*hit.shape, *synapse.weight.shape[2:])).astype(np.float64)
    return _over_positions(_correlated(active, kernels, synapse, target), target)


def _per_part(synapse: Conv, weight: NDArray[np.bool_], target: Cut) -> Reals:
    """Of each part along the channels, its synapses from each source channel and kernel position."""
    out, inward = weight.shape[:2]
    outward = out // synapse.groups
    (parts, *_) = _memberships(target)
    kernels = np.zeros((parts.shape[1], inward * synapse.groups, *weight.shape[2:]))
    for group in range(synapse.groups):
        own = slice(group * outward, (group + 1) * outward)
        found = np.tensordot(parts[own].T, weight[own].astype(np.float64), 1)
        kernels[:, group * inward : (group + 1) * inward] = found
    return kernels


def _correlated(active: Counts, kernels: Reals, synapse: Conv, target: Cut) -> Reals:
    """The cross-correlation of counts (N, C, H, W) with kernels (parts, C, ..): (parts, N, rows, columns)."""
    (pad_y, pad_x), (_, height, width) = synapse.padding, target.extent
    padded = np.pad(active.astype(np.float64), ((0, 0), (0, 0), (pad_y, pad_y), (pad_x, pad_x)))
    total = np.zeros((len(kernels), len(active), height, width))
    for y, x in np.ndindex(*kernels.shape[2:]):
        top, left = y * synapse.dilation[0], x * synapse.dilation[1]
        rows = slice(top, top + synapse.stride[0] * (height - 1) + 1, synapse.stride[0])
        columns = slice(left, left + synapse.stride[1] * (width - 1) + 1, synapse.stride[1])
        total += np.tensordot(kernels[:, :, y, x], padded[:, :, rows, columns], (1, 1))
    return total


def _over_positions(totals: Reals, target: Cut) -> Counts:
    """Totals (parts, N, rows, columns) of each part of channels, summed over the cores' positions: (N, cores)."""
    _, rows, columns = _memberships(target)
    return _whole(np.einsum("pnhw,ha,wb->npab", totals, rows, columns, optimize=True).reshape(totals.shape[1], -1))


def any_synapse(indicator: NDArray[np.bool_], synapse: Synapse, target: Cut) -> Counts:
    """Synaptic operations in each core for a synapse of any kind, by computing with weights of 1: (N, cores).

    Args:
        indicator: where the source is not 0, (N, *shape, T).
    """
    values: Any = synapse  # every kind is a dataclass
    counted: Synapse = replace(values, weight=(synapse.weight != 0).astype(np.int64))
    per_neuron = counted.current(indicator.astype(np.int64)).sum(-1)
    return summed(per_neuron.reshape(len(per_neuron), *target.extent), target)


def reached_by_any(indicator: NDArray[np.bool_], synapse: Synapse, shape: Shape) -> NDArray[np.bool_]:
    """The targets at which a message arrives, (N, C or 1, H, W, T): if any source in the receptive field is not 0.

    Args:
        indicator: where the source is not 0, (N, C, H, W, T).
        shape: of the targets.
    """
    channels, height, width = extent(shape)
    if isinstance(synapse, OneToOne):
        return indicator
    if not isinstance(synapse, Conv):
        return np.asarray(indicator.any((1, 2, 3), keepdims=True))
    samples, _, *_, steps = indicator.shape
    grouped = indicator.reshape(samples, synapse.groups, -1, *indicator.shape[2:]).any(2)
    (pad_y, pad_x) = synapse.padding
    padded = np.pad(grouped, ((0, 0), (0, 0), (pad_y, pad_y), (pad_x, pad_x), (0, 0)))
    found = np.zeros((samples, synapse.groups, height, width, steps), bool)
    for y, x in np.ndindex(*synapse.weight.shape[2:]):
        top, left = y * synapse.dilation[0], x * synapse.dilation[1]
        rows = slice(top, top + synapse.stride[0] * (height - 1) + 1, synapse.stride[0])
        columns = slice(left, left + synapse.stride[1] * (width - 1) + 1, synapse.stride[1])
        found |= padded[:, :, rows, columns]
    return found if synapse.groups == 1 else np.repeat(found, channels // synapse.groups, 1)


def _memberships(cut: Cut) -> tuple[Reals, Reals, Reals]:
    """Of each channel, row and column, the part along that axis that it lies in: arrays of 0 and 1, (extent, parts)."""
    channels, rows, columns = (
        (np.arange(whole)[:, None] // part == np.arange(parts)).astype(np.float64)
        for whole, part, parts in zip(cut.extent, cut.box, cut.grid)
    )
    return channels, rows, columns


def _whole(reals: Reals) -> Counts:
    return np.rint(reals).astype(np.int64)
