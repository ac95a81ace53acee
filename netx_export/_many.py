"""Many samples, computed part by part on many workers: parts sized by measurement, and what became of each."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, LostSamplesError, RunError
from lava_qsnn.integer import IntegerNetwork, check_form, check_input
from lava_qsnn.tasks import BROKEN, Answer, Job, Journal, Pool, computed, pool
from netx_export._chunks import Chunk, chunk_size, chunks, is_batches, is_stored
from netx_export._schema import digest

#: Samples of the first parts, and the factor by which parts grow at the most.
FIRST, GROWTH = 4, 4

#: Seconds that a part should take: long beside what a run of Lava costs at its beginning and end, about one second, and
#: short enough to lose. At the end, where the last parts are shared out, it is as many seconds as are worth a run.
TARGET, WORTH = 20.0, 5.0

#: Bytes of a part's input at the most: it passes through a cluster's scheduler.
MOST_BYTES = 2**23


@dataclass(frozen=True)
class Many:
    """The place where many samples are computed, and whether an earlier run is to go on.

    Args:
        workers: processes beside each other on this machine; None for one, or for none but a cluster's.
        client: of a cluster of Dask's; or None.
        resume: go on with what a file keeps.
    """

    workers: int | None = None
    client: Any = None
    resume: bool = False

    @property
    def is_asked_for(self) -> bool:
        """True unless everything is to be computed here and now."""
        return self.workers is not None or self.client is not None or self.resume


class Pace:
    """Sizes of parts by measurement: what takes TARGET seconds at the best rate so far, and fair shares of the rest.

    The shares are those of guided self-scheduling (Polychronopoulos and Kuck, IEEE Trans. Computers 36, 1987): half
    of an equal share of what is left, so that all workers end at about one time.
    """

    def __init__(self, most: int) -> None:
        self._most, self._largest, self._rate = most, 0, 0.0

    def size(self, left: int, workers: int) -> int:
        """Samples of the next part, of so many that are left."""
        grown = max(FIRST, min(GROWTH * self._largest, int(TARGET * self._rate)))
        share = max(-(-left // (2 * workers)), int(WORTH * self._rate))
        return max(1, min(grown, share, self._most, left))

    def measured(self, samples: int, seconds: float) -> None:
        """Take note of what a part took."""
        self._largest = max(self._largest, samples)
        self._rate = max(self._rate, samples / max(seconds, 1e-6))


class Store(Protocol):
    """A keeper of what is computed."""

    def gaps(self) -> list[tuple[int, int]]:
        """Ranges (start, stop) of samples that are still to be computed."""

    def put(self, start: int, stop: int, value: Any) -> None:
        """Keep what was computed of a range of samples."""


class Done:
    """The samples that are done, of so many."""

    def __init__(self, samples: int) -> None:
        self._done = np.zeros(samples, bool)

    def mark(self, start: int, stop: int) -> None:
        """Note that a range is done; once."""
        assert not self._done[start:stop].any()
        self._done[start:stop] = True

    def restore(self, journal: Journal) -> None:
        """Note what a journal says is done.

        Raises:
            ConfigurationError: what it says makes no sense.
        """
        for record in journal.done:
            start, stop = record.get("start"), record.get("stop")
            if isinstance(start, int) and isinstance(stop, int) and 0 <= start < stop <= len(self._done):
                self.mark(start, stop)
            else:
                raise ConfigurationError(f"'{journal.path}' is damaged", remedy="delete it, and begin anew")

    @property
    def mask(self) -> NDArray[np.bool_]:
        """True for each sample that is done, (N,)."""
        return self._done

    def gaps(self) -> list[tuple[int, int]]:
        """The ranges that are not done."""
        edges = np.flatnonzero(np.diff(np.concatenate([[True], self._done, [True]]).astype(np.int8)))
        return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def checked(network: IntegerNetwork, x: Any) -> Any:
    """Samples of a known number that fit the network: an array, or one that lies on a disk, whose values come later."""
    if is_batches(x):
        raise ConfigurationError(
            "batches come one after the other", remedy="give an array, or one that lies on a disk, such as a memory map"
        )
    if not is_stored(x):
        return check_input(network, x)
    check_form(network, tuple(x.shape), x.dtype)
    return x


def about(network: IntegerNetwork, x: Any, **more: Any) -> dict[str, Any]:
    """Plain data that tell work on these samples from any other."""
    content = hashlib.sha256()
    for part in chunks(network, x):
        content.update(small(network, part).x.tobytes())
    return {"network": digest(network), "samples": list(x.shape), "input": content.hexdigest(), **more}


def fill(
    store: Store,
    network: IntegerNetwork,
    x: Any,
    job: Job,
    many: Many,
    name: str | None = None,
    progress: Callable[[float], None] | None = None,
    every_layer: bool = False,
) -> list[tuple[Chunk, RunError]]:
    """Compute what a store lacks, part by part, and return the parts that were lost, each with the reason.

    Args:
        store: takes what is computed.
        network: the network that computes.
        x: of `checked`.
        job: a function that takes Chunks of samples.
        many: where they are computed.
        name: of the output that is wanted, if the function returns several by their names.
        progress: called with the fraction done, 0 to 1.
        every_layer: what is computed of a sample is as large as all layers' outputs.
    """
    most = min(chunk_size(network, x, every_layer), max(1, MOST_BYTES // max(1, small(network, _first(x)).x.nbytes)))
    pace, lost, total = Pace(most), list[tuple[Chunk, RunError]](), x.shape[0]
    left = sum(stop - start for start, stop in store.gaps())
    with pool(job, many.workers, many.client) as place:
        for part, answer in computed(place, _drawn(network, x, store.gaps(), pace, place)):
            left -= len(part.x)
            if answer.kind == BROKEN:
                lost.append((part, lost_by(answer)))
                continue
            pace.measured(len(part.x), answer.seconds)
            value = answer.value()
            store.put(part.start, part.stop, value if name is None else value[name])
            if progress is not None:
                progress(1 - left / total)
    return lost


def lost_by(answer: Answer) -> RunError:
    """The error that a broken answer tells."""
    error = pickle.loads(answer.content)
    assert isinstance(error, RunError)
    return error


def refuse_lost(lost: Sequence[tuple[Chunk, RunError]], found: Any, kept: str) -> NoReturn:
    """Raise the error that tells which samples were lost, why, and where the others are."""
    ranges = sorted((part.start, part.stop) for part, _ in lost)
    shown = ", ".join(f"{start} to {stop - 1}" for start, stop in ranges[:10]) + (", .." if len(ranges) > 10 else "")
    count = sum(stop - start for start, stop in ranges)
    error = LostSamplesError(
        f"{count:,} samples were lost, tried twice: {shown}; the others are kept {kept}. The first of them: "
        f"{min(lost, key=lambda pair: pair[0].start)[1]}",
        remedy="mend the cause, and compute these samples alone; with a file, `resume` does",
    )
    error.samples, error.found = tuple(ranges), found
    raise error


def small(network: IntegerNetwork, part: Chunk) -> Chunk:
    """A part, checked, in the smallest type of integers that holds all inputs of the network."""
    low, high = network.input.minimum, network.input.maximum
    dtype = np.result_type(np.min_scalar_type(low), np.min_scalar_type(high))
    return Chunk(part.start, np.ascontiguousarray(check_input(network, part.x), dtype))


def packed(values: NDArray[np.int64]) -> NDArray[np.integer[Any]]:
    """The same integers in the smallest type that holds them, for their way."""
    return values.astype(np.result_type(np.min_scalar_type(values.min()), np.min_scalar_type(values.max())))


def _drawn(network: IntegerNetwork, x: Any, gaps: list[tuple[int, int]], pace: Pace, place: Pool) -> Iterator[Chunk]:
    """The parts of what is to be computed, each made when there is room for it."""
    left = sum(stop - start for start, stop in gaps)
    for start, stop in gaps:
        while start < stop:
            size = min(pace.size(left, place.size), stop - start)
            yield small(network, Chunk(start, np.asarray(x[start : start + size])))
            start, left = start + size, left - size


def _first(x: Any) -> Chunk:
    return Chunk(0, np.asarray(x[:1]))
