"""Data sets of any size, streamed: shards are read one after the other, and shuffled on the way."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.extras import extra, require
from lava_qsnn.train.data import _cache
from lava_qsnn.train.data._base import Batch, SampleData
from lava_qsnn.train.data._shards import Shard, counted, read

#: Samples, still compressed, among which the next one is drawn: with shards in an order of their own, enough.
SHUFFLED = 2048

#: Samples per batch in validation and test, fewer than where they are small.
EVALUATION_BATCH = 100

#: Endings of images in a shard; the label beside is `cls`, a number as text.
IMAGES = ("jpg", "jpeg", "png", "webp", "ppm")

#: Pixels of the largest image that is decoded.
LARGEST_IMAGE = 2**26


#: An image file, and a source of random numbers in training, to uint8 (3, S, S).
Decoder = Callable[[bytes, np.random.Generator | None], NDArray[np.uint8]]

#: Samples, uint8 (N, 3, S, S), to time steps.
InTime = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Share:
    """The part of a stream that one process reads.

    Args:
        rank, world: of the training processes.
        loader, loaders: of the processes that read for it.
    """

    rank: int
    world: int
    loader: int = 0
    loaders: int = 1

    def of(self, shards: tuple[Shard, ...]) -> tuple[Shard, ...]:
        """Its shards."""
        return shards[self.rank :: self.world][self.loader :: self.loaders]


class ShardStream(IterableDataset[Batch]):
    """Batches of decoded samples, uint8 (N, 3, S, S) as float32 time steps, and labels, int64 (N,).

    In training, each process makes as many batches in an epoch as all others; one whose shards hold fewer samples reads
    some of them again, and what is left over in others is not seen in this epoch. The order depends on the seed, the
    epoch and the number of processes alone. Else each sample comes once, in the order of the shards.

    Args:
        shards: in their own order.
        decode: an image file and a source of random numbers (None: do as in the test) to uint8 (3, S, S).
        in_time: samples to time steps.
        batch_size: samples of a batch.
        classes: labels are 0 to one less.
        place: number of processes, and this one's.
        seed: of the order and of what `decode` draws; None for samples in their own order.
    """

    def __init__(
        self,
        shards: tuple[Shard, ...],
        decode: Decoder,
        in_time: InTime,
        batch_size: int,
        classes: int,
        place: tuple[int, int] = (1, 0),
        seed: int | None = None,
    ) -> None:
        self.shards, self.decode, self.in_time = shards, decode, in_time
        self.batch_size, self.classes, self.seed, self.epoch = batch_size, classes, seed, 0
        self.world, self.rank = place

    def __len__(self) -> int:
        """Batches of this process in an epoch."""
        if self.seed is None:
            samples = sum(shard.samples for shard in Share(self.rank, self.world).of(self.shards))
            return -(-samples // self.batch_size)
        return sum(shard.samples for shard in self.shards) // (self.batch_size * self.world)

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        loader, loaders = (0, 1) if worker is None else (worker.id, worker.num_workers)
        share = Share(self.rank, self.world, loader, loaders)
        if self.seed is None:
            yield from self._batches(self._in_order(share))
            return
        samples = self._shuffled(share)
        for _ in range(len(range(loader, len(self), loaders))):
            yield next(self._batches(samples))

    def _batches(self, samples: Iterator[tuple[NDArray[np.uint8], int]]) -> Iterator[Batch]:
        images: list[NDArray[np.uint8]] = []
        labels: list[int] = []
        for image, label in samples:
            images.append(image)
            labels.append(label)
            if len(images) == self.batch_size:
                yield self._batch(images, labels)
                images, labels = [], []
        if images:
            yield self._batch(images, labels)

    def _batch(self, images: list[NDArray[np.uint8]], labels: list[int]) -> Batch:
        return self.in_time(torch.from_numpy(np.stack(images))), torch.tensor(labels)

    def _in_order(self, share: Share) -> Iterator[tuple[NDArray[np.uint8], int]]:
        for sample in read(share.of(self.shards)):
            yield self._decoded(sample, None)

    def _shuffled(self, share: Share) -> Iterator[tuple[NDArray[np.uint8], int]]:
        """Samples without end: shards in an order that all processes know, samples through a buffer of its own."""
        with extra("train"):
            from webdataset import shuffle

        order = list(self.shards)
        random.Random(f"{self.seed} {self.epoch}").shuffle(order)
        place = [int(self.seed or 0), self.epoch, share.rank, share.loader]
        draws, pool = np.random.default_rng(place), shuffle(SHUFFLED, rng=random.Random(str(place)))
        for sample in pool(_endless(share.of(tuple(order)))):
            yield self._decoded(sample, draws)

    def _decoded(self, sample: dict[str, Any], draws: np.random.Generator | None) -> tuple[NDArray[np.uint8], int]:
        where = f"sample '{sample['__key__']}' of '{sample['__url__']}'"
        content = next((sample[ending] for ending in IMAGES if ending in sample), None)
        label = sample.get("cls", b"").strip()
        if content is None or not label.isdigit() or int(label) >= self.classes:
            raise FileFormatError(
                f"{where} is no image with a label from 0 to {self.classes - 1}",
                remedy=f"write an image ({', '.join(IMAGES)}) and its label, a number as text (cls), for each",
            )
        try:
            return self.decode(content, draws), int(label)
        except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
            raise FileFormatError(f"{where} is damaged ({error})", remedy="fetch the shard again") from None


class _EpochLoader(DataLoader[Any]):
    """Tells the stream which epoch it is, before it is read."""

    def __init__(self, stream: ShardStream, loaders: int, epoch: Callable[[], int]) -> None:
        super().__init__(stream, batch_size=None, num_workers=loaders)
        self.current_epoch = epoch

    def __iter__(self) -> Any:
        assert isinstance(self.dataset, ShardStream)
        self.dataset.epoch = self.current_epoch()
        return super().__iter__()


class ImageNet(SampleData):
    """ImageNet's 1,000 classes, or any others up to these, in tar shards of webdataset's format.

    `folder` holds `*train*.tar` and `*val*.tar`, whose samples are an image and its label: KEY.jpg and KEY.cls. Shards
    of the training's are held out for validation, whole; `*val*.tar` are the test samples. Their numbers of samples are
    in webdataset's indices (.json) if there are such files, or counted once. Nothing but a buffer of compressed samples
    and the batches in work is in memory.

    Training samples are random parts of 8 % to all of an image, half of them turned round, if `data.augment` is set,
    and else as test samples are: the middle square of an image whose shorter side is 8/7 of the size.
    """

    classes = 1000
    encodings = ("levels",)
    sensor = 1024
    default_size = 224
    contents = "shards"
    patterns: ClassVar[tuple[str, str]] = ("*train*.tar", "*val*.tar")

    @property
    def shape(self) -> tuple[int, ...]:
        size = self.data.size or self.default_size
        return (3, size, size)

    def augmentation(self, x: Tensor, random: np.random.Generator) -> Tensor:
        """Done while decoding: it needs more of an image than what is cut out."""
        return x

    def prepare_data(self) -> None:
        """Count what has not been counted; Lightning calls it once per machine."""
        self._find()

    def setup(self, stage: str = "") -> None:
        """Find the shards; no sample is read."""
        training, test = self._find()
        held_out = max(1, round(len(training) * self.data.validation))
        order = np.random.default_rng(self.data.split_seed).permutation(len(training))
        self.parts_of = {
            "train": tuple(training[number] for number in sorted(order[held_out:])),
            "validation": tuple(training[number] for number in sorted(order[:held_out])),
            "test": test,
        }
        world = self._place()[0]
        for name, shards in self.parts_of.items():
            if len(shards) < world:
                raise ConfigurationError(
                    f"there are {len(shards)} shards of {name} samples for {world} processes",
                    remedy="write more and smaller shards, a multiple of the processes, or start fewer",
                )

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled anew each epoch."""
        stream = self.stream("train", self.data.batch_size, self.seed)
        if not len(stream):
            raise ConfigurationError("there are fewer training samples than in a step", remedy="lower data.batch_size")
        return self._stream_loader(stream, lambda: self.trainer.current_epoch if self.trainer else 0)

    def val_dataloader(self) -> DataLoader[Any]:
        return self._stream_loader(self.stream("validation", EVALUATION_BATCH))

    def test_dataloader(self) -> DataLoader[Any]:
        return self._stream_loader(self.stream("test", EVALUATION_BATCH))

    def test_arrays(self, limit: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        self.setup()
        images: list[Tensor] = []
        labels: list[Tensor] = []
        missing = sum(shard.samples for shard in self.parts_of["test"]) if limit is None else limit
        batches = iter(self.stream("test", EVALUATION_BATCH, in_time=_as_it_is))
        while missing > 0 and (batch := next(batches, None)) is not None:
            images.append(batch[0][:missing])
            labels.append(batch[1][:missing])
            missing -= len(labels[-1])
        x = self.in_time(torch.cat(images), torch.int64).numpy()
        x.flags.writeable = False
        return x, torch.cat(labels).numpy()

    def stream(self, part: str, batch_size: int, seed: int | None = None, in_time: InTime | None = None) -> ShardStream:
        """The samples of "train", "validation" or "test", once they are set up; shuffled if there is a seed."""
        shards, place = self.parts_of[part], self._place()
        in_time = in_time or partial(self.in_time, dtype=torch.float32)
        return ShardStream(shards, self._decode, in_time, batch_size, self.classes, place, seed)

    def _stream_loader(self, stream: ShardStream, epoch: Callable[[], int] = lambda: 0) -> DataLoader[Any]:
        loaders = min(self.data.loaders, len(stream.shards) // stream.world)  # each has a shard to read
        return _EpochLoader(stream, loaders, epoch)

    def _decode(self, content: bytes, draws: np.random.Generator | None) -> NDArray[np.uint8]:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP", "PPM")) as image:
            if image.width * image.height > LARGEST_IMAGE:
                raise ValueError(f"it has {image.width} x {image.height} pixels")
            size = self.shape[-1]
            random_part = draws is not None and self.data.augment
            box = _part(image.size, draws) if random_part and draws is not None else _middle(image.size)
            part = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, box)
        pixels = np.asarray(part).transpose(2, 0, 1) >> (8 - self.data.input_bits)
        turned = random_part and draws is not None and draws.random() < 0.5
        return np.ascontiguousarray(pixels[..., ::-1] if turned else pixels)

    def _find(self) -> tuple[tuple[Shard, ...], tuple[Shard, ...]]:
        require("train", "webdataset")
        folder, found = self._folder(), []
        for pattern in self.patterns:
            paths = sorted(folder.glob(pattern))
            if not paths:
                raise ConfigurationError(
                    f"there is no shard {pattern} in the folder '{folder}'",
                    remedy="write shards with webdataset, as docs/how-to/several-devices.md says",
                )
            found.append(counted(paths, folder, _cache.cache_folder(self.data.cache)))
        return found[0], found[1]


def _as_it_is(values: Tensor) -> Tensor:
    return values


def _endless(shards: tuple[Shard, ...]) -> Iterator[dict[str, Any]]:
    """The samples of shards, again and again."""
    while True:
        empty = True
        for sample in read(shards):
            empty = False
            yield sample
        if empty:
            names = ", ".join(str(shard.path) for shard in shards)
            raise FileFormatError(f"there is no sample in {names}", remedy="write the shards, and their index, again")


def _part(size: tuple[int, int], draws: np.random.Generator) -> tuple[float, float, float, float]:
    """A random part of an image, 8 % to all of it, 3:4 to 4:3: left, top, right, bottom."""
    width, height = size
    for _ in range(10):
        area = width * height * draws.uniform(0.08, 1)
        ratio = np.exp(draws.uniform(np.log(3 / 4), np.log(4 / 3)))
        w, h = np.sqrt(area * ratio), np.sqrt(area / ratio)
        if w <= width and h <= height:
            left, top = draws.uniform(0, width - w), draws.uniform(0, height - h)
            return float(left), float(top), float(left + w), float(top + h)
    return _middle(size)


def _middle(size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The middle square whose side is 7/8 of the shorter side."""
    width, height = size
    side = min(size) * 7 / 8
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side
