"""NIR files: read without the HDF5 library, as nir reads them; what is wrong with one ends in an error of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

import netx_export
from lava_qsnn.errors import FileFormatError, QsnnError
from tests.helpers import nir_graphs as graphs
from tests.helpers.nir_oracle import Graph

DT = graphs.DT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    nir.write(tmp_path / "some.nir", graphs.recurrent(0))
    return tmp_path / "some.nir"


@pytest.mark.parametrize("compression", ["gzip", None])
@pytest.mark.parametrize("make", [graphs.recurrent, graphs.convolutional_if], ids=["recurrent", "convolutional"])
def test_a_file_is_the_graph_it_was_written_from(make: Any, compression: str | None, tmp_path: Path) -> None:
    graph = make(0)
    nir.write(tmp_path / "some.nir", graph, compression)
    x = graphs.spikes(tuple(graph.nodes["input"].input_type["input"]), 2, 20, 0.2)
    from_file, from_graph = (
        netx_export.from_nir(source, 20, dt=DT, samples=x) for source in (tmp_path / "some.nir", graph)
    )
    assert from_file == from_graph
    last = list(from_graph[0])[-1]
    assert Graph(nir.read(tmp_path / "some.nir", type_check=False), DT, x).outputs(last).any()


def test_graphs_of_many_nodes_and_edges_are_read(tmp_path: Path) -> None:
    sizes = (6, *[12] * 80, 4)
    nir.write(tmp_path / "deep.nir", graphs.dense_if(0, integers=True, sizes=sizes))
    network, _ = netx_export.from_nir(tmp_path / "deep.nir", 3)
    assert len(network) == 81


def changed(path: Path, change: Any) -> Path:
    with h5py.File(path, "a") as file:
        change(file["node"])
    return path


def replaced(name: str, value: Any) -> Any:
    def change(node: Any) -> None:
        del node[name]
        node[name] = value

    return change


REFUSED: dict[str, tuple[Any, str]] = {
    "unknown": (replaced("nodes/fc1/type", "Magic"), "'fc1': it is no node of NIR of the kind 'Magic'"),
    "no type": (lambda node: node["nodes/fc1"].pop("type"), "'fc1': it has no type"),
    "type a number": (replaced("nodes/fc1/type", 3), "'fc1': it has no type"),
    "missing": (lambda node: node["nodes/fc1"].pop("weight"), "'fc1': it is no node of NIR of the kind 'Affine'"),
    "more": (lambda node: node["nodes/fc1"].create_dataset("x", data=1), "'fc1': it is no node of NIR"),
    "shapes": (replaced("nodes/lif2/r", np.ones(9)), "'lif2': it is no node of NIR of the kind 'CubaLIF'"),
    "not finite": (
        replaced("nodes/fc1/weight", np.full((24, 10), np.inf)),
        "'fc1': 'weight' of the Affine has numbers",
    ),
    "edges": (lambda node: node.pop("edges"), "the graph has no edges"),
    "odd edges": (replaced("edges", np.ones((3, 2))), "the graph has no edges, pairs of names"),
    "no nodes": (lambda node: node.pop("nodes"), "the graph has no nodes"),
    "huge": (
        lambda node: node["nodes/fc2"].create_dataset("w", (2**20, 2**20), "f8", chunks=(64, 64)),
        "'fc2': 'w' cannot be read: .* an array that claims",
    ),
    "outside": (replaced("nodes/fc1/bias", h5py.ExternalLink("other.h5", "bias")), "'fc1'"),
    "circle": (lambda node: node["nodes"].__setitem__("again", node), "'again'|lies in itself"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_hold_no_network_are_refused_with_the_node(name: str, path: Path) -> None:
    change, text = REFUSED[name]
    with pytest.raises(QsnnError, match=text):
        netx_export.from_nir(changed(path, change), 10, dt=DT)


def test_what_is_no_file_of_nir_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        netx_export.from_nir(tmp_path / "none.nir", 10)
    (tmp_path / "text.nir").write_text("no graph")
    with pytest.raises(FileFormatError):
        netx_export.from_nir(tmp_path / "text.nir", 10)
    with h5py.File(tmp_path / "other.nir", "w") as file:
        file["weight"] = np.ones(3)
    with pytest.raises(FileFormatError, match="no graph of NIR.*nir.write"):
        netx_export.from_nir(tmp_path / "other.nir", 10)


def test_damaged_files_end_in_our_errors_or_in_a_network(path: Path) -> None:
    """Bytes changed at random, most of them in the file's structure."""
    whole, random, refused = path.read_bytes(), np.random.default_rng(0), 0
    for number in range(200):
        content = bytearray(whole)
        for place in random.integers(0, len(content), 1 + number % 4):
            content[place] = random.integers(256)
        path.write_bytes(content[: len(content) - int(random.integers(2) * random.integers(200))])
        try:
            netx_export.from_nir(path, 2, dt=DT, samples=np.zeros((1, 10, 2), np.int64))
        except QsnnError:
            refused += 1
    assert 20 < refused < 200
