"""The checks that need nothing but a network, and the function that lets checks look."""

from __future__ import annotations

from collections.abc import Iterable

from lava_qsnn.integer import IntegerNetwork
from netx_export._check import _dynamics, _network, _netx
from netx_export._check._subject import Check, Subject
from netx_export._findings import Finding, ranked

#: Checks that look at the network alone, some of them at samples, too.
OF_NUMBERS: tuple[Check, ...] = (*_network.CHECKS, *_dynamics.CHECKS, *_netx.CHECKS)


def check_numbers(network: IntegerNetwork) -> tuple[Finding, ...]:
    """The findings that a network's numbers give by themselves, without running it."""
    return look(OF_NUMBERS, Subject(network))[0]


def look(checks: Iterable[Check], subject: Subject) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """The findings of some checks, the worst first, and the names of those that had something to look at."""
    applying = [each for each in checks if each.applies(subject)]
    found = ranked(finding for each in applying for finding in each.findings(subject))
    return found, tuple(each.name for each in applying)
