"""The form in which unmodified NetX gives a readout's answer, chosen and judged by samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.integer.stock import FORMS, SPIKES, VOLTAGE, StockAnswer, check_answer, levels_for
from netx_export._open import NetworkOrPath, opened
from netx_export._simulate import simulate

#: Levels of an answer in spikes, and so neurons for each potential of the readout.
LEVELS = 16


def stock_answer(
    network: NetworkOrPath,
    form: str = VOLTAGE,
    samples: NDArray[np.integer[Any]] | None = None,
    levels: int = LEVELS,
) -> StockAnswer:
    """Choose how unmodified NetX gives the answer of a network's readout, for `write`.

    Args:
        network: a deployed network, or the path of its file.
        form: "voltage": the readout's neurons never fire, and their voltage is the potential; exact. "sum": the output
            is the running sum of the readout's current, as graded messages; exact. "spikes": the output is spikes,
            from several neurons for each potential; the more fire, the higher it is.
        samples: int (N, *input shape, T), for "spikes": typical input, whose potentials the levels span.
        levels: of "spikes", how many.

    Raises:
        ConfigurationError: there is no such form, or "spikes" has no samples.
        DeploymentError: the network has no readout, or unmodified NetX does not compute it exactly.
        InputError: the samples do not fit the network.
    """
    network = opened(network)
    if form not in FORMS:
        raise ConfigurationError(f"there is no stock answer {form!r}", remedy=f"choose one of {', '.join(FORMS)}")
    if form != SPIKES:
        answer = StockAnswer(form)
    elif samples is None:
        raise ConfigurationError(
            "an answer in spikes has levels, which are chosen by samples, and there are none",
            remedy='give typical input as `samples`, or choose "sum", which is exact and needs none',
        )
    else:
        answer = levels_for(network, simulate(network, samples, "fast"), levels)
    check_answer(network, answer)
    return answer


def stock_agreement(network: NetworkOrPath, answer: StockAnswer, samples: NDArray[np.integer[Any]]) -> float:
    """The fraction of samples whose class by an answer in spikes is that of the potentials; 1 for the exact forms.

    Args:
        network: a deployed network, whose last layer is a readout; or the path of its file.
        answer: of `stock_answer`.
        samples: int (N, *input shape, T).
    """
    if answer.form != SPIKES:
        return 1.0
    network = opened(network)
    potentials = simulate(network, samples, "fast")
    spikes = sum((potentials > level * network.output.neuron.taps[0]).sum(-1) for level in answer.levels)
    classes, seen = (each.reshape(len(samples), -1).argmax(1) for each in (potentials.sum(-1), np.asarray(spikes)))
    return float((classes == seen).mean())
