"""The terminal: where answers go, where errors go, and how work in progress is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lava_qsnn.cli.fitting import fitted

console = Console(emoji=False)  # names and paths are shown as they are
errors = Console(stderr=True, soft_wrap=True, emoji=False)

#: Lines that are copied, such as calls: whole, without colours, and brackets taken literally.
AS_IT_IS: dict[str, Any] = {"soft_wrap": True, "highlight": False, "markup": False}

#: Seconds that work takes before it is worth a line where there is no terminal.
PATIENCE = 1.0

#: Tells a fraction that is done, 0 to 1, and what is being done, if that is not what it was before.
Tell = Callable[..., None]


def plain(error: BaseException | str) -> str:
    """An error's text on as many lines as it has, with rich's markup taken literally."""
    return escape(str(error))


def warn(text: str) -> None:
    """Show a warning in one line."""
    errors.print(f"[yellow]warning:[/yellow] {plain(text)}", highlight=False)


def tell(text: str) -> None:
    """Show a line that is no answer, beside the answers."""
    errors.print(plain(text), highlight=False)


def say(text: str) -> None:
    """Print a sentence as it is, on one line however long."""
    console.print(text, **AS_IT_IS)


def show(*tables: Table) -> None:
    """Print tables, each as several where its numbers would not fit into the terminal's width."""
    for table in tables:
        for part in fitted(table, console):
            console.print(part)


class Rate:
    """Samples per second of work that goes on; it starts anew when something else is done.

    Args:
        samples: of the whole work; None where it is none with samples.
        clock: seconds.
    """

    def __init__(self, samples: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.samples, self.clock = samples, clock
        self.begun, self._text = clock(), ""

    def begin(self, text: str) -> None:
        """Take note of what is being done."""
        if text != self._text:
            self.begun, self._text = self.clock(), text

    def words(self, fraction: float) -> str:
        """Samples per second in words; empty before there are any."""
        seconds = self.clock() - self.begun
        if self.samples is None or not fraction or seconds <= 0:
            return ""
        return f"{fraction * self.samples / seconds:,.0f} samples/s"


@contextmanager
def working(text: str) -> Iterator[None]:
    """Say on a terminal, as long as it takes, what is being done that nobody knows the end of."""
    if errors.is_terminal and not errors.is_dumb_terminal:
        with errors.status(f"{escape(text)} .."):
            yield
    else:
        yield


@contextmanager
def progress_bar(text: str, samples: int | None = None) -> Iterator[Tell]:
    """Show on standard error what part of some work is done: a bar on a terminal, else a line for each tenth.

    Lines begin after a second; work that is done by then says nothing.

    Args:
        text: what is being done.
        samples: how many there are, to tell how many are done each second.

    Yields:
        The function that takes the fraction that is done, and may take a new text.
    """
    rate = Rate(samples)
    rate.begin(text)
    if not errors.is_terminal or errors.is_dumb_terminal:
        yield tenths(text, rate)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # takes time to import

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task(text, total=1.0, rate="")

        def tell(fraction: float, said: str = text) -> None:
            rate.begin(said)
            bar.update(task, completed=fraction, description=said, rate=rate.words(fraction))

        yield tell


def tenths(text: str, rate: Rate) -> Tell:
    """A function that prints a line whenever another tenth is done, once the work has taken PATIENCE seconds."""
    rate.begin(text)
    begun, told = rate.begun, (text, 0)

    def tell(fraction: float, said: str = text) -> None:
        nonlocal told
        rate.begin(said)
        reached = int(10 * fraction + 1e-9)
        is_news = reached != told[1] or (reached == 10 and said != told[0])
        if not reached or not is_news or rate.clock() - begun < PATIENCE:
            return
        told = (said, reached)
        words = rate.words(fraction)
        errors.print(f"{said}: {10 * reached} %{words and ', '}{words}", **AS_IT_IS)

    return tell
