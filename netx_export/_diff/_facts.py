"""The differences of two networks, as data."""

from __future__ import annotations

from dataclasses import dataclass

from netx_export._findings import CLEAN, FAILED, WARNED
from netx_export._verify import Row


@dataclass(frozen=True)
class Change:
    """One difference of structure or numbers, in words; `layer` is the first network's name for it, None the whole."""

    layer: str | None
    what: str
    words: str


@dataclass(frozen=True)
class Overlay:
    """One sample's outputs of two layers, laid over each other: a row a neuron, a number a time step.

    0 where both are 0; 1 where they are equal and not 0; 2 where the first one's is larger; 3 where it is smaller.
    """

    neurons: int  # of the population
    steps: int  # of the sample
    shown: tuple[int, ...]  # the neurons of the rows
    rows: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class LayerDiff:
    """Two layers on the same input.

    Args:
        one, other: their names.
        rates: the fractions of their values that are not 0.
        row: how many values differ, and the first; see `netx_export.Row`.
        per_step: the fraction of values that differ at each time step.
        overlay: of the sample in which the networks part first.
    """

    one: str
    other: str
    rates: tuple[float, float]
    row: Row
    per_step: tuple[float, ...]
    overlay: Overlay


@dataclass(frozen=True)
class NetworkDiff:
    """The differences of two networks.

    Args:
        titles: of the two, their files' names.
        changes: of structure and numbers, in words, from the input to the last layer.
        layers: layers that belong together, on the same input; empty if no input fits both networks.
        samples: how many inputs they were compared on.
        random: True if these were random.
    """

    titles: tuple[str, str]
    changes: tuple[Change, ...]
    layers: tuple[LayerDiff, ...]
    samples: int
    random: bool

    @property
    def same(self) -> bool:
        """True if the networks are equal in all numbers."""
        return not self.changes

    @property
    def first(self) -> LayerDiff | None:
        """The first layer in which the outputs part; None if they do not."""
        return next((layer for layer in self.layers if layer.row.mismatches), None)

    @property
    def exit_status(self) -> int:
        """The exit status of `lava-qsnn diff`: 0 for equal networks, 3 if only numbers differ, 4 if outputs do, too."""
        if self.first is not None or (self.changes and not self.layers):
            return FAILED
        return WARNED if self.changes else CLEAN
