"""Checks of the call of unmodified NetX: what it must be told besides the file, and nobody tells."""

from __future__ import annotations

from collections.abc import Iterator

from netx_export._check._subject import Check, Subject, named
from netx_export._findings import Problem
from netx_export._stock_call import stock_call


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


CHECKS: tuple[Check, ...] = (message_bits, reset)
