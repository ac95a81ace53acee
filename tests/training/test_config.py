"""Configurations: what is accepted, what is refused, and how the refusal reads."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import hypothesis.strategies as st
import pytest
from hypothesis import given

from lava_qsnn.checked import plain
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.parameters import FAMILIES, LIF, MemoryFree, QuantizedLIF, Surrogate, TanhLIF, TapFamily
from lava_qsnn.quantize import WEIGHT_BITS
from lava_qsnn.regulation import PENALTIES
from lava_qsnn.surrogate import BUMPS
from lava_qsnn.train import config as module
from lava_qsnn.train.config import Config, from_dict, load_config, override, parse_override, shipped, to_dict, to_yaml

names = st.text(max_size=8)
parts = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**32 - 1),
        "data": st.fixed_dictionaries(
            {},
            optional={
                "name": names,
                "folder": st.none() | names,
                "download": st.booleans(),
                "timesteps": st.integers(1, 1024),
                "validation": st.floats(0.001, 0.5),
            },
        ),
        "model": st.fixed_dictionaries(
            {},
            optional={
                "hidden": st.lists(st.integers(1, 2**16), max_size=4),
                "weight_bits": st.sampled_from(WEIGHT_BITS),
                "neuron": st.fixed_dictionaries(
                    {},
                    optional={
                        "threshold": st.floats(-1e6, 1e6) | st.integers(-10, 10),
                        "taps": st.sampled_from(get_args(TapFamily)),
                        "norm": st.sampled_from(["auto", "batch", None]),
                    },
                ),
            },
        ),
        "trainer": st.fixed_dictionaries(
            {},
            optional={
                "max_epochs": st.integers(1, 10**6),
                "devices": st.integers() | names | st.lists(st.integers(0, 7), max_size=3),
                "precision": st.sampled_from([16, "bf16-mixed"]),
                "options": st.dictionaries(names, st.none() | st.booleans() | names | st.lists(st.integers())),
            },
        ),
    },
)


@given(parts)
def test_a_configuration_survives_the_round_trip(content: dict[str, Any]) -> None:
    config = from_dict(content)
    assert from_dict(to_dict(config)) == config


@given(content=parts)
def test_a_configuration_survives_the_round_trip_through_a_file(
    content: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "config.yaml"
    path.write_text(to_yaml(from_dict(content)), "utf-8")
    assert load_config(path) == from_dict(content)


def test_an_empty_configuration_is_all_defaults(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.touch()
    assert load_config(path) == load_config(str(path)) == from_dict({}) == Config()


@pytest.mark.parametrize("name", shipped())
def test_shipped_configurations_are_valid(name: str) -> None:
    of_others = {
        "digits_cnn": "digits",
        "cifar10_deep": "cifar10",
        "cifar10_deeper": "cifar10",
        "cifar10_one_step": "cifar10",
        "cifar10_quantized_lif": "cifar10",
        "cifar10_small": "cifar10",
        "cifar10_teacher": "cifar10",
        "spoken_crossings": "spoken_digits",
        "spoken_quantized_lif": "spoken_digits",
    }
    assert load_config(name).data.name == of_others.get(name, name)


def test_the_shipped_configurations_are_these() -> None:
    cifar = ("cifar10", "cifar10_deep", "cifar10_deeper", "cifar10_dvs", "cifar10_one_step", "cifar10_quantized_lif")
    images = (*cifar, "cifar10_small", "cifar10_teacher", "digits", "digits_cnn", "dvs_gesture")
    others = ("fashion_mnist", "imagenet", "mnist", "nmnist", "road", "shd", "spoken_crossings", "spoken_digits")
    assert shipped() == (*images, *others, "spoken_quantized_lif")


def test_the_choices_are_those_of_the_library() -> None:
    assert get_args(Surrogate) == tuple(BUMPS)
    assert [kind.__name__ for kind in get_args(module.Spiking)] == [kind.__name__ for kind in FAMILIES.values()]
    assert get_args(get_type_hints(module.Model)["weight_bits"]) == WEIGHT_BITS
    assert get_args(get_type_hints(module.Optimizer)["spike_regulation_kind"]) == tuple(PENALTIES)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"dat": {}}, "there is no key 'dat'. Remedy: did you mean 'data'?"),
        ({"size": {}}, "there is no key 'size'. Remedy: choose one of data, model, optimizer, trainer, seed"),
        ({"data": {"nam": "x"}}, "there is no key 'data.nam'"),
        (
            {"model": {"neuron": {"treshold": 1}}},
            "'model.neuron.treshold'. Remedy: did you mean 'model.neuron.threshold'?",
        ),
        (
            {"model": {"neuron": {"family": "cuba"}}},
            "model.neuron.family must be one of memory_free, quantized_lif, lif",
        ),
        (
            {"model": {"neuron": {"family": ["lif"]}}},
            "model.neuron.family must be one of memory_free, quantized_lif, lif",
        ),
        ({"model": {"neuron": {"family": "lif"}}}, "model.neuron needs a `threshold`"),
        ({"model": {"neuron": {"potential_bits": 2}}}, "there is no key 'model.neuron.potential_bits'"),
        ({"model": {"neuron": 3}}, "model.neuron must have keys, not be 3"),
        ({"data": 3}, "data must have keys, not be 3"),
        ([1, 2], r"a configuration must have keys"),
        ({"data": {"timesteps": "4"}}, "data.timesteps must be an integer, not '4'"),
        ({"data": {"timesteps": True}}, "data.timesteps must be an integer, not True"),
        ({"data": {"timesteps": 4.0}}, "data.timesteps must be an integer, not 4.0"),
        ({"data": {"timesteps": 0}}, "data.timesteps must lie from 1 to 1024, not be 0"),
        ({"data": {"folder": 1}}, "data.folder must be a text or null, not 1"),
        ({"data": {"download": "yes"}}, "data.download must be true or false"),
        ({"model": {"weight_bits": 3}}, "model.weight_bits must be one of 1, 2, 4, 8, not 3"),
        ({"model": {"weight_bits": True}}, "model.weight_bits must be one of 1, 2, 4, 8, not True"),
        ({"model": {"hidden": [8, 0]}}, "model.hidden must lie from 1 to 65536, not be 0"),
        ({"model": {"hidden": [8, "a"]}}, "model.hidden must be a list of integers"),
        ({"model": {"hidden": 8}}, "model.hidden must be a list of integers, not 8"),
        ({"model": {"neuron": {"taps": "none"}}}, "model.neuron.taps must be one of shift, geometric, learned"),
        ({"optimizer": {"learning_rate": -1}}, "optimizer.learning_rate must lie from 1e-08 to 10.0, not be -1"),
        ({"optimizer": {"learning_rate": float("nan")}}, "optimizer.learning_rate must be a finite number, not nan"),
        ({"trainer": {"options": {"profiler": object()}}}, "trainer.options must be a dictionary of names"),
        ({"seed": -1}, "seed must lie from 0 to"),
    ],
)
def test_wrong_keys_types_and_numbers_are_named(content: Any, text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        from_dict(content)
    assert text in str(error.value)


def told(entry: Field[Any], annotation: Any) -> str:
    """The documentation of a parameter: its default, and what may be chosen."""
    default = "" if entry.default is MISSING else f"{plain(entry.default)}: ".replace("None", "null")
    kinds = [each for each in (get_args(annotation) or (annotation,)) if each not in (int, float, type(None))]
    named = [choice for kind in kinds for choice in (get_args(kind) if get_origin(kind) is Literal else [])]
    chosen = [
        *map(str, entry.metadata.get("choices", ())),
        *map(str, kinds if get_origin(annotation) is Literal else named),
    ]
    chosen += [str(entry.metadata["range"])] if "range" in entry.metadata else []
    none = " or null" if type(None) in get_args(annotation) else ""
    return f"{default}{', '.join(chosen)}{none}"


def test_the_documentation_has_every_parameter_with_its_default_and_range() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/configuration.md").read_text("utf-8")
    names = list(dict.fromkeys(entry.name for kind in FAMILIES.values() for entry in fields(kind)))
    columns = [{e.name: told(e, get_type_hints(kind)[e.name]) for e in fields(kind)} for kind in FAMILIES.values()]
    rows = [["parameter", *(f"`{name}`" for name in FAMILIES)], ["---"] * (1 + len(FAMILIES))]
    rows += [[f"`{name}`", *(column.get(name, "") for column in columns)] for name in names]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    assert table in page, f"docs/reference/configuration.md must hold:\n{table}"


def test_all_problems_are_told_at_once() -> None:
    wrong = {"data": {"timesteps": 0, "nam": "x"}, "model": {"neuron": {"history": 0, "taps": "none"}}, "sed": 1}
    with pytest.raises(ConfigurationError) as error:
        from_dict(wrong)
    for text in (
        "there is no key 'sed' (did you mean 'seed'?)",
        "there is no key 'data.nam' (did you mean 'data.name'?)",
        "data.timesteps must lie from 1 to 1024, not be 0",
        "model.neuron.history must lie from 1 to 64, not be 0",
        "model.neuron.taps must be one of shift, geometric, learned, not 'none'",
    ):
        assert text in str(error.value)


def test_a_norm_that_no_file_can_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="model.neuron.norm must be one that a file can name"):
        module.Model(neuron=MemoryFree(threshold=1.0, norm=dict))


def test_the_parts_check_themselves() -> None:
    with pytest.raises(ConfigurationError, match="data.timesteps"):
        module.Data(timesteps=0)
    with pytest.raises(FrozenInstanceError):
        Config().seed = 3  # type: ignore[misc]


def test_a_number_without_a_decimal_point_is_a_number(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("optimizer: {learning_rate: 1e-3}")
    assert load_config(path).optimizer.learning_rate == 1e-3


def test_a_text_that_reads_like_a_number_stays_a_text(tmp_path: Path) -> None:
    config = from_dict({"data": {"folder": "1e5"}, "trainer": {"options": {"0E0": "2e-3", "x": 2e-3}}})
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config))
    assert load_config(path) == config
    path.write_text("trainer: {options: {x: 2e-3, y: -.5E2, z: 1e, u: 1_0}}")
    assert load_config(path).trainer.options == {"x": 2e-3, "y": -50.0, "z": "1e", "u": 10}


@pytest.mark.parametrize("text", ["a: [", "\t- :", "!!python/object/apply:os.system [exit]", "a: &a [*a]"])
def test_files_that_are_no_configuration_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError):
        load_config(path)


@pytest.mark.parametrize("name", ["digit", "no/such/file.yaml", "."])
def test_a_missing_configuration_names_the_shipped_ones(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cifar10, .*, digits, digits_cnn, ") as error:
        load_config(name)
    assert ("did you mean 'digits'?" in str(error.value)) is (name == "digit")


def test_override_changes_a_copy() -> None:
    config = Config()
    changed = override(config, {"trainer.max_epochs": 3, "model.neuron.threshold": 2, "seed": 9})
    assert (changed.trainer.max_epochs, changed.model.neuron.threshold, changed.seed) == (3, 2.0, 9)
    assert config == Config()
    assert override(changed, to_dict(config)) == config


def test_another_family_keeps_what_all_share_and_has_its_own_defaults_else() -> None:
    neuron = MemoryFree(threshold=2.0, history=9, decay=0.8, surrogate="arctan", norm=None)
    config = Config(model=module.Model(neuron=neuron))
    for kind in (QuantizedLIF, LIF):
        changed = override(config, {"model.neuron.decay": 0.75, "model.neuron.family": kind.family}).model.neuron
        assert changed == kind(threshold=2.0, decay=0.75, surrogate="arctan", norm=None)
    assert override(config, {"model.neuron.family": "memory_free"}) == config
    tanh = override(config, {"model.neuron": {"family": "tanh_lif", "threshold": 0.5}}).model.neuron
    assert tanh == TanhLIF(threshold=0.5)
    with pytest.raises(ConfigurationError, match="model.neuron.family must be one of"):
        override(config, {"model.neuron.family": "cuba"})


def test_override_passes_new_options_to_lightning() -> None:
    assert override(Config(), {"trainer.options.profiler": "simple"}).trainer.options == {"profiler": "simple"}


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("epochs", "did you mean 'trainer.max_epochs'"),
        ("trainer.epochs", "did you mean 'trainer.max_epochs'"),
        ("model.neuron.histroy", "did you mean 'model.neuron.history'"),
        ("seed.deep", "did you mean 'seed'"),
        ("data.name.deep", "did you mean 'data.name'"),
        ("xyz", "choose one of data.name, .*trainer.max_epochs"),
        ("", "choose one of data.name, .*trainer.max_epochs"),
    ],
)
def test_override_refuses_unknown_keys(key: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=f"there is no key '{key}'. Remedy: {remedy}"):
        override(Config(), {key: 1})


def test_override_refuses_keys_in_what_is_no_part() -> None:
    with pytest.raises(ConfigurationError, match="there is no key 'trainer.options.a.b'"):
        override(Config(), {"trainer.options.a.b": 1})


def test_override_checks_values() -> None:
    with pytest.raises(ConfigurationError, match="trainer.max_epochs must be an integer, not 'three'"):
        override(Config(), {"trainer.max_epochs": "three"})


@pytest.mark.parametrize(
    ("text", "value"),
    [("a.b=3", 3), ("a.b=[1, 2]", [1, 2]), ("a.b=true", True), ("a.b=x=y", "x=y"), ("a.b=", None), (" a.b =0.5", 0.5)],
)
def test_overrides_are_typed_as_in_yaml(text: str, value: Any) -> None:
    assert parse_override(text) == ("a.b", value)


@pytest.mark.parametrize("text", ["a.b", "=3", "a=["])
def test_overrides_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_override(text)


def test_reading_a_configuration_needs_no_torch() -> None:
    code = "import sys, lava_qsnn.train.config as c; c.load_config('digits'); print('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert result.stdout.strip() == "False"


def _laughs(lines: int) -> str:
    steps = (f"  a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, lines))
    return "trainer:\n  options:\n  " + "\n  ".join(["  a0: &a0 [1]", *steps])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (_laughs(30), "it has an alias, *a0: write out"),
        ("a: &a {b: 1}\nc: {<<: [*a, *a]}", "it has an alias"),
        ("&a [*a]", "it has an alias"),
        ("[" * 10_000, "nested more than 16 deep"),
        ("{a: " * 17 + "1" + "}" * 17, "nested more than 16 deep"),
        ("seed: 1\n" * 10_000, "more than 32,768 characters"),
        ("seed: " + "1" * 6000, "is not YAML"),
        ("seed: 0x" + "f" * 6000, "seed must lie from 0 to 4294967295, not be a huge number"),
        ("seed: " + "1:" * 3000 + "1.5", "a value in it is not what it is said to be"),
        ("seed: !!timestamp x", "a value in it is not"),
        ("seed: !!int ''", "a value in it is not"),
        ("seed: !!python/object/apply:os.getcwd []", "is not YAML"),
        ("seed: true", "seed must be an integer, not True"),
        ("1: 2", "there is no key '1'"),
        ("model: {neuron: {threshold: .nan}}", "model.neuron.threshold must be a finite number"),
        ("model: {hidden: [" + "8, " * 2000 + "8]}", "model.hidden must have at most 256 entries, not 2,001"),
        ("model: {hidden: [true]}", "model.hidden must be a list of integers"),
        ("trainer: {options: {1: 2}}", "trainer.options must be a dictionary"),
    ],
    ids=lambda text: text[:40],
)
def test_hostile_yaml_is_one_clear_error(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_config(path)
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


def test_no_file_is_read_beyond_what_a_configuration_needs() -> None:
    with pytest.raises(ConfigurationError, match="more than 32,768 characters"):
        load_config("/dev/zero")


def _in_itself() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["a"] = [value]
    return value


def _many() -> list[Any]:
    value: list[Any] = [1]
    for _ in range(60):
        value = [value] * 9
    return value


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("trainer", {"options": _in_itself()}, "a part of trainer lies in itself"),
        ("trainer", {"options": {"a": _many()}}, "the parts of trainer are nested more than 16 deep"),
        ("trainer", {"options": {str(n): [1] * 100 for n in range(200)}}, "trainer has more than 10,000 entries"),
        ("model", {"hidden": [8] * 100_000}, "model has more than 10,000 entries"),
        ("model", {"hidden": [8] * 257}, "model.hidden must have at most 256 entries"),
    ],
)
def test_dictionaries_without_end_are_refused(key: str, value: Any, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_dict({key: value})
    assert text in str(caught.value)
