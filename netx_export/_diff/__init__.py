"""Two networks beside each other: structure, numbers, and what they answer to the same input.

`_pairs` finds the layers that belong together, `_changes` says in words what differs between them, `_runs` where their
outputs part, and `_page` draws it.
"""

from netx_export._diff._diff import diff
from netx_export._diff._facts import Change, LayerDiff, NetworkDiff

__all__ = ["Change", "LayerDiff", "NetworkDiff", "diff"]
