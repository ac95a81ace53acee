"""The input of blocks: integers, as floating-point numbers; the same in training as in evaluation.

A network that learned from fractions would be refused when it is deployed, so blocks refuse them at once. In training,
they look at what comes from outside alone: what carries a gradient was computed by a module before, and dropout scales
the spikes it lets through, as slayer's blocks may. Evaluation, which is exact, looks at everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from lava_qsnn.block._bytes import largest_byte
from lava_qsnn.errors import ConfigurationError, InputError
from lava_qsnn.frames import check_tensor


def take(x: Tensor, block: str, training: bool) -> Tensor:
    """A tensor (N, C, [H, W,] T) as a block computes with it: in float32 at least, as 16 bits would round its sums.

    In training, a tensor with a gradient, or any while gradients are off, is passed on as it is.

    Raises:
        InputError: it is no tensor of floating-point numbers and this shape, is empty, or holds what is not an integer.
    """
    check_tensor(x)
    if training and (x.requires_grad or not torch.is_grad_enabled()):
        return x
    if not x.numel():
        raise InputError(f"there is nothing to compute in a tensor of shape {tuple(x.shape)}", layer=block)
    if largest_byte(x) is None and not holds_integers(x):
        raise InputError(
            "a block computes with integers, and the input holds others",
            layer=block,
            remedy="scale and round the input before the network, as the data modules of lava_qsnn.train do; in "
            "place of dropout on the input, multiply it by a mask of 0 and 1",
        )
    return x.to(torch.promote_types(x.dtype, torch.float32))


@contextmanager
def layer_named(block: str) -> Iterator[None]:
    """Name the block in what is wrong with its input."""
    try:
        yield
    except (ConfigurationError, InputError) as error:
        raise type(error)(error.problem, layer=error.layer or block, remedy=error.remedy) from None


def holds_integers(x: Tensor) -> bool:
    """True if all numbers are finite integers."""
    each = x[..., :1] if x.stride(-1) == 0 else x  # of a view that repeats one step, that step
    return not bool(torch.frac(each).any())  # infinity has no fraction, but NaN
