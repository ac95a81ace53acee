"""The one function that lays a network out: mapped, cut, placed, counted and judged."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.integer import INPUT, IntegerNetwork, Shape
from netx_export._chip.layout import Layout, placed
from netx_export._chip.mappings import map_network
from netx_export._chip.pools import can_be_apart
from netx_export._chip.populations import Population, read_populations
from netx_export._chip.profiles import Chip, find_chip
from netx_export._chip.rules import findings
from netx_export._chip.traffic import count_traffic
from netx_export._read import load


def layout(
    network: IntegerNetwork | str | os.PathLike[str] | Sequence[Population],
    chip: Chip | str | os.PathLike[str] = "loihi2",
    mapping: str = "word",
    activity: NDArray[np.integer[Any]] | None = None,
) -> Layout:
    """Lay a network out on chips.

    Args:
        network: a deployed network, its file, or what is known of its shapes, bits and strides alone: populations, or
            a YAML file with a chain of them, see `chain`.
        chip: "loihi2", "loihi2-2022", "loihi1", a `Chip`, or a YAML file with one.
        mapping: of memory-free neurons: "word", "delayed" or "stock".
        activity: input samples, int (N, *input shape, T), with which to count what moves; needs a network.

    Returns:
        The layout; a network that is too large for every board is an answer, too.

    Raises:
        ConfigurationError: there is no such chip or mapping, or the chip cannot have the mapping.
        DeploymentError: a layer fits no core; the text names the limit and what would help.
        InputError: the samples do not fit the network.
    """
    profile = find_chip(chip)
    if isinstance(network, (str, os.PathLike)):
        is_shapes = Path(network).suffix in (".yaml", ".yml")
        network = read_populations(network) if is_shapes else load(network)
    if isinstance(network, IntegerNetwork):
        return _judged(_of_network(network, profile, mapping), activity)
    return _judged(Layout(profile, mapping, placed(_checked(tuple(network)), profile)), activity)


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


def _judged(found: Layout, activity: NDArray[np.integer[Any]] | None) -> Layout:
    if activity is not None:
        if found.mapped is None:
            raise ConfigurationError(
                "shapes alone have no activity", remedy="give a network, or leave the activity out"
            )
        found = replace(found, traffic=count_traffic(found, activity))
    return replace(found, findings=tuple(findings(found)))


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
