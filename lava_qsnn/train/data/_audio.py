"""Spoken digits: recordings to binary spikes of a mel filter bank."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile
from torch import Tensor

from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.train.data import _augment, _cache
from lava_qsnn.train.data._base import Arrays, SampleData
from lava_qsnn.train.encodings import crossings

RATE = 8000  # samples per second
BANDS = 40
CHANNELS = 2 * BANDS

#: Seconds from the start of a recording that the T frames cover; 98 % of the recordings are shorter.
WINDOW = 0.8

#: Samples that a frame sees, 25 ms; frames overlap, or leave gaps, as T says.
FRAME = 200

#: Length of the Fourier transform: zeros beyond the frame, so that even the lowest bands hold a frequency.
TRANSFORM = 512

LOUD = -25.0  # dB below the loudest of all bands and frames
AUDIBLE = -50.0
PEAK = 3.0  # dB above the neighbouring bands
NEIGHBOURS = 5  # bands to either side
STAIR = 10.0  # dB between the levels whose crossing is a spike


def encode(recording: NDArray[np.int16], timesteps: int, encoding: str = "levels") -> NDArray[np.uint8]:
    """A recording as spikes, relative to its own loudest band and frame: the speaker's distance does not matter.

    "levels" says in every frame what is heard in it: where a band is loud, which shows the rhythm of a word, and where
    it stands out of its neighbours, which are its formants. "crossings" says only what changes, as event sensors do: a
    band sends a spike where it has risen, and another where it has fallen, past a multiple of 10 dB since the frame
    before. What is heard in a frame is then a sum over all spikes before it, and to know it takes a memory.

    Args:
        recording: int16 (samples,), 8,000 a second; what follows the first 0.8 s is not heard.
        timesteps: T; frame t starts at t 0.8 s / T.
        encoding: a key of ENCODINGS.

    Returns:
        Zeros and ones, uint8 (80, T): the 40 bands' loudness from low to high, then their peaks; or rises, then falls.
    """
    level = mel_levels(recording, timesteps)
    return ENCODINGS[encoding](level - level.max())


def _levels(level: NDArray[np.float64]) -> NDArray[np.uint8]:
    padded = np.pad(level, ((NEIGHBOURS, NEIGHBOURS), (0, 0)), "edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1, axis=0).mean(-1)
    peaks = (level - around > PEAK) & (level > AUDIBLE)
    return np.concatenate([level > LOUD, peaks]).astype(np.uint8)


def _crossings(level: NDArray[np.float64]) -> NDArray[np.uint8]:
    stairs = 1 + np.floor((level - AUDIBLE) / STAIR).clip(min=-1)
    return crossings(stairs[None].astype(np.uint8), level.shape[-1], 8)[0]


#: How levels (40, T), in dB below the loudest, become spikes (80, T); named as in lava_qsnn.train.encodings.
ENCODINGS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.uint8]]] = {"levels": _levels, "crossings": _crossings}


def mel_levels(recording: NDArray[np.int16], timesteps: int) -> NDArray[np.float64]:
    """Energies of the mel bands in dB: int16 (samples,), 8,000 a second, to float (40, T). Silence is 0 dB."""
    starts = (np.arange(timesteps) * WINDOW * RATE / timesteps).astype(np.int64)
    samples = np.zeros(starts[-1] + FRAME)
    heard = recording[: len(samples)]
    samples[: len(heard)] = heard
    frames = samples[starts[:, None] + np.arange(FRAME)] * np.hanning(FRAME)
    energy = np.abs(np.fft.rfft(frames, TRANSFORM)) ** 2
    return 10 * np.log10(mel_filters() @ energy.T + 1)


def mel_filters() -> NDArray[np.float64]:
    """Triangles of equal height, their edges even on the mel scale from 60 to 3,800 Hz: float (40, 257 frequencies)."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (60, 3800))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    frequencies = np.arange(TRANSFORM // 2 + 1) * RATE / TRANSFORM
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - left) / (middle - left), (right - frequencies) / (right - middle)
    return np.maximum(0, np.minimum(rising, falling))


