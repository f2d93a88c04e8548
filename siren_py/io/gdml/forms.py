"""Solids of siren_py as elements of ``<solids>``.

GDML solids stand along z and at their own origin, so what is written is a solid and the placement
that turns it into the one that is meant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import OutputError
from siren_py.geometry.base import AXES
from siren_py.geometry.placement import Placement
from siren_py.geometry.solids import Solid

_TURN = 2.0 * math.pi
_SECTIONS = 64


class Names:
    """Names for a GDML document: XML identifiers, each used once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, wish: str) -> str:
        """Return a name like the wish that is not taken yet."""
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", wish)
        if not re.match(r"[A-Za-z_]", name):
            name = f"_{name}"
        # Geant4 takes what follows "0x" for an address and drops it.
        base = name = name.replace("0x", "0_x")
        number = 1
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name


class Form(NamedTuple):
    """Name of a GDML solid, and where it stands in the frame of the solid that is meant."""

    name: str
    placement: Placement


_IDENTITY = Placement.of()


def composed(outer: Placement, inner: Placement) -> Placement:
    """Return the placement that does `inner` first, then `outer`."""
    if not outer.is_rotated and not np.any(outer.position):
        return inner
    position = outer.matrix @ inner.position + outer.position
    return Placement.of(position, outer.matrix @ inner.matrix)


def inverted(placement: Placement) -> Placement:
    """Return the inverse of a placement."""
    return Placement.of(-(placement.position @ placement.matrix), placement.matrix.T)


def euler_angles(matrix: FloatArray) -> tuple[float, float, float]:
    """Return angles (a, b, c) [rad] about x, y, z with matrix = R_z(c) R_y(b) R_x(a)."""
    b = math.atan2(-matrix[2, 0], math.hypot(matrix[0, 0], matrix[1, 0]))
    if math.hypot(matrix[0, 0], matrix[1, 0]) > 1e-12:
        return (
            math.atan2(matrix[2, 1], matrix[2, 2]),
            b,
            math.atan2(matrix[1, 0], matrix[0, 0]),
        )
    # y is turned by a right angle: a and c turn about the same axis.
    return math.atan2(-matrix[1, 2], matrix[1, 1]), b, 0.0


def number(value: float) -> str:
    """Return a number with all its digits."""
    return repr(float(value) + 0.0)


def add_placement(parent: Element, placement: Placement, matrix: FloatArray, names: Names) -> None:
    """Write position and rotation, if they are not zero; `matrix` is what GDML calls rotation."""
    if np.any(placement.position):
        x, y, z = (number(c) for c in placement.position)
        name = names.new("position")
        SubElement(parent, "position", {"name": name, "x": x, "y": y, "z": z, "unit": "cm"})
    if not np.array_equal(matrix, np.eye(3)):
        x, y, z = (number(angle) for angle in euler_angles(matrix))
        name = names.new("rotation")
        SubElement(parent, "rotation", {"name": name, "x": x, "y": y, "z": z, "unit": "rad"})


class Forms:
    """Writes solids; equal ones are written once.

    Parameters
    ----------
    define, solids
        Elements that are filled.
    names
        Names of the document.
    """

    def __init__(self, define: Element, solids: Element, names: Names) -> None:
        self.define = define
        self.solids = solids
        self.names = names
        self._known: dict[Any, Form] = {}
        self._kept: list[Solid] = []

    def form(self, solid: Solid) -> Form:
        """Return the GDML solid of a solid, which is written if it is not there yet.

        Raises
        ------
        OutputError
            If GDML cannot say it.
        """
        try:
            key: Any = (type(solid), solid)
            known = self._known.get(key)
        except TypeError:  # a solid that cannot be hashed is only the same as itself
            key = id(solid)
            known = self._known.get(key)
        if known is None:
            writer = _WRITERS.get(type(solid).__name__, _tessellated)
            known = self._known[key] = writer(self, solid)
            self._kept.append(solid)  # its id must not be used again
        return known

    def element(self, tag: str, **attributes: float | str) -> Element:
        """Add a solid; numbers are written in full."""
        element = SubElement(self.solids, tag, {"name": self.names.new(f"solid_{tag}")})
        for key, value in attributes.items():
            element.set(key, value if isinstance(value, str) else number(value))
        return element

    def boolean(self, operation: str, first: Form, second: Form, place: Placement) -> Form:
        """Add a boolean; `place` is that of the second solid in the frame of the first."""
        relative = composed(inverted(first.placement), composed(place, second.placement))
        element = self.element(operation)
        SubElement(element, "first", {"ref": first.name})
        SubElement(element, "second", {"ref": second.name})
        # In booleans the rotation moves the solid, other than in physical volumes.
        add_placement(element, relative, relative.matrix, self.names)
        return Form(element.attrib["name"], first.placement)


