"""The files of a network for SANA-FE: the chip, the mapped network, and the counts that it should find."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError
from netx_export._chip.energy import TILE_CORES
from netx_export._chip.layout import Layout
from netx_export._chip.prices import SANA_FE
from netx_export._chip.sanafe import MOST_NEURONS, Group, SanafeCounts, SanafeNetwork, sanafe_counts, sanafe_network

#: Version of the file of counts.
VERSION = 1

#: The names of the files.
CHIP_FILE, NETWORK_FILE, COUNTS_FILE = "loihi1.yaml", "network.yaml", "counts.json"

#: Seconds, joules and the table of barriers: SANA-FE 2.2.9, loihi.yaml [C]; energies are those of the basis of prices.
_HOPS = {"east": 4.1e-9, "west": 4.1e-9, "north": 6.5e-9, "south": 6.5e-9}
_SYNAPSES = {"dense": 3.8e-9, "sparse": 4.7e-9, "conv": 3.1e-9}
_BARRIERS = {1: 0.6e-6, 2: 1.0e-6, 4: 1.4e-6, 29: 1.8e-6}
_MESSAGE_IN, _MESSAGE_OUT, _ACCESS, _UPDATE, _SPIKE = 16e-9, 5.1e-9, 6e-9, 3.7e-9, 30e-9


def write_sanafe(
    layout: Layout,
    folder: str | os.PathLike[str],
    x: NDArray[np.integer[Any]] | None = None,
    neurons: str | None = None,
) -> SanafeCounts:
    """Write a layout on Loihi 1 for the simulator SANA-FE: the chip, the mapped network, and what it should count.

    Args:
        layout: of a network on one chip, profile "loihi1", mapping "delayed" or "stock".
        folder: is made if its parent is there; holds loihi1.yaml, network.yaml and counts.json afterwards.
        x: samples, int (N, *input shape, T), one after another; None for a silent input.
        neurons: "replayed": every neuron spikes as the `fast` engine found, so that messages, hops, operations and
            energy can be compared for any network; its synapses have weight 0, since SANA-FE's programmed neurons take
            no current. "computed": SANA-FE's own neurons compute one sample, with the network's weights and delays,
            where they can bit for bit. By default "replayed" with samples, "computed" without.

    Returns:
        What SANA-FE should count.

    Raises:
        ConfigurationError: the layout is of another chip or of shapes alone, or there is no such folder.
        DeploymentError: it takes more than one chip, or SANA-FE's neurons cannot compute a layer; the text says why.
        InputError: the samples do not fit the network.
    """
    place = Path(folder)
    if not place.parent.is_dir() or (place.exists() and not place.is_dir()):
        raise ConfigurationError(
            f"'{place}' can be no folder: {'it is a file' if place.exists() else f'there is no {place.parent}'}",
            remedy="name a folder whose parent is there",
        )
    made = sanafe_network(layout, x, neurons)
    counts = sanafe_counts(made)
    place.mkdir(exist_ok=True)
    (place / CHIP_FILE).write_text(yaml.safe_dump(_chip(made), sort_keys=False))
    with (place / NETWORK_FILE).open("w") as file:
        file.writelines(f"{line}\n" for line in _network(made))
    (place / COUNTS_FILE).write_text(json.dumps(_counts(made, counts), indent=2) + "\n")
    return counts


def _counts(made: SanafeNetwork, counts: SanafeCounts) -> dict[str, Any]:
    groups = {group.layer: {"group": group.name, "depth": group.depth} for group in made.groups}
    head = {"version": VERSION, "simulator": "SANA-FE 2.2.9", "mapping": made.layout.mapping, "neurons": made.neurons}
    return {**head, "steps": made.steps, "groups": groups, **counts.as_dict()}


def _joules(operation: str, upper: bool = False) -> float:
    """The price of an operation in joules."""
    price = next(each for each in SANA_FE.prices if each.operation == operation)
    assert price.high is not None
    return float(f"{price.high if upper else price.low}e-12")


def _chip(made: SanafeNetwork) -> dict[str, Any]:
    """Loihi 1 as SANA-FE describes it, with units for neurons whose spikes are given."""
    hops = {f"latency_{name}_hop": seconds for name, seconds in _HOPS.items()}
    for name in _HOPS:
        hops[f"energy_{name}_hop"] = _joules("hop_east_west" if name in ("east", "west") else "hop_north_south")
    tile = {"name": "tile[0..31]", "attributes": hops, "core": [_core(made)]}
    attributes = {
        "topology": "mesh",
        "width": 8,
        "height": 4,
        "link_buffer_size": 16,
        "sync_model": "table",
        "latency_sync": _BARRIERS,
    }
    return {"architecture": {"name": "loihi1", "attributes": attributes, "tile": [tile]}}


def _core(made: SanafeNetwork) -> dict[str, Any]:
    message_in = {"energy_message_in": 0.0, "latency_message_in": _MESSAGE_IN}
    message_out = {"energy_message_out": _joules("message"), "latency_message_out": _MESSAGE_OUT}
    synapses = [
        _unit(kind, "current_based", energy_process_spike=_joules(f"synop_{kind}"), latency_process_spike=seconds)
        for kind, seconds in _SYNAPSES.items()
    ]
    model = "accumulator_with_delay" if made.neurons == "computed" else "accumulator"
    dendrites = [_unit("dendrite", model, energy_update=0.0, latency_update=0.0)]
    return {
        "name": f"core[0..{TILE_CORES - 1}]",
        "attributes": _buffer(made) | {"max_neurons_supported": MOST_NEURONS},
        "axon_in": [{"name": "message_in", "attributes": message_in}],
        "synapse": synapses,
        "dendrite": dendrites,
        "soma": _somas(made),
        "axon_out": [{"name": "message_out", "attributes": message_out}],
    }


def _buffer(made: SanafeNetwork) -> dict[str, Any]:
    """The place where what arrives waits for the next time step: dendrites with delays keep it themselves."""
    if made.neurons == "computed":
        return {"buffer_position": "dendrite", "buffer_inside_unit": True}
    return {"buffer_position": "soma", "buffer_inside_unit": False}


def _somas(made: SanafeNetwork) -> list[dict[str, Any]]:
    """Neurons that compute; those that replay, and are updated at each step all the same; the input's, at no cost."""
    access, both = _joules("update"), _joules("update", upper=True)
    given = {group.layer: int(np.bincount(group.cores).max()) for group in made.groups}
    inputs = given.pop(made.groups[0].layer)
    spike = _joules("spike")
    somas = [
        _soma("computed", "leaky_integrate_fire", access, both - access, spike, (_ACCESS, _UPDATE, _SPIKE)),
        _soma(f"input[0..{max(inputs, 2) - 1}]", "input", 0.0, 0.0, 0.0, (0.0, 0.0, 0.0)),
    ]
    if made.neurons == "replayed":
        name = f"replayed[0..{max(2, *given.values()) - 1}]"
        somas.append(_soma(name, "input", both, 0.0, spike, (_ACCESS + _UPDATE, 0.0, _SPIKE)))
    return somas


