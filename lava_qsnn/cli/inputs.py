"""Inputs of the command: data as a network takes them, arrays, and changes of configurations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lava_qsnn.cli.arrays import read_array, stored_array
from lava_qsnn.cli.tables import shape_text
from lava_qsnn.cli.terminal import tell, warn, working
from lava_qsnn.errors import ConfigurationError, QsnnError

if TYPE_CHECKING:
    import numpy as np

    from lava_qsnn.cli.options import DataOptions, SampleOptions, WorkerOptions
    from lava_qsnn.integer import IntegerNetwork
    from lava_qsnn.train.config import Data as DataPart
    from lava_qsnn.train.data import SampleData


#: What samples are called that nobody gave.
RANDOM = "random numbers"


@dataclass(frozen=True)
class Chosen:
    """Samples, int (N, *input shape, T), their labels, int (N,), if there are any, and what they are in words."""

    x: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any] | None
    source: str

    @property
    def is_random(self) -> bool:
        """True if nobody gave them."""
        return self.source == RANDOM


def chosen_changes(of: DataOptions, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Collect what the command line changes in a configuration, by key: `--set`, and options that were given."""
    from lava_qsnn.train.config import parse_override

    given = {"data.folder": of.folder and str(of.folder), "data.download": of.download, **(options or {})}
    changes = dict(parse_override(text) for text in of.settings or [])
    return changes | {key: value for key, value in given.items() if value is not None and value is not False}


@contextmanager
def chosen_workers(of: WorkerOptions) -> Iterator[dict[str, Any]]:
    """The arguments of `simulate` and its like that say who computes: processes here, or a cluster's workers."""
    if of.cluster is None:
        yield {"workers": of.workers}
        return
    if of.workers is not None:
        raise ConfigurationError("--workers are of this machine", remedy="leave out --workers, or --cluster")
    from lava_qsnn.tasks import connected

    with connected(of.cluster) as client:
        yield {"client": client}


def predictions_text(network: IntegerNetwork, predicted: np.ndarray[Any, Any], outputs: int) -> str:
    """The predictions of a network in a line: the names of classes, or the numbers of each sample."""
    import netx_export

    if predicted.ndim == 2:
        return "numbers " + "; ".join(" ".join(f"{number:.6g}" for number in row) for row in predicted)
    names = netx_export.class_names(network, outputs)
    return "classes " + " ".join(names[number] for number in predicted)


def is_yaml(text: str) -> bool:
    """True for the path of a YAML file."""
    return Path(text).suffix in (".yaml", ".yml")


def named_data(data: str, recorded: DataPart | None = None) -> dict[str, Any]:
    """The meaning of an option --data: the name of a data set, or the place of data of one's own, which have one, too.

    Args:
        data: a name; the path of an .npz file, or of a folder of images or events; or an import path, "module:name".
        recorded: what a network was trained on, if that is known: a folder holds the same.
    """
    from lava_qsnn.train.config import DATASET

    if Path(data).suffix == ".npz":
        return {"name": "arrays", "source": data}
    if Path(data).is_dir():
        from lava_qsnn.train.data import kind_of_folder

        known = recorded is not None and recorded.name in ("images", "events")
        return {"name": recorded.name if recorded and known else kind_of_folder(Path(data)), "source": data}
    if ":" in data:
        return {"name": DATASET, "source": data}
    if "/" in data or Path(data).suffix:
        raise ConfigurationError(
            f"there is no folder '{data}'", remedy="name a data set, an .npz file, a folder, a YAML file or module:name"
        )
    return {"name": data}


