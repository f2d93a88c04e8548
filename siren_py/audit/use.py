"""How the detector is used: what its regions hold, and what the beam crosses on its way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import FloatArray
from siren_py.audit.findings import Finding, as_point, volume_text
from siren_py.audit.pairs import lattice3
from siren_py.geometry.solids import Box
from siren_py.nuclei import nuclide
from siren_py.rng import stream

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel
    from siren_py.materials import Material
    from siren_py.regions import Region

POINTS = 16384
"""Points per region; a part of a region below about 1e-4 can be missed."""
_BEAM_LINES = 512
_GAS = 0.05  # g/cm3: gases at up to 25 atm are below, foams and everything else above
_WALL = 10.0  # g/cm2
_METAL = 11  # lightest element that makes a passive plate
_ALL_LINES = 0.95
_ACCIDENT = 1e-3  # of the points of a region
_ACTIVE = 0.5  # part of a region that is one volume


def region_contents(detector: DetectorModel, name: str) -> dict[str, Any]:
    """Return what a region consists of, by volume and by material, from `POINTS` points.

    Returns
    -------
    dict
        "volume" [cm3], "materials" and "volumes" (fractions of the region's volume by name, ""
        for vacuum), "mass" [g] (from the mean density at the points).
    """
    region = detector.region(name)
    points = _points(region)
    volume, material = detector.locate_index(points)
    density = np.append(detector.arrays().density, 0.0)[material]
    size = region.volume()
    return {
        "volume": size,
        "mass": float(density.mean()) * size,
        "materials": _shares(material, detector.material_names),
        "volumes": _shares(volume, detector.volume_names),
        "_points": points,
        "_volume": volume,
        "_density": density,
    }


def _points(region: Region) -> FloatArray:
    """Return about `POINTS` points, uniform in a region; evenly spread where it is a box."""
    rng = stream(0, f"audit {region.name}")
    found = []
    for solid, part in zip(region.solids, region.solid_volumes, strict=True):
        n = int(np.ceil(POINTS * part / region.solid_volume_sum))
        if isinstance(solid.solid, Box):
            lo, hi = solid.solid.bounds()
            local = lo + lattice3(n) * (hi - lo)
        else:
            local = np.asarray(solid.solid.sample(n, rng), dtype=np.float64).reshape(-1, 3)
        found.append(solid.placement.to_detector(local))
    points = np.concatenate(found)
    if len(found) > 1:
        # Where k solids overlap, points come k times as densely.
        points = points[rng.random(len(points)) * region.inside(points).sum(axis=1) < 1.0]
    return points[rng.permutation(len(points))]


def _shares(index: Any, names: tuple[str, ...]) -> dict[str, float]:
    counts = np.bincount(index + 1, minlength=len(names) + 1) / len(index)
    order = np.argsort(-counts, kind="stable")
    return {("", *names)[i]: float(counts[i]) for i in order if counts[i] > 0.0}


def region_findings(
    detector: DetectorModel, contents: dict[str, dict[str, Any]]
) -> Iterator[Finding]:
    """Yield the primitive regions that leave their material or all matter."""
    for name, held in contents.items():
        if detector.regions[name].leaves != (name,):
            continue
        points, volume, density = held["_points"], held["_volume"], held["_density"]
        outside = volume < 0
        if outside.any():
            share = float(outside.mean())
            text = f"{share:.2%} of region {name} is outside of all volumes, e.g."
            where = as_point(points[outside][0])
            yield Finding("error", "region", (name, "vacuum"), text, share, "", where)
        thick = _mean_densities(detector)[volume] >= _GAS
        heavy = float(density[thick].sum() / density.sum()) if density.any() else 0.0
        dense = float(thick.mean())
        yield from _mixed(name, held, thick, dense, heavy)


def _mixed(
    name: str, held: dict[str, Any], thick: Any, dense: float, heavy: float
) -> Iterator[Finding]:
    """Yield a region of gas with much else in it, or the reverse.

    What else is in it belongs to the finding: a declaration about a cathode in the gas does not
    explain a region that reaches into the walls as well.
    """
    points = held["_points"]
    inside = held["_volume"] >= 0
    if dense < 0.5 and (dense > 0.05 or heavy > 0.05) and thick.any():
        text = f"region {name} holds gas, but {dense:.2%} of its volume and {heavy:.1%} of its "
        text += f"mass are {_main(held, thick)}, e.g."
        what = (name, *_foreign(held, thick))
        yield Finding("warning", "region", what, text, dense, "", as_point(points[thick][0]))
    thin = inside & ~thick
    if dense >= 0.5 and thin.mean() > 0.01:
        share = float(thin.mean())
        text = f"region {name} holds dense matter, but {share:.2%} of it are {_main(held, thin)}"
        text += ", e.g."
        what = (name, *_foreign(held, thin))
        yield Finding("warning", "region", what, text, share, "", as_point(points[thin][0]))


def _foreign(held: dict[str, Any], rows: Any) -> tuple[str, ...]:
    """Names of the volumes at some points, without those that the points touch by accident."""
    names, counts = np.unique(held["_names"][held["_volume"][rows]], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return tuple(str(names[i]) for i in order if counts[i] > _ACCIDENT * len(rows))


def _main(held: dict[str, Any], rows: Any) -> str:
    volumes = held["_names"][held["_volume"][rows]]
    names, counts = np.unique(volumes, return_counts=True)
    order = np.argsort(-counts)[:3]
    return " and ".join(str(names[i]) for i in order)


def _mean_densities(detector: DetectorModel) -> FloatArray:
    """Mean density of each volume (a stack counts as one) [g/cm3]; 0 for index -1."""
    means = []
    for volume in detector:
        if volume.stack is None:
            means.append(volume.materials[0].density)
        else:
            thickness = np.diff(volume.stack.edges)
            density = np.array([one.density for one in volume.materials])
            means.append(float(thickness @ density / thickness.sum()))
    return np.array([*means, 0.0])


def beam_profile(
    detector: DetectorModel, contents: dict[str, dict[str, Any]]
) -> dict[str, dict[str, dict[str, float]]]:
    """Return what beam lines through the points of each region cross.

    Returns
    -------
    dict
        By region, then by volume: "depth", the mean [g/cm2] of the lines that cross it, and
        "lines", the part of the lines that do. Volumes of less than 0.1 g/cm2 are left out.
    """
    profile = {}
    for name, held in contents.items():
        points = held["_points"][:_BEAM_LINES]
        way = np.asarray(detector.beam.direction)
        segments = detector.trace(points, np.tile(way, (len(points), 1)))
        n = len(detector.volume_names)
        key = segments.line * n + segments.volume
        depth = np.bincount(key, segments.density * segments.length, len(points) * n)
        depth = depth.reshape(len(points), n)
        crossed = depth > 0.0
        with_it = np.maximum(crossed.sum(axis=0), 1)
        mean = depth.sum(axis=0) / with_it
        profile[name] = {
            detector.volume_names[i]: {
                "depth": float(mean[i]),
                "lines": float(crossed[:, i].mean()),
            }
            for i in np.argsort(-mean)
            if mean[i] > 0.1
        }
    return profile


def wall_findings(
    detector: DetectorModel,
    contents: dict[str, dict[str, Any]],
    profile: dict[str, dict[str, dict[str, float]]],
) -> Iterator[Finding]:
    """Yield passive plates of metal that all beam lines through a region cross.

    Not walls are what a region consists of (targets of metal) and what is around it (vessels).
    """
    walls: dict[str, tuple[float, list[str]]] = {}
    active = {
        name
        for held in contents.values()
        for name, share in held["volumes"].items()
        if share > _ACTIVE
    }
    boxes = {item.name: item.box() for item in detector.placed()}
    for region, crossed in profile.items():
        if detector.regions[region].leaves != (region,):
            continue
        lo, hi = detector.regions[region].bounds()
        for name, entry in crossed.items():
            if entry["depth"] < _WALL or entry["lines"] < _ALL_LINES or name in active:
                continue
            around = bool(np.all(boxes[name][0] <= lo) and np.all(boxes[name][1] >= hi))
            if not around and _is_metal(detector.volume(name).materials):
                walls.setdefault(name, (entry["depth"], []))[1].append(region)
    for name, (depth, regions) in walls.items():
        lo, hi = boxes[name]
        text = f"all beam lines through {_listed(regions)} cross {name}, {depth:.4g} g/cm2 of "
        text += f"{detector.volume(name).materials[0].name}: a wall across the beam around"
        yield Finding("warning", "wall", (name,), text, depth, "g/cm2", as_point(0.5 * (lo + hi)))


def _is_metal(materials: tuple[Material, ...]) -> bool:
    # A stack of absorber and sensitive layers is a calorimeter, not a wall.
    if len({one.name for one in materials}) != 1 or materials[0].density < _GAS:
        return False
    light = {"Si", "P", "S", "Cl", "Ar"}
    heavy = sum(
        share
        for key, share in materials[0].mass_fractions.items()
        if nuclide(key).Z >= _METAL and nuclide(key).symbol not in light
    )
    return heavy > 0.5


def _listed(names: list[str]) -> str:
    if len(names) <= 4:
        return ", ".join(names)
    return f"{', '.join(names[:3])} and {len(names) - 3} more regions"


def region_row(name: str, held: dict[str, Any]) -> str:
    """Return one line on a region for people."""
    parts = list(held["materials"].items())
    listed = ", ".join(f"{share:.1%} {key or 'vacuum'}" for key, share in parts[:4])
    more = f", {len(parts) - 4} more" if len(parts) > 4 else ""
    size = f"{volume_text(held['volume'])}, {held['mass'] / 1e3:,.4g} kg"
    return f"  {name:<24} {size:<28} {listed}{more}"
