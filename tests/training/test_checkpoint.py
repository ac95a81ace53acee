"""Checkpoints: what they give back, and that no file executes anything, takes memory, or is half believed."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lava_qsnn.errors import FileFormatError
from lava_qsnn.train.checkpoint import CheckedIO, load, read_checkpoint
from lava_qsnn.train.config import Config, from_dict, override
from lava_qsnn.train.module import Classifier, restore
from lava_qsnn.train.train import train

SMALL = from_dict({"model": {"hidden": [8, 6]}, "trainer": {"max_epochs": 1, "options": {"limit_train_batches": 2}}})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(SMALL, tmp_path_factory.mktemp("trained") / "run", progress=False).last


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    path = tmp_path / "copy.ckpt"
    path.write_bytes(trained.read_bytes())
    return path


@pytest.fixture(params=["read", "restore", "lightning", "resume"])
def reading(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Path], Any]:
    """Each way in which a checkpoint is read."""
    ways: dict[str, Callable[[Path], Any]] = {
        "read": read_checkpoint,
        "restore": restore,
        "lightning": Classifier.load_from_checkpoint,
        "resume": lambda path: train(
            override(SMALL, {"trainer.max_epochs": 2}), tmp_path / "new", resume=path, progress=False
        ),
    }
    return ways[request.param]


class Touch:
    """Pickles to a call that creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None], compression: int = zipfile.ZIP_STORED) -> None:
    """Write an archive anew with changed entries; None leaves one out."""
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            changed = change(name, content)
            if changed is not None:
                archive.writestr(name, changed)


