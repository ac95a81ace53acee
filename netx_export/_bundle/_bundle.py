"""The function that gathers a bundle and writes it, all or nothing."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn import handover
from lava_qsnn.errors import ConfigurationError, FileFormatError, QsnnError
from lava_qsnn.integer import IntegerNetwork, check_input
from lava_qsnn.integer.stock import StockAnswer
from lava_qsnn.outputs import writable
from netx_export._activity import random_samples
from netx_export._backends import BACKENDS
from netx_export._bundle._golden import golden
from netx_export._bundle._pages import SIMULATE, readme
from netx_export._bundle._plan import NEVER_ON_HARDWARE, Plan, as_netx_runs, plan
from netx_export._bundle._zip import packed, packed_arrays
from netx_export._chip.assemble import layout
from netx_export._chip.layout import Layout
from netx_export._hdf5 import read_contents
from netx_export._open import NetworkOrPath, opened
from netx_export._read import stored_answer
from netx_export._report import report
from netx_export._report._page import page
from netx_export._schema import GROUP
from netx_export._write import write

#: Samples of random numbers, where none are given.
SAMPLES = 4

#: Backends of this project on Lava, that nearest to a chip first.
LAVA = ("lava", "lava-async", "lava-fused")

NETWORK = "network.net"


@dataclass(frozen=True)
class Bundle:
    """An archive that was written.

    Args:
        path: of the archive.
        files: the names in it, in order.
        samples: the number of samples that its golden vectors are of.
        call: the arguments of `lava.lib.dl.netx.hdf5.Network` beside the file; empty where there is no such call.
        latency: time steps from a network's input to its answer in stock NetX; 0 where golden vectors are in Lava's
            own time.
        missing: the reasons why stock lava-dl does not compute the network; empty where it does.
        layout: the network on its chip, or the reason why it has no layout.
    """

    path: Path
    files: tuple[str, ...]
    samples: int
    call: Mapping[str, Any]
    latency: int
    missing: tuple[str, ...]
    layout: Layout | str

    @property
    def is_stock(self) -> bool:
        """True if stock lava-dl runs it, in a folder that holds the bundle alone."""
        return not self.missing


def bundle(
    network: NetworkOrPath,
    path: str | os.PathLike[str],
    x: NDArray[np.integer[Any]] | None = None,
    *,
    source: str = "samples that were given",
    file: str | os.PathLike[str] | None = None,
    chip: str = "loihi2",
    **options: Any,
) -> Bundle:
    """Write a ZIP archive for somebody with a board, who has lava-dl and need not have this project.

    It holds the network's file; a script that runs it in unmodified lava-dl, in simulation or on a board, with its
    exact arguments; golden vectors of every layer; a script that compares answers with them and names the first layer
    and time step that differ; the chip's layout and rules as JSON and on a page. Equal input gives equal bytes. For a
    network that unmodified NetX does not compute, it says what is missing, and runs on this project's Lava processes.

    Args:
        network: a deployed network, or the path of its file.
        path: the archive, which must not exist.
        x: samples, int (N, *input shape, T); random ones if None.
        source: what the samples are, in words, for the page.
        file: the file that a network was read from, which is handed over as it is.
        chip: of the layout, a name or a YAML file, as for `layout`.
        options: of `load`, for stock files; of what is not given, samples tell.

    Raises:
        ConfigurationError: the archive exists, its folder does not, or there is no such chip.
        FileFormatError, FileNotFoundError: as `load`.
        InputError: x does not fit the network.
        DeploymentError: no file can hold the network.
    """
    target = _free(path)
    loaded = opened(network, x, **options)
    origin = file if isinstance(network, IntegerNetwork) else network
    samples, source = (random_samples(loaded, SAMPLES), "random numbers") if x is None else (x, source)
    answer = _answer(loaded, origin)
    check_input(loaded, samples)
    handed, given = as_netx_runs(loaded, samples)
    told = plan(handed, given.shape[-1], answer, options)
    found = _layout(loaded, samples, chip, told)
    title = "A network" if origin is None else Path(origin).name
    shown = replace(report(loaded, None, samples, source=source, title=title, file=origin), layout=found)
    entries = {
        "README.md": readme(told, found).encode(),
        NETWORK: _file(loaded, origin, answer is not None or not told.missing),
        "bundle.json": _json(told.as_dict(given.shape[-1], len(given))),
        "golden.npz": packed_arrays(golden(handed, given, answer or StockAnswer())),
        **_scripts(loaded, told),
        "layout.json": _json({"refused": found} if isinstance(found, str) else found.as_dict()),
        "report.html": page(shown).encode(),
    }
    _write(target, packed(entries))
    return Bundle(target, tuple(entries), len(samples), told.call, told.latency, told.missing, found)


def _free(path: str | os.PathLike[str]) -> Path:
    """The path, if a file can be made there."""
    target = Path(path)
    if os.path.lexists(target):
        raise ConfigurationError(f"'{target}' exists already", remedy="name another file, or remove it first")
    return writable(target)


def _answer(network: IntegerNetwork, origin: str | os.PathLike[str] | None) -> StockAnswer | None:
    """The form in which the file has stock NetX give a readout's answer; None of a stock file."""
    if origin is None:
        return StockAnswer()
    try:
        contents = read_contents(origin)
    except FileFormatError:  # it was loaded, and so a stock file of another writer of HDF5
        return None
    return stored_answer(contents, network) if GROUP in contents.attributes else None


def _file(network: IntegerNetwork, origin: str | os.PathLike[str] | None, is_of_use: bool) -> bytes:
    """The file that was given; one of this project where there is none, or where NetX has no use for a stock one."""
    if origin is not None and is_of_use:
        return Path(origin).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        write(network, Path(folder) / NETWORK)
        return (Path(folder) / NETWORK).read_bytes()


def _layout(network: IntegerNetwork, x: NDArray[np.integer[Any]], chip: str, told: Plan) -> Layout | str:
    """The layout of what is handed over, with Loihi's own neurons or programs of its own; or why there is none."""
    mapping = "word" if told.missing else "stock"
    try:
        return layout(network, chip, mapping, activity=x)
    except ConfigurationError:
        raise
    except QsnnError as error:
        return str(error)


def _scripts(network: IntegerNetwork, told: Plan) -> dict[str, bytes]:
    """The scripts by name, those of `lava_qsnn.handover` as they are."""
    folder = resources.files(handover)
    compare = folder.joinpath("compare.py").read_bytes()
    if not told.missing:
        return {"run.py": folder.joinpath("run.py").read_bytes(), "compare.py": compare}
    backend = next(name for name in LAVA if BACKENDS[name].refusal(network) is None)
    script = SIMULATE.substitute(status=NEVER_ON_HARDWARE, backend=backend)
    return {"simulate.py": script.encode(), "compare.py": compare}


def _write(target: Path, content: bytes) -> None:
    """Write a file that must not exist, all or nothing."""
    try:
        with target.open("xb") as file:
            try:
                file.write(content)
            except BaseException:
                target.unlink()
                raise
    except FileExistsError:
        raise ConfigurationError(f"'{target}' exists already", remedy="name another file, or remove it first") from None


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
