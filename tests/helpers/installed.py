"""A first session with an installed wheel and nothing else, as a program: it imports no tests, and fails loudly.

python installed.py FILE NUMBERS
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import netx_export
from lava_qsnn.errors import ConfigurationError

#: Answers of the file's network to `samples`, summed over time: one row a sample.
ANSWERS = [[14, -55, 9, 52, -38], [42, -60, -8, 44, -2], [6, -50, 6, 55, -29], [14, -55, 9, 52, -38]]

#: What may be told of a run that goes well: its progress, on a slow machine, and which samples it takes.
NEWS = ("0 %", "samples that come with zoo:")


def samples() -> np.ndarray:
    """Four samples, int (4, 2, 4, 4, 4), from 0 to 3."""
    return np.arange(512).reshape(4, 2, 4, 4, 4) * 7 // 3 % 4


def command(*words: object) -> str:
    """Output of the installed command, which ends with status 0 and warns of nothing."""
    program = Path(sys.executable).parent / "lava-qsnn"
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if not any(words in line for words in NEWS)]
    assert (done.returncode, told) == (0, []), done.stderr
    return done.stdout


def refusal(attempt: Callable[[], object]) -> str:
    """The error that names the remedy; there is no Makefile beside an installed wheel."""
    text = "it was not refused"
    try:
        attempt()
    except ConfigurationError as error:
        text = str(error)
    assert "make" not in text
    return text


def main(file: str, folder: str) -> None:
    absent = ("torch", "lava", "lightning", "sklearn", "scipy", "matplotlib", "tonic", "pydantic")
    assert not [name for name in absent if importlib.util.find_spec(name)]
    assert "site-packages" in str(netx_export.__file__)
    network, x = netx_export.load(file), samples()
    for backend in ("fast", "reference"):
        assert netx_export.simulate(network, x, backend).sum(-1).tolist() == ANSWERS
    assert netx_export.verify(network, x, ["fast"]).exact

    array, page = f"{folder}/x.npy", f"{folder}/page.html"
    np.save(array, x)
    assert "inspect" in command("--help")
    shown = command("inspect", file)
    assert "conv1" in shown
    assert "not here: lava" in shown
    assert "nothing found" in command("check", file, "--input", array)
    last = command("run", "zoo:digits", "--backend", "fast").splitlines()[-1]
    assert last.startswith("accuracy 95.00% on 20 samples")
    assert "equal" in command("diff", file, file)
    assert "wrote" in command("report", file, "-o", page)
    assert "classes 3 3 3 3" in command("run", file, "--input", array)

    assert "lava-qsnn[lava]" in refusal(lambda: netx_export.simulate(network, x, "lava"))
    assert "lava-qsnn[train]" in refusal(lambda: netx_export.export)
    print(sys.version.split()[0], "numpy", np.__version__)


if __name__ == "__main__":
    main(*sys.argv[1:])
