"""The nodes and edges of a NIR graph, graphs in it taken as their nodes; nothing is computed yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nir

from lava_qsnn.errors import DeploymentError
from netx_export._nir._checked import kind
from netx_export._nir._dynamics import NEURONS
from netx_export._nir._maps import READERS

#: Nodes of a graph, its edges, and how deep graphs lie in graphs.
MOST_NODES, MOST_EDGES, DEEPEST = 2**15, 2**16, 8

KINDS = (nir.Input, nir.Output, nir.Delay, *READERS, *NEURONS)


@dataclass(frozen=True)
class Nodes:
    """All nodes by their names, those of inner graphs by "graph.node", and for each the nodes that lead to it."""

    nodes: Mapping[str, Any]
    before: Mapping[str, list[str]]
    entry: str  # the Input
    exit: str  # the Output

    @property
    def declared_input(self) -> Any:
        return dict(self.nodes[self.entry].input_type).get("input")


def read_nodes(graph: Any) -> Nodes:
    """Read a graph's structure; DeploymentError where it has unknown nodes or edges, or not one Input and Output."""
    if not isinstance(graph, nir.NIRGraph):
        raise DeploymentError(f"a {kind(graph)} is no graph", remedy="give a nir.NIRGraph, or the path of its file")
    nodes: dict[str, Any] = {}
    edges = _collect(graph, "", nodes)
    if len(nodes) > MOST_NODES or len(edges) > MOST_EDGES:
        raise DeploymentError(f"{len(nodes):,} nodes and {len(edges):,} edges exceed {MOST_NODES:,} and {MOST_EDGES:,}")
    for name, node in nodes.items():
        if not isinstance(node, KINDS):
            raise DeploymentError(
                f"nodes of kind {kind(node)} are not known",
                layer=name,
                remedy=f"use {', '.join(each.__name__ for each in KINDS)}",
            )
    return Nodes(nodes, _before(nodes, edges), _port(graph, "", nir.Input), _port(graph, "", nir.Output))


def _collect(graph: Any, prefix: str, nodes: dict[str, Any]) -> list[tuple[str, str]]:
    """Add a graph's nodes to those found; return its edges, where inner graphs are their Input and Output nodes."""
    if prefix.count(".") > DEEPEST or len(nodes) > MOST_NODES:
        raise DeploymentError(f"graphs lie more than {DEEPEST} deep, or have more than {MOST_NODES:,} nodes")
    edges = []
    for name, node in dict(graph.nodes).items():
        if isinstance(node, nir.NIRGraph):
            edges += _collect(node, f"{prefix}{name}.", nodes)
        elif f"{prefix}{name}" in nodes:
            raise DeploymentError("two nodes have this name", layer=f"{prefix}{name}")
        else:
            nodes[f"{prefix}{name}"] = node
    for edge in graph.edges:
        if len(edge) != 2 or not all(isinstance(end, str) and end in graph.nodes for end in edge):
            raise DeploymentError(f"the edge {edge!r:.100} names nodes that are not there", remedy="mend the edges")
        source, target = edge
        edges.append((_end(graph, prefix, source, nir.Output), _end(graph, prefix, target, nir.Input)))
    return edges


def _end(graph: Any, prefix: str, name: str, wanted: type) -> str:
    """The full name of an edge's end; of an inner graph, that of its Input or Output."""
    node = graph.nodes[name]
    return _port(node, f"{prefix}{name}.", wanted) if isinstance(node, nir.NIRGraph) else f"{prefix}{name}"


def _port(graph: Any, prefix: str, wanted: type) -> str:
    found = [name for name, node in graph.nodes.items() if isinstance(node, wanted)]
    if len(found) != 1:
        raise DeploymentError(
            f"the graph{f' {prefix[:-1]!r}' if prefix else ''} has {len(found)} nodes of kind {wanted.__name__}, not 1",
            remedy="give a graph with one Input and one Output",
        )
    return f"{prefix}{found[0]}"


def _before(nodes: Mapping[str, Any], edges: list[tuple[str, str]]) -> dict[str, list[str]]:
    before: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        if source in before[target]:
            raise DeploymentError(f"two edges lead from '{source}' to it", layer=target, remedy="leave one of them")
        before[target].append(source)
    return before
