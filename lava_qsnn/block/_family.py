"""Families of blocks: for a kind of neuron, the blocks that have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lava_qsnn.block import _blocks
from lava_qsnn.neuron.contract import TorchNeuron

#: The page that says what stands for each of slayer's blocks.
PAGE = "docs/how-to/port-a-lava-dl-script.md"

#: Names of slayer's that are none here, and what to use.
SLAYER = {
    "Affine": "use Output, whose potentials summed over time are the logits",
    "Recurrent": "neurons here have no recurrence; slayer.block.cuba.Recurrent stands beside these blocks, and deploys",
    "KWTA": "NetX has no such layer: use slayer.block.cuba.Recurrent with fixed weights",
    "ConvT": "NetX has no transposed convolution: use Conv, or end the network before it",
    "Unpool": "NetX has no unpooling: end the network before it",
    "Average": "sum the output over time in the loss, which is no part of the deployed network",
    "TimeDecimation": "decimate the data before they enter the network",
}


def missing(module: str, name: str) -> AttributeError:
    """The error for a name that a family of blocks has not: of slayer's, with what to use in its place."""
    text = f"module '{module}' has no attribute '{name}'"
    return AttributeError(f"{text}: {SLAYER[name]}; see {PAGE}" if name in SLAYER else text)


class Family(NamedTuple):
    """The blocks that differ from family to family."""

    Dense: type[_blocks.Dense]
    Conv: type[_blocks.Conv]
    Pool: type[_blocks.Pool]
    Input: type[_blocks.Input]


def family(module: str, neuron: Callable[..., TorchNeuron]) -> Family:
    """Make the blocks of a kind of neuron.

    Args:
        module: name of the module that they are to be found in, `__name__` there.
        neuron: its class, which keeps lava_qsnn.neuron.contract; `neuron_params` are the arguments of its constructor,
            and `channels`, which dense and convolutional blocks fill in.

    Returns:
        Dense, Conv, Pool and Input, to be assigned to these names.
    """
    return Family(
        *(_block(module, each, neuron) for each in (_blocks.Dense, _blocks.Conv, _blocks.Pool, _blocks.Input))
    )


def _block(module: str, base: type, neuron: Callable[..., TorchNeuron]) -> type:
    """The subclass of a block for a kind of neuron, which pickles and prints under the module's name."""
    return type(base.__name__, (base,), {"neuron_type": neuron, "__module__": module, "__doc__": base.__doc__})
