"""Losses beside slayer's own: equal where slayer's are defined, an error where these give nan."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch

from lava_qsnn._slayer import slayer
from lava_qsnn.block import memory_free
from lava_qsnn.errors import ConfigurationError, InputError
from lava_qsnn.loss import SpikeMax

LABELS = torch.tensor([0, 2, 1, 4])


def spikes() -> torch.Tensor:
    torch.manual_seed(0)
    return (torch.rand(4, 5, 12) < 0.4).float()


@pytest.mark.skipif(slayer is None, reason="lava-dl is not installed")
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("mode", ["probability", "logsoftmax"])
def test_it_is_slayer_s_on_spikes(mode: Any, reduction: Any) -> None:
    x = spikes()
    expected = slayer.loss.SpikeMax(mode=mode, reduction=reduction)(x, LABELS)
    assert torch.allclose(SpikeMax(mode=mode, reduction=reduction)(x, LABELS), expected)
    assert expected > 0.1


@pytest.mark.skipif(slayer is None, reason="lava-dl is not installed")
def test_where_slayer_s_gives_nan_this_names_the_remedy() -> None:
    torch.manual_seed(0)
    potentials = memory_free.Output(20, 5)(torch.rand(4, 20, 12).round())
    assert (potentials.mean(-1) < 0).any()
    rates = potentials.mean(-1)
    opposed = (rates * rates.sum(1, keepdim=True).sign()).argmin(1)  # of the other sign than the sum of all
    assert slayer.loss.SpikeMax()(potentials, opposed).isnan()
    with pytest.raises(InputError, match='write SpikeMax\\(mode="logsoftmax"\\) behind an Output'):
        SpikeMax()(potentials, opposed)
    loss = SpikeMax(mode="logsoftmax")(potentials, opposed)
    loss.backward()
    assert loss.isfinite()


@pytest.mark.parametrize("options", [{"mode": "max"}, {"reduction": "some"}, {"moving_window": 3}])
def test_what_it_does_not_know_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        SpikeMax(**cast(Any, options))
