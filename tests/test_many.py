"""Many samples on many workers: the reference's answers on every backend, whatever dies, and work that goes on."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import netx_export
from lava_qsnn.errors import ConfigurationError, InputError, LostSamplesError, OutputError
from lava_qsnn.integer import Connection, Dense, Input, IntegerNetwork, Layer, MemoryFree, Readout
from netx_export._many import FIRST, GROWTH, TARGET, Done, Pace
from tests.helpers import tasks as some
from tests.helpers.command import call
from tests.helpers.tasks import cluster, is_alive

ROOT = Path(__file__).parent.parent


def make_network(width: int = 12, steps: int = 4, seed: int = 0) -> IntegerNetwork:
    """Two layers of 1-bit weights and a readout of which stock NetX computes the same."""
    numbers = np.random.default_rng(seed)

    def dense(out: int, inputs: int) -> Dense:
        return Dense(numbers.choice([-1, 1], (out, inputs)))

    neuron = MemoryFree((8, 4, 2, 1), numbers.integers(-9, 20, width))
    layers = (
        Layer("dense1", (Connection("input", dense(width, 6)),), neuron),
        Layer("dense2", (Connection("dense1", dense(width, width)),), neuron),
        Layer("output", (Connection("dense2", dense(3, width)),), Readout((8, 4, 2, 1))),
    )
    return IntegerNetwork(Input((6,), 15), steps, layers)


def inputs(samples: int, steps: int = 4, seed: int = 1) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, 16, (samples, 6, steps))


@pytest.fixture(scope="module")
def network() -> IntegerNetwork:
    return make_network()


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with cluster() as found:
        yield found


@pytest.fixture(params=["workers", "client"])
def place(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"workers": 2} if request.param == "workers" else {"client": request.getfixturevalue("client")}


def truth(network: IntegerNetwork, x: NDArray[np.int64]) -> NDArray[np.int64]:
    expected = netx_export.simulate(network, x, "reference")
    assert np.unique(expected).size > 20
    return expected


@pytest.mark.parametrize("backend", ["reference", "fast"])
def test_workers_answer_what_the_reference_answers(
    network: IntegerNetwork, backend: str, place: dict[str, Any]
) -> None:
    x, told = inputs(3000), list[float]()
    answers = netx_export.simulate(network, x, backend, progress=told.append, **place)
    assert answers.dtype == np.int64
    assert (answers == truth(network, x)).all()
    assert told == sorted(told)
    assert len(told) > 3
    assert told[-1] == 1.0


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["lava", "netx", "lava-async", "lava-fused"])
def test_lava_runs_on_workers(network: IntegerNetwork, backend: str, place: dict[str, Any]) -> None:
    """On a cluster these are daemonic processes, which may have no children."""
    assert network.stock_exact
    x = inputs(20)
    assert (netx_export.simulate(network, x, backend, **place) == truth(network, x)).all()


def test_batches_are_answered_in_their_order(network: IntegerNetwork, place: dict[str, Any]) -> None:
    x = inputs(90)
    batches = np.split(x, [1, 30, 31, 80])
    answers = list(netx_export.simulate(network, iter(batches), "fast", **place))
    assert [len(answer) for answer in answers] == [1, 29, 1, 49, 10]
    assert (np.concatenate(answers) == truth(network, x)).all()


def test_data_on_a_disk_go_to_a_file(network: IntegerNetwork, place: dict[str, Any], tmp_path: Path) -> None:
    x = inputs(500).astype(np.uint8)
    np.save(tmp_path / "x.npy", x)
    stored = np.load(tmp_path / "x.npy", mmap_mode="r")
    answers = netx_export.simulate(network, stored, "fast", out=tmp_path / "y.npy", **place)
    assert (answers == truth(network, x)).all()
    assert (np.load(tmp_path / "y.npy") == answers).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy", "y.npy"]


def test_answers_go_to_an_array_that_is_given(network: IntegerNetwork) -> None:
    x, out = inputs(50), np.zeros((50, 3, 4), np.int32)
    assert netx_export.simulate(network, x, "fast", out=out, workers=2) is out
    assert (out == truth(network, x)).all()


def test_verify_counts_the_same_on_workers(network: IntegerNetwork, place: dict[str, Any]) -> None:
    x = inputs(300)
    names = ["reference", "fast"]
    report = netx_export.verify(network, x, names, **place)
    assert report == netx_export.verify(network, x, names)
    assert report.exact
    assert {row.values for row in report.rows} == {300 * 12 * 4, 300 * 3 * 4}


def test_a_layout_counts_the_same_on_workers(network: IntegerNetwork, place: dict[str, Any]) -> None:
    """Input of other numbers than 0 and 1 is in some parts, and makes multiplications of all of them."""
    x = inputs(200) % 2
    x[150:160] *= 9
    one = netx_export.layout(network, activity=x)
    other = netx_export.layout(network, activity=x, **place)
    assert one.traffic is not None
    assert other.traffic is not None
    assert other.traffic.as_dict() == one.traffic.as_dict()
    assert other.traffic.layers["dense1"].multiplications.all()
    assert (other.traffic.messages == one.traffic.messages).all()
    assert {name: flow.tolist() for name, flow in other.traffic.flows.items()} == {
        name: flow.tolist() for name, flow in one.traffic.flows.items()
    }


def test_refused_input_is_the_same_error(network: IntegerNetwork, place: dict[str, Any]) -> None:
    for x in (inputs(9) * 2, inputs(9)[:, :5], inputs(9).astype(float)):
        with pytest.raises(InputError) as here:
            netx_export.simulate(network, x, "fast")
        with pytest.raises(InputError) as there:
            netx_export.simulate(network, x, "fast", **place)
        assert str(here.value) == str(there.value)


# The sizes of parts, and what is done.


@settings(deadline=None)
@given(st.integers(1, 10**6), st.integers(1, 1000), st.floats(1e-3, 1e6), st.floats(0, 10), st.integers(1, 5000))
def test_parts_cover_everything_and_grow_to_their_time(
    samples: int, workers: int, rate: float, fixed: float, most: int
) -> None:
    pace, left, before = Pace(most), samples, 0
    for _ in range(200):
        if not left:
            break
        size = pace.size(left, workers)
        assert 1 <= size <= min(left, most)
        assert size <= max(FIRST, GROWTH * before)
        assert size <= FIRST or size / rate <= TARGET
        pace.measured(size, fixed + size / rate)
        before, left = max(before, size), left - size


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=50))
def test_gaps_are_what_is_not_done(flags: list[bool]) -> None:
    done = Done(len(flags))
    for index in np.flatnonzero(flags):
        done.mark(int(index), int(index) + 1)
    gaps = done.gaps()
    missing = [index for start, stop in gaps for index in range(start, stop)]
    assert missing == [index for index, flag in enumerate(flags) if not flag]
    assert all(one[1] < other[0] for one, other in pairwise(gaps))


# What dies.


def kill_at_random(over: threading.Event, count: int, pids: Callable[[], list[int]], killed: list[int]) -> None:
    """End processes by SIGKILL, one by one and at random times, while something is computed."""
    chance = random.Random(count)
    while len(killed) < count and not over.wait(chance.uniform(0.1, 0.8)):
        living = [pid for pid in pids() if pid not in killed and is_alive(pid)]
        if living:
            killed.append(chance.choice(living))
            os.kill(killed[-1], signal.SIGKILL)


def own_runners() -> list[int]:
    """The processes of tasks that this one has started itself."""
    threads = Path(f"/proc/{os.getpid()}/task").iterdir()
    below = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    return [pid for pid in below if b"lava_qsnn.tasks._child" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def living_workers(cluster: Any) -> list[int]:
    """The worker processes of a local cluster that its scheduler knows."""
    nannies = list(cluster.workers.values())
    return [nanny.pid for nanny in nannies if nanny.worker_address in cluster.scheduler.workers]


def computed_under_fire(
    network: IntegerNetwork, x: NDArray[np.int64], file: Path, place: dict[str, Any], kills: int
) -> tuple[NDArray[np.int64], int, int]:
    """Answers that are computed while processes are killed: answers, kills, and samples that were lost on the way.

    A part that was killed twice is told, and computed by going on. Who is killed: the processes of the tasks, or the
    workers of the cluster themselves.
    """
    pids = own_runners if "client" not in place else lambda: living_workers(place["client"].cluster)
    over, killed, lost = threading.Event(), list[int](), 0
    killer = threading.Thread(target=kill_at_random, args=(over, kills, pids, killed))
    killer.start()
    try:
        while True:
            try:
                answers = netx_export.simulate(network, x, "fast", out=file, resume=True, **place)
            except LostSamplesError as error:
                lost += sum(stop - start for start, stop in error.samples)
                continue
            return answers, len(killed), lost
    finally:
        over.set()
        killer.join()


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of some samples that take a while each."""
    monkeypatch.setattr("netx_export._simulate.compute_part", some.slow_part)
    monkeypatch.setattr("netx_export._many.MOST_BYTES", 24 * 8)


