"""Do the tests notice? Small faults, put one by one into the integer core, engines, folding, file and quantizers.

    python -m benchmarks.mutants [MODULE ...] [--only new | survived] [--jobs 2]

Every comparison, operator, number, sign and condition of the modules is changed once (`_mutation`), and the quick tests
that run the changed line judge it: each mutant in a process of its own, which forks from one that has imported and run
everything before; first the test that found it the last time, then those that found others in the same function, then
the fastest. What survives lacks an assertion, or is equivalent: `equivalent_mutants.yaml` lists those, with the reason.

Verdicts are kept in `runs/mutants.jsonl`: an interrupted run goes on with `--only new`, and a whole run after a change
starts with the tests that know. It ends with the table, the survivors, and exit code 1 if too many survived, or if one
is listed as equivalent that is not.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import json
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from enum import Enum
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any

import coverage
import pytest
import typer
import yaml
from _pytest.runner import runtestprotocol
from _pytest.warnings import catch_warnings_for_item
from rich.console import Console
from rich.table import Table

from benchmarks._mutation import Mutant, mutants

#: All that is judged. `_tiled` is left out: where the processor has no matrix unit for bytes, no test reaches it.
CORE = ("taps", "threshold", "dtypes", "values", "network", "components", "reference", "limits", "kinds")
NEURONS, SYNAPSES = ("neuron", "memory_free", "quantized_lif"), ("synapse", "kinds", "pooling", "product")
FILES = ("fold", "schema", "encode", "write", "read", "describe", "export")
HDF5 = ("bytes", "contents", "file", "heap", "links", "lookup3", "other_values", "others", "tables", "values")
ENGINES = ("_packed", "_kernels", "_wires", "_stored", "_forms", "_fast", "layerwise", "message_format")
MODULES = [
    *(f"lava_qsnn.integer._{name}" for name in CORE),
    "lava_qsnn.integer.layouts",
    *(f"lava_qsnn.integer.neurons._{name}" for name in NEURONS),
    *(f"lava_qsnn.integer.synapses._{name}" for name in SYNAPSES),
    *(f"lava_qsnn.integer.stock._{name}" for name in ("lowering", "arrays")),
    "lava_qsnn.quantize",
    *(f"netx_export._{name}" for name in FILES),
    *(f"netx_export._hdf5._{name}" for name in HDF5),
    *(f"lava_qsnn.engines.{name}" for name in ENGINES),
]

#: Files with the tests that judge, and what they do not run: random networks take seconds, where the tests of limits
#: take milliseconds, and find as much.
TESTS = (
    "tests/limits",
    *(
        f"tests/test_{name}.py"
        for name in ("threshold", "kernels", "input", "quantize", "fold", "quantized_lif", "blocks", "file", "fast")
    ),
    *("tests/test_file_reader.py", "tests/test_contract.py"),
)
LEFT_OUT = (
    *("fast.py::test_dense_networks", "fast.py::test_convolutional_networks", "fast.py::test_stored_potentials["),
    *("fast.py::test_residual_blocks", "file.py::test_flipped_bytes", "file.py::test_one_bit_weights"),
    *("file_reader.py::test_every_tree", "file_reader.py::test_groups_of_any_size", "file_reader.py::test_mutants"),
    "quantize.py::test_taps_added_one_by_one",
)

#: Every verdict, line by line; the last one on a mutant counts.
RECORD = Path("runs/mutants.jsonl")
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.yaml")

#: The share that is to be found of all that are not equivalent.
GOAL = 0.95

#: Processor seconds that a test may take with a fault in it: so many, and so many times those without. Then it hangs.
PATIENCE = (5.0, 10.0)

#: Processor seconds of tests, the fastest first, by which a mutant is found, or has survived.
BUDGET = 20.0

Record = dict[tuple[str, str], dict[str, Any]]


class Only(str, Enum):
    """The mutants to judge."""

    ALL = "all"
    NEW = "new"
    SURVIVED = "survived"


#: Verdicts that are not asked for again.
DONE = {Only.ALL: set[str](), Only.NEW: {"found", "timeout", "survived"}, Only.SURVIVED: {"found", "timeout"}}


class Judge:
    """A pytest plugin that, instead of running the tests once, runs them against every mutant."""

    def __init__(self, chosen: list[Mutant], record: Record, jobs: int) -> None:
        self.chosen, self.record, self.jobs = chosen, record, jobs
        self.finders: dict[str, list[str]] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        self.seconds, self.reached = _reached(session.items, sorted({mutant.module for mutant in self.chosen}))
        workers = [self._fork(number) for number in range(self.jobs)]
        failed = [worker for worker in workers if os.waitpid(worker, 0)[1]]
        assert not failed, "a worker failed: see its traceback above"
        return True

    def _fork(self, number: int) -> int:
        if worker := os.fork():
            return worker
        try:
            for mutant in self.chosen[number :: self.jobs]:
                self._judge(mutant)
            os._exit(0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)

    def _judge(self, mutant: Mutant) -> None:
        start, tests = time.perf_counter(), self._tests(mutant)
        verdict, test = self._verdict(mutant, tests)
        if verdict != "survived":
            self.finders.setdefault(mutant.scope, []).insert(0, test)
        facts = {"line": mutant.lines.start, "verdict": verdict, "test": test, "tests": len(tests)}
        line = {"module": mutant.module, "mutant": mutant.name, **facts, "seconds": time.perf_counter() - start}
        with RECORD.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _tests(self, mutant: Mutant) -> list[str]:
        """The tests that run a mutant's lines, those first that are likely to find it; all, if imports run them."""
        lines = self.reached[mutant.module]
        some = {test for line in mutant.lines for test in lines.get(line, ())}
        if mutant.imported:
            some = {test for tests in lines.values() for test in tests}
        before = self.record.get((mutant.module, mutant.name), {}).get("test", "")
        likely = [before, *self.finders.get(mutant.scope, [])]
        tests = self.items if mutant.imported else some
        order = sorted(
            tests, key=lambda test: (test not in likely, test != before, test not in some, self.seconds[test])
        )
        spent = accumulate(self.seconds[test] for test in order)
        return [test for test, total in zip(order, spent) if total <= BUDGET]

    def _verdict(self, mutant: Mutant, tests: list[str]) -> tuple[str, str]:
        """Run tests in a child until one fails: what became of the mutant, and by which test."""
        read, write = os.pipe()
        if not (child := os.fork()):
            self._child(mutant, tests, write)
        os.close(write)
        with os.fdopen(read) as told:
            begun = told.read().split()
        status = os.waitpid(child, 0)[1]
        if not begun:
            return "found", "import"
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
            return "timeout", tests[int(begun[-1])]
        return ("found", tests[int(begun[-1])]) if status else ("survived", "")

    def _child(self, mutant: Mutant, tests: list[str], told: int) -> None:
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            resource.setrlimit(resource.RLIMIT_AS, (_memory() + 2**32,) * 2)  # a fault may ask for all there is
            gc.disable()
            mutant.plant()
            os.write(told, b"-1 ")
            for index, test in enumerate(tests):
                os.write(told, f"{index} ".encode())
                signal.setitimer(signal.ITIMER_PROF, PATIENCE[0] + PATIENCE[1] * self.seconds[test])
                if not _passes(self.items[test]):
                    os._exit(1)
            os._exit(0)
        finally:
            os._exit(1)


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _passes(item: pytest.Item) -> bool:
    """Run a test as pytest does, with warnings as it has them, but without telling anybody."""
    with catch_warnings_for_item(item.config, item.ihook, when="runtest", item=item):
        return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def _reached(items: list[pytest.Item], modules: list[str]) -> tuple[dict[str, float], dict[str, dict[int, list[str]]]]:
    """Run every test once, without faults: its processor seconds, and the tests that run each line of each module."""
    files = {module: str(inspect.getsourcefile(importlib.import_module(module))) for module in modules}
    seconds = {}
    measure = coverage.Coverage(data_file=None, include=list(files.values()))
    with measure.collect():
        for item in items:
            measure.switch_context(item.nodeid)
            start = time.process_time()
            assert _passes(item), f"{item.nodeid} fails without any fault"
            seconds[item.nodeid] = time.process_time() - start
    data = measure.get_data()
    return seconds, {module: data.contexts_by_lineno(file) for module, file in files.items()}


