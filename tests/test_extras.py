"""A base install loads and runs files; whatever else is asked for names the extra that brings it."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import netx_export
from lava_qsnn import extras, integer
from lava_qsnn.errors import MissingPackageError, QsnnError
from lava_qsnn.extras import extra, require

ROOT = Path(__file__).parent.parent

#: What no base install has.
ABSENT = (
    "torch",
    "torchvision",
    "lava",
    "lightning",
    "matplotlib",
    "nir",
    "sklearn",
    "scipy",
    "threadpoolctl",
    "tonic",
    "dask",
    "distributed",
)

#: The beginning of a program in an environment that lacks some packages.
WITHOUT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuse())
"""

#: What needs more than a base install, and which extra it must name.
MORE = {
    "import lava_qsnn.block": "train",
    "import lava_qsnn.neuron.memory_free": "train",
    "import lava_qsnn.quantize": "train",
    "import lava_qsnn.regulation": "train",
    "import lava_qsnn.surrogate": "train",
    "import lava_qsnn.synapse": "train",
    "import lava_qsnn.train.checkpoint": "train",
    "import lava_qsnn.train.data": "train",
    "import lava_qsnn.train.models": "train",
    "import lava_qsnn.train.module": "train",
    "import lava_qsnn.train.train": "train",
    "netx_export.export": "train",
    "netx_export.fold": "train",
    "netx_export.verify(network, x, [], object())": "train",
    "verb('demo')": "train",
    "verb('export', 'some.ckpt', 'some.net')": "train",
    "verb('run', file)": "train",
    "verb('train', 'digits')": "train",
    "netx_export.from_nir('some.nir', 10)": "nir",
    "netx_export.nir_map()": "nir",
    "netx_export.to_nir(network)": "nir",
    "netx_export.plot_sample(network, x[0])": "plot",
    "verb('bench', 'lava')": "plot",
    "verb('run', file, '--input', array, '--picture', 'sample.png')": "plot",
}

#: With workers on other machines.
MORE |= {
    "netx_export.simulate(network, x, 'fast', client=object())": "cluster",
    "verb('run', file, '--input', array, '--cluster', 'tcp://127.0.0.1:9')": "cluster",
}

ON_LAVA = {
    "import lava_qsnn.guard": "lava",
    "import lava_qsnn.process.loihi.network": "lava",
    "import lava_qsnn.process.messages.flow": "lava",
    "import lava_qsnn.engines.layerwise": "lava",
    "netx_export.Network(file)": "lava",
    "netx_export.Stream(file)": "lava",
    "netx_export.simulate(network, x, 'lava')": "lava",
    "netx_export.simulate(network, x, 'lava-async')": "lava",
    "netx_export.simulate(network, x, 'lava-fused')": "lava",
    "netx_export.simulate(network, x, 'netx')": "lava",
}

#: Trains a few steps with every kind of block, and writes what came of it.
TRAINING = """
import torch
from lava_qsnn import block, synapse

def blocks():
    torch.manual_seed(0)
    lif, free = block.quantized_lif, block.memory_free
    return torch.nn.Sequential(
        free.Input(), free.Conv({"threshold": 0.3, "history": 3}, 2, 4, 3, padding=1),
        free.Pool(None, 2), free.Flatten(),
        lif.Dense({"threshold": 0.5, "norm": "batch"}, 36, 8, mask=torch.ones(8, 36) > 0, weight_bits=2),
        free.Residual(free.Dense({"threshold": 0.5, "taps": "learned"}, 8, 8), shortcut=synapse.Dense(8, 8)),
        free.Dense({"threshold": 0.2}, 8, 6, delay_shift=True), block.lif.Dense({"threshold": 0.5}, 6, 6),
        block.tanh_lif.Dense({"threshold": 0.5}, 6, 6), free.Output(6, 3, weight_scale=2),
    )

def trained(net):
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.randint(0, 4, (8, 2, 6, 6, 5)).float()).square().mean().backward()
        optimizer.step()
    return net.state_dict()
"""

#: Trains by a configuration, and deploys.
ALONE = """
import sys
import numpy as np
import netx_export
from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.module import restore
from lava_qsnn.train.train import train

changes = {"trainer.max_epochs": 2, "trainer.accelerator": "cpu"}
result = train(override(load_config("digits"), changes), sys.argv[1] + "/run", progress=False)
netx_export.export(restore(result.best).network, sys.argv[1] + "/digits.net", (64,), 4, input_bits=5)
x = np.random.default_rng(0).integers(0, 17, (8, 64, 4))
assert netx_export.simulate(sys.argv[1] + "/digits.net", x, "fast").any()
print("lava" in sys.modules, result.test_accuracy > 0.5)
"""

#: Tries statements one by one, and tells what was raised.
ATTEMPTS = """
import json
import numpy as np
import netx_export
from lava_qsnn.cli import verbs

file, array, statements = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
network, x = netx_export.load(file), np.load(array)

def verb(*words):
    verbs.app(words, standalone_mode=False)

def attempt(statement):
    try:
        exec(statement)
    except Exception as error:
        return type(error).__name__, str(error)
    return "nothing", ""

print(json.dumps([attempt(statement) for statement in statements]))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A small network that every backend computes exactly."""
    weight = np.random.default_rng(0).choice([-1, 1], (4, 6))
    layers = (
        integer.Layer(
            "hidden", (integer.Connection("input", integer.Dense(weight)),), integer.MemoryFree((1,), np.arange(4))
        ),
        integer.Layer("out", (integer.Connection("hidden", integer.Dense(weight.T[:3])),), integer.Readout((1,))),
    )
    netx_export.write(integer.IntegerNetwork(integer.Input((6,), 3), 2, layers), tmp_path / "some.net")
    return tmp_path / "some.net"


