"""The options of reading a stock file: all that NetX is told besides the file."""

from __future__ import annotations

from dataclasses import dataclass, fields

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.integer import ENDLESS, Choice, Shape, SigmaDelta, roles, whole

#: What a network's time steps are: the data's, whose step t reaches all layers at t, or Lava's, a step late each.
TIMINGS = ("aligned", "lava")

#: What the last layer of CUBA neurons puts out.
OUTPUTS = ("auto", "spikes", "voltage")

_RULE = roles(SigmaDelta)["rule"]
CHOICES = {"timing": TIMINGS, "output": OUTPUTS, "rule": _RULE.texts if isinstance(_RULE, Choice) else ()}
RANGES = {
    "timesteps": (1, ENDLESS),
    "input_message_bits": (0, 30),
    "num_layers": (1, ENDLESS),
    "skip_layers": (0, ENDLESS),
    "spike_exp": (0, 24),
}


@dataclass(frozen=True)
class Reading:
    """The options of `netx_export.load` for stock files, checked."""

    input_shape: Shape | None = None
    timesteps: int | None = None
    input_message_bits: int | None = None
    timing: str = "aligned"
    num_layers: int | None = None
    skip_layers: int = 0
    spike_exp: int = 6
    rule: str = "stock"
    output: str = "auto"

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r:.60}")
        for name, (low, high) in RANGES.items():
            if getattr(self, name) is not None:
                whole(getattr(self, name), name, low, high, ConfigurationError)
        if self.input_shape is not None:
            try:
                shape = tuple(self.input_shape)
            except TypeError:
                shape = ()
            if len(shape) not in (1, 3):
                raise ConfigurationError(f"input_shape must be (C,) or (C, H, W), not {self.input_shape!r:.60}")
            checked = tuple(whole(each, "each of input_shape", 1, 2**28, ConfigurationError) for each in shape)
            object.__setattr__(self, "input_shape", checked)

    @property
    def steps(self) -> int:
        """The largest T; nobody knows it unless it is told."""
        return ENDLESS if self.timesteps is None else self.timesteps

    @property
    def told(self) -> tuple[str, ...]:
        """The options that differ from their defaults."""
        return tuple(entry.name for entry in fields(self) if getattr(self, entry.name) != entry.default)
