"""The command's tables: what it shows of networks, trainings, verifications and measurements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from lava_qsnn.cli.demo import Demonstration
    from lava_qsnn.integer import IntegerNetwork
    from lava_qsnn.train.train import Result
    from netx_export import Report


def demonstration_table(shown: Demonstration) -> Table:
    """The steps of the demonstration."""
    table = Table("step", "result", "seconds", box=box.SIMPLE, title="lava-qsnn on handwritten digits")
    for step in shown.steps:
        table.add_row(step.done, step.result, f"{step.seconds:.1f}")
    return table


def result_table(result: Result) -> Table:
    """The accuracies, the time and the files of a training."""
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_row("validation accuracy", f"{result.best_accuracy:.2%}, best epoch; {result.last_accuracy:.2%}, last")
    table.add_row("test accuracy", f"{result.test_accuracy:.2%}, of the best epoch")
    table.add_row("time", f"{result.seconds:.1f} s, {result.seconds_per_epoch:.2f} s per epoch")
    table.add_row("checkpoints", f"{result.best}, {result.last}")
    table.add_row("curves", str(result.curves))
    return table


def layer_table(network: IntegerNetwork, file: Path) -> Table:
    """The layers of a network, with the bits that their weights take in its file."""
    import netx_export

    packed = netx_export.weight_bytes(network, file)
    inputs = f"{shape_text(network.input.shape)} of {network.input.bits} bits"
    title = f"{file.name}: {network.timesteps} time steps, input {inputs}"
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), title=title)
    for column in ("layer", "shape", "weights", "bits", "on disk", "memory", "thresholds", "reach", "state bits"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    table.add_row("input", shape_text(network.input.shape), *[""] * 6, str(netx_export.state_bits(network, "input")))
    for layer in netx_export.describe(network):
        table.add_row(
            layer.name,
            shape_text(layer.shape),
            f"{layer.weights:,}",
            str(layer.weight_bits),
            f"{8 * packed[layer.name] / layer.weights:.2f}",
            layer.potential or _taps(layer.taps),
            "readout" if layer.thresholds is None else f"{layer.thresholds[0]}..{layer.thresholds[1]}",
            str(max(-layer.potentials[0], layer.potentials[1])),
            str(layer.state_bits),
        )
    return table


def cost_table(network: IntegerNetwork, file: Path) -> Table:
    """The bytes of a network's file, and the bits of its state beside those of Loihi's LIF."""
    import netx_export

    spiking = [layer for layer in netx_export.describe(network) if layer.thresholds is not None]
    neurons = sum(layer.neurons for layer in spiking)
    kept = sum(layer.neurons * layer.state_bits for layer in spiking)
    packed = sum(netx_export.weight_bytes(network, file).values())
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_row("file", f"{file.stat().st_size:,} bytes, {packed:,} of them weights")
    table.add_row(f"state of {neurons:,} spiking neurons", f"{kept:,} bits, {kept / max(1, neurons):.1f} each")
    inputs, kept_each = int(np.prod(network.input.shape)), netx_export.state_bits(network, "input")
    table.add_row(f"state of {inputs:,} inputs", f"{inputs * kept_each:,} bits, {kept_each} each")
    table.add_row(
        "the neurons as Loihi's LIF",
        f"{neurons * netx_export.LIF_STATE_BITS:,} bits, {netx_export.LIF_STATE_BITS} each",
    )
    return table


def backend_table(network: IntegerNetwork) -> Table:
    """The backends, and where each is exact for a network."""
    import netx_export

    table = Table("backend", "what it is", "exact", box=box.SIMPLE)
    for name, backend in netx_export.BACKENDS.items():
        reason = backend.refusal(network)
        table.add_row(
            name, backend.summary, "[green]yes[/green]" if reason is None else f"[yellow]no:[/yellow] {reason}"
        )
    return table


def report_table(report: Report) -> Table:
    """The mismatches of each backend and layer."""
    table = Table("backend", "layer", "values", "not zero", "mismatches", box=box.SIMPLE)
    for row in report.rows:
        mark = "green" if row.mismatches == 0 else "red"
        table.add_row(
            row.backend, row.layer, f"{row.values:,}", f"{row.spikes:,}", f"[{mark}]{row.mismatches:,}[/{mark}]"
        )
    for name, reason in report.refused.items():
        table.add_row(name, "", "", "", f"[yellow]left out:[/yellow] {reason}")
    return table


def throughput_table(work: str, rows: dict[str, dict[str, float]]) -> Table:
    """The milliseconds per sample of each backend on one kind of work."""
    table = Table(box=box.SIMPLE, title=f"{work}: milliseconds per sample, bit-equal answers")
    for column in ("backend", "median", "least", "most", "s to start"):
        table.add_column(column, justify="left" if column == "backend" else "right")
    for name, row in rows.items():
        table.add_row(name, *(f"{value:.3g}" for value in row.values()))
    return table


def goal_table(tables: dict[str, Any]) -> Table:
    """The ratios that were aimed at, and those that were reached."""
    table = Table(box=box.SIMPLE, title="ratios of milliseconds per sample")
    for column in ("work", "ratio", "measured", "goal"):
        table.add_column(column, justify="left" if column in ("work", "ratio") else "right")
    for work, result in tables.items():
        for row in result["goals"]:
            mark = "green" if row["reached"] >= row["goal"] else "yellow"
            table.add_row(work, row["ratio"], f"[{mark}]{row['reached']:.1f}[/{mark}]", str(row["goal"]))
    return table


def shape_text(shape: tuple[int, ...]) -> str:
    """Write a shape as in 3x32x32."""
    return "x".join(map(str, shape))


def _taps(taps: tuple[int, ...]) -> str:
    text = [str(tap) for tap in taps]
    return " ".join(text if len(text) <= 8 else [*text[:4], "..", *text[-2:], f"({len(text)})"])
