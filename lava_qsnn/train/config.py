"""Configurations: strict, frozen, plain. A wrong key, type or number is an error that names the key.

A configuration has the parts `data`, `model`, `optimizer` and `trainer`, and a `seed`; see the YAML files in `configs`.
This module imports neither torch nor Lightning, so that a command line can check its arguments at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml

from lava_qsnn import parameters
from lava_qsnn.checked import DEEPEST, Checked, bounded, is_plain, join, plain, read, shown, unknown, unknown_choice
from lava_qsnn.errors import ConfigurationError, choices
from lava_qsnn.train.layers import read_layers

#: The data set whose source is an import path.
DATASET = "dataset"

#: Characters of the longest YAML text.
LONGEST_YAML = 2**15

#: The names of data sets, for whoever asks without torch: the rows of lava_qsnn.train.data.DATA.
DATA_SETS = (
    "digits",
    "mnist",
    "fashion_mnist",
    "cifar10",
    "nmnist",
    "dvs_gesture",
    "cifar10_dvs",
    "spoken_digits",
    "shd",
    "road",
    "arrays",
    "images",
    "events",
    "dataset",
    "imagenet",
)

Spiking = parameters.MemoryFree | parameters.QuantizedLIF | parameters.LIF | parameters.TanhLIF

#: The neurons of a configuration that names none, or gives them no threshold.
DEFAULT_NEURON = parameters.MemoryFree(threshold=0.0)


def _neuron(key: str, content: Any) -> parameters.Spiking:
    """The neuron's parameters, of the kind that `family` names."""
    if isinstance(content, Mapping):
        content = dict(content)
        family = content.pop("family", DEFAULT_NEURON.family)
        if not isinstance(family, str) or family not in parameters.FAMILIES:
            raise unknown_choice(f"{key}.family", family, parameters.FAMILIES)
        if family == DEFAULT_NEURON.family:
            content = {"threshold": DEFAULT_NEURON.threshold, **content}
        content = read(parameters.FAMILIES[family], content, key)
    if not isinstance(content, parameters.Spiking):
        raise ConfigurationError(f"{key} must have keys, not be {shown(content)}")
    if not is_plain(plain(content)):
        raise ConfigurationError(f"{key}.norm must be one that a file can name, not {shown(content.norm)}")
    return content


@dataclass(frozen=True)
class Data(Checked):
    """The data that are learned.

    Args:
        name: a key of lava_qsnn.train.data.DATA; of your own data `arrays`, `images`, `events` or `dataset`.
        source: where your own data are: an .npz file of `arrays`; a folder of `images` or `events`; the import path of
            a `dataset`, "module:name", see lava_qsnn.train.data. It is never taken from a file that others may have
            written.
        folder: where the files of a data set with a name are; digits need none.
        download: fetch missing files into `folder`.
        cache: folder of converted events and sounds; by default lava-qsnn in $XDG_CACHE_HOME or ~/.cache.
        timesteps: T; an image is repeated at each of them, a recording is cut into so many.
        input_bits: pixels and counts of events become integers from 0 to 2^input_bits - 1.
        size: pixels along a side after downsampling, of event cameras and your own images, the longer side where they
            differ; of imagenet, pixels along a side; of shd, channels; by default each set's own.
        encoding: how values become time steps: as they are ("levels"), or as spikes, see lava_qsnn.train.encodings; of
            spoken digits, what is heard in every frame ("levels"), or what changes ("crossings").
        axes: of your own arrays, such as "NHWC": N samples, C channels, H rows, W columns, T time steps.
        range: of your own values, the two that become 0 and 2^input_bits - 1. By default the least and the greatest of
            the training samples if these are no integers, and integers stay as they are.
        scale: whether the range of values is one for "all" channels, or each "channel" has its own.
        signed: give the positive and the negative part of each of your own values a channel of its own.
        targets: what is learned: "classes", or "numbers".
        outputs: how many classes or numbers there are, where your own data do not tell.
        options: arguments of a `dataset`, by name.
        sensor: of your own events, (width, height) of the sensor, where their files do not tell.
        augment: change training samples at random, anew in each epoch: small shifts, flips, masks.
        cutout: side of a square of grey that covers a part of each augmented image of cifar10; 0 for none.
        flatten: (C H W, T) for dense models instead of (C, H, W, T).
        batch_size: samples per process and training step.
        loaders: processes that read and decode beside each training process; of imagenet, which is read as it is
            trained.
        validation: fraction of the training samples held out to choose the best epoch, where there are no others.
        test: fraction of your own samples held out for the test, where there are no others; with 1, all of them.
        split_seed: of the choice of these samples (and of the test samples of digits), apart from the training's seed.
    """

    key: ClassVar[str] = "data"

    name: str = "digits"
    source: str | None = None
    folder: str | None = None
    download: bool = False
    cache: str | None = None
    timesteps: int = bounded(4, 1, 1024)
    input_bits: int = bounded(5, 1, 8)
    size: int | None = bounded(None, 1, 1024)
    encoding: Literal["levels", "bits", "rate", "latency", "delta", "crossings"] = "levels"
    axes: str | None = None
    range: tuple[float, ...] | None = None
    scale: Literal["all", "channel"] = "all"
    signed: bool = False
    targets: Literal["classes", "numbers"] = "classes"
    outputs: int | None = bounded(None, 1, 2**16)
    options: dict[str, Any] = field(default_factory=dict)
    sensor: tuple[int, ...] | None = bounded(None, 1, 2**12)
    augment: bool = False
    cutout: int = bounded(0, 0, 32)
    flatten: bool = True
    batch_size: int = bounded(64, 1, 2**20)
    loaders: int = bounded(0, 0, 256)
    validation: float = bounded(0.1, 0.001, 0.5)
    test: float = bounded(0.2, 0.0, 1.0)
    split_seed: int = bounded(0, 0, 2**32 - 1)


