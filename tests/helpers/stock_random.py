"""Random stock files, as hostile as the reader allows: every layer and neuron, odd numbers, and ways of storing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.helpers.stock_netx import Group, text

KINDS = ("cuba", "sdnn", "rf", "mixed")

#: Where weights stop being what they say: signs, odd numbers, powers of two, what is clipped.
RANGES = [(-8, 9), (-20, 31), (-128, 128), (-255, 256), (0, 30), (0, 256), (-30, 0), (-256, 1), (-400, 300), (0, 400)]


@dataclass
class Stock:
    """A stock file to be, with what NetX and `netx_export.load` are told of it."""

    groups: list[Group]
    input_shape: tuple[int, ...]
    bits: int = 0  # of messages that come in
    begins: str = ""  # the kind of an input block
    storage: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)  # of each dataset

    @property
    def netx_options(self) -> dict[str, Any]:
        return {"input_message_bits": self.bits, "input_shape": self.input_shape[::-1]}

    @property
    def load_options(self) -> dict[str, Any]:
        bits = {} if self.begins else {"input_message_bits": self.bits}
        return {"input_shape": self.input_shape, **bits}

    def write(self, path: Path) -> None:
        with h5py.File(path, "w", **self.storage) as file:
            for index, group in enumerate(self.groups):
                for name, value in group.items():
                    array = np.asarray(value)
                    chunked = array.ndim and array.dtype.kind in "iuf"
                    file.create_dataset(f"layer/{index}/{name}", data=value, **(self.options if chunked else {}))


def random_stock(random: np.random.Generator) -> Stock:
    return _Maker(random).stock()


class _Maker:
    """Draws the parts of a file."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        self.kind = self.pick(KINDS)
        self.most = self.pick([20, 60, 300])  # neurons of a dense layer

    def pick(self, values: Any) -> Any:
        return values[int(self.random.integers(len(values)))]

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def between(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def stock(self) -> Stock:
        spatial = self.kind != "rf" and self.chance(0.6)
        shape: tuple[int, ...] = (self.between(1, self.most),)
        if spatial:
            high = 18 if self.most > 60 else 9
            shape = (self.between(1, 4), self.between(3, high), self.between(3, high))
        begins = self.pick(["cuba", "sdnn"]) if self.kind in ("cuba", "sdnn") and self.chance(0.4) else ""
        begins = self.kind if begins else ""
        bits = 0 if begins or self.chance(0.6 if self.kind != "sdnn" else 0.2) else self.pick([1, 4, 8, 16])
        options = self.storage()
        made = Stock([], shape, bits, begins, {} if options else self.pick([{}, {"libver": "v110"}]), options)
        if begins:
            made.groups.append({"type": text("input"), "shape": np.array(shape), **self.input_neuron(begins)})
        elif self.chance(0.5):
            made.groups.append({"type": "input", "shape": np.array(shape)})
        graded = bits > 0 or begins == "sdnn"
        for _ in range(self.between(1, 4)):
            family = self.kind if self.kind != "mixed" else self.pick(["cuba", "sdnn", "rf"])
            if len(shape) == 3 and family != "rf" and self.chance(0.7) and min(shape[1:]) > 1:
                group, shape = self.conv(shape, family)
            else:
                if len(shape) == 3:
                    made.groups.append({"type": text("flatten")})
                group, shape = self.dense(int(np.prod(shape)), family, graded)
            made.groups.append(group)
            graded = family == "sdnn"
        return made

    def storage(self) -> dict[str, Any]:
        return self.pick(
            [
                {},
                {},
                {},
                {"compression": "gzip"},
                {"chunks": True},
                {"compression": "gzip", "shuffle": True, "fletcher32": True},
            ]
        )

    def conv(self, source: tuple[int, ...], family: str) -> tuple[Group, tuple[int, ...]]:
        groups = self.pick([g for g in (1, 1, 2, 3) if source[0] % g == 0])
        out = groups * self.between(1, 6 // groups)
        kernel = [self.between(1, min(3, extent)) for extent in source[1:]]
        dilation = [self.between(1, 2) if extent >= 2 * (k - 1) + 1 else 1 for extent, k in zip(source[1:], kernel)]
        stride, padding = [self.between(1, 2) for _ in range(2)], [self.between(0, 2) for _ in range(2)]
        extents = [
            (e + 2 * p - d * (k - 1) - 1) // s + 1
            for e, p, d, k, s in zip(source[1:], padding, dilation, kernel, stride)
        ]
        shape = (out, *extents)
        weight = self.weights((out, source[0] // groups, *kernel, *([1] if self.chance(0.5) else [])))
        geometry = {"stride": stride, "padding": padding, "dilation": dilation}
        group = {
            "type": text("conv"),
            "shape": np.array(shape),
            "weight": weight,
            "groups": groups,
            **{n: np.array(v) if v[0] != v[1] or self.chance(0.5) else v[0] for n, v in geometry.items()},
            **self.neuron(family, shape),
        }
        if family == "cuba" or "neuron/sigma_output" not in group:
            self.add_bias(group, [(out,), shape[::-1]])
        if self.chance(0.1):
            group["delay"] = self.random.integers(0, 4, out)  # which NetX passes over
        return group, shape

    def dense(self, inputs: int, family: str, graded: bool) -> tuple[Group, tuple[int, ...]]:
        out = self.between(1, self.most)
        if family == "rf":
            real, imaginary = self.weights((out, inputs)), self.weights((out, inputs))
            named = {"weight/real": real, "weight/imag": imaginary}
            return {"type": text("dense"), "shape": np.array([out]), **named, **self.neuron(family, (out,))}, (out,)
        recurrent = self.chance(0.3) and (family == "cuba" or graded)
        delayed = self.chance(0.35) and not graded and inputs <= 80
        if recurrent and delayed:
            out = inputs
        out = min(out, 80) if delayed else out
        weight = self.weights((out, inputs))
        neuron = self.neuron(family, (out,)) if family != "cuba" or self.chance(0.9) else {}
        group = {"type": text("dense"), "shape": np.array(self.pick([[out], [out, 1, 1]])), "weight": weight, **neuron}
        if self.chance(0.1) and not recurrent:
            group["weight"] = weight.ravel()
        if recurrent:
            group |= {"type": text("dense_rec"), "weight_rec": self.weights((out, out), 0.1)}
        if delayed:
            if not recurrent and weight.max() <= 0:
                weight[0, 0] = 1  # what loses bits with delays is refused
                group["weight"] = weight
            group["delay"] = self.delays(out, inputs, recurrent)
        if "neuron/sigma_output" not in group:
            self.add_bias(group, [(out,), (1,), ()])
        return group, (out,)

    def delays(self, out: int, inputs: int, recurrent: bool) -> Any:
        most = self.pick([1, 3, 10, 62, 80])
        shape = self.pick([(), (out,), (inputs,), (out, inputs)])
        delays = self.random.integers(0, most + 1, shape)
        return delays.astype(np.float32) if self.chance(0.3) else delays

    def weights(self, shape: tuple[int, ...], zero_chance: float = 0.0) -> Any:
        low, high = self.pick(RANGES)
        weight = self.random.integers(low, high, shape)
        if self.chance(0.3):
            weight = weight // self.pick([2, 4, 16]) * self.pick([2, 4, 16])
        if self.chance(0.3):
            weight *= self.random.random(shape) < 0.5
        if self.chance(0.1):
            weight.flat[0] = -(2 ** self.between(0, 8))
        if self.chance(zero_chance):
            weight[...] = 0
        elif not weight.any():
            weight.flat[0] = self.pick([1, -1, 3])
        if self.chance(0.5):
            return weight.astype(np.float32)
        if self.chance(0.2):
            return weight + 0.5 * np.sign(weight)
        return weight.astype(self.pick([np.int16, np.int32, np.int64]))

    def add_bias(self, group: Group, shapes: list[tuple[int, ...]]) -> None:
        if self.chance(0.6):
            limit = self.pick([10, 100, 3000, 40000])
            if group.get("neuron/type") is not None and group["neuron/type"] == text("SDNN"):
                limit = min(limit, 3000)
            group["bias"] = self.random.integers(-limit, limit + 1, self.pick(shapes)).astype(np.float32)

    def input_neuron(self, kind: str) -> Group:
        if kind == "sdnn":
            return {"neuron/type": text("SDNN"), "neuron/vThMant": self.between(0, 20)}
        return self.neuron("cuba", ())

    def neuron(self, family: str, shape: tuple[int, ...]) -> Group:
        if family == "sdnn":
            group: Group = {"neuron/type": text("SDNN"), "neuron/vThMant": self.pick([0, 1, 5, 30, 300, -2])}
            return group | ({"neuron/sigma_output": self.chance(0.5)} if self.chance(0.2) else {})
        if family == "rf":
            return self.resonator(shape)
        decays = [0, 1, 300, 1024, 2048, 3000, 4095, 4096]
        return {
            "neuron/type": self.pick([text("CUBA"), text("LOIHI"), "CUBA"]),
            "neuron/iDecay": self.placed(shape, lambda size: self.random.choice(decays, size)),
            "neuron/vDecay": self.placed(shape, lambda size: self.random.choice(decays, size)),
            "neuron/vThMant": self.placed(
                shape,
                lambda size: self.random.choice([-3, 0, 5, 40, 200, 1000, 65536, 131071, 131072], size, p=THRESHOLDS),
            ),
            **({"neuron/refDelay": 2, "neuron/wgtExp": 1} if self.chance(0.1) else {}),
        }

    def resonator(self, shape: tuple[int, ...]) -> Group:
        decay, period = self.random.random(shape) * 0.3, 2.2 + 30 * self.random.random(shape)
        if self.chance(0.5):
            decay, period = decay[:1], period[:1]
        sine = (1 - decay) * np.sin(2 * np.pi / period) * 4096
        cosine = (1 - decay) * np.cos(2 * np.pi / period) * 4096
        sign = self.pick([1, 1, 1, -1])
        kept = (lambda values: values) if self.chance(0.2) else np.int64
        return {
            "neuron/type": text(self.pick(["RF", "RF_PHASE", "RF_IZ", "ADRF_IZ", "ADRF_PHASE"])),
            "neuron/sinDecay": self.scalar(kept(sign * sine)),
            "neuron/cosDecay": self.scalar(kept(cosine)),
            "neuron/vThMant": self.pick([0, 5, 60, 300]),
            **({"neuron/messageBits": 4} if self.chance(0.1) else {}),
        }

    def scalar(self, values: Any) -> Any:
        return values.ravel()[0] if values.size == 1 else values

    def placed(self, shape: tuple[int, ...], draw: Any) -> Any:
        """One number, one for each channel, or one for each neuron in Lava's order."""
        form = self.random.random()
        if form < 0.5 or not shape:
            return draw(None)
        return draw(shape[0]) if form < 0.8 else draw(shape[::-1])


THRESHOLDS = [0.04, 0.06, 0.1, 0.3, 0.3, 0.14, 0.02, 0.02, 0.02]
