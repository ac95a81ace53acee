"""Checks of what NetX makes of a stock file silently: noted as the file is read, and told here with a remedy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netx_export._check._subject import Check, Subject
from netx_export._findings import Problem

#: Of each note: how bad it is, what it is about, and what to do.
NOTES = {
    "weight_exponent_dropped": (
        "error",
        "The exponent of weights, as batch norms are exported, is never read by NetX: its sums have another scale.",
        "multiply thresholds and biases by it before the export, or train without that norm",
    ),
    "conv_delays_dropped": (
        "error",
        "NetX passes over the delays of convolutions.",
        "train convolutions without delays, or put the delays into a dense layer",
    ),
    "delays_clipped": ("error", "NetX clips delays to 62 steps.", "train with delays of at most 62 steps"),
    "recurrent_delays_dropped": (
        "error",
        "NetX passes over the delays of recurrent weights.",
        "train without them",
    ),
    "recurrent_sums_not_shifted": (
        "error",
        "NetX does not scale the sums of a recurrent layer with delays back.",
        "multiply its threshold by 2^k, or train it without delays",
    ),
    "complex_parts_dropped": (
        "error",
        "NetX passes over some parts of a layer with complex weights.",
        "train resonators without them",
    ),
    "adaptation_dropped": (
        "error",
        "NetX runs adaptive resonate-and-fire neurons without their adaptation.",
        "train RF neurons, which have none",
    ),
    "dense_without_positive_weights": (
        "error",
        "NetX computes a dense layer without positive weights with other weights than the file has.",
        "give it a weight above 0, for example from an input that is never active",
    ),
    "weights_clipped_by_netx": (
        "error",
        "Dense weights lie beyond what NetX holds, and are clipped.",
        "quantize to -256 to 254 before the export, and train with that",
    ),
    "weights_truncated_by_netx": (
        "error",
        "Dense weights have more bits than NetX keeps, which cuts off the lowest.",
        "train with even integers from -256 to 254",
    ),
    "bias_wraps": ("error", "Biases leave 16 bits, and wrap.", "scale weights, biases and thresholds down together"),
    "numbers_not_whole": (
        "warning",
        "Weights or biases are no whole numbers, and NetX cuts off what is behind the decimal point.",
        "quantize before the export",
    ),
    "refractory_delay_dropped": (
        "warning",
        "NetX passes over refractory delays.",
        "train with a refractory delay of 1",
    ),
    "message_bits_dropped": ("warning", "NetX passes over the bits of messages.", "leave them out of the file"),
}


def _noted(name: str) -> Check:
    severity, about, remedy = NOTES[name]

    def look(subject: Subject) -> Iterable[Problem]:
        for note in _notes(subject):
            if note["check"] == name:
                yield Problem(note["layer"], note["problem"], remedy)

    return Check(name, severity, about, (), look)


def _notes(subject: Subject) -> Iterator[dict[str, str]]:
    """The notes made as a stock file was read; none of other networks."""
    yield from subject.network.metadata.get("netx", {}).get("notes", ())


CHECKS: tuple[Check, ...] = tuple(map(_noted, NOTES))
