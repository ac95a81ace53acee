"""Inputs of the command: data as a network takes them, arrays, and changes of configurations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lava_qsnn.cli.tables import shape_text
from lava_qsnn.cli.terminal import tell, warn
from lava_qsnn.errors import ConfigurationError, InputError
from lava_qsnn.tasks import connected

if TYPE_CHECKING:
    import numpy as np

    from lava_qsnn.integer import IntegerNetwork
    from lava_qsnn.train.config import Data as DataPart
    from lava_qsnn.train.data import SampleData


def chosen_changes(
    settings: list[str] | None, folder: Path | None, download: bool, options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Collect what the command line changes in a configuration, by key: `--set`, and options that were given."""
    from lava_qsnn.train.config import parse_override

    given = {"data.folder": folder and str(folder), "data.download": download, **(options or {})}
    changes = dict(parse_override(text) for text in settings or [])
    return changes | {key: value for key, value in given.items() if value is not None and value is not False}


@contextmanager
def chosen_workers(workers: int | None, cluster: str | None) -> Iterator[dict[str, Any]]:
    """The arguments of `simulate` and its like that say who computes: processes here, or a cluster's workers."""
    if cluster is None:
        yield {"workers": workers}
        return
    if workers is not None:
        raise ConfigurationError("--workers are of this machine", remedy="leave out --workers, or --cluster")
    with connected(cluster) as client:
        yield {"client": client}


def read_array(path: Path) -> np.ndarray[Any, Any]:
    """The array of an .npy file."""
    import numpy as np

    return np.asarray(stored_array(path))


def stored_array(path: Path) -> Any:
    """The array of an .npy file, as a memory map, or a data set of an HDF5 file: its only one, or FILE.h5:NAME.

    Raises:
        InputError: the file holds no array of numbers, or several and none is named.
    """
    import numpy as np

    file, _, name = str(path).partition(":")
    try:
        if Path(file).suffix in (".h5", ".hdf5"):
            return _data_set(file, name)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, KeyError) as error:
        raise InputError(f"'{path}' is no array of numbers ({error})", remedy="write it with numpy.save") from None
    if not isinstance(array, np.ndarray):
        raise InputError(f"'{path}' is no single array", remedy="write it with numpy.save")
    return array


def _data_set(file: str, name: str) -> Any:
    import h5py  # takes a while

    opened = h5py.File(file, "r")
    found = [opened[name]] if name else [each for each in opened.values() if isinstance(each, h5py.Dataset)]
    if len(found) != 1 or not isinstance(found[0], h5py.Dataset):
        raise InputError(f"'{file}' does not say which of its arrays is meant", remedy=f"write {file}:NAME")
    return found[0]


def class_names(network: IntegerNetwork, count: int) -> list[str]:
    """The names of so many classes from a network's metadata; their numbers if these tell others or none."""
    told = network.metadata.get("classes")
    if isinstance(told, list) and len(told) == count and all(isinstance(name, str) for name in told):
        return told
    return [str(number) for number in range(count)]


def known_data(network: IntegerNetwork, file: Path, data: str | None, checkpoint: Path | None = None) -> DataPart:
    """Find the data of a network: those that are named, or that it was trained on, as far as known, or digits.

    A checkpoint knows them, or the network's file itself, or a configuration beside it. What the file tells of a data
    set that is named by its name alone holds for this, too.
    """
    from lava_qsnn.train.config import Data as DataPart
    from lava_qsnn.train.config import load_config, shipped
    from lava_qsnn.train.provenance import recorded_data

    recorded = recorded_data(network.metadata)
    if data is not None and recorded is not None and recorded.name == data:
        return recorded
    if data is not None:
        is_configuration = data in shipped() or Path(data).suffix in (".yaml", ".yml")
        return load_config(data).data if is_configuration else DataPart(name=data)
    if checkpoint is not None:
        from lava_qsnn.train.checkpoint import read_checkpoint

        return read_checkpoint(checkpoint)[0].data
    if recorded is None:
        return _beside(file) or DataPart()
    with suppress(ConfigurationError):
        beside = _beside(file)
        if beside is not None and beside.name == recorded.name:
            return replace(recorded, folder=beside.folder, cache=beside.cache)
    return recorded