@dataclass(frozen=True)
class Model(Checked):
    """The network that learns.

    Args:
        name: a key of lava_qsnn.train.models.MODELS.
        target: whose limits the network has to keep, see lava_qsnn.train.target: of "lava"; of "netx", which are those
            and more; or of "any", which are those of whatever can be deployed.
        layers: of the models "layers" and "rectified" (real weights and no spikes, to be a teacher), one text each; see
            lava_qsnn.train.layers. The output layer follows by itself.
        channels: output channels of each stage of a convolutional model, which halves the size of its maps.
        blocks: residual blocks of each stage; of resnet.
        stem: how many times smaller its first convolution, and a pooling behind it, make images; of resnet.
        hidden: widths of the dense spiking layers.
        weight_bits: of all weights but the output's.
        first_bits: of the first layer's weights, if they are to differ.
        output_bits: of the output's weights.
        weight_regulation: standardize the weights of hidden layers before they are quantized; see lava_qsnn.regulation.
        float_weights: real weights instead of quantized ones, to compare accuracies; such a network is not deployable.
        initial: a checkpoint whose weights the training begins with, of a network with the same layers, which may have
            had other time steps, histories, bits or data, or with the first of them: layers that follow the last
            spiking one of it begin anew, and so does the output. Or a deployed network, a file or zoo:NAME, which the
            training then begins with bit for bit; see lava_qsnn.train.initial. By default all weights are random.
        neuron: parameters of every spiking layer, with the `family` of blocks that has them; see lava_qsnn.parameters.
    """

    key: ClassVar[str] = "model"

    name: str = "mlp"
    target: Literal["any", "lava", "netx"] = "any"
    layers: tuple[str, ...] = field(default=(), metadata={"reader": read_layers})
    channels: tuple[int, ...] = bounded((), 1, 2**12)
    blocks: tuple[int, ...] = bounded((), 1, 2**8)
    stem: Literal[1, 2, 4] = 1
    hidden: tuple[int, ...] = bounded((128, 128), 1, 2**16)
    weight_bits: Literal[1, 2, 4, 8] = 1
    first_bits: Literal[1, 2, 4, 8] | None = None
    output_bits: Literal[1, 2, 4, 8] = 8
    weight_regulation: bool = False
    float_weights: bool = False
    initial: str | None = None
    neuron: Spiking = field(default=DEFAULT_NEURON, metadata={"reader": _neuron})


