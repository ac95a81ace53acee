"""Verify: every backend, and the torch network, against the reference; layer for layer, step for step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, DeploymentError, QsnnError
from lava_qsnn.extras import extra
from lava_qsnn.integer import IntegerNetwork, run_reference
from lava_qsnn.tasks import Job, Journal
from netx_export._backends import BACKENDS, check_backend
from netx_export._chunks import Chunk, after, chunk_size, chunks, is_batches, is_stored, known_length
from netx_export._many import Done, Many, about, checked, fill, refuse_lost
from netx_export._read import load
from netx_export._simulate import simulate_layers
from netx_export._verdicts import report_html, report_lines

if TYPE_CHECKING:
    from distributed import Client
    from torch import nn

Outputs = Mapping[str, NDArray[Any]]

#: The backend that all others are compared with; it runs once.
GROUND_TRUTH = "reference"


@dataclass(frozen=True)
class Parting:
    """The first value in which two runs of a layer part: of the earliest time step, then sample, then neuron."""

    step: int  # from 0, of its sample
    sample: int
    neuron: tuple[int, ...]
    expected: float
    found: float

    def moved(self, samples: int) -> Parting:
        """The same, with so many samples before it."""
        return replace(self, sample=self.sample + samples)

    def __str__(self) -> str:
        where = f"time step {self.step}, sample {self.sample}, neuron {', '.join(map(str, self.neuron))}"
        return f"{where}: {self.found:g} for {self.expected:g}"


@dataclass(frozen=True)
class Row:
    """One layer on one backend: how many of its output values differ from the reference's, and which is the first.

    `first` is None if none differs, or if the two have different shapes.
    """

    backend: str
    layer: str
    values: int
    spikes: int  # ones among the reference's values; of a readout, values that are not 0
    mismatches: int
    first: Parting | None = None

    def plus(self, other: Row) -> Row:
        """The row of this one's samples and of others', of the same backend and layer."""
        firsts = [each.first for each in (self, other) if each.first is not None]
        return replace(
            self,
            values=self.values + other.values,
            spikes=self.spikes + other.spikes,
            mismatches=self.mismatches + other.mismatches,
            first=min(firsts, key=lambda first: (first.step, first.sample, first.neuron), default=None),
        )


@dataclass(frozen=True)
class Report:
    """A verification: one row per backend and layer, and the backends that refused, with their reasons.

    `departures` says where slayer's own blocks, if torch was compared, compute something else than NetX makes of their
    export, and so than every backend: the layer, the reason, the remedy.
    """

    rows: tuple[Row, ...]
    refused: Mapping[str, str]
    departures: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """True if something was compared and nothing differed."""
        return bool(self.rows) and not any(row.mismatches for row in self.rows)

    def mismatches(self, backend: str) -> int:
        """Differing values over all layers of one backend."""
        return sum(row.mismatches for row in self.rows if row.backend == backend)

    def first(self, backend: str) -> Row | None:
        """The first layer, in the network's order, in which a backend differs; None if it does not."""
        return next((row for row in self.rows if row.backend == backend and row.mismatches), None)

    def __str__(self) -> str:
        """The verdict, and a short line for each backend."""
        return "\n".join(report_lines(self))

    def _repr_html_(self) -> str:
        """The verdict and a table, for notebooks."""
        return report_html(self)

    @property
    def silent(self) -> tuple[str, ...]:
        """The layers whose every value was 0: of neurons that never fired, or of a readout that heard nothing."""
        return tuple(dict.fromkeys(row.layer for row in self.rows if row.spikes == 0))

    def joined(self, other: Report, samples: int) -> Report:
        """The report of more samples, those of another one behind so many of this one."""
        theirs = tuple(row if row.first is None else replace(row, first=row.first.moved(samples)) for row in other.rows)
        rows = tuple(mine.plus(its) for mine, its in zip(self.rows, theirs)) if self.rows else theirs
        departures = dict.fromkeys((*self.departures, *other.departures))
        return Report(rows, other.refused, tuple(departures))


