"""Exact sums of integers in float32: what may round them is switched off meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from lava_qsnn.extras import extra

with extra("train"):
    import torch

_gradients: ContextVar[torch.dtype | None] = ContextVar("_gradients", default=None)


@contextmanager
def float32_sums(device: torch.device) -> Iterator[None]:
    """Let sums have 32 bits though autocast is on; their gradients may still have the 16 bits that it asks for."""
    before = _gradients.set(_autocast_dtype(device.type))
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        _gradients.reset(before)


def gradient_dtype() -> torch.dtype | None:
    """The dtype that gradients of sums in float32 may be computed in, if it is another."""
    return _gradients.get()


def _autocast_dtype(device: str) -> torch.dtype | None:
    if hasattr(torch, "get_autocast_dtype"):  # from torch 2.4 on
        enabled = torch.is_autocast_enabled(device)  # type: ignore[call-arg,unused-ignore]
        return torch.get_autocast_dtype(device) if enabled else None
    if device == "cpu":
        return torch.get_autocast_cpu_dtype() if torch.is_autocast_cpu_enabled() else None
    return torch.get_autocast_gpu_dtype() if torch.is_autocast_enabled() else None


@contextmanager
def exact_sums(device: torch.device) -> Iterator[None]:
    """Let products of integers in float32 be summed by multiplications and additions of float32 alone.

    TF32 keeps 11 bits of what is multiplied, and cuDNN chooses among algorithms that transform it (Winograd, FFT), by
    measurement where `torch.backends.cudnn.benchmark` is set. Neither is exact for integers; without them every partial
    sum is, below 2^24. On other devices nothing changes.
    """
    if device.type != "cuda":
        yield
        return
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=False, allow_tf32=False):
            yield
    finally:
        matmul.allow_tf32 = before
