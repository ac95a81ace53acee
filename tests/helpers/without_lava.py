"""The path from training to an exact file without Lava and lava-dl, as a program for an interpreter that has neither.

    PYTHON -m tests.helpers.without_lava

PYTHON is 3.10 or newer and has the packages of the base and of the extra `train`, with a torch of any kind. It runs the
README's twenty lines up to Lava, on `fast`, and then the command: train, export, verify, run.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def twenty_lines() -> str:
    """The README's example, up to the Lava process, with the backend `fast` for `lava`."""
    example = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)[0]
    lines, _, _ = example.partition("process = ")
    assert 'backend="lava"' in lines
    assert "verify(network, x, net=net).exact" in lines
    return lines.replace('backend="lava"', 'backend="fast"')


def command(*words: str) -> str:
    """Standard output of the command, which ends with status 0."""
    program = [sys.executable, "-c", "from lava_qsnn.main import main; main()", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    print("lava-qsnn", *words, flush=True)
    done = subprocess.run(program, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    return done.stdout


def main() -> None:
    """Run both, and tell the versions of what was used."""
    assert importlib.util.find_spec("lava") is None, "this interpreter has Lava, or lava-dl"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        names: dict[str, object] = {}
        exec(compile(twenty_lines(), "README.md", "exec"), names)
        potentials = names["potentials"]
        assert potentials.shape == (8, 10, 4)  # type: ignore[attr-defined]
        assert potentials.any()  # type: ignore[attr-defined]
        command("train", "digits", "--epochs", "3", "--set", "model.hidden=[32]", "--output", "run")
        command("export", "run/best.ckpt", "digits.net")
        assert " 0 " in command("verify", "digits.net", "--checkpoint", "run/best.ckpt", "--backend", "fast")
        last = command("run", "digits.net", "--backend", "fast", "--samples", "360").splitlines()[-1]
        os.chdir(ROOT)  # no folder is removed while somebody is in it
    accuracy = float(re.fullmatch(r"accuracy (.*)% on 360 samples of digits", last)[1])  # type: ignore[index]
    assert accuracy > 70, last
    import numpy
    import torch

    print(f"{last}; Python {sys.version.split()[0]}, torch {torch.__version__}, numpy {numpy.__version__}, no lava-dl")


if __name__ == "__main__":
    main()
