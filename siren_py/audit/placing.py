"""Where the volumes lie: overlaps, volumes outside, volumes displaced, gaps of vacuum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.audit.findings import Finding, as_point, volume_text
from siren_py.audit.pairs import DEPTH, LINES, Overlap, Relations, lattice2, rest_pieces
from siren_py.geometry.arrays import contained

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel

_SLIVER = 1e-4  # part of the smaller volume below which an overlap is a slip, not a mistake
_MOST_GAPS = 20


def placing_findings(detector: DetectorModel, found: Relations) -> Iterator[Finding]:
    """Yield the findings about overlaps, volumes outside, displaced volumes and gaps."""
    for overlap in found.overlaps:
        yield _overlap(detector, overlap)
    yield from _outside(detector, found)
    yield from _displaced(detector)
    yield from _gaps(detector, found)


def _overlap(detector: DetectorModel, overlap: Overlap) -> Finding:
    placed = detector.placed()
    first, second = placed[overlap.first], placed[overlap.second]
    names = (first.name, second.name)
    volume = overlap.volume
    owner, _material = detector.locate_index(overlap.points)
    best = int(np.argmax(np.where(owner == overlap.second, 1.0, 1e-6) * overlap.weights))
    point = as_point(overlap.points[best])
    error = f" +- {volume.error / volume.value:.1%}" if volume.error else ""
    shared = f"{volume_text(volume.value)}{error}"

    def finding(severity: str, kind: str, text: str) -> Finding:
        return Finding(severity, kind, names, text, volume.value, "cm3", point)

    if not np.any(owner == overlap.second):
        text = f"{first.name} and {second.name} overlap ({shared}) only where later volumes "
        return finding("note", "overlap", text + "displace both, which changes nothing")
    if len({*first.materials, *second.materials}) == 1:
        text = f"{first.name} and {second.name} overlap ({shared}) and are of the same material"
        return finding("note", "overlap", text)
    rest = rest_pieces(second, first)
    below = _materials_before(detector, overlap.second, rest.points)
    if len(second.materials) == 1 and np.all(below == second.materials[0]):
        text = f"{second.name} overlaps {first.name} ({shared}); where it sticks out it lies in "
        material = detector.material_names[second.materials[0]]
        return finding("note", "overlap", text + f"the same {material} as itself")
    whole = second.solid.volume()
    if volume.value > 0.5 * whole and first.solid.volume() > whole:
        text = f"{second.name} sticks out of {first.name}: {1 - volume.value / whole:.2%} of it "
        where = as_point(rest.points[int(np.argmax(rest.weights))])
        text += f"({volume_text(whole - volume.value)}) is outside, e.g."
        return Finding("error", "outside", names, text, whole - volume.value, "cm3", where)
    small = volume.value < _SLIVER * min(whole, first.solid.volume())
    text = f"{second.name} cuts {shared} out of {first.name}; neither contains the other; e.g."
    return finding("warning" if small else "error", "overlap", text)


def _materials_before(detector: DetectorModel, index: int, points: FloatArray) -> IntArray:
    """Return the materials at points without volume `index` and later ones; -1 for vacuum."""
    material = np.full(len(points), -1, np.int64)
    open_ = np.ones(len(points), np.bool_)
    for item in reversed(detector.placed()[:index]):
        lo, hi = item.box()
        here = open_ & np.all((points >= lo) & (points <= hi), axis=1)
        if not here.any():
            continue
        rows = np.flatnonzero(here)[contained(item, points[here])]
        if item.stack is None:
            material[rows] = item.materials[0]
        else:
            local = item.placement.to_local(points[rows])[:, "xyz".index(item.stack.axis)]
            material[rows] = np.array(item.materials)[item.stack.layer_at(local)]
        open_[rows] = False
        if not open_.any():
            break
    return material


def _outside(detector: DetectorModel, found: Relations) -> Iterator[Finding]:
    """Yield the volumes that lie apart from the volume that contains most of the others."""
    placed = detector.placed()
    children = np.zeros(len(placed), np.int64)
    for parents in found.parents:
        for parent in parents:
            children[parent] += 1
    world = int(np.argmax(children))
    if children[world] < 0.5 * (len(placed) - 1) or children[world] == 0:
        return
    touched = {frozenset((o.first, o.second)) for o in found.overlaps}
    around = {world, *found.parents[world]}
    top = max(around, key=lambda i: placed[i].solid.volume())
    size = placed[top].solid.volume()
    for index, item in enumerate(placed):
        free = index not in around and not found.parents[index]
        free = free and frozenset((index, top)) not in touched
        if free and item.solid.volume() < 0.1 * size:
            lo, hi = item.box()
            text = f"{item.name} lies outside of {placed[top].name}, which contains the others;"
            yield Finding(
                "error", "outside", (item.name,), text + " it is", item.solid.volume(), "cm3",
                as_point(0.5 * (lo + hi)),
            )  # fmt: skip


def _displaced(detector: DetectorModel) -> Iterator[Finding]:
    for index, item in enumerate(detector.placed()):
        visible = detector.visible(index)
        value = float(visible.value.sum())
        error = float(np.sqrt(visible.covariance.sum()))
        if value <= max(3.0 * error, 1e-9 * item.solid.volume()):
            text = f"{item.name} is displaced entirely by volumes added after it; nothing of its "
            text += f"{volume_text(item.solid.volume())} remains. Add it later, or leave it out"
            yield Finding("error", "displaced", (item.name,), text, value, "cm3")


def _gaps(detector: DetectorModel, found: Relations) -> Iterator[Finding]:
    """Yield vacuum between volumes, seen by lines through every outermost volume."""
    placed = detector.placed()
    outermost = [index for index, parents in enumerate(found.parents) if not parents]
    if len(outermost) == 1:
        return  # everything lies in one volume: there is no vacuum inside
    boxes = [detector.bounds(), *(placed[index].box() for index in outermost)]
    gaps: dict[tuple[int, int], tuple[float, FloatArray]] = {}
    volume = 0.0
    for number, (lo, hi) in enumerate(boxes):
        for axis in range(3):
            across = [k for k in range(3) if k != axis]
            origins = np.tile(lo, (LINES, 1))
            origins[:, across] += lattice2(LINES) * (hi - lo)[across]
            ways = np.tile(np.eye(3)[axis], (LINES, 1))
            segments = detector.trace(origins, ways)
            same = segments.line[1:] == segments.line[:-1]
            length = segments.t_in[1:] - segments.t_out[:-1]
            rows = np.flatnonzero(same & (length > DEPTH))
            if number == 0:
                volume += float(np.prod((hi - lo)[across]) / LINES * length[rows].sum()) / 3
            for row in rows:
                key = (int(segments.volume[row]), int(segments.volume[row + 1]))
                if length[row] > gaps.get(key, (0.0, lo))[0]:
                    point = origins[segments.line[row]].copy()
                    point[axis] += 0.5 * (segments.t_out[row] + segments.t_in[row + 1])
                    gaps[key] = (float(length[row]), point)
    largest = sorted(gaps.items(), key=lambda entry: -entry[1][0])
    for (before, after), (width, point) in largest[:_MOST_GAPS]:
        names = detector.volume_names[before], detector.volume_names[after]
        text = f"vacuum between {names[0]} and {names[1]}, {width:.4g} cm wide, "
        text += f"one of {len(gaps)} gaps of {volume_text(volume)} together, "
        yield Finding("warning", "gap", names, text + "e.g.", width, "cm", as_point(point))
