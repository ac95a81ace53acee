"""The times that SANA-FE found, step by step, and which layers wait for which."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, FileFormatError
from netx_export._chip.layout import Layout


@dataclass(frozen=True)
class SanafeTimes:
    """The latency of each time step, as SANA-FE simulates Loihi 1: an estimate of its own, not a measurement.

    Args:
        seconds: of each step, from its start to the end of its barrier, float (steps,).
        joules: of each step, dynamic, (steps,).
    """

    seconds: NDArray[np.float64]
    joules: NDArray[np.float64]

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain data: seconds of a step, and sums."""
        return {
            "simulator": "SANA-FE",
            "steps": len(self.seconds),
            "seconds_of_a_step": {
                "mean": float(self.seconds.mean()),
                "least": float(self.seconds.min()),
                "most": float(self.seconds.max()),
            },
            "seconds": float(self.seconds.sum()),
            "joules": float(self.joules.sum()),
        }


def read_sanafe(path: str | os.PathLike[str]) -> SanafeTimes:
    """Read what SANA-FE's `sim(.., perf_trace=FILE)`, or its command with `-p`, wrote.

    Args:
        path: of the file, which has a row for each time step, and columns `sim_time` and `total_energy` among others.

    Raises:
        FileFormatError: the file is no such thing; the text names the line.
        FileNotFoundError: there is no such file.
    """
    try:
        rows = list(csv.DictReader(Path(path).read_text("utf-8").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise FileFormatError(f"'{path}' is no table of text", remedy=_REMEDY) from None
    if not rows:
        raise FileFormatError(f"'{path}' has no time step", remedy=_REMEDY)
    values = [[_number(path, line, row, name) for name in _COLUMNS] for line, row in enumerate(rows, 2)]
    seconds, joules = np.array(values, np.float64).T
    return SanafeTimes(seconds, joules)


_COLUMNS = ("sim_time", "total_energy")
_REMEDY = "give the file that SANA-FE's sim(.., perf_trace=FILE) writes"


def _number(path: str | os.PathLike[str], line: int, row: dict[str, Any], name: str) -> float:
    try:
        value = float(row[name])
    except (KeyError, TypeError, ValueError):
        raise FileFormatError(f"line {line} of '{path}' has no number {name}", remedy=_REMEDY) from None
    if not 0 <= value < np.inf:
        raise FileFormatError(f"{name} in line {line} of '{path}' is {value}", remedy=_REMEDY)
    return value


def waits_for(layout: Layout) -> dict[str, tuple[str, ...]]:
    """The layers, or the input, that each layer waits for in `lava-async`: their outputs of the same time step.

    Outputs that come with a delay are there already. On Loihi, all cores wait for each other in each step instead.

    Raises:
        ConfigurationError: the layout is of shapes alone.
    """
    if layout.mapped is None:
        raise ConfigurationError("shapes alone have no time steps", remedy="give a network's file")
    return {
        layer.name: tuple(dict.fromkeys(each.source for each in layer.connections if not each.delay))
        for layer in layout.mapped.network.layers
    }
