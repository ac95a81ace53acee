"""All checks in one list, and the function that lets them look at a network."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.extras import extra
from lava_qsnn.integer import IntegerNetwork, check_input
from netx_export._activity import random_samples
from netx_export._check import _activity, _call, _original, _runs
from netx_export._check._numbers import OF_NUMBERS, look
from netx_export._check._runs import Others, compare_runs
from netx_export._check._subject import Check, Subject
from netx_export._findings import Finding, exit_status, of_severity
from netx_export._open import NetworkOrPath, is_stock, opened
from netx_export._simulate import simulate_layers
from netx_export._stock_call import StockCall
from netx_export._telling import Telling, about
from netx_export._verdicts import check_html, check_lines
from netx_export._verify import GROUND_TRUTH, Report

if TYPE_CHECKING:
    from torch import nn

#: Every check, by what it looks at: the network's numbers, the call of NetX, what was meant, samples, other engines.
CHECKS: tuple[Check, ...] = (
    *OF_NUMBERS,
    *_call.CHECKS,
    *_original.CHECKS,
    *_activity.CHECKS,
    *_runs.CHECKS,
)


@dataclass(frozen=True)
class CheckReport:
    """Findings, and the checks that found them.

    Args:
        findings: the worst first.
        checks: the names of those that had something to look at.
        comparison: of the network on the samples with other engines, NetX and torch; None if nothing was run.
        samples: how many the network was run on.
        random: True if they were random, because none were given.
    """

    findings: tuple[Finding, ...]
    checks: tuple[str, ...]
    comparison: Report | None
    samples: int
    random: bool

    @property
    def clean(self) -> bool:
        """True if nothing was found but notes."""
        return not self.exit_status

    @property
    def exit_status(self) -> int:
        """The exit status of `lava-qsnn check`: 0 for nothing but notes, 3 for warnings, 4 for errors."""
        return exit_status(self.findings)

    def __str__(self) -> str:
        """The number of findings, and a line for each."""
        return "\n".join(check_lines(self))

    def _repr_html_(self) -> str:
        """The verdict and a table of findings, for notebooks."""
        return check_html(self)

    def of(self, severity: str) -> tuple[Finding, ...]:
        """The findings of one severity: "error", "warning" or "note"."""
        return tuple(of_severity(self.findings, severity))


def check(
    network: NetworkOrPath,
    x: NDArray[np.integer[Any]] | None = None,
    *,
    net: nn.Module | None = None,
    original: NetworkOrPath | None = None,
    call: StockCall | None = None,
    samples: int = 8,
    compared: int | None = None,
    backends: Iterable[str] = ("fast", "netx"),
    file: str | os.PathLike[str] | None = None,
    progress: Telling | None = None,
    **options: Any,
) -> CheckReport:
    """Look for what makes a network answer wrongly, or worse than it could: all of CHECKS.

    It runs on samples: on the reference, on backends, unmodified NetX among them where that is installed and exact for
    this network, and what was meant, if that is given; the first layer and step that differ are named.

    Args:
        network: a deployed network, or the path of its file.
        x: samples, int (N, *input shape, T); random ones if None.
        net: the torch network that it was exported from; None if it is not at hand.
        original: the deployed network that was meant, or its file; of `net`, if that is given, by default.
        call: how you call unmodified NetX; by default as the network needs it.
        samples: how many random ones; 0 runs nothing.
        compared: on how many samples backends are compared with the reference; on all by default.
        backends: names from BACKENDS; those that cannot compute the network are told in the comparison.
        file: the file that a network was read from, if NetX is to open that very one.
        progress: called now and then with what is run, and the fraction of its samples done, 0 to 1.
        options: of `load`, for stock files; of what is not given, samples tell.

    Raises:
        FileFormatError, FileNotFoundError: as `load`.
        DeploymentError, RangeError: `net` cannot be folded.
        InputError: x does not fit the network.
        RunError: a Lava run failed.
    """
    given, network = network, opened(network, x, **options)
    original = None if original is None else opened(original, x)
    if net is not None and original is None:
        original = _folded(net, network)
    random = x is None
    if x is None and samples:
        x = random_samples(network, samples)
    subject = Subject(network, call, original, x, random=random)
    others = Others(tuple(backends), call, stock_file(network, file or given), original, net, progress)
    return examined(subject, others, compared)[0]


def examined(subject: Subject, others: Others, compared: int | None = None) -> tuple[CheckReport, Subject]:
    """Run a network on a subject's samples, if there are any, and let all checks look at it.

    Args:
        subject: of which outputs and comparison are not known yet.
        others: to compare it with.
        compared: on how many samples; on all by default.

    Returns:
        The findings, and the subject with its outputs and comparison.
    """
    if subject.x is not None:
        subject = _run(replace(subject, x=check_input(subject.network, subject.x)), others, compared)
    findings, names = look(CHECKS, subject)
    samples = 0 if subject.x is None else len(subject.x)
    return CheckReport(findings, names, subject.comparison, samples, subject.random), subject


def stock_file(network: IntegerNetwork, file: NetworkOrPath | None) -> Path | None:
    """The path of a stock file; None for files of this project, whose stock part is that of their network."""
    return Path(file) if is_stock(network) and file is not None and not isinstance(file, IntegerNetwork) else None


def _run(subject: Subject, others: Others, compared: int | None) -> Subject:
    """Run the fast engine on all samples, and compare backends with the reference on the first ones."""
    assert subject.x is not None
    first = subject.x[:compared]
    tell = others.progress
    expected = simulate_layers(subject.network, first, GROUND_TRUTH, progress=about(tell, GROUND_TRUTH))
    outputs = simulate_layers(subject.network, subject.x, "fast", progress=about(tell, "fast"))
    return replace(subject, outputs=outputs, comparison=compare_runs(subject.network, first, expected, others))


def _folded(net: nn.Module, network: IntegerNetwork) -> IntegerNetwork:
    with extra("train"):  # torch is only needed where there is a network
        from netx_export._fold import fold

    return fold(net, network.input.shape, network.timesteps, min(24, network.input.bits))
