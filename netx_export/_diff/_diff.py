"""The function that compares two networks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import check_input
from lava_qsnn.outputs import writable
from netx_export._diff._changes import changes
from netx_export._diff._facts import NetworkDiff
from netx_export._diff._page import page
from netx_export._diff._pairs import pairs
from netx_export._diff._runs import common_samples, layer_diffs
from netx_export._open import NetworkOrPath, opened, title_of
from netx_export._telling import Telling


def diff(
    one: NetworkOrPath,
    other: NetworkOrPath,
    x: NDArray[np.integer[Any]] | None = None,
    *,
    samples: int = 16,
    path: str | os.PathLike[str] | None = None,
    titles: tuple[str, str] | None = None,
    progress: Telling | None = None,
) -> NetworkDiff:
    """Compare two networks: their structure, their numbers, and their outputs for the same input, layer by layer.

    Layers belong together by their names, or by kind and shape where the networks share no name.

    Args:
        one, other: deployed networks, or the paths of their files; stock files with options of their own by `load`.
        x: samples, int (N, *input shape, T), that fit both; random ones if None.
        samples: how many random ones; 0 runs nothing.
        path: an HTML page to write, replaced if it exists, that shows it all with a picture; None writes none.
        titles: of the two, on the page; by default their files' names.
        progress: called now and then with what is run, and the fraction of its samples done, 0 to 1.

    Raises:
        FileFormatError, FileNotFoundError: as `load`.
        InputError: x does not fit both networks.
        ConfigurationError: the page cannot be written there.
    """
    if path is not None:
        writable(path)
    titles = titles or (title_of(one, "the first network"), title_of(other, "the second network"))
    first, second = opened(one, x), opened(other, x)
    found, random = pairs(first, second), x is None
    if x is None and samples:
        x = common_samples(first, second, samples)
    if x is not None:
        x = check_input(second, check_input(first, x))
    layers = () if x is None else layer_diffs(first, second, found, x, progress)
    shown = NetworkDiff(titles, tuple(changes(first, second, found)), layers, 0 if x is None else len(x), random)
    if path is not None:
        Path(path).write_text(page(shown), "utf-8")
    return shown
