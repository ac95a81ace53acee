"""The words of a bundle: its page, and the script that stands in where stock lava-dl cannot compute the network."""

from __future__ import annotations

from collections.abc import Iterable
from string import Template

from netx_export._bundle._plan import NEVER_ON_HARDWARE, Plan
from netx_export._chip.layout import Layout
from netx_export._chip.rules import RuleFinding

#: Severities of design rules that somebody with a board must look at.
SHOWN = ("error", "unknown", "warning")

#: Own processes of this project, for a network that unmodified NetX does not compute.
SIMULATE = Template(
    '''"""$status It needs lava-qsnn, for stock lava-dl does not compute this network.

    python simulate.py && python compare.py answers.npz
"""

import json
from pathlib import Path

import netx_export
import numpy as np

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    layers = json.loads((HERE / "bundle.json").read_text("utf-8"))["layers"]
    samples = np.load(HERE / "golden.npz")["input"]
    outputs = netx_export.simulate_layers(HERE / "network.net", samples, backend="$backend")
    np.savez_compressed("answers.npz", **{layer["key"]: outputs[layer["name"]] for layer in layers})
    print(f"wrote the answers of {len(layers)} layers to {len(samples)} samples to answers.npz")
'''
)

FILES = """
| file | what it is |
|---|---|
| `network.net` | the network |
| `bundle.json` | what the scripts are told: the call of NetX, where data go in, where and how late each layer is read |
| `golden.npz` | the samples, `input`, and the answers of each layer, `layer0`, `layer1`, .., right bit for bit |
| `{script}` | {about} |
| `compare.py` | compares answers with golden vectors, names the first layer and time step that differ; needs numpy |
| `layout.json`, `report.html` | cores, memories and design rules of the chip; the network on one page |

Arrays are integers (samples, channels, [height, width,] time steps).
"""

STOCK = """
## Run it

    python run.py                       # Lava's simulation, which was compared
    python run.py --hardware            # a board, which was not
    python compare.py answers.npz

`run.py` imports numpy, lava-dl and Lava, and nothing else. It opens the network by

    netx.hdf5.Network(net_config="network.net", {call})

{together}

The last layer's golden vector of step t is its answer at step t + {latency} of the run. The simulation is that of
`Loihi2SimCfg(select_tag="fixed_pt")`; the hardware's is `Loihi2HwCfg()`, with the adapters of `lava.proc.embedded_io`
before the first layer and behind each. They add time steps: `hardware` in `bundle.json` says one before and one behind,
as lava-dl's own PilotNet notebook counts them, and `reset_offset` moves with the first. If `compare.py` finds the very
first steps wrong on a board, look there first.
"""

MISSING = """
## What is missing for a board

Unmodified NetX does not compute this network, so there is no script for hardware here:

{reasons}

Neurons that a chip does not have need a program of their own (microcode), written with tools that Intel gives its
partners, and nobody outside can say whether one fits. The golden vectors judge such a program layer by layer: write
what each layer answers to the samples into an `.npz` file with the names of `golden.npz`, and run `compare.py` on it.

## Simulate it

    python simulate.py                  # needs lava-qsnn
    python compare.py answers.npz
"""


def readme(plan: Plan, layout: Layout | str) -> str:
    """The bundle's page, in Markdown; its first line says what has never run on hardware."""
    script = "simulate.py" if plan.missing else "run.py"
    about = "runs the samples on lava-qsnn's Lava processes" if plan.missing else "runs the samples in stock lava-dl"
    body = _missing(plan) if plan.missing else _stock(plan)
    head = f"{NEVER_ON_HARDWARE}\n\n# A network, for somebody with a board\n"
    return head + FILES.format(script=script, about=about) + body + _rules(layout)


def _stock(plan: Plan) -> str:
    call = ", ".join(f"{name}={value!r}" for name, value in plan.call.items())
    together = (
        "and feeds the samples back to back."
        if plan.together
        else "anew for each sample, for NetX does not reset all that its layers keep. Time steps are Lava's: all\n"
        "layers begin at the first, each answers one step after the one before it, and samples end with silence."
    )
    return STOCK.format(call=call, together=together, latency=plan.latency)


def _missing(plan: Plan) -> str:
    return MISSING.format(reasons="\n".join(f"- {reason}" for reason in plan.missing))


def _rules(layout: Layout | str) -> str:
    """The chip's verdict: the findings that matter on a board."""
    head = "\n## The chip\n\n"
    if isinstance(layout, str):
        return f"{head}It was not laid out: {layout}\n"
    lines = [
        f"On {layout.chip.name} it takes, by the compiler's rules, cores: {layout.cores:,}, chips: {layout.chips:,}; "
        f"at the least, cores: {layout.tight_cores:,}."
    ]
    found = [finding for finding in layout.findings if finding.severity in SHOWN]
    return head + "\n".join([*lines, *([""] if found else []), *_lines(found)]) + "\n"


def _lines(findings: Iterable[RuleFinding]) -> Iterable[str]:
    return (f"- {each.severity} ({each.rule}): {each}" for each in findings)
