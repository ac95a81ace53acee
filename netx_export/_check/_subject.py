"""The subject of checks, and the check itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import IntegerNetwork
from netx_export._findings import Finding, Problem
from netx_export._stock_call import StockCall

if TYPE_CHECKING:
    from netx_export._verify import Report


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, and what else is at hand to judge it by; None is what is not.

    Args:
        network: as it is deployed.
        call: how unmodified NetX is called with the file.
        original: the network that was meant.
        x: samples, int (N, *input shape, T).
        outputs: of every layer for these, int64 (N, *shape, T).
        comparison: of backends, torch and the original with the reference on these.
        random: True if the samples are random numbers.
    """

    network: IntegerNetwork
    call: StockCall | None = None
    original: IntegerNetwork | None = None
    x: NDArray[np.integer[Any]] | None = None
    outputs: Mapping[str, NDArray[np.int64]] | None = None
    comparison: Report | None = None
    random: bool = False


@dataclass(frozen=True)
class Check:
    """One named check.

    Args:
        name: unique, in findings and tables.
        severity: of all its findings.
        about: what it finds, one sentence.
        needs: the parts of a Subject that must be there for it to look at anything.
        look: finds the problems of a subject that has these parts.
    """

    name: str
    severity: str
    about: str
    needs: tuple[str, ...]
    look: Callable[[Subject], Iterable[Problem]]

    def applies(self, subject: Subject) -> bool:
        """True if all it needs is there."""
        return all(getattr(subject, part) is not None for part in self.needs)

    def findings(self, subject: Subject) -> Iterator[Finding]:
        """The findings of this check; nothing where a part that it needs is missing."""
        for problem in self.look(subject) if self.applies(subject) else ():
            yield Finding(self.name, self.severity, problem.layer, problem.problem, problem.remedy)


def named(severity: str, *needs: str) -> Callable[[Callable[[Subject], Iterable[Problem]]], Check]:
    """Make a function a check: its name is the check's, the first line of its docstring what the check is about."""

    def decorate(look: Callable[[Subject], Iterable[Problem]]) -> Check:
        return Check(look.__name__, severity, (look.__doc__ or "").partition("\n")[0], needs, look)

    return decorate
