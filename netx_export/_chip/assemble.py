"""The one function that lays a network out: mapped, cut, placed, counted and judged."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.integer import INPUT, IntegerNetwork, Shape
from lava_qsnn.tasks import Job
from netx_export._chip.layout import Layout, placed
from netx_export._chip.mappings import map_network
from netx_export._chip.pools import can_be_apart
from netx_export._chip.populations import Population, read_populations
from netx_export._chip.profiles import Chip, find_chip
from netx_export._chip.rules import findings
from netx_export._chip.traffic import Traffic, count_traffic, joined
from netx_export._chunks import Chunk
from netx_export._many import Done, Many, checked, fill, refuse_lost
from netx_export._read import load

if TYPE_CHECKING:
    from distributed import Client


def layout(
    network: IntegerNetwork | str | os.PathLike[str] | Sequence[Population],
    chip: Chip | str | os.PathLike[str] = "loihi2",
    mapping: str = "word",
    activity: NDArray[np.integer[Any]] | None = None,
    *,
    workers: int | None = None,
    client: Client | None = None,
) -> Layout:
    """Lay a network out on chips.

    Args:
        network: a deployed network, its file, or what is known of its shapes, bits and strides alone: populations, or
            a YAML file with a chain of them, see `chain`.
        chip: "loihi2", "loihi2-2022", "loihi1", a `Chip`, or a YAML file with one.
        mapping: of memory-free neurons: "word", "delayed" or "stock".
        activity: input samples, int (N, *input shape, T), with which to count what moves; needs a network.
        workers, client: counts parts of the samples beside each other, see `simulate`; they may lie on a disk then.

    Returns:
        The layout; a network that is too large for every board is an answer, too.

    Raises:
        ConfigurationError: there is no such chip or mapping, or the chip cannot have the mapping.
        DeploymentError: a layer fits no core; the text names the limit and what would help.
        InputError: the samples do not fit the network.
        LostSamplesError: workers could not count some samples, tried twice.
    """
    profile = find_chip(chip)
    if isinstance(network, (str, os.PathLike)):
        is_shapes = Path(network).suffix in (".yaml", ".yml")
        network = read_populations(network) if is_shapes else load(network)
    many = Many(workers, client)
    if isinstance(network, IntegerNetwork):
        return _judged(_of_network(network, profile, mapping), activity, many)
    return _judged(Layout(profile, mapping, placed(_checked(tuple(network)), profile)), activity, many)


def _of_network(network: IntegerNetwork, chip: Chip, mapping: str) -> Layout:
    """Poolings are merged where what they become fits a core, and are neurons of their own where it does not."""
    apart: set[str] = set()
    while True:
        mapped = map_network(network, chip, mapping, apart)
        try:
            return Layout(chip, mapping, placed(mapped.populations, chip), mapped=mapped)
        except DeploymentError as error:
            if error.layer is None or error.layer in apart or not can_be_apart(network, error.layer):
                raise
            apart.add(error.layer)


def _judged(found: Layout, activity: NDArray[np.integer[Any]] | None, many: Many) -> Layout:
    if activity is not None:
        if found.mapped is None:
            raise ConfigurationError(
                "shapes alone have no activity", remedy="give a network, or leave the activity out"
            )
        count = partial(_count_by_workers, many=many) if many.is_asked_for else count_traffic
        found = replace(found, traffic=count(found, activity))
    return replace(found, findings=tuple(findings(found)))


def count_part(layout: Layout, part: Chunk) -> Traffic:
    """Count what moves for a part of the samples, on a worker."""
    return count_traffic(layout, part.x)


class _Parts(Done):
    """The traffic of parts of the samples."""

    def __init__(self, samples: int) -> None:
        super().__init__(samples)
        self.found: dict[int, Traffic] = {}

    def put(self, start: int, stop: int, value: Traffic) -> None:
        self.mark(start, stop)
        self.found[start] = value


def _count_by_workers(layout: Layout, activity: NDArray[np.integer[Any]], many: Many) -> Traffic:
    assert layout.mapped is not None
    network = layout.mapped.network
    x = checked(network, activity)
    parts = _Parts(x.shape[0])
    if lost := fill(parts, network, x, Job.of(count_part, layout), many, every_layer=True):
        refuse_lost(lost, None, "nowhere: a layout is of all samples")
    return joined([parts.found[start] for start in sorted(parts.found)])


def _checked(populations: tuple[Any, ...]) -> tuple[Population, ...]:
    """Populations that name each other in order; DeploymentError otherwise."""
    if not populations or not all(isinstance(each, Population) for each in populations):
        raise ConfigurationError(
            "a layout needs an IntegerNetwork, a file, or populations", remedy="make them with netx_export.chain"
        )
    shapes: dict[str, Shape] = {}
    names = {each.name for each in populations}
    for each in populations:
        if each.name in shapes or each.name == INPUT:
            raise DeploymentError("its name is taken", layer=each.name)
        shapes[each.name] = each.shape
    for each in populations:
        for projection in each.projections:
            if projection.source != INPUT and projection.source not in names:
                raise DeploymentError(f"there is no source '{projection.source}'", layer=each.name)
            if math.prod(shapes.get(projection.source, projection.source_shape)) != projection.sources:
                raise DeploymentError(
                    f"its source '{projection.source}' has shape {shapes[projection.source]}, not "
                    f"{projection.source_shape}",
                    layer=each.name,
                )
    return populations
