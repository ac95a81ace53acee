"""Rows of what study.py measured, their table and their picture."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("variant", "test accuracy", "spread", "validation", "training", "seeds", "rates")


@dataclass(frozen=True)
class Row:
    """One training. Accuracies are fractions; `rates` of each layer, spikes per neuron and step."""

    study: str
    variant: str
    seed: int
    epochs: int
    test_accuracy: float
    validation_accuracy: float
    training_accuracy: float
    rates: str
    seconds_per_epoch: float
    changes: str
    torch: str
    command: str


@dataclass(frozen=True)
class Summary:
    """One variant over its seeds."""

    variant: str
    accuracies: tuple[float, ...]
    validation: float
    training: float
    rates: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.mean(self.accuracies)

    @property
    def spread(self) -> float:
        """Standard deviation over seeds; 0 of one."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0


def summarize(rows: Iterable[Row]) -> list[Summary]:
    """One summary per variant, in the order of first appearance."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.variant, []).append(row)
    return [_summary(variant, group) for variant, group in groups.items()]


def _summary(variant: str, group: Sequence[Row]) -> Summary:
    rates = zip(*(map(float, row.rates.split()) for row in group))
    return Summary(
        variant,
        tuple(row.test_accuracy for row in group),
        statistics.mean(row.validation_accuracy for row in group),
        statistics.mean(row.training_accuracy for row in group),
        tuple(statistics.mean(layer) for layer in rates),
    )


def lines(summaries: Iterable[Summary]) -> Iterator[tuple[str, ...]]:
    """The cells of the table: see COLUMNS."""
    for summary in summaries:
        yield (
            summary.variant,
            f"{summary.mean:.2%}",
            f"{summary.spread:.2%}",
            f"{summary.validation:.2%}",
            f"{summary.training:.2%}",
            str(len(summary.accuracies)),
            " ".join(f"{rate:.2f}" for rate in summary.rates),
        )


def markdown(title: str, summaries: Iterable[Summary]) -> str:
    """The table as the text of a Markdown page."""
    rows = [COLUMNS, ["---"] * len(COLUMNS), *lines(summaries)]
    return "\n".join([f"# {title}", "", *(f"| {' | '.join(cells)} |" for cells in rows), ""])


def draw(summaries: Sequence[Summary], path: Path, title: str) -> None:
    """A row for each variant: its seeds as points, and their mean with the spread."""
    from matplotlib.figure import Figure

    longest = max(len(summary.variant) for summary in summaries)
    figure = Figure(figsize=(4.5 + 0.085 * longest, 0.9 + 0.3 * len(summaries)), layout="constrained")
    axis = figure.subplots()
    for place, summary in enumerate(summaries):
        axis.plot(summary.accuracies, [place] * len(summary.accuracies), "o", color="tab:gray", alpha=0.5, markersize=4)
        axis.errorbar(summary.mean, place, xerr=summary.spread, fmt="o", color="tab:blue", capsize=3)
    axis.set_yticks(range(len(summaries)), [summary.variant for summary in summaries])
    axis.margins(y=0.5 / len(summaries))
    axis.invert_yaxis()
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    axis.set_xlabel("test accuracy: each seed, mean, standard deviation")
    axis.grid(axis="x", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=130)
