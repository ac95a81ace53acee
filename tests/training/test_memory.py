"""Memory that is kept between the steps of a training."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from lava_qsnn.train.memory import OWN, memory_kept

#: Counts the pages that the system hands out while a block of 16 MB is made, written and freed, again and again.
COUNTED = """
import resource
import torch
from lava_qsnn.train.memory import memory_kept


def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(2**22)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


torch.set_num_threads(1)
with memory_kept():
    for _ in range(4):  # until the heap has found its shape
        faults()
    kept = faults()
print(faults(), kept)
"""


def counted(**environment: str) -> tuple[int, int]:
    clean = {name: value for name, value in os.environ.items() if name not in OWN}
    done = subprocess.run([sys.executable, "-c", COUNTED], env=clean | environment, capture_output=True, check=True)
    usual, kept = map(int, done.stdout.split())
    return usual, kept


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_pages_are_asked_for_once() -> None:
    """Afterwards, the system hands them out each time, as before."""
    pages = 2**24 // resource.getpagesize()
    usual, kept = counted()
    assert kept < usual / 4
    assert usual >= 5 or usual > pages / 512, "with huge pages, a fault is for 512 of them"


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_settings_of_the_user_stay() -> None:
    usual, kept = counted(MALLOC_TRIM_THRESHOLD_="131072")
    assert kept > usual / 2


def test_an_error_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), memory_kept():
        raise ZeroDivisionError
