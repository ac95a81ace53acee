"""Lava processes of deployed networks, and the rules by which Lava chooses their models.

`loihi` has processes on the Loihi protocol, one per synapse and per neuron, in time steps; `messages` has processes of
whole layers that answer messages, without time steps.

At compile time Lava executes every file beside a process's own, and those of subpackages there, once more for each
process class. So these two rooms hold processes, models and what they need, with absolute imports, and nothing that
acts when imported.
"""

from lava_qsnn.guard import require_lava

require_lava()
