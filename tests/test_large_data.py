"""Data sets that need not fit into memory: read a chunk at a time, answered and written as they come."""

from __future__ import annotations

import resource
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
import numpy as np
import pytest
import torch
import zarr

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import ConfigurationError, InputError, OutputError, QsnnError, RangeError
from netx_export import _chunks

SAMPLES, STEPS = 50, 4


def small_network() -> integer.IntegerNetwork:
    random = np.random.default_rng(0)
    hidden = integer.MemoryFree((2, 1), random.integers(-3, 9, 20))
    layers = (
        integer.Layer("hidden", (integer.Connection("input", integer.Dense(random.integers(-3, 4, (20, 6)))),), hidden),
        integer.Layer(
            "out",
            (integer.Connection("hidden", integer.Dense(random.integers(-9, 9, (3, 20)))),),
            integer.Readout((1,)),
        ),
    )
    return integer.IntegerNetwork(integer.Input((6,), 7), STEPS, layers)


NETWORK = small_network()
X = np.random.default_rng(1).integers(0, 8, (SAMPLES, 6, STEPS)).astype(np.uint8)
ANSWERS = integer.run_reference(NETWORK, X)["out"]


def test_the_answers_tell_samples_apart() -> None:
    assert len(np.unique(ANSWERS.reshape(SAMPLES, -1), axis=0)) == SAMPLES


@pytest.fixture(autouse=True)
def small_chunks() -> Iterator[None]:
    """Chunks of seven samples, so that the last one is short."""
    with patch.object(_chunks, "NUMBERS", 7 * X[0].size):
        yield


def memory_map(folder: Path) -> Any:
    np.save(folder / "x.npy", X)
    return np.load(folder / "x.npy", mmap_mode="r")


def hdf5(folder: Path) -> Any:
    return h5py.File(folder / "x.h5", "w").create_dataset("x", data=X, chunks=(3, 6, STEPS), compression="gzip")


def zarr_array(folder: Path) -> Any:
    array = zarr.open(str(folder / "x.zarr"), mode="w", shape=X.shape, chunks=(3, 6, STEPS), dtype=X.dtype)
    array[:] = X
    return array


STORES = [memory_map, hdf5, zarr_array]


def batches(*sizes: int) -> Iterator[np.ndarray]:
    """X in batches of so many samples."""
    start = 0
    for size in sizes:
        yield X[start : start + size]
        start += size


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("backend", ["reference", "fast"])
def test_a_stored_array_is_answered_as_one_in_memory(
    store: Callable[[Path], Any], backend: str, tmp_path: Path
) -> None:
    told: list[float] = []
    found = netx_export.simulate(NETWORK, store(tmp_path), backend, progress=told.append)
    assert found.dtype == np.int64
    assert (found == ANSWERS).all()
    assert told == sorted(told)
    assert len(told) >= SAMPLES // 7
    assert told[-1] == 1.0


def test_tensors_and_lists_are_arrays() -> None:
    for x in (torch.tensor(X), X.tolist()):
        assert np.array_equal(netx_export.simulate(NETWORK, x), ANSWERS)


@pytest.mark.parametrize("store", [hdf5, zarr_array])
def test_chunks_of_a_stored_array_are_whole_chunks_of_its_storage(store: Callable[[Path], Any], tmp_path: Path) -> None:
    found = list(_chunks.chunks(NETWORK, store(tmp_path)))
    assert [(chunk.start, len(chunk.x)) for chunk in found[:-1]] == [(start, 6) for start in range(0, 48, 6)]
    assert (np.concatenate([chunk.x for chunk in found]) == X).all()


@pytest.mark.parametrize("backend", ["reference", "fast"])
def test_an_iterator_of_batches_is_answered_batch_by_batch(backend: str) -> None:
    taken: list[int] = []

    def noting() -> Iterator[np.ndarray]:
        for batch in batches(20, 1, 29):
            taken.append(len(batch))
            yield batch

    answers = netx_export.simulate(NETWORK, noting(), backend)
    assert taken == []
    assert (next(answers) == ANSWERS[:20]).all()
    assert taken == [20]  # no batch is taken before its answer is asked for
    assert (np.concatenate([*answers]) == ANSWERS[20:]).all()


