"""Stock NetX files, whoever wrote them, as networks: what unmodified NetX makes of them, bit for bit, or a refusal."""

from netx_export._netx._load import stock_network
from netx_export._netx._reading import OUTPUTS, TIMINGS, Reading

__all__ = ["OUTPUTS", "TIMINGS", "Reading", "stock_network"]
