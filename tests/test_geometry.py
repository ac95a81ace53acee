"""Convolutions of every geometry are computed, in a child: a library that crashes fails a test, not the suite."""

from __future__ import annotations

import os
import random
from typing import Any, NamedTuple

import torch

from lava_qsnn import synapse

Pair = tuple[int, int]


class Geometry(NamedTuple):
    groups: int
    sources: int  # channels of a group
    targets: int
    size: Pair
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair


#: Each of these ended torch 2.3.1 with channels last: whole windows lie in the padding.
CRASHED = [
    Geometry(2, 2, 2, (6, 1), (1, 1), (1, 3), (0, 2), (1, 1)),
    Geometry(1, 2, 2, (6, 1), (2, 1), (3, 3), (0, 2), (1, 1)),
    Geometry(3, 4, 2, (9, 3), (1, 1), (1, 4), (0, 1), (1, 1)),
    Geometry(1, 4, 2, (4, 3), (4, 1), (3, 4), (1, 1), (1, 2)),
    Geometry(1, 2, 16, (4, 2), (1, 2), (4, 4), (0, 2), (1, 1)),
]


def geometries(count: int) -> list[Geometry]:
    """Random ones, whose kernels fit into their padded maps."""
    draw = random.Random(0)

    def pair(low: int, high: int) -> Pair:
        return draw.randint(low, high), draw.randint(low, high)

    found: list[Geometry] = []
    while len(found) < count:
        channels = draw.choice([1, 1, 2, 3]), draw.choice([1, 2, 3, 16]), draw.choice([1, 2, 16])
        one = Geometry(*channels, pair(1, 8), pair(1, 4), pair(1, 4), pair(0, 4), pair(1, 3))
        spans = (dilation * (kernel - 1) for dilation, kernel in zip(one.dilation, one.kernel))
        if all(extent + 2 * pad > span for extent, pad, span in zip(one.size, one.padding, spans)):
            found.append(one)
    return found


def judged(one: Geometry, samples: int, last: bool) -> bool:
    """True if frames, weights and both gradients are those of sums over shifted maps, in plain indexing."""
    torch.manual_seed(samples)
    layout = torch.channels_last if last else torch.contiguous_format
    x = torch.randint(0, 4, (samples, one.groups * one.sources, *one.size)).float().to(memory_format=layout)
    weight = torch.randint(-3, 4, (one.groups * one.targets, one.sources, *one.kernel)).float()
    x.requires_grad_(), weight.requires_grad_()
    result = synapse.convolve(x, weight, one.stride, one.padding, one.dilation, one.groups)
    upstream = torch.randint(-2, 3, result.shape).float()
    gradients = torch.autograd.grad(result, (x, weight), upstream)
    expected = by_hand(x.double(), weight.double(), one)
    theirs = torch.autograd.grad(expected, (x, weight), upstream.double())
    return torch.equal(result.double(), expected) and all(torch.equal(*pair) for pair in zip(gradients, theirs))


def by_hand(x: torch.Tensor, weight: torch.Tensor, one: Geometry) -> torch.Tensor:
    (top, left), (down, right), (rows, columns) = one.padding, one.stride, one.size
    padded = x.new_zeros(*x.shape[:2], rows + 2 * top, columns + 2 * left)
    padded[:, :, top : top + rows, left : left + columns] = x
    height, width = (
        (extent + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
        for extent, pad, dilation, kernel, stride in zip(one.size, one.padding, one.dilation, one.kernel, one.stride)
    )
    grouped = padded.unflatten(1, (one.groups, one.sources))
    total: Any = 0
    kernels = weight.unflatten(0, (one.groups, one.targets))
    for b in range(one.kernel[0]):
        for a in range(one.kernel[1]):
            y, z = b * one.dilation[0], a * one.dilation[1]
            seen = grouped[..., y : y + down * (height - 1) + 1 : down, z : z + right * (width - 1) + 1 : right]
            total = total + torch.einsum("ngchw,goc->ngohw", seen, kernels[..., b, a])
    return total.flatten(1, 2)


def in_a_child(cases: list[Geometry]) -> tuple[str, int]:
    """The verdicts of a forked child on all cases, and its exit status."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        for one in cases:
            os.write(writer, f"{tuple(one)}\n".encode())
            right = all(judged(one, samples, last) for samples in (1, 3) for last in (False, True))
            os.write(writer, b"right\n" if right else b"wrong\n")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        text = said.read()
    return text, os.waitpid(child, 0)[1]


def test_convolutions_of_every_geometry_are_computed_and_right() -> None:
    cases = CRASHED + geometries(250)
    text, status = in_a_child(cases)
    assert status == 0, f"ended by {status} in {text.splitlines()[-1]}"
    assert text.count("right") == len(cases), [
        case for case, said in zip(text.split("\n")[::2], text.split("\n")[1::2]) if said == "wrong"
    ]


def test_usual_convolutions_keep_their_padding_and_their_layout() -> None:
    """Only padding that may hold a whole window is written out; channels stay last, which is fastest."""
    for kernel, padding, dilation in ((3, 1, 1), (5, 2, 1), (3, 2, 2), (1, 0, 1), (2, 1, 1)):
        assert not synapse.may_miss(8, kernel, padding, dilation)
    assert synapse.may_miss(8, 1, 1, 1)
    assert synapse.may_miss(2, 2, 1, 3), "a map between two taps"
    frames = torch.ones(2, 4, 8, 8).contiguous(memory_format=torch.channels_last)
    for padding in (1, 3):
        result = synapse.convolve(frames, torch.ones(8, 4, 3, 3), (1, 1), (padding, padding))
        assert result.is_contiguous(memory_format=torch.channels_last)
