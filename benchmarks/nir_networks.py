"""The networks of the NIR paper in 8-bit integers, beside the paper's own platforms.

    python -m benchmarks.nir_networks FOLDER [--chip TRACE.csv] [--recordings FOLDER]

FOLDER holds the files `lif_norse.nir`, `cnn_sinabs.nir` and `braille_noDelay_bias_zero.nir` of the folder `paper` of
https://github.com/neuromorphs/NIR (Pedersen et al., Nature Communications 2024); what is not there is left out. TRACE
is `lif_lava_loihi_fixed.csv` from there; recordings are N-MNIST's folders Train and Test, as many as there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import nir
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import netx_export
from benchmarks._nir_losses import LOSSES, agreement
from benchmarks._timing import RESULTS
from lava_qsnn.bench.machine import write_json

#: The paper's accuracies in percent: of all 10,000 test recordings of N-MNIST, and of 140 Braille letters.
PAPER = {
    "cnn": "Sinabs 98.47, SpiNNaker2 98.2, Lava 98.15, Norse, Nengo 98.11, snnTorch 97.85, Spyx 97.12, Speck 95.4",
    "braille": "snnTorch 95.0, Norse 94.3, SpiNNaker2 85, Spyx 84.3, Nengo 55.7, Lava 48.6",
}

#: Seconds of a time step, and random input of the data's kind: time steps, and rates of spikes.
DT, STEPS, RATES = 1e-4, 256, (0.05, 0.1, 0.2, 0.3)

#: Samples of each rate, other ones, from which the range of potentials is taken.
CALIBRATION = 32

#: How finely weights are written, by what the table calls it.
PRECISIONS: dict[str, dict[str, Any]] = {
    "8 bits, one scale a layer": {"scale": "layer"},
    "8 bits, one scale a neuron": {},
    "the same, biases at once": {"biases": "potential"},
    "two synapses of 8 bits": {"synapses": 2},
}

#: Milliseconds of the longest recording of N-MNIST; one time step each.
LONGEST = 340

#: Backends beside `fast`, which run the first recordings only.
OTHERS = ("reference", "lava", "lava-async", "lava-fused", "netx")


def trace(path: Path, recorded: Path) -> dict[str, Any]:
    """The neuron imported, on the input of a trace recorded on a chip, whose synapses act one step late."""
    given, _, fired = np.loadtxt(recorded, delimiter=",").astype(np.int64).T
    x = given[None, None]
    network, report = netx_export.from_nir(path, len(given), dt=DT, samples=x)
    found = netx_export.simulate(network, x, "fast")[0, 0]
    return {
        "steps": len(given),
        "chip spikes": np.flatnonzero(fired).tolist(),
        "integer spikes": np.flatnonzero(found).tolist(),
        "differing steps": int((found[:-1] != fired[1:]).sum()),
        "agreement with the graph": report.rows[0].agreement,
    }


def recordings(folder: Path, count: int) -> tuple[list[Path], NDArray[np.int64]]:
    """The first recordings of both parts, and their digits."""
    found = sorted(folder.glob("T*/*/*.bin"), key=lambda path: (path.parts[-3], path.name))[:count]
    return found, np.array([int(path.parent.name) for path in found])


def counted(path: Path) -> NDArray[np.uint8]:
    """Events of a recording in steps of 1 ms, (2, 34, 34, LONGEST)."""
    import tonic

    events = tonic.io.read_mnist_file(str(path), dtype=tonic.datasets.NMNIST.dtype)
    frames = np.zeros((2, 34, 34, LONGEST), np.uint8)
    step = np.minimum(events["t"].astype(np.int64) // 1000, LONGEST - 1)
    np.add.at(frames, (events["p"].astype(np.int64), events["y"], events["x"], step), 1)
    return frames


def digits(path: Path, folder: Path, count: int, beside: int) -> dict[str, Any]:
    """Accuracy in integers on all recordings, and what backends differ by on the first ones."""
    files, labels = recordings(folder, count)
    first = np.stack([counted(each) for each in files[:beside]])
    network, report = netx_export.from_nir(path, LONGEST, input_bits=4, samples=first)
    right: list[bool] = []
    for start in range(0, len(files), 20):
        x = np.stack([counted(each) for each in files[start : start + 20]])
        answers = netx_export.simulate(network, x, "fast").sum(-1).argmax(1)
        right += (answers == labels[start : start + 20]).tolist()
    graph = netx_export.evaluate_nir(path, first, dt=DT)[list(network)[-1]].sum(-1).argmax(1)
    parts = {name: [ok for ok, file in zip(right, files) if file.parts[-3] == name] for name in ("Test", "Train")}
    return {
        "recordings": len(files),
        "accuracy": float(np.mean(right)),
        **{f"accuracy {name}": float(np.mean(each)) for name, each in parts.items() if each},
        "graph's accuracy on the first": float((graph == labels[:beside]).mean()),
        "backends": dict(_beside(network, first[:2])),
        "layers": [vars(row) for row in report.rows],
    }


def _beside(network: Any, x: NDArray[Any]) -> Iterator[tuple[str, Any]]:
    """By backend, how many values of all layers differ from the fast engine's, or why it does not run."""
    expected = netx_export.simulate_layers(network, x, "fast")
    for name in OTHERS:
        backend = netx_export.BACKENDS[name]
        if (reason := backend.refusal(network) or backend.absence()) is not None:
            yield name, reason
            continue
        found = netx_export.simulate_layers(network, x, name, time_limit=3600)
        yield name, int(sum((values != expected[layer]).sum() for layer, values in found.items()))