def _all(modules: list[str]) -> Iterator[Mutant]:
    for module in modules:
        yield from mutants(module, inspect.getsource(importlib.import_module(module)))


def _record() -> Record:
    lines = [json.loads(line) for line in RECORD.read_text().splitlines()] if RECORD.exists() else []
    return {(line["module"], line["mutant"]): line for line in lines}


def _equivalent() -> dict[tuple[str, str], str]:
    """Reasons why mutants cannot be found, by module and name."""
    entries = yaml.safe_load(EQUIVALENT.read_text())
    return {(each["module"], name): each["because"] for each in entries for name in each["mutants"]}


def report(modules: list[str], console: Console) -> bool:
    """Print the table and the survivors; whether enough were found, and nothing is listed that should not be."""
    record, equivalent = _record(), _equivalent()
    table = Table("module", "mutants", "found", "timeout", "survived", "equivalent", "not judged", "share found")
    total, lines = Counter[str](), dict[str, list[str]]()
    for module in modules:
        count = Counter[str]()
        for mutant in _all([module]):
            key = (module, mutant.name)
            verdict = record.get(key, {}).get("verdict", "not judged")
            if equivalent.pop(key, None):
                if verdict != "survived":
                    lines.setdefault(f"listed as equivalent, but {verdict}", []).append(": ".join(key))
                verdict = "equivalent"
            elif verdict == "survived":
                lines.setdefault("survived", []).append(f"{module}:{mutant.lines.start} {mutant.name}")
            count[verdict] += 1
        total += count
        table.add_row(module, *_row(count))
    table.add_row("all", *_row(total))
    console.print(table)
    gone = [": ".join(key) for key in equivalent if key[0] in modules]
    for title, names in {**lines, **({"listed as equivalent, but gone": gone} if gone else {})}.items():
        console.print(f"\n{title}:", *names, sep="\n", markup=False, highlight=False, soft_wrap=True)
    return _share(total) >= GOAL and not gone and not lines.keys() - {"survived"}


