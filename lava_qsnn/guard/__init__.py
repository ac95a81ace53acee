"""The guarded run of any Lava program: it ends, with its result or with the traceback of the process that failed.

Useful alone: nothing here knows of networks or neurons, and a program's processes may be Lava's own or anybody's. Stock
Lava waits for ever after most failures, and leaves processes and shared memory behind; this leaves nothing.

    from lava_qsnn.guard import run

    run(process, num_steps=100, run_config=Loihi2SimCfg(), time_limit=60)

`GuardedRuntime` is the same as a `with` block, inside which Vars can be read and runs go on from where they stood.
"""

from lava_qsnn.guard._lava import LAVA_VERSION, require_lava

require_lava()  # Before the modules below, which import it.

from lava_qsnn.guard._guarded import GuardedRuntime, Progress, run  # noqa: E402

__all__ = ["LAVA_VERSION", "GuardedRuntime", "Progress", "require_lava", "run"]
