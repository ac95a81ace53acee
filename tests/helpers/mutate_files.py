"""Mutants of network files whose checksums are mended, so that they pass for whole, and what the reader makes of them.

    python -m tests.helpers.mutate_files --count 100000 --seed 1

Each mutant must be refused by an error of the project's own, or load as the network that was written. If one does
neither, the command ends with 1 and keeps it in the folder that it names. If one takes over 256 MB or does not end, the
command does not end well, either.
"""

from __future__ import annotations

import argparse
import collections
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import QsnnError
from netx_export._hdf5._lookup3 import lookup3

#: Blocks of HDF5's metadata by their signatures.
SIGNATURES = rb"\x89HDF\r\n\x1a\n|OHDR|OCHK|FRHP|FHDB|FHIB|FSHD|FSSE|BTHD|BTLF|BTIN"

#: Numbers at which arithmetic and allocation go wrong.
EDGES = (0, 1, 2, 7, 8, 9, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)


#: Mutants that are judged at a time by the command, and the seconds and the bytes of memory that they may take.
PART, SECONDS, MEMORY = 1000, 600, 2**28


@dataclass(frozen=True)
class Block:
    """Metadata from `start` to `end`, with a checksum of four bytes at `place`, which counts as 0 within a heap."""

    start: int
    end: int
    place: int

    def mend(self, content: bytearray) -> None:
        content[self.place : self.place + 4] = self.checksum(content).to_bytes(4, "little")

    def checksum(self, content: bytes | bytearray) -> int:
        if self.place == self.end - 4:
            return lookup3(bytes(content[self.start : self.place]))
        return lookup3(bytes(content[self.start : self.place]) + bytes(4) + bytes(content[self.place + 4 : self.end]))


@dataclass(frozen=True)
class Subject:
    """A network, its file, and the blocks of metadata in it."""

    network: integer.IntegerNetwork
    content: bytes
    blocks: tuple[Block, ...]


def subject(network: integer.IntegerNetwork, folder: Path) -> Subject:
    netx_export.write(network, folder / "subject.net")
    content = (folder / "subject.net").read_bytes()
    return Subject(network, content, tuple(_blocks(content)))


def _blocks(content: bytes) -> Iterator[Block]:
    """The blocks are where signatures are and checksums right, whatever their sizes are said to be."""
    for match in re.finditer(SIGNATURES, content):
        start = match.start()
        found = (Block(start, place + 4, place) for place in range(start + 8, min(start + 1024, len(content) - 4)))
        if match.group() == b"FHDB":
            found = (
                Block(start, start + size, start + place) for size in (512, 1024, 2048, 4096) for place in (17, 18)
            )
        whole = (b for b in found if b.checksum(content) == int.from_bytes(content[b.place : b.place + 4], "little"))
        if (block := next(whole, None)) is not None:
            yield block


def mutant(subject: Subject, random: np.random.Generator) -> bytes:
    """The file with one to three changes, three quarters of them in its metadata, its checksums mended."""
    content = bytearray(subject.content)
    changes = (_flip, _number, _copy, _redirect)
    for _ in range(random.integers(1, 4)):
        block = subject.blocks[random.integers(len(subject.blocks))]
        place = int(
            random.integers(block.start, block.end) if random.random() < 0.75 else random.integers(len(content))
        )
        changes[random.integers(len(changes))](content, place, subject, random)
    del content[len(subject.content) :]
    return _mended(content, subject)


def _mended(content: bytearray, subject: Subject) -> bytes:
    for block in subject.blocks:
        if content[block.start : block.end] != subject.content[block.start : block.end]:
            block.mend(content)
    return bytes(content)


def _flip(content: bytearray, place: int, subject: Subject, random: np.random.Generator) -> None:
    content[place] ^= 1 << int(random.integers(8))


def _number(content: bytearray, place: int, subject: Subject, random: np.random.Generator) -> None:
    size = int(random.choice([1, 2, 4, 8]))
    number = EDGES[random.integers(len(EDGES))] % 2 ** (8 * size)
    content[place : place + size] = number.to_bytes(size, "little")


def _copy(content: bytearray, place: int, subject: Subject, random: np.random.Generator) -> None:
    size, source = int(random.integers(1, 33)), int(random.integers(len(content)))
    content[place : place + size] = content[source : source + size].ljust(size, b"\0")


def _redirect(content: bytearray, place: int, subject: Subject, random: np.random.Generator) -> None:
    """One address becomes another: objects lie in themselves, trees become circles."""
    one, other = (subject.blocks[random.integers(len(subject.blocks))].start for _ in range(2))
    found = content.find(one.to_bytes(8, "little"), place)
    if found >= 0:
        content[found : found + 8] = other.to_bytes(8, "little")


def subjects(folder: Path) -> list[Subject]:
    """Files of every kind: chains and skips, poolings and delays, both neurons, metadata, few and many members."""
    networks = (_conv(), _deep(), _lif(), _residual(), _wide(), _pooled())
    return [subject(network, folder) for network in networks]


def verdict(subject: Subject, content: bytes, path: Path) -> str:
    """The verdict of `load` on a mutant: "refused", "equal", or what is wrong."""
    path.write_bytes(content)
    try:
        loaded = netx_export.load(path)
    except QsnnError as error:
        return "refused" if str(error).isprintable() and len(str(error)) < 5000 else "refused in an unreadable way"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "equal" if loaded == subject.network else "another network"


