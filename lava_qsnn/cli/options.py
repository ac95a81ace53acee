"""Arguments and options that several verbs share, and groups of options that a verb takes as one parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from lava_qsnn.cli import completion
from lava_qsnn.errors import ConfigurationError

NETWORKS = completion.files(".net", ".h5", ".hdf5")
CHECKPOINTS = completion.files(".ckpt")
ARRAYS = completion.files(".npy", ".npz", ".h5", ".hdf5")
PICTURE_FILES = completion.files(".png", ".svg", ".pdf")
PAGES = completion.files(".html")
YAML_FILES = completion.files(".yaml", ".yml")

NetworkFile = Annotated[Path, typer.Argument(help="A NetX file.", metavar="FILE", autocompletion=NETWORKS)]
OtherFile = Annotated[Path, typer.Argument(help="Another NetX file.", metavar="OTHER", autocompletion=NETWORKS)]
Checkpoint = Annotated[
    Path,
    typer.Argument(help="A checkpoint that `lava-qsnn train` wrote.", metavar="CHECKPOINT", autocompletion=CHECKPOINTS),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="A configuration, shipped or YAML; a data set; or your own: an .npz file, a folder, module:name. By "
        "default what the checkpoint or FILE was trained on, what config.yaml beside FILE says, or digits.",
        autocompletion=completion.data,
    ),
]
DataSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="data.KEY=VALUE",
        help="Any key of the configuration's data; repeatable.",
        autocompletion=completion.data_settings,
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="Folder that holds the data set's files.", autocompletion=completion.folders),
]
Download = Annotated[bool, typer.Option("--download", help="Download the data set if the folder lacks it.")]
Samples = Annotated[int, typer.Option("--samples", min=1, help="Number of samples.")]
RandomInput = Annotated[bool, typer.Option("--random", help="Random inputs, whatever data is known.")]
Backend = Annotated[
    str,
    typer.Option(
        "--backend",
        help="reference, fast, lava, lava-async, lava-fused or netx.",
        autocompletion=completion.backends,
    ),
]
Backends = Annotated[
    list[str] | None,
    typer.Option(
        "--backend",
        help="Backend; repeatable. All that are exact by default.",
        autocompletion=completion.backends,
    ),
]
PageBackends = Annotated[
    list[str] | None,
    typer.Option(
        "--backend", help="Backend to compare; repeatable. fast by default.", autocompletion=completion.backends
    ),
]
TimeLimit = Annotated[float | None, typer.Option("--time-limit", min=0.0, help="Seconds a Lava run may take.")]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", help="Of the backend fast, at most; by default OMP_NUM_THREADS, or all cores, where that pays."
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes that compute parts of the samples beside each other."),
]
ClusterAddress = Annotated[
    str | None,
    typer.Option("--cluster", metavar="ADDRESS", help="Scheduler of Dask's, such as tls://host:8786, to compute them."),
]
Array = Annotated[
    Path | None,
    typer.Option(
        "--input",
        help="Integers (N, *input shape, T) instead of a data set: .npy, .npz, or FILE.h5[:NAME].",
        autocompletion=ARRAYS,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]
InputShape = Annotated[
    str | None,
    typer.Option("--input-shape", metavar="C,H,W", help="Of a stock file that does not say it: C or C,H,W."),
]
Timesteps = Annotated[
    int | None, typer.Option("--timesteps", min=1, help="Of a stock file: time steps of a sample, which none says.")
]
MessageBits = Annotated[
    int | None,
    typer.Option("--input-message-bits", min=0, max=30, help="Of a stock file: bits of the input; 0 for spikes."),
]
ItsCheckpoint = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        help="Compare with the torch network of this checkpoint, too.",
        autocompletion=CHECKPOINTS,
    ),
]
Original = Annotated[
    Path | None,
    typer.Option("--original", help="Compare with the network of this file, which was meant.", autocompletion=NETWORKS),
]
Page = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write an HTML page with a picture.", autocompletion=PAGES),
]
NetxMessageBits = Annotated[
    int | None, typer.Option("--netx-message-bits", min=0, help="input_message_bits of your call of NetX.")
]
NetxResetInterval = Annotated[
    int | None,
    typer.Option("--netx-reset-interval", min=0, help="reset_interval of your call of NetX; 0 for none."),
]
NetxResetOffset = Annotated[int | None, typer.Option("--netx-reset-offset", help="reset_offset of your call of NetX.")]


@dataclass(frozen=True)
class DataOptions:
    """Options that name a data set."""

    data: Data = None
    settings: DataSettings = None
    folder: Folder = None
    download: Download = False


@dataclass(frozen=True)
class SampleOptions(DataOptions):
    """Options that name the samples that a network looks at."""

    array: Array = None
    random: RandomInput = False


@dataclass(frozen=True)
class WorkerOptions:
    """Options that say who computes."""

    workers: Workers = None
    cluster: ClusterAddress = None

    @property
    def are_given(self) -> bool:
        """True if parts of the samples are computed beside each other."""
        return self.workers is not None or self.cluster is not None


@dataclass(frozen=True)
class StockOptions:
    """Options that say of a stock file what it does not say itself."""

    input_shape: InputShape = None
    timesteps: Timesteps = None
    input_message_bits: MessageBits = None

    def told(self) -> dict[str, Any]:
        """The options of `netx_export.load` that were given.

        Raises:
            ConfigurationError: the shape is none.
        """
        given = {"timesteps": self.timesteps, "input_message_bits": self.input_message_bits}
        return {name: value for name, value in {"input_shape": self._shape(), **given}.items() if value is not None}

    def _shape(self) -> tuple[int, ...] | None:
        try:
            return None if self.input_shape is None else tuple(int(part) for part in self.input_shape.split(","))
        except ValueError:
            raise ConfigurationError(
                f"'{self.input_shape}' is no shape", remedy="write for example --input-shape 2,34,34"
            ) from None


@dataclass(frozen=True)
class CallOptions:
    """Options that say how unmodified NetX is called."""

    message_bits: NetxMessageBits = None
    reset_interval: NetxResetInterval = None
    reset_offset: NetxResetOffset = None

    def said(self) -> dict[str, Any]:
        """The fields of a `netx_export.StockCall` that were given."""
        given = {
            "input_message_bits": self.message_bits,
            "reset_interval": self.reset_interval,
            "reset_offset": self.reset_offset,
        }
        said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return said | ({"reset_interval": None} if self.reset_interval == 0 else {})


def spread(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb for typer: each of its parameters that is a group of options is these options, one by one."""
    asked = inspect.signature(verb, eval_str=True).parameters.values()
    groups: dict[str, Any] = {each.name: each.annotation for each in asked if is_dataclass(each.annotation)}

    @wraps(verb)
    def called(**given: Any) -> None:
        parts = {
            name: kind(**{entry.name: given.pop(entry.name) for entry in fields(kind)}) for name, kind in groups.items()
        }
        verb(**given, **parts)

    parameters = [option for each in asked for option in _options(each)]
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called


def _options(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    """The options of a group of them, or the one that a parameter is."""
    kind = parameter.annotation
    if not is_dataclass(kind):
        yield parameter.replace(kind=parameter.KEYWORD_ONLY)
        return
    inner = get_type_hints(kind, include_extras=True)
    for entry in fields(kind):
        yield inspect.Parameter(entry.name, parameter.KEYWORD_ONLY, default=entry.default, annotation=inner[entry.name])
