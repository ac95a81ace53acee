"""Checks of the call of unmodified NetX: what it must be told besides the file, and nobody tells."""

from __future__ import annotations

from collections.abc import Iterator

from lava_qsnn.integer import CUBA, Layer
from netx_export._check._subject import Check, Subject, named
from netx_export._findings import Problem
from netx_export._stock_call import stock_call
from netx_export._words import kind_words


@named("error", "call")
def message_bits(subject: Subject) -> Iterator[Problem]:
    """NetX is not told the bits of the input's messages, and takes every number but 0 for a 1."""
    assert subject.call is not None
    wanted = stock_call(subject.network).input_message_bits
    if wanted and not subject.call.input_message_bits:
        largest = subject.network.input.maximum
        yield Problem(
            subject.network.layers[0].name,
            f"input_message_bits=0 makes every number up to {largest:,} in the input a 1",
            f"call {stock_call(subject.network)}",
        )


@named("error", "call")
def reset(subject: Subject) -> Iterator[Problem]:
    """NetX does not reset its states where a sample begins, so that samples run into each other."""
    assert subject.call is not None
    if all(layer.neuron.wraps and not isinstance(layer.neuron, CUBA) for layer in subject.network.layers):
        return  # there is nothing that NetX would reset
    steps = None if subject.x is None else subject.x.shape[-1]
    call, wanted = subject.call, stock_call(subject.network, steps)
    if call.reset_interval != wanted.reset_interval:
        yield Problem(
            None,
            f"reset_interval={call.reset_interval} runs samples of {wanted.reset_interval} steps into each other",
            f"call {wanted}",
        )
    elif call.reset_offset != wanted.reset_offset:
        yield Problem(
            None,
            f"reset_offset={call.reset_offset} resets the states in the middle of samples, not before them",
            f"call {wanted}",
        )


@named("warning", "call")
def state_runs_on(subject: Subject) -> Iterator[Problem]:
    """NetX's reset leaves what delays hold, what a layer sent itself, and all states but those of CUBA neurons."""
    for layer in subject.network.layers:
        held = _held(layer)
        if held:
            yield Problem(
                layer.name,
                f"no reset of NetX clears {held}: each sample begins with what the one before it left",
                "run each sample in a NetX network of its own, or all on a backend: each starts from rest there",
            )


def _held(layer: Layer) -> str:
    """The state of a layer that NetX does not reset, in words; empty if there is none."""
    if not layer.neuron.wraps:  # a kind of this project, in NetX a CUBA neuron
        return ""
    if any(each.source == layer.name for each in layer.connections):
        return "the spikes that it sent itself"
    if any(each.synapse.delay for each in layer.connections):
        return "what its delays hold"
    return "" if isinstance(layer.neuron, CUBA) else f"the state of {kind_words(layer.neuron.kind)} neurons"


CHECKS: tuple[Check, ...] = (message_bits, reset, state_runs_on)
