"""Each path of the fast engine, compiled for each processor that this machine can pass for, against the reference.

numba compiles for the processor that NUMBA_CPU_NAME names: with and without its matrix unit for bytes, AVX-512 or AVX2.
A machine runs those whose instructions it has; its own, in whatever family, always.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

numba = pytest.importorskip("numba")

#: Processors by LLVM's names, and an instruction set that a machine must have to pass for them; its own is "".
PROCESSORS = {"": "", "icelake-server": "avx512vnni", "haswell": "avx2", "nehalem": "popcnt"}


def host_features() -> dict[str, bool]:
    from llvmlite import binding

    return dict(binding.get_host_cpu_features())


def run_as(processor: str) -> Any:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CPU")}
    named = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""} if processor else {}
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.paths"],
        env={**environment, **named},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "processor", ["", *(pytest.param(name, marks=pytest.mark.slow) for name in PROCESSORS if name)]
)
def test_every_path_is_exact_on_every_processor(processor: str) -> None:
    needed = PROCESSORS[processor]
    if processor and (platform.machine().lower() not in ("x86_64", "amd64") or not host_features().get(needed)):
        pytest.skip(f"this machine has no {needed}")
    found = run_as(processor)
    has_unit = not processor and sys.platform == "linux" and host_features().get("amx-int8", False)
    assert found["unit"] <= has_unit  # the kernel may keep it from us
    assert all(0.05 < rate < 0.95 for rate in found["rates"].values())
    for path in ("tiles", "counted bits", "numpy alone"):
        assert found[path]["wrong"] == 0
    assert (found["tiles"]["tiled"] > 0) == found["unit"]
    assert found["counted bits"]["tiled"] == found["numpy alone"]["tiled"] == 0
    assert found["counted bits"]["counted"] > found["numpy alone"]["counted"] == 0
