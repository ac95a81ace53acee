"""The reader of files, with the HDF5 library as its oracle, and files that would end or stall that library."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import h5py
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from lava_qsnn.errors import FileFormatError
from lava_qsnn.integer.stock import write_arrays
from netx_export._encode import LONGEST_TEXT
from netx_export._hdf5 import read_contents
from netx_export._hdf5._lookup3 import lookup3
from tests.helpers import mutate_files

V110 = ("v110", "v110")

DTYPES = st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "bool", "S1", "S9"])


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    """Scalars and arrays of up to three dimensions, from a byte to some thousand, often alike, sometimes noise."""
    dtype = np.dtype(draw(DTYPES))
    shape = draw(st.lists(st.integers(1, 12), max_size=3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    numbers = random.integers(1, draw(st.sampled_from([2, 3, 256])), (*shape, dtype.itemsize), np.uint8)
    if dtype.kind == "b":
        return numbers[..., 0] > 1
    return numbers.view(dtype)[..., 0]


def contents(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays and attributes by path, as the HDF5 library reads them."""
    found, said = {}, {}
    with h5py.File(path, "r") as file:

        def visit(name: str, item: Any) -> None:
            said.update({f"{name}@{key}": np.asarray(value) for key, value in item.attrs.items()})
            if isinstance(item, h5py.Dataset):
                found[name] = np.asarray(item[()])

        visit("", file)
        file.visititems(visit)
    return found, said


def assert_read_alike(path: Path) -> None:
    found, said = contents(path)
    ours = read_contents(path)
    values = {f"{group}@{name}": value for group, named in ours.attributes.items() for name, value in named.items()}
    for theirs, own in ((found, ours.arrays), (said, values)):
        assert theirs.keys() == own.keys()
        for name, value in theirs.items():
            np.testing.assert_array_equal(own[name], value)
            assert own[name].shape == value.shape
            assert own[name].dtype.kind == value.dtype.kind


