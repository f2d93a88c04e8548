"""From volumes in order, where later ones displace earlier ones, to volumes inside each other.

Geant4 wants every volume wholly inside its mother and no two daughters of a mother overlapping.
So each volume goes into the latest one that wholly contains it, and from every earlier volume that
it overlaps otherwise it is cut out. The result is the same matter at every point.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from siren_py._typing import FloatArray
from siren_py.detector import DetectorModel
from siren_py.errors import OutputError
from siren_py.geometry.arrays import PlacedSolid
from siren_py.geometry.layers import LayerStack
from siren_py.geometry.placement import Placement
from siren_py.geometry.relations import are_apart, is_inside
from siren_py.geometry.solids import Box, Cylinder, RegularPrism, Solid
from siren_py.materials import Material

WORLD = -1
_MARGIN = 0.01


@dataclass
class Item:
    """A volume with its place in the hierarchy.

    Attributes
    ----------
    name, solid, placement, material
        Place in the frame of the detector.
    parent
        Index of its mother, or `WORLD`.
    cut
        Indices of later volumes that are cut out of it.
    hidden
        Whether nothing is left of it.
    """

    name: str
    solid: Solid
    placement: Placement
    material: Material
    parent: int = WORLD
    cut: list[int] = field(default_factory=list)
    hidden: bool = False

    @property
    def placed(self) -> PlacedSolid:
        """The solid with its place."""
        return PlacedSolid(self.name, self.solid, self.placement, (0,))


def hierarchy(detector: DetectorModel) -> tuple[Box, Material | None, list[Item]]:
    """Return the world, what fills it, and the volumes with their mothers.

    The world is a box about the origin. It is the first volume, if that is such a box around all
    others, else it is made, and filled with nothing (None).

    Raises
    ------
    OutputError
        If a volume has a density that varies with the radius.
    """
    items = _items(detector)
    boxes = np.array([np.concatenate(item.placed.box()) for item in items])
    for k, item in enumerate(items):
        _find_mother(items, boxes, k, item)
    first = items[0]
    at_origin = not first.placement.is_rotated and not np.any(first.placement.position)
    outermost = sum(item.parent == WORLD and not item.hidden for item in items) == 1
    if isinstance(first.solid, Box) and at_origin and outermost and not (first.cut or first.hidden):
        for item in items:
            item.parent = WORLD if item.parent == 0 else item.parent
        first.hidden = True  # it is written as the world
        return first.solid, first.material, items
    reach = np.maximum(np.abs(boxes[:, :3]).max(axis=0), np.abs(boxes[:, 3:]).max(axis=0))
    return Box(*(2.0 * (1.0 + _MARGIN) * reach).tolist()), None, items


def _items(detector: DetectorModel) -> list[Item]:
    items: list[Item] = []
    for volume in detector:
        if volume.profile is not None:
            raise OutputError(
                f"Volume {volume.name!r} has a density that varies with the radius, which GDML "
                "cannot say. Build it of shells of constant density."
            )
        if volume.stack is not None:
            for k, (solid, shift) in enumerate(_layers(volume.stack)):
                place = Placement.of(
                    volume.placement.to_detector(shift[None, :])[0], volume.rotation
                )
                name = f"{volume.name}_{k}"
                items.append(Item(name, solid, place, volume.stack.materials[k]))
        elif volume.material is not None:
            items.append(Item(volume.name, volume.solid, volume.placement, volume.material))
    return items


def _layers(stack: LayerStack) -> list[tuple[Solid, FloatArray]]:
    """Return each layer as a solid, and where it goes in the frame of the stack."""
    from siren_py.geometry import Intersection

    index = "xyz".index(stack.axis)
    lo, hi = stack.solid.bounds()
    layers: list[tuple[Solid, FloatArray]] = []
    for low, high in zip(stack.edges[:-1].tolist(), stack.edges[1:].tolist(), strict=True):
        shift = np.zeros(3)
        shift[index] = 0.5 * (low + high)
        solid = stack.solid
        if isinstance(solid, Box):
            widths = [solid.dx, solid.dy, solid.dz]
            widths[index] = high - low
            layers.append((Box(*widths), shift))
        elif isinstance(solid, Cylinder) and solid.axis == stack.axis:
            sector = {"start_phi": solid.start_phi, "delta_phi": solid.delta_phi}
            slab = Cylinder(solid.radius, high - low, solid.inner_radius, solid.axis, **sector)
            layers.append((slab, shift))
        elif isinstance(solid, RegularPrism) and solid.axis == stack.axis:
            prism = RegularPrism(
                solid.sides, solid.apothem, high - low, solid.axis, solid.start_phi
            )
            layers.append((prism, shift))
        else:
            widths = (1.1 * (hi - lo)).tolist()
            widths[index] = high - low
            middle = 0.5 * (lo + hi)
            middle[index] = shift[index]
            layers.append((Intersection(solid, Box(*widths), at=middle), np.zeros(3)))
    return layers


def _find_mother(items: list[Item], boxes: FloatArray, k: int, item: Item) -> None:
    """Find the mother of item k among the earlier ones, and cut it out of the others."""
    lo, hi = boxes[k, :3], boxes[k, 3:]
    near = np.all((boxes[:k, :3] < hi) & (boxes[:k, 3:] > lo), axis=1)
    mine = item.placed
    touched: set[int] = set()
    for j in np.flatnonzero(near)[::-1].tolist():
        other = items[j]
        if other.hidden or are_apart(mine, other.placed):
            continue
        # A piece that was cut out of j before belongs to another volume, with which k overlaps.
        if is_inside(mine, other.placed) and not touched.intersection(other.cut):
            item.parent = j
            return
        if is_inside(other.placed, mine):
            _hide(items, j)
        else:
            other.cut.append(k)
        touched.add(j)


def _hide(items: list[Item], index: int) -> None:
    items[index].hidden = True
    for k, item in enumerate(items):
        if item.parent == index and not item.hidden:
            _hide(items, k)
