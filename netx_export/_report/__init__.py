"""A network's report: its facts, and the page that shows them.

`_facts` gathers numbers, `_charts` and `_graph` draw them as SVG, `_sections` and `_page` set them into HTML. Pages are
built with the standard library alone, hold their style and pictures, run no script and load nothing.
"""

from netx_export._report._facts import NetworkReport
from netx_export._report._report import report

__all__ = ["NetworkReport", "report"]
