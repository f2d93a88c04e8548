"""What every solid shares: the protocol, intervals, kernel forms, and checks of arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from siren_py._typing import ArrayLike, BoolArray, FloatArray, IntArray, RNGLike
from siren_py.errors import GeometryError
from siren_py.geometry import kernels
from siren_py.geometry.placement import Placement

if TYPE_CHECKING:
    from siren_py.geometry.arrays import GeometryArrays, PlacedSolid

# Local axes (u, v, w) of the kernels for the axis a user names: w is that axis, and (u, v, w)
# is right-handed.
AXES: dict[str, tuple[int, int, int]] = {"x": (1, 2, 0), "y": (2, 0, 1), "z": (0, 1, 2)}

TWO_PI = 2.0 * math.pi
# A sector this close to a full turn is one.
_FULL_TURN = TWO_PI * (1.0 - 1e-12)
# Rejection gives up when fewer points than this part are accepted, after so many trials.
_LEAST_EFFICIENCY = 1e-5
_LEAST_TRIALS = 2_000_000
_LARGEST_BATCH = 250_000


class Intervals(NamedTuple):
    """Where lines are inside a solid, jagged over lines.

    Attributes
    ----------
    offsets
        (n + 1,) int64: line i owns the entries offsets[i] to offsets[i + 1].
    t_in, t_out
        Entry and exit parameters of the line, t_in < t_out, ascending and disjoint per line.

    Examples
    --------
    >>> from siren_py.geometry import Sphere
    >>> found = Sphere(1.0).intervals([[0, 0, -5], [2, 0, -5]], [[0, 0, 1], [0, 0, 1]])
    >>> found.offsets.tolist(), found.t_in.tolist(), found.t_out.tolist()
    ([0, 1, 1], [4.0], [6.0])
    """

    offsets: IntArray
    t_in: FloatArray
    t_out: FloatArray


@runtime_checkable
class Solid(Protocol):
    """What a class needs to be used as a solid everywhere; no registration.

    Examples
    --------
    >>> from siren_py.geometry import Box, Solid
    >>> isinstance(Box(1, 1, 1), Solid)
    True
    """

    def intervals(self, origins: FloatArray, directions: FloatArray) -> Intervals:
        """Return where the whole lines origins + t directions, (n, 3) each, are inside.

        Parameters
        ----------
        origins
            Points on the lines, (n, 3) [cm].
        directions
            Unit vectors, (n, 3).
        """
        ...

    def contains(self, points: FloatArray) -> BoolArray:
        """Return whether points (n, 3) are inside, (n,) bool.

        Parameters
        ----------
        points
            Points in the frame of the solid, (n, 3) [cm].
        """
        ...

    def volume(self) -> float:
        """Return the volume [cm3]."""
        ...

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi), (3,) each, of a box that encloses the solid [cm]."""
        ...

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside the solid [cm].

        Parameters
        ----------
        n
            How many points.
        rng
            Generator, seed or None, see `siren_py.rng.as_generator`.
        """
        ...


class KernelForm(NamedTuple):
    """How the kernels know a solid.

    Attributes
    ----------
    kind
        Which kernel applies.
    parameters
        Up to eight numbers.
    axes
        The local axes that are u, v, w of the kernels.
    pieces
        Largest number of intervals that a line can have in it.
    number, data
        Number of entries in, and content of, what does not fit in eight numbers.
    scale
        u, v, w are divided by these: an ellipsoid is a ball in such coordinates.
    buffer
        Floats that the kernel needs to work in; 0 for two per piece.
    """

    kind: int
    parameters: tuple[float, ...] = ()
    axes: tuple[int, int, int] = (0, 1, 2)
    pieces: int = 1
    number: int = 0
    data: FloatArray | None = None
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    buffer: int = 0


class Step(NamedTuple):
    """One step of the programme of a compound solid, in post-order.

    Attributes
    ----------
    operation
        `kernels.LEAF`, `UNION`, `INTERSECTION`, `DIFFERENCE` or `SKIP`.
    solid, placement
        Of a leaf, in the frame of the compound.
    skip
        Of a SKIP: how many steps to leave out if nothing is left to take away from.
    """

    operation: int
    solid: Solid | None = None
    placement: Placement | None = None
    skip: int = 0


def steps_of(solid: Solid, placement: Placement) -> list[Step]:
    """Return the programme of a solid that stands at `placement`: one leaf if it is no compound."""
    program = solid.program() if isinstance(solid, KernelSolid) else None
    if program is None:
        return [Step(kernels.LEAF, solid, placement)]
    return [
        step if step.placement is None else step._replace(placement=placement @ step.placement)
        for step in program
    ]


class KernelSolid:
    """Base of the solids that have a kernel: lines and points go through it."""

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        raise NotImplementedError  # each subclass has its own

    def volume(self) -> float:
        """Return the volume [cm3]."""
        raise NotImplementedError

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        raise NotImplementedError

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm].

        Parameters
        ----------
        n
            How many points.
        rng
            Generator, seed or None, see `siren_py.rng.as_generator`.
        """
        raise NotImplementedError

    def program(self) -> list[Step] | None:
        """Return the steps of a compound of other solids; None for a single solid."""
        return None

    @cached_property
    def has_external_part(self) -> bool:
        """Whether a part of a compound has no kernel."""
        return any(
            step.operation == kernels.LEAF and not isinstance(step.solid, KernelSolid)
            for step in self.program() or ()
        )

    @cached_property
    def _alone(self) -> tuple[list[PlacedSolid], GeometryArrays]:
        from siren_py.geometry.arrays import PlacedSolid, geometry_arrays  # arrays need this file

        name = type(self).__name__
        placed = [PlacedSolid(name, self, Placement.of(), (0,))]
        return placed, geometry_arrays(placed)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_alone"}

    def intervals(self, origins: ArrayLike, directions: ArrayLike) -> Intervals:
        """Return where the whole lines origins + t directions are inside.

        Parameters
        ----------
        origins, directions
            (n, 3) [cm] and (n, 3); directions need not be unit vectors here, t is in units of
            their length.

        Returns
        -------
        Intervals
            Sorted and disjoint per line.

        Raises
        ------
        GeometryError
            If a shape is wrong, a number is not finite, or a direction is zero.
        """
        from siren_py.geometry.arrays import external_intervals
        from siren_py.geometry.rows import intervals_of_row

        starts, unit, norm = normalised_lines(origins, directions)
        placed, arrays = self._alone
        external = external_intervals(placed, starts, unit)
        offsets, t_in, t_out = intervals_of_row(arrays, external, starts, unit)
        length = np.repeat(norm, np.diff(offsets))
        return Intervals(offsets, t_in / length, t_out / length)

    def contains(self, points: ArrayLike) -> BoolArray:
        """Return whether points (n, 3) [cm] are inside, (n,) bool."""
        from siren_py.geometry.arrays import external_inside
        from siren_py.geometry.rows import points_in_row

        places = points3(points)
        placed, arrays = self._alone
        inside = np.empty(len(places), np.bool_)
        points_in_row(arrays, external_inside(placed, places), places, inside)
        return inside