def _along(axis: str) -> Placement:
    """Return the rotation from the frame of GDML, along z, to that of a solid along an axis."""
    matrix = np.zeros((3, 3))
    for column, row in enumerate(AXES[axis]):
        matrix[row, column] = 1.0
    return Placement.of(rotation=matrix)


def _done(element: Element, placement: Placement = _IDENTITY) -> Form:
    return Form(element.attrib["name"], placement)


def _box(forms: Forms, solid: Any) -> Form:
    return _done(forms.element("box", x=solid.dx, y=solid.dy, z=solid.dz, lunit="cm"))


def _sphere(forms: Forms, solid: Any) -> Form:
    if solid.inner_radius == 0.0:
        return _done(forms.element("orb", r=solid.radius, lunit="cm"))
    return _done(
        forms.element(
            "sphere", rmin=solid.inner_radius, rmax=solid.radius, startphi=0.0, deltaphi=_TURN,
            starttheta=0.0, deltatheta=math.pi, aunit="rad", lunit="cm",
        )
    )  # fmt: skip


def _sector(solid: Any) -> dict[str, float | str]:
    width = min(solid.delta_phi, _TURN)
    return {"startphi": solid.start_phi, "deltaphi": width, "aunit": "rad", "lunit": "cm"}


def _cylinder(forms: Forms, solid: Any) -> Form:
    element = forms.element(
        "tube", rmin=solid.inner_radius, rmax=solid.radius, z=solid.length, **_sector(solid)
    )
    return _done(element, _along(solid.axis))


def _cone(forms: Forms, solid: Any) -> Form:
    element = forms.element(
        "cone", rmin1=solid.inner_radius_low, rmax1=solid.radius_low,
        rmin2=solid.inner_radius_high, rmax2=solid.radius_high, z=solid.length, **_sector(solid),
    )  # fmt: skip
    return _done(element, _along(solid.axis))


def _trapezoid(forms: Forms, solid: Any) -> Form:
    return _done(
        forms.element(
            "trd", x1=solid.dx_low, x2=solid.dx_high, y1=solid.dy_low, y2=solid.dy_high,
            z=solid.length, lunit="cm",
        )
    )  # fmt: skip


def _planes(element: Element, z: Any, outer: Any, inner: Any) -> None:
    holes = [0.0] * len(z) if inner is None else inner
    for height, radius, hole in zip(z, outer, holes, strict=True):
        attributes = {"rmin": number(hole), "rmax": number(radius), "z": number(height)}
        SubElement(element, "zplane", attributes)


def _polycone(forms: Forms, solid: Any) -> Form:
    element = forms.element("polycone", **_sector(solid))
    _planes(element, solid.z, solid.outer, solid.inner)
    return _done(element, _along(solid.axis))


def _polyhedra(forms: Forms, solid: Any) -> Form:
    element = forms.element("polyhedra", numsides=str(solid.sides), **_sector(solid))
    _planes(element, solid.z, solid.outer, solid.inner)
    return _done(element, _along(solid.axis))


def _regular_prism(forms: Forms, solid: Any) -> Form:
    # GDML counts from a corner, RegularPrism from the normal of a side.
    element = forms.element(
        "polyhedra", numsides=str(solid.sides), startphi=solid.start_phi - math.pi / solid.sides,
        deltaphi=_TURN, aunit="rad", lunit="cm",
    )  # fmt: skip
    half = 0.5 * solid.length
    _planes(element, (-half, half), (solid.apothem, solid.apothem), None)
    return _done(element, _along(solid.axis))


