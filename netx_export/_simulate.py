"""One function runs a deployed network on every backend: same arrays in, same integers out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from lava_qsnn import engines
from lava_qsnn._platform import require_lava, require_netx
from lava_qsnn.engines.message_format import MOST_SOURCES, senders
from lava_qsnn.errors import ConfigurationError, DeploymentError, QsnnError, choices
from lava_qsnn.integer import LAVA_RULES, IntegerNetwork, check_input, refuse_violations, run_reference
from lava_qsnn.integer.stock import has_stock_neurons, netx_form
from lava_qsnn.tasks import BROKEN, Job, in_order, pool
from netx_export._answers import answers_to
from netx_export._chunks import Chunk, after, chunks, is_batches, is_stored, known_length
from netx_export._kept import AnswersInFile, AnswersInMemory
from netx_export._many import Many, about, checked, fill, lost_by, packed, refuse_lost, small
from netx_export._options import Options
from netx_export._read import load

if TYPE_CHECKING:
    from distributed import Client

Integers = NDArray[np.int64]
Array = NDArray[np.integer[Any]]

#: A deployed network, or the path of its file.
Given = IntegerNetwork | str | os.PathLike[str]

Engine = Callable[[IntegerNetwork, NDArray[np.integer[Any]], Options], dict[str, Integers]]

#: The reference keeps every layer's int64 outputs; it takes a batch in parts of about this many input numbers.
REFERENCE_PART = 2**18


@dataclass(frozen=True)
class Backend:
    """One method to compute a deployed network.

    Args:
        summary: what it is, for tables.
        check: raises a QsnnError if the backend would not compute a network exactly.
        engine: checks a batch by `check_input`, and computes it; returns at least the outputs `Options` asks for.
        require: raises a QsnnError if what the backend runs on is not installed here.
    """

    summary: str
    check: Callable[[IntegerNetwork], None]
    engine: Engine
    require: Callable[[], None] = lambda: None

    def refusal(self, network: IntegerNetwork) -> str | None:
        """The reason why it cannot compute a network exactly, or None if it can: here, or where it is installed."""
        return _reason(lambda: self.check(network))

    def absence(self) -> str | None:
        """The reason why this backend cannot run here at all, or None if it can."""
        return _reason(self.require)


def _reason(check: Callable[[], None]) -> str | None:
    """The text of the QsnnError that a check raises, or None."""
    try:
        check()
    except QsnnError as error:
        return str(error)
    return None


def _accept(network: IntegerNetwork) -> None:
    """Whatever an IntegerNetwork can hold, int64 computes exactly."""


def _check_lava(network: IntegerNetwork) -> None:
    refuse_violations(network, LAVA_RULES, "Lava's fixed-point processes")


def _check_asynchronous(network: IntegerNetwork) -> None:
    """It is exact wherever the reference is; only, each of its processes has so many ports and no more."""
    for component in network.components:
        if (count := len(senders(network, component))) > MOST_SOURCES:
            raise DeploymentError(
                f"{count} sources exceed {MOST_SOURCES}, the ports of an asynchronous layer",
                layer=component.layers[-1].name,
                remedy="use the backend 'lava-fused'",
            )


def _check_netx(network: IntegerNetwork) -> None:
    if has_stock_neurons(network):
        netx_form(network)
        return
    if not network.stock_exact:
        raise DeploymentError(
            f"unmodified NetX would not compute this network exactly: {network.stock_obstacles[0]}",
            remedy="use another backend; stock NetX runs chains of memory-free neurons, history >= timesteps <= 7, "
            'taps="shift"',
        )


def _run_reference(network: IntegerNetwork, x: NDArray[np.integer[Any]], options: Options) -> dict[str, Integers]:
    x = check_input(network, x)
    step = max(1, REFERENCE_PART // x[0].size)
    parts = []
    for start in range(0, len(x), step):
        outputs = run_reference(network, x[start : start + step])
        parts.append({name: outputs[name] for name in options.chosen(network)})
        if options.progress is not None:
            options.progress(min(1.0, (start + step) / len(x)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _check_sums(network: IntegerNetwork, x: NDArray[np.integer[Any]], options: Options) -> None:
    """Raise RangeError if sums on this input leave what Lava's own Conv computes; it would not tell."""
    if network.may_leave_int32:
        engines.run_fast(network, x, layers=options.chosen(network), threads=options.threads)


def _run_fast(network: IntegerNetwork, x: NDArray[np.integer[Any]], options: Options) -> dict[str, Integers]:
    return engines.run_fast(
        network, x, layers=options.chosen(network), progress=options.progress, threads=options.threads
    )


def _run_lava(network: IntegerNetwork, x: NDArray[np.integer[Any]], options: Options) -> dict[str, Integers]:
    from netx_export import _lava  # Lava is only imported where it runs

    x = check_input(network, x)
    _check_sums(network, x, options)
    return _lava.run_lava(network, x, options)


def _run_asynchronous(network: IntegerNetwork, x: NDArray[np.integer[Any]], options: Options) -> dict[str, Integers]:
    from netx_export import _flow

    x = check_input(network, x)
    return _flow.run_asynchronous(network, x, options)


def _run_fused(network: IntegerNetwork, x: NDArray[np.integer[Any]], options: Options) -> dict[str, Integers]:
    from netx_export import _flow

    x = check_input(network, x)
    return _flow.run_fused(network, x, options)


def _run_netx(network: IntegerNetwork, x: NDArray[np.integer[Any]], options: Options) -> dict[str, Integers]:
    x = check_input(network, x)
    _check_sums(network, x, options)
    if has_stock_neurons(network):
        from netx_export._netx import _run

        return _run.run_stock(network, x, options)
    from netx_export import _lava

    return _lava.run_netx(network, x, options)


#: The table of backends. A new engine is one more row.
BACKENDS: dict[str, Backend] = {
    "reference": Backend("numpy int64, as plain as the equations: the ground truth", _accept, _run_reference),
    "fast": Backend("all time steps at once, whole batches, on the CPU: for data sets", _accept, _run_fast),
    "lava": Backend(
        "one Lava process per synapse and per neuron: the Loihi layout", _check_lava, _run_lava, require_lava
    ),
    "lava-async": Backend(
        "one Lava process per layer, no time steps", _check_asynchronous, _run_asynchronous, require_lava
    ),
    "lava-fused": Backend("one Lava process for the whole network", _accept, _run_fused, require_lava),
    "netx": Backend("unmodified lava-dl NetX: the way to hardware", _check_netx, _run_netx, require_netx),
}


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


def check_backend(network: IntegerNetwork, backend: str) -> None:
    """Refuse a backend that does not exist, would not compute a network exactly, or cannot run here."""
    if backend not in BACKENDS:
        raise ConfigurationError(f"there is no backend '{backend}'", remedy=choices(backend, BACKENDS))
    BACKENDS[backend].check(network)
    BACKENDS[backend].require()


def _simulate(network: IntegerNetwork, x: Any, backend: str, options: Options) -> dict[str, Integers]:
    return BACKENDS[backend].engine(network, np.asarray(x), options)
