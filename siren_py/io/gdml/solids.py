"""The ``<solids>`` of a GDML file as solids of siren_py [cm].

GDML gives full lengths along x, y and z, except for elliptical tubes and arbitrary trapezoids
(half lengths); radii of polyhedra are distances to the faces. Solids refer to what stands before
them only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.errors import GeometryError
from siren_py.geometry.solids import Box, Cylinder, Solid, Sphere
from siren_py.io.gdml.scope import CM_PER_MM, Scope
from siren_py.io.gdml.xml import Node
from siren_py.io.text import name_hint

_TURN = 2.0 * math.pi
_BOOLEANS = {"union": "Union", "subtraction": "Difference", "intersection": "Intersection"}
# Elements of <solids> that shape no matter.
_IGNORED = ("opticalsurface", "property")
_ANGLE = 1e-9
_FLAT = 1e-6


class Solids:
    """Reads the ``<solids>`` of a file, in order.

    Parameters
    ----------
    scope
        Names of the file.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.solids: dict[str, Solid] = {}
        self._nodes: dict[str, Node] = {}
        self._depth: dict[str, int] = {}
        self._parts: dict[str, int] = {}

    def read(self, node: Node) -> None:
        """Read a ``<solids>`` element."""
        for child in self.scope.expanded(node):
            if child.tag == "define":
                self.scope.define(child)
            elif child.tag not in _IGNORED:
                self._read(child)

    def _read(self, node: Node) -> None:
        name = self.scope.name(node)
        if name in self.solids:
            line = self._nodes[name].line
            raise node.fault(f"there is already a solid of this name in line {line}; rename one.")
        if node.tag in _BOOLEANS:
            make: Callable[[Node], Solid] = self._boolean
        elif node.tag in self._READERS:
            make = self._READERS[node.tag].__get__(self)
        else:
            known = ", ".join([*self._READERS, *_BOOLEANS])
            raise node.fault(f"this kind of solid cannot be read. Known: {known}.")
        try:
            self.solids[name] = make(node)
        except GeometryError as error:
            raise node.fault(str(error)) from None
        self._nodes[name] = node

    def need(self, node: Node, name: str) -> Solid:
        """Return a solid by name, or raise the error that says it is not there."""
        if name not in self.solids:
            hint = name_hint(name, self.solids)
            raise node.fault(f"there is no solid {name!r} before this line.{hint}")
        return self.solids[name]

    # ------------------------------------------------------------------ single solids

    def _sizes(self, node: Node, *keys: str) -> list[float]:
        """Return lengths [cm] that must be positive."""
        sizes = [self.scope.length(node, key) for key in keys]
        for key, size in zip(keys, sizes, strict=True):
            if not size > 0.0:
                raise node.fault(f"{key} is {size / CM_PER_MM:g} mm; it must be positive.")
        return sizes

    def _sector(self, node: Node) -> tuple[float, float]:
        """Return start and width in azimuth [rad]; the full turn if it is not said."""
        start = self.scope.angle(node, "startphi", 0.0)
        width = self.scope.angle(node, "deltaphi", _TURN)
        if width <= 0.0:
            raise node.fault(f"deltaphi is {width:g} rad; it must be positive.")
        # 360*deg in the units of the file need not be 2 pi to the last digit.
        return start, _TURN if width > _TURN - _ANGLE else width

    def _box(self, node: Node) -> Solid:
        return Box(*self._sizes(node, "x", "y", "z"))

    def _tube(self, node: Node) -> Solid:
        radius, length = self._sizes(node, "rmax", "z")
        start, width = self._sector(node)
        hole = self.scope.length(node, "rmin", 0.0)
        return Cylinder(radius, length, hole, start_phi=start, delta_phi=width)

    def _cone(self, node: Node) -> Solid:
        from siren_py.geometry import Cone

        (length,) = self._sizes(node, "z")
        low, high = self.scope.length(node, "rmax1"), self.scope.length(node, "rmax2")
        holes = self.scope.length(node, "rmin1", 0.0), self.scope.length(node, "rmin2", 0.0)
        start, width = self._sector(node)
        return Cone(length, low, high, *holes, start_phi=start, delta_phi=width)

    def _orb(self, node: Node) -> Solid:
        return Sphere(*self._sizes(node, "r"))

    def _sphere(self, node: Node) -> Solid:
        (radius,) = self._sizes(node, "rmax")
        solid: Solid = Sphere(radius, self.scope.length(node, "rmin", 0.0))
        start, width = self._sector(node)
        first = self.scope.angle(node, "starttheta", 0.0)
        last = first + self.scope.angle(node, "deltatheta", math.pi)
        if not -_ANGLE <= first < last <= math.pi + _ANGLE:
            raise node.fault(f"theta goes from {first:g} to {last:g} rad; it must be in [0, pi].")
        if first > _ANGLE or last < math.pi - _ANGLE:
            from siren_py.geometry import Intersection

            solid = Intersection(solid, _theta_cut(radius, max(first, 0.0), min(last, math.pi)))
        if width < _TURN:
            from siren_py.geometry import Intersection

            wedge = Cylinder(1.1 * radius, 2.2 * radius, start_phi=start, delta_phi=width)
            solid = Intersection(solid, wedge)
        return solid

    def _trd(self, node: Node) -> Solid:
        from siren_py.geometry import Trapezoid

        (length,) = self._sizes(node, "z")
        x1, x2, y1, y2 = (self.scope.length(node, key) for key in ("x1", "x2", "y1", "y2"))
        return Trapezoid(x1, x2, y1, y2, length)

    def _planes(self, node: Node) -> tuple[list[float], list[float], list[float]]:
        planes = list(node.all("zplane"))
        if len(planes) < 2:
            raise node.fault("it needs at least two <zplane>.")
        unit = self.scope.unit(node, "lunit", "mm") * CM_PER_MM
        z, outer, inner = (
            [self.scope.number(p, key, default) * unit for p in planes]
            for key, default in (("z", None), ("rmax", None), ("rmin", 0.0))
        )
        return z, outer, inner

    def _polycone(self, node: Node) -> Solid:
        from siren_py.geometry import Polycone

        start, width = self._sector(node)
        return Polycone(*self._planes(node), start_phi=start, delta_phi=width)

    def _polyhedra(self, node: Node) -> Solid:
        from siren_py.geometry import Polyhedra

        start, width = self._sector(node)
        sides = self.scope.integer(node, "numsides")
        return Polyhedra(sides, *self._planes(node), start_phi=start, delta_phi=width)

    def _xtru(self, node: Node) -> Solid:
        from siren_py.geometry import Prism

        unit = self.scope.unit(node, "lunit", "mm") * CM_PER_MM
        corners = [
            (self.scope.number(c, "x") * unit, self.scope.number(c, "y") * unit)
            for c in node.all("twoDimVertex")
        ]
        if len(corners) < 3:
            raise node.fault("it needs at least three <twoDimVertex>.")
        # The order of the sections is said by a number, not by their place in the file.
        children = sorted(node.all("section"), key=lambda s: self.scope.number(s, "zOrder", 0.0))
        sections = [
            (
                self.scope.number(s, "zPosition") * unit,
                self.scope.number(s, "xOffset", 0.0) * unit,
                self.scope.number(s, "yOffset", 0.0) * unit,
                self.scope.number(s, "scalingFactor", 1.0),
            )
            for s in children
        ]
        if len(sections) < 2:
            raise node.fault("it needs at least two <section>.")
        return Prism(corners, sections=sections)

    def _ellipsoid(self, node: Node) -> Solid:
        from siren_py.geometry import Ellipsoid

        a, b, c = self._sizes(node, "ax", "by", "cz")
        low, high = self.scope.length(node, "zcut1", 0.0), self.scope.length(node, "zcut2", 0.0)
        # Two zeros are Geant4's way to say that there are no cuts.
        if low == 0.0 and high == 0.0:
            return Ellipsoid(a, b, c)
        return Ellipsoid(a, b, c, z_low=low, z_high=high)

    def _eltube(self, node: Node) -> Solid:
        from siren_py.geometry import EllipticalTube

        a, b, half = self._sizes(node, "dx", "dy", "dz")
        return EllipticalTube(a, b, 2.0 * half)

    def _torus(self, node: Node) -> Solid:
        from siren_py.geometry import Torus

        ring, radius = self._sizes(node, "rtor", "rmax")
        start, width = self._sector(node)
        hole = self.scope.length(node, "rmin", 0.0)
        return Torus(ring, radius, hole, start_phi=start, delta_phi=width)

    # ------------------------------------------------------------------ solids with flat faces

    def _trap(self, node: Node) -> Solid:
        z, y1, x1, x2, y2, x3, x4 = self._sizes(node, "z", "y1", "x1", "x2", "y2", "x3", "x4")
        theta, phi = self.scope.angle(node, "theta", 0.0), self.scope.angle(node, "phi", 0.0)
        ends = [
            (-0.5, y1, x1, x2, math.tan(self.scope.angle(node, "alpha1", 0.0))),
            (0.5, y2, x3, x4, math.tan(self.scope.angle(node, "alpha2", 0.0))),
        ]
        lean = math.tan(theta) * np.array([math.cos(phi), math.sin(phi)])
        corners = [
            (*(side * z * lean + (u * width + v * tangent, v)), side * z)
            for side, y, low, high, tangent in ends
            for v, width in ((-0.5 * y, low), (0.5 * y, high))
            for u in (-0.5, 0.5)
        ]
        solid = _convex(corners)
        # Four corners of a side in one plane, or the hull has more volume than the formula says.
        flat = 0.125 * z * ((x1 + x2 + x3 + x4) * (y1 + y2) + (x3 + x4 - x1 - x2) * (y2 - y1) / 3.0)
        if solid.volume() > flat * (1.0 + _FLAT):
            raise node.fault(
                "its sides are not flat, which Geant4 refuses too: (x2 - x1) / y1 must be "
                "(x4 - x3) / y2, and alpha1 must be alpha2."
            )
        return solid

    def _para(self, node: Node) -> Solid:
        x, y, z = self._sizes(node, "x", "y", "z")
        alpha = math.tan(self.scope.angle(node, "alpha", 0.0))
        theta, phi = self.scope.angle(node, "theta", 0.0), self.scope.angle(node, "phi", 0.0)
        lean = math.tan(theta) * np.array([math.cos(phi), math.sin(phi)])
        signs = [(i, j, k) for k in (-0.5, 0.5) for j in (-0.5, 0.5) for i in (-0.5, 0.5)]
        corners = [(*(k * z * lean + (i * x + j * y * alpha, j * y)), k * z) for i, j, k in signs]
        return _convex(corners)

    def _generic_polycone(self, node: Node) -> Solid:
        from siren_py.io.gdml.outlines import revolved_outline

        corners = [
            [self.scope.number(point, "r"), self.scope.number(point, "z")]
            for point in node.all("rzpoint")
        ]
        unit = self.scope.unit(node, "lunit", "mm") * CM_PER_MM
        return revolved_outline(np.array(corners).reshape(-1, 2) * unit, *self._sector(node))

    def _tet(self, node: Node) -> Solid:
        return _convex([self._vertex(node, f"vertex{k}") for k in (1, 2, 3, 4)])

    def _vertex(self, node: Node, key: str) -> FloatArray:
        name = self.scope.name(node, key)
        if name not in self.scope.positions:
            raise node.fault(f"{key}: there is no position {name!r} in <define>.")
        return self.scope.positions[name] * CM_PER_MM

    def _tessellated(self, node: Node) -> Solid:
        places: dict[tuple[float, ...], int] = {}
        faces: list[tuple[int, int, int]] = []
        for facet in node.children:
            if facet.tag not in ("triangular", "quadrangular"):
                raise facet.fault("a tessellated solid has <triangular> and <quadrangular> only.")
            count = 3 if facet.tag == "triangular" else 4
            corners = [self._vertex(facet, f"vertex{k}") for k in range(1, count + 1)]
            if facet.attributes.get("type", "ABSOLUTE").upper() == "RELATIVE":
                corners = [corners[0], *(corners[0] + c for c in corners[1:])]
            # Named positions that are the same point are one corner.
            index = [
                places.setdefault(tuple(np.round(c, 9).tolist()), len(places)) for c in corners
            ]
            faces.append((index[0], index[1], index[2]))
            if count == 4:
                faces.append((index[0], index[2], index[3]))
        faces = [f for f in faces if len(set(f)) == 3]
        if len(faces) < 4:
            raise node.fault(f"it has {len(faces)} triangles; a closed surface needs at least 4.")
        import trimesh

        from siren_py.geometry import Mesh

        surface = trimesh.Trimesh(np.array(list(places)), np.array(faces), process=False)
        if surface.is_watertight and surface.volume < 0.0:
            surface.invert()
        return Mesh(surface)

    def _arb8(self, node: Node) -> Solid:
        (half,) = self._sizes(node, "dz")
        corners = [
            (
                self.scope.length(node, f"v{k}x"),
                self.scope.length(node, f"v{k}y"),
                -half if k <= 4 else half,
            )
            for k in range(1, 9)
        ]
        low, high = np.array(corners[:4])[:, :2], np.array(corners[4:])[:, :2]
        edges = np.roll(low, -1, axis=0) - low, np.roll(high, -1, axis=0) - high
        twist = edges[0][:, 0] * edges[1][:, 1] - edges[0][:, 1] * edges[1][:, 0]
        size = float(np.abs(np.array(corners)).max())
        if np.any(np.abs(twist) > 1e-9 * size * size):
            raise node.fault("its sides are twisted, and only flat ones can be read.")
        return _convex(corners)

    # ------------------------------------------------------------------ solids made of solids

    def _boolean(self, node: Node) -> Solid:
        import siren_py.geometry as geometry

        first_node, second_node = node.need("first"), node.need("second")
        names = [self.scope.name(n, "ref") for n in (first_node, second_node)]
        first, second = (self.need(node, name) for name in names)
        # A boolean of twice the same boolean doubles with each level; a few lines are enough to
        # never end.
        self._count(node, sum(self._parts.get(name, 1) for name in names))
        depth = 1 + max(self._depth.get(name, 0) for name in names)
        if depth > self.scope.budget.limits.max_depth:
            raise node.fault(f"booleans are nested more than {depth - 1} deep.")
        self._depth[self.scope.name(node)] = depth
        position, matrix, _ = self.scope.placement(node)
        moved, turned, _ = self.scope.placement(node, "first")
        if np.any(moved) or not np.array_equal(turned, np.eye(3)):
            first = geometry.Placed(first, moved, turned)
        operation = getattr(geometry, _BOOLEANS[node.tag])
        solid: Solid = operation(first, second, at=position, rotation=matrix)
        return solid

    def _count(self, node: Node, parts: int) -> None:
        limit = self.scope.budget.limits.max_parts
        if parts > limit:
            raise node.fault(
                f"it is made of {parts} solids, more than {limit}; place them as volumes of their "
                "own, or raise max_parts."
            )
        self._parts[self.scope.name(node)] = parts

    def _multi_union(self, node: Node) -> Solid:
        from siren_py.geometry import Placed, Union

        result: Solid | None = None
        parts = list(node.all("multiUnionNode"))
        if not parts:
            raise node.fault("it needs at least one <multiUnionNode>.")
        names = [self.scope.name(part.need("solid"), "ref") for part in parts]
        if len(parts) > self.scope.budget.limits.max_depth:
            raise node.fault(f"it has {len(parts)} solids, more than can be nested.")
        self._count(node, sum(self._parts.get(name, 1) for name in names))
        for part, name in zip(parts, names, strict=True):
            solid = self.need(part, name)
            position, matrix, _ = self.scope.placement(part)
            if result is None:
                result = Placed(solid, position, matrix)
            else:
                result = Union(result, solid, at=position, rotation=matrix)
        if result is None:  # never: there is at least one part
            raise node.fault("it is empty.")
        return result

    _READERS: dict[str, Callable[..., Solid]] = {  # noqa: RUF012  (constant, names of methods)
        "box": _box,
        "tube": _tube,
        "cone": _cone,
        "orb": _orb,
        "sphere": _sphere,
        "trd": _trd,
        "polycone": _polycone,
        "genericPolycone": _generic_polycone,
        "polyhedra": _polyhedra,
        "xtru": _xtru,
        "tessellated": _tessellated,
        "ellipsoid": _ellipsoid,
        "eltube": _eltube,
        "torus": _torus,
        "trap": _trap,
        "para": _para,
        "tet": _tet,
        "arb8": _arb8,
        "multiUnion": _multi_union,
    }


