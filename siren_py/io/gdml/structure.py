"""The ``<structure>`` of a GDML file: volumes, assemblies and what is placed in them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import FormatError, GeometryError, SirenWarning
from siren_py.geometry.placement import Placement
from siren_py.geometry.solids import Box, Cylinder, Solid
from siren_py.io.gdml.materials import Materials, short_name
from siren_py.io.gdml.scope import CM_PER_MM, Scope, euler_matrix
from siren_py.io.gdml.solids import Solids
from siren_py.io.gdml.xml import Node
from siren_py.io.text import name_hint

if TYPE_CHECKING:
    from siren_py.materials import Material

_DIRECTIONS = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


class GdmlWarning(SirenWarning):
    """A GDML file has something without a defined meaning, or something that is left out."""


@dataclass
class Logical:
    """A volume or an assembly of the file, not yet placed.

    Attributes
    ----------
    name, node
        Its name, and where it stands.
    solid, material
        None for an assembly.
    daughters
        What is placed in it, in order.
    sensitive
        Name of its sensitive detector, or "".
    """

    name: str
    node: Node
    solid: Solid | None
    material: Material | None
    daughters: list[Daughter] = field(default_factory=list)
    sensitive: str = ""


class Daughter(NamedTuple):
    """A placed volume: its own name, what it is, and where it stands in its mother [cm]."""

    name: str
    volume: Logical
    placement: Placement
    node: Node


class Structure:
    """Reads the ``<structure>`` of a file, in order.

    Parameters
    ----------
    scope, materials, solids
        What the file has defined.
    include
        Reads another file: takes the element ``<file>``, returns the volume in it.
    """

    def __init__(
        self,
        scope: Scope,
        materials: Materials,
        solids: Solids,
        include: Callable[[Node], Logical],
    ) -> None:
        self.scope = scope
        self.materials = materials
        self.solids = solids
        self.include = include
        self.volumes: dict[str, Logical] = {}

    def read(self, node: Node) -> None:
        """Read a ``<structure>`` element."""
        for child in self.scope.expanded(node):
            if child.tag == "volume":
                self._add(self._volume(child))
            elif child.tag == "assembly":
                name = self.scope.name(child)
                assembly = Logical(short_name(name), child, None, None)
                self._content(child, assembly)
                self._add(assembly)
            elif child.tag not in ("bordersurface", "skinsurface"):
                raise child.fault("this is no element of <structure> that can be read.")

    def _add(self, volume: Logical) -> None:
        name = self.scope.name(volume.node)
        if name in self.volumes:
            line = self.volumes[name].node.line
            raise volume.node.fault(
                f"there is already a volume of this name in line {line}; rename one."
            )
        self.volumes[name] = volume

    def need(self, node: Node, name: str) -> Logical:
        """Return a volume by name, or raise the error that says it is not there."""
        if name not in self.volumes:
            hint = name_hint(name, self.volumes)
            raise node.fault(f"there is no volume {name!r} before this line.{hint}")
        return self.volumes[name]

    def _volume(self, node: Node) -> Logical:
        name = self.scope.name(node)
        material_node, solid_node = node.need("materialref"), node.need("solidref")
        material = self.materials.need(material_node, self.scope.name(material_node, "ref"))
        solid = self.solids.need(solid_node, self.scope.name(solid_node, "ref"))
        volume = Logical(short_name(name), node, solid, material)
        for auxiliary in node.all("auxiliary"):
            if auxiliary.attributes.get("auxtype") == "SensDet":
                volume.sensitive = auxiliary.attributes.get("auxvalue", "")
        self._content(node, volume)
        return volume

    def _content(self, node: Node, mother: Logical) -> None:
        for child in self.scope.expanded(node):
            if child.tag == "physvol":
                mother.daughters.append(self._physvol(child))
            elif child.tag == "replicavol":
                mother.daughters.extend(self._replicas(child, mother))
            elif child.tag in ("divisionvol", "paramvol"):
                raise child.fault(
                    "divisions and parameterised volumes cannot be read; write a <replicavol>, a "
                    "<loop> or one <physvol> for each."
                )
            elif child.tag not in ("materialref", "solidref", "auxiliary"):
                raise child.fault(f"this is no element of <{node.tag}>.")

    def _physvol(self, node: Node) -> Daughter:
        target = node.need("volumeref", "file")
        if target.tag == "file":
            volume = self.include(target)
        else:
            volume = self.need(target, self.scope.name(target, "ref"))
        position, matrix, scale = self.scope.placement(node)
        if not np.array_equal(scale, np.ones(3)):
            raise node.fault(
                f"it is scaled by {scale.tolist()}. Mirror images and scaled volumes cannot be "
                "read; write the mirrored solid itself."
            )
        name = self.scope.name(node) if "name" in node.attributes else ""
        # The rotation of a physical volume is that of its frame: passive.
        placement = Placement.of(position, matrix.T)
        return Daughter(short_name(name) if name else volume.name, volume, placement, node)

    def _replicas(self, node: Node, mother: Logical) -> Iterator[Daughter]:
        target = node.need("volumeref")
        volume = self.need(target, self.scope.name(target, "ref"))
        count = self.scope.integer(node, "number")
        if not 1 <= count <= self.scope.budget.limits.max_volumes:
            raise node.fault(f"number is {count}; it must be 1 to max_volumes.")
        along = node.need("replicate_along_axis")
        direction = along.need("direction")
        axes = [k for k in ("x", "y", "z", "rho", "phi") if self.scope.number(direction, k, 0.0)]
        if len(axes) != 1:
            raise direction.fault("write one of x, y, z, rho, phi as 1.")
        (axis,) = axes
        unit = "rad" if axis == "phi" else "mm"
        width_node, offset_node = along.need("width"), along.find("offset")
        width = self.scope.number(width_node, "value") * self.scope.unit(width_node, "unit", unit)
        offset = 0.0
        if offset_node is not None:
            size = self.scope.unit(offset_node, "unit", unit)
            offset = self.scope.number(offset_node, "value") * size
        if not width > 0.0:
            raise width_node.fault(f"the width is {width:g}; it must be positive.")
        if axis != "phi":
            width, offset = width * CM_PER_MM, offset * CM_PER_MM
        start, turned, _ = self.scope.placement(along)
        if mother.solid is not None and (np.any(start) or not np.array_equal(turned, np.eye(3))):
            raise along.fault("a position or rotation of replicas is read in an assembly only.")
        for k in range(count):
            self.scope.budget.repeat(node)
            name = f"{volume.name}[{k}]"
            if axis == "phi":
                angle = offset + width * (k + 0.5)
                place = Placement.of(rotation=euler_matrix(np.array([0.0, 0.0, angle])))
                yield Daughter(name, volume, place, node)
            elif axis == "rho":
                yield Daughter(name, _ring(node, volume, offset + k * width, width), _HERE, node)
            else:
                step = width * (k if mother.solid is None else k - 0.5 * (count - 1))
                shift = start + np.array(_DIRECTIONS[axis]) * step
                yield Daughter(name, volume, Placement.of(shift, turned.T), node)


_HERE = Placement.of()


def _ring(node: Node, volume: Logical, inner: float, width: float) -> Logical:
    if not isinstance(volume.solid, Cylinder) or volume.daughters:
        raise node.fault("replicas along rho are read for tubes without daughters only.")
    try:
        solid = replace(volume.solid, inner_radius=inner, radius=inner + width)
    except GeometryError as error:
        raise node.fault(str(error)) from None
    return replace(volume, solid=solid)


class Placed(NamedTuple):
    """A volume of the flattened geometry: path, volume, and its place in the world [cm]."""

    path: str
    volume: Logical
    placement: Placement


def flatten(world: Logical, max_volumes: int, max_depth: int) -> list[Placed]:
    """Return all placed volumes, mothers before their daughters.

    A daughter displaces its mother, as a later volume displaces an earlier one; so the order is
    all that remains of the hierarchy. Names are unique paths, ``"World/Tank/Water"``.

    Raises
    ------
    FormatError
        If there are more than `max_volumes`, or they are nested more than `max_depth` deep.
    """
    if world.solid is None:
        raise world.node.fault("the world is an assembly; it must be a volume.")
    found: list[Placed] = []
    taken: dict[str, int] = {}
    checked: set[int] = set()

    def visit(path: str, volume: Logical, place: Placement, depth: int) -> None:
        if depth > max_depth:
            raise volume.node.fault(f"volumes are nested more than {max_depth} deep.")
        if volume.solid is not None:
            if len(found) >= max_volumes:
                raise FormatError(
                    f"{volume.node.path}: there are more than {max_volumes} placed volumes; raise "
                    "max_volumes if that is right."
                )
            found.append(Placed(path, volume, place))
            if id(volume) not in checked:
                checked.add(id(volume))
                _warn_of_protruding(volume)
        for daughter in volume.daughters:
            position = place.matrix @ daughter.placement.position + place.position
            inner = Placement.of(position, place.matrix @ daughter.placement.matrix)
            name = f"{path}/{daughter.name}"
            taken[name] = taken.get(name, 0) + 1
            if taken[name] > 1:
                name = f"{name}#{taken[name]}"
            visit(name, daughter.volume, inner, depth + 1)

    visit(world.name, world, _HERE, 0)
    return found


def _warn_of_protruding(mother: Logical) -> None:
    """Warn if a daughter sticks out of its mother: what that means is not defined in Geant4."""
    if mother.solid is None:
        return
    lo, hi = mother.solid.bounds()
    slack = 1e-6 * (1.0 + float(np.abs(hi - lo).max()))
    for daughter in mother.daughters[:1000]:
        solid = daughter.volume.solid
        if solid is None:
            continue
        low, high = daughter.placement.box(*solid.bounds())
        fits = bool(np.all(low >= lo - slack) and np.all(high <= hi + slack))
        if fits and isinstance(mother.solid, Box):
            continue
        points = daughter.placement.to_detector(_probe(solid))
        outside = ~np.asarray(mother.solid.contains(points))
        if np.any(outside):
            warnings.warn(
                f"{daughter.node.path}, line {daughter.node.line}: {daughter.name!r} sticks out of "
                f"its mother {mother.name!r}. Geant4 does not define what that means; here the "
                "part outside is matter like the rest.",
                GdmlWarning,
                stacklevel=4,
            )


def _probe(solid: Solid) -> FloatArray:
    """Return points inside a solid, always the same ones."""
    points = np.asarray(solid.sample(64, np.random.default_rng(1)))
    # A rounding error at a common face is no reason to warn.
    middle = points.mean(axis=0)
    shrunk: FloatArray = middle + (points - middle) * (1.0 - 1e-6)
    return shrunk
