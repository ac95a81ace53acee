"""Pools that compute tasks: processes beside each other on this machine, or the workers of a cluster of Dask's.

A pool of this machine opens no port. What schedules, tries again where a machine is lost, and talks to machines is
Dask's, which needs the extra "cluster".
"""

from __future__ import annotations

import atexit
import math
import operator
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from lava_qsnn.errors import ConfigurationError, RunError
from lava_qsnn.extras import extra
from lava_qsnn.tasks._job import REFUSED, Answer, Job
from lava_qsnn.tasks._runner import Runners

if TYPE_CHECKING:
    from distributed import Client

#: More workers than this on one machine are a mistake.
MOST_WORKERS = 1024

#: Seconds within which a scheduler must answer.
TIMEOUT = 10.0

#: Seconds for which the number of a cluster's workers is taken for known.
RECENT = 1.0

#: Seconds for which a cluster may be without any worker, while they are started or started again.
PATIENCE = 300.0


class Pool(Protocol):
    """Computes tasks, `size` at once."""

    @property
    def size(self) -> int:
        """Tasks that are computed at once, at least 1."""

    @property
    def ahead(self) -> int:
        """Tasks to hand over at once, so that none of its workers waits for the next."""

    def submit(self, task: bytes) -> Future[Answer]:
        """Compute a pickled task of its job."""

    def check(self) -> None:
        """Raise a RunError if waiting makes no sense any more."""


class Local:
    """Processes beside each other on this machine."""

    def __init__(self, job: Job, workers: int) -> None:
        self.size = workers
        self.ahead = workers + 1
        self.runners = Runners()
        self._job = job
        self._threads = ThreadPoolExecutor(workers, "runner")

    def submit(self, task: bytes) -> Future[Answer]:
        return self._threads.submit(self.runners.compute, self._job, task)

    def check(self) -> None:
        """Nothing: a process that dies is noticed where it is waited for."""

    def end(self) -> None:
        """End all processes, whatever they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.runners.end()
        self._threads.shutdown()


class Cluster:
    """The workers of a cluster; the job travels once to each, and from there to the processes that compute."""

    def __init__(self, job: Job, client: Client) -> None:
        self._client = client
        self._executor = client.get_executor(pure=False)
        self._asked, self._threads = -math.inf, 0
        self._empty_since: float | None = None  # the first of the last answers that told of no worker
        # A task that keeps the job: what is only scattered would be lost with the last worker that has it.
        with _of_any_size():
            self._job = client.submit(_kept, job, key=f"lava-qsnn-{job.digest}", pure=True)

    @property
    def size(self) -> int:
        if monotonic() - self._asked > RECENT:
            self._ask()
        return max(1, self._threads)

    @property
    def ahead(self) -> int:
        return 2 * self.size

    def submit(self, task: bytes) -> Future[Answer]:
        return self._executor.submit(compute_on_worker, self._job, task)

    def check(self) -> None:
        """Raise RunError once there have been no workers for PATIENCE, as far as was asked."""
        self._ask()
        if self._empty_since is not None and self._asked - self._empty_since > PATIENCE:
            raise RunError(
                f"the cluster at {_address(self._client)} has been without workers for {PATIENCE:g} s",
                remedy="start workers that can reach the scheduler, and go on where it was",
            )

    def _ask(self) -> None:
        """Ask how many threads the workers have."""
        self._threads = sum(_answer(self._client, self._client.nthreads).values())
        self._asked = monotonic()
        if self._threads:
            self._empty_since = None
        elif self._empty_since is None:
            self._empty_since = self._asked

    def end(self) -> None:
        """Give up what is still pending."""
        self._executor.shutdown(wait=False)
        self._job.release()


@contextmanager
def pool(job: Job, workers: int | None = None, client: Client | None = None) -> Iterator[Pool]:
    """A place to compute the tasks of a job, for one `with` block: processes of this machine, or a cluster's workers.

    Args:
        job: the function of its tasks.
        workers: processes beside each other on this machine; 1 by default.
        client: of a cluster, in place of them.

    Raises:
        ConfigurationError: `workers` is no whole number from 1 to MOST_WORKERS, there are both, or `client` is none.
    """
    place = _local(job, workers) if client is None else _cluster(job, workers, client)
    try:
        yield place
    finally:
        place.end()


def _local(job: Job, workers: int | None) -> Local:
    return Local(job, 1 if workers is None else checked_workers(workers))


def _cluster(job: Job, workers: int | None, client: Any) -> Cluster:
    if workers is not None:
        raise ConfigurationError(
            "both workers of this machine and a cluster are asked for", remedy="leave one of workers and client out"
        )
    with extra("cluster"):
        from distributed import Client

    if not isinstance(client, Client) or client.asynchronous:
        raise ConfigurationError(
            f"client is a {type(client).__name__}", remedy="pass a dask.distributed.Client that is not asynchronous"
        )
    if client.status != "running":
        raise ConfigurationError(f"the client is {client.status}", remedy="pass one that is connected")
    return Cluster(job, client)


def checked_workers(workers: int) -> int:
    """A number of processes; ConfigurationError if it is none."""
    try:
        count = 0 if isinstance(workers, bool) else operator.index(workers)
    except TypeError:
        count = 0
    if not 1 <= count <= MOST_WORKERS:
        raise ConfigurationError(f"workers is {workers!r}", remedy=f"pass a whole number from 1 to {MOST_WORKERS}")
    return count


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client of the scheduler at an address, such as tls://host:8786, for one `with` block.

    Certificates are taken from Dask's configuration (distributed.comm.tls).

    Raises:
        ConfigurationError: the address is none, or nobody answers there within TIMEOUT.
    """
    import asyncio

    with extra("cluster"):
        from distributed import Client

    try:
        asyncio.run(_greet(address))  # a client that finds nobody would go on looking
        client = Client(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError, asyncio.TimeoutError) as error:
        raise ConfigurationError(
            f"no scheduler of Dask's answers at {address!r} within {TIMEOUT:g} s ({error})",
            remedy="start one with `dask scheduler`, or mend the address; tls:// needs certificates in Dask's "
            "configuration",
        ) from error
    with client:
        yield client


async def _greet(address: str) -> None:
    """Ask a scheduler who it is."""
    import asyncio

    from distributed.core import rpc
    from distributed.security import Security

    async with rpc(address, timeout=TIMEOUT, connection_args=Security().get_connection_args("client")) as scheduler:
        await asyncio.wait_for(scheduler.identity(), TIMEOUT)


def compute_on_worker(job: Job, task: bytes) -> Answer:
    """Compute a task on a worker of a cluster, in a process of its own that stays for the next task."""
    try:
        job.refuse_others()
    except ConfigurationError as error:
        return Answer(REFUSED, pickle.dumps(error), 0.0)
    return _runners().compute(job, task)


@cache
def _runners() -> Runners:
    found = Runners()
    atexit.register(found.end)
    return found


def _kept(job: Job) -> Job:
    return job


def _answer(client: Client, question: Callable[[], Any]) -> Any:
    """The answer of a scheduler; RunError if it is gone."""
    try:
        return question()
    except (OSError, RuntimeError, ValueError) as error:
        raise RunError(
            f"the scheduler at {_address(client)} does not answer any more ({error})",
            remedy="start it again, and go on where it was",
        ) from error


def _address(client: Client) -> str:
    return client.scheduler.address if client.scheduler is not None else "an unknown address"


@contextmanager
def _of_any_size() -> Iterator[None]:
    """Dask's warning of large graphs is meant for data; a network travels once."""
    import dask

    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "100 GB"}):
        yield
