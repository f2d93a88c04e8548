"""Combining samples: one sample from several runs, whatever each was drawn from.

For events that several runs could have made, the combined weight is

    w = p / sum_j N_j g_j,

with the physical density p and the generation densities g_j of all runs (the balance heuristic,
Veach and Guibas, SIGGRAPH 1995). With w_i = p / (N_i g_i) it is w_i times
N_i g_i / sum_j N_j g_j, so only ratios of generation densities are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import ConfigError
from siren_py.injection.arrival import ArrivalInjector
from siren_py.sample import Sample
from siren_py.store import TableStore
from siren_py.tree import EventTable

_SAME = ("detector", "beam", "model", "decay")


def combine(samples: Sequence[Sample]) -> Sample:
    """Combine samples of the same model in the same detector into one.

    Runs of the same configuration with different seeds are pooled. Runs with fluxes that have
    nothing in common (numu and numubar) are added. Runs of the same fluxes with different
    regions or proposals are weighted by the balance heuristic: events that both could make
    count once.

    Parameters
    ----------
    samples
        The samples, two or more.

    Returns
    -------
    Sample
        All events; its number of attempts is the sum.

    Raises
    ------
    ConfigError
        If detector, model, decay or cuts differ, if two samples have the same configuration and
        seed (the same events twice), if fluxes overlap in part, or if the densities of a sample
        that was read from a file would be needed.

    Examples
    --------
    >>> import siren_py as sp
    >>> model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, decay="nu e+ e-", region="tpc")
    >>> both = combine([sim.run(1000, seed=1), sim.run(1000, seed=2)])
    >>> both.n_attempts
    2000
    """
    items = list(samples)
    if len(items) < 2:
        raise ConfigError(f"Combining needs two samples or more; got {len(items)}.")
    _check(items)
    names, maps = _merged_names(items)
    total = sum(s.n_attempts for s in items)
    store = TableStore()
    for i, sample in enumerate(items):
        for table in sample.tables():
            factor = table.events["factor_combination"] * _share(i, items, table, total)
            events = dict(table.events)
            for column, mapping in maps[i].items():
                if column == "process":
                    continue
                values = events[column]
                events[column] = np.append(mapping, -1)[values].astype(values.dtype)
            events["factor_combination"] = factor
            events["run"] = np.full(len(table), i, dtype=np.int32)
            vertices = dict(table.vertices)
            process = maps[i]["process"]
            vertices["process"] = process[vertices["process"]].astype(np.int32)
            store.append(
                EventTable(
                    events, vertices, table.vertex_counts, table.particles, table.particle_counts
                )
            )
    provenance = dict(items[0].provenance)
    provenance["n_attempts"] = total
    provenance["combined"] = [
        {"configuration": s.provenance["configuration"], "seed": s.provenance["seed"],
         "n_attempts": s.n_attempts}
        # Which attempts: for the errors of runs that were driven by nets.
        | {k: s.provenance[k] for k in ("requested", "chunks") if k in s.provenance}
        for s in items
    ]  # fmt: skip
    return Sample(store, total, names, provenance)


def _configuration(sample: Sample) -> dict[str, Any]:
    return dict(sample.provenance["configuration"])


def _check(items: list[Sample]) -> None:
    first = _configuration(items[0])
    seen: list[tuple[dict[str, Any], int]] = []
    for i, sample in enumerate(items):
        if "combined" in sample.provenance:
            raise ConfigError(
                f"Sample {i} is a combination already; combine all the single samples at once."
            )
        config = _configuration(sample)
        for key in _SAME:
            if config[key] != first[key]:
                raise ConfigError(
                    f"Sample {i} has another {key} than sample 0 ({config[key]!r} and "
                    f"{first[key]!r}): they do not describe the same physics. Add their "
                    "expected() instead, errors in quadrature."
                )
        if sample.provenance.get("cuts", []) != items[0].provenance.get("cuts", []):
            raise ConfigError(f"Sample {i} has other cuts than sample 0; cut after combining.")
        key_of_run = (config, int(sample.provenance["seed"]))
        if key_of_run in seen:
            raise ConfigError(
                f"Samples {seen.index(key_of_run)} and {i} have the same configuration and seed "
                f"{key_of_run[1]}: they hold the same events. Use another seed."
            )
        seen.append(key_of_run)


def _flux_names(sample: Sample) -> set[str]:
    return {str(f["name"]) for f in sample.lookup["fluxes"]}


def _share(i: int, items: list[Sample], table: EventTable, total: int) -> FloatArray:
    """Return N_total g_i / sum_j N_j g_j for the events of a table of sample i, (n,)."""
    mine = items[i]
    same_density = 0
    others: list[Sample] = []
    for j, other in enumerate(items):
        common = _flux_names(mine) & _flux_names(other)
        if not common:
            continue
        if common != _flux_names(mine) or common != _flux_names(other):
            raise ConfigError(
                f"Samples {i} and {j} share the fluxes {', '.join(sorted(common))} but not all of "
                "them. Combine samples whose fluxes are all the same or all different."
            )
        if _configuration(other) == _configuration(mine):
            same_density += other.n_attempts
        else:
            others.append(other)
    if not others:
        return np.full(len(table), total / same_density)
    own = _density(mine, mine, table)
    mixture = same_density * own
    for other in others:
        mixture = mixture + other.n_attempts * _density(other, mine, table)
    return total * own / mixture


def _density(of: Sample, source: Sample, table: EventTable) -> FloatArray:
    """Generation density of the run `of` at events of `source`, up to a common factor, (n,)."""
    if of.injector is None or source.injector is None:
        raise ConfigError(
            "Samples of different regions or proposals can be combined in the session that made "
            "them; one of these was read from a file and does not know its generation density. "
            "Run them again together, or use the same configuration with different seeds."
        )
    if isinstance(of.injector, ArrivalInjector):
        return of.injector.density(table, source.injector)
    if isinstance(source.injector, ArrivalInjector):
        raise ConfigError(
            "Samples of particles that arrive cannot be combined with those of interactions."
        )
    return of.injector.density(table, source.injector)


def _merged_names(items: list[Sample]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Merge the lists of names; return them and, per sample, old index -> new index."""
    merged: dict[str, Any] = {
        "volumes": items[0].lookup["volumes"],
        "materials": items[0].lookup["materials"],
        "targets": items[0].lookup["targets"],
    }
    maps: list[dict[str, Any]] = [{} for _ in items]
    columns = {
        "regions": "region", "parts": "target_part", "channels": "channel", "processes": "process",
    }  # fmt: skip
    for key, column in columns.items():
        everything = list(dict.fromkeys(n for s in items for n in s.lookup[key]))
        merged[key] = everything
        for sample, mapping in zip(items, maps, strict=True):
            mapping[column] = np.array(
                [everything.index(n) for n in sample.lookup[key]], dtype=np.int64
            )
    fluxes: dict[str, Any] = {}
    for sample in items:
        for flux in sample.lookup["fluxes"]:
            fluxes.setdefault(str(flux["name"]), flux)
    merged["fluxes"] = list(fluxes.values())
    order = list(fluxes)
    for sample, mapping in zip(items, maps, strict=True):
        mapping["flux"] = np.array(
            [order.index(str(f["name"])) for f in sample.lookup["fluxes"]], dtype=np.int64
        )
    return merged, maps