@dataclass(frozen=True)
class Optimizer(Checked):
    """AdamW or Muon with a linear warm-up and a cosine to zero, per step.

    Args:
        name: "adamw"; or "muon", which gives the weights between the first and the last layer orthogonal updates, see
            lava_qsnn.train.optimizers, and leaves the others to AdamW.
        learning_rate: the highest, of AdamW.
        muon_learning_rate: the highest, of Muon.
        weight_decay: decoupled, per unit of learning rate.
        warmup: fraction of the steps before the highest learning rate is reached.
        label_smoothing: share of the target that is spread over all classes, in training only.
        teacher: a checkpoint of a network trained on the same data; a share of the loss follows what it says of each
            sample, see lava_qsnn.train.teacher.
        distillation: that share; the labels have the rest.
        temperature: by which the logits of both are divided for it.
        spike_regulation: lambda, weight in the loss of the term that draws firing rates to one half; 0 for none.
        spike_regulation_kind: 1 - H(p) or (p - 1/2)^2 of each hidden layer's rate p; see lava_qsnn.regulation.
    """

    key: ClassVar[str] = "optimizer"

    name: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = bounded(5e-3, 1e-8, 10.0)
    muon_learning_rate: float = bounded(0.02, 1e-8, 10.0)
    weight_decay: float = bounded(0.0, 0.0, 10.0)
    warmup: float = bounded(0.1, 0.0, 0.9)
    label_smoothing: float = bounded(0.1, 0.0, 0.9)
    teacher: str | None = None
    distillation: float = bounded(0.9, 0.0, 1.0)
    temperature: float = bounded(4.0, 0.1, 100.0)
    spike_regulation: float = bounded(0.0, 0.0, 10.0)
    spike_regulation_kind: Literal["entropy", "squared"] = "entropy"


@dataclass(frozen=True)
class Trainer(Checked):
    """Arguments of lightning.Trainer, those below by name, any other in `options`; and when a training has diverged.

    Args:
        max_epochs, accelerator, devices, num_nodes, strategy, precision: as Lightning's. With several devices,
            `strategy: ddp` starts the running script (or command) once per device, unless torchrun or SLURM has.
        sync_batchnorm: let batch norms take their statistics over all processes, so that these train as one with as
            large a batch would; without, each has its own, and those of the first are deployed.
        norm_batches: of training, over which batch norms take their statistics anew before each validation, with the
            weights as they then are, in 32 bits; with 0, running statistics are taken, which lag behind weights that
            change fast.
        diverged: the end of a training that diverged, see lava_qsnn.train.divergence: an "error"; or "stop", a warning,
            after which the best checkpoint before is measured as that of a whole training.
        dead_epochs: epochs in a row in which a layer may fire never, or always, before the training has diverged.
        logger: a second log, beside the CSV file: a class of lightning.pytorch.loggers by name or path, such as
            TensorBoardLogger or WandbLogger; its package has to be installed.
        logger_options: arguments of that class; its folder is that of the training where it takes a `save_dir`.
        options: further arguments, such as {gradient_clip_val: 1.0}.
    """

    key: ClassVar[str] = "trainer"

    max_epochs: int = bounded(20, 1, 10**6)
    accelerator: str = "auto"
    devices: int | str | tuple[int, ...] = 1
    num_nodes: int = bounded(1, 1, 2**16)
    strategy: str = "auto"
    precision: int | str = "32-true"
    sync_batchnorm: bool = True
    norm_batches: int = bounded(0, 0, 10**4)
    diverged: Literal["error", "stop"] = "error"
    dead_epochs: int = bounded(3, 1, 10**6)
    logger: str | None = None
    logger_options: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Config(Checked):
    """Everything a training depends on. `seed` is of the initial weights and of the order of the samples."""

    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    optimizer: Optimizer = field(default_factory=Optimizer)
    trainer: Trainer = field(default_factory=Trainer)
    seed: int = bounded(0, 0, 2**32 - 1)


def own_code_apart(data: Data) -> Data:
    """Data of a file that somebody else may have written: without the import path that would execute code."""
    return replace(data, source=None, options={}) if data.name == DATASET else data


def shipped() -> tuple[str, ...]:
    """Names of the configurations that come with the package."""
    names = (Path(entry.name) for entry in resources.files("lava_qsnn.train").joinpath("configs").iterdir())
    return tuple(sorted(name.stem for name in names if name.suffix == ".yaml"))


def load_config(path_or_name: str | os.PathLike[str]) -> Config:
    """Read a configuration: a shipped one by name, such as "digits", or a YAML file.

    Raises:
        ConfigurationError: there is no such name or file, it is not YAML, or its content is wrong.
    """
    text, name = _read(path_or_name)
    try:
        content = _from_yaml(text)
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{name} is not YAML: {reason}") from None
    return from_dict({} if content is None else content)


def from_dict(content: Mapping[str, Any]) -> Config:
    """Nested dictionaries to a configuration; what is not given has its default.

    Raises:
        ConfigurationError: an unknown key, a wrong type, or a number out of its range; the text names the key.
    """
    return read(Config, content)