@pytest.fixture
def array(tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", np.random.default_rng(1).integers(0, 4, (5, 6, 2)))
    return tmp_path / "x.npy"


def program(text: str, *arguments: object, absent: tuple[str, ...] = ABSENT) -> str:
    """Standard output of a program without some optional packages."""
    command = [sys.executable, "-c", WITHOUT.format(absent=absent) + text, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_base_install_loads_and_simulates(file: Path, array: Path) -> None:
    told = program(
        """
import numpy as np
import netx_export
network, x = netx_export.load(sys.argv[1]), np.load(sys.argv[2])
answers = [netx_export.simulate(network, x, backend) for backend in ("reference", "fast")]
print([answer.tolist() for answer in answers])
print(netx_export.verify(network, x, ["fast"]).exact)
""",
        file,
        array,
    )
    expected = netx_export.simulate(file, np.load(array)).tolist()
    assert np.any(expected)
    assert told.splitlines() == [str([expected, expected]), "True"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--help",), "verify"),
        (("inspect", "{file}"), "hidden"),
        (("run", "{file}", "--input", "{array}"), "classes"),
        (("check", "{file}", "--input", "{array}"), "nothing found"),
        (("diff", "{file}", "{file}", "-o", "{file}.html"), "the networks are equal"),
        (("report", "{file}", "-o", "{file}.html"), "wrote"),
    ],
    ids=["help", "inspect", "run", "check", "diff", "report"],
)
def test_a_base_install_has_the_command(arguments: tuple[str, ...], text: str, file: Path, array: Path) -> None:
    filled = [argument.format(file=file, array=array) for argument in arguments]
    assert text in program("from lava_qsnn.cli import main\nmain()", *filled)


@pytest.mark.slow
def test_training_and_deploying_need_no_lava_dl(tmp_path: Path) -> None:
    assert program(ALONE, tmp_path, absent=("lava",)).split() == ["False", "True"]


def test_blocks_are_the_same_without_lava_dl(tmp_path: Path) -> None:
    """They have slayer's classes among their bases where these are installed, and compute nothing with them."""
    save = "torch.save([blocks().state_dict(), trained(blocks())], sys.argv[1])\nprint('lava' in sys.modules)"
    assert program(TRAINING + save, tmp_path / "states.pt", absent=("lava",)).split() == ["False"]
    names: dict[str, Any] = {}
    exec(TRAINING, names)
    before, after = torch.load(tmp_path / "states.pt", weights_only=True)
    here = names["blocks"]().state_dict()
    assert list(here) == list(before)
    assert all(torch.equal(here[name], before[name]) for name in here)
    trained = names["trained"](names["blocks"]())
    assert all(torch.allclose(trained[name], after[name], rtol=1e-4, atol=1e-6) for name in trained)
    weights = [name for name in before if name.endswith("synapse.weight") and "2." not in name]
    assert sum(not torch.equal(before[name], after[name]) for name in weights) > 5


@pytest.mark.parametrize(
    "statements", [pytest.param(MORE, id="torch"), pytest.param(ON_LAVA, id="lava", marks=pytest.mark.lava)]
)
def test_what_needs_more_names_its_extra(statements: dict[str, str], file: Path, array: Path) -> None:
    told = json.loads(program(ATTEMPTS, file, array, json.dumps(list(statements))))
    assert len(told) == len(statements)
    for (statement, name), (kind, text) in zip(statements.items(), told):
        assert kind == "MissingPackageError", f"{statement}: {kind} {text}"
        assert f"pip install 'lava-qsnn[{name}]'" in text, f"{statement}: {text}"
        assert any(f"'{package}" in text for package in ABSENT), f"{statement}: {text}"


def test_the_error_is_one_of_the_family_and_of_imports() -> None:
    text = r"'no_such_package' is not installed.*lava-qsnn\[plot\]"
    with pytest.raises(MissingPackageError, match=text) as caught, extra("plot"):
        import no_such_package  # type: ignore[import-not-found]  # noqa: F401
    assert isinstance(caught.value, QsnnError)
    assert isinstance(caught.value, ImportError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    with pytest.raises(MissingPackageError, match=r"'no_such_package' is not installed"):
        require("plot", "json", "no_such_package")
    require("plot", "json")


def test_a_module_of_ours_that_is_missing_is_no_matter_of_installing() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), extra("train"):
        import lava_qsnn.no_such_module  # type: ignore[import-not-found]  # noqa: F401


@pytest.mark.lava
def test_lava_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from lava_qsnn.guard import _lava

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", absent)
    with pytest.raises(MissingPackageError, match=r"'lava-nc' is not installed.*lava-qsnn\[lava\]"):
        _lava.require_lava()


def test_every_extra_that_errors_name_exists() -> None:
    named = {*MORE.values(), *ON_LAVA.values()}
    offered = {part for line in requires("lava-qsnn") or () for part in named if f'extra == "{part}"' in line}
    assert offered == named
    assert extras.OWN == ("lava_qsnn", "netx_export")
