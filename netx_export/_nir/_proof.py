"""The differences of a deployed network and its NIR graph, counted on random samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lava_qsnn.engines import run_fast
from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import IntegerNetwork
from netx_export._activity import random_samples
from netx_export._nir._evaluate import evaluate
from netx_export._nir._graph import FloatGraph

#: Samples on which every graph is compared with its network.
SAMPLES = 8

#: Time steps of these samples, at most.
STEPS = 256


class Count(NamedTuple):
    """The number of values that differ."""

    mismatches: int
    values: int


def compare(network: IntegerNetwork, graph: FloatGraph, names: Mapping[str, str], exact: bool) -> Count:
    """Count the values that differ, over all layers and some random samples.

    Args:
        network: a deployed network.
        graph: what is to compute the same.
        names: by layer, the name of its population; for the output any name will do.
        exact: raise DeploymentError if anything differs.
    """
    x = random_samples(network, SAMPLES)[..., :STEPS]
    wanted, found = run_fast(network, x, layers=list(network)), evaluate(graph, x).outputs
    differing, values = 0, 0
    for layer in network:
        theirs = found[graph.output.name if layer == network.output.name else names[layer]]
        count = int(np.count_nonzero(wanted[layer] != theirs))
        if count and exact:
            raise DeploymentError(
                f"the NIR graph and the network differ in {count} of {theirs.size} values",
                layer=layer,
                remedy="report it with the network: this must never happen",
            )
        differing, values = differing + count, values + theirs.size
    return Count(differing, values)


def metadata(network: IntegerNetwork, style: str, dt: float, count: Count) -> dict[str, Any]:
    """The facts that a graph tells about itself, in plain numbers and texts."""
    return {
        "producer": "lava-qsnn",
        "style": style,
        "dt": dt,
        "timesteps": network.timesteps,
        "input_minimum": network.input.minimum,
        "input_maximum": network.input.maximum,
        "values": count.values,
        "mismatches": count.mismatches,
    }
