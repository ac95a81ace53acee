"""Model cards: the record of a network as a table, how to use it, and what a person has to say of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from netx_export._zoo._records import FOLDER, Record, record


def card(name: str, folder: Path = FOLDER) -> str:
    """The model card of a network in the zoo, in Markdown.

    Raises:
        ConfigurationError: there is none of that name; the text lists those that there are.
    """
    known = record(name, folder)
    told = (folder / "cards" / f"{name}.md").read_text("utf-8").strip()
    rows = [f"| {label} | {value} |" for label, value in _facts(known)]
    return "\n".join([f"# {name}: {known.task}\n", "| | |", "|---|---|", *rows, "", _use(known), "", told, ""])


def _facts(known: Record) -> Iterator[tuple[str, str]]:
    measured = known.measured
    yield measured.measure, f"{measured.value} on {measured.samples:,} samples of {measured.data}"
    yield "measured by", f"`{measured.command}`"
    yield "trained by", f"`{known.training}` (seed {known.seed}, lava-qsnn {known.release})"
    yield "input", f"{_shape(known.input_shape)}, {known.input_bits} bit, {known.timesteps} time steps"
    yield "layers", f"{known.layers}; {known.weights:,} weights, {known.weight_bits} bit in hidden layers"
    yield "neuron", known.neuron
    yield "state", f"{known.neuron_state_bits:,} bits in neurons, {known.input_state_bits:,} in the input"
    yield "file", f"{known.bytes:,} bytes, SHA-256 `{known.digest}`"
    for backend, count in known.exact.items():
        found = f"{count.mismatches:,} mismatches in {count.values:,} values of {count.samples:,} samples"
        yield f"`{backend}` beside `reference`", found
    for backend, reason in known.refused.items():
        yield f"`{backend}`", f"refuses it: {reason}".replace("|", "\\|")
    if known.samples is not None:
        yield "comes with", f"{known.samples.count} test samples; {known.samples.licence}"


def _use(known: Record) -> str:
    if known.samples is None:
        return f"```python\nnetwork = netx_export.zoo.load({known.name!r})\n```"
    return "\n".join(
        [
            "```python",
            f"network = netx_export.zoo.load({known.name!r})",
            f"x, labels = netx_export.zoo.samples({known.name!r})",
            'answers = netx_export.predictions(network, netx_export.simulate(network, x, backend="fast"))',
            "```",
        ]
    )


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
