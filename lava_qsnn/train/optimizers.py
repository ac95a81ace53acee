"""Optimizers: AdamW for all parameters, or Muon for the weights of the inner layers and AdamW for the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from lava_qsnn.extras import extra
from lava_qsnn.quantize import BINARY_WINDOW
from lava_qsnn.synapse import Quantized
from lava_qsnn.train.config import Optimizer

with extra("train"):
    import torch
    from torch import Tensor, nn

#: The momentum of Muon; the coefficients of its Newton-Schulz iteration (Jordan et al., 2024), and its repetitions.
MOMENTUM, COEFFICIENTS, ITERATIONS = 0.95, (3.4445, -4.7750, 2.0315), 4

#: The root mean square of AdamW's typical update, to which an orthogonal one is scaled (Liu et al., arXiv 2502.16982).
UPDATE_SIZE = 0.2


def make_optimizer(net: nn.Module, options: Optimizer) -> torch.optim.Optimizer:
    """The optimizer of a configuration for a network's parameters."""
    inner = inner_weights(net) if options.name == "muon" else []
    chosen = {id(weight) for weight in inner}
    others = [entry for entry in net.parameters() if entry.requires_grad and id(entry) not in chosen]
    adamw = torch.optim.AdamW(others, options.learning_rate, weight_decay=options.weight_decay)
    if not inner:
        return adamw
    return Muon(inner, adamw, options.muon_learning_rate, options.weight_decay, windowed(net))


def inner_weights(net: nn.Module) -> list[Tensor]:
    """The weights between the first and the last synapse of a network, which learn."""
    return [synapse.weight for synapse in _learning(net)[1:-1]]


def windowed(net: nn.Module) -> list[Tensor]:
    """The weights of a network that have a gradient within -1 to 1 alone: those of 1 bit, not regulated, not real."""
    if any(getattr(module, "real_weights", False) for module in net.modules()):
        return []
    synapses = [each for each in _learning(net) if isinstance(each, Quantized)]
    return [each.weight for each in synapses if each.weight_bits == 1 and not each.weight_regulation]


def _learning(net: nn.Module) -> list[Quantized | nn.Conv2d | nn.Linear]:
    """The synapses that learn, in their order: this project's, and those of real weights that torch has."""
    kinds = (Quantized, nn.Conv2d, nn.Linear)
    return [module for module in net.modules() if isinstance(module, kinds) and getattr(module, "learns", True)]


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix whose singular values are all near 1, of the same shape: U V^T of U S V^T.

    A few steps of the Newton-Schulz iteration in 16 bits, whose singular values end between about 0.7 and 1.2.

    Args:
        matrix: float (m, n).
    """
    a, b, c = COEFFICIENTS
    x = matrix.to(torch.bfloat16)
    x = x / (x.norm() + 1e-7)
    wide = x.T if len(x) > x.shape[1] else x
    for _ in range(ITERATIONS):
        product = wide @ wide.T
        wide = a * wide + (b * product + c * product @ product) @ wide
    return (wide.T if len(x) > x.shape[1] else wide).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal, for the weights of hidden layers, beside AdamW for all others.

    With m the momentum of the gradient g of a weight W, as a matrix (out, inputs):

        W <- (1 - rate decay) W - rate 0.2 sqrt(max(out, inputs)) orthogonal(g + 0.95 m)

    (Muon: Jordan et al., 2024, "Muon: An optimizer for hidden layers in neural networks"; its scale: arXiv 2502.16982.)
    Its updates are as large for a weight without gradient as for others. So weights of 1 bit are clipped to where they
    have one (BinaryConnect: Courbariaux et al., 2015, arXiv 1511.00363, section 2.4); they would leave for good.

    Args:
        weights: float (out, inputs, ..), each.
        adamw: of all other parameters; this optimizer makes its steps, too.
        learning_rate, weight_decay: of `weights`.
        clipped: those of `weights` that are kept within -1 to 1; others are ignored.
    """

    def __init__(
        self,
        weights: Sequence[Tensor],
        adamw: torch.optim.AdamW,
        learning_rate: float,
        weight_decay: float,
        clipped: Sequence[Tensor] = (),
    ) -> None:
        super().__init__(weights, {"lr": learning_rate, "weight_decay": weight_decay})
        self._clipped = {id(weight) for weight in clipped}
        self._adamw = adamw
        self.param_groups += adamw.param_groups

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Make one step; `closure`, if there is one, computes the gradients and returns the loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        own, *others = self.param_groups
        for weight in own["params"]:
            if weight.grad is not None:
                self._update(weight, own["lr"], own["weight_decay"])
        self._adamw.param_groups, self._adamw.state = others, self.state  # loading replaces them
        self._adamw.step()
        return loss

    @torch.no_grad()
    def _update(self, weight: Tensor, rate: float, decay: float) -> None:
        gradient = weight.grad
        assert gradient is not None
        state = self.state[weight]
        momentum = state.setdefault("momentum", torch.zeros_like(gradient)).mul_(MOMENTUM).add_(gradient)
        update = orthogonal(gradient.add(momentum, alpha=MOMENTUM).flatten(1))
        size = UPDATE_SIZE * math.sqrt(max(update.shape))
        weight.mul_(1 - rate * decay).add_(update.view_as(weight), alpha=-rate * size)
        if id(weight) in self._clipped:
            weight.clamp_(-BINARY_WINDOW, BINARY_WINDOW)
