"""The cache of converted samples: it is used, renewed, never half-written; and augmentation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.train.checkpoint import read_checkpoint
from lava_qsnn.train.config import Config, Data, Model, Trainer, override
from lava_qsnn.train.data import _audio, _augment, _cache, make
from lava_qsnn.train.module import Classifier
from lava_qsnn.train.train import train
from tests.helpers.recordings import part, write

SHAPE = (2, 3)


def samples(number: int = 4) -> Iterator[np.ndarray]:
    yield from np.arange(number * 6, dtype=np.uint8).reshape(number, *SHAPE)


def refuse() -> Iterator[np.ndarray]:
    raise AssertionError("converted again")
    yield


def test_samples_are_converted_once(tmp_path: Path) -> None:
    first = _cache.cached(tmp_path / "a" / "b", samples(), [3, 1, 0, 2], SHAPE, "")
    again = _cache.cached(tmp_path / "a" / "b", refuse(), [3, 1, 0, 2], SHAPE, "")
    for arrays in (first, again):
        assert np.array_equal(arrays.values, list(samples()))
        assert (arrays.values.dtype, arrays.labels.dtype) == (torch.uint8, torch.int64)
        assert arrays.labels.tolist() == [3, 1, 0, 2]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_what_is_in_memory_does_not_reach_the_file(tmp_path: Path) -> None:
    _cache.cached(tmp_path / "a", samples(), [0] * 4, SHAPE, "").values.zero_()
    assert np.array_equal(_cache.cached(tmp_path / "a", refuse(), [0] * 4, SHAPE, "").values, list(samples()))


def test_an_interrupted_conversion_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Iterator[np.ndarray]:
        yield next(samples())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _cache.cached(tmp_path / "a", interrupted(), [0] * 4, SHAPE, "")
    assert list(tmp_path.iterdir()) == []


def test_another_process_may_be_faster(tmp_path: Path) -> None:
    def overtaken() -> Iterator[np.ndarray]:
        _cache.cached(tmp_path / "a", samples(), [0] * 4, SHAPE, "")
        yield from samples()

    assert len(_cache.cached(tmp_path / "a", overtaken(), [0] * 4, SHAPE, "")) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["samples.npy", "labels.npy"])
@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 2, 3), }(",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 2, 3",
        '"',
        "{'descr': '<i8', 'fortran_order': False, 'shape': (100000000000000,), }",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (99999999999999999999999,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (4,), }",
        "[" * 5000,
    ],
)
def test_a_cache_whose_header_is_no_header_is_refused(header: str, name: str, tmp_path: Path) -> None:
    _cache.cached(tmp_path / "a", samples(), [0] * 4, SHAPE, "")
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(100)
    (tmp_path / "a" / name).write_bytes(content)
    with pytest.raises(FileFormatError, match="is damaged .*Remedy: delete it"):
        _cache.cached(tmp_path / "a", refuse(), [0] * 4, SHAPE, "")


def test_a_damaged_cache_names_the_remedy(tmp_path: Path) -> None:
    _cache.cached(tmp_path / "a", samples(), [0] * 4, SHAPE, "")
    with pytest.raises(FileFormatError, match="is not of these samples. Remedy: delete it"):
        _cache.cached(tmp_path / "a", refuse(), [1] * 4, SHAPE, "")
    for content in (b"", b"\x93NUMPY", (tmp_path / "a" / "samples.npy").read_bytes()[:-3]):
        (tmp_path / "a" / "samples.npy").write_bytes(content)
        with pytest.raises(FileFormatError, match="is damaged .*Remedy: delete it"):
            _cache.cached(tmp_path / "a", refuse(), [0] * 4, SHAPE, "")


def test_a_cache_that_cannot_be_written_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"cannot write the cache .*Remedy: set data.cache"):
        _cache.cached(tmp_path / "file" / "a", samples(), [0] * 4, SHAPE, "")


def test_the_digest_follows_files_and_parameters(tmp_path: Path) -> None:
    files = [tmp_path / "x" / name for name in ("1.bin", "2.bin")]
    files[0].parent.mkdir()
    for file in files:
        file.write_bytes(b"1234")
        os.utime(file, (1, 1))
    digest = _cache.digest(files, 3)
    assert digest == _cache.digest(files, 3)
    assert len({digest, _cache.digest(files, 4), _cache.digest(files[:1], 3), _cache.digest(files[::-1], 3)}) == 4
    os.utime(files[0], (2, 2))
    assert digest != _cache.digest(files, 3)
    os.utime(files[0], (1, 1))
    files[0].parent.rename(tmp_path / "y")
    assert digest != _cache.digest([tmp_path / "y" / file.name for file in files], 3)
    (tmp_path / "y").rename(tmp_path / "x")
    assert digest == _cache.digest(files, 3)


def test_the_folder_is_the_configuration_s_or_the_user_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert _cache.cache_folder("~/mine") == tmp_path / "mine"
    assert _cache.cache_folder(None) == tmp_path / ".cache" / "lava-qsnn"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert _cache.cache_folder(None) == tmp_path / "xdg" / "lava-qsnn"


def test_recordings_are_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = make(part(write(tmp_path))).test_arrays()
    with monkeypatch.context() as patch:
        patch.setattr(_audio, "encode", refuse)
        assert np.array_equal(make(part(tmp_path)).test_arrays()[0], first)
    assert make(part(tmp_path, timesteps=30)).test_arrays()[0].shape == (100, 80, 30)


def test_a_shift_moves_samples_each_its_own_way_and_brings_in_zeros() -> None:
    x = torch.randint(1, 255, (64, 2, 7, 6, 3), dtype=torch.uint8)
    y = _augment.shift(x, np.random.default_rng(0), (2, 3), (2, 1))
    assert (y.shape, y.dtype) == (x.shape, torch.uint8)
    ways = set()
    for before, after in zip(x, y):
        fits = []
        for way in ((a, b) for a in range(-2, 3) for b in range(-1, 2)):
            moved = torch.zeros_like(before)
            (to_a, from_a), (to_b, from_b) = (
                (slice(max(0, by), length + min(0, by)), slice(max(0, -by), length + min(0, -by)))
                for by, length in zip(way, (7, 6))
            )
            moved[:, to_a, to_b] = before[:, from_a, from_b]
            fits += [way] if torch.equal(moved, after) else []
        assert len(fits) == 1
        ways.update(fits)
    assert len(ways) > 10


def test_a_flip_turns_some_samples_round() -> None:
    x = torch.arange(60 * 4, dtype=torch.uint8).reshape(60, 4)
    y = _augment.flip(x, np.random.default_rng(0), 1)
    turned = [torch.equal(after, before.flip(0)) for before, after in zip(x, y)]
    assert all(torch.equal(after, before) for before, after, other in zip(x, y, turned) if not other)
    assert 15 < sum(turned) < 45


def test_a_mask_silences_a_few_neighbours() -> None:
    y = _augment.mask(torch.ones(200, 2, 10, 3, dtype=torch.uint8), np.random.default_rng(0), 2, 4)
    silent = (y == 0).all(dim=(1)).all(dim=-1)
    assert torch.equal(silent[:, None, :, None].expand_as(y), y == 0)
    widths = silent.sum(1)
    assert set(widths.tolist()) == {0, 1, 2, 3, 4}
    assert (silent.int().diff(dim=1).abs().sum(1) <= 2).all()
    assert silent.any(0).all()


def test_augmentation_follows_seed_epoch_and_samples_alone(tmp_path: Path) -> None:
    write(tmp_path)

    def batch(seed: int, epoch: int, augment: bool = True) -> torch.Tensor:
        module = make(part(tmp_path, augment=augment), seed)
        module.setup()
        loader = module.train_dataloader()
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        everything = torch.cat([x for x, _ in loader])
        assert everything.shape == (48, 80, 20)
        return everything

    assert torch.equal(batch(1, 2), batch(1, 2))
    assert not torch.equal(batch(1, 2), batch(1, 3))
    assert not torch.equal(batch(1, 2), batch(2, 2))
    assert not torch.equal(batch(1, 2), batch(1, 2, augment=False))


def test_an_augmented_training_resumes_as_if_it_never_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class InterruptionError(Exception):
        pass

    def interrupt(self: Classifier) -> None:
        if self.current_epoch == 1:
            raise InterruptionError

    samples = part(write(tmp_path / "recordings").parent, augment=True)
    config = Config(data=samples, model=Model(hidden=(8,)), trainer=Trainer(max_epochs=2))
    whole = train(config, tmp_path / "whole", progress=False)
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "on_train_epoch_start", interrupt)
        with pytest.raises(InterruptionError):
            train(config, tmp_path / "run", progress=False)
    elsewhere = override(config, {"data.cache": str(tmp_path / "elsewhere")})
    resumed = train(elsewhere, tmp_path / "run", resume=tmp_path / "run" / "last.ckpt", progress=False)
    first, second = (read_checkpoint(result.last)[1] for result in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_only_training_samples_are_augmented(tmp_path: Path) -> None:
    write(tmp_path)
    plain, changed = (make(part(tmp_path, augment=augment)) for augment in (False, True))
    for module in (plain, changed):
        module.setup()
    for loaders in zip(
        (plain.val_dataloader(), plain.test_dataloader()), (changed.val_dataloader(), changed.test_dataloader())
    ):
        for (x, _), (y, _) in zip(*loaders):
            assert torch.equal(x, y)


def test_a_set_without_augmentation_says_so() -> None:
    with pytest.raises(ConfigurationError, match="'digits' has no augmentation. Remedy: set data.augment to false"):
        make(Data(augment=True))
