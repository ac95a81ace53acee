"""Coming from slayer: a name that is slayer's alone is an error that says what to use, and the page has it, too."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from lava_qsnn import block
from lava_qsnn._slayer import slayer
from lava_qsnn.block._family import PAGE, SLAYER
from lava_qsnn.errors import ConfigurationError

FAMILIES = [block.memory_free, block.quantized_lif, block.lif, block.tanh_lif]
ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__.rpartition(".")[2])
@pytest.mark.parametrize("name", SLAYER)
def test_a_name_of_slayer_s_says_what_to_use(name: str, family: ModuleType) -> None:
    with pytest.raises(AttributeError) as error:
        getattr(family, name)
    assert str(error.value) == f"module '{family.__name__}' has no attribute '{name}': {SLAYER[name]}; see {PAGE}"


def test_the_page_has_each_of_them() -> None:
    page = (ROOT / PAGE).read_text("utf-8")
    assert [name for name in SLAYER if f"`{name}`" not in page and f".{name}`" not in page] == []


@pytest.mark.lava
def test_every_block_of_slayer_s_is_here_or_has_advice() -> None:
    if slayer is None:
        pytest.skip("lava-dl is not installed")
    public = {name: value for name, value in vars(slayer.block.cuba).items() if isinstance(value, type)}
    own = slayer.block.cuba.__name__
    theirs = {name for name, kind in public.items() if kind.__module__ == own and not name.startswith("Abstract")}
    assert {"Dense", "Conv", "KWTA", "Affine"} <= theirs
    assert {name for name in theirs if name not in SLAYER and not hasattr(block.memory_free, name)} == set()


def test_a_name_that_is_nobody_s_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Dens'$"):
        getattr(block.memory_free, "Dens")  # noqa: B009  a type checker knows that it is not there


@pytest.mark.parametrize(
    ("option", "remedy"),
    [({"weight_norm": True}, "norm"), ({"delay": True}, 'taps="learned"'), ({"pre_hook_fx": abs}, "weight_bits")],
    ids=["weight_norm", "delay", "pre_hook_fx"],
)
def test_an_argument_of_slayer_s_that_has_no_meaning_here_has_a_remedy(option: dict[str, object], remedy: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        block.memory_free.Dense({"threshold": 1.0}, 8, 4, **option)  # type: ignore[arg-type]
    assert remedy in str(error.value)
