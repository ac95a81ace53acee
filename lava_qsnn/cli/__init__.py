"""The command `lava-qsnn`: `verbs` has what can be done, `inputs` what is read for it, `tables` what is shown of it.

With training and benchmarks it is what may import netx_export. Each verb imports what it needs, so that help comes at
once, and a verb needs no package that another one does.
"""

from lava_qsnn.cli.verbs import main

__all__ = ["main"]