def to_dict(config: Config) -> dict[str, Any]:
    """A configuration as nested dictionaries of numbers, strings and lists; `from_dict` reverses it."""
    content: dict[str, Any] = plain(config)
    content["model"]["neuron"] = {"family": config.model.neuron.family, **content["model"]["neuron"]}
    return content


def to_yaml(config: Config) -> str:
    """A configuration as the text of a YAML file that `load_config` reads."""
    return yaml.dump(to_dict(config), Dumper=_Dumper, sort_keys=False)


def keys(config: Config) -> list[str]:
    """All dotted keys of a configuration."""
    return _keys(to_dict(config))


def override(config: Config, values: Mapping[str, Any]) -> Config:
    """A copy with some values changed, by dotted keys: override(config, {"trainer.max_epochs": 3}).

    The parts of a key are those of the YAML file; `trainer.options` and `data.options` take new keys, as in
    "trainer.options.profiler". A new `model.neuron.family` keeps the parameters that all families share, and has its
    own defaults else.

    Raises:
        ConfigurationError: as from_dict.
    """
    content = to_dict(config)
    if "model.neuron.family" in values:
        content["model"]["neuron"] = _in_family(content["model"]["neuron"], values["model.neuron.family"])
    for key, value in values.items():
        *path, last = key.split(".")
        part = content
        for name in path:
            inner = part.get(name)
            if not isinstance(inner, dict):
                raise unknown(key, _keys(content))
            part = inner
        if last not in part and all(part is not content[name]["options"] for name in ("data", "trainer")):
            raise unknown(key, _keys(content))
        part[last] = value
    return from_dict(content)


def _in_family(neuron: Mapping[str, Any], family: Any) -> dict[str, Any]:
    """Parameters of a neuron of another family: those that all share, as they are, and the defaults of the others."""
    kind = parameters.FAMILIES.get(str(family))
    if kind is None or family == neuron["family"]:
        return {**neuron, "family": family}
    shared = {entry.name for entry in fields(parameters.Spiking)}
    values = {entry.name: neuron[entry.name] if entry.name in shared else entry.default for entry in fields(kind)}
    return {"family": family, **values}


def parse_override(text: str) -> tuple[str, Any]:
    """From "trainer.max_epochs=3" to ("trainer.max_epochs", 3), the value as YAML reads it.

    Raises:
        ConfigurationError: there is no "=", or the value is not YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigurationError(f"'{text}' is not KEY=VALUE", remedy="write for example trainer.max_epochs=3")
    try:
        return key.strip(), _from_yaml(value)
    except (yaml.YAMLError, ValueError):
        raise ConfigurationError(f"{key.strip()}: {shown(value)} is not a YAML value") from None


class _Loader(yaml.SafeLoader):
    """Values that are written out, and not too deep. A few lines of aliases to aliases would stand for millions."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"it has an alias, *{self.peek_event().anchor}: write out what it stands for")
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.YAMLError(f"its values are nested more than {DEEPEST} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Writes texts in quotes where the loader would take them for numbers."""


# PyYAML follows YAML 1.1, which takes 1e-3 (without a decimal point) for text.
for _reader in (_Loader, _Dumper):
    _reader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"),
        list("-+.0123456789"),
    )


def _from_yaml(text: str) -> Any:
    """The value that a YAML text stands for.

    Raises:
        yaml.YAMLError: it is not YAML, or more than a configuration needs.
        ValueError: a number or a date in it is none.
    """
    if len(text) > LONGEST_YAML:
        raise yaml.YAMLError(f"it has more than {LONGEST_YAML:,} characters")
    try:
        return yaml.load(text, _Loader)
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:  # of tags that do not fit their values
        raise yaml.YAMLError(f"a value in it is not what it is said to be ({error})") from None


def _read(path_or_name: str | os.PathLike[str]) -> tuple[str, str]:
    name = os.fspath(path_or_name)
    if name in shipped():
        return resources.files("lava_qsnn.train").joinpath("configs").joinpath(f"{name}.yaml").read_text("utf-8"), name
    try:
        with open(name, encoding="utf-8") as file:
            return file.read(LONGEST_YAML + 1), name
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigurationError(
            f"cannot read the configuration '{name}': {reason}",
            remedy=f"{choices(name, shipped())}, or give the path of a YAML file, which `lava-qsnn init` writes",
        ) from None


def _keys(content: Mapping[str, Any], key: str = "") -> list[str]:
    """All dotted keys of nested dictionaries."""
    result = []
    for name, value in content.items():
        result += _keys(value, join(key, name)) if isinstance(value, dict) and value else [join(key, name)]
    return result
