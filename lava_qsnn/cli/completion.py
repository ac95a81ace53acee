"""Completions for the shell: files by their suffixes, and the names of what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

#: Completes what was typed so far.
Completion = Callable[[str], list[str]]


def files(*suffixes: str) -> Completion:
    """Completion by files of these suffixes, and by folders on the way to them."""

    def complete(incomplete: str) -> list[str]:
        return sorted(_paths(incomplete, suffixes))

    return complete


def folders(incomplete: str) -> list[str]:
    """Completion by folders."""
    return sorted(_paths(incomplete, ()))


def backends(incomplete: str) -> list[str]:
    """Completion by the names of backends."""
    from netx_export import BACKENDS

    return _of(BACKENDS, incomplete)


def configurations(incomplete: str) -> list[str]:
    """Completion by shipped configurations, and YAML files."""
    from lava_qsnn.train.config import shipped

    return [*_of(shipped(), incomplete), *_files_of_yaml(incomplete)]


def data(incomplete: str) -> list[str]:
    """Completion by data sets, shipped configurations, and YAML files."""
    from lava_qsnn.train.config import DATA_SETS, shipped

    return [*_of(dict.fromkeys((*DATA_SETS, *shipped())), incomplete), *_files_of_yaml(incomplete)]


def data_sets(incomplete: str) -> list[str]:
    """Completion by data sets."""
    from lava_qsnn.train.config import DATA_SETS

    return _of(DATA_SETS, incomplete)


def settings(incomplete: str) -> list[str]:
    """Completion by the keys of a configuration, each with its sign of equality."""
    from lava_qsnn.train.config import Config, keys

    return _of((f"{key}=" for key in keys(Config())), incomplete)


def data_settings(incomplete: str) -> list[str]:
    """Completion by the keys of a configuration's data."""
    return [key for key in settings(incomplete) if key.startswith("data.")]


def chips(incomplete: str) -> list[str]:
    """Completion by the names of chips, and YAML files."""
    from netx_export import CHIPS

    return [*_of(CHIPS, incomplete), *_files_of_yaml(incomplete)]


def mappings(incomplete: str) -> list[str]:
    """Completion by the ways in which memory-free neurons are mapped to a chip."""
    from netx_export import MAPPINGS

    return _of(MAPPINGS, incomplete)


def answers(incomplete: str) -> list[str]:
    """Completion by the ways in which unmodified NetX gives a readout's answer."""
    from lava_qsnn.integer.stock import FORMS

    return _of(FORMS, incomplete)


def _files_of_yaml(incomplete: str) -> list[str]:
    return sorted(_paths(incomplete, (".yaml", ".yml")))


def _of(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _paths(incomplete: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """List what lies where somebody types: folders, with a slash, and files of these suffixes; nothing hidden."""
    begun, _, name = incomplete.rpartition("/")
    start = begun + "/" if "/" in incomplete else ""
    try:
        found = list(Path(start or ".").expanduser().iterdir())
    except OSError:
        return
    for path in found:
        if path.name.startswith(name) and (name or not path.name.startswith(".")):
            if path.is_dir():
                yield f"{start}{path.name}/"
            elif path.suffix in suffixes:
                yield f"{start}{path.name}"
