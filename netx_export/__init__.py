"""Deployment: export trained networks to integers and NetX files, load, run and verify them.

    network = netx_export.export(net, "digits.net", input_shape=(64,), timesteps=4, input_bits=5)
    potentials = netx_export.simulate("digits.net", x, backend="lava")

Each name is imported when it is first used; `__init__.pyi` lists them. torch is imported by `export` and `fold` only,
Lava by `Network`, `Stream`, the run configurations `fixed_point` and `fused`, and the backends that run on it only.
"""

from lava_qsnn._late import late_names

__getattr__, __dir__, __all__ = late_names(
    __name__,
    __file__,
    extras={
        "lava_qsnn.process": "lava",
        "netx_export._export": "train",
        "netx_export._fold": "train",
        "netx_export._network": "lava",
        "netx_export._nir": "nir",
        "netx_export._stream": "lava",
    },
)
