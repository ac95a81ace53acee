"""The studies that study.py runs: variants of one training that differ in what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Changes = Mapping[str, Any]  # of a configuration, by dotted keys


@dataclass(frozen=True)
class Study:
    """Trainings to compare.

    Args:
        title: of its table and picture.
        config: the shipped configuration that all start from.
        common: changes that all have.
        variants: further changes, by the name of each variant.
    """

    title: str
    config: str
    common: Changes
    variants: Mapping[str, Changes]


#: The network of `history.py cifar10` in minutes on one core: 10,000 images an epoch, another choice of them in each.
SMALL_CIFAR10: Changes = {
    "data.augment": False,
    "data.batch_size": 64,
    "model.channels": [8, 16, 32],
    "model.hidden": [128],
    "model.first_bits": 8,
    "model.target": "any",
    "trainer.max_epochs": 3,
    "trainer.options": {"limit_train_batches": 156, "limit_val_batches": 2},
}

#: The same on 20,000 images an epoch, by the recipe of the deeper network of the configuration `cifar10_deep`.
TUNED_CIFAR10: Changes = {
    **SMALL_CIFAR10,
    "optimizer.name": "muon",
    "optimizer.learning_rate": 0.002,
    "trainer.max_epochs": 4,
    "trainer.options": {"limit_train_batches": 312},
}

FULL = {"family": "lif", "decay": 0.5, "reset": "hard", "surrogate": "fast_sigmoid"}
FEW = {"family": "quantized_lif", "potential_bits": 4, "decay": 0.5, "reset": "hard", "surrogate": "fast_sigmoid"}
FREE = {"family": "memory_free", "history": 4, "taps": "shift", "surrogate": "fast_sigmoid"}

WEIGHT = {"model.weight_regulation": True}
SPIKE = {"optimizer.spike_regulation": 0.05}


def _thresholds() -> dict[str, Changes]:
    """Both neurons, with the same thresholds, and widths of the surrogate gradient, to choose from."""
    kinds = {"full-precision potential": FULL, "memory-free": FREE}
    places: dict[str, Changes] = {
        "threshold 1.0": {"threshold": 1.0},
        "threshold 0.5": {"threshold": 0.5},
        "threshold 0.25": {"threshold": 0.25},
        "threshold 1.0, width 0.5": {"threshold": 1.0, "tau_grad": 0.5},
        "threshold 0.5, width 0.5": {"threshold": 0.5, "tau_grad": 0.5},
    }
    return {
        f"{name}, {place}": {"model.neuron": {**neuron, **values}}
        for place, values in places.items()
        for name, neuron in kinds.items()
    }


def _tuned() -> dict[str, Changes]:
    """Each neuron with the triangle, and the same twelve places to choose one from by the validation accuracy."""
    pasts: dict[str, Changes] = {
        "full-precision potential, decay 0.5": FULL,
        "full-precision potential, decay 0.75": {**FULL, "decay": 0.75},
        "memory-free, shift taps": FREE,
        "memory-free, geometric taps": {**FREE, "taps": "geometric", "decay": 0.9},
        "memory-free, norms of each step, spread 0.4": {**FREE, "step_norms": 4, "threshold_spread": 0.4},
        "memory-free, norms of each step, spread 0.8": {**FREE, "step_norms": 4, "threshold_spread": 0.8},
    }
    return {
        f"{name}, threshold {threshold}, width {width}": {
            "model.neuron": {**neuron, "surrogate": "triangle", "threshold": threshold, "tau_grad": width}
        }
        for threshold in (0.4, 0.8, 1.6)
        for width in (0.7, 1.4)
        for name, neuron in pasts.items()
    }


def _regulation(neurons: Mapping[str, Changes]) -> dict[str, Changes]:
    """Each neuron without regulation, with that of weights, of spikes, and with both."""
    parts: dict[str, Changes] = {"none": {}, "weight": WEIGHT, "spike": SPIKE, "both": {**WEIGHT, **SPIKE}}
    return {
        f"{name}, {part}": {"model.neuron": neuron, **changes}
        for name, neuron in neurons.items()
        for part, changes in parts.items()
    }


SLOW = {"family": "memory_free", "history": 16, "taps": "geometric", "surrogate": "fast_sigmoid", "threshold": 1.0}

STUDIES = {
    "threshold_cifar10": Study(
        "CIFAR-10, cnn 8-16-32-128, T = 4: two neurons and their thresholds", "cifar10", SMALL_CIFAR10, _thresholds()
    ),
    "gap_cifar10": Study(
        "CIFAR-10, cnn 8-16-32-128, T = 4, Muon: three neurons, tuned alike", "cifar10", TUNED_CIFAR10, _tuned()
    ),
    "regulation_digits": Study(
        "Digits, 64-128-128-10, T = 4: weight-spike dual regulation",
        "digits",
        {"model.target": "any"},
        _regulation({"memory-free": {**FREE, "threshold": 0.5}, "4-bit potential": {**FEW, "threshold": 0.5}}),
    ),
    "regulation_spoken": Study(
        "Spoken digits as level crossings, 80-128-128-10, T = 64: weight-spike dual regulation",
        "spoken_crossings",
        {"trainer.max_epochs": 12},
        _regulation({"memory-free": SLOW}),
    ),
}
