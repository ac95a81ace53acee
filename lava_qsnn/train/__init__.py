"""Training: data modules, models, the Lightning module, configurations, checkpoints and curves.

from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.train import train

result = train(override(load_config("digits"), {"trainer.max_epochs": 5}), "runs/digits")
"""