def _prism(forms: Forms, solid: Any) -> Form:
    outline, *holes = solid.rings()
    result = _extrusion(forms, outline, solid.sections)
    if holes:
        sections = solid.sections
        if solid.is_straight:
            # Holes stick out at both ends: faces in common are a trouble of Geant4's booleans.
            margin = 0.1 * (sections[-1][0] - sections[0][0])
            first, last = sections[0], sections[-1]
            sections = ((first[0] - margin, *first[1:]), (last[0] + margin, *last[1:]))
        for hole in holes:
            cut = _extrusion(forms, hole, sections)
            result = forms.boolean("subtraction", result, cut, _IDENTITY)
    return Form(result.name, _along(solid.axis))


def _extrusion(forms: Forms, corners: FloatArray, sections: Any) -> Form:
    element = forms.element("xtru", lunit="cm")
    for x, y in corners:
        SubElement(element, "twoDimVertex", {"x": number(x), "y": number(y)})
    for k, (z, x, y, scale) in enumerate(sections):
        attributes = {
            "zOrder": str(k),
            "zPosition": number(z),
            "xOffset": number(x),
            "yOffset": number(y),
            "scalingFactor": number(scale),
        }
        SubElement(element, "section", attributes)
    return _done(element)


def _ellipsoid(forms: Forms, solid: Any) -> Form:
    low = -solid.c if solid.z_low is None else max(solid.z_low, -solid.c)
    high = solid.c if solid.z_high is None else min(solid.z_high, solid.c)
    return _done(
        forms.element(
            "ellipsoid", ax=solid.a, by=solid.b, cz=solid.c, zcut1=low, zcut2=high, lunit="cm"
        )
    )


def _elliptical_tube(forms: Forms, solid: Any) -> Form:
    # The only solid of GDML with half lengths that is written here.
    return _done(forms.element("eltube", dx=solid.a, dy=solid.b, dz=0.5 * solid.length, lunit="cm"))


def _torus(forms: Forms, solid: Any) -> Form:
    element = forms.element(
        "torus", rmin=solid.inner_radius, rmax=solid.outer_radius, rtor=solid.ring_radius,
        **_sector(solid),
    )  # fmt: skip
    return _done(element, _along(solid.axis))


def _moved(forms: Forms, solid: Any) -> Form:
    inner = forms.form(solid.solid)
    return Form(inner.name, composed(solid.placement, inner.placement))


def _boolean(operation: str) -> Callable[[Forms, Any], Form]:
    def write(forms: Forms, solid: Any) -> Form:
        first, second = forms.form(solid.first), forms.form(solid.second)
        return forms.boolean(operation, first, second, solid.placement)

    return write


def _tessellated(forms: Forms, solid: Any) -> Form:
    """Write triangles: meshes and convex polyhedra exactly, a user's solid as its mesh()."""
    mesh = getattr(solid, "mesh", None)
    if mesh is None:
        raise OutputError(
            f"{type(solid).__name__} cannot be written as GDML. Give the class a method "
            "mesh(sections) -> trimesh.Trimesh, or build the volume of other solids."
        )
    surface = mesh(_SECTIONS)
    prefix = forms.names.new("mesh")
    vertices: list[str] = []
    for vertex in np.asarray(surface.vertices):
        name = forms.names.new(f"{prefix}_v{len(vertices)}")
        x, y, z = (number(c) for c in vertex)
        attributes = {"name": name, "x": x, "y": y, "z": z, "unit": "cm"}
        SubElement(forms.define, "position", attributes)
        vertices.append(name)
    element = forms.element("tessellated", lunit="cm")
    for a, b, c in np.asarray(surface.faces):
        corners = {"vertex1": vertices[a], "vertex2": vertices[b], "vertex3": vertices[c]}
        SubElement(element, "triangular", {**corners, "type": "ABSOLUTE"})
    return _done(element)


_WRITERS: dict[str, Callable[[Forms, Any], Form]] = {
    "Box": _box,
    "Sphere": _sphere,
    "Cylinder": _cylinder,
    "Cone": _cone,
    "Trapezoid": _trapezoid,
    "Polycone": _polycone,
    "Polyhedra": _polyhedra,
    "RegularPrism": _regular_prism,
    "Prism": _prism,
    "Ellipsoid": _ellipsoid,
    "EllipticalTube": _elliptical_tube,
    "Torus": _torus,
    "Placed": _moved,
    "Union": _boolean("union"),
    "Difference": _boolean("subtraction"),
    "Intersection": _boolean("intersection"),
}
