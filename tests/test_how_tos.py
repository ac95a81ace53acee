"""Programs of how-to pages run word for word, each in a folder of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import netx_export
from lava_qsnn import integer

PAGES = Path(__file__).parent.parent / "docs" / "how-to"


def programs(page: str) -> list[str]:
    """The Python programs of a page, in their order."""
    return re.findall(r"```python\n(.*?)```", (PAGES / page).read_text("utf-8"), re.DOTALL)


def classifier() -> integer.IntegerNetwork:
    """Two layers whose answer depends on the sample: the signs of each hidden neuron's weights are as many."""
    random = np.random.default_rng(0)
    signs = random.permuted(np.tile([-1, 1], (32, 32)), axis=1)
    hidden = integer.MemoryFree(integer.shift_taps(4), random.integers(-40, 40, 32))
    layers = (
        integer.Layer("hidden", (integer.Connection("input", integer.Dense(signs)),), hidden),
        integer.Layer(
            "out",
            (integer.Connection("hidden", integer.Dense(random.integers(-7, 8, (10, 32)))),),
            integer.Readout((1,)),
        ),
    )
    return integer.IntegerNetwork(integer.Input((64,), 16), 4, layers)


@pytest.mark.lava
@pytest.mark.slow
def test_a_network_runs_inside_of_a_larger_lava_application(tmp_path: Path) -> None:
    parts, application = programs("larger-lava-application.md")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").touch()
    (tmp_path / "parts" / "mine.py").write_text(parts, "utf-8")
    (tmp_path / "application.py").write_text(application, "utf-8")
    netx_export.write(classifier(), tmp_path / "digits.net")
    command = [sys.executable, "application.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(set(re.findall(r"[0-9]", done.stdout))) > 1
