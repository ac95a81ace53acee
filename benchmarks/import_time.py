"""The processor time until the command answers: help and `inspect` to their end, other verbs to their first words.

    python -m benchmarks.import_time            # JSON in benchmarks/results
    python -m benchmarks.import_time --quick    # one run of each, only to see that it runs

Each run is a fresh process on a terminal of its own, whose modules are compiled already, as those of an installed
package are. Processes take turns, and each is compared with a run of bare imports just before. What counts is the time
of processors, of the process and of those that it waited for, so that other work on the machine counts little. Where
the first words count, the process is ended as soon as it has shown some.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks._timing import RESULTS, Timing, ratio
from lava_qsnn.bench.machine import write_json
from netx_export import zoo

#: What the command cannot do without.
IMPORTS = "import numpy, h5py, typer, rich"

#: What moves a cursor and sets colours, and is no word.
CONTROL = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\s")


@dataclass(frozen=True)
class Case:
    """Words of the command, and its goal: until it ends, in imports, if `whole`; else in seconds."""

    words: tuple[str, ...]
    whole: bool
    goal: float


def cases(folder: Path) -> tuple[Case, ...]:
    """The commands: on networks of the zoo, and on a file that names data which must be read."""
    file = str(shutil.copy(zoo.path("digits"), folder / "digits.net"))
    return (
        Case(("--help",), True, 1.5),
        Case(("inspect", "zoo:digits"), True, 1.5),
        Case(("run", "zoo:digits"), False, 1.0),
        Case(("run", file), False, 1.0),
        Case(("verify", file), False, 1.0),
        Case(("train", "digits", "--output", str(folder / "run")), False, 1.0),
        Case(("demo", "--folder", str(folder / "demo")), False, 1.0),
    )


def processor_time(command: Sequence[str], environment: dict[str, str], whole: bool) -> float:
    """Seconds of processors that a command takes on a terminal of its own, to its end or to its first words.

    Raises:
        RuntimeError: it ends in an error.
    """
    child, terminal = pty.fork()
    if not child:
        os.execve(command[0], list(command), environment)
    said = _said(terminal, whole)
    if not whole:
        os.killpg(child, signal.SIGKILL)
    _, status, used = os.wait4(child, 0)
    os.close(terminal)
    if not CONTROL.sub(b"", said) or (whole and status):
        raise RuntimeError(f"'{' '.join(command)}' ended with status {status}: {said.decode(errors='replace')}")
    return used.ru_utime + used.ru_stime


def _said(terminal: int, whole: bool) -> bytes:
    """The bytes that a terminal shows: all of them, or up to the first words."""
    said = b""
    with suppress(OSError):  # Linux's end of a terminal
        while (more := os.read(terminal, 4096)) and (whole or not CONTROL.sub(b"", said + more)):
            said += more
        said += more
    return said


def measure(chosen: Sequence[Case], runs: int, folder: Path) -> list[dict[str, Any]]:
    """A row for each case: its seconds, and the ratio to the imports, which ran before each of its runs."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "TERM": "xterm", "COLUMNS": "120"}
    imports = (sys.executable, "-c", f"{IMPORTS}; print('.')")
    seconds: dict[Case, list[tuple[float, float]]] = {case: [] for case in chosen}
    for run in range(runs + 1):
        for case in chosen:
            neighbour = processor_time(imports, environment, True)
            program = (sys.executable, "-c", "from lava_qsnn.main import main; main()", *case.words)
            took = processor_time(program, environment, case.whole)
            if run:  # the first one compiles
                seconds[case].append((took, neighbour))
    return [_row(case, pairs) for case, pairs in seconds.items()]


def _row(case: Case, pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    took, imports = (Timing(times) for times in zip(*pairs))
    return {
        "words": [Path(word).name for word in case.words],
        "until": "its end" if case.whole else "its first words",
        "seconds": took.median,
        "imports": imports.median,
        "ratio": asdict(ratio(took, imports)),
        "goal": case.goal,
        "unit": "imports" if case.whole else "seconds",
    }


def main(
    runs: Annotated[int, typer.Option(min=1, help="Of each command, after one that compiles.")] = 15,
    quick: Annotated[bool, typer.Option("--quick", help="One run of two, to see that it runs.")] = False,
    results: Annotated[Path, typer.Option(help="Folder for the JSON file.")] = RESULTS,
) -> None:
    """Measure, print, write JSON."""
    with tempfile.TemporaryDirectory() as name:
        chosen = cases(Path(name))
        rows = measure(chosen[1:3] if quick else chosen, 1 if quick else runs, Path(name))
    table = Table("lava-qsnn", "until", "processor time, s", "times the imports", "goal")
    for row in rows:
        found = "{median:.2f} ({low:.2f} .. {high:.2f})".format(**row["ratio"])
        goal = f"{row['goal']} {row['unit']}"
        table.add_row(" ".join(row["words"]), row["until"], f"{row['seconds']:.3f}", found, goal)
    console = Console()
    console.print(table)
    took = statistics.median(row["imports"] for row in rows)
    console.print(f"'{IMPORTS}' takes {took:.3f} s", highlight=False)
    console.print(f"wrote {write_json('import_time', {'imports': IMPORTS, 'rows': rows}, results)}")


if __name__ == "__main__":
    typer.run(main)
