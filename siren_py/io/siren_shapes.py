"""The words of a statement of SIREN's ``densities.dat``, and the shapes among them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import FormatError, GeometryError, nearest_names
from siren_py.geometry.placement import Placement, rotation_matrix
from siren_py.geometry.solids import Box, Cylinder, Solid, Sphere
from siren_py.io.siren_materials import Reports, number

CM = 100.0  # per metre
_MAX_CORNERS = 100_000
_PLACE = "x y z alpha beta gamma"
_SIZES = {
    "sphere": "R",
    "box": "dx dy dz",
    "cylinder": "Router Rinner length",
    "cone": "rmin1 rmax1 rmin2 rmax2 length",
    "trd": "dx1 dx2 dy1 dy2 dz",
    "extr": "n x1 y1 ... xn yn m z1 offx1 offy1 scale1 ... zm offxm offym scalem",
}
_SHAPES = tuple(_SIZES)
_REST = {
    "object": " NAME MATERIAL constant RHO (or radial_polynomial xc yc zc n p0 ... p(n-1))",
    "fiducial": "",
}


class Line:
    """The words of one statement, taken one after the other.

    Each method takes what it is named after and raises a `FormatError` if something else, or
    nothing, stands there; `what` is what it would be, for the error text.
    """

    def __init__(self, words: list[str], number_: int, reports: Reports) -> None:
        self.words = words
        self.number = number_
        self.reports = reports
        self._next = 0

    @property
    def form(self) -> str:
        """What the line should look like, as far as its first words tell."""
        if self.words[0] not in _REST:
            return ""
        kind = next((word for word in self.words[1:3] if word in _SIZES), "SHAPE")
        sizes = _SIZES.get(kind, "SIZES")
        return f" Write: {self.words[0]} {kind} {_PLACE} {sizes}{_REST[self.words[0]]}."

    def word(self, what: str) -> str:
        """Take a word."""
        if self._next >= len(self.words):
            raise self.fault(f"the line ends where {what} belongs.{self.form}")
        self._next += 1
        return self.words[self._next - 1]

    def peek(self) -> str:
        """Return the next word without taking it, or "" at the end."""
        return self.words[self._next] if self._next < len(self.words) else ""

    def number_(self, what: str) -> float:
        """Take a number."""
        word = self.word(what)
        value = number(word)
        if value is None:
            raise self.fault(
                f"{word!r} stands where {what} belongs, a number with a decimal point. "
                f"A number before it is missing, or there is one too many.{self.form}"
            )
        return value

    def numbers(self, *what: str) -> list[float]:
        """Take several numbers."""
        return [self.number_(one) for one in what]

    def positive(self, what: str) -> float:
        """Take a positive length [m]."""
        value = self.number_(what)
        if value <= 0.0:
            raise self.fault(f"{what} is {value:g}; it must be positive [m].")
        return value

    def not_negative(self, what: str) -> float:
        """Take a length that may be zero [m]."""
        value = self.number_(what)
        if value < 0.0:
            raise self.fault(f"{what} is {value:g}; it must not be negative [m].")
        return value

    def count(self, what: str, least: int) -> int:
        """Take a whole number of at least `least`."""
        word = self.word(what)
        if not word.isascii() or not word.isdigit() or len(word) > 9:
            raise self.fault(f"{word!r} stands where {what} belongs, a whole number.{self.form}")
        if not least <= int(word) <= _MAX_CORNERS:
            raise self.fault(f"{what} is {word}; it must be {least} to {_MAX_CORNERS}.")
        return int(word)

    def one_of(self, names: tuple[str, ...], what: str) -> str:
        """Return one of `names`; SIREN looks for them anywhere in the word, in this order."""
        word = self.word(what)
        if word in names:
            return word
        close = nearest_names(word, names, 1)
        hint = f"Write {close[0]!r}." if close else f"Write one of {', '.join(names)}."
        for name in names:
            if name in word:
                self.reports.trap(self.number, f"{word!r} is no {what}. {hint} SIREN takes {name}.")
                return name
        raise self.fault(f"there is no {what} {word!r}. {hint}")

    def end(self) -> None:
        """Report words that are left over."""
        if self._next < len(self.words):
            rest = " ".join(self.words[self._next :])
            self.reports.trap(
                self.number,
                f"{rest[:60]!r} is left over at the end of the line, and SIREN does not read it. "
                "Count the numbers of the line, or put '#' before the rest.",
            )

    def fault(self, text: str) -> FormatError:
        """Return an error that names file and line."""
        return self.reports.fault(self.number, text)


def position(line: Line) -> FloatArray:
    """Take a position, (3,) [cm]."""
    return np.array(line.numbers("x", "y", "z")) * CM


def rotation(line: Line) -> FloatArray:
    """Take three Euler angles, intrinsic Z-X-Z, as a rotation matrix."""
    from scipy.spatial.transform import Rotation

    angles = line.numbers("the angle alpha", "the angle beta", "the angle gamma")
    return rotation_matrix(Rotation.from_euler("ZXZ", angles))


def shape(line: Line) -> tuple[Solid, Placement]:
    """Take a shape with its place and its sizes."""
    kind = line.one_of(_SHAPES, "shape")
    placement = Placement.of(position(line), rotation(line))
    try:
        return _SOLIDS[kind](line), placement
    except GeometryError as error:
        raise line.fault(f"{kind}: {error}") from error


def _sphere(line: Line) -> Solid:
    return Sphere(line.positive("the radius") * CM)


def _box(line: Line) -> Solid:
    return Box(*(line.positive(f"the width {d}") * CM for d in ("dx", "dy", "dz")))


def _cylinder(line: Line) -> Solid:
    outer, hole = line.not_negative("the outer radius"), line.not_negative("the inner radius")
    if hole > outer:
        line.reports.trap(
            line.number,
            f"the inner radius {hole:g} is larger than the outer one, {outer:g}: the order is "
            "outer, inner, length. SIREN exchanges them.",
        )
        outer, hole = hole, outer
    length = line.positive("the length")
    return Cylinder(outer * CM, length * CM, hole * CM)


def _cone(line: Line) -> Solid:
    from siren_py.geometry import Cone

    holes_low, low, holes_high, high = (
        line.not_negative(f"the radius {r}") * CM for r in ("rmin1", "rmax1", "rmin2", "rmax2")
    )
    return Cone(line.positive("the length") * CM, low, high, holes_low, holes_high)


def _trd(line: Line) -> Solid:
    from siren_py.geometry import Trapezoid

    # Half lengths, other than in all other shapes: measured with siren 0.1.0.
    x1, x2, y1, y2 = (
        2.0 * CM * line.not_negative(f"the half width {d}") for d in ("dx1", "dx2", "dy1", "dy2")
    )
    return Trapezoid(x1, x2, y1, y2, 2.0 * CM * line.positive("the half length"))


def _extr(line: Line) -> Solid:
    from siren_py.geometry import Prism

    count = line.count("the number of corners", 3)
    corners = [
        tuple(v * CM for v in line.numbers(f"x of corner {k}", f"y of corner {k}"))
        for k in range(1, count + 1)
    ]
    sections = []
    for k in range(1, line.count("the number of sections", 2) + 1):
        z, x, y = line.numbers(*(f"{v} of section {k}" for v in ("z", "the x offset", "the y")))
        sections.append((z * CM, x * CM, y * CM, line.positive(f"the scale of section {k}")))
    if any(b[0] <= a[0] for a, b in pairwise(sections)):
        raise line.fault("the z of the sections must ascend; order them.")
    if not _is_convex(np.array(corners)):
        line.reports.note(
            line.number,
            "the polygon is not convex. SIREN takes extr for convex without a check, and its "
            "crossings are wrong; here the polygon is taken as drawn.",
        )
    return Prism(corners, sections=sections)


_SOLIDS: dict[str, Callable[[Line], Solid]] = {
    "sphere": _sphere,
    "box": _box,
    "cylinder": _cylinder,
    "cone": _cone,
    "trd": _trd,
    "extr": _extr,
}


def _is_convex(corners: FloatArray) -> bool:
    step = np.roll(corners, -1, axis=0) - corners
    after = np.roll(step, -1, axis=0)
    turn = step[:, 0] * after[:, 1] - step[:, 1] * after[:, 0]
    size = np.hypot(step[:, 0], step[:, 1]) * np.hypot(after[:, 0], after[:, 1])
    return bool(np.all(turn >= -1e-9 * size) or np.all(turn <= 1e-9 * size))
