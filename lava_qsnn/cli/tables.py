"""The command's tables: what it shows of networks, trainings, verifications and measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from lava_qsnn.cli.demo import Demonstration
    from lava_qsnn.train.train import Result
    from netx_export import Finding, Inspection, NetworkDiff, NirReport, Report

#: How findings are coloured.
COLORS = {"error": "red", "warning": "yellow", "note": "cyan"}


def demonstration_table(shown: Demonstration) -> Table:
    """The steps of the demonstration."""
    table = Table("step", "result", "seconds", box=box.SIMPLE, title="lava-qsnn on handwritten digits")
    for step in shown.steps:
        table.add_row(step.done, step.result, f"{step.seconds:.1f}")
    return table


def result_table(result: Result) -> Table:
    """The accuracies or errors, the time and the files of a training."""
    table = Table(show_header=False, box=box.SIMPLE)
    name = "accuracy" if result.metric == "accuracy" else "mean squared error"
    best, last, test = (
        f"{value:.2%}" if result.metric == "accuracy" else f"{value:.4g}"
        for value in (result.best_metric, result.last_metric, result.test_metric)
    )
    table.add_row(f"validation {name}", f"{best}, best epoch; {last}, last")
    table.add_row(f"test {name}", f"{test}, of the best epoch")
    table.add_row("time", f"{result.seconds:.1f} s, {result.seconds_per_epoch:.2f} s per epoch")
    table.add_row("checkpoints", f"{result.best}, {result.last}")
    table.add_row("curves", str(result.curves))
    return table


def layer_table(inspection: Inspection) -> Table:
    """The layers of a network, with the bits that their weights take in its file."""
    import netx_export

    given, file = inspection.input, inspection.file
    name = "a network" if file is None else Path(file.path).name
    inputs = f"{shape_text(given.shape)} of {given.bits} bit{'s' if given.bits > 1 else ''}"
    steps = "any number of" if inspection.is_endless else f"{inspection.timesteps}"
    title = f"{name}: {steps} time steps, input {inputs}"
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), title=title)
    for column in ("layer", "shape", "weights", "bits", "on disk", "memory", "thresholds", "reach", "state bits"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    table.add_row("input", shape_text(given.shape), *[""] * 6, str(given.state_bits))
    for layer in inspection.layers:
        table.add_row(
            layer.name,
            shape_text(layer.shape),
            f"{layer.weights:,}",
            str(layer.weight_bits),
            "" if file is None else f"{8 * file.weights[layer.name] / layer.weights:.2f}",
            layer.potential or netx_export.taps_text(layer.taps),
            "readout" if layer.thresholds is None else f"{layer.thresholds[0]}..{layer.thresholds[1]}",
            str(max(-layer.potentials[0], layer.potentials[1])),
            str(layer.state_bits),
        )
    return table


def word_table(inspection: Inspection) -> Table:
    """The layers of a network in plain words: what each takes, and what its neurons do with it."""
    import netx_export

    table = Table("layer", "takes", "its neurons", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for layer in inspection.layers:
        low, high = layer.weight_range
        weights = f"{layer.kind} from {', '.join(layer.sources)}, weights {low} to {high}"
        table.add_row(layer.name, weights, f"{netx_export.kind_words(layer.neuron)}: {'; '.join(layer.words)}")
    return table


def file_table(inspection: Inspection) -> Table:
    """The weights that a stock file holds, beside those that NetX computes with."""
    table = Table(box=box.SIMPLE, title="weights on file, and as NetX computes with them")
    for column in ("layer", "on file", "type", "bytes", "in NetX", "sums shifted by"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    for each in inspection.weights_on_file:
        on_file = f"{each.file_low:g}..{each.file_high:g}" if each.dtype else "none"
        table.add_row(each.layer, on_file, each.dtype, f"{each.stored:,}", f"{each.low}..{each.high}", str(each.shift))
    return table


def cost_table(inspection: Inspection) -> Table:
    """The bytes of a network's file, and the bits of its state beside those of Loihi's LIF."""
    import netx_export

    spiking = [layer for layer in inspection.layers if layer.thresholds is not None]
    neurons = sum(layer.neurons for layer in spiking)
    kept = sum(layer.neurons * layer.state_bits for layer in spiking)
    table = Table(show_header=False, box=box.SIMPLE)
    if inspection.file is not None:
        packed = sum(inspection.file.weights.values())
        table.add_row("file", f"{inspection.file.size:,} bytes, {packed:,} of them weights")
    table.add_row(f"state of {neurons:,} neurons", f"{kept:,} bits, {kept / max(1, neurons):.1f} each")
    inputs, kept_each = math.prod(inspection.input.shape), inspection.input.state_bits
    table.add_row(f"state of {inputs:,} inputs", f"{inputs * kept_each:,} bits, {kept_each} each")
    table.add_row(
        "the neurons as Loihi's LIF",
        f"{neurons * netx_export.LIF_STATE_BITS:,} bits, {netx_export.LIF_STATE_BITS} each",
    )
    return table


def backend_table(inspection: Inspection) -> Table:
    """The backends, and where each is exact for a network."""
    table = Table("backend", "what it is", "exact", box=box.SIMPLE)
    for backend in inspection.backends:
        exact = "[green]yes[/green]" if backend.refusal is None else f"[yellow]no:[/yellow] {escape(backend.refusal)}"
        table.add_row(backend.name, backend.summary, exact)
    return table


def finding_table(findings: Sequence[Finding]) -> Table:
    """The findings, the worst first."""
    table = Table("", "check", "layer", "what is wrong, and what to do", box=box.SIMPLE)
    for finding in findings:
        color = COLORS[finding.severity]
        text = f"{escape(finding.problem)}\n[dim]{escape(finding.remedy)}[/dim]"
        table.add_row(f"[{color}]{finding.severity}[/{color}]", finding.check, escape(finding.layer or ""), text)
    return table


def change_table(found: NetworkDiff) -> Table:
    """The differences of two networks in structure and numbers."""
    table = Table("layer", "what differs", box=box.SIMPLE, title=f"{found.titles[0]} and {found.titles[1]}")
    for change in found.changes:
        table.add_row(escape(change.layer or ""), escape(change.words))
    return table


def part_table(found: NetworkDiff) -> Table:
    """The differences of two networks' outputs on the same input."""
    table = Table(box=box.SIMPLE)
    for column in ("layer", "values", "active in the first", "in the second", "differ", "first at"):
        table.add_column(column, justify="left" if column in ("layer", "first at") else "right")
    for layer in found.layers:
        row = layer.row
        mark = "red" if row.mismatches else "green"
        rates = [f"{rate:.1%}" for rate in layer.rates]
        place = "" if row.first is None else str(row.first)
        differ = f"[{mark}]{row.mismatches:,}[/{mark}]"
        table.add_row(escape(layer.one), f"{row.values:,}", *rates, differ, place)
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


def nir_table(report: NirReport) -> Table:
    """Tabulate what the integers of an imported network changed, layer by layer."""
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), title=f"{report.samples} samples of {report.timesteps} steps")
    counts = ("neurons", "synapses", "spikes, NIR", "spikes")
    for column in ("layer", *counts, "F1", "alone", "weights", "decays", "thresholds"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    for row in report.rows:
        errors = (f"{error:.2%}" for error in (row.weight_error, row.decay_error, row.threshold_error))
        numbers = (f"{count:,}" for count in (row.neurons, row.synapses, row.float_spikes, row.integer_spikes))
        table.add_row(row.layer, *numbers, f"{row.agreement:.3f}", f"{row.agreement_alone:.3f}", *errors)
    return table
