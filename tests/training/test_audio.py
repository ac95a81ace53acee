"""Spoken digits: what the encoder answers to sounds, which files belong to which part, and what damage says."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.train import data
from lava_qsnn.train.config import Data
from lava_qsnn.train.data import _audio, make
from tests.helpers.recordings import SPEAKERS, part, tone, write


@pytest.mark.parametrize("steps", [1, 50, 64, 100, 1024])
def test_spikes_are_zeros_and_ones_at_any_number_of_steps(steps: int) -> None:
    spikes = _audio.encode(np.random.default_rng(0).integers(-9000, 9000, 4000).astype(np.int16), steps)
    assert (spikes.shape, spikes.dtype, set(np.unique(spikes))) == ((80, steps), np.uint8, {0, 1})


@pytest.mark.parametrize("hertz", [250, 1000, 3000])
def test_a_tone_is_loud_and_stands_out_in_its_own_band_while_it_lasts(hertz: float) -> None:
    spikes = _audio.encode(tone(hertz, seconds=0.4), 64)
    band = _audio.mel_filters()[:, round(hertz * _audio.TRANSFORM / _audio.RATE)].argmax()
    for kind in (spikes[:40], spikes[40:]):
        assert kind[band, :29].all()
        assert not kind[:, 32:].any()
    assert not spikes[40 + np.delete(np.arange(40), range(band - 2, band + 3)), :29].any()


def test_the_distance_of_the_speaker_does_not_matter() -> None:
    near, far = (_audio.encode(tone(700, amplitude=amplitude), 64) for amplitude in (30000, 3000))
    assert (near != far).mean() < 0.01


@pytest.mark.parametrize("recording", [np.zeros(4000), np.zeros(1), np.full(1, -32768), np.full(30000, 32767)])
def test_silence_and_extremes_have_spikes_too(recording: np.ndarray) -> None:
    assert _audio.encode(recording.astype(np.int16), 50).shape == (80, 50)


def test_only_the_window_is_heard() -> None:
    sound = np.random.default_rng(0).integers(-9000, 9000, 20000).astype(np.int16)
    end = int(_audio.WINDOW * _audio.RATE) + _audio.FRAME
    assert np.array_equal(_audio.encode(sound, 64), _audio.encode(sound[:end], 64))
    assert not np.array_equal(_audio.encode(sound, 64), _audio.encode(sound[: end // 2], 64))


def test_crossings_add_up_to_the_stairs_that_levels_climb() -> None:
    """Rises less falls, summed over time, follow each band's level in stairs of 10 dB, where it moves one at a time."""
    time = np.arange(int(0.8 * _audio.RATE)) / _audio.RATE
    swelling = (10000 * np.sin(2 * np.pi * 900 * time) * 10 ** (-1.5 * np.abs(time - 0.4) / 0.4)).astype(np.int16)
    spikes = _audio.encode(swelling, 64, "crossings")
    assert set(np.unique(spikes)) == {0, 1}
    assert not (spikes[:40] & spikes[40:]).any(), "no band rises and falls at once"
    level = _audio.mel_levels(swelling, 64)
    level -= level.max()
    band = int(level.max(1).argmax())
    climbed = (spikes[band].astype(int) - spikes[40 + band]).cumsum()
    stairs = np.floor((level[band] - _audio.AUDIBLE) / _audio.STAIR).clip(-1)
    assert np.abs(np.diff(stairs)).max() == 1
    assert np.array_equal(climbed, stairs - stairs[0] + 1), "the onset is one rise, however steep"
    assert 0 < spikes.mean() < 0.1


def test_encodings_have_their_own_places_in_the_cache(tmp_path: Path) -> None:
    folder = write(tmp_path)
    levels, crossings = (make(part(folder, encoding=name)).test_arrays()[0] for name in ("levels", "crossings"))
    assert levels.shape == crossings.shape
    assert crossings.sum() < levels.sum()


