"""The verb that turns files of networks into NIR, and files of NIR into networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lava_qsnn.cli import completion
from lava_qsnn.cli.arrays import read_array
from lava_qsnn.cli.options import Array, AsJson, located
from lava_qsnn.cli.results import print_json
from lava_qsnn.cli.tables import nir_table
from lava_qsnn.cli.terminal import say, show
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.outputs import writable

#: The suffix of files of NIR; all others are NetX files.
NIR = ".nir"

FILES = completion.files(NIR, ".net", ".h5", ".hdf5")


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            help="A NetX file, or one of NIR, whose name ends in .nir.",
            metavar="A",
            autocompletion=FILES,
            callback=located,
        ),
    ],
    target: Annotated[
        Path, typer.Argument(help="The file to write, of the other kind.", metavar="B", autocompletion=FILES)
    ],
    timesteps: Annotated[int | None, typer.Option("--timesteps", min=1, help="From NIR: the longest sample.")] = None,
    dt: Annotated[float | None, typer.Option("--dt", help="Seconds of a time step, which NIR does not say.")] = None,
    input_bits: Annotated[int | None, typer.Option("--input-bits", min=1, help="From NIR: of the input.")] = None,
    weight_bits: Annotated[int | None, typer.Option("--weight-bits", min=2, max=8, help="From NIR: 8.")] = None,
    synapses: Annotated[
        int | None, typer.Option("--synapses", min=1, max=2, help="From NIR: 2 splits weights over two synapses.")
    ] = None,
    scale: Annotated[str | None, typer.Option("--scale", help="From NIR: one for each neuron, or layer.")] = None,
    biases: Annotated[
        str | None, typer.Option("--biases", help="From NIR: always (a neuron that always fires), or potential.")
    ] = None,
    array: Array = None,
    style: Annotated[str | None, typer.Option("--style", help="To NIR: auto, cuba or delay.")] = None,
    approximate: Annotated[
        bool | None, typer.Option("--approximate", help="To NIR: also what has no exact form; counts what differs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Convert a network to NIR, or from NIR, by the files' suffixes; say what that changed."""
    incoming = {
        "timesteps": timesteps,
        "input_bits": input_bits,
        "weight_bits": weight_bits,
        "synapses": synapses,
        "scale": scale,
        "biases": biases,
        "samples": None if array is None else read_array(array),
    }
    outgoing = {"style": style, "approximate": approximate}
    if (source.suffix == NIR) == (target.suffix == NIR):
        raise ConfigurationError(
            f"'{source}' and '{target}' are files of the same kind", remedy=f"let one of the names end in {NIR}"
        )
    writable(target)
    if source.suffix == NIR:
        _refuse(outgoing, "a file of NIR is read")
        _from_nir(source, target, _given(incoming | {"dt": dt}), as_json)
    else:
        _refuse(incoming, "a file of NIR is written")
        _to_nir(source, target, _given(outgoing | {"dt": dt}), as_json)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _refuse(options: dict[str, Any], case: str) -> None:
    for name in _given(options):
        option = {"samples": "--input"}.get(name, f"--{name.replace('_', '-')}")
        raise ConfigurationError(f"{option} means nothing where {case}", remedy="leave it out")


def _from_nir(source: Path, target: Path, options: dict[str, Any], as_json: bool) -> None:
    import netx_export

    if "timesteps" not in options:
        raise ConfigurationError("NIR does not say how long samples are", remedy="say --timesteps")
    network, report = netx_export.from_nir(source, **options)
    netx_export.write(network, target)
    if as_json:
        print_json({"source": source, "target": target, "from_nir": report, "to_nir": None})
        return
    show(nir_table(report))
    for note in report.notes:
        say(note)
    say(f"the same class in {report.same_class:.1%} of {report.samples} samples; wrote {target}")


def _to_nir(source: Path, target: Path, options: dict[str, Any], as_json: bool) -> None:
    import netx_export

    graph = netx_export.to_nir(source, **options)
    netx_export.write_nir(graph, target)
    said = graph.metadata
    if as_json:
        told = {name: said[name] for name in ("style", "dt", "values", "mismatches")}
        print_json({"source": source, "target": target, "from_nir": None, "to_nir": told})
        return
    counted = f"{said['mismatches']:,} of {said['values']:,} values differ from the network's"
    say(f"style {said['style']}, dt {said['dt']:g} s: {counted}; wrote {target}")
