"""The neurons of NIR graphs in time steps of dt: forward Euler, as the tools that read NIR compute them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nir
import numpy as np

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import Shape
from netx_export._nir._checked import Floats, kind, numbers, population_shape, spread

#: Kinds of NIR nodes that end a path: neurons, and thresholds without memory.
NEURONS = (nir.IF, nir.LIF, nir.CubaLIF, nir.I, nir.LI, nir.CubaLI, nir.Threshold)

#: Kinds that put out their potential.
READOUTS = (nir.I, nir.LI, nir.CubaLI)


@dataclass(frozen=True)
class Dynamics:
    """The one form of all neurons of NIR, per time step, each parameter with one number per neuron.

        i[t] = (1 - a) i[t-1] + x[t]
        v[t] = (1 - b) v[t-1] + gain i[t] + offset
        z[t] = 1 iff v[t] > threshold, then v[t] = reset

    With forward Euler steps of dt, CubaLIF has a = dt / tau_syn, b = dt / tau_mem, gain = a b r w_in and
    offset = b v_leak; LIF a = 1, b = dt / tau, gain = b r. IF, as norse and sinabs compute it, takes a step for its
    unit of time: a = 1, b = 0, gain = r. Threshold has a = b = gain = 1.
    """

    current_leak: Floats  # a
    potential_leak: Floats  # b
    gain: Floats
    offset: Floats
    threshold: Floats | None  # None: the potential is put out
    reset: Floats

    @property
    def shape(self) -> Shape:
        return self.gain.shape

    def start(self, samples: int) -> tuple[Floats, Floats]:
        """The state i, v before the first step, (N, *shape) each."""
        return np.zeros((samples, *self.shape)), np.zeros((samples, *self.shape))

    def step(self, state: tuple[Floats, Floats], x: Floats) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
        """One time step of x (N, *shape): what is put out, the potential v before a reset, and the state after it."""
        current, potential = state
        current = (1 - self.current_leak) * current + x
        potential = (1 - self.potential_leak) * potential + self.gain * current + self.offset
        if self.threshold is None:
            return potential, potential, (current, potential)
        fired = potential > self.threshold
        return fired.astype(np.float64), potential, (current, np.where(fired, self.reset, potential))


def read_dynamics(node: Any, dt: float, place: str) -> Dynamics:
    """The dynamics of a NIR neuron.

    Args:
        node: an instance of one of NEURONS.
        dt: seconds of a time step.
        place: its name, for errors.

    Raises:
        DeploymentError: a parameter does not fit, or a time constant is shorter than a step.
    """
    try:
        shape = population_shape(np.shape(getattr(node, _ANCHOR.get(type(node), "r"))), place)
    except AttributeError:
        raise DeploymentError(f"the {kind(node)} lacks a parameter", layer=place) from None
    one, zero = np.ones(shape), np.zeros(shape)

    def value(name: str) -> Floats:
        return spread(numbers(node, name, place), shape, name, place)

    def optional(name: str, default: Floats) -> Floats:
        return default if getattr(node, name, None) is None else value(name)

    def leak(name: str) -> Floats:
        return _leak(value(name), dt, name, place)

    threshold = None if isinstance(node, READOUTS) else value(_LEVEL.get(type(node), "v_threshold"))
    reset = optional("v_reset", zero)
    if isinstance(node, nir.Threshold):
        return Dynamics(one, one, one, zero, threshold, zero)
    if isinstance(node, (nir.IF, nir.I)):
        return Dynamics(one, zero, value("r"), zero, threshold, reset)
    if isinstance(node, (nir.LIF, nir.LI)):
        decay = leak("tau")
        return Dynamics(one, decay, decay * value("r"), decay * value("v_leak"), threshold, reset)
    fast, slow = leak("tau_syn"), leak("tau_mem")
    gain = fast * slow * value("r") * optional("w_in", one)
    return Dynamics(fast, slow, gain, slow * value("v_leak"), threshold, reset)


#: The parameters that have the population's shape, and that are its threshold, if not `r` and `v_threshold`.
_ANCHOR = {nir.Threshold: "threshold", nir.CubaLIF: "v_threshold", nir.CubaLI: "v_leak"}
_LEVEL = {nir.Threshold: "threshold"}


def _leak(tau: Floats, dt: float, name: str, place: str) -> Floats:
    """dt / tau, which may exceed 1 by what rounding to float32 does."""
    if float(tau.min()) <= 0 or dt / float(tau.min()) > 1 + 1e-6:
        raise DeploymentError(
            f"its shortest {name} is {tau.min():g} s, and a time step {dt:g} s",
            layer=place,
            remedy="choose a dt that no time constant is shorter than",
        )
    return np.minimum(dt / tau, 1.0)
