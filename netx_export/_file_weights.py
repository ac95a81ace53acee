"""The weights that a stock file holds, beside those that NetX computes with."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from lava_qsnn.integer import IntegerNetwork, Layer
from netx_export._hdf5 import Contents, read_others
from netx_export._schema import STOCK

#: Arrays of a stock layer that hold weights.
ARRAYS = ("weight", "weight_rec", "weight/real", "weight/imag")


@dataclass(frozen=True)
class FileWeights:
    """A layer's weights as the file has them and as NetX uses them.

    NetX multiplies by integers from `low` to `high` and shifts sums down by `shift` bits; the file has `file_low` to
    `file_high`, of a type, in so many bytes.
    """

    layer: str
    dtype: str
    stored: int
    file_low: float
    file_high: float
    low: int
    high: int
    shift: int


def file_weights(network: IntegerNetwork, path: str | os.PathLike[str]) -> tuple[FileWeights, ...]:
    """The weights of each layer of a stock file's network; a layer without any, such as an input block, has zeros.

    Args:
        network: read from the file.
        path: of the file.
    """
    contents = read_others(path)
    return tuple(_weights(layer, contents) for layer in network.layers)


def _weights(layer: Layer, contents: Contents) -> FileWeights:
    number = re.sub(r".*?([0-9]+)$", r"\1", layer.name)  # the loader names layers by their groups
    paths = [path for name in ARRAYS if (path := f"{STOCK}/{number}/{name}") in contents.arrays]
    synapses = [connection.synapse for connection in layer.connections]
    arrays = [contents.arrays[path] for path in paths if contents.arrays[path].size]
    return FileWeights(
        layer.name,
        str(arrays[0].dtype) if arrays else "",
        sum(contents.stored.get(path, 0) for path in paths),
        min((float(array.min()) for array in arrays), default=0.0),
        max((float(array.max()) for array in arrays), default=0.0),
        min(int(synapse.weight.min()) for synapse in synapses),
        max(int(synapse.weight.max()) for synapse in synapses),
        max(connection.sum_shift for connection in layer.connections),
    )
