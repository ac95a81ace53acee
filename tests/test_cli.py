"""The command: every verb on real files, and one clear line with a non-zero status on bad input."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

import netx_export
from lava_qsnn import _platform, integer
from lava_qsnn.bench import sweep
from lava_qsnn.cli import inputs
from lava_qsnn.train import checkpoint, provenance
from lava_qsnn.train.config import Config, Data, to_yaml
from lava_qsnn.train.data import make
from tests.helpers.command import call
from tests.helpers.files import network

COMMAND = Path(sys.executable).parent / "lava-qsnn"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    netx_export.write(network(), tmp_path / "some.net")
    return tmp_path / "some.net"


@pytest.fixture
def array(tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 4, (3, 2, 4, 4, 4)))
    return tmp_path / "x.npy"


def test_inspect_shows_layers_costs_and_backends(file: Path, capsys, monkeypatch) -> None:
    status, out, _ = call(capsys, monkeypatch, "inspect", file)
    assert status == 0
    for text in ("conv1", "dense2", "readout", "8 4 2 1", "-20..19", "bytes", "Loihi's LIF", *netx_export.BACKENDS):
        assert text in out
    assert f"{file.stat().st_size:,} bytes" in out


def test_run_answers_an_array_and_draws_it(file: Path, array: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    output, picture = tmp_path / "y.npy", tmp_path / "sample.png"
    status, out, _ = call(capsys, monkeypatch, "run", file, "--input", array, "--output", output, "--picture", picture)
    assert status == 0
    assert str(output) in out.replace("\n", "")
    assert (np.load(output) == netx_export.simulate(file, np.load(array))).all()
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.lava
def test_run_and_verify_on_lava(file: Path, array: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    output = tmp_path / "y.npy"
    assert call(capsys, monkeypatch, "run", file, "--backend", "lava", "--input", array, "--output", output)[0] == 0
    assert (np.load(output) == netx_export.simulate(file, np.load(array))).all()


@pytest.mark.lava
def test_bench_measures_and_draws(tmp_path: Path, capsys, monkeypatch) -> None:
    status, out, _ = call(capsys, monkeypatch, "bench", "lava", "--quick", "--output", tmp_path)
    assert status == 0
    assert "lava / lava-async, a step" in out
    written = json.loads((tmp_path / "lava.json").read_text("utf-8"))
    assert set(written["throughput"]["layers"]["contenders"]) == set(sweep.QUICK.names or ())
    for axis, values in sweep.QUICK.axes.items():
        for curve in written["samples_per_second"][axis].values():
            assert [float(value) for value in curve] == list(values)
            assert min(curve.values()) > 0
    assert (tmp_path / "lava.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("inspect", "nothing.net"), "there is no file 'nothing.net'"),
        (("run", "{file}", "--backend", "loihi3", "--input", "{array}"), "no backend 'loihi3'"),
        (("run", "{file}"), "name the data set it was trained on with --data"),
        (("run", "{file}", "--data", "holograms"), "data.name must be one of digits, mnist"),
        (("run", "{file}", "--data", "mnist"), "takes 2x4x4 inputs, 'mnist' has 1x28x28"),
        (("run", "{file}", "--data", "digits_cnn"), "takes 2x4x4 inputs, 'digits' has 1x8x8"),
        (("run", "{file}", "--data", "nothing.yaml"), "cannot read the configuration 'nothing.yaml'"),
        (("run", "{file}", "--set", "data.encodings=levels"), "no key 'data.encodings'"),
        (("run", "{file}", "--set", "seed=3"), "'seed' is no key of the data"),
        (("verify", "{file}", "--data", "nmnist", "--set", "data.size=35"), "set data.size from 1 to 34"),
        (("run", "{file}", "--data", "minst"), "did you mean 'mnist'?"),
        (("run", "{file}", "--data", "my/data"), "there is no folder 'my/data'"),
        (("run", "{file}", "--data", "no.npz"), "there is no file 'no.npz'"),
        (("run", "{file}", "--data", "no_module:x"), "'no_module:x' cannot be imported"),
        (("run", "{file}", "--input", "{file}"), "is no array of numbers, and no file .npy, .npz, .h5, .hdf5. Remedy"),
        (("run", "{file}", "--input", "nothing.npy"), "there is no file 'nothing.npy'"),
        (("run", "{file}", "--input", "."), "'.' is a folder. Remedy: name a data set in a folder by --data"),
        (("train", "nothing.yaml"), "nothing.yaml"),
        (("train", "digits", "--set", "trainer.max_epoch=3"), "no key 'trainer.max_epoch'"),
        (("train", "digits", "--set", "seed"), "KEY=VALUE"),
        (("export", "{file}", "{file}.net"), "no checkpoint"),
        (("export", "nothing.ckpt", "x.net"), "there is no file 'nothing.ckpt'"),
    ],
)
def test_bad_input_is_one_clear_line(
    arguments: tuple[str, ...], text: str, file: Path, array: Path, capsys, monkeypatch
) -> None:
    filled = [argument.format(file=file, array=array) for argument in arguments]
    status, _, err = call(capsys, monkeypatch, *filled)
    assert status == 1
    assert text in err
    assert err.startswith("error: ")
    assert "Traceback" not in err


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Spoken digits of noise, whose two encodings differ."""
    random, folder = np.random.default_rng(0), tmp_path / "recordings"
    folder.mkdir()
    for digit, take in itertools.product(range(10), (0, *range(5, 15))):
        noise = (3000 * random.standard_normal(4000) * random.random(4000).cumsum() / 2000).astype(np.int16)
        wavfile.write(folder / f"{digit}_nobody_{take}.wav", 8000, noise)
    return folder


