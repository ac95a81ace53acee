"""Nothing of this script's way to a board has ever run on Loihi hardware; its way through Lava's simulation has.

It runs the samples of this bundle through its network in unmodified lava-dl NetX, as bundle.json says, and writes what
each layer answers. It needs lava-dl and Lava, and for --hardware Intel's compiler for Loihi 2 (lava-loihi).

    python run.py                    Lava's simulation, to answers.npz
    python run.py --hardware         a board
    python compare.py answers.npz    compare with what is right
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from lava.lib.dl import netx
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2HwCfg, Loihi2SimCfg
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.monitor.process import Monitor

HERE = Path(__file__).resolve().parent


def to_frames(samples: np.ndarray, port: tuple[int, ...]) -> np.ndarray:
    """Samples (N, C, [H, W,] T) as a port's frames, (W, H, C, N T) or (C, N T), maps flattened where it is flat."""
    steps = np.moveaxis(samples, -1, 1)
    if len(port) > 1:
        steps = steps.transpose(0, 1, *range(steps.ndim - 1, 1, -1))
    return np.moveaxis(steps.reshape(-1, *port), 0, -1).astype(np.int32)


def from_frames(frames: np.ndarray, samples: int) -> np.ndarray:
    """A port's frames (W, H, C, N T) or (C, N T) as samples, int64 (N, C, [H, W,] T)."""
    steps = np.moveaxis(frames, -1, 0).astype(np.int64)
    steps = steps.reshape(samples, -1, *steps.shape[1:])
    return steps.transpose(0, *range(steps.ndim - 1, 1, -1), 1)


class Recorder:
    """One process that records a layer: its messages, or the voltage of its neurons."""

    def __init__(self, block: Any, told: dict[str, Any], steps: int, hardware: bool) -> None:
        self.is_monitor = told["read"] == "voltage" and not hardware
        if self.is_monitor:
            self.sink = Monitor()
            self.sink.probe(block.neuron.v, steps)
            return
        self.sink = Sink(shape=block.out.shape, buffer=steps)
        if not hardware:
            block.out.connect(self.sink.a_in)
        elif told["read"] == "voltage":
            from lava.proc.embedded_io.state import Read

            reader = Read(shape=block.out.shape, interval=1, offset=0)
            reader.connect_var(block.neuron.v)
            reader.out.connect(self.sink.a_in)
        else:
            from lava.proc.embedded_io.spike import NxToPyAdapter

            adapter = NxToPyAdapter(shape=block.out.shape, num_message_bits=block.output_message_bits)
            block.out.connect(adapter.inp)
            adapter.out.connect(self.sink.a_in)

    def frames(self) -> np.ndarray:
        """Everything recorded, (*port, steps)."""
        if not self.is_monitor:
            return np.asarray(self.sink.data.get())
        (values,) = (each for process in self.sink.get_data().values() for each in process.values())
        return np.moveaxis(np.asarray(values), 0, -1)


def answers_of(frames: np.ndarray, told: dict[str, Any], samples: int, late: int, steps: int) -> np.ndarray:
    """The answers of a layer to the steps of samples, (N, C, [H, W,] T), in the units of the golden vectors."""
    if told["read"] == "sum":  # the running sum of a current: its differences, weighted over the steps of a sample
        currents = from_frames(np.diff(frames[..., late - 1 : late + steps].astype(np.int64)), samples)
        values = np.zeros_like(currents)
        for back, tap in enumerate(told["taps"][: currents.shape[-1]]):
            values[..., back:] += tap * currents[..., : currents.shape[-1] - back]
        return values
    values = from_frames(frames[..., late : late + steps], samples)
    return values * told["numerator"] // told["divisor"]


def opened(plan: dict[str, Any], way: dict[str, Any]) -> Any:
    """The network, called as it needs; its resets are as late as the data are."""
    call: dict[str, Any] = {key: tuple(told) if isinstance(told, list) else told for key, told in plan["call"].items()}
    if call["reset_interval"] is not None:
        call["reset_offset"] += way["input_delay"]
    return netx.hdf5.Network(net_config=str(HERE / plan["file"]), **call)