def _beside(file: Path) -> DataPart | None:
    """The data of the configuration in the folder of a network, where its training has put it."""
    from lava_qsnn.train.config import load_config

    beside = file.parent / "config.yaml"
    if not beside.is_file():
        return None
    try:
        return load_config(beside).data
    except ConfigurationError as error:
        raise ConfigurationError(
            f"'{beside}', beside the network, is no configuration: {error.problem}", remedy="name one with --data"
        ) from None


def reading(input_shape: str | None, timesteps: int | None, message_bits: int | None) -> dict[str, Any]:
    """Options of `netx_export.load`, from what the command line says about a stock file."""
    try:
        shape = None if input_shape is None else tuple(int(part) for part in input_shape.split(","))
    except ValueError:
        raise ConfigurationError(
            f"'{input_shape}' is no shape", remedy="write for example --input-shape 2,34,34"
        ) from None
    told = {"input_shape": shape, "timesteps": timesteps, "input_message_bits": message_bits}
    return {name: value for name, value in told.items() if value is not None}


def fitting_data(network: IntegerNetwork, part: DataPart, changes: dict[str, Any]) -> DataPart:
    """The data as a network takes them, with changes by key.

    Raises:
        ConfigurationError: a key is none of the data, or the network was trained on these data in another encoding.
    """
    from lava_qsnn.train.config import Config, override
    from lava_qsnn.train.provenance import other_data, recorded_data, refuse_other_encoding

    if network.is_endless:
        raise ConfigurationError(
            "the file does not say how many time steps a sample has", remedy="say it with --timesteps"
        )
    for key in changes:
        if not key.startswith("data."):
            raise ConfigurationError(
                f"'{key}' is no key of the data, and only they are free here", remedy="write for example data.size=16"
            )
    fitting = replace(
        part,
        timesteps=network.timesteps,
        input_bits=min(8, network.input.bits),
        flatten=len(network.input.shape) == 1,
        augment=False,
    )
    chosen, recorded = override(Config(data=fitting), changes).data, recorded_data(network.metadata)
    refuse_other_encoding(recorded, chosen)
    if (text := other_data(recorded, chosen)) is not None:
        warn(text)
    return chosen


