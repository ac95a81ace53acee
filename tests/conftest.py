"""Settings of the whole test suite."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator

import hypothesis
import pytest
import torch

# What tests share asserts, too, and tells what it has found.
pytest.register_assert_rewrite("tests.helpers")

# Two busy cores make timings vary; a property is wrong or right, not slow.
hypothesis.settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
# A mutant is found or not: no time for the smallest example.
hypothesis.settings.register_profile(
    "mutants", hypothesis.settings.get_profile("default"), phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate]
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
torch.set_num_threads(1)

# A shell that starts us in the background has Ctrl-C ignored, which Python keeps; the tests of interrupts need it.
signal.signal(signal.SIGINT, signal.default_int_handler)

if sys.version_info[:2] != (3, 10):  # Lava cannot even be imported there
    collect_ignore = [
        "helpers",
        "test_faults.py",
        "test_flow.py",
        "test_guard.py",
        "test_process.py",
        "test_stream.py",
        "test_tutorials.py",
    ]


def pytest_collection_finish() -> None:
    """Spare the collector what stays till the end: tests that look for what was left behind call it before each run."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def promptness() -> Iterator[None]:
    """Ends a test that hangs."""
    from tests.helpers.guarded import PATIENCE  # Lava is there where tests ask for this

    def give_up(*_: object) -> None:
        raise AssertionError(f"it hangs, for {PATIENCE:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def nothing_is_left_behind() -> Iterator[None]:
    from tests.helpers.guarded import footprint, settle

    gc.collect()  # What earlier tests left to be freed would otherwise be missed here.
    before = footprint()
    yield
    settle(before)
    assert footprint() == before