def feed(data: np.ndarray, stock: Any, plan: dict[str, Any], hardware: bool) -> None:
    """Connect frames to the network, or to the neurons of its input block."""
    port = Source(data=data).s_out
    if hardware:
        from lava.proc.embedded_io import spike

        shape = data.shape[:-1]
        kind = spike.PyToNxAdapter if len(shape) == 1 else spike.PyToN3ConvAdapter
        adapter = kind(shape=shape, num_message_bits=plan["call"]["input_message_bits"])
        port.connect(adapter.inp)
        port = adapter.out
    port.connect(stock.layers[0].neuron.a_in if plan["feed"] == "neuron.a_in" else stock.inp)


def advance(data: np.ndarray, stock: Any, plan: dict[str, Any], config: Any) -> None:
    """Run all steps: at once, or one by one where each step's data are written into biases before it."""
    if plan["feed"] != "neuron.bias_mant":
        stock.run(condition=RunSteps(num_steps=data.shape[-1]), run_cfg=config)
        return
    bias = stock.layers[0].neuron.bias_mant
    bias.init = data[..., 0]
    stock.run(condition=RunSteps(num_steps=1), run_cfg=config)
    for step in range(1, data.shape[-1]):
        bias.set(data[..., step].astype(np.int16))
        stock.run(condition=RunSteps(num_steps=1), run_cfg=config)


def run(plan: dict[str, Any], samples: np.ndarray, hardware: bool) -> list[np.ndarray]:
    """Run samples back to back through a network just made; the answers of its layers, (N, C, [H, W,] T) each."""
    way = plan["hardware" if hardware else "simulation"]
    stock = opened(plan, way)
    fed = to_frames(samples, stock.layers[0].inp.shape)
    more = plan["latency"] + way["input_delay"] + way["output_delay"]
    data = np.concatenate([fed, np.zeros((*fed.shape[:-1], more), np.int32)], -1)
    steps = data.shape[-1]
    recorders = [Recorder(block, told, steps, hardware) for block, told in zip(stock.layers, plan["layers"])]
    if plan["feed"] != "neuron.bias_mant":
        feed(data, stock, plan, hardware)
    advance(data, stock, plan, Loihi2HwCfg() if hardware else Loihi2SimCfg(select_tag=way["select_tag"]))
    found = []
    for recorder, told in zip(recorders, plan["layers"]):
        late = told["latency"] + way["input_delay"] + way["output_delay"]
        found.append(answers_of(recorder.frames(), told, len(samples), late, fed.shape[-1]))
    stock.stop()
    stock.net_config.f.close()
    return found


def main() -> None:
    """Run all samples, together or each in a network of its own, and write the answers by layer."""
    parser = argparse.ArgumentParser(description="Run this bundle's samples in unmodified lava-dl.")
    parser.add_argument("--hardware", action="store_true", help="on a Loihi 2 board; this has never been run")
    parser.add_argument("-o", "--output", default="answers.npz", help="the file of the answers")
    chosen = parser.parse_args()
    if chosen.hardware and find_spec("lava.proc.embedded_io") is None:
        parser.error(
            "--hardware needs Intel's compiler for Loihi 2, lava-loihi, with lava.proc.embedded_io; it is not here"
        )
    plan = json.loads((HERE / "bundle.json").read_text("utf-8"))
    with np.load(HERE / "golden.npz") as golden:
        samples = golden["input"]
    parts = [samples] if plan["together"] else [samples[index : index + 1] for index in range(len(samples))]
    runs = [run(plan, part, chosen.hardware) for part in parts]
    answers = {told["key"]: np.concatenate(found) for told, *found in zip(plan["layers"], *runs)}
    np.savez_compressed(chosen.output, **answers)
    print(f"wrote the answers of {len(answers)} layers to {len(samples)} samples to {chosen.output}")


if __name__ == "__main__":
    main()