class SpokenDigits(SampleData):
    """The Free Spoken Digit Dataset: wav files, `{digit}_{speaker}_{take}.wav`; takes 0 to 4 are the test samples.

    `folder` holds the files, or a folder `recordings` with them.
    """

    shape = (CHANNELS,)
    most_bits = 1
    still = False
    contents = "wav files"
    test_takes = range(5)
    encodings = tuple(ENCODINGS)
    encoding = "levels"  # what is kept are spikes already

    def prepare_data(self) -> None:
        """Convert what is not in the cache; Lightning calls it once per machine."""
        self.read()

    def read(self) -> tuple[Arrays, Arrays]:
        paths = self._files()
        training, test = (
            self._arrays([path for path in paths if (_take(path) in self.test_takes) == of_test])
            for of_test in (False, True)
        )
        return training, test

    def augmentation(self, x: Tensor, random: np.random.Generator) -> Tensor:
        """Shift up to 1 band and T / 16 steps, and silence up to 4 bands: uint8 (N, 80, T)."""
        shifted = _augment.shift(x.unflatten(1, (2, BANDS)), random, (2, 3), (1, x.shape[-1] // 16))
        return _augment.mask(shifted, random, 2, 4).flatten(1, 2)

    def _files(self) -> list[Path]:
        """The recordings, take by take; ConfigurationError if a part of the set has none."""
        folder = self._folder()
        roots = (folder, folder / "recordings")
        found = ([path for path in root.glob("*_*_*.wav") if _NAME.fullmatch(path.name)] for root in roots)
        # Takes first: every digit and speaker is among the first samples.
        paths = sorted(next(filter(None, found), []), key=lambda path: (_take(path), path.name[1:], path.name))
        tests = sum(_take(path) in self.test_takes for path in paths)
        if tests in (0, len(paths)):
            lacking = "recordings" if not paths else "test recordings" if not tests else "training recordings"
            raise ConfigurationError(
                f"there are no {lacking}, such as '7_jackson_{32 if tests else 0}.wav', in the folder '{folder}'",
                remedy="put the wav files of the Free Spoken Digit Dataset there; takes 0 to 4 are for the test",
            )
        return paths

    def _arrays(self, paths: Sequence[Path]) -> Arrays:
        steps, encoding = self.data.timesteps, self.data.encoding
        name = f"{self.data.name}-{_cache.digest(paths, self.data.name, steps, encoding)}"
        return _cache.cached(
            _cache.cache_folder(self.data.cache) / name,
            (encode(read_recording(path), steps, encoding) for path in paths),
            [int(path.name[0]) for path in paths],
            (*self.shape, steps),
            "converting recordings",
        )


_NAME = re.compile(r"[0-9]_[^_]+_[0-9]{1,9}\.wav")


def _take(path: Path) -> int:
    return int(path.stem.split("_")[2])


#: What scipy raises, too, where a file is not what it expects.
_SCIPYS = (struct.error, wavfile.WavFileWarning)


def read_recording(path: Path) -> NDArray[np.int16]:
    """A wav file of one channel, 16 bits and 8 kHz: int16 (samples,); FileFormatError if it is anything else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", wavfile.WavFileWarning)
            warnings.filterwarnings("ignore", "Chunk", wavfile.WavFileWarning)  # notes about the recording
            rate, samples = wavfile.read(path)
    except (ArithmeticError, EOFError, MemoryError, OSError, UnboundLocalError, ValueError, *_SCIPYS) as error:
        raise FileFormatError(f"'{path}' is no wav file, or damaged ({error})", remedy="fetch it again") from None
    if rate != RATE or samples.dtype != np.int16 or samples.ndim != 1 or not len(samples):
        raise FileFormatError(
            f"'{path}' holds {samples.dtype} {samples.shape} at {rate} Hz, not int16 (N,) at {RATE} Hz",
            remedy="convert it to one channel, 16 bits and 8 kHz",
        )
    return samples
