"""Published limits, sensitivities, preferred regions and event tables, with their citations.

Each is a small CSV file of the package whose header says where the numbers come from, at which
confidence level, and in which convention of the coupling. Nothing is read from elsewhere::

    from siren_py.published import load_curve

    minerva = load_curve("minerva")
    minerva.at(0.1)  # d_mu [1/GeV] at 100 MeV

`curve_names` and `table_names` list what there is; ``siren-py list limits`` prints it.
"""

from __future__ import annotations

from siren_py.published.curves import (
    Curve,
    PublishedTable,
    curve_names,
    load_curve,
    load_table,
    table_names,
)

__all__ = [
    "Curve",
    "PublishedTable",
    "curve_names",
    "load_curve",
    "load_table",
    "table_names",
]
