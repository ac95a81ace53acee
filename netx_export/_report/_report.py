"""The function that gathers a report and writes its page."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import InputError, QsnnError
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.outputs import writable
from netx_export._activity import STEPS, random_samples
from netx_export._check._check import examined, stock_file
from netx_export._check._runs import Others
from netx_export._check._subject import Subject
from netx_export._chip.assemble import layout
from netx_export._chip.layout import Layout
from netx_export._inspect import Inspection, inspected
from netx_export._open import NetworkOrPath, opened, sample_steps
from netx_export._report._facts import NetworkReport, answers, layer_facts, raster
from netx_export._report._page import page
from netx_export._telling import Telling

#: Samples of random numbers, where none are given.
SAMPLES = 16

#: Samples at most on which backends are compared with the reference, which takes its time.
COMPARED = 8

#: Samples at most whose traffic on a chip is counted.
MOVED = 32

#: Values of all layers that the reference, and the counting of what moves, compute within seconds.
REFERENCE_VALUES, FAST_VALUES = 2**21, 2**23


def report(
    network: NetworkOrPath,
    path: str | os.PathLike[str] | None = None,
    x: NDArray[np.integer[Any]] | None = None,
    labels: NDArray[Any] | None = None,
    *,
    source: str = "samples that were given",
    title: str | None = None,
    backends: Iterable[str] = ("fast",),
    file: str | os.PathLike[str] | None = None,
    progress: Telling | None = None,
    **options: Any,
) -> NetworkReport:
    """Gather what there is to say about a network, and write it as one HTML page that needs nothing else.

    Args:
        network: a deployed network, or the path of its file.
        path: the page, replaced if it exists; None writes none.
        x: samples, int (N, *input shape, T), of which the first is drawn; random ones if None.
        labels: the right outputs, int (N,); of a network that tells numbers, float (N, numbers) in their own units.
        source: what the samples are, in words, for the page.
        title: of the page; by default the file's name.
        backends: that are compared with the reference, names from BACKENDS.
        file: the file that a network was read from.
        progress: called now and then with what is run, and the fraction of its samples done, 0 to 1.
        options: of `load`, for stock files; of what is not given, samples tell.

    Raises:
        FileFormatError, FileNotFoundError: as `load`.
        InputError: x does not fit the network, or the labels do not fit x.
        ConfigurationError: the page cannot be written there.
    """
    if path is not None:
        writable(path)
    loaded = opened(network, x, **options)
    origin = file if isinstance(network, IntegerNetwork) else network
    inspection = inspected(loaded, None if origin is None else Path(origin))
    title = title or ("A network" if origin is None else Path(origin).name)
    if labels is not None and (x is None or np.shape(labels)[:1] != (len(x),) or np.ndim(labels) > 2):
        many = 0 if x is None else len(x)
        raise InputError(f"labels of shape {np.shape(labels)} do not fit {many} samples", remedy="give one for each")
    subject = Subject(loaded, x=random_samples(loaded, SAMPLES) if x is None else x, random=x is None)
    others = Others(tuple(backends), file=stock_file(loaded, origin), progress=progress)
    shown = _gathered(title, inspection, subject, others, "random numbers" if x is None else source, labels)
    if path is not None:
        Path(path).write_text(page(shown), "utf-8")
    return shown


def _gathered(
    title: str,
    inspection: Inspection,
    subject: Subject,
    others: Others,
    source: str,
    labels: NDArray[Any] | None,
) -> NetworkReport:
    """Run a network on its samples and measure what the page shows."""
    network = subject.network
    found, subject = examined(subject, others, _affordable(network, COMPARED, REFERENCE_VALUES))
    assert subject.x is not None
    assert subject.outputs is not None
    return NetworkReport(
        title,
        inspection,
        found,
        source,
        found.samples,
        layer_facts(network, {each.name: each for each in inspection.layers}, subject.outputs),
        raster(subject.x[0]),
        answers(network, subject.outputs[network.output.name], labels),
        _layout(network, subject.x),
    )


def _affordable(network: IntegerNetwork, samples: int, values: int) -> int:
    """The number of samples that make about so many values in all layers, from one to `samples`."""
    each = sample_steps(network, STEPS) * sum(math.prod(shape) for shape in network.shapes.values())
    return max(1, min(samples, values // each))


def _layout(network: IntegerNetwork, x: NDArray[np.integer[Any]]) -> Layout | str:
    """Lay the network out on Loihi 2 and count what moves for the samples; or give the reason why that cannot be."""
    try:
        return layout(network, activity=x[: _affordable(network, MOVED, FAST_VALUES)])
    except QsnnError as error:
        return str(error)