def _soma(
    name: str, model: str, access: float, update: float, spike: float, seconds: tuple[float, float, float]
) -> dict[str, Any]:
    names = ("access_neuron", "update_neuron", "spike_out")
    energies = {f"energy_{each}": value for each, value in zip(names, (access, update, spike))}
    latencies = {f"latency_{each}": value for each, value in zip(names, seconds)}
    return _unit(name, model, **energies, **latencies)


def _unit(name: str, model: str, **values: float) -> dict[str, Any]:
    return {"name": name, "attributes": {"model": model, **values}}


def _network(made: SanafeNetwork) -> Iterator[str]:
    """The lines of the mapped network."""
    yield from ("network:", f"  name: {made.neurons}", "  groups:")
    for group in made.groups:
        yield from _group(group)
    yield "  edges:"
    for (source, target, _), each in made.edges.items():
        here, there = made.group(source).name, made.group(target)
        columns = (each.sources.tolist(), each.targets.tolist(), each.weights.tolist(), each.delays.tolist())
        for one, other, weight, delay in zip(*columns):
            attributes = "weight: 0" if there.lif is None else f"weight: {weight}, delay: {delay}"
            yield f"  - {here}.{one} -> {there.name}.{other}: {{{attributes}}}"
    yield "mappings:"
    for group in made.groups:
        yield from _places(group)


def _group(group: Group) -> Iterator[str]:
    yield f"  - name: {group.name}"
    if group.lif is None:
        yield from ("    attributes: [log_spikes: true]", "    neurons:")
        for neuron, train in enumerate(group.trains.astype(int).tolist()):
            yield f"    - {neuron}: [spikes: {train}]"
        return
    soma = f"{{leak_decay: 0.0, input_decay: {group.lif.input_decay}, reset_mode: none, force_update: true}}"
    yield from (f"    attributes: [log_spikes: true, soma: {soma}]", "    neurons:")
    for neuron, threshold in enumerate(group.lif.thresholds.tolist()):
        yield f"    - {neuron}: [soma: {{threshold: {threshold}}}]"


def _places(group: Group) -> Iterator[str]:
    """The core of each neuron, and the units there."""
    if group.lif is not None:
        units = f"soma: computed, synapse: {group.kind}, dendrite: dendrite"
        for core, run in groupby(enumerate(group.cores.tolist()), key=lambda each: each[1]):
            first, *_, last = [number for number, _ in run] * 2
            yield f"- {group.name}.{first}..{last}: [core: {_core_name(core)}, {units}]"
        return
    used: dict[int, int] = {}
    soma = "input" if group.layer == "input" else "replayed"
    for neuron, core in enumerate(group.cores.tolist()):
        unit = used[core] = used.get(core, -1) + 1
        units = f'soma: "{soma}[{unit}]", synapse: {group.kind}, dendrite: dendrite'
        yield f"- {group.name}.{neuron}: [core: {_core_name(core)}, {units}]"


def _core_name(core: int) -> str:
    return f"{core // TILE_CORES}.{core % TILE_CORES}"