@pytest.mark.usefixtures("slowly")
def test_three_kills_lose_nothing(network: IntegerNetwork, place: dict[str, Any], tmp_path: Path) -> None:
    x = inputs(400)
    answers, killed, _ = computed_under_fire(network, x, tmp_path / "y.npy", place, 3)
    assert killed == 3
    assert (answers == truth(network, x)).all()


@pytest.mark.long
@pytest.mark.usefixtures("slowly")
def test_a_hundred_kills_lose_nothing(network: IntegerNetwork, place: dict[str, Any], tmp_path: Path) -> None:
    """Rounds of the same, until a hundred processes were killed: each answer is exact, each sample is there once."""
    killed = lost = rounds = 0
    while killed < 100:
        x = inputs(1500, seed=rounds)
        answers, more, told = computed_under_fire(network, x, tmp_path / f"{rounds}.npy", place, 100 - killed)
        assert (answers == truth(network, x)).all()
        killed, lost, rounds = killed + more, lost + told, rounds + 1
    print(f"{killed} kills in {rounds} rounds of 1,500 samples; {lost} samples were killed twice, told, and computed")


def test_samples_that_always_die_are_told_and_the_others_are_kept(
    network: IntegerNetwork, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netx_export._simulate.compute_part", some.deadly_part)
    x = inputs(60)
    x[41] = 15
    with pytest.raises(LostSamplesError, match=r"samples were lost, tried twice: .*SIGKILL") as error:
        netx_export.simulate(network, x, "fast", **place)
    ((start, stop),) = error.value.samples
    assert 0 < start <= 41 < stop <= 60, "parts grow with what is measured; the first are small"
    found = error.value.found
    assert found.mask[start:stop].all()
    assert found.mask.sum() == found[start:stop].size
    kept = np.r_[0:start, stop:60]
    assert (found[kept] == truth(network, x)[kept]).all()


def test_a_report_without_the_samples_that_always_die(
    network: IntegerNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("netx_export._verify.verify_part", some.deadly_verification)
    x = inputs(60)
    x[41] = 15
    with pytest.raises(LostSamplesError) as error:
        netx_export.verify(network, x, ["fast"], workers=2, record=tmp_path / "counts")
    ((start, stop),) = error.value.samples
    assert error.value.found == netx_export.verify(network, np.delete(x, slice(start, stop), 0), ["fast"])
    monkeypatch.undo()
    report = netx_export.verify(network, x, ["fast"], record=tmp_path / "counts", resume=True)
    assert report == netx_export.verify(network, x, ["fast"])


CLIENT = """
import sys
import numpy as np
import netx_export
import netx_export._many
netx_export._many.MOST_BYTES = 24 * 20
netx_export.simulate(sys.argv[1], np.load(sys.argv[2]), "reference", out=sys.argv[3], workers=1)
"""


def journaled(path: Path) -> list[dict[str, int]]:
    """List what is done, as far as the journal's lines are whole."""
    lines = path.read_bytes().split(b"\n")[1:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def test_a_client_that_is_killed_goes_on_where_it_was(network: IntegerNetwork, tmp_path: Path) -> None:
    x, file, out = inputs(20000), tmp_path / "some.net", tmp_path / "y.npy"
    netx_export.write(network, file)
    np.save(tmp_path / "x.npy", x)
    journal = out.with_name("y.npy.journal")
    command = [sys.executable, "-c", CLIENT, str(file), str(tmp_path / "x.npy"), str(out)]
    with subprocess.Popen(command, cwd=ROOT) as program:
        while len(journaled(journal)) < 20 and program.poll() is None:
            time.sleep(0.01)
        program.kill()
    done = journaled(journal)
    assert 20 <= len(done) < 1000
    assert not out.exists()
    with journal.open("a") as lines:  # half a line, as a machine without power leaves it
        lines.write('{"start": 19990, "st')

    with pytest.raises(ConfigurationError, match="holds what is done"):
        netx_export.simulate(network, x, "reference", out=out, workers=2)
    with pytest.raises(ConfigurationError, match="about other work: its input differs"):
        netx_export.simulate(network, inputs(20000, seed=5), "reference", out=out, resume=True)
    with pytest.raises(ConfigurationError, match="about other work: its network, backend differs"):
        netx_export.simulate(make_network(seed=5), x, "fast", out=out, resume=True)

    told = list[float]()
    answers = netx_export.simulate(network, x, "reference", out=out, resume=True, workers=2, progress=told.append)
    assert (answers == truth(network, x)).all()
    assert told[0] > sum(record["stop"] - record["start"] for record in done) / 20000  # none is computed again
    assert not journal.exists()


def test_two_programs_do_not_write_one_file(network: IntegerNetwork, tmp_path: Path) -> None:
    x, out = inputs(50), tmp_path / "y.npy"

    def meanwhile(_: float) -> None:
        with pytest.raises(ConfigurationError, match="another program is writing"):
            netx_export.simulate(network, x, "fast", out=out, resume=True)

    assert netx_export.simulate(network, x, "fast", out=out, workers=1, progress=meanwhile).shape == (50, 3, 4)


@pytest.fixture
def file_limit() -> Iterator[Callable[[int], None]]:
    """Sets the size that files may have: what exceeds it fails as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_too_small_is_told_before_anything_is_computed(
    network: IntegerNetwork, tmp_path: Path, file_limit: Callable[[int], None]
) -> None:
    told, x = list[float](), inputs(5000)
    file_limit(100_000)
    with pytest.raises(OutputError, match=r"y\.npy\.part' cannot be written: File too large"):
        netx_export.simulate(network, x, "fast", out=tmp_path / "y.npy", workers=1, progress=told.append)
    assert told == []


def test_a_disk_that_fills_up_loses_nothing(
    network: IntegerNetwork,
    tmp_path: Path,
    file_limit: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("netx_export._many.MOST_BYTES", 24 * 20)
    x, out, told = inputs(1000), tmp_path / "y.npy", list[float]()

    def fill_the_disk(fraction: float) -> None:
        told.append(fraction)
        if fraction > 0.3:
            file_limit(1000)

    with pytest.raises(OutputError, match="File too large"):
        netx_export.simulate(network, x, "fast", out=out, workers=1, progress=fill_the_disk)
    assert told[-1] < 0.4
    file_limit(resource.RLIM_INFINITY)
    answers = netx_export.simulate(network, x, "fast", out=out, resume=True, progress=told.append)
    assert (answers == truth(network, x)).all()


def test_resuming_needs_a_file(network: IntegerNetwork, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nothing to go on with"):
        netx_export.simulate(network, inputs(5), resume=True)
    with pytest.raises(ConfigurationError, match="nothing to go on with"):
        netx_export.verify(network, inputs(5), ["fast"], resume=True)
    with pytest.raises(ConfigurationError, match="batches come"):
        netx_export.verify(network, iter([inputs(5)]), ["fast"], workers=2)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"no name of an \.npy file"):
        netx_export.simulate(network, inputs(5), out=tmp_path / "y.txt", workers=1)
    (tmp_path / "y.npy.journal").write_text("something else\n")
    with pytest.raises(ConfigurationError, match="no journal"):
        netx_export.simulate(network, inputs(5), out=tmp_path / "y.npy", resume=True)


def test_the_command_runs_on_workers(
    network: IntegerNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = inputs(40)
    netx_export.write(network, tmp_path / "some.net")
    np.save(tmp_path / "x.npy", x)
    file, array, out = (str(tmp_path / name) for name in ("some.net", "x.npy", "y.npy"))
    chosen = ("--output", out, "--backend", "fast", "--workers", "2")
    assert "wrote (40, 3, 4) integers" in call(capsys, monkeypatch, "run", file, "--input", array, *chosen)[1]
    assert (np.load(out) == truth(network, x)).all()
    both = ("--workers", "2", "--cluster", "tcp://127.0.0.1:9")
    status, _, told = call(capsys, monkeypatch, "run", file, "--input", array, *both)
    assert status == 1
    assert "leave out --workers" in told
