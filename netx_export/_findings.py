"""Findings: what is known to go wrong with a network, said by name, with how bad it is and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: How bad a finding is, worst first: the answers are wrong or worthless; they may be; worth knowing, and no fault.
SEVERITIES = ("error", "warning", "note")

#: The exit status of a command that found nothing above a note, nothing above a warning, and errors.
CLEAN, WARNED, FAILED = 0, 3, 4


@dataclass(frozen=True)
class Problem:
    """Something that a check has seen: where, what it means and what to do. `layer` None is the whole network."""

    layer: str | None
    problem: str
    remedy: str


@dataclass(frozen=True)
class Finding:
    """A problem, with the name of the check that saw it and how bad it is: a name from SEVERITIES."""

    check: str
    severity: str
    layer: str | None
    problem: str
    remedy: str

    @property
    def place(self) -> str:
        """The layer, or "the network"."""
        return "the network" if self.layer is None else f"layer '{self.layer}'"

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}. Remedy: {self.remedy}"


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, the worst first, otherwise in their order."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def grouped(findings: Iterable[Finding]) -> tuple[tuple[Finding, ...], ...]:
    """Findings of one check beside each other, in the order of the first of each."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.check, []).append(finding)
    return tuple(map(tuple, groups.values()))


def of_severity(findings: Iterable[Finding], severity: str) -> Iterator[Finding]:
    """The findings of one severity."""
    return (finding for finding in findings if finding.severity == severity)


def exit_status(findings: Iterable[Finding]) -> int:
    """The status that a command ends with: 0 for nothing but notes, 3 for warnings, 4 for errors."""
    found = {finding.severity for finding in findings}
    return FAILED if "error" in found else WARNED if "warning" in found else CLEAN
