"""Checks of what a network does on samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lava_qsnn.integer import IntegerNetwork
from netx_export._activity import measure
from netx_export._check._subject import Check, Subject, named
from netx_export._findings import Problem
from netx_export._silence import silent_channels
from netx_export._stock_call import has_input_block


@named("warning", "x")
def input_is_zero(subject: Subject) -> Iterator[Problem]:
    """The samples hold nothing but 0."""
    assert subject.x is not None
    if not subject.x.any():
        yield Problem(None, "its samples hold nothing but 0", "give samples that show something")


@named("warning", "x")
def input_scaled_down(subject: Subject) -> Iterator[Problem]:
    """The samples use a small part of the input's range: they may have been scaled once too often."""
    assert subject.x is not None
    used, given = int(np.abs(subject.x).max()), max(subject.network.input.maximum, -subject.network.input.minimum)
    if 0 < used < given / 8 and not subject.random and not has_input_block(subject.network):
        yield Problem(
            None,
            f"its samples reach {used:,} of {given:,}, what its input was made for",
            "compare how samples are scaled here and in training",
        )


@named("error", "outputs")
def layer_is_silent(subject: Subject) -> Iterator[Problem]:
    """A layer put out nothing but 0 on all samples, though it could, and though something came in."""
    network, outputs = subject.network, subject.outputs or {}
    never = {name for name, channels in silent_channels(network).items() if channels.all()}
    silent = {name for name, values in outputs.items() if not values.any()}
    for name in network:
        told = set(network.sources(name)) - {name} <= silent
        if name in silent - never and not told:
            values = outputs[name]
            after = _followers(network, name, silent)
            also = f"; so are {after} layers after it" if after else ""
            yield Problem(
                name,
                f"every one of its {values.size:,} values on {len(values):,} samples is 0{also}",
                "look at its thresholds, at the layer before it, and at the scale of the input",
            )


def _followers(network: IntegerNetwork, name: str, silent: set[str]) -> int:
    """Count the silent layers that hear only of silent ones, of them this one."""
    reached = {name}
    for other in network:
        sources = set(network.sources(other))
        if other in silent and sources <= silent and sources & reached:
            reached.add(other)
    return len(reached) - 1


@named("warning", "outputs")
def layer_is_constant(subject: Subject) -> Iterator[Problem]:
    """All neurons of a layer put out one number each, at every step of every sample."""
    for activity in measure(subject.outputs or {}):
        if activity.silent < activity.neurons == activity.silent + activity.constant:
            yield Problem(
                activity.layer,
                "each of its neurons puts out the same at every step of every sample",
                "look at its thresholds and biases: it says nothing about its input",
            )


@named("warning", "x", "outputs")
def answers_are_equal(subject: Subject) -> Iterator[Problem]:
    """The network answers the same to samples that differ."""
    assert subject.x is not None
    assert subject.outputs is not None
    answers = subject.outputs[subject.network.output.name]
    equal = bool((answers == answers[:1]).all())
    if equal and len(answers) > 1 and bool((subject.x != subject.x[:1]).any()) and answers.any():
        yield Problem(
            None, f"its answers to {len(answers):,} samples are all equal", "see the first layer that is constant"
        )


CHECKS: tuple[Check, ...] = (
    input_is_zero,
    input_scaled_down,
    layer_is_silent,
    layer_is_constant,
    answers_are_equal,
)