def test_a_loader_may_be_gone_through_again_and_again() -> None:
    loader: Any = torch.utils.data.DataLoader(torch.tensor(X), batch_size=8)
    for _ in range(2):
        assert (np.concatenate(list(netx_export.simulate(NETWORK, loader))) == ANSWERS).all()


@pytest.mark.lava
def test_batches_on_a_backend_of_lava() -> None:
    found = netx_export.simulate(NETWORK, batches(3, 2), "lava-fused")
    assert (np.concatenate(list(found)) == ANSWERS[:5]).all()


def outputs(folder: Path) -> dict[str, Any]:
    file = h5py.File(folder / "out.h5", "w")
    store = zarr.open(str(folder / "out.zarr"), mode="w", shape=ANSWERS.shape, chunks=(4, 3, 4), dtype="i4")
    return {
        "npy": folder / "out.npy",
        "text": str(folder / "text.npy"),
        "array": np.zeros((SAMPLES, 3, STEPS), np.int32),
        "longer": np.zeros((SAMPLES + 9, 3, STEPS), np.int64),
        "map": np.lib.format.open_memmap(folder / "map.npy", "w+", np.dtype("i8"), ANSWERS.shape),
        "hdf5": file.create_dataset("answers", ANSWERS.shape, "i4"),
        "zarr": store,
    }


@pytest.mark.parametrize("kind", ["npy", "text", "array", "longer", "map", "hdf5", "zarr"])
@pytest.mark.parametrize("source", [*STORES, None])
def test_answers_are_written_to_files_and_arrays(kind: str, source: Any, tmp_path: Path) -> None:
    out = outputs(tmp_path)[kind]
    x = batches(30, 20) if source is None else source(tmp_path)
    found = netx_export.simulate(NETWORK, x, "fast", out=out)
    assert (found is out) == (kind not in ("npy", "text"))
    assert (np.asarray(found[:SAMPLES]) == ANSWERS).all()
    if kind == "npy":
        assert found.dtype == np.int64
        assert (np.load(out) == ANSWERS).all()


def test_an_answer_file_can_be_read_at_any_time(tmp_path: Path) -> None:
    path, seen = tmp_path / "out.npy", []

    def looking() -> Iterator[np.ndarray]:
        for batch in batches(20, 1, 29):
            yield batch
            found = np.load(path)
            seen.append(len(found))
            assert (found == ANSWERS[: len(found)]).all()

    netx_export.simulate(NETWORK, looking(), out=path)
    assert seen == [20, 21, 50]


BROKEN = {
    "shape": (X[:4, :5], r"must have shape \(N, 6, T\), not \(4, 5, 4\)"),
    "dtype": (X[:4].astype(np.float32), "must be integers, not float32"),
    "range": (X[:4] + np.uint8(8), "leave the range"),
    "steps": (X[:4, :, :3], "3 time steps, and those before it had 4"),
    "empty": (X[:0], "must have shape"),
    "none": (None, "must be integers, not object"),
    "pair": ((X[:4], np.zeros(4)), "a batch is a tuple, not an array"),
}


@pytest.mark.parametrize("kind", [*BROKEN, "raises"])
def test_what_is_wrong_in_the_middle_says_how_many_samples_were_answered(kind: str, tmp_path: Path) -> None:
    def middling() -> Iterator[Any]:
        yield from batches(20, 11)
        if kind == "raises":
            raise KeyError("lost")
        yield BROKEN[kind][0]
        raise AssertionError("nothing is taken after an error")

    text = r"reading the next samples failed with KeyError: 'lost'" if kind == "raises" else BROKEN[kind][1]
    answers, path = netx_export.simulate(NETWORK, middling(), "fast"), tmp_path / "out.npy"
    assert (np.concatenate([next(answers), next(answers)]) == ANSWERS[:31]).all()
    with pytest.raises(InputError, match=rf"{text}.*\(samples answered before: 31\)"):
        next(answers)
    with pytest.raises(InputError, match=r"\(samples answered before: 31\)"):
        netx_export.simulate(NETWORK, middling(), "fast", out=path)
    assert (np.load(path) == ANSWERS[:31]).all()


