"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NetworkFile = Annotated[Path, typer.Argument(help="A NetX file that `lava-qsnn export` wrote.", metavar="FILE")]
Checkpoint = Annotated[Path, typer.Argument(help="A checkpoint that `lava-qsnn train` wrote.", metavar="CHECKPOINT")]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="A configuration, shipped or YAML; a data set; or your own: an .npz file, a folder, module:name. By "
        "default what the checkpoint or FILE was trained on, what config.yaml beside FILE says, or digits.",
    ),
]
DataSettings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="data.KEY=VALUE", help="Any key of the configuration's data; repeatable."),
]
Folder = Annotated[Path | None, typer.Option("--folder", help="Folder that holds the data set's files.")]
Download = Annotated[bool, typer.Option("--download", help="Download the data set if the folder lacks it.")]
Samples = Annotated[int, typer.Option("--samples", min=1, help="Number of test samples.")]
Backends = Annotated[
    list[str] | None, typer.Option("--backend", help="Backend; repeatable. All that are exact by default.")
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
    typer.Option("--input", help="An .npy file of integers (N, *input shape, T) instead of a data set."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
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
    Path | None, typer.Option("--checkpoint", help="Compare with the torch network of this checkpoint, too.")
]
Original = Annotated[
    Path | None, typer.Option("--original", help="Compare with the network of this file, which was meant.")
]
NetxMessageBits = Annotated[
    int | None, typer.Option("--netx-message-bits", min=0, help="input_message_bits of your call of NetX.")
]
NetxResetInterval = Annotated[
    int | None,
    typer.Option("--netx-reset-interval", min=0, help="reset_interval of your call of NetX; 0 for none."),
]
NetxResetOffset = Annotated[int | None, typer.Option("--netx-reset-offset", help="reset_offset of your call of NetX.")]
