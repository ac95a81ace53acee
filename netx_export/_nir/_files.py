"""NIR files, read without the HDF5 library, and written all or nothing."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import nir
import numpy as np

from lava_qsnn.errors import FileFormatError
from lava_qsnn.outputs import writable
from netx_export._hdf5 import Contents, read_others

#: What nir raises where the numbers of a node do not fit together.
FAILURES = (
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    NotImplementedError,
    OverflowError,
    TypeError,
    ValueError,
    ZeroDivisionError,
)


def read_nir(path: str | os.PathLike[str]) -> nir.NIRGraph:
    """Read a graph from a file that `nir.write` wrote; a file of a stranger ends in an error that names the node.

    Raises:
        FileFormatError: it is no HDF5 file, damaged, or holds no graph of NIR.
        OSError: it cannot be read.
    """
    contents = read_others(path)
    tree = _tree(contents)
    if not isinstance(tree.get("node"), dict):
        raise FileFormatError("the file holds no graph of NIR", remedy="write it with nir.write")
    return _graph(tree["node"], "")


def write_nir(graph: nir.NIRGraph, path: str | os.PathLike[str]) -> None:
    """Write a graph as `nir.write` does, all or nothing: to the side first, then renamed.

    Raises:
        ConfigurationError: the path is a folder, or its folder does not exist or may not be written to.
    """
    path = writable(path)
    handle, side = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".nir", dir=path.parent)
    os.close(handle)
    try:
        nir.write(side, graph)
        os.chmod(side, 0o644)
        os.replace(side, path)
    except BaseException:
        os.unlink(side)
        raise


def _tree(contents: Contents) -> dict[str, Any]:
    """Groups as dicts by their names, arrays as nir takes them, and errors for what could not be read."""
    tree: dict[str, Any] = {}
    for path in contents.attributes:
        _group(tree, path)
    for path, array in contents.arrays.items():
        group, _, name = path.rpartition("/")
        _group(tree, group)[name] = _value(array)
    for path, error in contents.refused.items():
        group, _, name = path.rpartition("/")
        _group(tree, group)[name] = error
    return tree


def _group(tree: dict[str, Any], path: str) -> dict[str, Any]:
    for name in filter(None, path.split("/")):
        tree = tree.setdefault(name, {})
    return tree


def _value(array: Any) -> Any:
    """Texts as str, everything else as it is."""
    if array.dtype.kind == "S":
        return array.item().decode("utf-8", "replace") if array.ndim == 0 else array
    return array if array.ndim else array[()]


def _graph(group: dict[str, Any], place: str) -> nir.NIRGraph:
    """A graph from its group; `place` is its name."""
    nodes = group.get("nodes")
    if not isinstance(nodes, dict) or not nodes:
        raise FileFormatError("the graph has no nodes", layer=place or None, remedy="write it with nir.write")
    found = {name: _node(each, f"{place}.{name}" if place else name) for name, each in nodes.items()}
    try:
        return nir.NIRGraph(found, _edges(group, place), metadata=_metadata(group), type_check=False)
    except FAILURES as error:
        raise FileFormatError(f"the graph cannot be read: {_said(error)}", layer=place or None) from None


def _node(group: Any, place: str) -> Any:
    kind = group.get("type") if isinstance(group, dict) else None
    if not isinstance(kind, str):
        raise FileFormatError("it has no type", layer=place, remedy="write the graph with nir.write")
    if kind == "NIRGraph":
        return _graph(group, place)
    for name, value in group.items():
        if isinstance(value, FileFormatError):
            raise FileFormatError(f"'{name}' cannot be read: {value.problem}", layer=place, remedy=value.remedy)
    try:
        return nir.dict2NIRNode({name: value for name, value in group.items() if name != "metadata"})
    except FAILURES as error:
        raise FileFormatError(
            f"it is no node of NIR of the kind {kind!r:.40}: {_said(error)}",
            layer=place,
            remedy="write the graph with nir.write, of a version that knows this kind",
        ) from None


def _said(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()


def _edges(group: dict[str, Any], place: str) -> list[tuple[str, str]]:
    edges = group.get("edges")
    if isinstance(edges, FileFormatError):
        raise FileFormatError(f"its edges cannot be read: {edges.problem}", layer=place or None)
    if not isinstance(edges, np.ndarray) or edges.dtype.kind != "S" or edges.ndim != 2 or edges.shape[1] != 2:
        raise FileFormatError("the graph has no edges, pairs of names", layer=place or None)
    return [(source.decode("utf-8", "replace"), target.decode("utf-8", "replace")) for source, target in edges]


def _metadata(group: dict[str, Any]) -> dict[str, Any]:
    found = group.get("metadata")
    return {name: each for name, each in found.items() if np.ndim(each) == 0} if isinstance(found, dict) else {}
