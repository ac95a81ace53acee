"""Networks of the neurons that unmodified NetX has, with feedback, delays and sums that wrap, fixed and at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from lava_qsnn import integer

#: Neurons whose outputs other layers take.
FEEDING = ("cuba", "sigma_delta", "delta", "sigma", "rf", "rf_iz", "memory_free", "timed_memory_free", "quantized_lif")


def cuba(
    random: np.random.Generator, shape: tuple[int, ...], kind: type[integer.CUBA] = integer.CUBA, low: int = 0
) -> integer.CUBA:
    """Decays, thresholds and biases anywhere in their usual ranges, so that it fires now and then."""
    decays = random.choice([0, 100, 1024, 2048, 4096], (2, *shape))
    return kind(decays[0], decays[1], random.integers(low, 90, shape), random.integers(-20, 40, shape))


def taps(random: np.random.Generator) -> tuple[int, ...]:
    return tuple(random.integers(1, 4, random.integers(1, 4)).tolist())


def neuron(random: np.random.Generator, kind: str, shape: tuple[int, ...], steps: int = 1) -> integer.Neuron:
    """A neuron of a kind for a population and so many steps, its numbers per channel or, of some, per neuron."""
    channels = shape[:1]
    places = shape if random.integers(2) else channels
    zero = np.zeros(channels, np.int64)
    if kind in ("cuba", "cuba_readout"):
        return cuba(random, places, integer.NEURONS[kind], low=int(random.choice([0, -5])))  # type: ignore[arg-type]
    if kind in ("sigma_delta", "delta", "sigma"):
        exponent, rule = int(random.choice([0, 2, 6])), str(random.choice(["stock", "corrected"]))
        thresholds, biases = random.integers(0, 12, places), random.integers(-9, 30, places)
        return integer.SigmaDelta(thresholds, biases, kind, exponent, rule)
    if kind in ("rf", "rf_iz"):
        angle, decay = random.uniform(0.2, 3, places), random.uniform(0, 0.2, places)
        sine, cosine = (((1 - decay) * f(angle) * 4096).astype(np.int64) for f in (np.sin, np.cos))
        return integer.NEURONS[kind](sine, cosine, random.integers(0, 40, places))  # type: ignore[call-arg]
    if kind == "memory_free":
        return integer.MemoryFree(taps(random), random.integers(-9, 40, channels))
    if kind == "timed_memory_free":
        return integer.TimedMemoryFree(taps(random), random.integers(-9, 40, (steps, *channels)))
    return integer.QuantizedLIF(5, 2, "soft", zero + 1, zero, zero, random.integers(1, 60, channels))


def synapse(random: np.random.Generator, out: int, source: tuple[int, ...], reach: int) -> integer.Synapse:
    """A dense synapse, its weights with delays or without: per synapse, per target or per source."""
    weight = random.integers(-reach, reach + 1, (out, int(np.prod(source))))
    delays = {1: weight.shape, 2: (out, 1), 3: (1, weight.shape[1])}.get(int(random.integers(6)))
    if delays is None:
        return integer.Dense(weight)
    return integer.DelayedDense(weight, random.integers(0, 4, delays))


def connection(random: np.random.Generator, source: str, of: integer.Synapse, port: int, delay: int) -> Any:
    """A connection whose sums wrap or are shifted, half of the time."""
    bits, shift = (0, 0) if random.integers(2) else (int(random.choice([0, 9, 24, 32])), int(random.integers(4)))
    return integer.Connection(source, of, delay, port, sum_bits=bits, sum_shift=shift)


@st.composite
def networks(draw: st.DrawFn, most: int = 4) -> integer.IntegerNetwork:
    """Up to so many layers behind a map or a vector; each has a way from the input, many have one back."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes: dict[str, tuple[int, ...]] = {"input": draw(st.sampled_from([(3,), (2, 3, 2)]))}
    steps = draw(st.integers(1, 9))
    kinds = draw(st.lists(st.sampled_from(FEEDING), min_size=1, max_size=most))
    if draw(st.booleans()):
        kinds[-1] = draw(st.sampled_from(["cuba_readout", *FEEDING]))
    reach = draw(st.sampled_from([3, 30, 2**20, 2**31 - 1]))
    shapes |= {f"{index}": (int(random.integers(1, 5)),) for index in range(len(kinds))}
    feeding = ["input", *(f"{index}" for index, kind in enumerate(kinds) if kind != "cuba_readout")]
    layers = []
    for index, kind in enumerate(kinds):
        made = neuron(random, kind, shapes[f"{index}"], steps)
        sources = [str(random.choice(["input", *map(str, range(index))]))]
        sources += map(str, random.choice(feeding, random.integers(3)))
        links = []
        for source in sources:
            is_forward = source == "input" or int(source) < index
            far = reach if made.wraps and random.integers(2) else 9
            of = synapse(random, shapes[f"{index}"][0], shapes[source], far)
            port = int(random.integers(len(made.currents)))
            links.append(connection(random, source, of, port, int(random.integers(4)) + (not is_forward)))
        layers.append(integer.Layer(f"{index}", tuple(links), made))
    maximum, minimum = draw(st.sampled_from([(1, 0), (9, -9), (2**24, -(2**24))]))
    fed = integer.Input(shapes["input"], maximum, minimum)
    return integer.IntegerNetwork(fed, steps, tuple(layers))


