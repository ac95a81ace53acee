"""The backends: the engines that compute a deployed network, and what each of them is exact for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn import engines
from lava_qsnn._platform import require_lava, require_netx
from lava_qsnn.engines.message_format import MOST_SOURCES, senders
from lava_qsnn.errors import ConfigurationError, DeploymentError, QsnnError, choices
from lava_qsnn.integer import LAVA_RULES, IntegerNetwork, check_input, refuse_violations, run_reference
from lava_qsnn.integer.stock import has_stock_neurons, netx_form
from netx_export._options import Options

Integers = NDArray[np.int64]

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
    "reference": Backend("integers in numpy, as plain as the equations: the ground truth", _accept, _run_reference),
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


def check_backend(network: IntegerNetwork, backend: str) -> None:
    """Refuse a backend that does not exist, would not compute a network exactly, or cannot run here."""
    if backend not in BACKENDS:
        raise ConfigurationError(f"there is no backend '{backend}'", remedy=choices(backend, BACKENDS))
    BACKENDS[backend].check(network)
    BACKENDS[backend].require()
