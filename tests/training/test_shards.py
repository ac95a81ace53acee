"""Streamed shards: every sample where it belongs, the same on every start, in memory only while it is needed."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import netx_export
from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.train.config import Data, load_config, override
from lava_qsnn.train.data import _streamed, make
from lava_qsnn.train.data._streamed import ImageNet, ShardStream
from lava_qsnn.train.module import restore
from lava_qsnn.train.train import train

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "several-devices.md"
SIDE, CLASSES = 40, 4


def picture(label: int, number: int) -> Image.Image:
    """Stripes whose direction and width are the class's, and noise; a pixel of its own for each number."""
    noise = np.random.default_rng(number).integers(0, 60, (SIDE, SIDE + 4, 3))
    ramp = np.indices((SIDE, SIDE + 4))[label % 2] // (2 + 4 * (label // 2)) % 2
    return Image.fromarray((ramp[..., None] * 180 + noise).astype(np.uint8))


def shard(path: Path, numbers: range, ending: str = "png") -> None:
    with tarfile.open(path, "w") as file:
        for number in numbers:
            content = io.BytesIO()
            picture(number % CLASSES, number).save(content, "PNG" if ending == "png" else "JPEG")
            for name, data in ((ending, content.getvalue()), ("cls", str(number % CLASSES).encode())):
                info = tarfile.TarInfo(f"{number:06d}.{name}")
                info.size = len(data)
                file.addfile(info, io.BytesIO(data))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six training shards of 20 samples, one of 24, and two test shards of 15."""
    root = tmp_path_factory.mktemp("shards")
    for number in range(7):
        last = 144 if number == 6 else 20 * number + 20
        shard(root / f"x-train-{number:04d}.tar", range(20 * number, last), "jpg" if number == 3 else "png")
    for number in range(2):
        shard(root / f"x-val-{number:04d}.tar", range(1000 + 15 * number, 1015 + 15 * number))
    return root


def module(folder: Path, place: tuple[int, int] = (1, 0), **options: Any) -> ImageNet:
    given: dict[str, Any] = {"size": 16, "flatten": False, "batch_size": 8, "input_bits": 4, "timesteps": 2}
    chosen = given | {"folder": str(folder), "cache": str(folder / "cache")} | options
    made = make(Data(name="imagenet", **chosen), 3)
    assert isinstance(made, ImageNet)
    made._place = lambda: place  # type: ignore[method-assign]
    made.setup()
    return made


def labels_of(stream: ShardStream) -> list[int]:
    return [int(label) for _, y in stream for label in y]


def test_batches_are_integers_in_time(folder: Path) -> None:
    x, y = next(iter(module(folder).train_dataloader()))
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((8, 3, 16, 16, 2), torch.float32, (8,), torch.int64)
    assert (x == x.round()).all()
    assert 0 <= x.min() < x.max() <= 15
    assert torch.equal(x[..., 0], x[..., 1])
    assert module(folder, flatten=True).properties.input_shape == (768,)
    assert next(iter(module(folder, flatten=True).val_dataloader()))[0].shape[1:] == (768, 2)


def test_evaluation_sees_every_sample_once(folder: Path) -> None:
    for part, world in (("test", 1), ("test", 2), ("validation", 1), ("validation", 2)):
        streams = [module(folder, (world, rank), validation=0.5).stream(part, 7) for rank in range(world)]
        samples = sum(each.samples for each in streams[0].shards)
        assert sum(len(labels_of(stream)) for stream in streams) == samples
        assert [len(list(stream)) for stream in streams] == [len(stream) for stream in streams]
    x, y = module(folder).test_arrays()
    assert (x.shape, x.dtype, y.dtype) == ((30, 3, 16, 16, 2), np.int64, np.int64)
    assert y.tolist() == [number % CLASSES for number in range(1000, 1030)]
    few, _ = module(folder).test_arrays(5)
    assert np.array_equal(few, x[:5])
    assert len({image.tobytes() for image in x}) == 30


def test_held_out_shards_are_whole_and_chosen_by_the_split_seed(folder: Path) -> None:
    first, again, other = (module(folder, split_seed=seed, validation=0.3).parts_of for seed in (0, 0, 1))
    assert first == again != other
    assert not set(first["train"]) & set(first["validation"])
    assert len(first["train"] + first["validation"]) == 7
    assert len(first["validation"]) == 2


@pytest.mark.parametrize("world", [1, 2])
def test_all_processes_make_as_many_steps(world: int, folder: Path) -> None:
    streams = [module(folder, (world, rank), validation=0.5).stream("train", 8, seed=3) for rank in range(world)]
    seen = [labels_of(stream) for stream in streams]
    steps = sum(each.samples for each in streams[0].shards) // (8 * world)
    assert {len(labels) for labels in seen} == {8 * steps}
    assert {len(stream) for stream in streams} == {steps}
    assert Counter(label for labels in seen for label in labels).keys() == set(range(CLASSES))


def test_an_epoch_repeats_itself_and_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_streamed, "SHUFFLED", 30)

    def epoch(number: int, seed: int = 3, augment: bool = True, batches: int = 4) -> torch.Tensor:
        stream = module(folder, augment=augment).stream("train", 8, seed)
        stream.epoch = number
        return torch.cat([x for x, _ in zip((batch[0] for batch in stream), range(batches))])

    assert torch.equal(epoch(1), epoch(1)), "a resumed training sees what an uninterrupted one does"
    assert not torch.equal(epoch(1), epoch(2))
    assert not torch.equal(epoch(1), epoch(1, seed=4))
    assert not torch.equal(epoch(1), epoch(1, augment=False))
    once = {image.numpy().tobytes() for image in epoch(1, augment=False, batches=14)}
    assert len(once) > 80, "most samples come once in an epoch"


def test_loading_beside_the_training_makes_the_same_batches_in_any_number(folder: Path) -> None:
    one, two = (module(folder, loaders=loaders).train_dataloader() for loaders in (0, 2))
    first, second = ([y.tolist() for _, y in loader] for loader in (one, two))
    assert len(first) == len(second) == len(one) == len(two)
    assert [y.tolist() for _, y in module(folder, loaders=2).train_dataloader()] == second


def test_the_middle_is_what_evaluation_sees(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 36, 3)).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    found = module(folder, size=28, input_bits=5)._decode(content.getvalue(), None)
    assert np.array_equal(found, pixels[2:30, 4:32].transpose(2, 0, 1) >> 3), "7/8 of the shorter side"
    assert _streamed._middle((44, 40)) == (4.5, 2.5, 39.5, 37.5)
    draws = np.random.default_rng(0)
    for _ in range(200):
        left, top, right, bottom = _streamed._part((44, 40), draws)
        assert 0 <= left < right <= 44
        assert 0 <= top < bottom <= 40
        assert (right - left) * (bottom - top) >= 0.08 * 44 * 40 - 1e-6


def test_counts_come_from_an_index_or_are_kept(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[Path] = []
    from lava_qsnn.train.data import _shards

    true = _shards._count

    def count(path: Path) -> int:
        counted.append(path)
        return true(path)

    monkeypatch.setattr(_shards, "_count", count)
    fresh = str(tmp_path / "cache")
    for _ in range(2):
        module(folder, cache=fresh)
        assert len(counted) == 9
    entries = [{"url": f"x-train-{number:04d}.tar", "nsamples": 20 + 4 * (number == 6)} for number in range(7)]
    (folder / "index.json").write_text(json.dumps({"wids_version": 1, "shardlist": entries}))
    (folder / "other.json").write_text("[]")
    try:
        parts = module(folder, cache=str(tmp_path / "another")).parts_of
    finally:
        (folder / "index.json").unlink()
    assert len(counted) == 11, "the test shards alone"
    assert sum(each.samples for each in parts["train"] + parts["validation"]) == 144


def test_what_is_wrong_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no shard \*train\*.tar in the folder"):
        module(tmp_path)
    with pytest.raises(ConfigurationError, match="there are 2 shards of test samples for 3 processes"):
        module(folder, (3, 0), validation=0.5)
    with pytest.raises(ConfigurationError, match="fewer training samples than in a step"):
        module(folder, batch_size=4096).train_dataloader()
    for name, content in (("train", b"no tar file"), ("val", b"")):
        (tmp_path / f"{name}.tar").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"train.tar' is no tar file, or damaged .*Remedy: fetch it again"):
        module(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("png", b"no image", r"sample '000000' of '.*x-val.tar' is damaged"),
        ("png", b"\x89PNG\r\n\x1a\n", "is damaged"),
        ("cls", b"1000", "is no image with a label from 0 to 999"),
        ("cls", b"cat", "is no image with a label"),
        ("pyd", b"\x80\x04.", None),  # what webdataset's own decoders would execute is left alone
    ],
)
def test_damaged_samples_are_refused(name: str, content: bytes, text: str | None, folder: Path, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"train-{number}.tar").write_bytes((folder / "x-train-0000.tar").read_bytes())
    image = io.BytesIO()
    picture(0, 0).save(image, "PNG")
    files = {"png": image.getvalue(), "cls": b"1", name: content}
    with tarfile.open(tmp_path / "x-val.tar", "w") as file:
        for ending, data in files.items():
            info = tarfile.TarInfo(f"000000.{ending}")
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    made = module(tmp_path)
    if text is None:
        assert made.test_arrays()[1].tolist() == [1]
        return
    with pytest.raises(FileFormatError, match=text):
        made.test_arrays()


def test_an_index_that_lies_does_not_hang(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "train-0.tar", "w"):
        pass
    for name in ("train-1", "val-0"):
        (tmp_path / f"{name}.tar").write_bytes((folder / "x-train-0000.tar").read_bytes())
    entries = [{"url": f"{name}.tar", "nsamples": 20} for name in ("train-0", "train-1", "val-0")]
    (tmp_path / "index.json").write_text(json.dumps({"shardlist": entries}))
    found = [module(tmp_path, split_seed=seed) for seed in range(8)]
    lying = next(made for made in found if made.parts_of["train"][0].path.name == "train-0.tar")
    with pytest.raises(FileFormatError, match="there is no sample in"):
        next(iter(lying.train_dataloader()))


def test_the_page_s_function_writes_what_is_read(tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[0]
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    for number in range(12):
        place = tmp_path / "images" / f"class{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        picture(number % 3, number).save(place / f"{number}.{'PNG' if number % 2 else 'jpg'}")
    (tmp_path / "shards").mkdir()
    for part in ("train-0", "train-1", "val-0"):
        names["write_shards"](tmp_path / "images", str(tmp_path / "shards" / f"{part}-%05d.tar"))
    made = module(tmp_path / "shards")
    x, y = made.test_arrays()
    assert len(x) == 12
    assert sorted(y.tolist()) == sorted(number % 3 for number in range(12))


def test_the_shipped_configuration_trains_small_and_deploys(folder: Path, tmp_path: Path) -> None:
    """All of imagenet.yaml but its sizes: an epoch, a resumed one, an export, and every answer as the reference's."""
    small = {
        "data.folder": str(folder),
        "data.cache": str(tmp_path / "cache"),
        "data.size": 32,
        "data.batch_size": 16,
        "data.loaders": 1,
        "model.channels": [4, 4, 8, 8],
        "model.blocks": [1, 1, 1, 1],
        "trainer.max_epochs": 1,
        "trainer.precision": "32-true",
    }
    config = override(load_config("imagenet"), small)
    result = train(config, tmp_path / "run", progress=False)
    longer = override(config, {"trainer.max_epochs": 2})
    assert train(longer, tmp_path / "run", resume=result.last, progress=False).epochs == 1
    classifier = restore(tmp_path / "run" / "last.ckpt")
    network = netx_export.export(classifier.network, tmp_path / "imagenet.net", (3, 32, 32), 4, input_bits=8)
    x, _ = make(config.data).test_arrays(6)
    assert netx_export.verify(network, x, ["fast", "lava-fused"], net=classifier.network).exact
    spikes = netx_export.simulate_layers(network, x, "fast")["conv1"]
    assert 0 < spikes.mean() < 1
