"""The zoo: trained networks that come with the package, each with a record of what was measured, and a model card.

    network = netx_export.zoo.load("mnist")
    x, labels = netx_export.zoo.samples("mnist")
    answers = netx_export.simulate(network, x, backend="lava").sum(-1).argmax(1)

`zoo:mnist` is a path wherever this package, or its command, takes that of a network's file.
"""

from __future__ import annotations

from lava_qsnn.integer import IntegerNetwork
from netx_export._read import load as load_file
from netx_export._zoo import (
    PREFIX,
    Count,
    Measurement,
    Record,
    Samples,
    card,
    located,
    name_of,
    names,
    path,
    record,
    samples,
)

__all__ = [
    "PREFIX",
    "Count",
    "Measurement",
    "Record",
    "Samples",
    "card",
    "load",
    "located",
    "name_of",
    "names",
    "path",
    "record",
    "samples",
]


def load(name: str) -> IntegerNetwork:
    """A network of the zoo.

    Raises:
        ConfigurationError: there is none of that name; the text lists those that there are.
        FileFormatError: its file is not the one that was measured, as its digest shows.
    """
    return load_file(path(name))
