"""The sections of a report's page."""

from __future__ import annotations

from collections.abc import Iterable

from netx_export._findings import Finding, grouped
from netx_export._report import _charts as charts
from netx_export._report._elements import Element, tag
from netx_export._report._facts import NetworkReport, Raster
from netx_export._report._graph import graph
from netx_export._report._parts import captioned, section
from netx_export._report._text import count, file_size

#: Layers that are listed for one check.
MOST_PLACES = 4

#: How a severity is said.
SEVERITY_WORDS = {"error": "Error", "warning": "Warning", "note": "Note"}


def header(report: NetworkReport) -> Element:
    """The name, a sentence, the verdict, and the figures that one asks for first."""
    inspection = report.inspection
    steps = "any length" if inspection.is_endless else count(inspection.timesteps, "time step")
    lede = (
        f"{count(len(report.layers), 'layer')} of {count(inspection.neurons, 'neuron')} and "
        f"{count(inspection.weights, 'weight')}, for samples of {steps}. "
        f"What follows was measured on {count(report.samples, 'sample')} of {report.source}."
    )
    return tag(
        "header",
        tag("p", "Network report", class_="eyebrow"),
        tag("h1", report.title),
        tag("p", lede, class_="lede"),
        _verdict(report),
        tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in _figures(report)], class_="tiles"),
    )


def _verdict(report: NetworkReport) -> Element:
    errors, warnings = len(report.check.of("error")), len(report.check.of("warning"))
    found = " and ".join(count(many, word) for many, word in ((errors, "error"), (warnings, "warning")) if many)
    kind = "error" if errors else "warning" if warnings else "fine"
    return tag("p", found or f"{len(report.check.checks)} checks found nothing wrong", class_=f"verdict {kind}")


def _figures(report: NetworkReport) -> Iterable[tuple[str, str]]:
    inspection = report.inspection
    if report.answers.accuracy is not None:
        yield "accuracy", f"{report.answers.accuracy:.1%}"
    if report.answers.error is not None:
        yield "mean squared error", f"{report.answers.error:.4g}"
    exact = sum(each.refusal is None for each in inspection.backends)
    yield "exact backends", f"{exact} of {len(inspection.backends)}"
    if inspection.file is not None:
        yield "file", file_size(inspection.file.size)
    low, high = (choose(layer.weight_bits for layer in inspection.layers) for choose in (min, max))
    yield "bits a weight", str(low) if low == high else f"{low} to {high}"
    spiking = [layer for layer in inspection.layers if layer.thresholds is not None]
    if spiking:
        kept = sum(layer.neurons * layer.state_bits for layer in spiking) / sum(layer.neurons for layer in spiking)
        yield "state a neuron", f"{kept:.1f} bits"
    values = sum(layer.activity.neurons for layer in report.layers)
    active = sum(layer.activity.rate * layer.activity.neurons for layer in report.layers)
    yield "active", f"{active / values:.1%}"


def findings(report: NetworkReport) -> Element | None:
    """The findings, the worst first; nothing if there are none."""
    if not report.check.findings:
        return None
    return section("What was found", tag("ul", map(_found, grouped(report.check.findings)), class_="findings"))


def _found(findings: tuple[Finding, ...]) -> Element:
    """The findings of one check as a card."""
    first = findings[0]
    places = [tag("p", f"{each.place[0].upper()}{each.place[1:]}: {each.problem}.") for each in findings[:MOST_PLACES]]
    more = len(findings) - len(places)
    remedies = dict.fromkeys(each.remedy for each in findings)
    return tag(
        "li",
        tag("p", tag("span", SEVERITY_WORDS[first.severity], class_="badge"), tag("code", first.check), class_="head"),
        places,
        tag("p", f"And {count(more, 'layer')} more.") if more else None,
        [tag("p", f"Remedy: {remedy}.", class_="quiet") for remedy in remedies],
        class_=f"finding {first.severity}",
    )


def network(report: NetworkReport) -> Element:
    """The graph, beside where the network is exact and how it is opened elsewhere."""
    side = [tag("h3", "Exactness"), _backends(report), *_stock(report)]
    note = "Bars show how many of a layer's values were not 0."
    left = tag("figure", tag("div", graph(report), class_="scroll"), tag("figcaption", note))
    return section("The network", tag("div", left, tag("div", side), class_="two"))


def _backends(report: NetworkReport) -> Element:
    rows = []
    for backend in report.inspection.backends:
        exact = backend.refusal is None
        mark = tag("span", "exact" if exact else "refused", class_=f"mark {'fine' if exact else 'warning'}")
        text = [backend.summary, tag("br"), tag("span", _compared(report, backend.name), class_="quiet")]
        if backend.refusal is not None:
            text = [backend.refusal]
        rows.append(tag("tr", tag("th", backend.name, scope="row"), tag("td", mark), tag("td", text)))
    return tag("div", tag("table", tag("tbody", rows)), class_="scroll")


