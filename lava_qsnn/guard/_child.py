"""The child's side of a guarded run: what an actor does from its fork to its end, and how it reports failures."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn, TypeAlias

from lava.magma.compiler.builders.py_builder import PyProcessBuilder
from lava.magma.compiler.builders.runtimeservice_builder import RuntimeServiceBuilder
from lava.magma.compiler.channels.pypychannel import CspRecvPort, CspSendPort

Builder: TypeAlias = PyProcessBuilder | RuntimeServiceBuilder

_BUILT = b"+"  # The first byte of an actor's report, once its model has been built.


def actor_main(builder: Builder, reports: int, parent: int) -> None:
    """Build and run an actor; report to the pipe when it is built and, if so, how it failed."""
    try:
        _prepare_child(reports, parent)
        keep_ports_alive()
        actor = builder.build()
        os.write(reports, _BUILT)
        actor.start()
    except BaseException as error:  # Also sys.exit(): the other actors would wait for this one for ever.
        _report_failure(error, reports)


def _prepare_child(reports: int, parent: int) -> None:
    _die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; it is the parent that acts on it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # The program's own handler, if any, is not meant for us.
    # A crash, or the parent by a signal, makes the actor write its stack into its report.
    faulthandler.disable()  # Enabled already, it would not notice that a library had taken the signal since.
    faulthandler.enable(file=reports, all_threads=False)
    faulthandler.register(signal.SIGUSR1, file=reports, all_threads=False)


def _die_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:  # It died before we could ask.
        os._exit(1)


class _Observer:
    """A port's observer, of which there is always one that can be called, if only one that does nothing.

    When a message comes, a port's thread asks for its observer twice: whether there is one, and to call it. A selector
    that has seen the message by itself takes the observer away meanwhile. In Lava, None is called then, which ends the
    thread, and no later message ever arrives: rarely, and sooner on a busy machine.
    """

    def __get__(self, port: object, owner: type | None = None) -> Callable[[], object]:
        observer: Callable[[], object] | None = vars(port).get("observer")
        return _nobody if observer is None else observer

    def __set__(self, port: object, observer: Callable[[], object] | None) -> None:
        vars(port)["observer"] = observer


def _nobody() -> None:
    """Observe nothing."""


def keep_ports_alive() -> None:
    """Let no selector of this process end the thread of a port; see _Observer."""
    for kind in (CspSendPort, CspRecvPort):
        kind.observer = _Observer()


def _report_failure(error: BaseException, reports: int) -> NoReturn:
    """Send the report and exit without the interpreter's teardown, which might wait for other threads."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    report = _failure_report(error)
    with contextlib.suppress(OSError):
        while report:
            report = report[os.write(reports, report) :]
    os._exit(1)


def _failure_report(error: BaseException) -> bytes:
    """Pickle what can always be pickled: title, traceback, and the exception's own pickle, if it has one."""
    title = "".join(traceback.format_exception_only(type(error), error)).strip()
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__)).strip()
    try:
        transported = pickle.dumps(error)
    except Exception:  # its class may raise anything; title and traceback are told without it
        transported = b""
    return pickle.dumps((title, text, transported))
