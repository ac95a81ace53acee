"""Programs that tests start, and that leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping


@contextlib.contextmanager
def started(*arguments: object, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A program in a process group of its own, all of which ends with the block; with changes of the environment."""
    child = subprocess.Popen(
        [*map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with child:
        try:
            yield child
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
