"""Scripts that bundles hold, each to be run alone in a bundle's folder: they import nothing of this project.

`run` needs lava-dl and Lava, `compare` needs numpy. `netx_export.bundle` copies their text.
"""
