"""A model of many workers, fed with measured costs: a simulation of events, with the sizes of parts that are in use.

A part of n samples passes through the scheduler, which handles one at a time: `task` seconds, and its bytes. Then a
worker computes it: `run` seconds, and `sample` seconds for each sample; before its first part it starts up. Each worker
has the cores that one run keeps busy to itself.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from netx_export._many import MOST_BYTES, TARGET, Pace

#: Parts that are simulated one by one, besides some for each worker.
MIDDLE = 1000


@dataclass(frozen=True)
class Costs:
    """The measured costs of computing samples on a cluster.

    Args:
        task: seconds that the scheduler and the client need for a task without content.
        second_of_bytes: bytes that pass through them in a second.
        run: seconds that a part costs, however small it is.
        sample: seconds for each of its samples.
        start: seconds from a worker's first part to the beginning of its first run: its process, and its imports.
        input_bytes, output_bytes: of a sample, on their way.
    """

    task: float
    second_of_bytes: float
    run: float
    sample: float
    start: float
    input_bytes: float
    output_bytes: float

    @property
    def most(self) -> int:
        """Samples of the largest part."""
        return max(1, int(MOST_BYTES // self.input_bytes))

    def passage(self, samples: int) -> float:
        """Seconds for which a part keeps the scheduler busy."""
        return self.task + samples * (self.input_bytes + self.output_bytes) / self.second_of_bytes

    def work(self, samples: int) -> float:
        """Seconds for which a part keeps a worker busy."""
        return self.run + samples * self.sample


@dataclass(frozen=True)
class Outcome:
    """A modelled computation.

    Args:
        seconds: from the first part to the last answer.
        parts: number of parts.
        scheduler: fraction of the time in which the scheduler was busy.
        computing: fraction of the workers' time that went into samples, not into starts, runs and waiting.
    """

    seconds: float
    parts: int
    scheduler: float
    computing: float

    @property
    def bound(self) -> str:
        """The cause that it is not faster."""
        if self.scheduler > 0.9:
            return "scheduler"
        return "workers" if self.computing > 0.8 else "starts, runs and the last parts"


def simulate(costs: Costs, workers: int, samples: int) -> Outcome:
    """Compute so many samples on so many workers.

    Of more than some hundred parts for each worker, those in the middle are alike: what comes beyond is as fast as the
    second half of these.
    """
    every = max(1, min(costs.most, int(TARGET / costs.sample)))
    most = every * (MIDDLE + 20 * workers)
    if samples <= 2 * most:
        return events(costs, workers, samples)
    one, two = events(costs, workers, most), events(costs, workers, 2 * most)
    times = (samples - 2 * most) / most
    seconds = two.seconds + times * (two.seconds - one.seconds)
    busy = two.seconds * two.scheduler + times * (two.seconds * two.scheduler - one.seconds * one.scheduler)
    parts = two.parts + int(times * (two.parts - one.parts))
    return Outcome(seconds, parts, busy / seconds, samples * costs.sample / (workers * seconds))


def events(costs: Costs, workers: int, samples: int) -> Outcome:
    """Compute so many samples on so many workers, event by event.

    A worker that is free takes the next part as soon as the scheduler is free, too; parts are sized by `Pace` from what
    those before them took.
    """
    pace, free = Pace(costs.most), [(0.0, worker) for worker in range(workers)]
    running = list[tuple[float, int, float]]()  # the end of a part, its samples, and its seconds
    started = set[int]()
    left, parts, scheduler_free, scheduler_busy, end = samples, 0, 0.0, 0.0, 0.0
    while left:
        time, worker = heapq.heappop(free)
        while running and running[0][0] <= time:
            _, size, seconds = heapq.heappop(running)
            pace.measured(size, seconds)
        size = pace.size(left, workers)
        passage, work = costs.passage(size), costs.work(size)
        scheduler_free = max(time, scheduler_free) + passage
        done = scheduler_free + work + (0.0 if worker in started else costs.start)
        started.add(worker)
        heapq.heappush(running, (done, size, work))
        heapq.heappush(free, (done, worker))
        left, parts, scheduler_busy, end = left - size, parts + 1, scheduler_busy + passage, max(end, done)
    return Outcome(end, parts, scheduler_busy / end, samples * costs.sample / (workers * end))


def stops(costs: Costs) -> int:
    """The number of workers beyond which the scheduler is the bound: as many largest parts as it passes meanwhile."""
    return max(1, int(costs.work(costs.most) / costs.passage(costs.most)) + 1)
