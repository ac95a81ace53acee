"""A population of a NIR graph as CUBA neurons: scales, thresholds, decays and biases as integers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import CUBA, CUBAReadout
from netx_export._nir._checked import Floats
from netx_export._nir._dynamics import Dynamics
from netx_export._nir._graph import Population
from netx_export._nir._wiring import Wiring

#: What a decay is in units of, the largest threshold that can be exceeded, and the largest bias.
DECAY, THRESHOLD, BIAS = 4096, 2**17 - 1, 2**15 - 1

#: Of what a scaled threshold may miss an integer to be taken for it.
NEAR = 1e-6


@dataclass(frozen=True)
class Precision:
    """The precision with which weights are written.

    Args:
        bits: of a weight, its sign included.
        synapses: 1, or 2 for each pair of neurons: one for the high bits and one for the low ones.
        per_layer: one scale for a layer instead of one for each channel.
    """

    bits: int
    synapses: int
    per_layer: bool

    @property
    def half(self) -> int:
        """Half of the unit of the upper synapse; 0 if there is one only."""
        return 2 ** (self.bits - 2) if self.synapses == 2 else 0

    @property
    def single(self) -> int:
        """The largest weight of one synapse."""
        return 2 ** (self.bits - 1) - 1

    @property
    def largest(self) -> int:
        """The largest weight."""
        return 2 * self.half * self.single if self.half else self.single


@dataclass(frozen=True)
class Scale:
    """The factor of a population's numbers.

    Args:
        weights: by channel, for its weights.
        potential: by neuron, for its potentials: the integers v count 1 / (64 potential).
    """

    weights: Floats
    potential: Floats


def dynamics_of(population: Population) -> Dynamics:
    """A population's dynamics; of a sum that is read out, those of no memory at all."""
    if population.dynamics is not None:
        return population.dynamics
    one, zero = np.ones(population.shape), np.zeros(population.shape)
    return Dynamics(one, one, one, zero, None, zero)


def check(population: Population) -> None:
    """Refuse what CUBA has no numbers for; DeploymentError names the population."""
    dynamics = dynamics_of(population)
    if dynamics.reset.any() and population.spikes:
        raise DeploymentError(
            f"its reset potential is {np.abs(dynamics.reset).max():g}, and CUBA's is 0",
            layer=population.name,
            remedy="shift v_leak, v_threshold and v_reset so that v_reset is 0",
        )
    if float(dynamics.gain.min()) <= 0:
        raise DeploymentError(
            "its resistance, or its input weight, is not positive",
            layer=population.name,
            remedy="turn the sign of the weights before it instead",
        )


def needs_always(population: Population) -> bool:
    """True if biases flow through the synaptic current, which CUBA's own passes by, and a neuron can bring them."""
    leaks = dynamics_of(population).current_leak.max() < 1
    return bool(leaks and population.constant.any() and len(population.shape) == 1)


def biased_at_once(population: Population) -> Population:
    """The population with what biases end as, added to its potentials from the first step on."""
    dynamics = dynamics_of(population)
    if population.dynamics is None or not needs_always(population):
        return population
    offset = dynamics.offset + dynamics.gain * population.constant / _drained(dynamics)
    changed = replace(dynamics, offset=offset)
    return replace(population, dynamics=changed, constant=np.zeros(population.shape))


