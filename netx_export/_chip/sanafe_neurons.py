"""Memory-free neurons as SANA-FE's leaky integrate-and-fire neuron of Loihi, where that computes them bit for bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import INPUT, Layer, MemoryFree
from netx_export._chip.mappings import Mapped, has_history, synapses

#: The longest delay of SANA-FE's dendrites with delays, in time steps: models.hpp of SANA-FE 2.2.9 [C].
LONGEST_DELAY = 5

#: A threshold that no potential reaches.
NEVER = 1e30

_REMEDY = "let its neurons replay their spikes"


@dataclass(frozen=True)
class LifNeurons:
    """Parameters of SANA-FE's neuron: u[t] = input_decay u[t-1] + I[t]; it spikes where u[t] > threshold.

    Its potential decays wholly from step to step, so that it equals u[t]; nothing is reset.

    Args:
        thresholds: of each neuron, (neurons,).
        input_decay: the factor of the current.
    """

    thresholds: NDArray[np.float64]
    input_decay: float


def lif_neurons(mapped: Mapped) -> dict[str, LifNeurons]:
    """The parameters of each layer.

    Potentials are whole numbers, or multiples of a power of two, far below 2^53, so that floating point is exact; U >=
    Theta is U > Theta - 1/2 for them.

    Raises:
        DeploymentError: SANA-FE's neuron cannot compute a layer; the text names it and the reason.
    """
    low, high = mapped.network.output_ranges[INPUT]
    if (low, high) != (0, 1):
        raise DeploymentError(
            f"input from {low} to {high} is no spikes, and SANA-FE's messages have no payload", remedy=_REMEDY
        )
    found = {}
    for layer in mapped.network.layers:
        if problem := _problem(mapped, layer):
            raise DeploymentError(f"SANA-FE's neurons cannot compute it: {problem}", layer=layer.name, remedy=_REMEDY)
        found[layer.name] = _lif(mapped, layer)
    return found


def _lif(mapped: Mapped, layer: Layer) -> LifNeurons:
    shape = mapped.network.shapes[layer.name]
    thresholds = np.full(shape, NEVER)
    if isinstance(layer.neuron, MemoryFree):
        thresholds = np.broadcast_to(layer.neuron.along("threshold", len(shape)) - 0.5, shape).astype(float)
    decay = 0.5 if mapped.mapping == "stock" and len(layer.neuron.taps) > 1 else 0.0
    return LifNeurons(thresholds.ravel(), decay)


def _longest_delay(mapped: Mapped, layer: Layer) -> int:
    taps = layer.neuron.taps[: mapped.network.timesteps]
    own = len(taps) - 1 if mapped.mapping == "delayed" else 0
    return max(mapped.waits[layer.name, number] + each.synapse.delay + own for number, each in synapses(layer))


def _problem(mapped: Mapped, layer: Layer) -> str | None:
    """The reason why SANA-FE's neuron does not compute a layer; None if it does."""
    neuron, taps = layer.neuron, layer.neuron.taps[: mapped.network.timesteps]
    if not has_history(layer) or neuron.kind not in ("memory_free", "readout"):
        return f"{neuron.described} is none of its neurons, bit for bit"
    if isinstance(neuron, MemoryFree) and int(neuron.threshold.min()) <= 0:
        return "a threshold of 0 or less fires before the sample begins"
    if any(each.sum_bits or each.sum_shift for each in layer.connections):
        return "its sums wrap or are shifted"
    if (longest := _longest_delay(mapped, layer)) > LONGEST_DELAY:
        return f"its synapses take delays up to {longest} time steps, and SANA-FE's at most {LONGEST_DELAY}"
    halves = [taps[0] / 2**k for k in range(len(taps))]
    is_shift = list(taps) == halves and len(taps) == mapped.network.timesteps
    if mapped.mapping == "stock" and len(neuron.taps) > 1 and not is_shift:
        return f"the taps {taps} are not halved from step to step over all {mapped.network.timesteps} time steps"
    return None
