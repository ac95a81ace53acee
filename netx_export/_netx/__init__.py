"""Stock NetX files, whoever wrote them, as networks: what unmodified NetX makes of them, bit for bit, or a refusal."""

from netx_export._netx._blocks import Block, input_block, synaptic_block
from netx_export._netx._group import Group, Note
from netx_export._netx._load import stock_network
from netx_export._netx._reading import OUTPUTS, TIMINGS, Reading

__all__ = ["OUTPUTS", "TIMINGS", "Block", "Group", "Note", "Reading", "input_block", "stock_network", "synaptic_block"]
