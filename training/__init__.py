"""Training: data modules, models, the Lightning module, configurations, checkpoints and curves.

from training.config import load_config, override
from training.train import train

result = train(override(load_config("digits"), {"trainer.max_epochs": 5}), "runs/digits")
"""
