"""Recordings of spoken digits for tests: tones, in files named as those of the Free Spoken Digit Dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import wavfile

from lava_qsnn.train.config import Data
from lava_qsnn.train.data import _audio

SPEAKERS = ("ann", "bob")
TAKES = range(8)


def tone(hertz: float, seconds: float = 0.5, amplitude: float = 8000.0) -> np.ndarray:
    time = np.arange(int(seconds * _audio.RATE)) / _audio.RATE
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def write(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for digit in range(10):
        for number, speaker in enumerate(SPEAKERS):
            for take in TAKES:
                samples = tone(200 + 300 * digit + 20 * number + take, 0.2 + 0.1 * take)
                wavfile.write(folder / f"{digit}_{speaker}_{take}.wav", _audio.RATE, samples)
    return folder


def part(folder: Path, **options: Any) -> Data:
    given: dict[str, Any] = {"name": "spoken_digits", "folder": str(folder), "cache": str(folder / "cache")}
    return Data(**(given | {"input_bits": 1, "timesteps": 20, "batch_size": 16, "validation": 0.2} | options))
