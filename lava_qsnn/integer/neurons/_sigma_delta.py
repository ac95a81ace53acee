"""The sigma-delta neurons: messages are signed changes of an activation, not spikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer._dtypes import wrapped
from lava_qsnn.integer._values import Choice, Number, Shape
from lava_qsnn.integer.neurons._neuron import Bounds, Integers, Neuron, PerPlace, State, Step

#: Bits of the state below the lowest bit of a message.
FRACTION_BITS = 6

#: The forms of the neuron, and what a message leaves behind.
FORMS = ("sigma_delta", "delta", "sigma")
RULES = ("stock", "corrected")


@dataclass(frozen=True, eq=False)
class SigmaDelta(Neuron):
    """The sigma-delta neuron, as Lava's fixed-point processes SigmaDelta, Delta and Sigma compute it.

    sigma[t] = sigma[t-1] + I[t]
    a[t] = max(sigma[t] + 2^(e+6) b, 0)        form "sigma_delta";        form "delta": a[t] = 2^(e+6) I[t]
    d[t] = a[t] - a[t-1] + r[t-1]
    m[t] = d[t] if |d[t]| >= 2^(e+6) theta, else 0
    y[t] = floor(m[t] / 2^6)                   the output, a signed integer;        form "sigma": y[t] = sigma[t]
    r[t] = d[t] - m[t]                         rule "stock";        rule "corrected": r[t] = d[t] - 2^6 y[t]

    All numbers wrap to 32 bits, by which no current is too large. The stock rule forgets what the floor cuts off, and
    so drifts; the corrected one keeps it. Source: `lava.proc.sdn`, models tagged `fixed_pt`; the corrected rule is that
    of `PySigmaDeltaModelFixedCorrected` in later versions of Lava.
    """

    kind: ClassVar[str] = "sigma_delta"
    spikes: ClassVar[bool] = False
    wraps: ClassVar[bool] = True
    threshold: PerPlace  # theta
    bias: PerPlace  # b, of form "sigma_delta"
    form: Annotated[str, Choice(FORMS)] = "sigma_delta"
    exponent: Annotated[int, Number(0, 24)] = 6  # e
    rule: Annotated[str, Choice(RULES)] = "stock"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, values in (("threshold", self.threshold), ("bias", self.bias)):
            low, high = int(values.min()) << self.shift, int(values.max()) << self.shift
            if low < -(2**31) or high >= 2**31:
                raise DeploymentError(
                    f"{name} values from {values.min()} to {values.max()}, shifted by {self.shift}, leave int32",
                    remedy="use a smaller exponent",
                )

    @property
    def shift(self) -> int:
        """Bits by which thresholds, biases and inputs lie above the lowest bit of the state."""
        return self.exponent + FRACTION_BITS

    def start(self, shape: Shape) -> State:
        """sigma, a and r."""
        return np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)

    def step(self, state: State, currents: Sequence[Integers], t: int) -> Step:
        (sigma, before, residue), (current,) = state, currents
        threshold, bias = (self.along(name, current.ndim - 1) << self.shift for name in ("threshold", "bias"))
        sigma = wrapped(sigma + current, 32)
        if self.form == "sigma":
            return Step(sigma, sigma, (sigma, before, residue))
        activation = wrapped(current << self.shift, 32)
        if self.form == "sigma_delta":
            activation = np.maximum(wrapped(sigma + bias, 32), 0)
        delta = wrapped(activation - before + residue, 32)
        message = np.where(wrapped(np.abs(delta), 32) >= threshold, delta, 0)
        output = message >> FRACTION_BITS
        sent = output << FRACTION_BITS if self.rule == "corrected" else message
        return Step(output, activation, (sigma, activation, wrapped(delta - sent, 32)))

    def potential_range(self, currents: Sequence[Bounds]) -> Bounds:
        shape = currents[0][0].shape
        return np.full(shape, -(2**31), object), np.full(shape, 2**31 - 1, object)

    def output_range(self, currents: Sequence[Bounds]) -> tuple[int, int]:
        """The least and the greatest message: of form "delta" what the input's changes, kept below wrapping, allow."""
        if self.form == "sigma":
            return -(2**31), 2**31 - 1
        low, high = int(currents[0][0].min()), int(currents[0][1].max())
        changes = (max(high, 0) - min(low, 0)) << self.exponent
        limit = 2 ** (31 - FRACTION_BITS)
        return (-changes, changes) if self.form == "delta" and changes < limit else (-limit, limit - 1)

    @property
    def state_bits(self) -> int:
        """Bits of the sum, the activation and the residue, as far as the form has them."""
        return {"sigma_delta": 96, "delta": 64, "sigma": 32}[self.form]

    def summary(self) -> str:
        return f"{self.form.replace('_', '-')}, {self.rule} rule, 2^-{self.shift}"