@pytest.fixture
def listener(tmp_path: Path) -> Path:
    """A network that takes spoken digits as spikes over eight steps."""
    weight = np.random.default_rng(0).choice([-1, 1], (10, 80))
    layer = integer.Layer("out", (integer.Connection("input", integer.Dense(weight)),), integer.Readout((1,)))
    (tmp_path / "trained").mkdir()
    netx_export.write(integer.IntegerNetwork(integer.Input((80,), 1), 8, (layer,)), tmp_path / "trained" / "some.net")
    return tmp_path / "trained" / "some.net"


def crossings_of(recordings: Path, encoding: Any = "crossings") -> Data:
    return Data("spoken_digits", folder=str(recordings), cache="cache", timesteps=8, input_bits=1, encoding=encoding)


@pytest.mark.parametrize("way", ["shipped", "settings", "yaml", "beside"])
def test_run_takes_the_options_of_the_data_a_network_was_trained_on(
    way: str, recordings: Path, listener: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = tmp_path / "trained" / "config.yaml" if way == "beside" else tmp_path / "some.yaml"
    # Batches, steps and bits of the training do not matter.
    configuration.write_text(to_yaml(Config(data=replace(crossings_of(recordings), timesteps=64, batch_size=2))))
    chosen = {
        "shipped": ["--data", "spoken_crossings", "--folder", recordings],
        "settings": ["--data", "spoken_digits", "--folder", recordings, "--set", "data.encoding=crossings"],
        "yaml": ["--data", configuration],
        "beside": [],
    }[way]
    arguments = (*chosen, "--set", "data.cache=cache", "--output", "y.npy", "--samples", 10)
    status, out, err = call(capsys, monkeypatch, "run", listener, *arguments)
    assert (status, err) == (0, "")
    assert "on 10 samples of spoken_digits" in out
    x, other = (make(crossings_of(recordings, kind)).test_arrays()[0] for kind in ("crossings", "levels"))
    assert (np.load("y.npy") == netx_export.simulate(listener, x)).all()
    assert (x != other).any()
    assert (
        call(capsys, monkeypatch, "verify", listener, *chosen, "--set", "data.cache=cache", "--backend", "fast")[0] == 0
    )


def test_a_foreign_config_beside_the_network_is_told(listener: Path, capsys, monkeypatch) -> None:
    (listener.parent / "config.yaml").write_text("theme: dark")
    status, _, err = call(capsys, monkeypatch, "run", listener)
    assert status == 1
    assert "config.yaml', beside the network, is no configuration" in err
    assert "name one with --data" in err


def test_verify_takes_the_data_of_the_checkpoint(recordings: Path, listener: Path, tmp_path: Path, monkeypatch) -> None:
    config = Config(data=crossings_of(recordings))
    monkeypatch.setattr(checkpoint, "read_checkpoint", lambda path: (config, {}))
    assert inputs.known_data(netx_export.load(listener), listener, None, tmp_path / "best.ckpt") == config.data


def test_help_comes_at_once_and_names_every_verb() -> None:
    result = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True)
    for verb in ("demo", "train", "export", "run", "verify", "inspect", "bench"):
        assert verb in result.stdout
        assert "Usage" in subprocess.run([COMMAND, verb, "--help"], capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
@pytest.mark.lava
def test_the_demonstration_ends_with_no_mismatch(tmp_path: Path, capsys, monkeypatch) -> None:
    status, out, _ = call(capsys, monkeypatch, "demo", "--folder", tmp_path, "--epochs", 3)
    assert status == 0
    for backend in netx_export.BACKENDS:
        assert f"run on '{backend}'" in out
    assert out.count(" 0 mismatches") == len(netx_export.BACKENDS)  # torch's among them, without the judge's
    for picture in (tmp_path / "sample.png", tmp_path / "one-bit" / "curves.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
    checkpoint, file = tmp_path / "one-bit" / "best.ckpt", tmp_path / "again.net"
    assert call(capsys, monkeypatch, "export", checkpoint, file)[0] == 0
    assert netx_export.load(file) == netx_export.load(tmp_path / "digits.net")
    status, out, _ = call(capsys, monkeypatch, "verify", file, "--checkpoint", checkpoint, "--samples", 5)
    assert status == 0
    assert "torch" in out
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(_platform, "LAVA_VERSION", "0.0.1")
        status, out, _ = call(capsys, elsewhere, "verify", file, "--checkpoint", checkpoint, "--samples", 5)
        assert status == 0
        assert out.count("left out:") == 4
    status, out, _ = call(capsys, monkeypatch, "run", file, "--data", "digits", "--samples", 360)
    assert "accuracy" in out


class TestDataThatAFileKnows:
    """The file of a network that was trained on crossings of spoken digits."""

    @pytest.fixture
    def file(self, listener: Path, recordings: Path) -> Path:
        about = provenance.metadata(make(crossings_of(recordings)))
        netx_export.write(replace(netx_export.load(listener), metadata=about), listener)
        return listener

    def test_it_tells_of_them_and_of_nobody_s_folders(self, file: Path, recordings: Path) -> None:
        about = netx_export.load(file).metadata
        assert about["data"]["encoding"] == "crossings"
        assert (about["classes"], about["shape"]) == ([str(digit) for digit in range(10)], [80])
        assert str(recordings) not in json.dumps(dict(about))
        assert provenance.recorded_data(about) == replace(crossings_of(recordings), folder=None, cache=None)

    @pytest.mark.parametrize("named", [(), ("--data", "spoken_digits"), ("--data", "spoken_crossings")])
    def test_run_takes_their_encoding(
        self, named: tuple[str, ...], file: Path, recordings: Path, tmp_path: Path, capsys, monkeypatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        arguments = (*named, "--folder", recordings, "--set", "data.cache=cache", "--output", "y.npy", "--samples", 10)
        status, _, err = call(capsys, monkeypatch, "run", file, *arguments)
        assert (status, err) == (0, "")
        x, _ = make(crossings_of(recordings)).test_arrays(10)
        assert (np.load("y.npy") == netx_export.simulate(file, x)).all()
        assert len(np.unique(np.load("y.npy"))) > 3

    @pytest.mark.parametrize("verb", ["run", "verify"])
    def test_another_encoding_is_refused(self, verb: str, file: Path, recordings: Path, capsys, monkeypatch) -> None:
        status, _, err = call(capsys, monkeypatch, verb, file, "--folder", recordings, "--set", "data.encoding=levels")
        assert status == 1
        assert "was trained on 'spoken_digits' with data.encoding crossings, not levels" in err
        assert "leave the encoding to the file" in err

    def test_another_data_set_is_a_warning(self, file: Path, recordings: Path) -> None:
        recorded = provenance.recorded_data(netx_export.load(file).metadata)
        text = provenance.other_data(recorded, Data("digits"))
        assert text == "the network was trained on 'spoken_digits', and runs on 'digits'"
        provenance.refuse_other_encoding(recorded, Data("digits"))
        assert provenance.other_data(recorded, crossings_of(recordings)) is None
        assert provenance.other_data(None, Data("digits")) is None

    @pytest.mark.parametrize("told", [7, {"timesteps": "many"}, {"encoding": "morse"}, ["name"]])
    def test_what_is_no_configuration_is_told(self, told: Any, file: Path, capsys, monkeypatch) -> None:
        netx_export.write(replace(netx_export.load(file), metadata={"data": told}), file)
        status, _, err = call(capsys, monkeypatch, "run", file)
        assert status == 1
        assert "the data that the file tells of are no configuration" in err

    @pytest.mark.parametrize("classes", [None, ["one"] * 9, list(range(10)), "0123456789"])
    def test_classes_without_good_names_have_numbers(self, classes: Any, file: Path) -> None:
        other = replace(netx_export.load(file), metadata={"classes": classes})
        assert netx_export.class_names(other, 10) == [str(number) for number in range(10)]
        named = replace(other, metadata={"classes": list("abcdefghij")})
        assert netx_export.class_names(named, 10) == list("abcdefghij")


def test_run_names_the_classes_of_an_array(tmp_path: Path, capsys, monkeypatch) -> None:
    of = network()
    names = [f"kind {number}" for number in range(int(np.prod(of.shapes[of.output.name])))]
    netx_export.write(replace(of, metadata={"classes": names}), tmp_path / "named.net")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 4, (3, 2, 4, 4, 4)))
    status, out, _ = call(capsys, monkeypatch, "run", tmp_path / "named.net", "--input", tmp_path / "x.npy")
    assert status == 0
    assert out.count("kind ") == 3


def test_the_file_of_an_exported_checkpoint_knows_its_data(tmp_path: Path, capsys, monkeypatch) -> None:
    arguments = ("digits", "--epochs", 1, "--set", "model.hidden=[16]", "--output", tmp_path / "run")
    assert call(capsys, monkeypatch, "train", *arguments)[0] == 0
    assert call(capsys, monkeypatch, "export", tmp_path / "run" / "best.ckpt", tmp_path / "some.net")[0] == 0
    about = netx_export.load(tmp_path / "some.net").metadata
    assert about["data"] == {
        "name": "digits",
        "timesteps": 4,
        "input_bits": 5,
        "size": None,
        "encoding": "levels",
        "flatten": True,
        "split_seed": about["data"]["split_seed"],
    }
    assert (about["shape"], len(about["classes"])) == ([1, 8, 8], 10)
    status, out, _ = call(capsys, monkeypatch, "run", tmp_path / "some.net", "--backend", "fast")
    assert (status, "samples of digits" in out) == (0, True)
