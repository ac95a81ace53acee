"""Blocks in torch, in slayer's style: what is trained."""

from lava_qsnn.block import memory_free

__all__ = ["memory_free"]
