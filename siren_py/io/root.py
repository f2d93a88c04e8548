"""ROOT files: a TTree of events, and the provenance as JSON beside it.

The tree ``events`` has one entry per event. Flat branches: ``weight`` (expected events per
proton on target) and its factors, ``vertex_x`` ... ``vertex_time`` and ``decay_x`` ...
``decay_time`` (the first two vertices, NaN where there is none) and all event columns. Jagged
branches: ``pdg``, ``status``, ``vertex``, ``end_vertex``, ``E``, ``px``, ``py``, ``pz`` of the
particles and ``vertices_*`` of all vertices. The string ``siren_py`` holds the provenance and
the names that integer columns refer to. Energies are in GeV, lengths in cm, times in ns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import PathLike
from siren_py.errors import FormatError
from siren_py.io.files import complete_file
from siren_py.sample import Sample
from siren_py.store import TableStore
from siren_py.tree import PARTICLE_COLUMNS, VERTEX_COLUMNS, EventTable, vertex_of
from siren_py.weighting import FACTORS, product_of_factors

if TYPE_CHECKING:
    import uproot

TREE = "events"
RECORD = "siren_py"
SCHEMA_VERSION = 1

_STEP = 50_000
"""Events per reading step."""

_POINTS = ("vertex", "decay")
_COORDINATES = ("x", "y", "z", "time")
_PARTICLE_BRANCHES = {name: ("E" if name == "energy" else name) for name in PARTICLE_COLUMNS}


def _field(outer: str, inner: str) -> str:
    """Branch name of a column of the jagged records."""
    return inner if outer == "particles" else f"{outer}_{inner}"


def write_root(sample: Sample, path: PathLike, *, overwrite: bool = True) -> None:
    """Write a sample to a ROOT file, chunk by chunk.

    Parameters
    ----------
    sample
        The sample.
    path
        Name of the file; it appears only when the file is complete.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written; an existing file is then left as it was.
    """
    import awkward as ak
    import uproot

    record = {
        "schema_version": SCHEMA_VERSION,
        "n_attempts": sample.n_attempts,
        "provenance": sample.provenance,
        "names": sample.lookup,
    }
    with complete_file(path, overwrite=overwrite) as part:
        with uproot.recreate(part, compression=uproot.ZSTD(3)) as file:
            tree = None
            for table in sample.tables():
                columns: dict[str, Any] = {
                    "weight": product_of_factors(table) / sample.n_attempts,
                    **table.events,
                }
                for number, point in enumerate(_POINTS):
                    values = vertex_of(table, number)
                    for i, coordinate in enumerate(_COORDINATES):
                        columns[f"{point}_{coordinate}"] = np.ascontiguousarray(values[:, i])
                particles = {
                    branch: table.particles[name] for name, branch in _PARTICLE_BRANCHES.items()
                }
                columns["particles"] = ak.unflatten(ak.zip(particles), table.particle_counts)
                columns["vertices"] = ak.unflatten(
                    ak.zip(dict(table.vertices)), table.vertex_counts
                )
                if tree is None:
                    types = {
                        name: array.type.content if isinstance(array, ak.Array) else array.dtype
                        for name, array in columns.items()
                    }
                    tree = file.mktree(TREE, types, title="weighted events", field_name=_field)
                if len(table):
                    tree.extend(columns)
            file[RECORD] = json.dumps(record)


def read_root(path: PathLike) -> Sample:
    """Read a sample that `Sample.to_root` wrote.

    Parameters
    ----------
    path
        Name of the file.

    Returns
    -------
    Sample
        The same events, weights and provenance.

    Raises
    ------
    FormatError
        If the file does not exist, is damaged, is not of this format, or if its weights do not
        agree with their factors.
    """
    import uproot

    # uproot raises errors of many kinds on damaged files; to the user they mean the same.
    try:
        with uproot.open(path) as file:
            record = _read_record(file, path)
            store = _read_tables(file, path, record)
    except FormatError:
        raise
    except FileNotFoundError:
        raise FormatError(f"There is no file {path}.") from None
    except Exception as error:
        text = str(error).strip().splitlines()
        raise FormatError(
            f"{path} cannot be read as a ROOT file with weighted events "
            f"({type(error).__name__}: {text[0] if text else 'no details'}). It may be damaged or "
            "of another kind; write it anew with Sample.to_root."
        ) from error
    return Sample(store, record["n_attempts"], record["names"], record["provenance"])


def _read_record(file: uproot.ReadOnlyDirectory, path: PathLike) -> Mapping[str, Any]:
    keys = file.keys(cycle=False)
    for needed in (TREE, RECORD):
        if needed not in keys:
            raise FormatError(
                f"{path} has no object {needed!r}; it holds {', '.join(keys) or 'nothing'}. It was "
                "not written by Sample.to_root."
            )
    record = json.loads(str(file[RECORD]))
    if not isinstance(record, dict) or record.get("schema_version") != SCHEMA_VERSION:
        version = record.get("schema_version") if isinstance(record, dict) else None
        raise FormatError(
            f"{path} has the schema version {version!r}; this version of siren_py reads "
            f"{SCHEMA_VERSION}."
        )
    missing = {"n_attempts", "provenance", "names"} - set(record)
    if missing:
        raise FormatError(f"The provenance of {path} lacks {', '.join(sorted(missing))}.")
    return record


def _read_tables(
    file: uproot.ReadOnlyDirectory, path: PathLike, record: Mapping[str, Any]
) -> TableStore:
    tree = file[TREE]
    branches = set(tree.keys())
    jagged = {*_PARTICLE_BRANCHES.values(), *(f"vertices_{name}" for name in VERTEX_COLUMNS)}
    missing = (jagged | set(FACTORS) | {"weight", "event"}) - branches
    if missing:
        raise FormatError(f"The tree of {path} lacks the branches {', '.join(sorted(missing))}.")
    derived = {"weight", "nparticles", "nvertices"}
    derived |= {f"{p}_{c}" for p in _POINTS for c in _COORDINATES}
    columns = [name for name in tree.keys() if name not in derived | jagged]
    store = TableStore()
    for start in range(0, max(tree.num_entries, 1), _STEP):
        data = tree.arrays(
            [*columns, "weight", *sorted(jagged)], entry_start=start, entry_stop=start + _STEP
        )
        table = _table_of(data, columns)
        weight = np.asarray(data["weight"])
        if not np.allclose(
            product_of_factors(table) / record["n_attempts"], weight, rtol=1e-12, atol=0.0
        ):
            raise FormatError(
                f"The weights in {path} do not equal the product of their factors over the number "
                "of attempts: the file was changed after it was written."
            )
        store.append(table)
    return store


def _table_of(data: Any, columns: list[str]) -> EventTable:
    import awkward as ak

    def flat(name: str, kind: type[np.generic]) -> Any:
        return ak.to_numpy(ak.flatten(data[name])).astype(kind, copy=False)

    return EventTable(
        {name: ak.to_numpy(data[name]) for name in columns},
        {name: flat(f"vertices_{name}", kind) for name, kind in VERTEX_COLUMNS.items()},
        ak.to_numpy(ak.num(data["vertices_x"])).astype(np.int64),
        {name: flat(_PARTICLE_BRANCHES[name], kind) for name, kind in PARTICLE_COLUMNS.items()},
        ak.to_numpy(ak.num(data["pdg"])).astype(np.int64),
    )
