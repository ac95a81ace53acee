"""Graphs of NIR for tests, of the kinds that tools write."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

DT = 1e-4


def graph(nodes: dict[str, Any], *edges: tuple[str, str]) -> nir.NIRGraph:
    """A graph of nodes in a row, from the Input to the Output, and more edges."""
    names = list(nodes)
    row = [pair for pair in pairwise(names) if pair not in edges]
    return nir.NIRGraph(nodes, [*row, *edges], type_check=False)


def source(*shape: int) -> nir.Input:
    return nir.Input(np.array(shape))


def target(*shape: int) -> nir.Output:
    return nir.Output(np.array(shape))


def if_neuron(threshold: NDArray[Any]) -> nir.IF:
    return nir.IF(np.ones_like(threshold), threshold)


def cuba_neuron(count: int, fast: float, slow: float, threshold: float = 1.0) -> nir.CubaLIF:
    """Decays per step of `fast` and `slow`, and an input weight that keeps what comes in."""
    full = np.full(count, 1.0)
    return nir.CubaLIF(
        DT / fast * full, DT / slow * full, full / slow, 0 * full, threshold * full, 0 * full, full / fast
    )


def dense_if(seed: int, integers: bool, sizes: tuple[int, ...] = (12, 20, 6)) -> nir.NIRGraph:
    """A chain of IF neurons with integer weights or real ones."""
    random = np.random.default_rng(seed)
    nodes: dict[str, Any] = {"input": source(sizes[0])}
    for number, (inner, outer) in enumerate(pairwise(sizes)):
        weight = random.integers(-9, 10, (outer, inner)) if integers else random.normal(0, 0.4, (outer, inner))
        nodes[f"fc{number}"] = nir.Linear(weight.astype(np.float32))
        nodes[f"if{number}"] = if_neuron(random.uniform(0.4, 1.5, outer) * (9 if integers else 1))
    nodes["output"] = target(sizes[-1])
    return graph(nodes)


def convolutional_if(seed: int) -> nir.NIRGraph:
    """Integer convolutions, strided and padded, sum poolings, Flatten and dense layers, as sinabs writes them."""
    random = np.random.default_rng(seed)

    def conv(out: int, inner: int, size: tuple[int, int], shape: tuple[int, int], stride: int) -> nir.Conv2d:
        weight = random.integers(-7, 8, (out, inner, *size)).astype(np.float32)
        return nir.Conv2d(shape, weight, stride, (1, 0), 1, 1, random.integers(-1, 2, out).astype(np.float32))

    pooling = [np.array([2, 2]), np.array([2, 2]), np.array([0, 0])]
    nodes = {
        "input": source(2, 12, 12),
        "0": conv(4, 2, (3, 3), (12, 12), 1),
        "1": if_neuron(np.full((4, 12, 10), 8.0)),
        "2": nir.SumPool2d(*pooling),
        "3": conv(6, 4, (3, 2), (6, 5), 2),
        "4": if_neuron(random.integers(5, 12, (6, 3, 2)) + 0.5),
        "5": nir.Flatten(np.array([6, 3, 2]), 0, -1),
        "6": nir.Affine(random.integers(-7, 8, (5, 36)).astype(np.float32), np.ones(5, np.float32)),
        "7": if_neuron(np.full(5, 10.0)),
        "output": target(5),
    }
    return graph(nodes)


def recurrent(seed: int, neurons: int = 24, largest: float = 4.0, back_bias: bool = True) -> nir.NIRGraph:
    """A recurrent layer of CubaLIF with biases and a few large weights, and a CubaLIF layer after it."""
    random = np.random.default_rng(seed)
    inner = random.normal(0.15, 0.35, (neurons, 10)).astype(np.float32)
    back = random.normal(-0.1, 0.3, (neurons, neurons)).astype(np.float32)
    back.flat[random.choice(back.size, neurons)] = -largest
    out = random.normal(0.1, 0.4, (5, neurons)).astype(np.float32)
    biases = [random.normal(0, 0.1, size).astype(np.float32) for size in (neurons, neurons, 5)]
    nodes = {
        "input": source(10),
        "fc1": nir.Affine(inner, biases[0]),
        "lif1.lif": cuba_neuron(neurons, 0.45, 0.1),
        "fc2": nir.Affine(out, biases[2]),
        "lif2": cuba_neuron(5, 0.5, 0.45),
        "output": target(5),
    }
    edges = [*pairwise(nodes), ("lif1.lif", "lif1.w_rec"), ("lif1.w_rec", "lif1.lif")]
    back_node = nir.Affine(back, biases[1]) if back_bias else nir.Linear(back)
    return nir.NIRGraph({"input": nodes["input"], "lif1.w_rec": back_node, **nodes}, edges, type_check=False)


def spikes(shape: tuple[int, ...], samples: int, steps: int, rate: float, seed: int = 0) -> NDArray[np.int64]:
    return (np.random.default_rng(seed).random((samples, *shape, steps)) < rate).astype(np.int64)
