"""The contract of a neuron: all that engines, files, limits, reports and pictures need to know of one.

A kind of neuron is a frozen dataclass below `Neuron`. Its fields are its parameters, each declared with its role; a
few class attributes say what it takes and puts out; `step` says what it computes. That alone makes it run on every
engine, exactly. A faster form for an engine is one more row in that engine's table.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer._values import EITHER, Array, Shape, Value, roles
from lava_qsnn.integer.layouts import per_channel

Integers = NDArray[np.int64]

#: Parameters with one number for each channel, for each neuron, for each time step, and for each of both.
PerChannel = Annotated[Integers, Array(("channel",))]
PerNeuron = Annotated[Integers, Array(("neuron",))]
PerStep = Annotated[Integers, Array(("step",))]
PerStepAndChannel = Annotated[Integers, Array(("step", "channel"))]

#: Parameters with one number for each channel or, where their shape is the population's, for each neuron.
PerPlace = Annotated[Integers, Array(("channel or neuron",))]

#: The least and the greatest value of each channel, exact Python integers: two arrays (channels,) of objects.
Bounds = tuple[NDArray[np.object_], NDArray[np.object_]]

#: What a neuron keeps from one time step to the next: int64 arrays (N, *shape).
State = tuple[Integers, ...]

Kind = TypeVar("Kind", bound="Neuron")


class Step(NamedTuple):
    """One time step of a population.

    `output` spikes 0 and 1, or signed integers; `potential` what decides about them; `state` for the next step.
    """

    output: Integers
    potential: Integers
    state: State


class Neuron(Value):
    """Turns the currents of a layer's connections into outputs, one time step after the other.

    Class attributes:
        kind: its name in files and tables.
        currents: names of the currents it takes; a connection's `port` counts them. Most neurons take one.
        spikes: True if its outputs are spikes, 0 and 1; False if they are signed integers.
        feeds: False if no layer may follow, because its outputs are read and not sent.
        compared: the name of the parameter that its potential is compared with, if it is another than `threshold`.
        wraps: True if its equations say what becomes of every current, however large: numbers wrap or are clipped by
            definition, and no limit of a range is one for it.

    Attributes:
        taps: the weights L_0 .. L_{K-1} of the last K time steps in the traces that its synapses take; (1,)
            for a kind that has no such field.
        threshold: what its potential is compared with, by channel or neuron; None for a kind that has no such field.
    """

    kind: ClassVar[str]
    currents: ClassVar[tuple[str, ...]] = ("current",)
    spikes: ClassVar[bool] = True
    feeds: ClassVar[bool] = True
    compared: ClassVar[str] = "threshold"
    wraps: ClassVar[bool] = False
    taps: tuple[int, ...]
    threshold: Integers | None

    def __init_subclass__(cls) -> None:
        # Not as attributes of this class, for a dataclass would take them for the defaults of its own fields.
        for name, value in (("taps", (1,)), ("threshold", None)):
            if name not in inspect.get_annotations(cls) and not hasattr(cls, name):
                setattr(cls, name, value)

    def start(self, shape: Shape) -> State:
        """The state before the first time step of N samples, for arrays of `shape` (N, *population)."""
        return ()

    def step(self, state: State, currents: Sequence[Integers], t: int) -> Step:
        """Compute time step `t` of its sample, from 0, of currents (N, *shape) by `currents`' order."""
        raise NotImplementedError

    def run(self, currents: Sequence[Integers]) -> tuple[Integers, Integers]:
        """Compute all time steps of samples: currents (N, *shape, T) to outputs and potentials of that shape."""
        outputs, potentials = np.empty_like(currents[0]), np.empty_like(currents[0])
        state = self.start(currents[0].shape[:-1])
        for t in range(currents[0].shape[-1]):
            step = self.step(state, [current[..., t] for current in currents], t)
            outputs[..., t], potentials[..., t], state = step
        return outputs, potentials

    def potential_range(self, currents: Sequence[Bounds]) -> Bounds:
        """The range of the potential, per channel, for currents in some ranges; that of the first one by default."""
        return currents[0]

    def output_range(self, currents: Sequence[Bounds]) -> tuple[int, int]:
        """The least and the greatest output."""
        if self.spikes:
            return 0, 1
        low, high = self.potential_range(currents)
        return int(low.min()), int(high.max())

    def reach(self, currents: Sequence[Bounds]) -> int:
        """The largest magnitude that computing outputs from currents in some ranges can meet.

        The first number beyond the largest current counts: it stands for thresholds that are never reached.
        """
        return max(max(-int(low.min()), int(high.max()) + 1) for low, high in currents)

    def within(self, currents: Sequence[Bounds]) -> Integers:
        """Thresholds that give the same for currents in some ranges, no further out than that takes.

        Those of every number for a kind whose outputs depend on its thresholds in another way than by comparing
        potentials with them.
        """
        assert self.threshold is not None
        return self.threshold

    def never_fires(self, currents: Sequence[Bounds]) -> NDArray[np.bool_]:
        """Of each channel, whether no currents in some ranges make it fire; none, for a kind that cannot tell."""
        return np.zeros(len(currents[0][0]), bool)

    def always_fires(self, currents: Sequence[Bounds]) -> NDArray[np.bool_]:
        """Of each channel, whether it fires at every step for all currents in some ranges; none by default."""
        return np.zeros(len(currents[0][0]), bool)

    @property
    def levels(self) -> Integers | None:
        """All that its potentials are compared with, in the shape of that parameter; None if they are not."""
        levels: Integers | None = getattr(self, self.compared)
        return levels

    @property
    def state_bits(self) -> int:
        """Bits a neuron keeps between time steps, besides the history of its outputs."""
        return 0

    def summary(self) -> str:
        """Its state in words for tables; empty if it keeps none."""
        return ""

    @property
    def described(self) -> str:
        return f"{'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind.replace('_', ' ')} neuron"

    def arrays(self) -> dict[str, tuple[Array, Integers]]:
        """The parameters that are arrays, with their roles, by name."""
        declared = roles(type(self)).items()
        return {name: (role, getattr(self, name)) for name, role in declared if isinstance(role, Array)}

    def check(self, shape: Shape, timesteps: int) -> None:
        """Raise DeploymentError if an array does not fit a population (C,) or (C, H, W) or so many time steps."""
        extents = {"channel": (shape[0],), "neuron": shape, "step": (timesteps,)}
        for name, (role, array) in self.arrays().items():
            axes = ("channel" if array.ndim == 1 else "neuron",) if role.axes == EITHER else role.axes
            wanted = tuple(extent for axis in axes for extent in extents[axis])
            if array.shape != wanted:
                raise DeploymentError(
                    f"its {name.replace('_', ' ')} values {array.shape} do not fit {wanted}, one for each "
                    f"{' and '.join(axes)}"
                )

    def broadcast(self: Kind, channels: int) -> Kind:
        """The same neuron for so many channels, from arrays for one channel or for all."""
        arrays = {
            name: np.broadcast_to(array, (*array.shape[:-1], channels))
            for name, (role, array) in self.arrays().items()
            if role.axes[-1] == "channel"
        }
        return replace(self, **arrays)  # type: ignore[type-var]

    def shortened(self: Kind, timesteps: int) -> Kind:
        """The same neuron for samples of at most so many time steps, without the numbers of later steps."""
        cut = {name: array[:timesteps] for name, (role, array) in self.arrays().items() if role.axes[0] == "step"}
        return replace(self, **cut) if cut else self  # type: ignore[type-var]

    def along(self, name: str, axes: int, t: int = 0) -> Integers:
        """A parameter at time step `t`, in a shape that broadcasts over the last `axes` axes of a population."""
        role, array = self.arrays()[name]
        if role.axes[0] == "step":
            array = array[t]
        by_channel = role.axes[-1] == "channel" or (role.axes == EITHER and array.ndim == 1)
        return per_channel(array, axes) if by_channel else array


def within_range(neuron: Neuron, name: str, low: int, high: int) -> None:
    """Raise DeploymentError if numbers of an array of a neuron leave a range."""
    values = getattr(neuron, name)
    if int(values.min()) < low or int(values.max()) > high:
        raise DeploymentError(
            f"the {name.replace('_', ' ')} values of {neuron.described} must be from {low:,} to {high:,}, not "
            f"{values.min():,} to {values.max():,}"
        )
