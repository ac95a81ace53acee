"""A network on samples, beside other ways to compute it; and the checks of what they found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import QsnnError
from lava_qsnn.integer import IntegerNetwork
from netx_export._check._subject import Check, Subject, named
from netx_export._findings import Problem
from netx_export._options import Options
from netx_export._simulate import BACKENDS, simulate_layers
from netx_export._stock_call import StockCall
from netx_export._verify import GROUND_TRUTH, Outputs, Report, Row, compare_outputs, compare_torch

if TYPE_CHECKING:
    from torch import nn

Samples = NDArray[np.integer[Any]]


def compare_runs(
    network: IntegerNetwork,
    x: Samples,
    expected: Outputs,
    backends: Iterable[str],
    call: StockCall | None = None,
    original: IntegerNetwork | None = None,
    net: nn.Module | None = None,
) -> Report:
    """Compare what the reference computed with some backends, the original and its torch network.

    What cannot be compared is in `refused`, with the reason.
    """
    rows: list[Row] = []
    refused: dict[str, str] = {}
    for name, run in _runs(network, x, backends, call, original).items():
        try:
            rows += compare_outputs(name, network, expected, run())
        except QsnnError as error:
            refused[name] = str(error)
    if net is not None:
        try:
            rows += compare_torch(network, net, x, expected).rows
        except QsnnError as error:
            refused["torch"] = str(error)
    return Report(tuple(rows), refused)


def _runs(
    network: IntegerNetwork,
    x: Samples,
    backends: Iterable[str],
    call: StockCall | None,
    original: IntegerNetwork | None,
) -> dict[str, Callable[[], Outputs]]:
    runs: dict[str, Callable[[], Outputs]] = {name: partial(simulate_layers, network, x, name) for name in backends}
    if "netx" in runs and call is not None:
        runs["netx"] = lambda: _run_netx(network, x, call)
    if original is not None and list(original) == list(network):
        runs["original"] = lambda: simulate_layers(original, x, GROUND_TRUTH)
    return runs


def _run_netx(network: IntegerNetwork, x: Samples, call: StockCall) -> Outputs:
    """Every layer's outputs in unmodified NetX, called as said."""
    BACKENDS["netx"].check(network)
    BACKENDS["netx"].require()
    from netx_export import _lava  # Lava is only imported where it runs

    return _lava.run_netx(network, x, Options(every_layer=True), call)


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
