"""Export: fold, prove on random samples that nothing was lost, write."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lava_qsnn.errors import DeploymentError, QsnnWarning
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.integer.stock import VOLTAGE
from lava_qsnn.outputs import writable
from netx_export._fold import blocks, fold
from netx_export._fold_slayer import as_slayer_takes
from netx_export._silence import warn_of_silence
from netx_export._stock_answer import LEVELS, stock_answer
from netx_export._verify import Report, compare_torch
from netx_export._write import write

#: Samples on which every export is compared with the torch network, half of them dense, half sparse.
PROOF_SAMPLES = 4


def export(
    net: nn.Module,
    path: str | os.PathLike[str] | None,
    input_shape: tuple[int, ...],
    timesteps: int,
    input_bits: int = 1,
    stock: str = VOLTAGE,
    samples: NDArray[np.integer[Any]] | None = None,
    levels: int = LEVELS,
    metadata: Mapping[str, Any] | None = None,
) -> IntegerNetwork:
    """Fold a trained network, check it against torch, and write it to a NetX file.

    A layer that cannot fire, or did not in the check, is told by a QsnnWarning; and so is a layer of slayer's blocks
    that computes something else in slayer than NetX makes of it, with the reason.

    Args:
        net: a network of blocks, lava_qsnn's or slayer's, see `fold`. It is put into evaluation mode for the check and
            back. It returns what its last block does, or that summed or averaged over time; a positive constant may
            multiply it, and of several results the first one counts.
        path: the NetX HDF5 file; None writes none.
        input_shape: (C,) or (C, H, W), one time step of one sample.
        timesteps: T, the longest sample.
        input_bits: the input holds integers from 0 to 2^input_bits - 1.
        stock: how unmodified NetX gives the answer of a readout, "voltage", "sum" or "spikes"; see `stock_answer`.
            `stock_use` tells how such a file is read. This project's own readers give the potentials in any case.
        samples: of stock="spikes", typical input, int (N, *input_shape, T).
        levels: of stock="spikes", neurons for each potential.
        metadata: what the file should tell of the data, plain texts, numbers, lists and dicts: by custom `data`, their
            configuration, `classes`, their names, and `shape`, that of an image before it was flattened.

    Returns:
        The deployed network. `stock_exact` says whether unmodified lava-dl NetX computes the same from the file, and
        `stock_obstacles` why not.

    Raises:
        DeploymentError: a module has no integer form, or the network computes something beyond its blocks; the text
            names what lies outside of them. Or `stock` asks of unmodified NetX what it does not compute exactly.
            Or `metadata` are no plain data.
        RangeError: potentials could exceed what torch computes exactly.
    """
    if path is not None:
        writable(path)
    network = replace(fold(net, input_shape, timesteps, input_bits), metadata=metadata or {})
    report = compare_torch(network, net, as_slayer_takes(next(blocks(net)), _proof_samples(network)))
    if not report.exact and report.departures:
        _warn_of_departures(report)
    elif not report.exact:
        worst = next(row for row in report.rows if row.mismatches)
        raise DeploymentError(
            f"torch and the folded network differ in {worst.mismatches} of {worst.values} values",
            layer=worst.layer,
            remedy="let the network do nothing in `forward` but call its blocks in order",
        )
    warn_of_silence(network, report.silent, PROOF_SAMPLES)
    answer = stock_answer(network, stock, samples, levels)
    if path is not None:
        write(network, path, answer)
    return network


def _warn_of_departures(report: Report) -> None:
    """Tell where slayer and NetX differ, and by how much."""
    for row in (row for row in report.rows if row.mismatches):
        here = f"layer '{row.layer}': "
        reasons = [each.removeprefix(here) for each in report.departures if each.startswith(here)]
        warnings.warn(
            f"{here}slayer and NetX differ in {row.mismatches:,} of {row.values:,} values on random samples: "
            f"{'; '.join(reasons) or 'its input differs'}",
            QsnnWarning,
            stacklevel=3,
        )


def _proof_samples(network: IntegerNetwork) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    random = np.random.default_rng(0)
    shape = (PROOF_SAMPLES, *network.input.shape, network.timesteps)
    x = random.integers(0, network.input.maximum + 1, shape)
    x[PROOF_SAMPLES // 2 :] *= random.random(x[PROOF_SAMPLES // 2 :].shape) < 0.2
    return x
