"""The function that gathers a report and writes its page."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import InputError
from lava_qsnn.integer import IntegerNetwork, check_input
from netx_export._activity import random_samples
from netx_export._check import check
from netx_export._inspect import inspect
from netx_export._read import load
from netx_export._report._facts import NetworkReport, answers, layer_facts, raster
from netx_export._report._page import page
from netx_export._simulate import simulate_layers

#: Samples of random numbers, where none are given.
SAMPLES = 16


def report(
    network: IntegerNetwork | str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    x: NDArray[np.integer[Any]] | None = None,
    labels: NDArray[np.integer[Any]] | None = None,
    *,
    source: str = "samples that were given",
    title: str | None = None,
    backends: Iterable[str] = ("fast",),
) -> NetworkReport:
    """Gather what there is to say about a network, and write it as one HTML page that needs nothing else.

    Args:
        network: a deployed network, or the path of its file.
        path: the page, replaced if it exists; None writes none.
        x: samples, int (N, *input shape, T), of which the first is drawn; random ones if None.
        labels: the right outputs, int (N,).
        source: what the samples are, in words, for the page.
        title: of the page; by default the file's name.
        backends: that are compared with the reference, names from BACKENDS.

    Raises:
        FileFormatError, FileNotFoundError: as `load`.
        InputError: x does not fit the network, or the labels do not fit x.
        OSError: the page cannot be written.
    """
    inspection = inspect(network)
    if title is None:
        title = "A network" if inspection.file is None else Path(inspection.file.path).name
    loaded = network if isinstance(network, IntegerNetwork) else load(network)
    if x is None:
        x, source = random_samples(loaded, SAMPLES), "random numbers"
    x = check_input(loaded, x)
    if labels is not None and np.shape(labels) != (len(x),):
        raise InputError(f"labels of shape {np.shape(labels)} do not fit {len(x)} samples", remedy="give one for each")
    outputs = simulate_layers(loaded, x, "fast")
    found = NetworkReport(
        title,
        inspection,
        check(loaded, x, backends=backends),
        source,
        len(x),
        layer_facts(loaded, {each.name: each for each in inspection.layers}, outputs),
        raster(x[0]),
        answers(outputs[loaded.output.name], labels),
    )
    if path is not None:
        Path(path).write_text(page(found), "utf-8")
    return found