def _compared(report: NetworkReport, backend: str) -> str:
    """The result of a comparison with the reference, if there was one."""
    comparison = report.check.comparison
    if backend == "reference":
        return "what all others are compared with"
    rows = [row for row in comparison.rows if row.backend == backend] if comparison is not None else []
    if not rows:
        return "not run for this page"
    return f"{sum(row.mismatches for row in rows):,} mismatches in {sum(row.values for row in rows):,} values"


def _stock(report: NetworkReport) -> list[Element]:
    """Say how unmodified lava-dl opens and reads the file."""
    if not report.inspection.opening:
        return []
    first, *rest = report.inspection.opening
    shown = tag("pre", tag("code", first)) if first.startswith("stock =") else tag("p", first)
    return [tag("h3", "In stock lava-dl"), shown, tag("ul", [tag("li", line) for line in rest])]


def sample(report: NetworkReport) -> Element:
    """One sample on its way through the network: a raster a layer, on one axis of time; last, the answer."""
    rows = [_raster_row("input", report.input)]
    rows += [_raster_row(layer.summary.name, layer.raster) for layer in report.layers]
    axis = tag(
        "div",
        tag("span"),
        tag("div", tag("span", "step 0"), tag("span", _last_step(report.input)), class_="ends"),
        class_="row",
    )
    figure = tag("figure", tag("div", rows, axis, class_="rasters"), tag("figcaption", _raster_note(report)))
    figure.set("style", f"--steps:{len(report.input.rows[0])}")
    parts = [part for part in (_answer(report), _confusion(report)) if part is not None]
    return section("One sample on its way", tag("div", figure, tag("div", parts, class_="answers"), class_="sample"))


def _raster_row(name: str, raster: Raster) -> Element:
    label = f"{name}: {len(raster.rows)} of {raster.neurons:,} neurons over time"
    drawn = charts.spikes(raster, label)
    drawn.set("style", f"height:{max(26, min(150, 3 * len(raster.rows)))}px")
    many = f"{len(raster.rows)} of {raster.neurons:,}" if len(raster.rows) < raster.neurons else f"{raster.neurons:,}"
    return tag(
        "div", tag("div", tag("b", name), tag("span", many, class_="quiet"), class_="label"), drawn, class_="row"
    )


def _raster_note(report: NetworkReport) -> str:
    whole = (
        "Time runs to the right, a row is a neuron; the stronger its colour, the larger a value, and orange is below 0."
    )
    larger = any(len(each.rows) < each.neurons for each in (report.input, *(layer.raster for layer in report.layers)))
    return f"{whole} Of large layers neurons at equal distances are shown." if larger else whole


def _last_step(raster: Raster) -> str:
    shown = len(raster.rows[0])
    return f"step {shown - 1}" if shown == raster.steps else f"step {shown - 1} of {raster.steps - 1}"


def _answer(report: NetworkReport) -> Element | None:
    answers = report.answers
    if not answers.traces:
        return None
    chosen = max(range(len(answers.sums)), key=answers.sums.__getitem__)
    said = f"output {chosen} has the largest sum, {answers.sums[chosen]:,}"
    if len(answers.sums) == 1:
        said = f"it ends at {answers.sums[0]:,}"
    elif answers.label is not None:
        said += ", and is right" if chosen == answers.label else f"; right would be {answers.label}"
    picture = charts.lines(answers.traces, "running sums of the outputs", chosen)
    return captioned("The answer", picture, ("step 0", f"step {len(answers.traces[0]) - 1}"), f"Running sums: {said}.")


def _confusion(report: NetworkReport) -> Element | None:
    table = report.answers.confusion
    if table is None:
        return None
    most = max(max(row) for row in table) or 1
    head = tag("tr", tag("th"), [tag("th", str(index), scope="col") for index in range(len(table))])
    rows = [
        tag(
            "tr",
            tag("th", str(label), scope="row"),
            [_cell(many, many / most, label == found) for found, many in enumerate(row)],
        )
        for label, row in enumerate(table)
    ]
    grid = tag("div", tag("table", tag("thead", head), tag("tbody", rows), class_="confusion"), class_="scroll")
    right = f"{report.answers.accuracy:.1%} of {count(report.samples, 'sample')} are right"
    text = f"Labels downwards, answers to the right: {right}."
    return tag("figure", tag("h3", "Right and wrong"), grid, tag("figcaption", text))


def _cell(many: int, strength: float, right: bool) -> Element:
    share = f"--share:{100 * strength:.0f}%"
    return tag("td", f"{many:,}" if many else "", style=share, class_="right" if right else "wrong")


def footer(report: NetworkReport, version: str) -> Element:
    """The origin of the page."""
    inspection = report.inspection
    name = inspection.file.path if inspection.file is not None else "a network in memory"
    return tag(
        "footer", tag("p", f"Made by lava-qsnn {version} from {name}. All numbers were computed, none is an estimate.")
    )