def circles() -> integer.IntegerNetwork:
    """A fixed network of every new kind: a layer that feeds itself, two that feed each other, and a way around them."""
    random = np.random.default_rng(0)

    def dense(out: int, source: int, reach: int = 30) -> integer.Dense:
        return integer.Dense(random.integers(-reach, reach + 1, (out, source)))

    def delayed(out: int, source: int) -> integer.DelayedDense:
        return integer.DelayedDense(random.integers(-30, 31, (out, source)), random.integers(0, 5, (out, source)))

    link, layer = integer.Connection, integer.Layer
    conv = integer.Conv(random.integers(-9, 20, (3, 2, 2, 2)), padding=(1, 0))
    sines = np.array([1500, 2900, 3500, 600]), np.array([3700, 2700, 1900, 3900])
    to_ring = link("map", dense(6, 30), sum_bits=32, sum_shift=1), link("ring", delayed(6, 6), 1)
    to_one = link("ring", delayed(5, 6)), link("other", dense(5, 4), 1, 1, sum_shift=2)
    to_rf = link("changes", dense(4, 5, 3)), link("ring", dense(4, 6), 0, 1), link("rf", dense(4, 4), 2)
    to_rf_iz = link("rf", dense(4, 4)), link("other", dense(4, 4), 0, 1)
    layers = (
        layer("map", (link("input", conv, sum_bits=24),), cuba(random, (3, 5, 2))),
        layer("ring", to_ring, cuba(random, (6,))),
        layer("one", to_one, cuba(random, (5,))),
        layer("other", (link("one", dense(4, 5)), link("map", dense(4, 30), 3)), cuba(random, (4,))),
        layer("changes", (link("one", dense(5, 5, 2**13)),), integer.SigmaDelta([3] * 5, [2] * 5)),
        layer("rf", to_rf, integer.RF(*sines, [20] * 4)),
        layer("rf_iz", to_rf_iz, integer.RFIzhikevich(*sines, [30] * 4)),
        layer("aside", (link("rf", dense(2, 4)), link("out", dense(2, 3), 1)), cuba(random, (2,))),
        layer("out", (link("rf_iz", dense(3, 4)), link("changes", dense(3, 5), 1)), cuba(random, (3,))),
    )
    return integer.IntegerNetwork(integer.Input((2, 4, 3)), 16, layers)


def batch(network: integer.IntegerNetwork, samples: int, steps: int | None = None, seed: int = 0) -> NDArray[np.int64]:
    """Inputs at random, over the whole range; the first sample is all greatest, the second all least."""
    low, high = network.input.minimum, network.input.maximum
    shape = (samples, *network.input.shape, network.timesteps if steps is None else steps)
    x = np.random.default_rng(seed).integers(low, high + 1, shape)
    x[0] = high
    x[-1] = low
    return x
