"""Data modules: images, events and spoken words as integers, T time steps each.

A data module is a LightningDataModule with `properties` and `test_arrays`. Its loaders give batches (x, y): x float32
integers from 0 to 2^input_bits - 1, of shape (N, C, T), or (N, C, H, W, T) with `flatten: false`; y int64 (N,).

Samples stay uint8 in memory, or in a file that is mapped into it; a batch is one indexing operation, and the time axis
of still images a view. The order of the training samples, and what augmentation does to them, depend on the seed and
the epoch alone, so that a resumed training goes on as an uninterrupted one.
"""

from lava_qsnn.checked import unknown_choice
from lava_qsnn.extras import extra
from lava_qsnn.train.config import Data
from lava_qsnn.train.description import Description, Properties

with extra("train"):
    from lava_qsnn.train.data._arrays import NpzArrays
    from lava_qsnn.train.data._audio import SpokenDigits
    from lava_qsnn.train.data._base import Arrays, Batch, ImageSet, SampleData
    from lava_qsnn.train.data._events import CIFAR10DVS, NMNIST, SHD, DVSGesture
    from lava_qsnn.train.data._folders import EventFolder, ImageFolder, kind_of_folder
    from lava_qsnn.train.data._images import CIFAR10, MNIST, Digits, FashionMNIST
    from lava_qsnn.train.data._imported import ImportedData
    from lava_qsnn.train.data._road import Road
    from lava_qsnn.train.data._streamed import ImageNet

__all__ = [
    "DATA",
    "Arrays",
    "Batch",
    "Description",
    "ImageSet",
    "Properties",
    "SampleData",
    "kind",
    "kind_of_folder",
    "make",
]

#: The table of data sets. A new one is one more row: a LightningDataModule with `properties` and `test_arrays`.
DATA: dict[str, type[SampleData]] = {
    "digits": Digits,
    "mnist": MNIST,
    "fashion_mnist": FashionMNIST,
    "cifar10": CIFAR10,
    "nmnist": NMNIST,
    "dvs_gesture": DVSGesture,
    "cifar10_dvs": CIFAR10DVS,
    "spoken_digits": SpokenDigits,
    "shd": SHD,
    "road": Road,
    "arrays": NpzArrays,
    "images": ImageFolder,
    "events": EventFolder,
    "dataset": ImportedData,
    "imagenet": ImageNet,
}


def make(data: Data, seed: int = 0, known: Description | None = None) -> SampleData:
    """The data module of a configuration; nothing is read yet.

    Args:
        data: the configuration's part.
        seed: of the order of the training samples, and of their augmentation.
        known: what is known of your own data from a training before; by default it is measured.

    Raises:
        ConfigurationError: there is no such data set, it does not hold so many bits, or it has no augmentation.
    """
    return kind(data.name)(data, seed, known)


def kind(name: str) -> type[SampleData]:
    """The data module of a name; ConfigurationError if there is none."""
    if name not in DATA:
        raise unknown_choice("data.name", name, DATA)
    return DATA[name]