def verify(
    network: IntegerNetwork | str | os.PathLike[str],
    x: Any,
    backends: Iterable[str] | None = None,
    net: nn.Module | None = None,
    progress: Callable[[str, float], None] | None = None,
    *,
    workers: int | None = None,
    client: Client | None = None,
    record: str | os.PathLike[str] | None = None,
    resume: bool = False,
) -> Report:
    """Compare backends, and the torch network if given, with the reference on a data set.

    Args:
        network: a deployed network, or the path of its file.
        x: int (N, *input shape, T), or what `simulate` takes for data sets larger than memory: what differs is then
            counted chunk by chunk, or batch by batch, and each is a run of its own on the backends of Lava.
        backends: names from BACKENDS; all by default. One that cannot compute the network exactly, or that is not
            installed, is listed in `refused` with its reason if it was not asked for by name, and raises if it was.
        net: the torch network the deployed one was folded from, see `fold`. Blocks of slayer run from rest, and
            without the steps by which their `delay_shift` delays them.
        progress: called now and then with a backend's name, or with "all backends" where parts of the samples are
            computed by workers, and the fraction of its samples done, 0 to 1.
        workers, client: computes parts of the samples beside each other, all backends of each, see `simulate`; x may
            be larger than memory then. The torch network runs here.
        record: a file for the counts of each part as they come.
        resume: go on with `record`, if it is there.

    Raises:
        ConfigurationError: a backend asked for by name does not exist, or is not installed.
        DeploymentError, RangeError: a backend asked for by name cannot compute this network exactly.
        DeploymentError: `net` is not the network that this one was folded from, or returns something else than its
            last block's output, or its sum or mean over time.
        InputError: x does not fit the network, there is no batch, or reading x failed.
        RunError: a Lava run failed.
        LostSamplesError: workers could not compute some samples, tried twice; `found` is the report on the others.
    """
    if not isinstance(network, IntegerNetwork):
        network = load(network)
    names, refused = _chosen(network, backends)
    many = Many(workers, client, resume)
    if many.is_asked_for or record is not None:
        own = Report((), {}) if net is None else _compare_own(network, net, x, simulate_layers(network, x))
        report = Report(own.rows, refused, own.departures)
        return _by_workers(network, x, names, many, record, report, progress)
    if is_stored(x) or is_batches(x):
        return _verify_parts(network, x, partial(_verify, network, names=names, refused=refused, net=net), progress)
    return _verify(network, x, progress, names, refused, net)


def _verify_parts(
    network: IntegerNetwork,
    x: Any,
    verified: Callable[..., Report],
    progress: Callable[[str, float], None] | None,
) -> Report:
    """The reports of a data set's chunks, added up as they come."""
    found, samples = Report((), {}), known_length(x)
    for part in chunks(network, x, chunk_size(network, x, every_layer=True) if is_stored(x) else None):
        try:
            more = verified(part.x, _of_part(progress, part, samples))
        except QsnnError as error:
            raise after(error, part.start) from error
        found = found.joined(more, part.start)
    return found


def _of_part(
    progress: Callable[[str, float], None] | None, part: Chunk, samples: int | None
) -> Callable[[str, float], None] | None:
    """The progress of a part as that of all samples, where it is known how many there are."""
    if progress is None or samples is None:
        return None
    return lambda name, fraction: progress(name, (part.start + fraction * len(part.x)) / samples)


def _verify(
    network: IntegerNetwork,
    x: NDArray[np.integer[Any]],
    progress: Callable[[str, float], None] | None,
    names: list[str],
    refused: dict[str, str],
    net: nn.Module | None,
) -> Report:
    """`verify`, of a batch, on backends that will do."""
    told = None if progress is None else partial(progress, GROUND_TRUTH)
    expected = simulate_layers(network, x, GROUND_TRUTH, progress=told)
    own = Report((), {}) if net is None else _compare_own(network, net, x, expected)
    rows = _compare_backends(network, x, names, expected, progress)
    return Report((*own.rows, *rows), refused, own.departures)


def _chosen(network: IntegerNetwork, backends: Iterable[str] | None) -> tuple[list[str], dict[str, str]]:
    """The backends to compare, and those that are not, with their reasons; one asked for by name must do."""
    if backends is not None:
        names = list(backends)
        for name in names:
            check_backend(network, name)
        return names, {}
    reasons = {name: backend.absence() or backend.refusal(network) for name, backend in BACKENDS.items()}
    refused = {name: reason for name, reason in reasons.items() if reason is not None}
    return [name for name in BACKENDS if name not in refused], refused


def _compare_backends(
    network: IntegerNetwork,
    x: NDArray[np.integer[Any]],
    names: Iterable[str],
    expected: Outputs,
    progress: Callable[[str, float], None] | None = None,
    threads: int | None = None,
) -> Iterator[Row]:
    for name in names:
        told, actual = None if progress is None else partial(progress, name), expected
        if name != GROUND_TRUTH:
            actual = simulate_layers(network, x, backend=name, progress=told, threads=threads)
        yield from compare_outputs(name, network, expected, actual)


def verify_part(shared: tuple[IntegerNetwork, list[str]], part: Chunk) -> list[Row]:
    """Compare backends on a part of the samples, on a worker; samples are told by their number in all of them."""
    network, names = shared
    rows = _compare_backends(network, part.x, names, simulate_layers(network, part.x, GROUND_TRUTH), threads=1)
    return [row if row.first is None else replace(row, first=row.first.moved(part.start)) for row in rows]


