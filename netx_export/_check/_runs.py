"""A network on samples, beside other ways to compute it; and the checks of what they found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, QsnnError, RunError, choices
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.integer.stock import has_stock_neurons
from netx_export._backends import BACKENDS
from netx_export._check._subject import Check, Subject, named
from netx_export._findings import Problem
from netx_export._options import Options
from netx_export._simulate import simulate_layers
from netx_export._stock_call import StockCall
from netx_export._telling import Telling, about
from netx_export._verify import Outputs, Report, Row, compare_outputs, compare_torch

if TYPE_CHECKING:
    from torch import nn

Samples = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Others:
    """The other ways to compute a network that it is compared with.

    Args:
        backends: their names.
        call: of NetX; None for the one that the network needs.
        file: the stock file that NetX is to open; None for one that is written for it.
        original: the network that was meant.
        net: the torch network that it was exported from.
        progress: called now and then with what is run, and the fraction of its samples done, 0 to 1.
    """

    backends: tuple[str, ...]
    call: StockCall | None = None
    file: Path | None = None
    original: IntegerNetwork | None = None
    net: nn.Module | None = None
    progress: Telling | None = None


def compare_runs(network: IntegerNetwork, x: Samples, expected: Outputs, others: Others) -> Report:
    """Compare what the reference computed with some backends, the original and its torch network.

    What cannot be compared is in `refused`, with the reason.

    Raises:
        ConfigurationError: there is no backend of a name.
        RunError: a Lava run failed.
    """
    for name in others.backends:
        if name not in BACKENDS:
            raise ConfigurationError(f"there is no backend '{name}'", remedy=choices(name, BACKENDS))
    rows: list[Row] = []
    refused: dict[str, str] = {}
    for name, run in _runs(network, x, others).items():
        try:
            rows += compare_outputs(name, network, expected, run())
        except RunError:
            raise
        except QsnnError as error:
            refused[name] = str(error)
    if others.net is not None:
        try:
            rows += compare_torch(network, others.net, x, expected).rows
        except QsnnError as error:
            refused["torch"] = str(error)
    return Report(tuple(rows), refused)


def _runs(network: IntegerNetwork, x: Samples, others: Others) -> dict[str, Callable[[], Outputs]]:
    runs: dict[str, Callable[[], Outputs]] = {
        name: partial(simulate_layers, network, x, name, progress=about(others.progress, name))
        for name in others.backends
    }
    if "netx" in runs and (others.call is not None or others.file is not None):
        runs["netx"] = partial(_run_netx, network, x, others)
    original = others.original
    if original is not None and list(original.shapes.values()) == list(network.shapes.values()):
        runs["original"] = lambda: dict(zip(network, simulate_layers(original, x, "fast").values()))
    return runs


def _run_netx(network: IntegerNetwork, x: Samples, others: Others) -> Outputs:
    """Every layer's outputs in unmodified NetX, called as said, on the very file that is given."""
    BACKENDS["netx"].check(network)
    BACKENDS["netx"].require()
    call, file = others.call, others.file
    options = Options(every_layer=True, progress=about(others.progress, "netx"))
    if has_stock_neurons(network):
        from netx_export._netx import _run  # Lava is only imported where it runs

        return _run.run_called(network, x, options, call, file) if call else _run.run_stock(network, x, options, file)
    from netx_export import _lava

    return _lava.run_netx(network, x, options, call)


@named("error", "comparison")
def backend_differs(subject: Subject) -> Iterator[Problem]:
    """A backend of this project and the reference differ."""
    for name in BACKENDS:
        if name != "netx":
            yield from _differs(subject, name, "report it with the file: this must never happen")


@named("error", "comparison")
def netx_differs(subject: Subject) -> Iterator[Problem]:
    """Unmodified NetX answers something else than the network."""
    remedy = "see what else was found, above all how NetX is called; if that is nothing, report it with the file"
    yield from _differs(subject, "netx", remedy)


@named("error", "comparison")
def original_differs(subject: Subject) -> Iterator[Problem]:
    """The network that was meant answers something else."""
    yield from _differs(subject, "original", "see what else was found, in this layer and those before it")


@named("error", "comparison")
def torch_differs(subject: Subject) -> Iterator[Problem]:
    """The torch network answers something else than the deployed one."""
    yield from _differs(subject, "torch", "see what else was found, in this layer and those before it")


def _differs(subject: Subject, backend: str, remedy: str) -> Iterator[Problem]:
    assert subject.comparison is not None
    row = subject.comparison.first(backend)
    if row is not None:
        where = f", first at {row.first}" if row.first is not None else ", for their shapes differ"
        yield Problem(row.layer, f"{row.mismatches:,} of {row.values:,} values differ in '{backend}'{where}", remedy)


CHECKS: tuple[Check, ...] = (backend_differs, netx_differs, original_differs, torch_differs)
