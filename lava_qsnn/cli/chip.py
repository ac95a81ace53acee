"""Verbs about the chip: where a network lies, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from lava_qsnn.cli import completion
from lava_qsnn.cli.inputs import chosen_samples, chosen_workers
from lava_qsnn.cli.options import PICTURE_FILES, AsJson, SampleOptions, Samples, WorkerOptions
from lava_qsnn.cli.results import print_json
from lava_qsnn.cli.tables import COLORS, shape_text
from lava_qsnn.cli.terminal import say, show
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.extras import require
from lava_qsnn.outputs import PICTURES, writable

if TYPE_CHECKING:
    import numpy as np

    from netx_export import LayerLayout, LayerTraffic, Layout, RuleFinding, SanafeTimes, Traffic

Network = Annotated[
    Path,
    typer.Argument(
        help="A NetX file, or a YAML file of shapes, bits and strides alone.",
        metavar="FILE",
        autocompletion=completion.files(".net", ".h5", ".hdf5", ".yaml", ".yml"),
    ),
]
CHIP = typer.Option(
    "--chip", help="loihi2, loihi2-2022, loihi1, or a YAML file of your own.", autocompletion=completion.chips
)
MAPPING = typer.Option(
    "--mapping", help="Of memory-free neurons: word, delayed or stock.", autocompletion=completion.mappings
)
ChipName = Annotated[str, CHIP]
MappingName = Annotated[str, MAPPING]
OtherChip = Annotated[str | None, CHIP]
OtherMapping = Annotated[str | None, MAPPING]
Picture = Annotated[
    Path | None, typer.Option("--picture", help="Draw the chips to a PNG or SVG file.", autocompletion=PICTURE_FILES)
]


@dataclass(frozen=True)
class SanafeOptions:
    """Options about SANA-FE, a simulator."""

    sanafe: Annotated[
        Path | None,
        typer.Option(
            "--sanafe",
            help="Write files for SANA-FE, a simulator of Loihi 1, into a folder.",
            autocompletion=completion.folders,
        ),
    ] = None
    sanafe_neurons: Annotated[
        str | None,
        typer.Option(
            "--sanafe-neurons", help="replayed: the samples' spikes; computed: by SANA-FE, one sample or none."
        ),
    ] = None
    sanafe_results: Annotated[
        Path | None,
        typer.Option("--sanafe-results", help="Show the time of a step that SANA-FE's perf_trace has."),
    ] = None


#: Columns of the table of cores.
COLUMNS = ("layer", "shape", "bits", "cores", "neurons", "axons in", "out", "SynMem", "state", "all", "nearest limit")


def layout(
    file: Network,
    of: SampleOptions,
    simulated: SanafeOptions,
    who: WorkerOptions,
    chip: OtherChip = None,
    mapping: OtherMapping = None,
    samples: Samples = 8,
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Show where a network lies on Loihi: cores, memories, design rules; with samples, what moves."""
    import netx_export

    if picture is not None:
        require("plot", "matplotlib")
        writable(picture, PICTURES)
    folder = simulated.sanafe
    if folder is None and simulated.sanafe_neurons is not None:
        raise ConfigurationError("--sanafe-neurons is for files that are written", remedy="name a folder with --sanafe")
    wanted = of.data is not None or of.array is not None or of.random
    x = _samples(file, of, samples) if wanted else None
    usual = ("loihi2", "word") if folder is None and simulated.sanafe_results is None else ("loihi1", "delayed")
    with chosen_workers(who) as where:
        found = netx_export.layout(file, chip or usual[0], mapping or usual[1], activity=x, **where)
    times = None if simulated.sanafe_results is None else netx_export.read_sanafe(simulated.sanafe_results)
    if folder is not None:
        netx_export.write_sanafe(found, folder, x, simulated.sanafe_neurons)
    if picture is not None:
        netx_export.plot_layout(found, picture)
    if as_json:
        print_json({"traffic": None, **found.as_dict()}, **_results(found, times))
        return
    show_layout(found, file.name)
    if times is not None:
        show(time_table(found, times))
    if picture is not None:
        say(f"drew the chips to {picture}")
    if folder is not None:
        say(f"wrote loihi1.yaml, network.yaml and counts.json for SANA-FE to {folder}")


def _results(found: Layout, times: SanafeTimes | None) -> dict[str, Any]:
    """Results of SANA-FE as plain data, None if there are none."""
    import netx_export

    if times is None:
        return {"sanafe": None, "waits_for": None}
    return {"sanafe": times.as_dict(), "waits_for": netx_export.waits_for(found)}


def _samples(file: Path, of: SampleOptions, samples: int) -> np.ndarray[tuple[int, ...], np.dtype[np.integer]]:
    import netx_export

    if file.suffix in (".yaml", ".yml"):
        raise ConfigurationError("shapes alone have no activity", remedy="give a network's file, or no data")
    return chosen_samples(netx_export.load(file), file, of, samples).x


def show_layout(found: Layout, name: str) -> None:
    """Print a layout's tables."""
    show(core_table(found, name), sum_table(found))
    if found.traffic is not None:
        show(traffic_table(found.traffic))
    if found.findings:
        show(rule_table(found))


