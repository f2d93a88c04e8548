"""The points of a scan as a table, one row per mass, coupling and channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from siren_py.scan import Scan


def structured(scan: Scan) -> npt.NDArray[np.void]:
    """Return the rows as a structured array; see `siren_py.scan.Scan.to_numpy`."""
    length = max(len(c) for c in scan.channels)
    fields = [
        ("mass", "f8"), ("coupling", "f8"), ("channel", f"U{length}"), ("expected", "f8"),
        ("error", "f8"), ("effective", "f8"), ("attempts", "i8"),
    ]  # fmt: skip
    table = np.empty(scan.values.shape, dtype=fields)
    table["mass"] = scan.masses[:, None, None]
    table["coupling"] = scan.couplings[:, None]
    table["channel"] = scan.channels
    table["expected"], table["error"] = scan.values, scan.errors
    table["effective"] = scan.effective[:, :, None]
    table["attempts"] = scan.attempts[:, None, None]
    return table.ravel()


def records(scan: Scan) -> Any:
    """Return the same rows as an awkward array of records."""
    import awkward as ak

    table = structured(scan)
    # awkward takes texts as a list.
    columns = {k: table[k] for k in table.dtype.names or () if k != "channel"}
    return ak.zip({**columns, "channel": table["channel"].tolist()}, depth_limit=1)
