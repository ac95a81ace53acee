"""ResNet-19 on CIFAR-10 in pieces of minutes, with torch alone: what `gpu.sh` trains, resumes and brings home.

    python -m benchmarks.gpu_resnet19 pack FOLDER     # CIFAR-10's binary version to two files that travel

1-bit weights (8 bits in the first and the last layer), T = 4 and a history of 4 time steps, pixels of 6 bits. The whole
state is kept after each epoch, and a training goes on where it was; weights alone are brought home, in pieces, and it
goes on from these on a fresh machine, with moments of the optimizer that are new.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks._packed import pack, read_binary
from benchmarks._packed import unpack as unpacked

BITS, STEPS, HELD_OUT = 6, 4, 5000
PARTS = ("cifar10.0.xz", "cifar10.1.xz")
FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
#: Bytes of a piece of the weights.
PIECE = 15 * 2**20


def write_parts(source: Path, folder: Path) -> list[Path]:
    """Pack CIFAR-10's binary version into two files: the first three batches, and the others with the test's."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, files in zip(PARTS, (FILES[:3], FILES[3:])):
        images, labels = read_binary([source / file for file in files])
        (folder / name).write_bytes(pack(images, labels, BITS))
    return [folder / name for name in PARTS]


def unpack(folder: Path) -> dict[str, Any]:
    """Write the binary version's files from the parts that are there; FileNotFoundError if there is none."""
    found = [name for name in PARTS if (folder / name).exists()]
    if not found:
        raise FileNotFoundError(f"neither of {', '.join(PARTS)} is in '{folder}'")
    for name in found:
        images, labels = unpacked((folder / name).read_bytes())
        rows = np.concatenate([labels[:, None], images.reshape(len(images), -1)], 1)
        for file, part in zip(FILES[:3] if name == PARTS[0] else FILES[3:], np.array_split(rows, 3)):
            part.tofile(folder / file)
    return {"unpacked": found, "still missing": [file for file in FILES if not (folder / file).exists()]}


def network(quick: bool) -> nn.Module:
    """ResNet-19 of the literature of spiking networks, or a small one of its kind."""
    from lava_qsnn import synapse
    from lava_qsnn.block import memory_free as family

    neuron = {"threshold": 0.5, "history": STEPS, "taps": "shift", "surrogate": "fast_sigmoid"}
    channels, blocks, hidden = ((4, 6, 8), (1, 1, 1), 8) if quick else ((128, 256, 512), (3, 3, 2), 256)

    def conv(source: int, target: int, stride: int = 1, bits: int = 1) -> nn.Module:
        return family.Conv(dict(neuron), source, target, 3, stride=stride, padding=1, weight_bits=bits)

    layers, source = [conv(3, channels[0], bits=8)], channels[0]
    for stage, (target, count) in enumerate(zip(channels, blocks)):
        for index in range(count):
            stride = 2 if stage and not index else 1
            shortcut = synapse.Conv(source, target, 1, stride=stride, weight_bits=1) if source != target else None
            pair = conv(source, target, stride), conv(target, target)
            layers.append(family.Residual(*pair, shortcut=shortcut))
            source = target
    layers += [family.Pool(None, 8), family.Flatten(), family.Dense(dict(neuron), source, hidden)]
    return nn.Sequential(*layers, family.Output(hidden, 10, weight_bits=8))