def known_data(network: IntegerNetwork, file: Path, data: str | None, checkpoint: Path | None = None) -> DataPart:
    """Find the data of a network: those that are named, or that it was trained on, as far as known, or digits.

    A checkpoint knows them, or the network's file itself, or a configuration beside it. What the file tells of a data
    set that is named by its name, or by the place of its samples, holds for this, too.
    """
    from lava_qsnn.train.config import Data as DataPart
    from lava_qsnn.train.config import load_config, own_code_apart, shipped
    from lava_qsnn.train.provenance import recorded_data

    recorded = recorded_data(network.metadata)
    if recorded is not None and recorded.name == data:
        return recorded
    if data is not None and (data in shipped() or is_yaml(data)):
        return load_config(data).data
    if data is not None:
        changes = named_data(data, recorded)
        base = recorded if recorded is not None and recorded.name == changes["name"] else DataPart()
        return replace(base, **changes)
    if checkpoint is not None:
        from lava_qsnn.train.checkpoint import read_checkpoint

        return own_code_apart(read_checkpoint(checkpoint)[0].data)
    if recorded is None:
        return _beside(file) or DataPart()
    with suppress(ConfigurationError):
        beside = _beside(file)
        if beside is not None and beside.name == recorded.name:
            return replace(recorded, source=beside.source, folder=beside.folder, cache=beside.cache)
    return recorded


def _beside(file: Path) -> DataPart | None:
    """The data of the configuration in the folder of a network, where its training has put it."""
    from lava_qsnn.train.config import load_config, own_code_apart

    beside = file.parent / "config.yaml"
    if not beside.is_file():
        return None
    try:
        return own_code_apart(load_config(beside).data)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"'{beside}', beside the network, is no configuration: {error.problem}", remedy="name one with --data"
        ) from None


def fitting_data(network: IntegerNetwork, part: DataPart, changes: dict[str, Any]) -> DataPart:
    """The data as a network takes them, with changes by key.

    Raises:
        ConfigurationError: a key is none of the data, or the network was trained on these data in another encoding.
    """
    from lava_qsnn.train.config import Config, override
    from lava_qsnn.train.data import kind
    from lava_qsnn.train.encodings import ENCODINGS
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
    spikes = ENCODINGS[part.encoding].spikes  # of values with bits of their own
    fitting = replace(
        part,
        timesteps=network.timesteps,
        input_bits=min(part.input_bits, kind(part.name).most_bits) if spikes else min(8, network.input.bits),
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
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]:
    """Test samples, int64 (N, *input shape, T), and their labels, (N,) or (N, numbers); None where there are none."""
    x, labels = _source(network, part).test_arrays(samples)
    return x, known_labels(labels)


def known_labels(labels: np.ndarray[Any, Any] | None) -> np.ndarray[Any, Any] | None:
    """Labels, or None where there are none: own data without targets have -1, or NaN, for each."""
    import numpy as np

    if labels is None:
        return None
    lacking = (labels < 0).any() if labels.dtype.kind == "i" else np.isnan(labels).any()
    return None if lacking else labels


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
    from lava_qsnn.train.provenance import recorded_data, recorded_description

    recorded = recorded_data(network.metadata)
    same = recorded is not None and recorded.name == part.name
    source = make(part, known=recorded_description(network.metadata) if same else None)
    if source.properties.input_shape != network.input.shape:
        raise ConfigurationError(
            f"the network takes {shape_text(network.input.shape)} inputs, '{part.name}' has "
            f"{shape_text(source.properties.input_shape)}",
            remedy="name the data set it was trained on with --data, change it by --set, or give an array with --input",
        )
    return source


