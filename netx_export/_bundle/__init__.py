"""A bundle: what somebody with a board is handed, as one file.

`_plan` says what the scripts are told, `_golden` what is right, `_pages` the words, `_zip` packs, `_bundle` does it
all. The scripts themselves are `lava_qsnn.handover`.
"""

from netx_export._bundle._bundle import Bundle, bundle

__all__ = ["Bundle", "bundle"]
