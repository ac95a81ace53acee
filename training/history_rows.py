"""The records of the history experiment: settings of neurons, rows of a CSV file, and summaries over seeds."""

from __future__ import annotations

import csv
import statistics
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")

#: Weight-spike dual regulation, where it is on.
REGULATION = {"model.weight_regulation": True, "optimizer.spike_regulation": 0.05}


@dataclass(frozen=True)
class Setting:
    """One neuron: a family, the bits, decay and reset of its potential, or its history K and taps; regulated or not.

    A potential without `bits` is of full precision: the family "lif" in configurations.
    """

    family: str
    bits: int | None = None
    decay: float | None = None
    reset: str = ""
    history: int | None = None
    taps: str = ""
    regulated: bool = False

    def changes(self) -> dict[str, Any]:
        """The changes that it makes in a configuration."""
        regulation = REGULATION if self.regulated else {}
        if self.family == "quantized_lif":
            bits = {"family": "lif"} if self.bits is None else {"family": self.family, "potential_bits": self.bits}
            neuron = {**bits, "threshold": 1.0, "decay": self.decay, "reset": self.reset}
        else:
            neuron = {"history": self.history, "taps": self.taps, "threshold": 1.0}
        return {"model.neuron": {"surrogate": "fast_sigmoid", **neuron}, **regulation}

    @property
    def name(self) -> str:
        """For tables and folders."""
        regulated = ", WS-DR" if self.regulated else ""
        if self.family == "quantized_lif":
            return f"potential {self.bits or 'full'} bits, decay {self.decay}, {self.reset} reset{regulated}"
        return f"memory-free {self.taps} K={self.history}{regulated}"


@dataclass(frozen=True)
class Row:
    """One training. Accuracies are fractions; `state_bits` per spiking neuron; `file_bytes` 0 if not deployable."""

    data: str
    family: str
    bits: str
    decay: str
    reset: str
    history: str
    taps: str
    regulated: str
    seed: int
    epochs: int
    test_accuracy: float
    validation_accuracy: float
    state_bits: float
    weight_bits: int
    file_bytes: int
    seconds_per_epoch: float
    network: str
    torch: str
    commit: str
    command: str


def read(path: Path) -> list[Row]:
    """The rows of the history experiment in a CSV file; none if there is no file."""
    return read_rows(path, Row)


def read_rows(path: Path, kind: type[Record]) -> list[Record]:
    """The rows of a CSV file as dataclasses of one kind, their fields int, float or str; none if there is no file."""
    if not path.exists():
        return []
    kinds: dict[str, Any] = {"int": int, "float": float, "str": str}
    with path.open(newline="", encoding="utf-8") as file:
        return [
            kind(**{f.name: kinds[str(f.type)](line[f.name]) for f in fields(kind)}) for line in csv.DictReader(file)
        ]


def append(path: Path, row: DataclassInstance) -> None:
    """Add a row to a CSV file, with a heading if it is the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(row)], lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(asdict(row))


@dataclass(frozen=True)
class Summary:
    """One setting over its seeds."""

    setting: Setting
    accuracies: tuple[float, ...]
    validation: float
    state_bits: float
    file_bytes: int
    seconds_per_epoch: float

    @property
    def mean(self) -> float:
        return statistics.mean(self.accuracies)

    @property
    def spread(self) -> float:
        """Standard deviation over seeds; 0 of one."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0


def summarize(rows: list[Row]) -> list[Summary]:
    """One summary per setting, in the order of first appearance."""
    groups: dict[Setting, list[Row]] = {}
    for row in rows:
        groups.setdefault(setting_of(row), []).append(row)
    return [
        Summary(
            setting,
            tuple(row.test_accuracy for row in group),
            statistics.mean(row.validation_accuracy for row in group),
            statistics.mean(row.state_bits for row in group),
            round(statistics.mean(row.file_bytes for row in group)),
            statistics.median(row.seconds_per_epoch for row in group),
        )
        for setting, group in groups.items()
    ]


def setting_of(row: Row) -> Setting:
    """The setting that a row was measured with."""
    bits = int(row.bits) if row.bits.isdigit() else None
    decay, history = (float(row.decay) if row.decay else None), (int(row.history) if row.history else None)
    return Setting(row.family, bits, decay, row.reset, history, row.taps, row.regulated == "yes")