def positive(value: float, what: str) -> float:
    """Return a positive finite float, or raise a `GeometryError` that names it."""
    number = finite(value, what)
    if not number > 0.0:
        raise GeometryError(f"{what} must be positive and finite [cm]; it is {value!r}.")
    return number


def finite(value: float, what: str) -> float:
    """Return a finite float, or raise a `GeometryError` that names it."""
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise GeometryError(f"{what} must be a number [cm]; it is {value!r}.") from error
    if not math.isfinite(number):
        raise GeometryError(f"{what} must be finite [cm]; it is {value!r}.")
    return number


def inner(value: float, outer: float, what: str) -> float:
    """Return an inner radius, 0 <= value < outer, or raise a `GeometryError`."""
    number = finite(value, what)
    if not 0.0 <= number < outer:
        raise GeometryError(f"{what} must be in [0, {outer!r}) [cm]; it is {value!r}.")
    return number


def finite_list(values: ArrayLike, what: str, least: int) -> FloatArray:
    """Return at least `least` finite floats, or raise a `GeometryError` that names them."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GeometryError(f"{what} must be a list of numbers; it is {values!r}.") from error
    if array.ndim != 1 or len(array) < least or not np.all(np.isfinite(array)):
        raise GeometryError(
            f"{what} must be a list of at least {least} finite numbers; it is {values!r}."
        )
    return array


def check_axis(axis: str, what: str) -> None:
    """Raise a `GeometryError` unless `axis` is "x", "y" or "z"."""
    if axis not in AXES:
        raise GeometryError(f'{what}: axis must be "x", "y" or "z"; it is {axis!r}.')


def check_sector(start_phi: float, delta_phi: float, what: str) -> None:
    """Raise a `GeometryError` unless the angles are finite and delta_phi is in (0, 2 pi]."""
    if not (isinstance(start_phi, (int, float, np.number)) and math.isfinite(start_phi)):
        raise GeometryError(f"{what}: start_phi must be finite; it is {start_phi!r}.")
    if not 0.0 < delta_phi <= TWO_PI * (1.0 + 1e-12):
        raise GeometryError(f"{what}: delta_phi must be in (0, 2 pi] [rad]; it is {delta_phi!r}.")


def is_full_turn(delta_phi: float) -> bool:
    """Whether no sector is missing."""
    return delta_phi >= _FULL_TURN


def sector_parameters(start_phi: float, delta_phi: float) -> tuple[float, ...]:
    """Return what the kernels need of a sector: its type, and two inward normals.

    The type is 0 for a full turn, 1 for a convex sector and 2 for one of more than half a turn.
    """
    wedge = 0.0 if is_full_turn(delta_phi) else (1.0 if delta_phi <= math.pi else 2.0)
    stop = start_phi + delta_phi
    return (wedge, -math.sin(start_phi), math.cos(start_phi), math.sin(stop), -math.cos(stop))


def sector_bounds(
    start_phi: float, delta_phi: float, smallest: float, largest: float
) -> tuple[FloatArray, FloatArray]:
    """Return the corners (lo, hi), (2,) each, of the box around a sector of a ring [cm]."""
    stop = start_phi + (TWO_PI if is_full_turn(delta_phi) else delta_phi)
    first = math.ceil(start_phi / (0.5 * math.pi))
    quarters = np.arange(first, math.floor(stop / (0.5 * math.pi)) + 1) * 0.5 * math.pi
    angles = np.concatenate([[start_phi, stop], quarters])
    radii = np.array([[largest], [smallest]])
    u, v = radii * np.cos(angles), radii * np.sin(angles)
    return np.array([u.min(), v.min()]), np.array([u.max(), v.max()])


def along_axis(
    axis: str, across_lo: FloatArray, across_hi: FloatArray, low: float, high: float
) -> tuple[FloatArray, FloatArray]:
    """Return the corners (lo, hi), (3,) each, of a box given in (u, v) and along the axis."""
    lo, hi = np.empty(3), np.empty(3)
    lo[list(AXES[axis])] = *across_lo, low
    hi[list(AXES[axis])] = *across_hi, high
    return lo, hi


def from_axis(axis: str, u: FloatArray, v: FloatArray, w: FloatArray) -> FloatArray:
    """Return points (n, 3) whose coordinates are given in the axes u, v, w of `axis`."""
    points = np.empty((len(u), 3))
    points[:, list(AXES[axis])] = np.stack([u, v, w], axis=1)
    return points


Draw: TypeAlias = Callable[[int, np.random.Generator], tuple[FloatArray, BoolArray]]
"""Returns that many candidate points (n, 3), and which of them count."""


def rejection(n: int, rng: np.random.Generator, draw: Draw, what: str) -> FloatArray:
    """Return n points (n, 3) that `draw(m, rng) -> (points, accepted)` accepts.

    Raises
    ------
    GeometryError
        If next to nothing is accepted.
    """
    found: list[FloatArray] = []
    missing, trials, hits = n, 0, 0
    while missing > 0 and (trials < _LEAST_TRIALS or hits > _LEAST_EFFICIENCY * trials):
        efficiency = (hits + 1.0) / (trials + 2.0)
        batch = int(min(1.2 * missing / efficiency + 32, _LARGEST_BATCH))
        points, accepted = draw(batch, rng)
        kept = points[accepted]
        trials, hits = trials + batch, hits + len(kept)
        found.append(kept[:missing])
        missing -= len(found[-1])
    if missing > 0:
        raise GeometryError(
            f"{what}: of {trials} points that were tried, {hits} are inside; {n} were asked for. "
            "The solid fills next to nothing of its bounding box: build it of smaller parts."
        )
    return np.concatenate(found) if found else np.zeros((0, 3))


def lines(origins: ArrayLike, directions: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the origins and directions of lines as C-ordered arrays (n, 3).

    Raises
    ------
    GeometryError
        If the shapes differ from (n, 3) or a number is not finite.
    """
    starts = np.ascontiguousarray(np.atleast_2d(np.asarray(origins, dtype=np.float64)))
    ways = np.ascontiguousarray(np.atleast_2d(np.asarray(directions, dtype=np.float64)))
    if starts.ndim != 2 or starts.shape[1:] != (3,) or starts.shape != ways.shape:
        raise GeometryError(
            "origins and directions must both have shape (n, 3); "
            f"they have {np.shape(origins)} and {np.shape(directions)}."
        )
    if not (np.all(np.isfinite(starts)) and np.all(np.isfinite(ways))):
        raise GeometryError("origins and directions must be finite; some are NaN or infinite.")
    return starts, ways


