"""The reader of HDF5 at its limits: blocks, headers, trees and heaps as bytes, each limit from both sides."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lava_qsnn.errors import FileFormatError
from netx_export._hdf5 import Contents, differences, read_contents
from netx_export._hdf5._bytes import NOWHERE, Blocks, Cursor
from netx_export._hdf5._file import ATTRIBUTE, LINK, LINK_INFO, _File, _split
from netx_export._hdf5._heap import LINKS, _Heap, _pointers, _records, listed
from netx_export._hdf5._lookup3 import lookup3


def summed(block: bytes) -> bytes:
    """A block with its checksum."""
    return block + struct.pack("<I", lookup3(block))


def blocks(*content: bytes) -> Blocks:
    return Blocks(memoryview(b"".join(content)))


def refusal(action: Any) -> str:
    """The text of the error that something ends with; empty if it does not."""
    try:
        action()
    except FileFormatError as error:
        return str(error)
    return ""


class TestBlocks:
    @pytest.mark.parametrize(
        ("address", "size", "good"), [(92, 8, True), (93, 8, False), (0, 100, True), (8, 93, False)]
    )
    def test_they_end_with_the_file(self, address: int, size: int, good: bool) -> None:
        text = refusal(lambda: blocks(bytes(100)).unchecked(address, size))
        assert ("beyond its end" in text) != good

    @pytest.mark.parametrize("size", [0, 7])
    def test_they_have_8_bytes_at_least(self, size: int) -> None:
        assert "or are too long" in refusal(lambda: blocks(bytes(100)).unchecked(0, size))

    def test_together_they_are_no_larger_than_the_file(self) -> None:
        file = blocks(bytes(100))
        file.unchecked(0, 60)
        file.unchecked(0, 40)
        assert "or are too long" in refusal(lambda: file.unchecked(0, 8))

    def test_nor_than_32_mebibytes(self) -> None:
        file = blocks(bytes(2**25 + 100))
        file.unchecked(0, 2**25)
        assert "or are too long" in refusal(lambda: file.unchecked(0, 8))

    def test_their_signature_is_named(self) -> None:
        assert "there is no 'OHDR' at 0" in refusal(lambda: blocks(bytes(100)).unchecked(0, 20, b"OHDR and more"))


class TestFiles:
    def test_they_have_2_gibibytes_at_most(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with h5py.File(tmp_path / "a.h5", "w", libver="v110") as file:
            file["a"] = 1
        for size, good in ((2**31, True), (2**31 + 1, False)):
            monkeypatch.setattr(os.path, "getsize", lambda _, size=size: size)
            assert ("exceed 2,147,483,648" in refusal(lambda: read_contents(tmp_path / "a.h5"))) != good

    @pytest.mark.parametrize(
        ("size", "believed"), [(100, 110_000), (2**17, 2**27), (2**21, 2**27), (2**21 + 1, 64 * (2**21 + 1))]
    )
    def test_their_arrays_are_believed_so_far(self, size: int, believed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """As much as deflate can do, up to 2^27 bytes; beyond, 64 times the file."""
        monkeypatch.setattr(_File, "_root", lambda _: 0)
        monkeypatch.setattr(_File, "_visit", lambda *_: None)
        assert _File(bytes(size)).left == believed

    @pytest.mark.parametrize("version", ["v108", "v110"])
    def test_superblocks_of_two_versions_are_read(self, version: str, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "a.h5", "w", libver=(version, version)) as file:
            file["a/b"] = np.arange(5)
            file["a"].attrs["c"] = 7
        found = read_contents(tmp_path / "a.h5")
        assert found.arrays["a/b"].tolist() == [0, 1, 2, 3, 4]
        assert found.attributes["a"]["c"] == 7

    def test_an_array_has_one_message_of_each_type(self) -> None:
        one = Cursor(memoryview(b""))
        for messages in ({1: [one], 3: [one], 8: [one, one]}, {1: [one], 3: [one]}):
            assert "too many, or none" in refusal(lambda messages=messages: _file()._array(messages, 0, "a"))

    def test_an_object_says_once_where_its_parts_are(self) -> None:
        nowhere = struct.pack("<BBQQ", 0, 0, NOWHERE, NOWHERE)

        def named(kind: int, count: int) -> str:
            messages = {LINK_INFO: [Cursor(memoryview(nowhere)) for _ in range(count)]}
            return refusal(lambda: _file()._named(messages, kind, LINK_INFO, LINKS, lambda _: ("", 0)))

        assert [named(LINK, count) == "" for count in (0, 1, 2)] == [False, True, False]
        assert [named(ATTRIBUTE, count) == "" for count in (0, 1, 2)] == [True, True, False]


def _file(*content: bytes) -> _File:
    """The reader of a file of which nothing has been read."""
    found = object.__new__(_File)
    found.blocks = blocks(*content)
    return found


class TestHeaders:
    """Of objects: their messages after times, limits of attributes, and the size, whose own width the flags tell."""

    @pytest.mark.parametrize("times", [0, 0x20])
    @pytest.mark.parametrize("limits", [0, 0x10])
    @pytest.mark.parametrize("order", [0, 4])
    @pytest.mark.parametrize("width", [0, 1, 2, 3])
    def test_messages_are_found_behind_what_the_flags_tell(
        self, times: int, limits: int, order: int, width: int
    ) -> None:
        flags = times | limits | order | width
        beside = b"ab" if order else b""
        message = struct.pack("<BHB", 3, 5, 0) + beside + b"hello" + struct.pack("<BHB", 1, 0, 0) + beside
        head = b"OHDR" + bytes([2, flags]) + b"t" * (16 if times else 0) + b"l" * (4 if limits else 0)
        block = summed(head + len(message).to_bytes(1 << width, "little") + message)
        found = _file(block, bytes(40))._messages(0)
        assert {kind: [bytes(part.data) for part in parts] for kind, parts in found.items()} == {
            3: [b"hello"],
            1: [b""],
        }

    @pytest.mark.parametrize(("overhead", "rest"), [(4, 0), (4, 3), (6, 0), (6, 5)])
    def test_less_than_a_message_at_the_end_is_none(self, overhead: int, rest: int) -> None:
        block = struct.pack("<BHB", 3, 0, 0) + bytes(overhead - 4) + bytes(rest)
        assert [(kind, len(part.data)) for kind, part in _split(Cursor(memoryview(block)), overhead)] == [(3, 0)]


class TestTrees:
    def refusal(self, node: int = 512, depth: int = 0, total: int = 0) -> str:
        """The text with which a B-tree without records is refused."""
        head = struct.pack("<4sBBIHHHQHQ", b"BTHD", 0, LINKS, node, 11, depth, 0, 38, 0, total)
        leaf = summed(b"BTLF" + bytes([0, LINKS]))
        return refusal(lambda: list(_records(blocks(summed(head), leaf, bytes(99)), 0, LINKS, 11)))

    @pytest.mark.parametrize(("node", "good"), [(63, False), (64, True), (2**16, True), (2**16 + 1, False)])
    def test_nodes_have_64_bytes_to_64_kibibytes(self, node: int, good: bool) -> None:
        assert ("a B-tree of 0 records" in self.refusal(node=node)) != good

    @pytest.mark.parametrize(("total", "good"), [(2**13, True), (2**13 + 1, False)])
    def test_they_have_8192_records_at_most(self, total: int, good: bool) -> None:
        assert (f"a B-tree of {total} records" in self.refusal(total=total)) != good

    @pytest.mark.parametrize(("depth", "good"), [(4, True), (5, False)])
    def test_they_are_4_levels_deep_at_most(self, depth: int, good: bool) -> None:
        text = self.refusal(depth=depth)
        assert ("there is no 'BTIN'" if good else "a B-tree of 0 records") in text

    def test_pointers_are_as_wide_as_the_numbers_of_records_below(self) -> None:
        """255 records of 11 bytes fit into nodes of 2,825 bytes, 256 into one more; 34,437 into two such levels."""
        assert _pointers(2825, 11, 1) == [(0, 0, 0), (8, 1, 0)]
        assert _pointers(2826, 11, 2) == [(0, 0, 0), (8, 2, 0), (8, 2, 2)]

    @pytest.mark.parametrize(("heap", "tree"), [(NOWHERE, 0), (0, NOWHERE)])
    def test_a_heap_without_a_tree_is_no_list_without_parts(self, heap: int, tree: int) -> None:
        info = Cursor(memoryview(struct.pack("<BBQQ", 0, 0, heap, tree)))
        assert "is damaged" in refusal(lambda: list(listed(info, LINKS, lambda _: ("", 0), blocks(bytes(200)))))


class TestHeaps:
    def refusal(self, width: int = 4, first: int = 512, largest: int = 2**16, rows: int = 0) -> str:
        """The text with which a heap is refused, of blocks that are not there."""
        head = struct.pack("<4sBHHB", b"FRHP", 0, 7, 0, 2) + bytes(12 + 8 + 80)
        head += struct.pack("<HQQHHQH", width, first, largest, 32, 0, 146, rows)
        return refusal(lambda: _Heap(blocks(summed(head), bytes(99)), 0, 7))

    @pytest.mark.parametrize(
        ("name", "good", "bad"),
        [
            ("width", (1, 64), (0, 65)),
            ("first", (64, 2**16), (63, 2**16 + 1)),
            ("largest", (512, 2**20), (511, 2**20 + 1)),
            ("rows", (0, 64), (65,)),
        ],
    )
    def test_their_numbers_have_limits(self, name: str, good: tuple[int, ...], bad: tuple[int, ...]) -> None:
        assert all("a heap of another kind" not in self.refusal(**{name: number}) for number in good)
        assert all("a heap of another kind" in self.refusal(**{name: number}) for number in bad)

    def test_blocks_grow_no_larger_than_they_say(self) -> None:
        """Rows of 512, 512, 1,024 and 2,048 bytes."""
        for rows, level in ((4, False), (5, True)):
            sizes = 4 * rows
            head = struct.pack("<4sBHHB", b"FRHP", 0, 7, 0, 2) + bytes(12 + 8 + 80)
            head += struct.pack("<HQQHHQH", 4, 512, 2048, 32, 0, 146, rows)
            indirect = summed(b"FHIB" + bytes([0]) + bytes(8 + 4) + bytes(8 * sizes))
            file = blocks(summed(head), indirect, bytes(99))
            assert ("a heap of more than one level" in refusal(lambda file=file: _Heap(file, 0, 7))) == level


class TestContents:
    def found(self, stored: Any, expected: Any) -> list[str]:
        return list(differences(Contents({"a": np.array(stored)}), Contents({"a": np.array(expected)})))

    def test_integers_may_be_stored_wider_and_texts_not(self) -> None:
        assert self.found(np.int64(3), np.int8(3)) == []
        assert self.found(np.int64(3), np.int8(4)) == ["a"]
        assert self.found(np.uint8(3), np.int8(3)) == ["a"]
        assert self.found(np.array(b"one", "S3"), np.array(b"one", "S3")) == []
        assert self.found(np.array(b"one", "S5"), np.array(b"one", "S3")) == ["a"]
