"""The terminal: where answers go, where errors go, and how work in progress is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape

console = Console()
errors = Console(stderr=True, soft_wrap=True)

#: Lines that are copied, such as calls: whole, without colours, and brackets taken literally.
AS_IT_IS: dict[str, Any] = {"soft_wrap": True, "highlight": False, "markup": False}


def plain(error: BaseException | str) -> str:
    """An error's text on as many lines as it has, with rich's markup taken literally."""
    return escape(str(error))


def warn(text: str) -> None:
    """Show a warning in one line."""
    errors.print(f"[yellow]warning:[/yellow] {plain(text)}", highlight=False)


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[..., None]]:
    """A progress bar, and the function that moves it to a fraction and may change its text."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(text, total=1.0)
        yield lambda fraction, said=text: bar.update(task, completed=fraction, description=said)
