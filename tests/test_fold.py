"""Folding: what becomes of norms, poolings, masks and names, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import netx_export
from lava_qsnn import _slayer, integer, synapse
from lava_qsnn.block import memory_free as block
from lava_qsnn.errors import ConfigurationError, DeploymentError, InputError, RangeError

PARAMETERS: dict[str, Any] = {"threshold": 0.5, "history": 3}


def one_layer(parameters: dict[str, Any], inputs: int = 12, outputs: int = 6, **more: Any) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(block.Dense(parameters, inputs, outputs, **more)).eval()


def test_layers_keep_order_names_and_shapes() -> None:
    net = nn.Sequential(
        block.Input(),
        nn.Sequential(block.Conv(PARAMETERS, 1, 3, 3, padding=1), nn.Dropout(0.5)),
        block.Pool(None, 2),
        nn.Identity(),
        block.Flatten(),
        block.Dense(PARAMETERS, 3 * 4 * 4, 7),
        block.Output(7, 2),
    )
    network = netx_export.fold(net, (1, 8, 8), timesteps=5, input_bits=2)
    assert list(network) == ["conv1", "dense2", "output"]
    assert network.shapes == {"input": (1, 8, 8), "conv1": (3, 8, 8), "dense2": (7,), "output": (2,)}
    assert network.input == integer.Input((1, 8, 8), 3)


def test_blocks_may_live_in_slayers_attribute() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.blocks = nn.ModuleList([block.Dense({**PARAMETERS, "threshold": 0.0}, 4, 3), block.Output(3, 2)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for each in self.blocks:
                x = each(x)
            return x

    assert list(netx_export.export(Network(), None, (4,), 3)) == ["dense1", "output"]


def test_a_negative_gain_turns_the_weights_of_its_channel() -> None:
    net = one_layer({**PARAMETERS, "norm": "batch"})
    before = netx_export.fold(net, (12,), 4).layers[0].connections[0].synapse.weight
    net[0].neuron.norm.weight.data[2] *= -1
    after = netx_export.fold(net, (12,), 4).layers[0].connections[0].synapse.weight
    turned = (before != after).all(1)
    assert turned.tolist() == [False, False, True, False, False, False]
    assert (before[2] == -after[2]).all()


def test_thresholds_beyond_reach_lie_just_beyond_it() -> None:
    net = one_layer({**PARAMETERS, "norm": "batch"})
    net[0].neuron.norm.weight.data[:2] = 0.0
    net[0].neuron.norm.bias.data[:2] = torch.tensor([-1.0, 1.0])
    network = netx_export.fold(net, (12,), 4)
    low, high = network.potential_ranges["dense1"]
    threshold = network.layers[0].neuron.threshold
    assert threshold is not None
    assert (threshold[0], threshold[1]) == (high[0] + 1, low[1])


@pytest.mark.parametrize(
    "norm",
    [
        pytest.param(_slayer.MeanOnlyBatchNorm, marks=pytest.mark.lava),
        pytest.param(_slayer.WgtScaleBatchNorm, marks=pytest.mark.lava),
        lambda: nn.BatchNorm1d(6),
        nn.BatchNorm3d,
        True,
    ],
)
def test_norms_of_slayer_and_torch_fold(norm: object) -> None:
    net = one_layer({**PARAMETERS, "norm": norm}).train()
    for _ in range(20):
        net(torch.randint(0, 4, (16, 12, 4)).float())
    network = netx_export.export(net.eval(), None, (12,), 4, input_bits=2)
    assert len(set(network.layers[0].neuron.threshold.tolist())) > 2


def test_a_mask_removes_synapses() -> None:
    mask = torch.rand(6, 12, generator=torch.Generator().manual_seed(1)) < 0.5
    net = one_layer({**PARAMETERS, "threshold": 0.1}, mask=mask)
    weight = netx_export.export(net, None, (12,), 4).layers[0].connections[0].synapse.weight
    assert ((weight != 0) == mask.numpy()).all()


def test_one_bit_shift_taps_reach_sixteen_steps() -> None:
    net = one_layer({"threshold": 0.5, "history": 16})
    network = netx_export.export(net, None, (12,), 16)
    assert network.layers[0].neuron.taps == tuple(2**k for k in range(15, -1, -1))


def test_taps_that_a_sample_never_reaches_are_dropped() -> None:
    net = one_layer({"threshold": 0.5, "history": 64})
    assert netx_export.export(net, None, (12,), 4).layers[0].neuron.taps == (8, 4, 2, 1)


windows = st.tuples(st.integers(1, 3), st.integers(1, 3))


@given(windows, windows, st.integers(0, 1), windows, windows, st.integers(0, 2**31))
def test_a_pooling_merges_exactly_or_is_refused(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: int,
    conv_kernel: tuple[int, int],
    conv_stride: tuple[int, int],
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    source, groups = (4, 9, 10), int(random.choice([1, 2]))
    pooling = integer.SumPool(kernel, stride, (padding, 0), (1, int(random.choice([1, 2]))))
    after = integer.Conv(random.integers(-3, 4, (6, 4 // groups, *conv_kernel)), conv_stride, (1, 0), groups=groups)
    x = torch.tensor(random.integers(0, 5, (2, *source))).double()
    try:
        pooled_shape = pooling.output_shape(source)
        after.output_shape(pooled_shape)
        merged = integer.merge(pooling, after, source)
    except DeploymentError:
        return
    assert isinstance(merged, integer.Conv)
    assert torch.equal(_convolve(merged, x), _convolve(after, _pool(pooling, x)))
    dense = integer.Dense(random.integers(-3, 4, (3, int(np.prod(pooled_shape)))))
    flat = integer.merge(pooling, dense, source)
    expected = _pool(pooling, x).flatten(1) @ torch.tensor(dense.weight.T).double()
    assert torch.equal(x.flatten(1) @ torch.tensor(flat.weight.T).double(), expected)


def _convolve(conv: integer.Synapse, x: torch.Tensor) -> torch.Tensor:
    assert isinstance(conv, integer.Conv)
    weight = torch.tensor(conv.weight).double()
    return F.conv2d(x, weight, None, conv.stride, conv.padding, conv.dilation, conv.groups)


def _pool(pooling: integer.SumPool, x: torch.Tensor) -> torch.Tensor:
    ones = torch.ones(x.shape[1], 1, *pooling.kernel).double()
    return F.conv2d(x, ones, None, pooling.stride, pooling.padding, pooling.dilation, x.shape[1])


def test_two_poolings_stay_known_and_merge_into_one_synapse() -> None:
    net = nn.Sequential(
        block.Pool(None, 2), block.Pool(None, 2), block.Flatten(), block.Dense(PARAMETERS, 2 * 2 * 2, 5)
    )
    network = netx_export.export(net, None, (2, 8, 8), 3, input_bits=2)
    (connection,) = network.layers[0].connections
    assert connection.poolings == (integer.SumPool((2, 2), (2, 2)),) * 2
    assert connection.synapse.weight.shape == (5, 2 * 2 * 2)
    assert network.merged.layers[0].connections[0].synapse.weight.shape == (5, 2 * 8 * 8)


def refused(net: nn.Module, shape: tuple[int, ...] = (12,), **more: object) -> str:
    with pytest.raises(DeploymentError) as caught:
        netx_export.export(net, None, shape, **{"timesteps": 4, **more})  # type: ignore[arg-type]
    assert "Remedy: " in str(caught.value)
    return str(caught.value)


@pytest.mark.lava
def test_slayers_blocks_without_an_integer_form_are_refused_by_name() -> None:
    average = _slayer.slayer.block.cuba.Average(6)
    assert "slayer's Average cannot be deployed" in refused(nn.Sequential(average))


def test_what_has_no_integer_form_is_refused_by_name() -> None:
    assert "Linear has no integer form" in refused(nn.Sequential(block.Dense(PARAMETERS, 12, 6), nn.Linear(4, 4)))
    assert "layer 'dense1': its weights are not finite" in refused(_poisoned(one_layer(PARAMETERS)))
    assert "norm GroupNorm cannot be folded" in refused(one_layer({**PARAMETERS, "norm": lambda: nn.GroupNorm(1, 6)}))
    assert "delay_shift is a training option" in refused(one_layer(PARAMETERS, delay_shift=True))
    assert "nothing can follow the Output" in refused(nn.Sequential(block.Output(12, 6), block.Output(6, 2)))
    assert "12 dense inputs do not fit a source of shape (11,)" in refused(one_layer(PARAMETERS), (11,))
    assert "a pooling at the end" in refused(
        nn.Sequential(block.Conv(PARAMETERS, 1, 2, 2), block.Pool(None, 2)), (1, 5, 5)
    )
    assert "no layer" in refused(nn.Sequential(block.Flatten()))


def test_a_pooling_that_does_not_merge_is_exact_but_not_for_backends_without_poolings() -> None:
    padded = nn.Sequential(block.Pool(None, 3, stride=1, padding=1), block.Conv(PARAMETERS, 1, 2, 3, padding=1))
    network = netx_export.export(padded, None, (1, 6, 6), 4)
    assert "does not merge exactly" in str(netx_export.BACKENDS["lava"].refusal(network))
    assert "does not merge exactly" in network.stock_obstacles[0]
    x = np.random.default_rng(0).integers(0, 2, (4, 1, 6, 6, 4))
    assert 0 < netx_export.simulate(network, x).mean() < 1
    assert netx_export.verify(network, x, backends=["fast", "lava-async", "lava-fused"], net=padded).exact


def _poisoned(net: nn.Sequential) -> nn.Sequential:
    net[0].synapse.weight.data[0, 0] = float("nan")
    return net


def test_what_a_network_does_beyond_its_blocks_is_noticed() -> None:
    class Doubling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList([block.Dense(PARAMETERS, 12, 6), block.Output(6, 2)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.blocks[1](1 - self.blocks[0](x))

    assert "torch and the folded network differ" in refused(Doubling())


def test_sums_beyond_float32_are_refused() -> None:
    with pytest.raises(RangeError, match=r"layer 'dense1'.*beyond 2\^24.*Remedy"):
        netx_export.export(one_layer({"threshold": 0.5, "history": 24}), None, (12,), 24)


def test_impossible_arguments_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="input_bits"):
        netx_export.export(one_layer(PARAMETERS), None, (12,), 4, input_bits=0)
    with pytest.raises((ConfigurationError, DeploymentError), match="timesteps"):
        netx_export.export(one_layer(PARAMETERS), None, (12,), 0)
    with pytest.raises(DeploymentError, match="input shape"):
        netx_export.export(one_layer(PARAMETERS), None, (3, 4), 4)


def test_export_leaves_the_mode_of_the_network_alone() -> None:
    net = one_layer(PARAMETERS).train()
    netx_export.export(net, None, (12,), 4)
    assert net.training
    assert net[0].training


class Beyond(nn.Module):
    """Blocks, and something after them."""

    def __init__(self, then: object) -> None:
        super().__init__()
        torch.manual_seed(0)
        often = {**PARAMETERS, "threshold": 0.1}
        self.blocks = nn.ModuleList([block.Dense(often, 12, 6), block.Output(6, 2)])
        self.head = nn.Linear(2, 2)
        self.then = then

    def forward(self, x: torch.Tensor) -> object:
        for each in self.blocks:
            x = each(x)
        return self.then(x, self)  # type: ignore[operator]


@pytest.mark.parametrize(
    "then",
    [
        lambda y, net: y,
        lambda y, net: y.sum(-1),
        lambda y, net: 3 * y.mean(-1),
        lambda y, net: (y, torch.zeros(2)),
    ],
)
def test_a_network_may_return_potentials_or_their_sum_over_time(then: object) -> None:
    network = netx_export.export(Beyond(then), None, (12,), 4)
    x = np.random.default_rng(0).integers(0, 2, (5, 12, 4))
    assert netx_export.verify(network, x, ["fast"], Beyond(then)).exact


@pytest.mark.parametrize(
    "then",
    [
        lambda y, net: y.flip(1),
        lambda y, net: -y,
        lambda y, net: y.sum(-1) + torch.tensor([0.0, 1e-2]),
        lambda y, net: y.sum(-1) * torch.tensor([1.0, 2.0]),
        lambda y, net: net.head(y.sum(-1)),
        lambda y, net: y[..., -1],
        lambda y, net: y.sum(-1).argmax(1),
        lambda y, net: {"logits": y},
        lambda y, net: y[:, :1],
    ],
)
def test_what_a_network_does_after_its_blocks_is_refused(then: object) -> None:
    folded = netx_export.fold(Beyond(then), (12,), 4)
    text = refused(Beyond(then))
    assert "does not return its last block's output, nor its sum or mean over time" in text
    assert "outside of them: 'head', a Linear" in text
    with pytest.raises(DeploymentError, match="does not return its last block's output"):
        netx_export.verify(folded, np.random.default_rng(0).integers(0, 2, (5, 12, 4)), [], Beyond(then))


def test_a_list_of_blocks_is_a_network() -> None:
    blocks = Beyond(None).blocks
    assert list(netx_export.export(blocks, None, (12,), 4)) == ["dense1", "output"]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: [block.Dense(PARAMETERS, 12, 6)], "layer 'dense1' has other weights"),
        (lambda: [block.Dense({**PARAMETERS, "threshold": 0.1}, 12, 6)], "layer 'dense1' has other neurons"),
        (lambda: [block.Dense(PARAMETERS, 11, 6)], "11 dense inputs do not fit"),
        (
            lambda: [block.Dense(PARAMETERS, 12, 6), block.Output(6, 2)],
            "it has the layers dense1, output, and not dense1",
        ),
    ],
)
def test_a_network_is_not_verified_with_the_torch_network_of_another(make: object, text: str) -> None:
    network = netx_export.fold(one_layer(PARAMETERS), (12,), 4)
    torch.manual_seed(0 if "other neurons" in text else 1)
    other = nn.Sequential(*make()).eval()  # type: ignore[operator]
    with pytest.raises(DeploymentError, match=f"not the one that this network was folded from: .*{text}.*Remedy"):
        netx_export.verify(network, np.ones((2, 12, 4), int), [], other)


def often(inputs: int, outputs: int) -> nn.Module:
    return block.Dense({**PARAMETERS, "threshold": 0.05}, inputs, outputs)


@pytest.mark.parametrize(
    "first",
    [
        [block.Conv({**PARAMETERS, "threshold": 0.1}, 1, 4, 3), block.Flatten()],
        [block.Conv({**PARAMETERS, "threshold": 0.1}, 1, 64, 6)],
        [block.Conv({**PARAMETERS, "threshold": 0.1}, 1, 64, 6), block.Flatten()],
        [block.Conv({**PARAMETERS, "threshold": 0.1}, 1, 16, 3), block.Pool(None, 2), block.Flatten()],
    ],
)
def test_a_skip_from_a_flattened_map_is_one_to_one_in_its_order(first: list[nn.Module]) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(*first, block.Residual(often(64, 32), often(32, 64)), block.Output(64, 3))
    network = netx_export.export(net, None, (1, 6, 6), 4)
    x = np.random.default_rng(0).integers(0, 2, (3, 1, 6, 6, 4))
    report = netx_export.verify(network, x, ["fast"], net)
    assert report.exact
    assert not report.silent


def test_the_rule_for_currents_adds_channel_by_channel_in_blocks_and_networks() -> None:
    """One channel hears the synapse alone, the other the skip alone: their largest currents never meet."""
    dense, skip = block.Dense(PARAMETERS, 2, 2, weight_bits=8), synapse.Dense(2, 2, weight_bits=8)
    net = nn.Sequential(block.Residual(dense, shortcut=skip, strength=1)).eval()
    with torch.no_grad():
        dense.synapse.weight.copy_(torch.tensor([[1.0, 1.0], [0.0, 0.0]]).reshape(2, 2, 1, 1, 1))
        skip.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 1.0]]).reshape(2, 2, 1, 1, 1))
    network = netx_export.fold(net, (2,), 1, 16)
    reach = network.reach("dense1")
    assert 2**23 < reach <= 2**24
    largest = torch.full((1, 2, 1), float(network.input.maximum))
    assert net(largest).shape == (1, 2, 1)
    for beyond in (2 * largest, -2 * largest):
        with pytest.raises(RangeError, match=r"layer 'Dense': potentials may reach [\d,]+, beyond 2\^24"):
            net(beyond)


@pytest.mark.parametrize(("weight", "dtype"), [(3e38, torch.float32), (5e-324, torch.float64)])
def test_steps_that_arithmetic_does_not_hold_are_refused(weight: float, dtype: torch.dtype) -> None:
    dense = block.Dense({"threshold": 1.0}, 300, 4).to(dtype)
    with torch.no_grad():
        dense.synapse.weight.fill_(weight)
    with pytest.raises(DeploymentError, match="layer 'dense1': its weights have steps from"):
        netx_export.export(torch.nn.Sequential(dense).eval(), None, (300,), 2)


def test_parameters_of_16_bits_deploy() -> None:
    torch.manual_seed(0)
    blocks = [
        block.Dense({"threshold": 0.5, "norm": "batch"}, 9, 16, weight_bits=2),
        block.Output(16, 3),
    ]
    net = torch.nn.Sequential(*blocks).bfloat16().eval()
    network = netx_export.export(net, None, (9,), 4)  # compares every layer
    x = np.random.default_rng(0).integers(0, 2, (8, 9, 4))
    assert 0 < integer.run_reference(network, x)["dense1"].mean() < 1


def test_an_empty_batch_is_refused_in_evaluation() -> None:
    dense = block.Dense({"threshold": 1.0}, 3, 4).eval()
    with pytest.raises(InputError, match="nothing to compute"):
        dense(torch.zeros(0, 3, 4))