@hypothesis.settings(max_examples=60)
@hypothesis.given(
    trees=st.dictionaries(
        st.sampled_from(["a", "b/c", "b/d/e", "layer/0/neuron"]), st.lists(arrays(), max_size=14), min_size=1
    ),
    attributes=st.lists(arrays(), max_size=12),
)
def test_every_tree_of_arrays_is_read_as_the_library_reads_it(trees: dict[str, Any], attributes: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tree.h5")
        with h5py.File(path, "w", libver=V110) as file:
            for group, members in trees.items():
                place = file.require_group(group)
                write_arrays(place, {f"array {number}": array for number, array in enumerate(members)})
                place.attrs.update({f"attribute {number}": value for number, value in enumerate(attributes)})
        assert_read_alike(path)


@pytest.mark.parametrize("members", [8, 9, 45, 46, 300, 1500])
def test_groups_of_any_size_are_read(members: int, tmp_path: Path) -> None:
    """From 9 on they lie in a heap, from 46 on their B-tree has more than a leaf, at 1,500 more than two levels."""
    with h5py.File(tmp_path / "wide.h5", "w", libver=V110) as file:
        for number in range(members):
            file.create_group(f"group/{number}" if number % 2 else f"group/a longer name, {number}")
        file["group"].attrs.update({f"attribute {number}": number for number in range(min(members, 300))})
    ours = read_contents(tmp_path / "wide.h5")
    assert len(ours.attributes) == 2 + members
    assert len(ours.attributes["group"]) == min(members, 300)
    assert_read_alike(tmp_path / "wide.h5")


@pytest.mark.parametrize("length", [LONGEST_TEXT, 5000, 60000])
def test_many_long_attributes_are_read(length: int, tmp_path: Path) -> None:
    """Above 4,096 bytes they do not lie in the heap itself; version 1 of the format has such texts."""
    with h5py.File(tmp_path / "long.h5", "w", libver=V110) as file:
        file.attrs.update({str(number): np.bytes_(b"x" * length + b"%d" % number) for number in range(12)})
    assert_read_alike(tmp_path / "long.h5")


def test_an_array_under_two_names_is_one_array(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "two.h5", "w", libver=V110) as file:
        file["a"] = np.arange(100)
        file["b/c"] = file["a"]
    ours = read_contents(tmp_path / "two.h5")
    assert ours.arrays["a"] is ours.arrays["b/c"]


@pytest.mark.parametrize(("text", "expected"), [(b"", 0xDEADBEEF), (b"Four score and seven years ago", 0x17770551)])
def test_the_checksum_is_jenkins_own(text: bytes, expected: int) -> None:
    assert lookup3(text) == expected  # driver5 of lookup3.c


def _small(name: str, **options: Any) -> Any:
    return lambda file: file.create_dataset(name, data=np.arange(100, dtype=np.int32), **options)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (_small("x", chunks=(10,)), "several chunks, or of one without filters"),
        (_small("x", chunks=(50,), compression="gzip"), "several chunks"),
        (_small("x", chunks=(100,), compression="gzip", fletcher32=True), "filter is 3"),
        (_small("x", chunks=(100,), scaleoffset=0), "filter is 6"),
        (_small("x", chunks=(100,), compression="lzf"), "filter is 32000"),
        (_small("x", maxshape=(None,)), "one that can grow"),
        (
            lambda file: file.create_dataset("x", (2**30,), "i1", chunks=(2**30,), compression="gzip"),
            "claims 1,073,741,824",
        ),
        (lambda file: file.create_dataset("x", data=np.float32(1)), "type of some numbers"),
        (lambda file: file.create_dataset("x", data=np.arange(3, dtype=">i4")), "none of a processor's"),
        (lambda file: file.create_dataset("x", data="text"), "type of some numbers"),
        (lambda file: file.create_dataset("x", data=h5py.Empty("i4")), "kind of a shape"),
        (lambda file: file.create_dataset("x", (3,), h5py.enum_dtype({"FALSE": 0, "TRUE": 2}, "i1")), "no bool"),
        (lambda file: file.create_dataset("x", (3,), "i4"), "lies beyond its end"),
        (lambda file: file.__setitem__("x", h5py.SoftLink("/a")), "'x' is a link to elsewhere"),
        (lambda file: file.__setitem__("x", h5py.ExternalLink("other.h5", "/a")), "'x' is a link to elsewhere"),
        (lambda file: file.__setitem__("a/x", file["/"]), "lies in itself"),
        (lambda file: file.create_group("1/2/3/4/5/6/7/8/9"), "too deep"),
        (lambda file: file.create_group("x" * 65), "link to elsewhere"),
        (lambda file: file.attrs.update({"x": np.zeros(2000)}), "type of some numbers"),
        (lambda file: file.__setitem__("x", np.dtype("i4")), "a type, shape or place too many, or none"),
    ],
)
def test_what_we_never_write_is_refused(change: Any, text: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w", libver=V110) as file:
        file.create_group("a")
        change(file)
    with pytest.raises(FileFormatError) as caught:
        read_contents(tmp_path / "other.h5")
    assert text in str(caught.value)


def test_groups_are_read_down_to_the_eighth(tmp_path: Path) -> None:
    """Those of poolings are the seventh."""
    with h5py.File(tmp_path / "deep.h5", "w", libver=V110) as file:
        file.create_group("1/2/3/4/5/6/7/8")
    assert "1/2/3/4/5/6/7/8" in read_contents(tmp_path / "deep.h5").attributes


def test_what_all_arrays_claim_together_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netx_export._hdf5._file.BELIEVED", 2**20)
    for count, text in ((3, None), (20, "claims 262,144 bytes")):
        with h5py.File(tmp_path / "bomb.h5", "w", libver=V110) as file:
            write_arrays(file, {str(number): np.zeros(2**18, np.int8) for number in range(count)})
        assert (tmp_path / "bomb.h5").stat().st_size < 2**14
        if text is None:
            assert len(read_contents(tmp_path / "bomb.h5").arrays) == count
            continue
        with pytest.raises(FileFormatError, match=text):
            read_contents(tmp_path / "bomb.h5")


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> list[mutate_files.Subject]:
    return mutate_files.subjects(tmp_path_factory.mktemp("subjects"))


def test_mutants_with_right_checksums_are_refused_or_harmless(
    subjects: list[mutate_files.Subject], tmp_path: Path
) -> None:
    verdicts = mutate_files.judge(subjects, 400, seed=3, folder=tmp_path)
    assert set(verdicts) == {"refused", "equal"}, f"see {tmp_path}"
    assert min(verdicts.values()) > 50


def test_the_mutants_get_past_the_checksums(subjects: list[mutate_files.Subject]) -> None:
    """None of the changes is found by a checksum: what is judged is the reader's own care."""
    for number in range(30):
        one = subjects[number % len(subjects)]
        content = mutate_files.mutant(one, np.random.default_rng([5, number]))
        assert all(
            block.checksum(content) == int.from_bytes(content[block.place : block.place + 4], "little")
            for block in one.blocks
        )
