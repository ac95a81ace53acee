"""Departures: the ways, by name, in which a slayer block and unmodified NetX compute other things of one export.

Everywhere else the two are equal, for in evaluation slayer computes with the numbers that it exports: CUBA neurons with
delays, decays per neuron and mean-only norms, recurrent layers, resonate-and-fire neurons of both kinds, sigma-delta.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lava_qsnn.integer import CUBA, RF, Layer, Neuron
from netx_export._slayer import family, form


def departures(block: Any, layer: Layer, shifted: int) -> Iterator[str]:
    """The reasons why NetX computes something else than a block does, each a sentence with its remedy.

    Args:
        block: a slayer block that has run.
        layer: what it is folded into.
        shifted: by how many steps slayer's `delay_shift` delays its input.
    """
    kind, neurons = form(block), family(block)
    if kind in ("input", "flatten"):
        if neurons and getattr(block, "neuron", None) is not None:
            yield "slayer rounds its input to steps of 1/32 and clips it at 254/64: feed even integers up to 254"
        return
    yield from _norms(block, shifted)
    yield from _delays(block, kind)
    yield from _decays(block, layer.neuron)
    if getattr(block.neuron, "graded_spike", False) and neurons != "sigma_delta":
        yield "NetX passes over graded_spike and sends single spikes: leave it out"
    if neurons.startswith("adrf"):
        yield "NetX passes over the adaptation of ADRF and runs it as RF: train with rf or rf_iz"
    if neurons == "sigma_delta":
        yield from _sigma_delta(block)


def _norms(block: Any, shifted: int) -> Iterator[str]:
    neuron = block.neuron
    if getattr(neuron, "real_norm", None) is not None or getattr(neuron, "imag_norm", None) is not None:
        yield "slayer does not export the norm of resonate-and-fire neurons: leave it out"
    norm = getattr(neuron, "norm", None)
    if norm is None or form(block) == "affine":
        if norm is not None:
            yield "slayer does not export the norm of an Affine: leave it out"
        return
    if hasattr(norm, "weight_exp"):
        yield "NetX passes over the scale of WgtScaleBatchNorm (weight_exp): train with MeanOnlyBatchNorm"
    if bool((norm.bias != 0).any()):
        if shifted:
            yield (
                f"delay_shift delays its input by {shifted} steps, through which its norm's bias acts already; NetX, "
                "reset in aligned time, begins with both: build the blocks with delay_shift=False"
            )
        if block.delay is not None:
            yield "NetX delays its input, slayer its output, bias and all: leave out the norm, or the delay"


def _delays(block: Any, kind: str | None) -> Iterator[str]:
    if block.delay is None or not bool((block.delay.delay >= 1).any()):
        return
    if kind == "conv":
        yield "NetX passes over the delays of convolutions: leave delay=True to dense layers"
    elif kind == "recurrent":
        yield "NetX delays what a recurrent layer sends itself, too, and slayer does not: leave out the delay"
    elif hasattr(block.synapse, "imag"):
        yield "NetX passes over the delays of resonate-and-fire layers: leave them out"
    elif kind == "pool":
        yield "NetX has no delays of poolings: leave them out"


def _decays(block: Any, neuron: Neuron) -> Iterator[str]:
    shape = tuple(block.neuron.shape)
    if isinstance(neuron, CUBA) and len(shape) == 3 and block.neuron.current_decay.numel() > 1:
        yield "slayer lays decays along the width of an image, NetX along its channels: leave out shared_param=False"
    if isinstance(neuron, RF):
        own = (block.neuron.cx_sin_decay, block.neuron.cx_cos_decay)
        if any((np.broadcast_to(mine, len(its)) != its).any() for mine, its in zip(own, (neuron.sine, neuron.cosine))):
            yield (
                "Lava computes a period and a decay of the coefficients, and of these coefficients again, some of them "
                "lower by 1/4096: compare accuracies"
            )


def _sigma_delta(block: Any) -> Iterator[str]:
    neuron = block.neuron
    yield "slayer's float32 holds states, of 18 bits behind the point, exactly up to 64 only: keep activations below"
    if bool((neuron.threshold * neuron.w_scale % 1 != 0).any()):
        yield "NetX cuts thresholds off to multiples of 1/64: leave requires_grad out"
    if getattr(neuron.activation, "__name__", "") != "relu":
        yield "NetX computes every activation as relu: train with torch.nn.functional.relu"
    if neuron.bias_is_set:
        yield "slayer does not export what set_bias sets: use the norm MeanOnlyBatchNorm"
    if neuron.delta.cum_error:
        yield "NetX has no cumulative error: leave cum_error out"