def spikes(shape: tuple[int, ...], rate: float, samples: int, seed: int) -> NDArray[np.int64]:
    """Random spikes of a rate, (N, *shape, STEPS)."""
    return (np.random.default_rng(seed).random((samples, *shape, STEPS)) < rate).astype(np.int64)


def hidden(path: Path, samples: int, seeds: int) -> list[dict[str, Any]]:
    """Agreement of the recurrent layer's spikes with the graph's, for each precision and each loss alone, by rate."""
    graph = nir.read(path, type_check=False)
    rows: list[dict[str, Any]] = [{"what": name, "agreement": [], "same class": []} for name in (*PRECISIONS, *LOSSES)]
    shape = tuple(int(each) for each in graph.nodes["input"].input_type["input"])
    others = np.concatenate([spikes(shape, rate, min(samples, CALIBRATION), 999) for rate in RATES])
    for rate in RATES:
        drawn = [spikes(shape, rate, samples, seed) for seed in range(seeds)]
        found: list[Callable[[NDArray[np.int64]], tuple[float, float]]] = [
            *(_imported(graph, others, options, row) for options, row in zip(PRECISIONS.values(), rows)),
            *(loss(graph) for loss in LOSSES.values()),
        ]
        for row, measure in zip(rows, found):
            pairs = np.array([measure(x) for x in drawn])
            row["agreement"].append(pairs[:, 0].round(4).tolist())
            row["same class"].append(float(pairs[:, 1].mean()))
    return rows


def _imported(
    graph: nir.NIRGraph, others: NDArray[np.int64], options: dict[str, Any], row: dict[str, Any]
) -> Callable[[NDArray[np.int64]], tuple[float, float]]:
    """The measure of a network of integers, whose ranges are taken from other samples of all rates."""
    network, report = netx_export.from_nir(graph, STEPS, dt=DT, samples=others, **options)
    row["synapses"] = sum(each.synapses for each in report.rows)
    row["layers"] = [vars(each) for each in report.rows]
    if "backends" not in row:
        row["backends"] = dict(_beside(network, others[:2]))
    return lambda x: agreement(graph, x, netx_export.simulate_layers(network, x, "fast"))


def main(
    folder: Annotated[Path, typer.Argument(help="That holds the paper's networks.")],
    chip: Annotated[Path | None, typer.Option(help="The trace recorded on a chip.")] = None,
    recordings: Annotated[Path | None, typer.Option(help="N-MNIST: folders Train and Test.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Of recordings, at most.")] = 100_000,
    samples: Annotated[int, typer.Option(min=1, help="Of random input, for each rate and seed.")] = 50,
    quick: Annotated[bool, typer.Option("--quick", help="Few samples, to see that it runs.")] = False,
    results: Annotated[Path, typer.Option(help="Folder for the JSON file.")] = RESULTS,
) -> None:
    """Measure, print tables, write JSON."""
    console = Console()
    rows: dict[str, Any] = {}
    lif, cnn, braille = (folder / name for name in ("lif_norse.nir", "cnn_sinabs.nir", "braille_noDelay_bias_zero.nir"))
    if lif.exists() and chip is not None:
        rows["lif"] = trace(lif, chip)
        console.print(rows["lif"])
    if braille.exists():
        rows["braille"] = hidden(braille, 4 if quick else samples, 1 if quick else 3)
        console.print(_table(rows["braille"]), f"the paper: {PAPER['braille']}")
    if cnn.exists() and recordings is not None:
        rows["cnn"] = digits(cnn, recordings, 2 if quick else count, 2 if quick else 20)
        console.print(rows["cnn"], f"the paper: {PAPER['cnn']}")
    console.print(f"wrote {write_json('nir_networks', {'rows': rows, 'paper': PAPER}, results)}")


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("hidden spikes, F1 at spike rates of", *(f"{rate:.0%}" for rate in RATES), "same class", "synapses")
    for row in rows:
        means = (f"{np.mean(each):.3f}" for each in row["agreement"])
        classes = " ".join(f"{each:.0%}" for each in row["same class"])
        table.add_row(row["what"], *means, classes, f"{row['synapses']:,}" if "synapses" in row else "")
    return table


if __name__ == "__main__":
    typer.run(main)
