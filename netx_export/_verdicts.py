"""Verdicts of verifications and checks, as short lines of text, and as HTML for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netx_export._check._check import CheckReport
    from netx_export._verify import Report

#: How findings and verdicts are coloured, readable on light and on dark.
GOOD, BAD, DOUBTFUL = "#2e8b57", "#d1433f", "#b8860b"

COLORS = {"error": BAD, "warning": DOUBTFUL, "note": "#4682b4"}


def report_lines(report: Report) -> tuple[str, ...]:
    """The verdict of a verification, a line for each backend, and what was left out."""
    return (
        report_verdict(report),
        *(f"  {name}: {_counted(report, name)}" for name in _backends(report)),
        *(f"  {name} left out: {reason}" for name, reason in report.refused.items()),
        *(f"  {each}" for each in report.departures),
    )


def report_verdict(report: Report) -> str:
    """A verification in a sentence."""
    if not report.rows:
        return "nothing was compared"
    values, wrong = sum(row.values for row in report.rows), sum(row.mismatches for row in report.rows)
    return f"exact: {values:,} values are equal" if not wrong else f"not exact: {wrong:,} of {values:,} values differ"


def _backends(report: Report) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.backend for row in report.rows))


def _counted(report: Report, backend: str) -> str:
    values = sum(row.values for row in report.rows if row.backend == backend)
    first = report.first(backend)
    if first is None:
        return f"{values:,} values equal"
    where = f", {first.first}" if first.first is not None else ""
    return f"{report.mismatches(backend):,} of {values:,} values differ, first in layer '{first.layer}'{where}"


def check_lines(found: CheckReport) -> tuple[str, ...]:
    """The findings of a check, a line each."""
    head = f"{len(found.checks)} checks on {found.samples} samples: {_findings(found)}"
    return (head, *(f"  {finding.severity}: {finding}" for finding in found.findings))


def _findings(found: CheckReport) -> str:
    if not found.findings:
        return "nothing found"
    counts = {severity: len(found.of(severity)) for severity in COLORS}
    return ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts.items() if count)


def report_html(report: Report) -> str:
    """A verification: its verdict, and a table of backends and layers."""
    color = GOOD if report.exact else BAD
    rows = [
        (row.backend, row.layer, f"{row.values:,}", f"{row.spikes:,}", f"{row.mismatches:,}") for row in report.rows
    ]
    refused = [(name, "", "", "", f"left out: {reason}") for name, reason in report.refused.items()]
    return f"<div>{_verdict(report_verdict(report), color)}{_table(HEAD, [*rows, *refused])}</div>"


HEAD = ("backend", "layer", "values", "not zero", "mismatches")


def check_html(found: CheckReport) -> str:
    """A check: its verdict, and a table of findings."""
    color = BAD if found.of("error") else DOUBTFUL if found.of("warning") else GOOD
    rows = [(each.severity, each.check, each.layer or "", f"{each.problem}. {each.remedy}") for each in found.findings]
    table = _table(("", "check", "layer", "what is wrong, and what to do"), rows) if rows else ""
    return f"<div>{_verdict(check_lines(found)[0], color)}{table}</div>"


def _verdict(text: str, color: str) -> str:
    return f"<p><b style='color:{color}'>{escape(text)}</b></p>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th style='padding:2px 12px 2px 0;text-align:left'>{escape(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table>"


def _cell(text: str) -> str:
    color = f";color:{COLORS[text]}" if text in COLORS else ""
    return f"<td style='padding:2px 12px 2px 0;text-align:left{color}'>{escape(text)}</td>"
