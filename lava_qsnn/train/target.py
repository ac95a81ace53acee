"""The backend that a network is trained for: what it would refuse is said before the first step, or in its epoch.

Three questions are asked of the network as it would be deployed:

* as it is built: what is refused then is an error before the first step;
* with the weights that make its potentials largest: what could be refused later is a warning before the first step;
* after each validation: what is refused then ends the training, and the checkpoints, of epochs before, stay deployable.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from lava_qsnn.block import Synaptic
from lava_qsnn.errors import QsnnError
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.neuron.contract import is_deployable
from lava_qsnn.neuron.memory_free import Taps
from lava_qsnn.quantize import largest_level
from lava_qsnn.synapse import Quantized
from lava_qsnn.train.config import Model
from lava_qsnn.train.data import Properties
from netx_export import BACKENDS, fold

#: Integer weights, and their steps.
Weights = tuple[Tensor, Tensor]

#: The backend whose rules hold for each `model.target`: the reference takes whatever can be deployed at all.
RULES = {"any": "reference", "lava": "lava", "netx": "netx"}


def check_before_training(model: Model, net: nn.Module, given: Properties) -> None:
    """Refuse a network that its target could not run, and warn of one that it might refuse later.

    Baselines with real weights are trained for comparison, and not checked; nor are other networks that cannot be
    deployed, if their target is "any".

    Raises:
        QsnnError: the target could not run the network as it is built; the text names layer, limit and remedy.
    """
    if not _is_checked(model, net):
        return
    _check(model.target, net, given, f"model.target is '{model.target}', and as it is built")
    try:
        _check(model.target, worst_case(net), given, "with the worst of weights")
    except QsnnError as error:
        text = f"{error}. Each validation looks after it, and ends the training if '{model.target}' refuses the network"
        rank_zero_warn(text)


class TargetWatch(Callback):
    """Ends the training of a Classifier in the first validated epoch whose network its target refuses.

    Lightning calls it before it saves checkpoints: those that are saved are of networks that the target runs.
    """

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        model, given = pl_module.config.model, pl_module.properties
        if _is_checked(model, pl_module.network):
            _check(model.target, pl_module.network, given, f"after epoch {trainer.current_epoch + 1}")


def worst_case(net: nn.Module) -> nn.Module:
    """A copy of a network with every weight, and every learned tap, the largest that it can become."""
    worst = copy.deepcopy(net)
    for module in worst.modules():
        if isinstance(module, Quantized) and module.learns:
            weight, step = module.quantized()
            result = torch.full_like(weight, largest_level(module.weight_bits)), step
            module.quantized = partial(_same, result)  # type: ignore[method-assign]
        elif isinstance(module, Taps) and module.family == "learned":
            nn.init.constant_(module.value, 2**module.bits - 1)
            nn.init.constant_(module.value[:1], 2**module.bits - 2)  # equal ones would be divided by what they are
    return worst


def _same(result: Weights) -> Weights:
    return result


def deployed(net: nn.Module, given: Properties) -> IntegerNetwork:
    """A network of these data as it would be deployed; errors as fold's."""
    return fold(net, given.input_shape, given.timesteps, given.input_bits)


def _is_checked(model: Model, net: nn.Module) -> bool:
    neurons = [module.neuron for module in net.modules() if isinstance(module, Synaptic) and module.neuron is not None]
    if not neurons and model.target == "any":  # a network of no blocks: a teacher
        return False
    return not model.float_weights and (all(map(is_deployable, neurons)) or model.target != "any")


def _check(target: str, net: nn.Module, given: Properties, when: str) -> None:
    try:
        BACKENDS[RULES[target]].check(deployed(net, given))
    except QsnnError as error:
        advice: dict[str, Any] = {"layer": error.layer, "remedy": f"{error.remedy}; or set model.target to any"}
        raise type(error)(f"{when}: {error.problem}", **advice) from None