def test_without_a_batch_there_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no batch"):
        netx_export.simulate(NETWORK, iter([]), out=tmp_path / "out.npy")
    with pytest.raises(InputError, match="there is no batch"):
        list(netx_export.simulate(NETWORK, iter([])))
    assert not (tmp_path / "out.npy").exists()


def test_a_stored_array_of_the_wrong_form_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = h5py.File(tmp_path / "x.h5", "w")
    for shape, dtype in [((9, 5, 4), "u1"), ((9, 6, 4), "f4"), ((9, 6, 5), "u1")]:
        wrong = file.create_dataset(str(shape) + dtype, shape, dtype)
        with patch.object(h5py.Dataset, "__getitem__", side_effect=AssertionError), pytest.raises(InputError):
            netx_export.simulate(NETWORK, wrong)


def test_a_stored_array_with_a_value_out_of_range(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.where(np.arange(SAMPLES)[:, None, None] == 40, 9, X))
    stored = np.load(tmp_path / "x.npy", mmap_mode="r")
    with pytest.raises(InputError, match=r"values from 9 to 9 leave|samples answered before: 35"):
        netx_export.simulate(NETWORK, stored, out=tmp_path / "out.npy")
    assert (np.load(tmp_path / "out.npy") == ANSWERS[:35]).all()


@pytest.mark.parametrize(
    ("out", "error", "text"),
    [
        (np.zeros((SAMPLES, 3, 5), int), ConfigurationError, r"`out` is int64 \(50, 3, 5\).*\(N, 3, 4\)"),
        (np.zeros((SAMPLES, 3, 4)), ConfigurationError, "`out` is float64"),
        (np.zeros((SAMPLES - 1, 3, 4), int), ConfigurationError, "room for 49 samples, and there are 50"),
        (np.zeros((SAMPLES, 3, 4), np.uint8), RangeError, "answers do not fit `out`, which is uint8"),
        (3, ConfigurationError, "`out` is a int"),
        ("answers.txt", ConfigurationError, "no name of an .npy file"),
        ("missing/answers.npy", OutputError, "missing/answers.npy' cannot be written: No such file"),
        ("folder.npy", OutputError, "folder.npy' cannot be written: Is a directory"),
        ("full.npy", OutputError, "full.npy' cannot be written: No space left on device"),
    ],
)
def test_outputs_that_cannot_be(out: Any, error: type[QsnnError], text: str, tmp_path: Path) -> None:
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "full.npy").symlink_to("/dev/full")
    with pytest.raises(error, match=text):
        netx_export.simulate(NETWORK, X * np.uint8(1), out=tmp_path / out if isinstance(out, str) else out)


def test_an_array_that_is_too_short_for_an_iterator_keeps_what_it_has_room_for() -> None:
    out = np.zeros((45, 3, 4), int)
    with pytest.raises(OutputError, match=r"room for 45 samples.*samples answered before: 40"):
        netx_export.simulate(NETWORK, batches(20, 20, 10), out=out)
    assert (out[:40] == ANSWERS[:40]).all()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_leaves_whole_answers(tmp_path: Path) -> None:
    x, path = memory_map(tmp_path), tmp_path / "out.npy"
    text = r"cannot be written: File too large \(samples answered before: 14\).*can be read"
    with files_of_at_most(256 + 20 * 3 * STEPS * 8), pytest.raises(OutputError, match=text):
        netx_export.simulate(NETWORK, x, out=path)
    assert (np.load(path) == ANSWERS[:14]).all()
    assert path.stat().st_size == 256 + 14 * 3 * STEPS * 8