def normalised_lines(
    origins: ArrayLike, directions: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return origins, unit directions, and the lengths that the directions had.

    Raises
    ------
    GeometryError
        If a shape is wrong, a number is not finite, or a direction is zero.
    """
    starts, ways = lines(origins, directions)
    largest = np.abs(ways).max(axis=1, initial=0.0)
    if np.any(largest == 0.0):
        raise GeometryError("A direction is zero; a line needs one.")
    # The largest component first: the square of a small one may be zero.
    norm = largest * np.sqrt(((ways / largest[:, None]) ** 2).sum(axis=1))
    # A unit vector stays as it is, to the last bit.
    norm[np.abs(norm - 1.0) < 1e-14] = 1.0
    return starts, ways / norm[:, None], norm


def points3(points: ArrayLike) -> FloatArray:
    """Return points as a C-ordered array (n, 3) of finite numbers.

    Raises
    ------
    GeometryError
        If the shape differs from (n, 3) or a number is not finite.
    """
    array = np.ascontiguousarray(np.atleast_2d(np.asarray(points, dtype=np.float64)))
    if array.ndim != 2 or array.shape[1:] != (3,):
        raise GeometryError(f"points must have shape (n, 3); they have {np.shape(points)}.")
    if not np.all(np.isfinite(array)):
        raise GeometryError("points must be finite; some are NaN or infinite.")
    return array


def kernel_row(form: KernelForm, placement: Placement) -> FloatArray:
    """Return the row of floats (20,) of a placed solid; see `kernels`."""
    row = np.zeros(kernels.REAL_COLUMNS)
    row[: len(form.parameters)] = form.parameters
    row[kernels.POSITION : kernels.MATRIX] = placement.position
    # local = R^T (x - t), then its components in the order u, v, w
    turned = placement.matrix.T[list(form.axes)]
    row[kernels.MATRIX :] = (turned / np.array(form.scale)[:, None]).ravel()
    return row


def weighted_choice(weights: Sequence[float] | FloatArray, u: FloatArray) -> IntArray:
    """Return indices drawn in proportion to `weights` with the uniform numbers `u`."""
    cumulative = np.cumsum(np.asarray(weights, dtype=np.float64))
    index = np.searchsorted(cumulative, u * cumulative[-1], side="right")
    chosen: IntArray = np.minimum(index, len(cumulative) - 1).astype(np.int64)
    return chosen
