"""The accuracy of the zoo's networks for one data set, beside the bytes of their weights and of their neurons' state.

    python -m benchmarks.pareto cifar10

Everything is read from the files and from what the zoo's index says was measured. Of other people's networks, there is
one point for CIFAR-10, with the accuracy that its authors state, and the bytes of so many weights and neurons: MINT's
VGG-16 (Yin et al., 2023, arXiv 2305.09850), with 2 bits for weights and membrane potentials. It was not run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import netx_export
from benchmarks._timing import RESULTS
from lava_qsnn.bench.machine import write_json
from netx_export import zoo


@dataclass(frozen=True)
class Point:
    """A network: `accuracy` on the test samples, a fraction; bytes of its weights and of its state; T if known."""

    name: str
    neuron: str
    timesteps: int | None
    accuracy: float
    weight_bytes: float
    state_bytes: float
    measured_here: bool = True

    @property
    def bytes(self) -> float:
        return self.weight_bytes + self.state_bytes


#: VGG-16 for images of 32 x 32 pixels: the channels of its convolutions at each size of its maps, and then ten classes.
VGG16 = {32: (64, 64), 16: (128, 128), 8: (256, 256, 256), 4: (512, 512, 512), 2: (512, 512, 512)}


def mint() -> Point:
    """MINT's point: 90.6 % as its abstract states; its bytes as 2 bits for each weight and each neuron."""
    channels = [width for widths in VGG16.values() for width in widths]
    weights = sum(9 * before * after for before, after in zip([3, *channels], channels)) + channels[-1] * 10
    neurons = sum(side * side * width for side, widths in VGG16.items() for width in widths)
    return Point("MINT VGG-16, as published", "potential of 2 bits", None, 0.906, weights / 4, neurons / 4, False)


#: Points of other people's, by data set.
OUTSIDE = {"cifar10": (mint(),)}


def points(data: str) -> list[Point]:
    """The zoo's networks that were measured on a data set, the smallest first."""
    records = [zoo.record(name) for name in zoo.names()]
    ours = [
        _point(record) for record in records if (record.measured.data, record.measured.measure) == (data, "accuracy")
    ]
    return sorted(ours, key=lambda point: point.bytes)


def _point(record: zoo.Record) -> Point:
    layers = netx_export.describe(zoo.path(record.name))
    return Point(
        name=record.name,
        neuron=record.neuron,
        timesteps=record.timesteps,
        accuracy=float(record.measured.value.rstrip("%")) / 100,
        weight_bytes=sum(layer.weights * layer.weight_bits for layer in layers) / 8,
        state_bytes=record.neuron_state_bits / 8,
    )


def draw(shown: Sequence[Point], path: Path, title: str) -> None:
    """Accuracy over bytes, on a logarithmic axis; hollow is what was not measured here."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axis = figure.subplots()
    for point in shown:
        face = "tab:blue" if point.measured_here else "none"
        axis.plot(point.bytes, point.accuracy, "o", color="tab:blue" if point.measured_here else "tab:gray", mfc=face)
        label = f"{point.name}\n{point.neuron}" + (f", T = {point.timesteps}" if point.timesteps else "")
        axis.annotate(label, (point.bytes, point.accuracy), (6, -4), textcoords="offset points", fontsize=8, va="top")
    axis.set_xscale("log")
    axis.margins(x=0.25, y=0.25)
    axis.set_xlabel("bytes of weights and of neurons' state")
    axis.set_ylabel("test accuracy")
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(title, fontsize=10)
    figure.savefig(path, dpi=130)


def main(
    data: Annotated[str, typer.Argument(help="A data set that networks of the zoo were measured on.")] = "cifar10",
    results: Annotated[Path, typer.Option(help="Folder for the table and the picture.")] = RESULTS,
) -> None:
    """Show, draw and write the points of a data set."""
    shown = [*points(data), *OUTSIDE.get(data, ())]
    if not shown:
        raise typer.BadParameter(f"no network of the zoo was measured on '{data}'")
    table = Table("network", "neuron", "T", "accuracy", "weights", "state", title=f"{data}: accuracy and bytes")
    for point in shown:
        sizes = (f"{point.weight_bytes:,.0f}", f"{point.state_bytes:,.0f}")
        table.add_row(point.name, point.neuron, str(point.timesteps or ""), f"{point.accuracy:.2%}", *sizes)
    Console().print(table)
    write_json(f"pareto_{data}", {"rows": [asdict(point) for point in shown]}, results)
    draw(shown, results / f"pareto_{data}.png", f"{data}: accuracy beside the bytes of weights and state")


if __name__ == "__main__":
    typer.run(main)