class Training:
    """A training and its state.

    Args:
        folder: of data and checkpoint.
        device: "cuda" or "cpu".
        quick: a small network on few images.
    """

    def __init__(self, folder: Path, device: str, quick: bool) -> None:
        self.path, self.device, self.epoch = folder / "resnet19.pt", device, 0
        self.epochs, self.batch = (2, 32) if quick else (100, 250)
        torch.manual_seed(0)
        self.net = network(quick).to(device)
        fused = True if device == "cuda" else None
        self.optimizer = torch.optim.AdamW(self.net.parameters(), 5e-3, weight_decay=0.05, fused=fused)
        self.images, self.labels = _load(folder, FILES[:5], device, 200 if quick else None)
        self.test = _load(folder, FILES[5:], device, 100 if quick else None)
        order = torch.randperm(len(self.labels), generator=torch.Generator().manual_seed(0)).to(device)
        apart = min(HELD_OUT, len(order) // 10)
        self.held_out, self.kept = order[:apart], order[apart:]

    def resume(self, pieces: Path) -> str:
        """Take up the state of before, or the weights that were brought home; what was found, in words."""
        if self.path.exists():
            state = torch.load(self.path, map_location=self.device, weights_only=True)
            self.net.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.epoch = int(state["epoch"])
            return "the whole state"
        if found := sorted(pieces.glob("resnet19.weights.*")):
            joined = self.path.with_name("joined.pt")
            joined.write_bytes(b"".join(piece.read_bytes() for piece in found))
            state = torch.load(joined, map_location=self.device, weights_only=True)
            self.net.load_state_dict(state["network"])
            self.epoch = int(state["epoch"])
            return "weights"
        return "nothing"

    def save(self) -> None:
        """Keep the whole state: the old file or the new one, whatever happens."""
        state = {"network": self.net.state_dict(), "optimizer": self.optimizer.state_dict(), "epoch": self.epoch}
        side = self.path.with_suffix(".part")
        torch.save(state, side)
        os.replace(side, self.path)

    def bring_home(self, results: Path) -> None:
        """Write the weights in pieces: those of synapses in 16 bits, and what norms hold as it is."""
        small = {n: v.half() if n.endswith("synapse.weight") else v for n, v in self.net.state_dict().items()}
        whole = results / "whole.pt"
        results.mkdir(parents=True, exist_ok=True)
        torch.save({"network": small, "epoch": self.epoch}, whole)
        content = whole.read_bytes()
        whole.unlink()
        for number, start in enumerate(range(0, len(content), PIECE)):
            (results / f"resnet19.weights.{number}").write_bytes(content[start : start + PIECE])

    def train_epoch(self) -> float:
        """One epoch; its mean loss."""
        self.net.train()
        generator = torch.Generator(self.device).manual_seed(self.epoch)
        order = self.kept[torch.randperm(len(self.kept), generator=generator, device=self.device)]
        steps, total = len(order) // self.batch, torch.zeros((), device=self.device)
        for step in range(steps):
            rate = _rate(self.epoch + step / steps, self.epochs)
            for group in self.optimizer.param_groups:
                group["lr"] = 5e-3 * rate
            rows = order[step * self.batch : (step + 1) * self.batch]
            x = _in_time(_changed(self.images[rows], generator))
            with torch.autocast(self.device, torch.bfloat16):
                logits = self.net(x).float().mean(-1)
            loss = F.cross_entropy(logits, self.labels[rows], label_smoothing=0.1)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.detach()
        self.epoch += 1
        return float(total) / steps

    @torch.no_grad()
    def accuracy(self, images: Tensor, labels: Tensor) -> float:
        """Of the integers that are deployed."""
        self.net.eval()
        answers = [self.net(_in_time(part)).sum(-1).argmax(1) for part in images.split(self.batch)]
        return float((torch.cat(answers) == labels).float().mean())


def run(folder: Path, results: Path, device: str, seconds: float, quick: bool) -> dict[str, Any]:
    """Train until the epochs or the time are over: what the stage tells."""
    start = time.monotonic()
    missing = [file for file in FILES if not (folder / file).exists()]
    if missing:
        raise FileNotFoundError(f"{', '.join(missing)} in '{folder}': unpack both parts of CIFAR-10 first")
    training = Training(folder, device, quick)
    found, log = training.resume(folder), []
    for loss, duration in _epochs(training, start, seconds):
        held_out = training.accuracy(training.images[training.held_out], training.labels[training.held_out])
        log.append({"epoch": training.epoch, "loss": loss, "validation accuracy": held_out, "seconds": duration})
        training.save()
        print(log[-1], flush=True)
    training.bring_home(results)
    done = training.epoch >= training.epochs
    tested = {"test accuracy": training.accuracy(*training.test)} if done else {}
    return {"went on from": found, "epochs": training.epochs, "done": training.epoch, "log": log, **tested}


def _epochs(training: Training, start: float, seconds: float) -> Iterator[tuple[float, float]]:
    """Epochs while there is time for one more: loss and seconds."""
    longest = 0.0
    while training.epoch < training.epochs and time.monotonic() - start + 1.2 * longest < seconds:
        begun = time.monotonic()
        loss = training.train_epoch()
        duration = time.monotonic() - begun
        longest = max(longest, duration)
        yield loss, duration


def _load(folder: Path, files: tuple[str, ...], device: str, limit: int | None) -> tuple[Tensor, Tensor]:
    images, labels = read_binary([folder / file for file in files])
    pixels = torch.from_numpy(np.ascontiguousarray(images[:limit] >> (8 - BITS))).to(device)
    return pixels, torch.from_numpy(labels[:limit].astype(np.int64)).to(device)


def _in_time(images: Tensor) -> Tensor:
    """Images uint8 (N, C, H, W) at each time step, float32 (N, C, H, W, T): a view."""
    x = images.float()
    return x.unsqueeze(-1).expand(*x.shape, STEPS)


def _changed(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shifted by up to 4 pixels along each side, half of them turned round, 8 x 8 pixels of each left out."""
    count, _, height, width = images.shape

    def drawn(most: int) -> Tensor:
        return torch.randint(0, most, (count, 1), generator=generator, device=images.device)

    rows, columns = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
    columns = torch.where(drawn(2) == 1, columns.flip(0), columns)
    padded = F.pad(images, (4, 4, 4, 4))
    sample = torch.arange(count, device=images.device)[:, None, None, None]
    channel = torch.arange(images.shape[1], device=images.device)[:, None, None]
    moved = padded[sample, channel, (rows + drawn(9))[:, None, :, None], (columns + drawn(9))[:, None, None, :]]
    high, wide = ((place - drawn(height)).abs() < 4 for place in (rows, torch.arange(width, device=images.device)))
    return moved * ~(high[:, None, :, None] & wide[:, None, None, :])


def _rate(epoch: float, epochs: int) -> float:
    """A linear rise over 5 % of the epochs, then half a cosine: factor of the learning rate."""
    rise = 0.05 * epochs
    if epoch < rise:
        return epoch / rise
    return 0.5 * (1 + math.cos(math.pi * (epoch - rise) / (epochs - rise)))


if __name__ == "__main__":
    _, _, source = sys.argv
    for path in write_parts(Path(source), Path("runs/gpu")):
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")
