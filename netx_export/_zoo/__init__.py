"""Trained networks that come with the package: their files, their records, and model cards made of both.

`index.json` has a record of each network; `networks`, `samples` and `cards` have its file, a few test samples where
their licence allows that, and what a person has to say of it. `training/zoo_entry.py` measures a network and adds it.
"""

from netx_export._zoo._card import card
from netx_export._zoo._files import PREFIX, enclosed, located, name_of, path, samples
from netx_export._zoo._records import Count, Measurement, Record, Samples, names, record

__all__ = [
    "PREFIX",
    "Count",
    "Measurement",
    "Record",
    "Samples",
    "card",
    "enclosed",
    "located",
    "name_of",
    "names",
    "path",
    "record",
    "samples",
]
