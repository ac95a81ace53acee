"""slayer's blocks to layers: what unmodified NetX makes of what they export, by the arithmetic of stock files."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError, FileFormatError
from lava_qsnn.integer import CUBA, CUBAReadout, Input, Layer, Shape
from netx_export._hdf5 import Contents
from netx_export._netx._blocks import Block, input_block, synaptic_block
from netx_export._netx._group import Group as StockGroup
from netx_export._netx._group import Note
from netx_export._netx._reading import Reading
from netx_export._slayer import exported, family, form, refuse_unknown

#: Types of layers in files, by the form of the block that writes them; a pooling becomes a convolution.
TYPES = {"dense": "dense", "affine": "dense", "recurrent": "dense_rec", "conv": "conv", "pool": "conv"}

#: Groups of a convolution that Lava holds in 8 bits.
MOST_GROUPS = 127


def slayer_layer(
    block: Any, name: str, before: Layer | None, start: Input, shape: Shape, flat: bool, notes: list[Note]
) -> Layer:
    """The layer that NetX makes of a slayer block.

    Args:
        block: one that has run, with neurons.
        name: of the layer.
        before: the layer that it follows, or None for the input.
        start: the network's input.
        shape: of what comes in.
        flat: a Flatten was before it.
        notes: to which is added what NetX does with the layer and does not say.

    Raises:
        DeploymentError: NetX could not read the block; the text says why.
    """
    refuse_unknown(block)
    group = StockGroup(_contents(block, shape), "layer/0", name, notes)
    source = None if before is None else _as_block(before, shape, start)
    bits = _message_bits(before, start)
    try:
        if form(block) == "input":
            return input_block(group, source, Reading()).layer
        layer = synaptic_block(TYPES[str(form(block))], group, source, shape, bits, flat, Reading()).layer
    except FileFormatError as error:
        raise DeploymentError(error.problem, layer=name, remedy=error.remedy) from None
    return _read_out(layer) if form(block) == "affine" else layer


def input_unit(block: Any) -> float:
    """The value of an input of 1 in slayer's units, for a network that begins with a block.

    An Input block with neurons takes integers in the units of weights in NetX, and sigma-delta neurons send them in
    those of their states.
    """
    if form(block) in ("flatten", None) or getattr(block, "neuron", None) is None:
        return 1.0
    if form(block) == "input":
        return 1 / float(block.neuron.w_scale)
    return 1 / float(block.neuron.s_scale) if family(block) == "sigma_delta" else 1.0


def as_slayer_takes(block: Any, x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Integers that an Input block of slayer takes as they are: it rounds to even numbers and clips at 254."""
    takes_any = form(block) != "input" or block.neuron is None
    return x if takes_any else np.minimum(x - x % 2, 254)


def _contents(block: Any, source: Shape) -> Contents:
    """The export of a block, as the file of one layer; a pooling as a convolution, for NetX has no poolings."""
    if form(block) != "pool":
        return exported(block)
    kernel = _window(block, source)
    contents = exported(block)
    arrays = _pooling(contents.arrays["layer/0/weight"].reshape(kernel), source[0])
    return Contents({**contents.arrays, **arrays}, contents.attributes)


def _window(block: Any, source: Shape) -> tuple[int, int]:
    """The window of a pooling; DeploymentError where slayer, which slides over all channels at once, mixes them."""
    kernel, stride, padding, dilation = (
        (int(getattr(block.synapse, key)[0]), int(getattr(block.synapse, key)[1]))
        for key in ("kernel_size", "stride", "padding", "dilation")
    )
    if stride != kernel or padding != (0, 0) or dilation != (1, 1):
        raise DeploymentError(
            f"slayer's pooling with kernel {kernel}, stride {stride}, padding {padding} and dilation {dilation} mixes "
            "neighbouring channels",
            remedy="let the stride be the kernel, without padding and dilation",
        )
    if len(source) != 3 or any(extent % size for extent, size in zip(source[1:], kernel)):
        raise DeploymentError(
            f"windows of {kernel[0]} x {kernel[1]} do not divide its source of shape {source}, and slayer adds rows",
            remedy="choose sizes that the windows divide",
        )
    return kernel


def _pooling(window: NDArray[Any], channels: int) -> dict[str, NDArray[Any]]:
    """A convolution of each channel with a window, in as many groups as Lava can count."""
    groups = max(count for count in range(1, MOST_GROUPS + 1) if channels % count == 0)
    weight = np.zeros((channels, channels // groups, *window.shape), window.dtype)
    weight[np.arange(channels), np.arange(channels) % (channels // groups)] = window
    return {"layer/0/weight": weight[..., None], "layer/0/groups": np.array(groups)}


def _as_block(layer: Layer, shape: Shape, start: Input) -> Block:
    """A layer before, whoever made it, as what the next block of a file is read by."""
    return Block(layer, shape, 0, start, 0)


def _message_bits(before: Layer | None, start: Input) -> int:
    """The bits of the messages that come in: 0 of spikes."""
    if before is None:
        return start.bits if start.bits > 1 else 0
    return 0 if before.neuron.spikes else 16


def _read_out(layer: Layer) -> Layer:
    """A layer whose output is its voltage: that of an Affine, whose neurons never fire."""
    assert isinstance(layer.neuron, CUBA)
    values = {entry.name: getattr(layer.neuron, entry.name) for entry in fields(layer.neuron)}
    return replace(layer, neuron=CUBAReadout(**values))
