"""Checks of neurons that wrap or round by definition: where they can, and where they did on samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import CUBA, INPUT, IntegerNetwork, Layer, SigmaDelta, currents, run_reference
from netx_export._check._subject import Check, Subject, named
from netx_export._findings import Problem

#: The current of a CUBA neuron is in units of 2^-6, and has 24 bits.
SHIFT, LIMIT = 6, 2**23

#: Decays are in units of 1/4096.
DECAY_BITS = 12

SCALE_DOWN = "scale weights and thresholds down together, or use a faster decay of the current"

Integers = NDArray[np.int64]


@named("note")
def current_can_wrap(subject: Subject) -> Iterator[Problem]:
    """The current of CUBA neurons could leave its 24 bits, and change its sign, in the worst case."""
    for layer, neuron in _cuba(subject.network):
        reach = _largest_current(subject.network, layer, neuron)
        if reach > LIMIT:
            shown = "any size" if math.isinf(reach) else f"{reach:,.0f}"
            yield Problem(layer.name, f"its current may reach {shown} in the worst case, beyond 2^23", SCALE_DOWN)


@named("warning", "x", "outputs")
def current_wraps(subject: Subject) -> Iterator[Problem]:
    """The current of CUBA neurons left its 24 bits on the samples, and changed its sign."""
    assert subject.x is not None
    outputs = {INPUT: subject.x.astype(np.int64), **(subject.outputs or {})}
    for layer, neuron in _cuba(subject.network):
        wrapped, step = _wraps(neuron, currents(layer, outputs)[0])
        if wrapped:
            yield Problem(
                layer.name,
                f"the current of {wrapped:,} neurons leaves 24 bits on the samples, first at time step {step}",
                SCALE_DOWN,
            )


@named("note")
def sums_can_wrap(subject: Subject) -> Iterator[Problem]:
    """The sums of a connection could leave the bits that a chip's synapses add up in, in the worst case."""
    network = subject.network
    for layer in network.layers:
        for connection in layer.connections:
            traces = network.trace_range(connection.source, layer.taps(connection)[: network.timesteps])
            low, high = connection.sum_range(network.shapes[connection.source], *traces)
            reach, bits = max(-int(low.min()), int(high.max())), connection.sum_bits
            if bits and reach >= 2 ** (bits - 1):
                yield Problem(
                    layer.name,
                    f"sums from '{connection.source}' may reach {reach:,} in the worst case, and wrap at {bits} bits",
                    "look at current_wraps and netx_differs on real samples; scale weights down if they do",
                )


@named("note")
def sigma_delta_drifts(subject: Subject) -> Iterator[Problem]:
    """Sigma-delta neurons of the stock rule forget what rounding a message leaves, so that sums drift."""
    drifting = [layer for layer in subject.network.layers if _drifts(layer)]
    if drifting:
        listed = ", ".join(layer.name for layer in drifting)
        yield Problem(
            None,
            f"its sigma-delta neurons ({listed}) forget up to 63/64 of a unit with each message{_drift(subject)}",
            'load it with rule="corrected" to see what is lost; the stock rule is what NetX computes',
        )


def _drift(subject: Subject) -> str:
    """Say how far the answer to the samples is from that of the corrected rule."""
    if subject.x is None or subject.outputs is None:
        return ""
    network = subject.network
    layers = tuple(replace(layer, neuron=_corrected(layer)) for layer in network.layers)
    name = network.output.name
    answer = run_reference(replace(network, layers=layers), subject.x)[name]
    apart = np.abs(_told(network, answer) - _told(network, subject.outputs[name]))
    return f"; the answer to the samples drifts by up to {int(apart.max()):,}, in the mean {apart.mean():,.1f}"


def _told(network: IntegerNetwork, answer: Integers) -> Integers:
    """Sums of messages at the end of each sample; of neurons that send their sum, that."""
    neuron = network.output.neuron
    summed = isinstance(neuron, SigmaDelta) and neuron.form == "sigma"
    return answer[..., -1] if summed else answer.sum(-1)


def _drifts(layer: Layer) -> bool:
    neuron = layer.neuron
    return isinstance(neuron, SigmaDelta) and neuron.rule == "stock" and neuron.form != "sigma"


def _corrected(layer: Layer) -> SigmaDelta:
    return replace(layer.neuron, rule="corrected") if _drifts(layer) else layer.neuron  # type: ignore


def _cuba(network: IntegerNetwork) -> Iterator[tuple[Layer, CUBA]]:
    return ((layer, layer.neuron) for layer in network.layers if isinstance(layer.neuron, CUBA))


def _largest_current(network: IntegerNetwork, layer: Layer, neuron: CUBA) -> float:
    """The largest magnitude of u, in units of 2^-6, for the worst currents at all steps."""
    low, high = network.port_ranges[layer.name][0]
    driven = max(-int(low.min()), int(high.max())) << SHIFT
    decay = int(neuron.current_decay.min())
    steps = math.inf if network.is_endless else network.timesteps
    return driven * min(2**DECAY_BITS / decay if decay else math.inf, steps) if driven else 0


def _wraps(neuron: CUBA, driven: Integers) -> tuple[int, int]:
    """Count neurons whose currents would leave 24 bits, of drives (N, *shape, T), and find the first step of one."""
    left = 2**DECAY_BITS - neuron.along("current_decay", driven.ndim - 2)
    u, ever, first = np.zeros(driven.shape[:-1], np.int64), np.zeros(driven.shape[1:-1], bool), -1
    for t in range(driven.shape[-1]):
        u = np.sign(u) * (np.abs(u) * left >> DECAY_BITS) + (driven[..., t] << SHIFT)
        beyond = (u > LIMIT) | (u <= -LIMIT)
        if beyond.any():
            ever |= beyond.any(0)
            first = t if first < 0 else first
            u = np.where(beyond, 0, u)
    return int(ever.sum()), first


CHECKS: tuple[Check, ...] = (current_can_wrap, current_wraps, sums_can_wrap, sigma_delta_drifts)