def _by_workers(
    network: IntegerNetwork,
    x: Any,
    names: list[str],
    many: Many,
    record: str | os.PathLike[str] | None,
    report: Report,
    progress: Callable[[str, float], None] | None,
) -> Report:
    """A report with the counts of all parts of the samples."""
    if many.resume and record is None:
        raise ConfigurationError("there is nothing to go on with", remedy="name a file with `record`")
    x, told = checked(network, x), None if progress is None else partial(progress, "all backends")
    journal = None if record is None else Journal(record, about(network, x, backends=names), many.resume)
    with nullcontext() if journal is None else journal:
        counts = Counts(x.shape[0], journal)
        job = Job.of(verify_part, (network, names))
        lost = fill(counts, network, x, job, many, progress=told, every_layer=True)
    found = replace(report, rows=(*report.rows, *counts.rows))
    if lost:
        refuse_lost(lost, found, "in the error's `found`")
    return found


class Counts(Done):
    """The rows of a report, added up part by part, and kept in a journal if there is one."""

    def __init__(self, samples: int, journal: Journal | None) -> None:
        super().__init__(samples)
        self._journal = journal
        self._rows: dict[tuple[str, str], Row] = {}
        if journal is not None:
            self.restore(journal)
            for record in journal.done:
                self._add(_read(record["rows"]))

    def put(self, start: int, stop: int, value: list[Row]) -> None:
        """Add the rows of a range of samples."""
        if self._journal is not None:
            self._journal.add({"start": start, "stop": stop, "rows": [asdict(row) for row in value]})
        self.mark(start, stop)
        self._add(value)

    @property
    def rows(self) -> tuple[Row, ...]:
        """One row per backend and layer."""
        return tuple(self._rows.values())

    def _add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            key = (row.backend, row.layer)
            self._rows[key] = self._rows[key].plus(row) if key in self._rows else row


def _read(rows: list[dict[str, Any]]) -> Iterator[Row]:
    """The rows of a journal's line."""
    for row in rows:
        first = row.pop("first")
        yield Row(**row, first=first and Parting(**{**first, "neuron": tuple(first["neuron"])}))


def _compare_own(network: IntegerNetwork, net: nn.Module, x: NDArray[np.integer[Any]], expected: Outputs) -> Report:
    """`compare_torch`, and if anything differs, whether that is because the two are different networks."""
    with extra("train"):
        from netx_export._fold import refuse_another

    try:
        report = compare_torch(network, net, x, expected)
    except QsnnError:
        refuse_another(network, net)
        raise
    if not report.exact:
        refuse_another(network, net)
    return report


def compare_torch(
    network: IntegerNetwork, net: nn.Module, x: NDArray[np.integer[Any]], expected: Outputs | None = None
) -> Report:
    """Compare every layer of a torch network, in evaluation mode, with the reference, and what it returns itself.

    `expected` is what the reference computes, by layer, if that is known already.
    """
    with extra("train"):  # torch is only needed where there is a network
        from netx_export._fold import blocks, spiking_blocks
        from netx_export._run_slayer import all_departures
        from netx_export._torch import refuse_more_than_blocks, run_torch

    run = run_torch(net, x, network.timesteps)
    if len(run.layers) != len(network):
        raise DeploymentError(
            f"{len(run.layers)} of {len(network)} blocks ran in its forward pass",
            remedy="call every block, once, in order",
        )
    expected = dict(run_reference(network, x) if expected is None else expected)
    for name, scale in zip(network, run.scales):
        if not network.layer(name).neuron.spikes:
            # Training's unit is one positive constant per readout; float32, as torch multiplied.
            expected[name] = expected[name].astype(np.float32) * np.float32(scale)
    named = {
        name: values.reshape(expected[name].shape) if values.size == expected[name].size else values
        for name, values in zip(network, run.layers)
    }
    departures = all_departures(blocks(net), dict(zip(spiking_blocks(net), network.layers)))
    report = Report(tuple(compare_outputs("torch", network, expected, named)), {}, departures)
    if report.exact or departures:
        refuse_more_than_blocks(net, run)
    return report


def compare_outputs(backend: str, names: Iterable[str], expected: Outputs, actual: Outputs) -> Iterable[Row]:
    """One row per layer named: the outputs of two runs (N, *shape, T) by layer, compared."""
    for name in names:
        truth, values = expected[name], actual[name]
        differs = truth != values if truth.shape == values.shape else np.ones(truth.shape, bool)
        spikes, wrong = int(np.count_nonzero(truth)), int(np.count_nonzero(differs))
        first = _parting(truth, values, differs) if wrong and truth.shape == values.shape else None
        yield Row(backend, name, truth.size, spikes, wrong, first)


def _parting(expected: NDArray[Any], found: NDArray[Any], differs: NDArray[np.bool_]) -> Parting:
    steps = differs.reshape(-1, differs.shape[-1]).any(0)
    step = int(steps.argmax())
    sample, *neuron = (int(index) for index in np.argwhere(differs[..., step])[0])
    index = (sample, *neuron, step)
    return Parting(step, sample, tuple(neuron), float(expected[index]), float(found[index]))
