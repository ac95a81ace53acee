"""One map over tasks: in processes beside each other on this machine, or on the workers of a cluster of Dask's.

    job = Job.of(function, shared)
    with pool(job, workers=2) as place:
        for task, answer in computed(place, tasks):
            print(task, answer.value())

A task is computed by `function(shared, task)` in a process of its own, which may start others, as Lava does. One that
dies, or ends in a RunError, is tried once more, and is reported then; the others are kept. Useful alone: nothing here
knows of networks. A `Journal` records what is done, so that work that was ended goes on where it was.
"""

from lava_qsnn.tasks._job import BROKEN, DONE, REFUSED, Answer, Job, versions
from lava_qsnn.tasks._journal import Journal, writing
from lava_qsnn.tasks._map import computed, in_order
from lava_qsnn.tasks._pools import MOST_WORKERS, Local, Pool, checked_workers, connected, pool

__all__ = [
    "BROKEN",
    "DONE",
    "MOST_WORKERS",
    "REFUSED",
    "Answer",
    "Job",
    "Journal",
    "Local",
    "Pool",
    "checked_workers",
    "computed",
    "connected",
    "in_order",
    "pool",
    "versions",
    "writing",
]
