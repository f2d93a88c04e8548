"""SIREN's detector files, ``densities.dat`` with ``materials.dat``, with exactly their meaning.

Statements of ``densities.dat``, one a line; ``#`` begins a comment; metres, radians, g/cm3::

    object SHAPE x y z  alpha beta gamma  SIZES  NAME MATERIAL DENSITY
    detector x y z [alpha beta gamma]
    fiducial [detector_coords|geometry_coords] SHAPE x y z  alpha beta gamma  SIZES

    sphere R | box dx dy dz | cylinder Rout Rin length | cone rmin1 rmax1 rmin2 rmax2 length
    trd dx1 dx2 dy1 dy2 dz (half lengths) | extr n x1 y1 ... xn yn  m z1 offx offy scale ...
    constant rho | radial_polynomial xc yc zc n p0 ... p(n-1)       rho = sum p_k r^k, r in m

Angles are intrinsic Z-X-Z Euler angles. Later objects displace earlier ones, as in
`DetectorModel`. ``detector`` gives the origin (and rotation) of the detector frame in the frame of
the objects, the geometry frame. What SIREN does with lines that break this grammar was measured
with siren 0.1.0; `load_siren_detector` reports all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from siren_py._typing import FloatArray, PathLike
from siren_py.detector import DetectorModel
from siren_py.errors import ConfigError, GeometryError, nearest_names
from siren_py.geometry.placement import Placement
from siren_py.geometry.profiles import RadialDensity
from siren_py.geometry.solids import Solid, Sphere
from siren_py.io.siren_materials import (
    Reports,
    SirenFormatWarning,
    SirenMaterial,
    built_in_vacuum,
    check_density,
    nuclide_fractions,
    parse_materials,
    raise_traps,
    raw_material,
)
from siren_py.io.siren_shapes import CM, Line, position, rotation, shape
from siren_py.io.text import MAX_BYTES, read_text

if TYPE_CHECKING:
    from siren_py.materials import Material

__all__ = ["SirenFormatWarning", "load_siren_detector"]

_DENSITIES = ("constant", "radial_polynomial")
_STATEMENTS = ("object", "detector", "fiducial")
_FRAMES = {"detector_coords": "detector", "geometry_coords": "geometry"}


class _Density(NamedTuple):
    """Coefficients of the powers of the distance from a centre, in g/cm3 and m; centre in cm."""

    centre: FloatArray
    coefficients: tuple[float, ...]

    @property
    def is_constant(self) -> bool:
        return not any(self.coefficients[1:])


class _Object(NamedTuple):
    line: int
    name: str
    solid: Solid
    placement: Placement
    material: str
    density: _Density


class _Fiducial(NamedTuple):
    line: int
    solid: Solid
    placement: Placement
    frame: str


def load_siren_detector(
    densities: PathLike,
    materials: PathLike,
    *,
    strict: bool = True,
    name: str | None = None,
    frame: str = "detector",
    shells: int | None = None,
    max_bytes: int = MAX_BYTES,
) -> DetectorModel:
    """Read a detector from SIREN's ``densities.dat`` and ``materials.dat``.

    Objects become volumes of the same names and in the same order. Every ``fiducial`` becomes a
    region: the last one, which alone counts in SIREN, is called ``"fiducial"``, those before it
    ``"fiducial-1"``, ``"fiducial-2"``, ... in the order of the file. A material used at several
    densities becomes several materials, ``"ROCK (2.65 g/cm3)"``.

    A polynomial density becomes the profile of a volume, which `DetectorModel.trace` and
    `column_depth` follow exactly, but in which events cannot be injected. For that, give `shells`:
    the object is then cut in concentric shells of the same mass, the outermost with its name, the
    others ``"NAME:1"``, ``"NAME:2"``, ... inwards.

    Parameters
    ----------
    densities, materials
        The two files.
    strict
        True: what SIREN accepts in silence but reads otherwise than it looks (a missing number of
        components, fractions that do not sum to 1 within 1e-3, words left over, unknown
        statements, names given twice, a gas as dense as a liquid, ...) is an error that lists all
        of it. False: each of these is a `SirenFormatWarning`, and the file means what it means in
        SIREN. What SIREN would read from leftovers in its memory is an error in any case.
    name
        Name of the detector; by default that of the folder of `densities`.
    frame
        ``"detector"``: coordinates as in SIREN's Python functions, with the origin that the
        statement ``detector`` gives. ``"geometry"``: coordinates of the file.
    shells
        In how many shells of constant density an object with a polynomial density is cut; None to
        keep the polynomial.
    max_bytes
        Larger files are refused.

    Returns
    -------
    DetectorModel
        Lengths in cm.

    Raises
    ------
    FormatError
        With file and line, if a file cannot be read, or (if `strict`) has a trap.
    ConfigError
        If `frame` or `shells` is not possible.

    Examples
    --------
    >>> from pathlib import Path
    >>> import siren_py as sp
    >>> oil = ["OIL 2", "1000010010 0.144", "1000060120 0.856"]
    >>> ball = [
    ...     "detector 0 0 0",
    ...     "object sphere 0 0 0 0 0 0 6.1 oil OIL constant 0.85",
    ...     "fiducial sphere 0 0 0 0 0 0 5.0",
    ... ]
    >>> for name, lines in (("materials.dat", oil), ("densities.dat", ball)):
    ...     _ = Path(name).write_text(chr(10).join(lines))
    >>> tank = sp.load_siren_detector("densities.dat", "materials.dat", name="tank")
    >>> tank.volume_names, list(tank.regions)
    (('oil',), ['fiducial'])
    """
    if frame not in ("detector", "geometry"):
        raise ConfigError(f'frame must be "detector" or "geometry"; it is {frame!r}.')
    if shells is not None and not (isinstance(shells, int) and 1 <= shells <= 10_000):
        raise ConfigError(f"shells must be an integer from 1 to 10000, or None; it is {shells!r}.")
    density_path, material_path = Path(densities), Path(materials)
    text = read_text(density_path, "SIREN's densities.dat", max_bytes)
    material_text = read_text(material_path, "SIREN's materials.dat", max_bytes)
    material_reports = Reports(material_path, strict)
    table = parse_materials(material_text, material_reports)
    fractions = {key: nuclide_fractions(one, material_reports) for key, one in table.items()}
    fractions.setdefault("VACUUM", built_in_vacuum())
    reports = Reports(density_path, strict)
    objects, fiducials, origin = _parse_densities(text, reports, table)
    raise_traps(material_reports, reports)
    into = _Frame(origin, frame)
    detector = DetectorModel(name or density_path.resolve().parent.name)
    _add_objects(detector, objects, fractions, into, shells, reports)
    for number_, one in enumerate(fiducials, 1):
        label = "fiducial" if number_ == len(fiducials) else f"fiducial-{number_}"
        place = one.placement if one.frame == frame else into.place(one.placement, one.frame)
        detector.add_region(label, one.solid, place.position, place.matrix)
    return detector


class _Frame:
    """From the geometry frame of the file into the frame of the model, and between the two."""

    def __init__(self, origin: Placement, frame: str) -> None:
        self.origin = origin
        self.frame = frame

    def place(self, placement: Placement, frame: str = "geometry") -> Placement:
        """Return a placement given in `frame` as one in the frame of the model."""
        position, matrix = self.origin.position, self.origin.matrix
        if frame == self.frame:
            return placement
        if frame == "geometry":
            moved = (placement.position - position) @ matrix
            return Placement.of(moved, matrix.T @ placement.matrix)
        return Placement.of(matrix @ placement.position + position, matrix @ placement.matrix)


def _statements(text: str, reports: Reports) -> Iterator[tuple[int, list[str]]]:
    for index, line in enumerate(text.split("\n"), 1):
        words = line.partition("#")[0]
        if not words.isascii():
            # A no-break space, say, parts words here but not in SIREN.
            raise reports.fault(index, f"a letter in {words[:40]!r} is not ASCII; type it anew.")
        if words.strip():
            yield index, words.split()


def _parse_densities(
    text: str, reports: Reports, materials: dict[str, SirenMaterial]
) -> tuple[list[_Object], list[_Fiducial], Placement]:
    objects: dict[str, _Object] = {}
    fiducials: list[_Fiducial] = []
    origin: tuple[int, Placement] | None = None
    for index, words in _statements(text, reports):
        line = Line(words, index, reports)
        kind = _statement(line)
        if kind == "object":
            one = _object(line, materials)
            if one.name in objects or one.name == "UNIVERSE":
                first = f"in line {objects[one.name].line}" if one.name in objects else "in SIREN"
                raise line.fault(f"there is already an object {one.name!r} {first}; rename one.")
            objects[one.name] = one
        elif kind == "fiducial":
            fiducials.append(_fiducial(line))
        elif kind == "detector":
            place = Placement.of(position(line))
            if line.peek():
                place = Placement.of(place.position, rotation(line))
            line.end()
            if origin is not None:
                reports.trap(
                    index,
                    f"the detector is already placed in line {origin[0]}. Delete one of the two. "
                    "SIREN keeps the last.",
                )
            origin = index, place
    if not objects:
        raise reports.fault(1, "no object; expected lines 'object SHAPE x y z ...'.")
    if fiducials and origin is None:
        reports.note(
            fiducials[-1].line,
            "there is no 'detector x y z', and SIREN then ignores the fiducial. Here the origin of "
            "the detector frame is that of the objects.",
        )
    if len(fiducials) > 1:
        reports.note(
            fiducials[-1].line,
            f"there are {len(fiducials)} fiducial volumes, and SIREN uses the last one only; here "
            "that one is the region 'fiducial'.",
        )
    return list(objects.values()), fiducials, Placement.of() if origin is None else origin[1]


def _statement(line: Line) -> str:
    word = line.word("a statement")
    if word in _STATEMENTS:
        return word
    close = nearest_names(word, _STATEMENTS, 1)
    hint = f"Write {close[0]!r}." if close else f"Write one of {', '.join(_STATEMENTS)}."
    # SIREN's reader of objects searches the word; its reader of fiducials wants it whole.
    found = next((name for name in ("object", "detector") if name in word), "")
    effect = f"takes it for {found!r}" if found else "ignores the line"
    line.reports.trap(line.number, f"{word[:40]!r} is no statement. {hint} SIREN {effect}.")
    return found


def _object(line: Line, materials: dict[str, SirenMaterial]) -> _Object:
    solid, placement = shape(line)
    name = line.word("the name of the object")
    material = line.word("the material")
    if material not in materials and material != "VACUUM":
        close = nearest_names(material, materials, 1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise line.fault(
            f"object {name!r} is made of {material!r}, which the materials file does not define. "
            f"{hint}It has {', '.join(list(materials)[:20])}."
        )
    density = _density(line, name)
    line.end()
    rho = density.coefficients[0]
    if density.is_constant and rho < 0.0:
        raise line.fault(f"object {name!r} has a negative density, {rho:g} g/cm3.")
    if density.is_constant:
        check_density(material, rho, line.number, line.reports)
    return _Object(line.number, name, solid, placement, material, density)


def _fiducial(line: Line) -> _Fiducial:
    frame = "detector"
    if line.peek().endswith("_coords"):
        frame = _FRAMES[line.one_of(tuple(_FRAMES), "frame")]
    solid, placement = shape(line)
    line.end()
    return _Fiducial(line.number, solid, placement, frame)


def _density(line: Line, name: str) -> _Density:
    kind = line.one_of(_DENSITIES, "density distribution")
    if kind == "constant":
        return _Density(np.zeros(3), (line.number_(f"the density of {name!r}"),))
    centre = position(line)
    count = line.count("the number of coefficients", 1)
    return _Density(centre, tuple(line.number_(f"coefficient {k}") for k in range(count)))


def _distances(solid: Solid, placement: Placement, centre: FloatArray) -> tuple[float, float]:
    """Return bounds of the distances of the points of a placed solid from a point [cm]."""
    offset = placement.position - centre
    if isinstance(solid, Sphere):
        away = float(np.linalg.norm(offset))
        return max(0.0, away - solid.radius), away + solid.radius
    lo, hi = solid.bounds()
    middle = placement.to_local(centre[None, :])[0] - 0.5 * (lo + hi)
    half = 0.5 * (hi - lo)
    near, far = np.maximum(0.0, np.abs(middle) - half), np.abs(middle) + half
    return float(np.linalg.norm(near)), float(np.linalg.norm(far))


class _Piece(NamedTuple):
    """What becomes one volume: a solid with its place, a density, and perhaps its profile."""

    solid: Solid
    placement: Placement
    density: float
    profile: RadialDensity | None = None


def _add_objects(
    detector: DetectorModel,
    objects: list[_Object],
    fractions: dict[str, dict[str, float]],
    into: _Frame,
    shells: int | None,
    reports: Reports,
) -> None:
    pieces = [
        (one, _pieces(one, objects[k + 1 :], shells, reports)) for k, one in enumerate(objects)
    ]
    used: dict[str, set[float]] = {}
    for one, parts in pieces:
        used.setdefault(one.material, set()).update(part.density for part in parts)
    made: dict[tuple[str, float], Material] = {}
    for one, parts in pieces:
        for k, part in enumerate(parts):
            key = (one.material, part.density)
            if key not in made:
                # repr tells any two densities apart.
                several = len(used[one.material]) > 1
                label = one.material + (f" ({part.density!r} g/cm3)" if several else "")
                made[key] = raw_material(label, fractions[one.material], part.density)
            place = into.place(part.placement)
            name = one.name if k == 0 else f"{one.name}:{k}"
            try:
                detector.add(
                    name, part.solid, made[key], place.position, place.matrix, part.profile
                )
            except GeometryError as error:
                raise reports.fault(one.line, f"object {one.name!r}: {error}") from error


def _pieces(
    one: _Object, later: list[_Object], shells: int | None, reports: Reports
) -> list[_Piece]:
    """Return the volumes that an object becomes, from outside inwards."""
    density = one.density
    if density.is_constant:
        return [_Piece(one.solid, one.placement, density.coefficients[0])]
    low, high = _distances(one.solid, one.placement, density.centre)
    # Nothing is seen of what later spheres about the same centre displace.
    hidden = [
        o.solid.radius
        for o in later
        if isinstance(o.solid, Sphere) and np.array_equal(o.placement.position, density.centre)
    ]
    low = min(max([low, *hidden]), 0.999 * high)
    local = one.placement.to_local(density.centre[None, :])[0]
    try:
        profile = RadialDensity([low, high], [density.coefficients], centre=local, unit=CM)
        cut = profile.shells(1 if shells is None else shells)
    except GeometryError as error:
        raise reports.fault(one.line, f"object {one.name!r}: {error}") from error
    if shells is None:
        return [_Piece(one.solid, one.placement, float(cut.density[0]), profile)]
    pieces: list[_Piece] = []
    concentric = isinstance(one.solid, Sphere) and not np.any(local)
    for radius, rho in zip(cut.outer[::-1].tolist(), cut.density[::-1].tolist(), strict=True):
        if not pieces:
            solid: Solid = one.solid
        elif concentric:
            solid = Sphere(radius)
        else:
            from siren_py.geometry import Intersection

            solid = Intersection(one.solid, Sphere(radius), at=local)
        pieces.append(_Piece(solid, one.placement, rho))
    return pieces
