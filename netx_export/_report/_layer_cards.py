"""The section with a card for each layer."""

from __future__ import annotations

from netx_export._file_weights import FileWeights
from netx_export._report import _charts as charts
from netx_export._report._elements import Element, tag
from netx_export._report._facts import LayerFacts, NetworkReport
from netx_export._report._parts import captioned, ends, section
from netx_export._report._text import count, extents
from netx_export._words import kind_words

#: Bits that sums and potentials may take, and what has so many.
LIMITS = {"Loihi": 17, "float32": 24, "int32": 31}


def layers(report: NetworkReport) -> Element:
    """A card for each layer: in words, its weights, thresholds, activity and bounds."""
    on_file = {each.layer: each for each in report.inspection.weights_on_file}
    return section("Layer by layer", [_card(layer, on_file.get(layer.summary.name)) for layer in report.layers])


def _card(layer: LayerFacts, on_file: FileWeights | None) -> Element:
    summary = layer.summary
    population = f"{extents(summary.shape)} {kind_words(summary.neuron)}"
    drawn = [_weights(layer), _thresholds(layer), _activity(layer), _neurons(layer), _bound(layer)]
    return tag(
        "article",
        tag("h3", summary.name, tag("span", population, class_="quiet")),
        tag("p", _words(layer, on_file)),
        tag("div", drawn, class_="charts"),
        class_="layer",
    )


def _words(layer: LayerFacts, on_file: FileWeights | None) -> str:
    """Say what the layer takes and what its neurons do; of a stock file, what NetX makes of its weights, too."""
    summary = layer.summary
    said = (
        f"{summary.kind[0].upper()}{summary.kind[1:]} from {', '.join(summary.sources)}, "
        f"{count(summary.weights, 'weight')} of {count(summary.weight_bits, 'bit')}. "
        f"Each {kind_words(summary.neuron)} neuron {'; '.join(summary.words)}."
    )
    if on_file is None or not on_file.dtype:
        return said
    shifted = f", and shifts sums down by {count(on_file.shift, 'bit')}" if on_file.shift else ""
    return (
        f"{said} The file has weights from {on_file.file_low:g} to {on_file.file_high:g} ({on_file.dtype}); NetX "
        f"computes with {on_file.low} to {on_file.high}{shifted}."
    )


def _weights(layer: LayerFacts) -> Element:
    summary = layer.summary
    zeros = f", {summary.zero_weights / summary.weights:.0%} are 0" if summary.zero_weights else ""
    text = f"{layer.negative_weights / summary.weights:.0%} are negative{zeros}."
    return captioned("Weights", charts.bars(layer.weights, f"weights of {summary.name}"), ends(layer.weights), text)


def _thresholds(layer: LayerFacts) -> Element | None:
    if layer.thresholds is None:
        return None
    picture = charts.bars(layer.thresholds, f"thresholds of {layer.summary.name}")
    return captioned("Thresholds", picture, ends(layer.thresholds), "Channels by their threshold.")


def _neurons(layer: LayerFacts) -> Element:
    picture = charts.bars(layer.rates, f"activity of the neurons of {layer.summary.name}")
    text = f"{count(layer.activity.silent, 'neuron')} never active, {layer.activity.constant:,} constant."
    return captioned("Neurons by activity", picture, ("0 %", "100 %"), text)


def _activity(layer: LayerFacts) -> Element:
    activity = layer.activity
    picture = charts.steps(activity.per_step, f"activity of {activity.layer} by time step")
    last = f"step {len(activity.per_step) - 1}"
    return captioned("Activity over time", picture, ("step 0", last), f"{activity.rate:.1%} of all values are not 0.")


def _bound(layer: LayerFacts) -> Element:
    picture = charts.bound(layer.reach, LIMITS, f"the largest number in {layer.summary.name}, in bits")
    if layer.wraps:
        text = "Wraps by definition: no current is too large."
    else:
        beyond = [f"{name} (2^{bits})" for name, bits in LIMITS.items() if layer.reach > 2**bits]
        within = [f"{name} (2^{bits})" for name, bits in LIMITS.items() if layer.reach <= 2**bits]
        text = f"At most {layer.reach:,}: within {', '.join(within)}" if within else f"At most {layer.reach:,}"
        text += f"; beyond {', '.join(beyond)}." if beyond else "."
    return captioned("Largest number", picture, ("1 bit", f"{charts.WIDEST} bits"), text)
