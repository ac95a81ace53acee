"""The child's side: a process that computes tasks for its parent, one after the other, until the parent is gone."""

from __future__ import annotations

import os
import pickle
import select
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from lava_qsnn.errors import QsnnError, RunError
from lava_qsnn.tasks._job import BROKEN, DONE, REFUSED, Answer


def main(handle: int) -> None:
    """Compute what comes through a connection: (digest, job or None if it is known, task), all pickled."""
    connection = Connection(handle)
    threading.Thread(target=_end_with_parent, args=(handle,), daemon=True).start()
    known: tuple[str, Callable[[Any, Any], Any], Any] | None = None
    while True:
        try:
            digest, job, task = connection.recv()
        except EOFError:
            return
        start = time.perf_counter()
        try:
            if known is None or known[0] != digest:
                known = (digest, *pickle.loads(job))
            start = time.perf_counter()
            value = known[1](known[2], pickle.loads(task))
            connection.send(Answer(DONE, pickle.dumps(value, 5), time.perf_counter() - start))
        except Exception as error:  # of whatever kind: it is the parent's to judge
            connection.send(_failure(error, time.perf_counter() - start))


def _end_with_parent(handle: int) -> None:
    """End at once when the other end of the connection is closed, in the midst of a task, too."""
    poll = select.poll()
    poll.register(handle, 0)  # nothing but the end is waited for
    poll.poll()
    os._exit(1)


def _failure(error: Exception, seconds: float) -> Answer:
    """An error of the project's own that is no broken run is final: the same task would end in it again."""
    if isinstance(error, QsnnError):
        return Answer(BROKEN if isinstance(error, RunError) else REFUSED, pickle.dumps(error), seconds)
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__)).strip()
    return Answer(BROKEN, pickle.dumps(RunError(f"a task failed: {text}")), seconds)
