"""One map over tasks: the answers as they come, each task's once."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from itertools import islice
from typing import TypeVar

from lava_qsnn.errors import ConfigurationError, RunError, printable
from lava_qsnn.tasks._job import BROKEN, REFUSED, Answer
from lava_qsnn.tasks._pools import Pool

Task = TypeVar("Task")

#: Seconds after which to look whether there is anybody left to wait for.
LOOK = 2.0


def computed(place: Pool, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer]]:
    """Compute tasks in a pool, and yield each with its answer as soon as it is known, in any order.

    Tasks are drawn one by one as there is room for them: they may depend on the answers before them, and be more than
    memory holds. The error of a task that was refused is raised; one that broke, twice, is an answer.

    Raises:
        RunError: the cluster is gone.
        Exception: the error of a task that would end in it again.
    """
    left, pending = iter(tasks), dict[Future[Answer], Task]()
    while True:
        for task in islice(left, max(0, place.ahead - len(pending))):
            pending[place.submit(pickle.dumps(task, 5))] = task
        if not pending:
            return
        for future in _done(place, list(pending)):
            yield pending.pop(future), _answer(future)


def in_order(place: Pool, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer]]:
    """As `computed`, in the order of the tasks; no more answers are held than the pool takes tasks ahead."""
    left, pending = iter(tasks), deque[tuple[Task, Future[Answer]]]()
    while True:
        for task in islice(left, max(0, place.ahead - len(pending))):
            pending.append((task, place.submit(pickle.dumps(task, 5))))
        if not pending:
            return
        task, future = pending.popleft()
        _done(place, [future])
        yield task, _answer(future)


def _done(place: Pool, pending: list[Future[Answer]]) -> set[Future[Answer]]:
    """Those that are done first; the pool is looked after while they are waited for."""
    while True:
        done, _ = wait(pending, LOOK, FIRST_COMPLETED)
        if done:
            return done
        place.check()


def _answer(future: Future[Answer]) -> Answer:
    """The answer of a task; a broken one if the machines died that computed it.

    Raises:
        Exception: the error of a task that was refused.
        RunError: the cluster has lost its tasks.
        ConfigurationError: a worker cannot read a task.
    """
    try:
        answer = future.result()
    except CancelledError as error:
        raise RunError(
            "the cluster has lost its tasks", remedy="see whether its scheduler runs, and go on where it was"
        ) from error
    except RunError:
        raise
    except Exception as error:  # of Dask's
        if type(error).__name__ == "KilledWorker":
            died = RunError(f"worker after worker died of a task ({printable(str(error))})")
            return Answer(BROKEN, pickle.dumps(died), 0.0)
        raise ConfigurationError(
            f"a worker cannot read a task ({type(error).__name__}: {error})",
            remedy="install the same versions of this project and of Dask on client, scheduler and workers",
        ) from error
    if answer.kind == REFUSED:
        answer.value()
    return answer
