"""Counts on Loihi 1 beside those of SANA-FE, a simulator of spiking chips, and its time of a step.

    python -m benchmarks.simulated          # trains on digits, a minute or two; JSON in benchmarks/results

Memory-free blocks of 1 bit and slayer's CUBA, 64-128-128-10, are trained as `benchmarks.chip beside-cuba` does; the
spikes of test samples are replayed. SANA-FE is a program of its own, under the GPL: it reads files that are written.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import sanafe
import torch
import typer
from rich.console import Console
from rich.table import Table

import netx_export
from benchmarks._timing import RESULTS
from benchmarks.chip import trained_cuba, trained_memory_free
from lava_qsnn.bench.machine import write_json
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.data import make

app = typer.Typer(help=__doc__)
console = Console()


@app.command()
def simulated(
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Of both trainings.")] = 40,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Test samples to replay.")] = 32,
    output: Annotated[Path, typer.Option("--output", help="Folder for the JSON.")] = RESULTS,
) -> None:
    """Count what networks move on Loihi 1, and let SANA-FE count it, too."""
    torch.set_num_threads(1)
    config = override(load_config("digits"), {"trainer.max_epochs": epochs})
    data = make(config.data)
    x = data.test_arrays()[0][:samples]
    memory_free, cuba = trained_memory_free(config), trained_cuba(config, data)
    columns = {
        "memory-free, delayed": _compared(memory_free, "delayed", x),
        "memory-free, stock": _compared(memory_free, "stock", x),
        "slayer's CUBA": _compared(cuba, "stock", x),
    }
    table = Table("for a sample", *columns)
    for row in next(iter(columns.values())):
        table.add_row(row, *(_shown(column[row]) for column in columns.values()))
    console.print(table)
    content = {"epochs": epochs, "samples": samples, "columns": columns}
    console.print(f"wrote {write_json('chip_simulated', content, output)}")


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.4g}"


def _compared(network: IntegerNetwork, mapping: str, x: np.ndarray[Any, Any]) -> dict[str, float]:
    """Our counts of a sample, and SANA-FE's, by the same names."""
    found = netx_export.energy(network, x, "loihi1", mapping)
    bill = next(each for each in found.bills if each.basis.name == "SANA-FE")
    traffic = found.layout.traffic
    assert traffic is not None
    assert bill.high is not None
    with TemporaryDirectory() as folder:
        counts = netx_export.write_sanafe(found.layout, folder, x)
        result, times = _run(Path(folder), x.shape[-1] * len(x))
    late, entering = sum(counts.late_operations.values()), counts.messages["input"]
    return {
        "cores": found.layout.cores,
        "messages": float(traffic.messages.mean()),
        "messages, SANA-FE": result["packets_sent"] / len(x),
        "synaptic operations": float(traffic.synops.mean()),
        "of them late, left out here": late / len(x),
        "synaptic operations, SANA-FE": result["spikes"] / len(x),
        "energy, uJ": bill.high * 1e-6,
        "messages of the input, SANA-FE alone": entering / len(x),
        "energy, uJ, SANA-FE": result["energy"]["total"] / len(x) * 1e6,
        "time of a step, us, SANA-FE": float(times.seconds.mean() * 1e6),
        "longest step, us, SANA-FE": float(times.seconds.max() * 1e6),
    }


def _run(folder: Path, steps: int) -> tuple[dict[str, Any], netx_export.SanafeTimes]:
    chip = sanafe.load_arch(str(folder / "loihi1.yaml"))
    simulator = sanafe.SpikingChip(chip)
    simulator.load(sanafe.load_net(str(folder / "network.yaml"), chip))
    result = simulator.sim(steps, perf_trace=str(folder / "perf.csv"))
    return result, netx_export.read_sanafe(folder / "perf.csv")


if __name__ == "__main__":
    app()