def core_table(found: Layout, name: str) -> Table:
    """The layers of a network on their cores."""
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), title=f"{name} on {found.chip.name}, mapping {found.mapping}")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("layer", "nearest limit") else "right")
    for part in found.parts:
        table.add_row(*_core_row(found, part))
    return table


def _core_row(found: Layout, part: LayerLayout) -> tuple[str, ...]:
    cores = str(part.cores) if part.tight_cores == part.cores else f"{part.tight_cores}..{part.cores}"
    shares = {
        "synmem_words": part.synmem_words,
        "state_words": part.state_words,
        "total_words": part.total_words,
    }
    memories = (f"{words:,} {words / getattr(found.chip, name):.0%}" for name, words in shares.items())
    return (
        escape(part.name),
        shape_text(part.shape),
        " ".join(map(str, part.stored_bits)),
        cores,
        f"{part.neurons_per_core:,}",
        f"{part.axons_in:,}",
        f"{part.axons_out:,}",
        *memories,
        part.binding.replace("_", " "),
    )


def sum_table(found: Layout) -> Table:
    """Cores and chips of the whole network; numbers are ranges, from a lower bound to the compiler's rules."""
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_row("cores", f"{found.tight_cores:,} at the least, {found.cores:,} by the compiler's rules")
    table.add_row("chips", f"{found.tight_chips:,} at the least, {found.chips:,} by the compiler's rules")
    board = found.board or ("none that is known" if found.chip.boards else "no boards are known")
    table.add_row("smallest board", board)
    state = f"{found.chip.state_words:,} a core: {found.chip.source_of('state_words')}"
    table.add_row("words of state", escape(state))
    table.add_row("columns", "neurons, axons and words of 64 bits are those of a layer's fullest core")
    table.add_row("profile", escape(found.chip.source))
    return table


def traffic_table(traffic: Traffic) -> Table:
    """The traffic, the mean of a sample and its spread."""
    from lava_qsnn.integer import INPUT
    from netx_export import spread

    table = Table(
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
        title=f"for a sample: mean of {traffic.samples} ± standard deviation, {traffic.timesteps} time steps",
    )
    columns = ("layer", "messages", "payload bits", "SynOps", "dense", "words read", "updates", "idle")
    for column in columns:
        table.add_column(column, justify="left" if column == "layer" else "right")

    def shown(counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
        numbers = spread(counts if counts.ndim == 1 else counts.sum(1))
        return f"{numbers['mean']:,.0f} ± {numbers['deviation']:,.0f}"

    rows: list[tuple[str, LayerTraffic | Traffic]] = [*traffic.layers.items(), ("all of it", traffic)]
    for name, each in rows:
        sent = (shown(each.messages), shown(each.payload_bits))
        done = (shown(each.synops), f"{each.dense_synops:,}", shown(each.words_read))
        neurons = (f"{each.updates:,}", shown(each.idle_updates))
        table.add_row(escape(name), *sent, *(("",) * 5 if name == INPUT else (*done, *neurons)))
    return table


def time_table(found: Layout, times: SanafeTimes) -> Table:
    """The latency of a time step by SANA-FE, and what each layer waits for in lava-async."""
    from netx_export import waits_for

    table = Table(show_header=False, box=box.SIMPLE, title="time, by the simulator SANA-FE, of Loihi 1; not measured")
    micro = times.seconds * 1e6
    table.add_row(
        "a time step", f"{micro.mean():.3f} us in the mean of {len(micro)}, {micro.min():.3f} to {micro.max():.3f}"
    )
    table.add_row(
        "all of them", f"{micro.sum():.3f} us, {times.joules.sum() * 1e6:.3f} uJ dynamic, without static power"
    )
    table.add_row("on Loihi", "all cores wait for each other at the end of each step")
    for layer, sources in waits_for(found).items():
        table.add_row("in lava-async", escape(f"{layer} waits for {', '.join(sources) or 'nothing'}"))
    return table


def rule_table(found: Layout) -> Table:
    """The findings of design rules, the same of several layers once."""
    colors = {**COLORS, "unknown": "magenta"}
    table = Table("", "rule", "layer", "what was found, what to do, and the origin of the limit", box=box.SIMPLE)
    layers: dict[RuleFinding, list[str]] = {}
    for finding in found.findings:
        layers.setdefault(replace(finding, layer=None), []).append(finding.layer or "")
    for finding, names in layers.items():
        color = colors[finding.severity]
        advice = f"\n[dim]{escape(finding.remedy)}[/dim]" if finding.remedy else ""
        text = f"{escape(finding.problem)}{advice}\n[dim]{escape(finding.source)}[/dim]"
        shown = ", ".join(names) if len(names) < 4 else f"{names[0]} .. {names[-1]}, {len(names)} layers"
        table.add_row(f"[{color}]{finding.severity}[/{color}]", finding.rule, escape(shown), text)
    return table


#: The verbs of this module, in the order of the command's help.
VERBS = (layout,)
