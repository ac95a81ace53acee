"""The form in which a file's stock part gives the answer of a readout, which has no neuron of its own in stock NetX.

The stock neuron of a readout keeps its potential in u and v, and never fires. Three forms say more or less of it:

    voltage   v = 2^6 U / L_0 at each step, and an output of zeros: exact, for readers that look into the neuron.
    sum       the output is the running sum S[t] of the readout's current I[t], a graded message: exact, for
              I[t] = S[t] - S[t-1], and the sum over time of the potentials is a weighted sum of the currents.
    spikes    each potential has M neurons, one for each level m, that fire where U[t] > m L_0: a thermometer. The
              number of spikes is exact, and says the potential to the distance of two levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.integer._values import Choice, Numbers, Value
from lava_qsnn.integer.neurons import Readout

if TYPE_CHECKING:
    from lava_qsnn.integer._network import IntegerNetwork

Arrays = dict[str, NDArray[Any]]

VOLTAGE, SUM, SPIKES = FORMS = ("voltage", "sum", "spikes")

#: Levels are biases of stock neurons, which have 16 bits.
LARGEST_LEVEL = 2**15 - 1

#: Neurons that stand for one potential.
MOST_LEVELS = 1024


@dataclass(frozen=True, eq=False)
class StockAnswer(Value):
    """The form in which stock NetX gives the answer.

    Args:
        form: "voltage", "sum" or "spikes".
        levels: of "spikes", the m of its neurons, increasing, the same for all channels; in units of L_0, the first
            of the readout's taps.
    """

    form: Annotated[str, Choice(FORMS)] = VOLTAGE
    levels: Annotated[tuple[int, ...], Numbers(-LARGEST_LEVEL, LARGEST_LEVEL, 0, MOST_LEVELS)] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.levels) != (self.form == SPIKES):
            raise DeploymentError("an answer in spikes has levels, and no other has any")
        if any(high <= low for low, high in zip(self.levels, self.levels[1:])):
            raise DeploymentError("the levels of an answer in spikes must increase")

    @property
    def described(self) -> str:
        return "the stock answer"


def check_answer(network: IntegerNetwork, answer: StockAnswer) -> None:
    """Raise DeploymentError if a network has no such answer in unmodified NetX."""
    if answer.form == VOLTAGE:
        return
    last = network.output
    if not isinstance(last.neuron, Readout):
        raise DeploymentError(
            f"it has neurons of the kind {last.neuron.kind}, and only a readout's answer has other forms",
            layer=last.name,
            remedy='leave stock="voltage": stock NetX gives their outputs as they are',
        )
    if not network.stock_exact:
        raise DeploymentError(
            f"unmodified NetX would not compute this network exactly: {network.stock_obstacles[0]}",
            remedy='leave stock="voltage", or mend that first',
        )


def levels_for(network: IntegerNetwork, potentials: NDArray[np.integer[Any]], count: int) -> StockAnswer:
    """The form "spikes", its levels evenly over the potentials of some samples.

    Args:
        network: whose last layer is a readout.
        potentials: of it, int (N, *shape, T).
        count: the number of levels, at least 1; fewer where the potentials have fewer values between them.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_LEVELS:
        raise ConfigurationError(f"levels must be an integer from 1 to {MOST_LEVELS}, not {count!r}")
    unit = network.output.neuron.taps[0]
    low, high = int(potentials.min()) // unit, int(potentials.max()) // unit
    spread = low + (high - low) * (2 * np.arange(count) + 1) // (2 * count)
    levels = sorted({int(level) for level in spread.clip(-LARGEST_LEVEL, LARGEST_LEVEL)})
    return StockAnswer(SPIKES, tuple(levels))


def with_answer(arrays: Arrays, answer: StockAnswer) -> Arrays:
    """The stock arrays of a network, by path below the group of its layers, with another form of the answer."""
    if answer.form == VOLTAGE:
        return arrays
    last = f"{max(int(path.split('/')[0]) for path in arrays)}/"
    layer = {path.removeprefix(last): array for path, array in arrays.items() if path.startswith(last)}
    layer = _sum_layer(layer) if answer.form == SUM else _spiking_layer(layer, answer.levels)
    before = {path: array for path, array in arrays.items() if not path.startswith(last)}
    return before | {f"{last}{path}": array for path, array in layer.items()}


def _sum_layer(layer: Arrays) -> Arrays:
    """A last layer with Lava's Sigma neuron, which NetX takes for an SDNN with the mark `sigma_output`."""
    synapse = {path: array for path, array in layer.items() if not path.startswith("neuron/")}
    return {**synapse, "neuron/type": np.array([b"SDNN"]), "neuron/sigma_output": np.array(1)}


def _spiking_layer(layer: Arrays, levels: tuple[int, ...]) -> Arrays:
    """A last layer with as many channels as levels for each of its own: those of a channel follow each other."""
    weight = layer["weight"]
    count = len(levels) * len(weight)
    features = "outFeatures" if "outFeatures" in layer else "outChannels"
    return {
        **layer,
        features: np.array(count),
        "weight": np.repeat(weight, len(levels), axis=0),
        "shape": np.array([count, *layer["shape"][1:]]),
        "bias": np.tile(-np.array(levels), len(weight)).astype(np.int16),
        "neuron/vThMant": np.array(0),
    }
