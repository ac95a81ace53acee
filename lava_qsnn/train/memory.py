"""Memory that a training frees and soon wants again, kept by the process meanwhile.

A training step makes the same large tensors each time. glibc gives those back to the system at once, and the
system fills them with zeros when they are asked for anew, page by page: on a CPU that takes a good part of a step.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

#: Parameters of glibc's mallopt(3), with the values that keep memory, and its own from the start.
TRIM_THRESHOLD, MMAP_MAX = -1, -4
KEPT = {TRIM_THRESHOLD: -1, MMAP_MAX: 0}
USUAL = {TRIM_THRESHOLD: 128 * 1024, MMAP_MAX: 65536}

#: Settings of the user's own, which stay as they are.
OWN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")


@contextmanager
def memory_kept() -> Iterator[None]:
    """Within it, this process keeps memory that it frees; afterwards it gives back what it has.

    Other systems and allocators are left alone, and so is one that the environment sets (`MALLOC_..`, GLIBC_TUNABLES).
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in OWN):
        yield
        return
    libc = ctypes.CDLL(None)
    _set(libc, KEPT)
    try:
        yield
    finally:
        _set(libc, USUAL)
        libc.malloc_trim(0)


def _set(libc: ctypes.CDLL, values: dict[int, int]) -> None:
    for parameter, value in values.items():
        libc.mallopt(parameter, value)
