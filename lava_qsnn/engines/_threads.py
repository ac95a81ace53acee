"""Threads of the fast engine: how many there are, and parts of the work computed side by side.

Compiled loops and numpy's release Python's global lock, so that threads compute at the same time. Numba's own threads
(`parallel=True`) end the process: on OpenMP if it forks afterwards, as Lava's runs do; on numba's own layer if two
callers meet. And they would leave what numpy computes on one core.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from time import thread_time_ns
from typing import TYPE_CHECKING, Any, TypeVar

from lava_qsnn.errors import ConfigurationError

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

#: The variable by which users and schedulers limit the threads of numerical programs, this one's, too.
VARIABLE = "OMP_NUM_THREADS"

#: The folder in which Linux shows control groups, and the file that says which one is this process's.
CGROUPS, OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")

#: Nanoseconds of work for which it pays to wake a thread, and to hold the interpreter's lock for a part's layers, some
#: 300,000: with 200,000, batches of 8 took up to twice as long on two.
LEAST = 1_000_000

#: Parts that a thread gets one after the other, if each is this many nanoseconds of work.
ROUNDS, ROUND = 2, 4_000_000

#: Samples of a part from which on its time tells of their cost, and not of what every part costs.
TELLING = 16

Part = TypeVar("Part")


def thread_count(threads: int | None = None) -> int:
    """The number of threads to compute with. This is the one place where it is decided.

    Args:
        threads: as many as a caller wants, but never more than `cores()`: more would only get into each other's way.
            None for the first number in the environment variable OMP_NUM_THREADS, as in OpenMP, or, where that is not
            set or says nothing of use, for all cores.

    Raises:
        ConfigurationError: `threads` is no integer from 1.
    """
    if threads is None:
        first = os.environ.get(VARIABLE, "").split(",")[0].strip()
        return min(int(first), cores()) if first.isdecimal() and int(first) else cores()
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ConfigurationError(
            f"threads must be an integer from 1, not {threads!r:.60}", remedy="leave it out for as many as pay"
        )
    return min(threads, cores())


def cores() -> int:
    """The number of cores that this process may use: by its affinity, and by the limit of its control groups."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *_limits_of_groups()]))


@cache
def _limits_of_groups() -> tuple[int, ...]:
    """Those of `_cgroup_limits`, read once: they take longer than a sample does."""
    return tuple(_cgroup_limits())


def _cgroup_limits() -> Iterator[int]:
    """Cores by the quota of this process's control group and those around it, a started core counted as one."""
    try:
        lines = OWN_CGROUP.read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = CGROUPS / "cpu" if controllers else CGROUPS
        below = top / group.strip("/")
        for folder in (below, *below.parents):
            if folder.is_relative_to(top):
                yield from _quota(folder)


def _quota(folder: Path) -> Iterator[int]:
    """The quota of one control group, of the second version or the first, if it has one."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text("utf-8").split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text("utf-8").strip() for name in ("quota", "period"))
    except (OSError, ValueError):
        return
    if quota.isdecimal() and period.isdecimal() and int(period):  # not "max", and not -1
        yield -(-int(quota) // int(period))


class Cost:
    """Nanoseconds that a sample takes on one core: counted roughly at first, then the least that was measured."""

    def __init__(self, counted: float) -> None:
        self.nanoseconds, self._is_measured = counted, False

    @contextmanager
    def measured(self, samples: int) -> Iterator[None]:
        """Take note of the processor time that this thread takes for so many samples."""
        start = thread_time_ns()
        yield
        if samples >= TELLING:
            found = (thread_time_ns() - start) / samples
            self.nanoseconds = min(found, self.nanoseconds) if self._is_measured else found
            self._is_measured = True


def threads_that_pay(cost: float, samples: int, threads: int) -> int:
    """As many threads, of those there are, as each get enough to do: the work of a call in a thread of its own.

    Args:
        cost: nanoseconds that a sample takes on one core, roughly.
        samples: how many there are.
        threads: that may be used.
    """
    return max(1, min(threads, samples, int(cost * samples / LEAST)))


def parts(cost: float, samples: int, threads: int, most: int) -> list[slice]:
    """Samples divided into parts for threads: as many for each, or several, so that one that is delayed gets fewer.

    Args:
        cost, samples, threads: as above.
        most: samples of a part.
    """
    size = most
    if threads > 1:
        rounds = max(1, min(ROUNDS, int(cost * samples / threads / ROUND)))
        count = threads * max(rounds, -(-samples // (most * threads)))
        size = -(-samples // count)
    return [slice(start, min(start + size, samples)) for start in range(0, samples, size)]


def side_by_side(compute: Callable[[Part], None], parts: Sequence[Part], threads: int) -> None:
    """Compute parts, each by the next thread that is free, the caller's among them; BLAS has one thread meanwhile.

    Raises:
        Exception: what `compute` raised; no part is begun after it.
    """
    from concurrent.futures import wait  # which takes a while

    waiting = iter(parts)

    def work() -> None:
        try:
            for part in waiting:  # to advance it is one step of the interpreter: no two threads get the same part
                compute(part)
        except BaseException:
            deque(waiting, maxlen=0)
            raise

    with one_blas_thread():
        others = [_pool(os.getpid(), threads).submit(work) for _ in range(min(threads, len(parts)) - 1)]
        try:
            work()
        finally:
            others = [other for other in others if not other.cancel()]  # of those that found no thread free
            wait(others)
    for other in others:
        other.result()


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads that wait for work, of this process: those of a process that was forked are gone."""
    from concurrent.futures import ThreadPoolExecutor  # one thread does without

    return ThreadPoolExecutor(threads - 1, "lava-qsnn")


@cache
def blas_controller() -> Any:
    """The libraries of matrix products, by threadpoolctl; None where it is not installed."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController().select(user_api="blas")


def can_hold_blas() -> bool:
    """True if threads beside BLAS would not multiply with its own: it can be held at one, or has but one core."""
    return blas_controller() is not None or cores() == 1


class _Held:
    """The runs that hold BLAS at one thread, and the limits to go back to when the last of them has ended."""

    lock, runs = Lock(), 0
    before: Any = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS at one thread as long as any run wants that, whichever ends first; not without threadpoolctl."""
    controller = blas_controller()
    if controller is None:
        yield
        return
    with _Held.lock:
        if _Held.runs == 0:
            _Held.before = controller.limit(limits=1)
        _Held.runs += 1
    try:
        yield
    finally:
        with _Held.lock:
            _Held.runs -= 1
            if _Held.runs == 0:
                _Held.before.restore_original_limits()