def _row(count: Counter[str]) -> list[str]:
    kinds = ("found", "timeout", "survived", "equivalent", "not judged")
    return [str(count.total()), *(str(count[kind]) for kind in kinds), f"{_share(count):.1%}"]


def _share(count: Counter[str]) -> float:
    """The number found, of all that can be found; a test that does not end with a fault in it has found it, too."""
    noticed = count["found"] + count["timeout"]
    return noticed / max(noticed + count["survived"], 1)


def main(
    modules: Annotated[list[str] | None, typer.Argument(help="all by default")] = None,
    only: Annotated[Only, typer.Option(help="new: not judged yet; survived: the last time")] = Only.ALL,
    jobs: Annotated[int, typer.Option(help="processes at a time")] = 2,
    judge: Annotated[bool, typer.Option(help="--no-judge: only report what is recorded")] = True,
) -> None:
    """Judge all mutants of some modules, and report."""
    modules, record = modules or MODULES, _record()
    listed = _equivalent() if DONE[only] else {}
    done = {key for key, line in record.items() if line["verdict"] in DONE[only] or key in listed}
    chosen = [mutant for mutant in _all(modules) if (mutant.module, mutant.name) not in done]
    if chosen and judge:
        RECORD.parent.mkdir(exist_ok=True)
        files = [name for name in TESTS if Path(name).exists()]
        options = ["-q", "-s", "-m", "not lava and not slow", "-p", "no:cacheprovider", "--durations=0"]
        options += [f"--deselect=tests/test_{name}" for name in LEFT_OUT]
        status = pytest.main([*options, *files], plugins=[Judge(chosen, record, jobs)])
        assert status == pytest.ExitCode.OK, status
    sys.exit(not report(modules, Console(width=max(Console().width, 120))))


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.setdefault("HYPOTHESIS_PROFILE", "mutants")
    typer.run(main)
