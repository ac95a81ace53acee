"""Samples side by side: the same integers for every number of threads, on every path, and cores used as they may be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import netx_export
from lava_qsnn import engines, integer
from lava_qsnn.engines import _fast, _history, _packed, _threads, _tiled
from lava_qsnn.errors import ConfigurationError, InputError, RangeError
from tests.helpers import dynamics, tiles
from tests.helpers.kinds import every_kind, inputs
from tests.test_fast import one_bit_network

CORES = 4
ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def many_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As many cores as no machine that runs the tests need have, and work that pays at once."""
    monkeypatch.delenv(_threads.VARIABLE, raising=False)
    with patch.object(_threads, "cores", lambda: CORES), patch.object(_threads, "LEAST", 1.0):
        yield


@pytest.fixture
def at_work() -> Iterator[set[str]]:
    """The names of the threads that have computed."""
    names: set[str] = set()
    run = _fast._run

    def noting(*arguments: Any) -> Any:
        names.add(threading.current_thread().name)
        return run(*arguments)

    with patch.object(_fast, "_run", noting):
        yield names


@pytest.fixture(params=["tiles", "counted bits", "numpy alone"])
def path(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each path of the engine, see `tests/test_fast.py`."""
    stand_in = _tiled.compiled() or tiles
    with (
        patch.object(_tiled, "compiled", lambda: stand_in if request.param == "tiles" else None),
        patch.object(_packed, "compiled", (lambda: None) if request.param == "numpy alone" else _packed.compiled),
        patch.object(_history, "compiled", (lambda: None) if request.param == "numpy alone" else _history.compiled),
    ):
        yield request.param


def assert_threads_agree(network: integer.IntegerNetwork, x: np.ndarray, counts: tuple[int, ...] = (1, 2, 3)) -> None:
    expected = integer.run_reference(network, x)
    for threads in counts:
        found = engines.run_fast(network, x, threads=threads)
        assert all(np.array_equal(found[name], values) for name, values in expected.items())


def test_every_path_gives_the_same_integers(path: str) -> None:
    x = np.random.default_rng(1).integers(0, 10, (9, 2, 7, 7, 6))
    assert all(len(np.unique(values)) > 1 for values in integer.run_reference(one_bit_network(), x).values())
    assert_threads_agree(one_bit_network(), x)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, ">u8"])
def test_every_integer_type_and_number_of_threads(dtype: Any) -> None:
    x = np.random.default_rng(1).integers(0, 2, (37, 2, 7, 7, 6)).astype(dtype)
    assert_threads_agree(one_bit_network(), x, (1, 2, 3, 4, 99))


def test_every_kind_of_synapse_and_layers_that_feed_back() -> None:
    assert_threads_agree(every_kind(), inputs(every_kind(), 23))
    assert_threads_agree(dynamics.circles(), dynamics.batch(dynamics.circles(), 23))


@pytest.mark.parametrize("kind", ["cuba", "cuba_readout", "sigma", "delta", "sigma_delta", "rf", "rf_iz", "lif"])
def test_stock_neurons_and_delays(kind: str) -> None:
    random = np.random.default_rng(2)
    delayed = integer.DelayedDense(random.integers(-30, 31, (6, 5)), random.integers(0, 4, (6, 5)))
    link = integer.Connection("input", delayed, delay=1)
    made = integer.Layer("n", (link,), dynamics.neuron(random, kind, (6,)))
    network = integer.IntegerNetwork(integer.Input((5,), 9, -9), 12, (made,))
    assert_threads_agree(network, dynamics.batch(network, 23))


def test_threads_take_parts_and_one_sample_is_for_one(at_work: set[str]) -> None:
    network, x = one_bit_network(), np.ones((64, 2, 7, 7, 6), np.uint8)
    for _ in range(20):  # the caller may be so fast that no other gets a part
        engines.run_fast(network, x)
    assert len(at_work) > 1
    at_work.clear()
    for _ in range(20):
        engines.run_fast(network, x[:1])
        engines.run_fast(network, x, threads=1)
    assert at_work == {threading.main_thread().name}


def test_little_work_is_for_one_thread() -> None:
    with patch.object(_threads, "LEAST", 200_000):
        assert _threads.threads_that_pay(1000, 100, 8) == 1
        assert _threads.threads_that_pay(1000, 400, 8) == 2
        assert _threads.threads_that_pay(1e9, 1, 8) == 1
        assert _threads.threads_that_pay(1e9, 3, 8) == 3
        assert _threads.threads_that_pay(1e9, 1000, 8) == 8


def test_the_cost_of_a_sample_is_counted_then_the_least_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0, 1000, 2600, 3000, 9000, 9000, 9800])
    monkeypatch.setattr(_threads, "thread_time_ns", lambda: next(clock))
    cost, seen = _threads.Cost(7.0), []
    for samples in (8, 16, 32, 16):
        with cost.measured(samples):
            pass
        seen.append(cost.nanoseconds)
    assert seen == [7.0, 100.0, 100.0, 50.0], "of 8 samples, most would be what every part costs"


def test_threads_follow_what_was_measured() -> None:
    network, x = one_bit_network(), np.ones((64, 2, 7, 7, 6), np.uint8)
    engines.run_fast(network, x, threads=1)
    (prepared,) = _fast._PLANS[id(network)].values()
    assert prepared.cost.nanoseconds != _fast._cost(network, prepared.plan, 6)
    with patch.object(prepared.cost, "nanoseconds", 1e-3), patch.object(_fast, "side_by_side") as split:
        engines.run_fast(network, x, threads=4)
    assert split.call_args.args[2] == 1


@pytest.mark.parametrize("samples", [1, 2, 7, 64, 1000])
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("most", [1, 3, 10**6])
@pytest.mark.parametrize("cost", [1.0, 1e6])
def test_parts_hold_every_sample_once(samples: int, threads: int, most: int, cost: float) -> None:
    found = _threads.parts(cost, samples, threads, most)
    assert [i for part in found for i in range(samples)[part]] == list(range(samples))
    assert all(0 < part.stop - part.start <= most for part in found)
    assert len(found) >= min(threads, samples) - (threads > 2)


def test_progress_comes_from_one_thread_at_a_time_and_grows_to_one() -> None:
    told: list[float] = []
    engines.run_fast(one_bit_network(), np.zeros((50, 2, 7, 7, 6), int), chunk=2**14, progress=told.append)
    assert told == sorted(told)
    assert len(told) > CORES
    assert told[-1] == 1.0


def test_an_error_of_any_thread_is_the_callers() -> None:
    network, x = one_bit_network(), np.zeros((40, 2, 7, 7, 6), int)
    x[33, 0, 0, 0, 0], x[3, 1, 0, 0, 0] = 12, 11
    with pytest.raises(InputError, match="values from 0 to 12 leave the range 0 to 9"):
        engines.run_fast(network, x, chunk=2**14)
    with patch.object(_fast, "_run", side_effect=RangeError("of some part")), pytest.raises(RangeError, match="part"):
        engines.run_fast(network, x * 0, chunk=2**14)
    assert engines.run_fast(network, x * 0, chunk=2**14)


def test_runs_at_the_same_time_do_not_wait_for_each_other_for_ever() -> None:
    network = one_bit_network()
    inputs = [np.random.default_rng(seed).integers(0, 10, (20, 2, 7, 7, 6)) for seed in range(8)]
    with ThreadPoolExecutor(8) as callers:
        found = list(callers.map(lambda x: engines.run_fast(network, x, layers=["out"])["out"], inputs))
    for x, values in zip(inputs, found):
        assert np.array_equal(values, integer.run_reference(network, x)["out"])


def blas_threads() -> set[int]:
    """Of numpy's own."""
    found = [each for each in threadpool_info() if each["user_api"] == "blas" and "numpy" in each["filepath"]]
    return {each["num_threads"] for each in found}


def test_blas_has_one_thread_beside_others_and_as_many_as_before_afterwards() -> None:
    before, seen, run = blas_threads(), [], _fast._run

    def looking(*arguments: Any) -> Any:
        seen.append(blas_threads())
        return run(*arguments)

    with patch.object(_fast, "_run", looking):
        engines.run_fast(one_bit_network(), np.zeros((20, 2, 7, 7, 6), int))
    assert seen
    assert all(threads == {1} for threads in seen)
    assert blas_threads() == before


def test_blas_is_held_until_the_last_run_ends() -> None:
    before = blas_threads()
    first, second = _threads.one_blas_thread(), _threads.one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert blas_threads() == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before


def test_without_threadpoolctl_layers_of_blas_have_one_thread(at_work: set[str]) -> None:
    with patch.object(_threads, "blas_controller", lambda: None), patch.object(_packed, "compiled", lambda: None):
        network, x = one_bit_network((1,)), np.ones((64, 2, 7, 7, 6), np.uint8)
        for _ in range(10):
            engines.run_fast(network, x)
    assert at_work == {threading.main_thread().name}


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_no_number_of_threads(threads: Any) -> None:
    network, x = one_bit_network(), np.zeros((2, 2, 7, 7, 6), int)
    for backend in ("fast", "reference"):
        with pytest.raises(ConfigurationError, match="threads must be an integer from 1"):
            netx_export.simulate(network, x, backend, threads=threads)
    with pytest.raises(ConfigurationError, match="threads must be an integer from 1"):
        engines.run_fast(network, x, threads=threads)


@pytest.mark.parametrize(
    ("variable", "threads"),
    [("1", 1), ("3", 3), ("2,4", 2), ("99", CORES), ("0", CORES), ("-2", CORES), ("many", CORES), ("", CORES)],
)
def test_the_environment_variable(variable: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_threads.VARIABLE, variable)
    assert _threads.thread_count() == threads
    assert _threads.thread_count(2) == 2  # who asks is not limited by it
    assert _threads.thread_count(99) == CORES


GROUPS = {
    "two and a half": ("0::/job\n", {"job/cpu.max": "250000 100000"}, [3]),
    "of a group around it": (
        "0::/slice/job\n",
        {"slice/cpu.max": "100000 100000", "slice/job/cpu.max": "max 100000"},
        [1],
    ),
    "none": ("0::/\n", {}, []),
    "none told": ("0::/job\n", {"job/cpu.max": "nonsense"}, []),
    "first version": (
        "4:cpu,cpuacct:/job\n2:memory:/job\n",
        {"cpu/job/cpu.cfs_quota_us": "200000\n", "cpu/job/cpu.cfs_period_us": "100000\n"},
        [2],
    ),
    "first version, none": (
        "4:cpu:/job\n",
        {"cpu/job/cpu.cfs_quota_us": "-1\n", "cpu/job/cpu.cfs_period_us": "100000\n"},
        [],
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_limits_of_control_groups(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, files, limits = GROUPS[name]
    (tmp_path / "own").write_text(own)
    for file, content in files.items():
        (tmp_path / "groups" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / file).write_text(content)
    monkeypatch.setattr(_threads, "OWN_CGROUP", tmp_path / "own")
    monkeypatch.setattr(_threads, "CGROUPS", tmp_path / "groups")
    assert list(_threads._cgroup_limits()) == limits


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_affinity() -> None:
    script = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    script += "from lava_qsnn.engines._threads import cores; print(cores())"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "1"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_computes_with_threads_of_its_own() -> None:
    network, x = one_bit_network(), np.ones((30, 2, 7, 7, 6), np.uint8)
    expected = engines.run_fast(network, x)["out"]
    child = os.fork()
    if not child:  # it must not return into the tests
        os._exit(0 if np.array_equal(engines.run_fast(network, x)["out"], expected) else 1)
    assert os.waitpid(child, 0)[1] == 0


#: Loops that were compiled, and an answer that does not depend on it.
COUNTING = """
import numba.core.dispatcher as d
import numpy as np
compiled = []
compile_ = d._FunctionCompiler.compile
d._FunctionCompiler.compile = lambda self, *a: compiled.append(self.py_func.__qualname__) or compile_(self, *a)
import netx_export
network = netx_export.load("zoo:digits")
x = np.random.default_rng(0).integers(0, network.input.maximum + 1, (9, *network.input.shape, network.timesteps))
found = netx_export.simulate(network, x, "fast", threads=2)
assert netx_export.__file__.startswith({folder!r}), netx_export.__file__
print(len(compiled), np.unique(found).size, found.ravel() @ np.arange(found.size))
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package in which nothing can be compiled: not even root makes a folder where there is a file."""
    folder = tmp_path_factory.mktemp("installation")
    for package in ("lava_qsnn", "netx_export"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "lava_qsnn" / "engines" / "__pycache__").write_text("")
    return folder


def count(installation: Path, home: Path) -> tuple[int, int, int]:
    """Compiled loops, different numbers, and a sum of the answer of a new process."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    found = subprocess.run(
        [sys.executable, "-c", COUNTING.replace("{folder!r}", repr(str(installation)))],
        capture_output=True,
        text=True,
        check=True,
        cwd=installation,
        env={**kept, "HOME": str(home), "PYTHONPATH": str(installation)},
    )
    loops, different, total = found.stdout.split()
    return int(loops), int(different), int(total)


@pytest.mark.slow
def test_a_second_process_compiles_nothing_where_the_package_cannot_be_written(
    installation: Path, tmp_path: Path
) -> None:
    """The compiled loops lie in the user's cache folder."""
    home = tmp_path / "home"
    home.mkdir()
    first, second = count(installation, home), count(installation, home)
    assert first[0] > 0
    assert second[0] == 0
    assert first[1:] == second[1:]
    assert first[1] > 5, "different numbers"
    assert list(home.rglob("*.nbi"))
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    assert count(installation, nowhere) == (0, *first[1:]), "numpy alone where there is no folder at all"


def test_every_loop_leaves_the_interpreter() -> None:
    """A loop that kept Python's lock would let one thread at a time compute."""
    folder = ROOT / "lava_qsnn" / "engines"
    written = [line for path in folder.glob("_*.py") for line in path.read_text("utf-8").splitlines()]
    loops = [line for line in written if line.startswith("@numba.njit")]
    assert len(loops) > 20
    assert all("nogil=True" in line for line in loops)
