"""Tasks for processes of their own: some are good, some die, break or are refused; and a cluster to run them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lava_qsnn.errors import InputError, RunError


def power(exponent: int, number: int) -> int:
    return number**exponent


def whose(_: Any, task: int) -> tuple[int, int]:
    return task, os.getpid()


def slow(seconds: float, number: int) -> int:
    time.sleep(seconds)
    return number


def dies(_: Any, task: int) -> int:
    """Task 3 kills its process, always."""
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def dies_once(folder: str, task: int) -> int:
    """Each task kills the process that is the first to compute it, and leaves a line for each time that it is begun."""
    path = Path(folder) / str(task)
    begun = path.exists()
    with path.open("a") as file:
        file.write(f"{os.getpid()}\n")
    if not begun:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def breaks(_: Any, task: int) -> int:
    if task == 3:
        raise RunError("it broke")
    return task


def blunders(_: Any, task: int) -> int:
    return 1 // (task - 3)


def refuses(_: Any, task: int) -> int:
    if task == 3:
        raise InputError("three is refused", layer="dense1", remedy="leave it out")
    return task


def forks(_: Any, task: int) -> int:
    """A process of the task's own, as Lava starts them, with the start method that Lava insists on."""
    multiprocessing.set_start_method("fork", force=True)
    queue: Any = multiprocessing.get_context("fork").SimpleQueue()
    child = multiprocessing.get_context("fork").Process(target=queue.put, args=(task + 1,))
    child.start()
    child.join()
    return int(queue.get())


@contextmanager
def cluster(workers: int = 2, **options: Any) -> Iterator[Any]:
    """Dask's local cluster as it comes, of daemonic worker processes that are spawned, and a client of it.

    Only, it waits for its workers: by default one that is away 15 seconds after a death is never started again, even if
    it was back in between and has just died once more.
    """
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"}),
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", **options) as found,
        Client(found, set_as_default=False) as client,
    ):
        yield client


def is_alive(pid: int) -> bool:
    """True if a process lives; one that has ended and is not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ends(pid: int, seconds: float = 20.0) -> bool:
    """True if a process ends within some seconds."""
    end = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_alive(pid)


def slow_part(shared: Any, part: Any) -> Any:
    """`compute_part`, which takes a while."""
    from netx_export._simulate import compute_part

    time.sleep(0.15)
    return compute_part(shared, part)


def deadly_part(shared: Any, part: Any) -> Any:
    """`compute_part`, whose process dies of samples that are 15 everywhere."""
    from netx_export._simulate import compute_part

    if (part.x == 15).all((1, 2)).any():
        os.kill(os.getpid(), signal.SIGKILL)
    return compute_part(shared, part)


def deadly_verification(shared: Any, part: Any) -> Any:
    """The same of `verify_part`."""
    from netx_export._verify import verify_part

    if (part.x == 15).all((1, 2)).any():
        os.kill(os.getpid(), signal.SIGKILL)
    return verify_part(shared, part)
