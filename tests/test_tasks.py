"""One map over tasks: each is computed once, in a process of its own; what dies is told, and the rest is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lava_qsnn.errors import ConfigurationError, InputError, QsnnError, RunError
from lava_qsnn.tasks import BROKEN, DONE, Job, Local, computed, connected, pool
from tests.helpers import tasks as some
from tests.helpers.tasks import cluster, ends, is_alive


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with cluster() as found:
        yield found


@pytest.fixture(params=["workers", "client"])
def place(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Arguments of a pool: processes of this machine, or a cluster's."""
    return {"workers": 2} if request.param == "workers" else {"client": request.getfixturevalue("client")}


def answers(place: dict[str, Any], function: Any, shared: Any, tasks: Any) -> dict[int, Any]:
    """Values by task, or the text of the error that a task ended in; no task is answered twice."""
    found: dict[int, Any] = {}
    with pool(Job.of(function, shared), **place) as where:
        for task, answer in computed(where, tasks):
            assert task not in found
            try:
                found[task] = answer.value()
            except RunError as error:
                found[task] = str(error)
    return found


def test_every_task_is_answered_once(place: dict[str, Any]) -> None:
    assert answers(place, some.power, 3, range(50)) == {number: number**3 for number in range(50)}


def test_tasks_share_processes_of_their_own(place: dict[str, Any]) -> None:
    pids = {pid for _, pid in answers(place, some.whose, None, range(30)).values()}
    assert 1 <= len(pids) <= 2
    assert os.getpid() not in pids


def test_tasks_may_start_processes_that_fork(place: dict[str, Any]) -> None:
    """As Lava's runs do; Dask's workers may not have any."""
    assert answers(place, some.forks, None, range(4)) == {task: task + 1 for task in range(4)}


def test_a_task_whose_process_dies_is_tried_again(place: dict[str, Any], tmp_path: Path) -> None:
    assert answers(place, some.dies_once, str(tmp_path), range(3)) == {0: 0, 1: 1, 2: 2}
    for task in range(3):
        pids = (tmp_path / str(task)).read_text().split()
        assert len(pids) == len(set(pids)) == 2


def test_a_task_that_always_dies_is_told_and_the_others_are_kept(place: dict[str, Any]) -> None:
    found = answers(place, some.dies, None, range(8))
    assert "SIGKILL" in found.pop(3)
    assert found == {task: task for task in range(8) if task != 3}


def test_a_task_that_always_breaks_is_told_in_its_own_words(place: dict[str, Any]) -> None:
    found = answers(place, some.breaks, None, range(8))
    assert found.pop(3) == "it broke"
    assert len(found) == 7


def test_a_blunder_is_told_with_its_traceback(place: dict[str, Any]) -> None:
    told = answers(place, some.blunders, None, range(8))[3]
    assert "ZeroDivisionError" in told
    assert "in blunders" in told


def test_what_is_refused_ends_the_map_with_its_own_error(place: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="three is refused") as error:
        answers(place, some.refuses, None, range(8))
    assert (error.value.layer, error.value.remedy) == ("dense1", "leave it out")


def test_tasks_are_drawn_as_there_is_room(place: dict[str, Any]) -> None:
    """They may be more than memory holds, and depend on the answers before them."""
    drawn, known, most = 0, 0, 0

    def endless() -> Iterator[int]:
        nonlocal drawn, most
        while known < 40:
            drawn += 1
            most = max(most, drawn - known)
            yield drawn

    with pool(Job.of(some.power, 1), **place) as where:
        for _ in computed(where, endless()):
            known += 1
    assert drawn == known >= 40
    assert most <= 6


@settings(deadline=None, max_examples=20)
@given(st.binary(max_size=3000))
def test_jobs_are_told_apart_by_their_content(content: bytes) -> None:
    job = Job.of(some.power, content)
    assert job.digest == Job.of(some.power, content).digest
    assert job.digest != Job.of(some.power, content + b"0").digest
    assert job.digest != Job.of(some.slow, content).digest


PROGRAM = """
from lava_qsnn.tasks import Job, computed, pool

def square(_, number):
    return number**2

if __name__ == "__main__":
    with pool(Job.of(square, None), workers=1) as where:
        print(sorted(answer.value() for _, answer in computed(where, range(5))))
"""


@pytest.mark.parametrize("start", [["program.py"], ["-m", "program"]])
def test_a_program_s_own_functions_travel(start: list[str], tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run([sys.executable, *start], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[0, 1, 4, 9, 16]"


def test_what_cannot_travel_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot travel"):
        Job.of(lambda _, task: task, None)
    with pytest.raises(ConfigurationError, match="cannot travel"):
        Job.of(some.power, (number for number in range(3)))


def test_no_process_is_left() -> None:
    with pool(Job.of(some.whose, None), workers=2) as where:
        assert isinstance(where, Local)
        pids = {pid for _, answer in computed(where, range(8)) for _, pid in [answer.value()]}
        assert pids <= set(where.runners.pids)
    assert not any(map(is_alive, pids))


def test_an_end_does_not_wait_for_what_is_computed() -> None:
    where: Any
    with pytest.raises(ZeroDivisionError), pool(Job.of(some.slow, 600.0), workers=2) as where:  # noqa: PT012
        where.submit(b"\x80\x05K\x01.")
        where.submit(b"\x80\x05K\x01.")
        while len(where.runners.pids) < 2:
            pass
        pids = where.runners.pids
        1 // 0  # noqa: B018
    assert not any(map(is_alive, pids))


PARENT = """
from lava_qsnn.tasks import Job, pool
from tests.helpers.tasks import slow
with pool(Job.of(slow, 600.0), workers=1) as where:
    where.submit(b"\\x80\\x05K\\x01.")
    while not where.runners.pids:
        pass
    print(where.runners.pids[0], flush=True)
    import time; time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_their_parent_in_the_midst_of_a_task(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.send_signal(number)
        assert parent.wait(20) != 0
    assert ends(pid)


def test_other_versions_are_refused_by_name(client: Any) -> None:
    job = Job.of(some.power, 2)
    other = replace(job, versions=(*job.versions[1:], ("python", "2.7"), ("numba", "0.1")))
    with pytest.raises(ConfigurationError, match=r"python 2\.7 here, .*numba 0\.1 here, ") as error:  # noqa: SIM117
        with pool(other, client=client) as where:
            list(computed(where, range(4)))
    assert "numpy" not in str(error.value)
    assert dict(job.versions).keys() >= {"python", "numpy", "numba", "lava-qsnn"}


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True, 10**6])
def test_a_number_of_workers_is_checked(workers: Any) -> None:
    with pytest.raises(ConfigurationError, match="workers is"), pool(Job.of(some.power, 2), workers=workers):
        pass


def test_a_client_is_checked(client: Any) -> None:
    with pytest.raises(ConfigurationError, match="client is a str"), pool(Job.of(some.power, 2), client="here"):
        pass
    with pytest.raises(ConfigurationError, match="both"), pool(Job.of(some.power, 2), workers=2, client=client):
        pass


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", "", "tls://127.0.0.1:9"])
def test_a_scheduler_that_nobody_reaches_is_one_error(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lava_qsnn.tasks._pools.TIMEOUT", 0.5)
    with pytest.raises(ConfigurationError, match="no scheduler") as error, connected(address):
        pass
    assert isinstance(error.value, QsnnError)


def test_answers_tell_a_kind() -> None:
    with pool(Job.of(some.dies, None), workers=1) as where:
        kinds = {task: answer.kind for task, answer in computed(where, [1, 3])}
    assert kinds == {1: DONE, 3: BROKEN}
