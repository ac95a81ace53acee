"""Exact sums on GPUs: what may round there is switched off while integers are summed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lava_qsnn.extras import extra

with extra("train"):
    import torch


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