def scale_of(
    population: Population, wirings: list[Wiring], largest: int, extremes: Floats, precision: Precision
) -> Scale:
    """The largest scale at which weights, thresholds and biases fit; beyond one synapse's, so do the potentials.

    With two synapses, or of a layer that is read out, no current can wrap, and no potential seen is clipped.

    Args:
        population: see `check`.
        wirings: of all its paths.
        largest: the most that a source puts out.
        extremes: the largest |v| seen of each neuron.
        precision: of the weights.
    """
    dynamics = dynamics_of(population)
    channels = population.shape[0]
    gain = dynamics.gain.reshape(channels, -1)
    bias = population.constant if needs_always(population) else np.zeros(channels)
    rows = np.concatenate([*(each.rows for each in wirings), bias[:, None]], 1)
    peak = np.abs(rows).max(1)
    sums = np.maximum(*(_one_sided(wirings, sign * bias, sign, largest) for sign in (1, -1)))
    leak = dynamics.current_leak.reshape(channels, -1).min(1)
    with np.errstate(divide="ignore"):
        weights = precision.largest / peak
        unwrapped = np.where(leak > 0, THRESHOLD * leak / sums, THRESHOLD / sums)
        inside = np.minimum(unwrapped, (THRESHOLD * gain / extremes.reshape(channels, -1)).min(1))
        single = precision.single / peak if population.spikes else inside
        scale = np.minimum(weights, np.maximum(single, inside))
        scale = np.minimum(scale, (THRESHOLD * gain / np.abs(_level(dynamics)).reshape(channels, -1)).min(1))
        scale = np.minimum(scale, (BIAS / _constants(population).reshape(channels, -1)).min(1))
    scale = np.where(np.isfinite(scale), scale, 1.0)
    scale = np.array([_on_grid(row, each) for row, each in zip(rows, scale)])
    if precision.per_layer or not population.spikes:
        scale = np.full(channels, scale.min())
    return Scale(scale, (scale[:, None] / gain).reshape(population.shape))


def _one_sided(wirings: list[Wiring], bias: Floats, sign: int, largest: int) -> Floats:
    """The most that the weights of one sign can add up to, by channel."""
    sums = [np.maximum(sign * each.rows, 0).sum(1) * each.amplification * largest for each in wirings]
    return np.maximum(sum(sums) + np.maximum(bias, 0), 0)


def _level(dynamics: Dynamics) -> Floats:
    """Thresholds, and the least that any has where there is none."""
    return np.zeros_like(dynamics.gain) if dynamics.threshold is None else dynamics.threshold


def _constants(population: Population) -> Floats:
    """The numbers that the bias of CUBA must hold, per unit of scale, for each neuron."""
    dynamics = dynamics_of(population)
    own = np.abs(dynamics.offset) / dynamics.gain
    return own if needs_always(population) else own + np.abs(population.constant) / _drained(dynamics)


def _drained(dynamics: Dynamics) -> Floats:
    """The divisor of a constant input that makes it the current that it ends as."""
    return np.where(dynamics.current_leak > 0, dynamics.current_leak, 1.0)


def _on_grid(row: Floats, scale: float) -> float:
    """The largest scale up to another at which weights that are multiples of one number stay so, exactly."""
    sizes = np.abs(row[row != 0])
    for unit in (1.0, float(sizes.min())) if sizes.size else ():
        multiples = sizes / unit
        if scale * unit >= 1 and np.abs(multiples - np.rint(multiples)).max() < NEAR:
            return float(int(scale * unit)) / unit
    return scale


def neuron_of(population: Population, scale: Scale) -> CUBA:
    """The CUBA neurons of a population; their bias is without what a neuron that always fires brings."""
    dynamics = dynamics_of(population)
    added = dynamics.offset
    if not needs_always(population):
        added = added + dynamics.gain * population.constant / _drained(dynamics)
    kind = CUBA if population.spikes else CUBAReadout
    return kind(
        _by_channel(dynamics.current_leak * DECAY),
        _by_channel(dynamics.potential_leak * DECAY),
        _by_channel(_thresholds(dynamics, scale)),
        _by_channel((added * scale.potential).clip(-BIAS, BIAS)),
    )


def _by_channel(values: NDArray[Any]) -> NDArray[np.int64]:
    """Numbers of neurons, rounded; one for each channel where these are alike."""
    whole = np.rint(values).astype(np.int64)
    rows = whole.reshape(len(whole), -1)
    return rows[:, 0] if (rows == rows[:, :1]).all() else whole


def _thresholds(dynamics: Dynamics, scale: Scale) -> NDArray[np.int64]:
    """Integers that potentials must exceed: where these are integers, too, the one below; else the nearest one."""
    if dynamics.threshold is None:
        return np.full(dynamics.shape, THRESHOLD + 1)
    levels: Any = dynamics.threshold * scale.potential
    whole = (dynamics.current_leak == 1) & np.isin(dynamics.potential_leak, (0, 1))
    return np.where(whole, np.floor(levels + NEAR * (1 + np.abs(levels))), np.rint(levels)).astype(np.int64)
