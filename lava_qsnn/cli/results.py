"""Results as JSON: all that is on standard output where --json is given. docs/reference/json.md has every name."""

from __future__ import annotations

from typing import Any

import typer


def print_json(result: Any, **others: Any) -> None:
    """Print a result, a dataclass or a mapping, and others by name, with the version of the names."""
    import netx_export

    typer.echo(netx_export.to_json(result, **others))
