"""Tar shards in webdataset's format: how many samples each has, and the bytes of these."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.extras import extra
from lava_qsnn.train._folder import replaced
from lava_qsnn.train.data import _cache


@dataclass(frozen=True)
class Shard:
    """A tar file and the number of its samples."""

    path: Path
    samples: int


def counted(paths: list[Path], folder: Path, cache: Path) -> tuple[Shard, ...]:
    """Shards with their numbers of samples: of webdataset's indices, of counts before, or counted now."""
    known = _indexed(folder)
    missing = [path for path in paths if path.name not in known]
    if missing:
        kept = cache / f"shards-{_cache.digest(missing)}.json"
        known |= _kept(kept, missing) or _count_and_keep(kept, missing)
    shards = tuple(Shard(path, known[path.name]) for path in paths if known[path.name])
    if not shards:
        raise FileFormatError(f"the shards '{paths[0]}' and so on hold no samples", remedy="write them again")
    return shards


def _indexed(folder: Path) -> dict[str, int]:
    """Numbers of samples by names of shards, as the indices in a folder tell; others are no indices."""
    known: dict[str, int] = {}
    for path in folder.glob("*.json"):
        try:
            for entry in json.loads(path.read_text("utf-8"))["shardlist"]:
                known[Path(str(entry["url"])).name] = int(entry["nsamples"])
        except (KeyError, OSError, TypeError, ValueError):
            continue
    return {name: count for name, count in known.items() if count >= 0}


def _kept(path: Path, shards: list[Path]) -> dict[str, int] | None:
    try:
        counts = [int(count) for count in json.loads(path.read_text("utf-8"))]
    except (OSError, TypeError, ValueError):
        return None
    return {shard.name: count for shard, count in zip(shards, counts)} if len(counts) == len(shards) else None


def _count_and_keep(path: Path, shards: list[Path]) -> dict[str, int]:
    counts = [_count(shard) for shard in shards]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as side:
            side.write_text(json.dumps(counts), "utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the cache '{path.parent}': {error.strerror}", remedy="set data.cache to a folder of yours"
        ) from None
    return {shard.name: count for shard, count in zip(shards, counts)}


def _count(shard: Path) -> int:
    try:
        with tarfile.open(shard, "r:*") as file:
            return sum(member.isreg() and member.name.endswith(".cls") for member in file)
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise FileFormatError(f"'{shard}' is no tar file, or damaged ({error})", remedy="fetch it again") from None


def read(shards: tuple[Shard, ...]) -> Iterator[dict[str, Any]]:
    """The samples of shards in their order: bytes by ending, with `__key__` and `__url__`."""
    with extra("train"):
        from webdataset.tariterators import group_by_keys, tar_file_expander

    for shard in shards:
        try:
            with shard.path.open("rb") as stream:
                yield from group_by_keys(tar_file_expander(iter([{"url": str(shard.path), "stream": stream}])))
        except (OSError, EOFError, tarfile.TarError, ValueError) as error:
            raise FileFormatError(f"'{shard.path}' is damaged ({error})", remedy="fetch it again") from None