def _convex(corners: Sequence[ArrayLike]) -> Solid:
    from siren_py.geometry import Polyhedron

    return Polyhedron(np.unique(np.array(corners), axis=0))


def _theta_cut(radius: float, first: float, last: float) -> Solid:
    """Return a solid that holds, of a ball of this radius, the polar angles first to last."""
    from siren_py.geometry import Polycone

    reach = 1.1 * radius

    def edge(theta: float, z: float) -> float:
        # Distance from the axis at height z of the cone theta; beyond it everything or nothing.
        return abs(z) * abs(math.tan(theta)) if abs(theta - 0.5 * math.pi) > _ANGLE else 0.0

    z_low, z_high = (-reach, reach)
    half = 0.5 * math.pi
    planes: list[tuple[float, float, float]] = []  # z, inner, outer
    if last > half + _ANGLE:
        # Below the middle the cone `last` cuts from inside and, if it is there, `first` from
        # outside.
        outer = edge(first, z_low) if first > half + _ANGLE else math.inf
        inner = edge(last, z_low) if last < math.pi - _ANGLE else 0.0
        planes.append((z_low, inner, outer))
        planes.append((0.0, 0.0, 0.0 if first > half + _ANGLE else math.inf))
    if first < half - _ANGLE:
        outer = edge(last, z_high) if last < half - _ANGLE else math.inf
        inner = edge(first, z_high) if first > _ANGLE else 0.0
        planes.append((0.0, 0.0, 0.0 if last < half - _ANGLE else math.inf))
        planes.append((z_high, inner, outer))
    if len(planes) == 4 and planes[1] == planes[2]:
        del planes[2]
    finite = [r for plane in planes for r in plane[1:] if math.isfinite(r)]
    large = 2.0 * reach + max(finite)
    return Polycone(
        [z for z, _, _ in planes],
        [min(outer, large) for _, _, outer in planes],
        [inner for _, inner, _ in planes],
    )
