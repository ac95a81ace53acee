"""Configurations: strict, frozen, plain. A wrong key, type or number is an error that names the key.

A configuration has the parts `data`, `model`, `optimizer` and `trainer`, and a `seed`; see the YAML files in `configs`.
This module imports neither torch nor Lightning, so that a command line can check its arguments at once.
"""

from __future__ import annotations

import math
import os
import reprlib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

import yaml

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.train._tree import check_tree

Part = TypeVar("Part", bound="_Part")

#: Characters of the longest YAML text, numbers in the longest list.
LONGEST_YAML, LONGEST_LIST = 2**15, 256

#: Values in the largest dictionary, and how deep values are nested.
MOST_VALUES, DEEPEST = 10**4, 16


def _bounded(default: Any, low: float, high: float) -> Any:
    """A field whose number, or each number of whose list, lies from `low` to `high`."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class _Part:
    """Checks every field against its annotation and range, however the part is made."""

    key: ClassVar[str] = ""

    def __post_init__(self) -> None:
        annotations = typing.get_type_hints(type(self))
        for entry in fields(self):
            key = _join(self.key, entry.name)
            value = _converted(key, getattr(self, entry.name), annotations[entry.name])
            _refuse_out_of_range(key, value, entry.metadata.get("range"))
            object.__setattr__(self, entry.name, value)


@dataclass(frozen=True)
class Data(_Part):
    """The data that are learned.

    Args:
        name: a key of lava_qsnn.train.data.DATA.
        folder: where the files are; digits need none.
        download: fetch missing files into `folder`.
        cache: folder of converted events and sounds; by default lava-qsnn in $XDG_CACHE_HOME or ~/.cache.
        timesteps: T; an image is repeated at each of them, a recording is cut into so many.
        input_bits: pixels and counts of events become integers from 0 to 2^input_bits - 1.
        size: of event cameras, pixels along a side after downsampling; of shd, channels; by default each set's own.
        encoding: of spoken digits as spikes: "levels" in every frame, or only their "crossings".
        augment: change training samples at random, anew in each epoch: small shifts, flips, masks.
        flatten: (C H W, T) for dense models instead of (C, H, W, T).
        batch_size: samples per process and training step.
        validation: fraction of the training samples held out to choose the best epoch.
        split_seed: of the choice of these samples (and of the test samples of digits), apart from the training's seed.
    """

    key: ClassVar[str] = "data"

    name: str = "digits"
    folder: str | None = None
    download: bool = False
    cache: str | None = None
    timesteps: int = _bounded(4, 1, 1024)
    input_bits: int = _bounded(5, 1, 8)
    size: int | None = _bounded(None, 1, 1024)
    encoding: Literal["levels", "crossings"] = "levels"
    augment: bool = False
    flatten: bool = True
    batch_size: int = _bounded(64, 1, 2**20)
    validation: float = _bounded(0.1, 0.001, 0.5)
    split_seed: int = _bounded(0, 0, 2**32 - 1)


@dataclass(frozen=True)
class Neuron(_Part):
    """Parameters of every spiking layer, as the Neuron of lava_qsnn.neuron's module `family` takes them.

    memory_free takes `history`, `taps` and `tap_bits`; quantized_lif, whose threshold must be positive, takes
    `potential_bits`, `potential_range`, `reset` and `mode`. `decay` is 0.9 of taps and 0.5 of potentials, if not given.
    """

    key: ClassVar[str] = "model.neuron"

    family: Literal["memory_free", "quantized_lif"] = "memory_free"
    threshold: float = _bounded(0.0, -1e6, 1e6)
    history: int = _bounded(4, 1, 64)
    taps: Literal["shift", "geometric", "learned"] = "shift"
    decay: float | None = _bounded(None, 1e-6, 1.0)
    tap_bits: int = _bounded(4, 1, 8)
    potential_bits: int | None = _bounded(4, 2, 16)
    potential_range: int | None = _bounded(None, 1, 64)
    reset: Literal["hard", "soft"] = "hard"
    mode: Literal["deployable", "paper"] = "deployable"
    surrogate: Literal["triangle", "fast_sigmoid", "arctan", "exponential"] = "triangle"
    tau_grad: float = _bounded(1.0, 1e-6, 1e6)
    scale_grad: float = _bounded(1.0, 1e-6, 1e6)
    norm: Literal["batch"] | None = "batch"


@dataclass(frozen=True)
class Model(_Part):
    """The network that learns.

    Args:
        name: a key of lava_qsnn.train.models.MODELS.
        target: whose limits the network has to keep, see lava_qsnn.train.target: of "lava"; of "netx", which are those
            and more; or of "any", which are those of whatever can be deployed.
        channels: output channels of each stage of a convolutional model, which halves the size of its maps.
        blocks: residual blocks of each stage; of resnet.
        hidden: widths of the dense spiking layers.
        weight_bits: of all weights but the output's.
        first_bits: of the first layer's weights, if they are to differ.
        output_bits: of the output's weights.
        weight_regulation: standardize the weights of hidden layers before they are quantized; see lava_qsnn.regulation.
        float_weights: real weights instead of quantized ones, to compare accuracies; such a network is not deployable.
        neuron: parameters of the spiking neurons.
    """

    key: ClassVar[str] = "model"

    name: str = "mlp"
    target: Literal["any", "lava", "netx"] = "any"
    channels: tuple[int, ...] = _bounded((), 1, 2**12)
    blocks: tuple[int, ...] = _bounded((), 1, 2**8)
    hidden: tuple[int, ...] = _bounded((128, 128), 1, 2**16)
    weight_bits: Literal[1, 2, 4, 8] = 1
    first_bits: Literal[1, 2, 4, 8] | None = None
    output_bits: Literal[1, 2, 4, 8] = 8
    weight_regulation: bool = False
    float_weights: bool = False
    neuron: Neuron = field(default_factory=Neuron)


@dataclass(frozen=True)
class Optimizer(_Part):
    """AdamW with a linear warm-up and a cosine to zero, per step.

    Args:
        learning_rate: the highest.
        weight_decay: decoupled, per unit of learning rate.
        warmup: fraction of the steps before the highest learning rate is reached.
        label_smoothing: share of the target that is spread over all classes, in training only.
        spike_regulation: lambda, weight in the loss of the term that draws firing rates to one half; 0 for none.
        spike_regulation_kind: 1 - H(p) or (p - 1/2)^2 of each hidden layer's rate p; see lava_qsnn.regulation.
    """

    key: ClassVar[str] = "optimizer"

    learning_rate: float = _bounded(5e-3, 1e-8, 10.0)
    weight_decay: float = _bounded(0.0, 0.0, 10.0)
    warmup: float = _bounded(0.1, 0.0, 0.9)
    label_smoothing: float = _bounded(0.1, 0.0, 0.9)
    spike_regulation: float = _bounded(0.0, 0.0, 10.0)
    spike_regulation_kind: Literal["entropy", "squared"] = "entropy"


@dataclass(frozen=True)
class Trainer(_Part):
    """Arguments of lightning.Trainer: those below by name, any other in `options`.

    Args:
        max_epochs, accelerator, devices, num_nodes, strategy, precision: as Lightning's. With several devices,
            `strategy: ddp` starts the running script (or command) once per device.
        options: further arguments, such as {gradient_clip_val: 1.0} or {sync_batchnorm: true}.
    """

    key: ClassVar[str] = "trainer"

    max_epochs: int = _bounded(20, 1, 10**6)
    accelerator: str = "auto"
    devices: int | str | tuple[int, ...] = 1
    num_nodes: int = _bounded(1, 1, 2**16)
    strategy: str = "auto"
    precision: int | str = "32-true"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Config(_Part):
    """Everything a training depends on. `seed` is of the initial weights and of the order of the samples."""

    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    optimizer: Optimizer = field(default_factory=Optimizer)
    trainer: Trainer = field(default_factory=Trainer)
    seed: int = _bounded(0, 0, 2**32 - 1)


def shipped() -> tuple[str, ...]:
    """Names of the configurations that come with the package."""
    names = (Path(entry.name) for entry in resources.files("lava_qsnn.train").joinpath("configs").iterdir())
    return tuple(sorted(name.stem for name in names if name.suffix == ".yaml"))


def load_config(path_or_name: str | os.PathLike[str]) -> Config:
    """Read a configuration: a shipped one by name, such as "digits", or a YAML file.

    Raises:
        ConfigurationError: there is no such name or file, it is not YAML, or its content is wrong.
    """
    text, origin = _read(path_or_name)
    try:
        content = _from_yaml(text)
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{origin} is not YAML: {reason}") from None
    return from_dict({} if content is None else content)


def from_dict(content: Mapping[str, Any]) -> Config:
    """Nested dictionaries to a configuration; what is not given has its default.

    Raises:
        ConfigurationError: an unknown key, a wrong type, or a number out of its range; the text names the key.
    """
    return _part(Config, "", content)


def to_dict(config: Config) -> dict[str, Any]:
    """A configuration as nested dictionaries of numbers, strings and lists; `from_dict` reverses it."""
    plain = _plain(config)
    assert isinstance(plain, dict)
    return plain


def to_yaml(config: Config) -> str:
    """A configuration as the text of a YAML file that `load_config` reads."""
    return yaml.safe_dump(to_dict(config), sort_keys=False)


def override(config: Config, values: Mapping[str, Any]) -> Config:
    """A copy with some values changed, by dotted keys: override(config, {"trainer.max_epochs": 3}).

    The parts of a key are those of the YAML file; `trainer.options` takes new keys, as in "trainer.options.profiler".

    Raises:
        ConfigurationError: as from_dict.
    """
    content = to_dict(config)
    for key, value in values.items():
        *path, last = key.split(".")
        section = content
        for name in path:
            inner = section.get(name)
            if not isinstance(inner, dict):
                raise _unknown(key, _keys(content))
            section = inner
        if last not in section and section is not content["trainer"]["options"]:
            raise _unknown(key, _keys(content))
        section[last] = value
    return from_dict(content)


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
        raise ConfigurationError(f"{key.strip()}: {_shown(value)} is not a YAML value") from None


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
            remedy=f"give the path of a YAML file, or one of {', '.join(shipped())}",
        ) from None


def _part(kind: type[Part], key: str, content: Any) -> Part:
    names = [entry.name for entry in fields(kind)]
    if not isinstance(content, Mapping):
        raise ConfigurationError(
            f"{key or 'a configuration'} must have keys, not be {_shown(content)}",
            remedy=f"its keys are {', '.join(names)}",
        )
    for name in content:
        if name not in names:
            raise _unknown(_join(key, str(name)), [_join(key, name) for name in names])
    return kind(**content)


def _converted(key: str, value: Any, annotation: Any) -> Any:
    """`value` as the annotated type: nothing is guessed, but integers pass for floats and lists for tuples."""
    check_tree(key, value, _members, MOST_VALUES, DEEPEST)
    if is_dataclass(annotation):
        assert isinstance(annotation, type)
        assert issubclass(annotation, _Part)
        return value if isinstance(value, annotation) else _part(annotation, key, value)
    for choice in _alternatives(annotation):
        accepted, result = _accept(value, choice)
        if accepted:
            return result
    wanted = " or ".join(_name(choice) for choice in _alternatives(annotation))
    raise ConfigurationError(f"{key} must be {wanted}, not {_shown(value)}")


def _accept(value: Any, annotation: Any) -> tuple[bool, Any]:
    if get_origin(annotation) is Literal:
        return any(value == choice and type(value) is type(choice) for choice in get_args(annotation)), value
    if get_origin(annotation) is tuple:
        items = value if isinstance(value, (list, tuple)) else [None]
        return all(type(item) is int for item in items), tuple(items)
    if get_origin(annotation) is dict:
        return isinstance(value, Mapping) and _is_plain(value), _plain(value)
    if annotation is float:
        return _accept_float(value)
    return type(value) is annotation, value


def _accept_float(value: Any) -> tuple[bool, Any]:
    # PyYAML follows YAML 1.1, which takes 1e-3 (without a decimal point) for text.
    if type(value) not in (int, float, str):
        return False, value
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return False, value
    return math.isfinite(number), number


def _refuse_out_of_range(key: str, value: Any, limits: tuple[float, float] | None) -> None:
    if isinstance(value, tuple) and len(value) > LONGEST_LIST:
        raise ConfigurationError(f"{key} must have at most {LONGEST_LIST} entries, not {len(value):,}")
    for number in value if isinstance(value, tuple) else (value,):
        if limits is not None and number is not None and not limits[0] <= number <= limits[1]:
            raise ConfigurationError(f"{key} must lie from {limits[0]} to {limits[1]}, not be {_shown(number)}")


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _shown(value: Any) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # Python writes no integers of more than some thousand digits
        return "a huge number"


def _name(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(annotation))
    names = {
        bool: "true or false",
        int: "an integer",
        float: "a finite number",
        str: "a text",
        tuple: "a list of integers",
        dict: "a dictionary of names with numbers, texts or lists",
        types.NoneType: "null",
    }
    return names[get_origin(annotation) or annotation]


def _members(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, (list, tuple)) else ()


def _is_plain(value: Any) -> bool:
    """True if a value consists of what YAML, and a checkpoint that is read weights-only, can hold."""
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_plain(item) for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or type(value) in (bool, int, float, str)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _keys(content: Mapping[str, Any], key: str = "") -> list[str]:
    """All dotted keys of nested dictionaries."""
    result = []
    for name, value in content.items():
        result += _keys(value, _join(key, name)) if isinstance(value, dict) and value else [_join(key, name)]
    return result


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _unknown(key: str, choices: list[str]) -> ConfigurationError:
    return ConfigurationError(f"there is no key '{key}'", remedy=f"choose one of {', '.join(choices)}")
