"""A layout as plain data, for JSON."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netx_export._chip.layout import LayerLayout, Layout

#: Version of the format.
VERSION = 1

_NOTE = (
    "cores are those of the compiler's rules as far as its public tables tell; tight_cores are a lower bound. Nothing "
    "here has run on a chip."
)


def layout_dict(layout: Layout) -> dict[str, Any]:
    """A layout as dicts, lists, texts and numbers, with the format's version."""
    return {
        "version": VERSION,
        "note": _NOTE,
        "chip": chip_dict(layout),
        "mapping": layout.mapping,
        "cores": layout.cores,
        "tight_cores": layout.tight_cores,
        "chips": layout.chips,
        "tight_chips": layout.tight_chips,
        "board": layout.board,
        "layers": [layer_dict(layer) for layer in layout.parts],
        "findings": [asdict(finding) for finding in layout.findings],
        **({} if layout.traffic is None else {"traffic": layout.traffic.as_dict()}),
    }


def chip_dict(layout: Layout) -> dict[str, Any]:
    """The profile, with the origin of each limit."""
    chip = layout.chip
    values = {entry.name: getattr(chip, entry.name) for entry in fields(chip)}
    sources = {name: chip.source_of(name) for name in values if name not in ("name", "source", "sources")}
    return values | {"boards": dict(chip.boards), "sources": sources}


def layer_dict(layer: LayerLayout) -> dict[str, Any]:
    """One layer's numbers: those of its fullest core, but for averages and sums."""
    population = layer.population
    return {
        "name": layer.name,
        "shape": list(layer.shape),
        "neuron": population.neuron,
        "neurons": population.neurons,
        "cores": layer.cores,
        "tight_cores": layer.tight_cores,
        "first_core": layer.first_core,
        "chips": sorted(set(layer.chips.tolist())),
        "part": list(layer.cut.box),
        "neurons_per_core": layer.neurons_per_core,
        "synmem_words": layer.synmem_words,
        "synmem_words_average": layer.synmem_words_average,
        "axons_in": layer.axons_in,
        "axons_out": layer.axons_out,
        "state_words": layer.state_words,
        "total_words": layer.total_words,
        "binding": layer.binding,
        "share": layer.share,
        "state_bits_per_neuron": population.state_bits,
        "projections": [asdict(projection) for projection in population.projections],
        "stored_bits": list(layer.stored_bits),
        "program": "unknown" if population.program else "known",
    }


def cores_text(of: Layout | LayerLayout) -> str:
    """The range of cores in words: from the lower bound to those of the compiler's rules."""
    return counted(of.cores, "core") if of.tight_cores == of.cores else f"{of.tight_cores:,} to {of.cores:,} cores"


def counted(number: int, thing: str) -> str:
    """A number of things, with an s but for one."""
    return f"{number:,} {thing}" + ("s" if number != 1 else "")
