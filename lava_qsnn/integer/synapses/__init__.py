"""Synapses of deployed networks: one dataclass a kind, its equation in the docstring; `Synapse` is their contract."""

from lava_qsnn.integer.synapses._kinds import Conv, DelayedDense, Dense, OneToOne
from lava_qsnn.integer.synapses._pooling import SumPool, merge
from lava_qsnn.integer.synapses._synapse import Synapse, weight_range

__all__ = ["Conv", "DelayedDense", "Dense", "OneToOne", "SumPool", "Synapse", "merge", "weight_range"]