def score(network: IntegerNetwork, predicted: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> str:
    """The quality of predictions: the accuracy of classes, or the mean squared error of numbers, in their units."""
    import netx_export

    if not netx_export.tells_numbers(network):
        return f"accuracy {(predicted == labels).mean():.2%}"
    error = ((predicted - labels) ** 2).mean()
    return f"mean squared error {error:.4g} (root {error**0.5:.4g})"


class Predictions:
    """The classes or numbers that answers tell, see netx_export.predictions.

    Args:
        network: whose answers they are.
        answers: (n, *output shape, T), parts of them, gone through once.

    Attributes:
        predicted: (N,) or (N, numbers).
        count: of the neurons.
    """

    def __init__(self, network: IntegerNetwork, answers: Iterable[np.ndarray[Any, Any]]) -> None:
        import numpy as np

        import netx_export

        told = [(netx_export.predictions(network, part), math.prod(part.shape[1:-1])) for part in answers]
        self.predicted = np.concatenate([predicted for predicted, _ in told])
        self.count = told[0][1]


def own_samples(
    file: Path, of: DataOptions, samples: int, checkpoint: Path | None = None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], str] | None:
    """Samples that come with a network of the zoo, their labels and the name of their data, where nothing is said."""
    from netx_export import zoo

    name = zoo.name_of(file)
    said = of.data is not None or checkpoint is not None or chosen_changes(of)
    if name is None or said or zoo.record(name).samples is None:
        return None
    x, labels = (each[:samples] for each in zoo.samples(name))
    return x, labels, zoo.record(name).measured.data


def given_samples(
    network: IntegerNetwork,
    file: Path,
    of: DataOptions,
    samples: int,
    at_once: bool,
    checkpoint: Path | None = None,
    is_told: bool = True,
) -> tuple[Any, int, Callable[[], Any], str]:
    """Test samples as `to_run`, and the name of their data.

    They are of the data that are named, or that the network was trained on; where nothing is said of them, a network of
    the zoo has samples of its own.
    """
    if (own := own_samples(file, of, samples, checkpoint)) is not None:
        x, labels, name = own
        if is_told:
            tell(f"{len(x)} samples that come with zoo:{file.stem}; --folder, or --data, names the whole data set")
        return x, len(x), lambda: labels, name
    with working("reading samples"):  # what data sets import takes seconds
        part = fitting_data(network, known_data(network, file, of.data, checkpoint), chosen_changes(of))
        return *to_run(network, part, None, samples, at_once), part.name


def validation_samples(data: SampleData) -> np.ndarray[Any, Any]:
    """A batch of what training held out for its validation, int64 (N, *input shape, T)."""
    data.prepare_data()
    data.setup()
    x, _ = next(iter(data.val_dataloader()))
    return x.long().numpy()


def read_network(file: Path, array: Path | None, told: dict[str, Any]) -> IntegerNetwork:
    """The network of a file; of a stock file what the command line says, or else what the array of samples tells."""
    import netx_export

    if told or array is None:
        return netx_export.load(file, **told)
    return netx_export.opened(file, read_array(array))


def restored(checkpoint: Path) -> Any:
    """The torch network of a checkpoint."""
    with working("importing torch and Lightning"):
        from lava_qsnn.train.module import restore

    return restore(checkpoint).network


def chosen_samples(
    network: IntegerNetwork, file: Path, of: SampleOptions, samples: int, checkpoint: Path | None = None
) -> Chosen:
    """The samples that the command line names: an array, known data, or else random numbers.

    Data that nobody named, but the file knows, are a wish: where they cannot be had, a warning says why.
    """
    if of.array is not None:
        return Chosen(read_array(of.array)[:samples], None, f"'{of.array}'")
    if of.random:
        return _random(network, samples)
    if of.data is not None or checkpoint is not None:
        return _known(network, file, of, samples, checkpoint)
    if "data" not in network.metadata and not (file.parent / "config.yaml").is_file():
        return _random(network, samples)
    try:
        return _known(network, file, of, samples, None)
    except (QsnnError, OSError) as error:
        warn(f"the data that it was trained on cannot be had, and random numbers are taken: {error}")
        return _random(network, samples)


def _known(network: IntegerNetwork, file: Path, of: DataOptions, samples: int, checkpoint: Path | None) -> Chosen:
    x, _, labels, name = given_samples(network, file, of, samples, True, checkpoint)
    return Chosen(x, labels(), name)


def _random(network: IntegerNetwork, samples: int) -> Chosen:
    import netx_export

    return Chosen(netx_export.random_samples(network, samples), None, RANDOM)
