"""The function that compares two networks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import IntegerNetwork, check_input
from netx_export._diff._changes import changes
from netx_export._diff._facts import NetworkDiff
from netx_export._diff._page import page
from netx_export._diff._pairs import pairs
from netx_export._diff._runs import common_samples, layer_diffs
from netx_export._read import load


def diff(
    one: IntegerNetwork | str | os.PathLike[str],
    other: IntegerNetwork | str | os.PathLike[str],
    x: NDArray[np.integer[Any]] | None = None,
    *,
    samples: int = 16,
    path: str | os.PathLike[str] | None = None,
    titles: tuple[str, str] | None = None,
) -> NetworkDiff:
    """Compare two networks: their structure, their numbers, and their outputs for the same input, layer by layer.

    Layers belong together by their names, or by kind and shape where the networks share no name.

    Args:
        one, other: deployed networks, or the paths of their files.
        x: samples, int (N, *input shape, T), that fit both; random ones if None.
        samples: how many random ones; 0 runs nothing.
        path: an HTML page to write, replaced if it exists, that shows it all with a picture; None writes none.
        titles: of the two, on the page; by default their files' names.

    Raises:
        FileFormatError, FileNotFoundError: as `load`.
        InputError: x does not fit both networks.
        OSError: the page cannot be written.
    """
    titles = titles or (_title(one, "first"), _title(other, "second"))
    first, second = (each if isinstance(each, IntegerNetwork) else load(each) for each in (one, other))
    found, random = pairs(first, second), x is None
    if x is None and samples:
        x = common_samples(first, second, samples)
    if x is not None:
        x = check_input(second, check_input(first, x))
    layers = () if x is None else layer_diffs(first, second, found, x)
    shown = NetworkDiff(titles, tuple(changes(first, second, found)), layers, 0 if x is None else len(x), random)
    if path is not None:
        Path(path).write_text(page(shown), "utf-8")
    return shown


def _title(network: IntegerNetwork | str | os.PathLike[str], place: str) -> str:
    return f"the {place} network" if isinstance(network, IntegerNetwork) else Path(network).name
