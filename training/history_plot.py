"""Accuracy against state: the picture of the history experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from history_rows import Summary

COLORS = {"shift": "tab:blue", "geometric": "tab:green", "learned": "tab:purple"}
RESETS = {"hard": "tab:red", "soft": "tab:orange"}
MARKERS = {0.5: "o", 0.75: "s", 0.875: "^", 0.9375: "D"}


def draw(summaries: Sequence[Summary], path: Path, title: str) -> None:
    """Left: accuracy against state bits per neuron. Right: the same settings with and without WS-DR."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_state(left, [summary for summary in summaries if not summary.setting.regulated])
    _draw_regulation(right, summaries)
    for axis in (left, right):
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title)
    figure.savefig(path, dpi=130)


def _draw_state(axis: Any, summaries: Sequence[Summary]) -> None:
    for taps, color in COLORS.items():
        chosen = sorted(
            (s for s in summaries if s.setting.family == "memory_free" and s.setting.taps == taps),
            key=lambda s: s.state_bits,
        )
        _errorbars(axis, chosen, color=color, marker="o", linestyle="-", label=f"memory-free, {taps} taps")
    kinds = sorted({(s.setting.reset, s.setting.decay) for s in summaries if s.setting.decay is not None})
    for reset, decay in kinds:
        of_kind = (s for s in summaries if (s.setting.reset, s.setting.decay) == (reset, decay))
        chosen = sorted(of_kind, key=lambda s: s.state_bits)
        style = {"color": RESETS[reset], "marker": MARKERS.get(decay, "x"), "linestyle": ":"}
        _errorbars(axis, chosen, label=f"potential, {reset} reset, decay {decay}", **style)
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set(xlabel="state, bits per spiking neuron (32: full precision)", ylabel="test accuracy")
    axis.legend(frameon=False, fontsize=8, ncols=2)


def _errorbars(axis: Any, summaries: Sequence[Summary], **style: Any) -> None:
    if summaries:
        bits, means = [s.state_bits for s in summaries], [s.mean for s in summaries]
        axis.errorbar(bits, means, [s.spread for s in summaries], capsize=2, linewidth=1, markersize=4, **style)


def _draw_regulation(axis: Any, summaries: Sequence[Summary]) -> None:
    regulated = [s for s in summaries if s.setting.regulated]
    plain = {s.setting.name: s for s in summaries if not s.setting.regulated}
    names = [
        s.setting.name.removesuffix(", WS-DR") for s in regulated if s.setting.name.removesuffix(", WS-DR") in plain
    ]
    by_name = {s.setting.name: s for s in regulated}
    for offset, label, color in ((-0.15, "without WS-DR", "tab:gray"), (0.15, "with WS-DR", "tab:orange")):
        shown = [plain[name] if offset < 0 else by_name[f"{name}, WS-DR"] for name in names]
        positions = [index + offset for index in range(len(names))]
        axis.errorbar(positions, [s.mean for s in shown], [s.spread for s in shown], fmt="o", color=color, label=label)
    labels = [name.replace("memory-free ", "").replace("potential ", "").replace(", decay", "\n") for name in names]
    axis.set_xticks(range(len(names)), labels, rotation=60, fontsize=7, ha="right")
    if names:
        axis.legend(frameon=False, fontsize=8)
    axis.set_title("weight-spike dual regulation")