def _weights(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.choice([-1, 1], shape)


def _layer(name: str, source: str, synapse: integer.Synapse, neuron: integer.Neuron) -> integer.Layer:
    return integer.Layer(name, (integer.Connection(source, synapse),), neuron)


def _conv() -> integer.IntegerNetwork:
    random, taps = np.random.default_rng(1), integer.shift_taps(4)
    conv = integer.Conv(_weights(random, 4, 2, 3, 3), padding=(1, 1), stride=(2, 1))
    layers = (
        _layer("conv1", "input", conv, integer.MemoryFree(taps, random.integers(-9, 9, 4))),
        _layer("dense2", "conv1", integer.Dense(_weights(random, 20, 64)), integer.MemoryFree(taps, np.arange(20))),
        _layer("output", "dense2", integer.Dense(random.integers(-127, 128, (5, 20))), integer.Readout((1,))),
    )
    return integer.IntegerNetwork(integer.Input((2, 8, 4), 3), 4, layers)


def _deep() -> integer.IntegerNetwork:
    random = np.random.default_rng(2)
    sizes, names = (6, *[5] * 11), ["input", *(f"dense{number}" for number in range(1, 12))]
    layers = [
        _layer(
            name, source, integer.Dense(_weights(random, after, before)), integer.MemoryFree((2, 1), np.arange(after))
        )
        for source, name, before, after in zip(names, names[1:], sizes, sizes[1:])
    ]
    return integer.IntegerNetwork(integer.Input((6,)), 2, tuple(layers))


def _lif() -> integer.IntegerNetwork:
    random = np.random.default_rng(3)
    parts = [
        random.integers(0, 4, 30),
        random.integers(0, 4, 30),
        random.integers(-900, 900, 30),
        np.arange(1, 31) * 40,
    ]
    neuron = integer.QuantizedLIF(4, 1, "soft", *parts)
    synapse = integer.Dense(random.integers(-7, 8, (30, 12)))
    return integer.IntegerNetwork(integer.Input((12,), 15), 20, (_layer("dense1", "input", synapse, neuron),))


def _residual() -> integer.IntegerNetwork:
    random, neuron = np.random.default_rng(4), integer.MemoryFree((15, 13, 12), np.arange(8) * 20)
    inner = (
        integer.Connection("a", integer.Dense(_weights(random, 8, 8))),
        integer.Connection("input", integer.OneToOne(np.arange(1, 9))),
    )
    layers = (_layer("a", "input", integer.Dense(_weights(random, 8, 8)), neuron), integer.Layer("b", inner, neuron))
    return integer.IntegerNetwork(integer.Input((8,)), 16, layers)


def _wide() -> integer.IntegerNetwork:
    random = np.random.default_rng(5)
    neuron = integer.MemoryFree((1,), random.integers(-(2**20), 2**20, 300))
    synapse = integer.Dense(random.integers(-30000, 30000, (300, 7)))
    return integer.IntegerNetwork(integer.Input((7,), 31), 1, (_layer("wide", "input", synapse, neuron),))


def _pooled() -> integer.IntegerNetwork:
    random, pools = np.random.default_rng(6), (integer.SumPool((2, 2), (2, 2)), integer.SumPool((1, 2), (1, 1), (0, 1)))
    first = integer.Connection("input", integer.Conv(_weights(random, 4, 2, 3, 3), padding=(1, 1)), 2, 0, pools)
    second = integer.Connection("a", integer.Dense(random.integers(-9, 10, (3, 80))), 1)
    layers = (
        integer.Layer("a", (first,), integer.MemoryFree((3, 1), np.arange(4))),
        integer.Layer("b", (second, second), integer.Readout((2, 1))),
    )
    about = {"classes": ["one", "two", "three"], "data": {"name": "noise", "rate": 0.5}}
    return integer.IntegerNetwork(integer.Input((2, 8, 8), 3, -2), 6, layers, about)


def judge(known: Sequence[Subject], count: int, seed: int, folder: Path) -> collections.Counter[str]:
    """The verdicts on some mutants, by number; those that are neither refused nor equal stay in the folder."""
    verdicts = collections.Counter[str]()
    for number in range(count):
        one = known[number % len(known)]
        content = mutant(one, np.random.default_rng([seed, number]))
        said = verdict(one, content, folder / "mutant.net")
        verdicts[said] += 1
        if said not in ("refused", "equal"):
            (folder / f"{seed}-{number}.net").write_bytes(content)
    return verdicts


def main() -> int:
    """Judge, under a limit of memory beyond what is there, and of seconds for each hundred."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--count", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=0)
    chosen = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, resource.RLIM_INFINITY))
    known = subjects(folder)
    verdicts, start = collections.Counter[str](), time.monotonic()
    for number in track(range(0, chosen.count, PART)):
        signal.alarm(SECONDS)
        verdicts += judge(known, min(PART, chosen.count - number), chosen.seed + number // PART, folder)
    print(f"{dict(verdicts)} in {time.monotonic() - start:.0f} s; folder {folder}")
    return 0 if set(verdicts) <= {"refused", "equal"} else 1


if __name__ == "__main__":
    sys.exit(main())