def test_every_band_hears_some_frequency() -> None:
    filters = _audio.mel_filters()
    assert filters.shape == (40, 257)
    assert (filters.max(1) > 0.2).all()
    assert (np.diff(filters.argmax(1)) > 0).all()


@pytest.mark.parametrize("inner", [".", "recordings"])
def test_the_first_five_takes_are_the_test_samples(inner: str, tmp_path: Path) -> None:
    write(tmp_path / inner)
    x, y = make(part(tmp_path)).test_arrays()
    assert (x.shape, x.dtype, len(y)) == ((100, 80, 20), np.int64, 100)
    assert sorted(y[:20]) == sorted(list(range(10)) * 2), "the first samples hold every digit and speaker"
    for sample, digit in zip(x[:20:7], y[:20:7]):
        files = [tmp_path / inner / f"{digit}_{speaker}_0.wav" for speaker in SPEAKERS]
        assert any(np.array_equal(sample, _audio.encode(wavfile.read(file)[1], 20)) for file in files)


def test_batches_are_spikes(tmp_path: Path) -> None:
    module = make(part(write(tmp_path)))
    module.prepare_data()
    module.setup()
    x, y = next(iter(module.train_dataloader()))
    assert module.properties == data.Properties((80,), 1, 20, 10)
    assert (x.shape, x.dtype, y.dtype) == ((16, 80, 20), torch.float32, torch.int64)
    assert set(x.unique().tolist()) == {0.0, 1.0}
    assert {name: len(samples) for name, samples in module._sets.items()} == {
        "train": 48,
        "validation": 12,
        "test": 100,
    }


def test_spoken_digits_hold_one_bit() -> None:
    with pytest.raises(ConfigurationError, match="'spoken_digits' holds 1 bit. Remedy: set data.input_bits to 1"):
        make(Data(name="spoken_digits"))


def wav(samples: np.ndarray, rate: int = _audio.RATE) -> bytes:
    buffer = io.BytesIO()
    wavfile.write(buffer, rate, samples)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"no wav file at all",
        lambda content: content[:10],
        lambda content: content[:30],
        lambda content: content[:40],
        lambda content: content[:-1000],
        lambda content: content[:22] + b"\0\0" + content[24:],
        lambda content: content[:32] + b"\0\0" + content[34:],
        lambda content: wav(tone(300), rate=16000),
        lambda content: wav(tone(300).astype(np.int32)),
        lambda content: wav(np.stack([tone(300)] * 2, 1)),
        lambda content: wav(tone(300)[:0]),
    ],
)
def test_damaged_and_other_recordings_are_refused(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = write(tmp_path) / "3_ann_6.wav"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FileFormatError, match=r"3_ann_6.wav"):
        make(part(tmp_path)).setup()
    assert list(tmp_path.glob("cache/*")) == [], "nothing half-written stays"


def test_notes_in_a_recording_do_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path) / "3_ann_6.wav"
    path.write_bytes(path.read_bytes() + b"note\x04\0\0\0text")
    assert np.array_equal(_audio.read_recording(path), wavfile.read(write(tmp_path / "other") / path.name)[1])


@pytest.mark.parametrize(
    ("takes", "text"),
    [
        (range(0), "no recordings, such as '7_jackson_0.wav'"),
        (range(5), "no training recordings, such as '7_jackson_32.wav'"),
        (range(5, 8), "no test recordings, such as '7_jackson_0.wav'"),
    ],
)
def test_missing_recordings_are_named(takes: range, text: str, tmp_path: Path) -> None:
    for path in write(tmp_path).glob("*.wav"):
        if int(path.stem[-1]) not in takes:
            path.unlink()
    with pytest.raises(ConfigurationError, match=f"there are {text}.*Remedy: put the wav files of the Free Spoken"):
        make(part(tmp_path)).prepare_data()


def test_a_folder_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="'spoken_digits' needs a folder. Remedy: set data.folder"):
        make(Data(name="spoken_digits", input_bits=1)).prepare_data()
