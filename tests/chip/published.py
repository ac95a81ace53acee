"""Results that compilers of Loihi printed in public notebooks, as rows of shapes, bits and cores; no weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from netx_export import Population, Projection, chain

_PILOTNET: tuple[dict[str, Any], ...] = (
    {"channels": 24, "kernel": 3, "stride": 2},
    {"channels": 36, "kernel": 3, "stride": 2},
    {"channels": 48, "kernel": 3, "stride": 2},
    {"channels": 64, "kernel": 3, "stride": (2, 1), "padding": (1, 0)},
    {"channels": 64, "kernel": 3},
    {"channels": 100},
    {"channels": 50},
    {"channels": 10},
    {"channels": 1},
)

#: lava-dl, tutorials/lava/lib/dl/netx/pilotnet_sdnn and pilotnet_snn: bits of each layer, by their weights.
PILOTNET_SDNN = chain(
    (3, 66, 200),
    [row | {"bits": bits, "neuron": "sigma_delta"} for row, bits in zip(_PILOTNET, (6, 5, 4, 5, 4, 4, 6, 5, 4))],
)
_LIF = chain((3, 66, 200), [row | {"bits": bits} for row, bits in zip(_PILOTNET, (5, 4, 4, 4, 4, 3, 4, 5, 6))])
PILOTNET_LIF = (
    Population("pixels", (3, 66, 200)),
    replace(_LIF[0], projections=(replace(_LIF[0].projections[0], source="pixels"),)),
    *_LIF[1:],
)


@dataclass(frozen=True)
class Row:
    """Cores of a layer; of one of its cores the neurons allotted, and on average the words and entries of AxonMap."""

    cores: int
    neurons: int
    synmem_words: int
    axon_map: int | None = None


#: pilotnet_sdnn/benchmark.ipynb (2022): averages over a layer's cores, rounded down.
PILOTNET_TABLE = (
    Row(25, 3072, 81, 253),
    Row(13, 2160, 864, 113),
    Row(3, 2688, 1620, 112),
    Row(3, 2048, 2592, 29),
    Row(2, 2048, 2880, 1280),
    Row(12, 8, 7253),
    Row(1, 50, 1500),
    Row(1, 10, 150),
    Row(1, 1, 10),
)

#: pilotnet_snn/benchmark.ipynb (2022): the same but for these layers' words.
PILOTNET_LIF_WORDS = {3: 2160, 5: 7253, 6: 1300}

#: netx/mnist/run.ipynb (2024): 78.40, 16.80 and 1.60 % of 16,000 words for cores of 50, 64 and 10 neurons.
MNIST = chain((784,), [{"channels": channels} for channels in (128, 64, 10)])
MNIST_TABLE = (Row(3, 50, 12_544), Row(1, 64, 2_688), Row(1, 10, 256))


def yolo(bits: int) -> tuple[Population, ...]:
    """The convolutions of netx/yolo_kp/run.ipynb (2024): output channels, kernel, stride."""
    rows = (
        (16, 3, 2),
        (32, 3, 2),
        (64, 3, 2),
        (128, 3, 2),
        (256, 3, 1),
        (256, 3, 2),
        (512, 3, 1),
        (256, 1, 1),
        (512, 3, 1),
        (48, 1, 1),
    )
    layers = [
        {"channels": c, "kernel": k, "stride": s, "padding": k // 2, "bits": bits, "neuron": "sigma_delta"}
        for c, k, s in rows
    ]
    return chain((3, 448, 448), layers)


YOLO_CORES = (224, 112, 56, 28, 56, 16, 32, 14, 32, 4)

#: netx/oxford (2022): 5 = 3 + 2 cores; unsplit, the two layers take 16,200 and 16,128 words.
OXFORD = chain((200,), [{"channels": 256}, {"channels": 200}])
OXFORD_CORES, OXFORD_WORDS = 5, (16_200, 16_128)

#: Branch S4D_debug, sCIFAR/profiling_scripts/num_cores_estimate.ipynb: 256 features of 16 states, their sums, and a
#: dense layer of weights 0 to 9. What leads to states and sums is sparse there, and left out here.
S4D = (
    Population("states", (4096,), neuron="s4d"),
    Population("sums", (256,)),
    Population("mixed", (256,), (Projection("sums", (256,), "dense", bits=4),)),
)
S4D_CORES = 7