def test_samples(
    network: IntegerNetwork, part: DataPart, samples: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Test samples, int64 (N, *input shape, T), and their labels, int64 (N,)."""
    return _source(network, part).test_arrays(samples)


class LabelledBatches:
    """Test samples in batches, each made when it is asked for; the labels of those that were are kept.

    Args:
        source: of the samples, as the network takes them.
        samples: the first so many, or as many as there are.
    """

    def __init__(self, source: SampleData, samples: int) -> None:
        self.source, self.samples = source, source.test_count(samples)
        self.labels: list[np.ndarray[Any, Any]] = []

    def __iter__(self) -> Iterator[np.ndarray[Any, Any]]:
        for x, labels in self.source.test_batches(self.samples):
            self.labels.append(labels)
            yield x


def to_run(
    network: IntegerNetwork, part: DataPart | None, array: Path | None, samples: int, at_once: bool
) -> tuple[Any, int, Callable[[], Any]]:
    """Samples as `simulate` takes them, their number, and a function that gives their labels after the run.

    Args:
        network: the network.
        part: of a configuration, the data set; None for the file of an array.
        array: that file.
        samples: of the data set, the first so many.
        at_once: give test samples as one array, for workers, and not in batches.
    """
    import numpy as np

    if part is None:
        stored = stored_array(array or Path())
        return stored, stored.shape[0], lambda: None
    if at_once:
        x, labels = test_samples(network, part, samples)
        return x, len(x), lambda: labels
    batches = LabelledBatches(_source(network, part), samples)
    return batches, batches.samples, lambda: np.concatenate(batches.labels)


def _source(network: IntegerNetwork, part: DataPart) -> SampleData:
    """The data set, if its samples have the shape of the network's input."""
    from lava_qsnn.train.data import make

    source = make(part)
    if source.properties.input_shape != network.input.shape:
        raise ConfigurationError(
            f"the network takes {shape_text(network.input.shape)} inputs, '{part.name}' has "
            f"{shape_text(source.properties.input_shape)}",
            remedy="name the data set it was trained on with --data, change it by --set, or give an array with --input",
        )
    return source


class Classes:
    """The classes that answers tell: of the neuron with the largest sum over time.

    Args:
        answers: (n, *output shape, T), parts of them, gone through once.

    Attributes:
        predicted: int64 (N,).
        count: of the neurons.
    """

    def __init__(self, answers: Iterable[np.ndarray[Any, Any]]) -> None:
        import numpy as np

        sums = (part.reshape(len(part), -1, part.shape[-1]).sum(-1) for part in answers)
        told = [(each.argmax(1), each.shape[1]) for each in sums]
        self.predicted = np.concatenate([classes for classes, _ in told])
        self.count = told[0][1]


def in_parts(stored: Any, size: int = 1000) -> Iterator[np.ndarray[Any, Any]]:
    """A stored array in parts of so many samples."""
    import numpy as np

    return (np.asarray(stored[start : start + size]) for start in range(0, stored.shape[0], size))


def own_samples(
    file: Path, data: str | None, changes: dict[str, Any], samples: int, checkpoint: Path | None = None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], str] | None:
    """Samples that come with a network of the zoo, their labels, and the name of their data; only if nothing is said."""
    from netx_export import zoo

    name = zoo.name_of(file)
    if name is None or data is not None or checkpoint is not None or changes or zoo.record(name).samples is None:
        return None
    x, labels = (each[:samples] for each in zoo.samples(name))
    tell(f"{len(x)} samples that come with zoo:{name}; --folder, or --data, names the whole data set")
    return x, labels, zoo.record(name).measured.data


def labelled_samples(
    network: IntegerNetwork,
    file: Path,
    data: str | None,
    changes: dict[str, Any],
    samples: int,
    checkpoint: Path | None = None,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], str]:
    """Test samples as `test_samples`, their labels, and the name of their data.

    They are of the data that are named, or that the network was trained on; where nothing is said of them, a network of
    the zoo has samples of its own.
    """
    if (own := own_samples(file, data, changes, samples, checkpoint)) is not None:
        return own
    part = fitting_data(network, known_data(network, file, data, checkpoint), changes)
    return *test_samples(network, part, samples), part.name


def given_samples(
    network: IntegerNetwork,
    file: Path,
    data: str | None,
    array: Path | None,
    changes: dict[str, Any],
    samples: int,
    at_once: bool,
    checkpoint: Path | None = None,
) -> tuple[Any, int, Callable[[], Any], str | None]:
    """Samples as `to_run`: of an array, or as `labelled_samples`; and the name of their data, None of an array's."""
    if array is not None:
        return *to_run(network, None, array, samples, at_once), None
    if (own := own_samples(file, data, changes, samples, checkpoint)) is not None:
        x, labels, name = own
        return x, len(x), lambda: labels, name
    part = fitting_data(network, known_data(network, file, data, checkpoint), changes)
    return *to_run(network, part, None, samples, at_once), part.name


def validation_samples(data: SampleData) -> np.ndarray[Any, Any]:
    """A batch of what training held out for its validation, int64 (N, *input shape, T)."""
    data.prepare_data()
    data.setup()
    x, _ = next(iter(data.val_dataloader()))
    return x.long().numpy()
