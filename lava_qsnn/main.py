"""The entry of the command: when a signal ends it, one line, the signal's exit status, and nothing left behind.

The command ends without taking the interpreter apart, which takes a third of a short command's time, and seconds of one
that trains.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

#: Seconds that the command has to leave its blocks after a signal; then it is ended where it stands.
GRACE = 1.5

#: What ends the command, and what it says then.
SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}

#: Taken by the thread that says it.
_UNSAID = threading.Lock()


class Interruption(BaseException):
    """A signal asks for the end. No KeyboardInterrupt: libraries catch that, and exit in ways of their own."""


def main() -> None:
    """Run the command; after Ctrl-C or SIGTERM, from the first import on, end it with status 128 + the signal's."""
    received: list[int] = []
    statuses: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)  # it is ending
        sys.unraisablehook = lambda _: None  # an interruption that was lost in a callback is no news
        received.append(number)
        raise Interruption

    def leave() -> None:
        if received:
            with suppress(OSError, ValueError):  # nobody reads any more
                sys.stdout.flush()
            _end(received[0])
        if statuses and _flushed():
            os._exit(statuses[0])

    atexit.register(leave)  # the first one is called last
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup, for one, wants that kept
            signal.signal(number, interrupt)
    _guard_the_end()
    try:
        from lava_qsnn import cli  # its imports can be interrupted, too

        cli.main()
        statuses.append(0)
    except BaseException as error:  # what a library makes of an interruption may be any error
        if not received:
            if isinstance(error, SystemExit) and isinstance(error.code, int):
                statuses.append(error.code)
            raise
    if received:
        _say(received[0])


def _flushed() -> bool:
    """Write out what was printed; False if that fails, which the interpreter is left to tell."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return False
    return True


def _guard_the_end() -> None:
    """End the process by force if it has not ended some time after a signal.

    Python acts on signals between two of its own steps: a long computation in C, or a wait for another process, would
    keep the command from ending, and an interruption inside of a callback is lost.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_end_after_a_signal, args=[reading], name="lava-qsnn signals", daemon=True).start()


def _end_after_a_signal(reading: int) -> None:
    while (number := os.read(reading, 1)[0]) not in SIGNALS:
        pass
    time.sleep(GRACE)
    _end(number)


def _end(number: int) -> NoReturn:
    """End the process, and on Linux those that it has started: a second training process would wait for this one."""
    try:
        _say(number)
        for listed in Path("/proc/self/task").glob("*/children"):
            for child in listed.read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)
    finally:  # whatever was in the way
        os._exit(128 + number)


def _say(number: int) -> None:
    """One line on stderr, once, from the first of several processes."""
    if os.environ.get("LOCAL_RANK", "0") == "0" and _UNSAID.acquire(blocking=False):
        with suppress(OSError, ValueError):
            sys.stderr.write(f"{SIGNALS[signal.Signals(number)]}\n")
            sys.stderr.flush()
