"""The section with a card for each layer."""

from __future__ import annotations

from netx_export._report import _charts as charts
from netx_export._report._elements import Element, tag
from netx_export._report._facts import LayerFacts, NetworkReport
from netx_export._report._parts import captioned, ends, section
from netx_export._report._text import count, extents, kind

#: Bits that sums and potentials may take, and what has so many.
LIMITS = {"Loihi": 17, "float32": 24, "int32": 31}


def layers(report: NetworkReport) -> Element:
    """A card for each layer: in words, its weights, thresholds, activity and bounds."""
    return section("Layer by layer", [_card(layer) for layer in report.layers])


def _card(layer: LayerFacts) -> Element:
    summary, activity = layer.summary, layer.activity
    said = (
        f"{summary.kind[0].upper()}{summary.kind[1:]} from {', '.join(summary.sources)}, "
        f"{count(summary.weights, 'weight')} of {count(summary.weight_bits, 'bit')}. "
        f"Each {kind(summary.neuron)} neuron {'; '.join(summary.words)}."
    )
    drawn = [
        captioned(
            "Weights",
            charts.bars(layer.weights, f"weights of {summary.name}"),
            ends(layer.weights),
            _weights(layer),
        )
    ]
    if layer.thresholds is not None:
        text = "Channels by their threshold."
        drawn.append(
            captioned(
                "Thresholds",
                charts.bars(layer.thresholds, f"thresholds of {summary.name}"),
                ends(layer.thresholds),
                text,
            )
        )
    drawn.append(_activity(layer))
    quiet = f"{count(activity.silent, 'neuron')} never active"
    drawn.append(
        captioned(
            "Neurons by activity",
            charts.bars(layer.rates, f"activity of the neurons of {summary.name}"),
            ("0 %", "100 %"),
            f"{quiet}, {activity.constant:,} constant.",
        )
    )
    drawn.append(_bound(layer))
    head = tag(
        "h3",
        summary.name,
        tag("span", f"{extents(summary.shape)} {kind(summary.neuron)}", class_="quiet"),
    )
    return tag("article", head, tag("p", said), tag("div", drawn, class_="charts"), class_="layer")


def _weights(layer: LayerFacts) -> str:
    """The numbers of weights that are below 0 and that are 0, in words."""
    summary = layer.summary
    zeros = f", {summary.zero_weights / summary.weights:.0%} are 0" if summary.zero_weights else ""
    return f"{layer.negative_weights / summary.weights:.0%} are negative{zeros}."


def _activity(layer: LayerFacts) -> Element:
    activity = layer.activity
    picture = charts.steps(activity.per_step, f"activity of {activity.layer} by time step")
    ends = ("step 0", f"step {len(activity.per_step) - 1}")
    return captioned("Activity over time", picture, ends, f"{activity.rate:.1%} of all values are not 0.")


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
