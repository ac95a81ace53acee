"""One function runs a deployed network on every backend: same arrays in, same integers out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, QsnnError
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.tasks import BROKEN, Job, in_order, pool
from netx_export._answers import answers_to
from netx_export._backends import BACKENDS, Integers, check_backend
from netx_export._chunks import Chunk, after, chunks, is_batches, is_stored, known_length
from netx_export._kept import AnswersInFile, AnswersInMemory
from netx_export._many import Many, about, checked, fill, lost_by, packed, refuse_lost, small
from netx_export._options import Options
from netx_export._read import load

if TYPE_CHECKING:
    from distributed import Client

Array = NDArray[np.integer[Any]]

#: A deployed network, or the path of its file.
Given = IntegerNetwork | str | os.PathLike[str]


@overload
def simulate(network: Given, x: Array, backend: str = ..., *, out: Any = ..., **options: Any) -> Integers: ...


@overload
def simulate(
    network: Given, x: Iterable[Array], backend: str = ..., *, out: None = ..., **options: Any
) -> Iterator[Integers]: ...


@overload
def simulate(network: Given, x: Any, backend: str = ..., *, out: Any, **options: Any) -> Any: ...


def simulate(  # type: ignore[misc]  # the overloads name only those options that the answer's type depends on
    network: Given,
    x: Any,
    backend: str = "reference",
    *,
    out: Any = None,
    threads: int | None = None,
    time_limit: float | None = None,
    progress: Callable[[float], None] | None = None,
    grain: str = "sample",
    batch: int | None = None,
    workers: int | None = None,
    client: Client | None = None,
    resume: bool = False,
) -> Any:
    """Run a data set through a deployed network: an array, one that lies on a disk, or batches as they come.

    Args:
        network: a deployed network, or the path of its file.
        x: int (N, *input shape, T), 1 <= T <= network.timesteps, values from 0 to the network's input maximum. A
            memory map (`np.load(.., mmap_mode="r")`), an HDF5 data set or a zarr array is read a chunk of samples at
            a time; a loader, generator or other iterable of such batches, batch by batch.
        backend: a name from BACKENDS. The answer is the same for all; latency, flushing and sample boundaries are
            theirs to handle. The Lava backends build a run for each batch of an iterator, which takes seconds.
        out: where to write the answers as they come: the path of an .npy file, whose header counts what is in it at
            any time, or an integer array (N, *output shape, T) of numpy, h5py, zarr or the like. None to return them.
        threads: of `fast`, at most, but no more than there are cores; by default as many as pay, within the environment
            variable OMP_NUM_THREADS and the cores that affinity and control groups allow. The answer is the same. Other
            backends have processes or a thread of their own.
        time_limit: seconds after which a Lava run is ended; None for a generous estimate.
        progress: called now and then with the fraction done, 0 to 1, where the number of samples is known.
        grain: of `lava-async` and `lava-fused`, what a message is about: "sample", all time steps, for throughput, or
            "step", one of them, so that its answer leaves as soon as it is known.
        batch: of the same, samples per message; None for a good number.
        workers: processes that compute parts of the samples beside each other on this machine, whatever the backend.
        client: a `dask.distributed.Client` of a cluster whose workers compute them, in place of `workers`. The network
            travels once to each worker; one that differs from here in the version of anything that counts is refused.
        resume: with `out` the path of a file: go on where an earlier call was ended. What is done lies in `OUT.part`,
            and `OUT.journal` says what that is; `out` itself is there when all is done.

    Returns:
        int64 (N, *output shape, T): the potentials of a readout, or the spikes of a spiking last layer. Of batches,
        an iterator of such answers, one for each, computed when it is asked for. With `out`, the array written to,
        or the file as a memory map.

    Raises:
        ConfigurationError: there is no such backend, or what it runs on is not installed; `out` does not fit.
        DeploymentError, RangeError: the backend would not compute this network, or this input, exactly.
        InputError: x has the wrong dtype, shape or range, there is no batch, or reading x failed.
        OutputError: `out` cannot be written.
        RunError, TimeLimitError: a Lava run failed, or did not end in time.
        LostSamplesError: workers could not compute some samples, tried twice; it names them and keeps the others.

        Errors after the first chunk say how many samples were answered; what was written of them can be read.
    """
    network = network if isinstance(network, IntegerNetwork) else load(network)
    options = Options(False, time_limit, progress, grain, batch, threads)
    check_backend(network, backend)
    many = Many(workers, client, resume)
    if many.is_asked_for:
        return _by_workers(network, x, backend, options, many, out)
    if out is None and not is_stored(x) and not is_batches(x):
        return _simulate(network, x, backend, options)[network.output.name]
    answered = partial(_answers, network, backend=backend, options=options, samples=known_length(x))
    if out is None and is_batches(x):
        return answered(chunks(network, x))
    return _written(network, x, answered, out)


def _answers(
    network: IntegerNetwork, parts: Iterable[Chunk], backend: str, options: Options, samples: int | None
) -> Iterator[Integers]:
    """The answers of chunks, one after the other; they have so many samples in all, if that is known."""
    for part in parts:
        try:
            outputs = _simulate(network, part.x, backend, options.of_part(part.start, part.stop, samples))
        except QsnnError as error:
            raise after(error, part.start) from error
        yield outputs[network.output.name]


def compute_part(shared: tuple[IntegerNetwork, str, Options], part: Chunk) -> dict[str, Array]:
    """Compute a part of the samples, on a worker; the outputs that are wanted, by layer."""
    network, backend, options = shared
    outputs = _simulate(network, part.x, backend, options)
    return {name: packed(values) for name, values in outputs.items()}


def _by_workers(network: IntegerNetwork, x: Any, backend: str, options: Options, many: Many, out: Any) -> Any:
    """`simulate` on workers: by place where the samples are known, in order where they come in batches."""
    # Processes beside each other have a thread each, unless more are asked for.
    job = Job.of(compute_part, (network, backend, replace(options, progress=None, threads=options.threads or 1)))
    name = network.output.name
    is_file = isinstance(out, (str, os.PathLike))
    if many.resume and not is_file:
        raise ConfigurationError("there is nothing to go on with", remedy="let `out` be the path of an .npy file")
    if is_batches(x) or (out is not None and not is_file):
        answered = partial(_answers_in_order, network, job=job, many=many)
        return answered(chunks(network, x)) if out is None else _written(network, x, answered, out)
    x = checked(network, x)
    shape = (*network.shapes[name], x.shape[-1])
    if not is_file:
        store = AnswersInMemory(len(x), shape)
        return store.result(fill(store, network, x, job, many, name, options.progress))
    told = about(network, x, backend=backend)
    with AnswersInFile(out, x.shape[0], shape, told, many.resume) as file:
        return file.result(fill(file, network, x, job, many, name, options.progress))


def _answers_in_order(network: IntegerNetwork, parts: Iterable[Chunk], job: Job, many: Many) -> Iterator[Integers]:
    """The answers of chunks, one after the other, computed beside each other."""
    with pool(job, many.workers, many.client) as place:
        for part, answer in in_order(place, (small(network, part) for part in parts)):
            if answer.kind == BROKEN:
                refuse_lost([(part, lost_by(answer))], None, f"up to sample {part.start - 1}")
            yield answer.value()[network.output.name].astype(np.int64)


def _written(
    network: IntegerNetwork, x: Any, answered: Callable[[Iterable[Chunk]], Iterator[Integers]], out: Any
) -> Any:
    """`out`, or a new array, filled with a data set's answers as they come."""
    parts, samples = chunks(network, x), known_length(x)
    first = next(parts)
    shape = (*network.shapes[network.output.name], first.x.shape[-1])
    if out is None:
        out = np.empty((samples or 0, *shape), np.int64)
    with answers_to(out, shape, samples) as writer:  # before anything is computed in vain
        for answer in answered(chain([first], parts)):
            writer.write(answer)
    return writer.result()


def simulate_layers(
    network: Given,
    x: Array,
    backend: str = "reference",
    *,
    threads: int | None = None,
    time_limit: float | None = None,
    progress: Callable[[float], None] | None = None,
    grain: str = "sample",
    batch: int | None = None,
) -> dict[str, Integers]:
    """As `simulate` with an array, but the outputs of every layer by name, int64 (N, *shape, T) each."""
    network = network if isinstance(network, IntegerNetwork) else load(network)
    check_backend(network, backend)
    return _simulate(network, x, backend, Options(True, time_limit, progress, grain, batch, threads))


def _simulate(network: IntegerNetwork, x: Any, backend: str, options: Options) -> dict[str, Integers]:
    return BACKENDS[backend].engine(network, np.asarray(x), options)