def many_batches(folder: Path, samples: int) -> Iterator[np.ndarray]:
    return (X[:1].repeat(500, 0) for _ in range(samples // 500))


def large_map(folder: Path, samples: int) -> Any:
    made = np.lib.format.open_memmap(folder / f"{samples}.npy", "w+", np.uint8, (samples, *X.shape[1:]))
    made[:] = X[:1]
    return np.load(folder / f"{samples}.npy", mmap_mode="r")


def large_hdf5(folder: Path, samples: int) -> Any:
    file = h5py.File(folder / f"{samples}.h5", "w")
    return file.create_dataset("x", (samples, *X.shape[1:]), "uint8", fillvalue=1)


@pytest.mark.parametrize(
    ("backend", "source"),
    [("reference", many_batches), ("fast", many_batches), ("fast", large_map), ("fast", large_hdf5)],
)
def test_memory_does_not_grow_with_the_samples(
    backend: str, source: Callable[[Path, int], Any], tmp_path: Path
) -> None:
    """Of traced allocations at most one byte per ten samples, from two chunks to a hundred thousand of them."""

    def peak(samples: int) -> int:
        x = source(tmp_path, samples)
        tracemalloc.start()
        netx_export.simulate(NETWORK, x, backend, out=tmp_path / "out.npy")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    with patch.object(_chunks, "NUMBERS", 2**16):
        peak(6000)  # what is prepared, and stays
        few, most = peak(6000), peak(100_000)
    assert len(np.load(tmp_path / "out.npy", mmap_mode="r")) == 100_000
    assert few > 500 * X[0].size
    assert (most - few) / 94_000 < 0.1


def test_reports_of_batches_are_the_report_of_all(tmp_path: Path) -> None:
    whole = netx_export.verify(NETWORK, X, ["reference", "fast"])
    told: list[tuple[str, float]] = []
    for source in (batches(20, 1, 29), memory_map(tmp_path)):
        found = netx_export.verify(NETWORK, source, ["reference", "fast"], progress=lambda *text: told.append(text))
        assert found == whole
    assert whole.exact
    assert not whole.silent
    assert told[-1][1] == 1.0


def test_what_differs_is_counted_over_all_batches_and_the_first_is_the_earliest(tmp_path: Path) -> None:
    """A backend that is wrong in two batches: at a late step of sample 3, and at an early one of sample 40."""
    seen = 0

    def wrong(network: integer.IntegerNetwork, x: np.ndarray, options: Any) -> Any:
        nonlocal seen
        outputs = integer.run_reference(network, x)
        for sample, step in [(3, 2), (40, 1)]:
            if seen <= sample < seen + len(x):
                outputs["out"][sample - seen, 2, step] += 1
        seen += len(x)
        return outputs

    backend = netx_export.Backend("wrong", lambda network: None, wrong)
    with patch.dict(netx_export.BACKENDS, {"wrong": backend}):
        report = netx_export.verify(NETWORK, memory_map(tmp_path), ["wrong"])
    assert seen == SAMPLES
    assert report.mismatches("wrong") == 2
    row = report.first("wrong")
    assert row is not None
    assert row.layer == "out"
    assert row.values == ANSWERS.size
    assert row.first is not None
    assert (row.first.step, row.first.sample, row.first.neuron) == (1, 40, (2,))


def test_verify_says_how_many_samples_were_compared_before_an_error() -> None:
    with pytest.raises(InputError, match=r"\(samples answered before: 20\)"):
        netx_export.verify(NETWORK, iter([X[:20], X[:4, :5]]), ["fast"])


PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "large-data.md"


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    readout = integer.Readout((1,))
    out = integer.Layer("out", (integer.Connection("input", integer.Dense(random.integers(-9, 9, (10, 6)))),), readout)
    netx_export.write(integer.IntegerNetwork(integer.Input((6,), 7), STEPS, (out,)), "digits.net")
    x = random.integers(0, 8, (300, 6, STEPS))
    np.save("samples.npy", x)
    with h5py.File("samples.h5", "w") as file:
        file["x"] = x
    names: dict[str, Any] = {"x": x}
    for example in PAGE.read_text("utf-8").split("```python\n")[1:]:
        exec(compile(example.split("```")[0], PAGE.name, "exec"), names)
    expected = netx_export.simulate("digits.net", x)
    assert (names["answers"] == expected).all()
    assert names["counts"].tolist() == np.bincount(expected[:256].sum(-1).argmax(1), minlength=10).tolist()
    assert len(names["rest"]) == 0
    with h5py.File("answers.h5") as file:
        assert (file["potentials"][:] == expected).all()