def resaved(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    contents = torch.load(path, weights_only=True)
    change(contents)
    torch.save(contents, path)


def test_a_checkpoint_gives_back_its_configuration_and_weights(trained: Path) -> None:
    config, weights = read_checkpoint(trained)
    assert config == SMALL
    expected = Classifier(SMALL).state_dict()
    assert {name: value.shape for name, value in weights.items()} == {
        name: value.shape for name, value in expected.items()
    }


def test_a_restored_classifier_is_the_trained_one(trained: Path) -> None:
    classifier = restore(trained)
    assert not classifier.training
    assert classifier.config == SMALL
    _, weights = read_checkpoint(trained)
    assert all(torch.equal(value, weights[name]) for name, value in classifier.state_dict().items())


def test_a_missing_file_is_a_missing_file(reading: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file"):
        reading(tmp_path / "missing.ckpt")


@pytest.mark.parametrize("key", ["state_dict", "callbacks", "hyper_parameters", "loops"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_executes_is_refused(
    key: str, zipped: bool, copy: Path, reading: Callable[[Path], Any], tmp_path: Path
) -> None:
    canary = tmp_path / "executed"
    contents = torch.load(copy, weights_only=True)
    contents[key] = Touch(canary)
    torch.save(contents, copy, _use_new_zipfile_serialization=zipped)
    with pytest.raises(FileFormatError):
        reading(copy)
    assert not canary.exists()
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever torch makes of the rest
        torch.load(copy, weights_only=False)["no such key"]
    assert canary.exists(), "the file would have executed"


def test_a_bare_pickle_is_refused(reading: Callable[[Path], Any], tmp_path: Path) -> None:
    canary, path = tmp_path / "executed", tmp_path / "bare.ckpt"
    path.write_bytes(pickle.dumps(Touch(canary)))
    with pytest.raises(FileFormatError, match="not in torch's zip format"):
        reading(path)
    assert not canary.exists()


def test_an_archive_of_arrays_is_refused(reading: Callable[[Path], Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=np.zeros(3))
    with pytest.raises(FileFormatError, match="no checkpoint of this project: its entries are not"):
        reading(tmp_path / "my.npz")


def test_the_oldest_format_is_refused(reading: Callable[[Path], Any], tmp_path: Path) -> None:
    canary, path = tmp_path / "executed", tmp_path / "old.ckpt"
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            content = pickle.dumps(Touch(canary))
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    with pytest.raises(FileFormatError, match="not in torch's zip format"):
        reading(path)
    assert not canary.exists()


def test_a_torchscript_archive_never_reaches_torch(
    reading: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "script.ckpt"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), path)
    for place, name in ((torch.jit, "load"), (torch, "load")):
        monkeypatch.setattr(place, name, lambda *_, **__: pytest.fail("torch was asked to load it"))
    with pytest.raises(FileFormatError, match="as executable TorchScript archives do"):
        reading(path)


@pytest.mark.parametrize("name", ["constants.pkl", "code/__torch__.py", "data/0.bin", "../x", "extra"])
def test_a_checkpoint_with_another_entry_is_refused(name: str, copy: Path) -> None:
    with zipfile.ZipFile(copy, "a") as archive:
        archive.writestr(f"last/{name}", b"")
    with pytest.raises(FileFormatError, match="entry|entries"):
        load(copy)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")  # the file is meant to be wrong
@pytest.mark.parametrize("name", ["last/data.pkl", "other/version"])
def test_an_ambiguous_archive_is_refused(name: str, copy: Path) -> None:
    with zipfile.ZipFile(copy, "a") as archive:
        archive.writestr(name, b"")
    with pytest.raises(FileFormatError, match="not those of one torch file"):
        load(copy)


def test_a_compressed_archive_is_refused(copy: Path) -> None:
    rewritten(copy, lambda name, content: content, zipfile.ZIP_DEFLATED)
    with pytest.raises(FileFormatError, match="compressed"):
        load(copy)


@pytest.mark.parametrize("keep", [0, 1, 100, 0.25, 0.5, 0.99, 0.9999])
def test_a_truncated_file_is_refused(keep: float, copy: Path, reading: Callable[[Path], Any]) -> None:
    content = copy.read_bytes()
    copy.write_bytes(content[: int(keep if keep >= 1 else keep * len(content))])
    with pytest.raises(FileFormatError):
        reading(copy)


@pytest.mark.parametrize("ending", ["data.pkl", "data/0", "version"])
def test_a_missing_entry_is_refused(ending: str, copy: Path) -> None:
    rewritten(copy, lambda name, content: None if name.endswith(ending) else content)
    with pytest.raises(FileFormatError):
        load(copy)


def test_a_changed_byte_is_refused(copy: Path) -> None:
    content = copy.read_bytes()
    with zipfile.ZipFile(copy) as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
    place = largest.header_offset + largest.file_size // 2
    copy.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(FileFormatError, match="damaged"):
        load(copy)


def test_a_storage_that_is_shorter_than_it_says_is_refused(copy: Path) -> None:
    rewritten(copy, lambda name, content: content[:-4] if name.endswith("/data/0") else content)
    with pytest.raises(FileFormatError, match="storage '0' is not as long as it says"):
        load(copy)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({}, 4),
        b"\x80\x02ctorch\nTensor\n.",
        b"\x80\x02cbuiltins\neval\n.",
        b"\x80\x02K\x01r\xff\xff\xff\x7f.",
        b"\x80\x02}q\x00K\x01Q.",
        b"\x80\x02.",
        b"",
        b"\x80\x02]" + b"(" * 1000 + b".",
    ],
)
def test_other_pickles_are_refused(content: bytes, copy: Path) -> None:
    rewritten(copy, lambda name, old: content if name.endswith("data.pkl") else old)
    with pytest.raises(FileFormatError):
        read_checkpoint(copy)


def test_weights_larger_than_their_file_are_refused(copy: Path) -> None:
    def change(contents: dict[str, Any]) -> None:
        contents["hyper_parameters"]["model"]["hidden"] = [2**16, 2**16]
        contents["state_dict"]["network.1.synapse.weight"] = torch.zeros(1).expand(2**16, 2**16, 1, 1, 1)

    resaved(copy, change)
    with pytest.raises(FileFormatError, match="larger than itself"):
        restore(copy)


def test_a_configuration_larger_than_its_weights_takes_no_memory(copy: Path) -> None:
    resaved(copy, lambda contents: contents["hyper_parameters"]["model"].update(hidden=[2**16] * 4))
    with pytest.raises(FileFormatError, match="against its own configuration"):
        restore(copy)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda c: c.pop("state_dict"), "holds no weights"),
        (lambda c: c.update(state_dict=[1]), "holds no weights"),
        (lambda c: c["state_dict"].update(x="text"), "holds no weights"),
        (lambda c: c.pop("hyper_parameters"), "no valid configuration"),
        (lambda c: c.update(hyper_parameters=3), "no valid configuration: a configuration must have keys"),
        (lambda c: c["hyper_parameters"].update(extra=1), "no valid configuration: there is no key 'extra'"),
        (lambda c: c["hyper_parameters"]["model"].update(name="x"), "no valid configuration: model.name"),
        (lambda c: c["state_dict"].popitem(), "lacks 'network"),
        (lambda c: c["state_dict"].update(x=torch.zeros(1)), "holds 'x', against"),
        (lambda c: c["hyper_parameters"]["model"].update(hidden=[9, 6]), "against its own configuration"),
    ],
)
def test_contents_that_do_not_fit_are_named(change: Callable[[Any], Any], text: str, copy: Path) -> None:
    resaved(copy, change)
    with pytest.raises(FileFormatError) as error:
        restore(copy)
    assert text in str(error.value)
    assert "copy.ckpt" in str(error.value)


