"""Names of a package that are imported when they are first used: its stub, `__init__.pyi`, is their only list.

So type checkers and editors know every name, and importing the package imports nothing (Scientific Python's SPEC 1).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

from lava_qsnn.extras import extra


def late_names(
    package: str, file: str, extras: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The functions `__getattr__` and `__dir__` of a package, and its `__all__`.

        __getattr__, __dir__, __all__ = late_names(__name__, __file__, {})

    Args:
        package: its name.
        file: its `__init__.py`, beside which the stub lies.
        extras: by the beginning of a module's name, the extra that brings what the module imports.

    Raises:
        MissingPackageError: by `__getattr__`, if a name needs a package that is not installed.
    """
    sources = _sources(Path(file).with_suffix(".pyi"))

    def find(name: str) -> Any:
        if name not in sources:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        source = sources[name]
        needed = next((extras[start] for start in extras if source.startswith(start)), None)
        with extra(needed) if needed is not None else nullcontext():
            found = _imported(package, source, name)
        vars(import_module(package))[name] = found  # from here on it is found without this function
        return found

    return find, lambda: sorted({*vars(import_module(package)), *sources}), sorted(sources)


def _sources(stub: Path) -> dict[str, str]:
    """The module of each name that a stub imports."""
    tree = ast.parse(stub.read_text("utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {each.asname or each.name: node.module or "" for node in imports for each in node.names}


def _imported(package: str, source: str, name: str) -> Any:
    """A name from its module, or a module of the package itself."""
    return import_module(f"{package}.{name}") if source == package else getattr(import_module(source), name)
