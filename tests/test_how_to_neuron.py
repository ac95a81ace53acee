"""A neuron of one's own: the how-to word for word, outside of the package, and then inside of a copy of it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import netx_export
from lava_qsnn.errors import FileFormatError

ROOT = Path(__file__).parent.parent
OUTSIDE, INSIDE = (ROOT / "docs" / "how-to" / "add-a-neuron.md").read_text("utf-8").split("## Make it a part")

#: The command, of the package that lies in the folder it is run in or is installed.
COMMAND = [sys.executable, "-c", "from lava_qsnn.main import main; main()"]

#: A row of a verification's table: values, those that are not zero, and no mismatch.
NONE_DIFFERS = re.compile(r"fast +dense1 +[\d,]+ +[1-9][\d,]* +0\b")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the page's programs, each under the name that the text before it gives."""
    for name, program in re.findall(
        r"`(\w+\.py)`[^`]*?:\n\n```python\n(.*?)```", re.sub(r"`python [^`]*`", "", OUTSIDE), re.DOTALL
    ):
        (tmp_path / name).write_text(program, "utf-8")
    assert OUTSIDE.count("```python") == len(list(tmp_path.iterdir())) == 5
    return tmp_path


def run(folder: Path, *command: str) -> str:
    """Return what a program prints, which ends well."""
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commands(text: str) -> list[list[str]]:
    """The commands that a part of the page shows."""
    return [
        shlex.split(line)
        for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL)
        for line in block.split("$ ")[1:]
    ]


@pytest.mark.slow
@pytest.mark.lava
def test_a_neuron_from_outside_is_judged_trained_and_deployed(folder: Path) -> None:
    judged = run(folder, sys.executable, "judge.py")
    assert 10 < float(re.findall(r"fast agrees: (\d+)%", judged)[0]) < 90
    trained = run(folder, sys.executable, "try_it.py")
    assert float(re.findall(r"(\d+)% of 397 test digits right", trained)[0]) > 80
    assert "\nexact: " in trained
    assert len(re.findall(r"(torch|reference|fast|lava|lava-async|lava-fused): [\d,]+ values equal", trained)) == 6
    assert "netx left out" in trained
    with pytest.raises(FileFormatError, match="no neuron 'adaptive'. Remedy: import the package that registers it"):
        netx_export.load(folder / "adaptive.net")
    inspected, verified = (run(folder, sys.executable, *rest) for _, *rest in commands(OUTSIDE))
    assert "adaptive: threshold" in inspected
    assert NONE_DIFFERS.search(verified)


def change(root: Path, file: str, hunk: str) -> None:
    """Do what a part of a difference says: its lines without a plus become its lines without a minus."""
    lines = hunk.splitlines(keepends=True)
    before, after = ("".join(line[1:] for line in lines if line[0] != sign) for sign in "+-")
    path = root / file
    text = path.read_text("utf-8") if path.exists() else ""
    assert not before or text.count(before) == 1, f"{file} has {text.count(before)} times:\n{before}"
    path.write_text(text.replace(before, after) if before else after + text, "utf-8")


@pytest.mark.slow
def test_inside_of_the_package_the_command_trains_it(folder: Path) -> None:
    for package in ("lava_qsnn", "netx_export"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "adaptive.py").rename(folder / "lava_qsnn/integer/neurons/_adaptive.py")
    (folder / "adaptive_training.py").rename(folder / "lava_qsnn/neuron/adaptive.py")
    (difference,) = re.findall(r"```diff\n(.*?)```", INSIDE, re.DOTALL)
    for part in difference.split("--- ")[1:]:
        file, _, hunks = part.partition("\n")
        for hunk in hunks.split("@@\n"):
            change(folder, file, hunk)
    trained, _ = (run(folder, *COMMAND, *rest) for _, *rest in commands(INSIDE))  # export compares with torch
    assert float(re.findall(r"test accuracy\D*([\d.]+)", trained)[0]) > 30
    assert b"adaptive" in (folder / "mine.net").read_bytes()