def test_a_list_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.ckpt")
    with pytest.raises(FileFormatError, match="holds no dictionary"):
        load(tmp_path / "list.ckpt")


@pytest.mark.parametrize("key", ["loops", "optimizer_states", "lr_schedulers"])
def test_resuming_needs_the_whole_state(key: str, copy: Path, tmp_path: Path) -> None:
    resaved(copy, lambda contents: contents.pop(key))
    restore(copy)
    with pytest.raises(FileFormatError, match=f"has no '{key}' to go on from"):
        train(override(SMALL, {"trainer.max_epochs": 2}), tmp_path / "new", resume=copy, progress=False)


@pytest.mark.parametrize("scheme", ["", "local://", "file://"])
def test_a_resumed_checkpoint_cannot_name_files_to_remove(scheme: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    victim, own = tmp_path / "victim", run / "old.ckpt"
    victim.touch()
    own.touch()
    CheckedIO(run).remove_checkpoint(f"{scheme}{victim}")
    CheckedIO(run).remove_checkpoint(f"{scheme}{run}/../victim")
    assert victim.exists()
    CheckedIO(run).remove_checkpoint(str(own))
    assert not own.exists()


def test_a_checkpoint_of_the_default_configuration_is_small(trained: Path) -> None:
    assert trained.stat().st_size < 100_000
    assert isinstance(read_checkpoint(trained)[0], Config)


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def _laughs() -> list[Any]:
    value: list[Any] = [1]
    for _ in range(12):
        value = [value] * 9
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (_circle(), "a part of it lies in itself"),
        (_nested(150), "nested more than 32 deep"),
        (_nested(31), "nested more than 32 deep"),
        (_laughs(), "more than 100,000 entries"),
        (list(range(100_000)), "more than 100,000 entries"),
        ("x" * 2**20, "exceed 1,048,576"),
        ({(1, 2): 3}, "a key in it is neither a text nor a number"),
    ],
)
@pytest.mark.parametrize("place", ["loops", "hyper_parameters"])
def test_contents_without_end_are_refused(
    place: str, value: Any, text: str, copy: Path, reading: Callable[[Path], Any]
) -> None:
    resaved(copy, lambda contents: contents[place].update(value=value))
    with pytest.raises(FileFormatError) as caught:
        reading(copy)
    assert text in str(caught.value)


def test_as_many_layers_as_nobody_has_are_refused(copy: Path) -> None:
    resaved(copy, lambda contents: contents["hyper_parameters"]["model"].update(hidden=[8] * 50_000))
    with pytest.raises(FileFormatError, match="model has more than 10,000 entries"):
        restore(copy)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02}" + b"(" + b")\x85" * 100_000 + b"K\x01s.",  # a key of tuples in tuples, which is never hashed
        b"\x80\x02)" + b"\x85" * 200_000 + b".",
        b"\x80\x02" + b"]" * 500 + b"a" * 499 + b".",
        b"\x80\x02(" + b")\x85" * 50_000 + b"cbuiltins\nset\n.",
        b"\x80\x04\x8f(K\x01\x90.",  # a set
        b"\x80\x02\x8b\x00\x00\x08\x00" + b"\xff" * 2**19 + b".",  # an integer of half a megabyte
        b"\x80\x02(X\x07\x00\x00\x00storage))))tQ.",
        b"\x80\x02K\x012.",  # an opcode that torch.save never writes
    ],
)
def test_pickles_that_would_end_or_stall_their_reader_are_refused(content: bytes, copy: Path) -> None:
    rewritten(copy, lambda name, old: content if name.endswith("data.pkl") else old)
    with pytest.raises(FileFormatError) as caught:
        read_checkpoint(copy)
    assert str(caught.value).isprintable()
