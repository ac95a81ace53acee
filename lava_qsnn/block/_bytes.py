"""Spikes kept for the backward pass in one byte each, instead of the four that they are computed with.

A synapse's gradient needs the spikes that went in, and they are half of what a training step remembers. Blocks mark
what they return if all of it is integers from 0 to 255; a synapse fed by such a tensor saves bytes. Other operations in
between return tensors without the mark, which are saved as they are; one that changes a tensor in place takes it away,
by the version that torch counts. Spikes of 16 bits are saved as they are, too: to pack them costs more time than it is
worth.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

_MARK = "_qsnn_largest"


def mark_bytes(x: Tensor, largest: int | None) -> None:
    """Say of a tensor that its values are integers from 0 to `largest`; of more than 255, or None, nothing is said.

    Nor of tensors of torch's inference mode, which count no versions, and are never kept for a backward pass.
    """
    if largest is not None and largest < 256 and not x.is_inference():
        setattr(x, _MARK, (largest, x._version))


def largest_byte(x: Tensor) -> int | None:
    """The statement made of it; None if nothing was, or if it has been changed since."""
    largest, version = getattr(x, _MARK, (None, None))
    return largest if largest is not None and x._version == version else None


def saved_as_bytes(source: Tensor) -> AbstractContextManager[Any]:
    """Within it, autograd saves views of a marked float32 `source` as bytes."""
    if largest_byte(source) is None or source.dtype != torch.float32 or not source.requires_grad:
        return nullcontext()

    address, size = source.data_ptr(), source.numel()  # not the source itself: autograd keeps what a hook refers to

    def pack(saved: Tensor) -> Tensor:
        same = saved.data_ptr() == address and saved.numel() == size
        return saved.to(torch.uint8) if same else saved

    def unpack(saved: Tensor) -> Tensor:
        return saved.to(torch.float32) if saved.dtype == torch.uint8 else saved

    return torch.autograd.graph.saved_tensors_hooks(pack, unpack)
