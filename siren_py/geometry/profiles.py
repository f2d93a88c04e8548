"""Densities that depend on the distance from a point, e.g. of the Earth.

Depths along lines are exact: the integrals of powers of r along a chord are elementary
functions. The injection engine knows constant densities only; `RadialDensity.shells` cuts a
profile into thin shells of constant density and says how much the depth of any line changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.errors import GeometryError
from siren_py.geometry import profile_kernels as kernels
from siren_py.geometry.base import finite_list, lines, points3, positive
from siren_py.geometry.placement import vector3

_MAX_SHELLS = 10_000


class Shells(NamedTuple):
    """Shells of constant density that stand for a profile.

    Attributes
    ----------
    inner, outer
        Radii of each shell, (n,) [cm].
    density
        Its mean density: every shell keeps its mass, (n,) [g/cm3].
    error
        Bound of the relative error of the column depth of any line.
    """

    inner: FloatArray
    outer: FloatArray
    density: FloatArray
    error: float


class RadialDensity:
    """A density that is a polynomial of the radius in each of several concentric shells.

    Parameters
    ----------
    edges
        Radii of the shells, (k + 1,) ascending from 0 or from the innermost radius [cm]. Outside
        the last one, and inside the first, the density is zero.
    coefficients
        For each shell the coefficients c_0, c_1, ... of density = sum_n c_n (r / unit)^n [g/cm3].
    centre
        Where r = 0 is, in the frame of the solid that it fills [cm].
    unit
        Length by which r is divided in the polynomials [cm].

    Raises
    ------
    GeometryError
        If the edges do not ascend, the numbers of edges and of polynomials do not fit, or the
        density is negative somewhere.

    Examples
    --------
    >>> from siren_py.geometry import RadialDensity
    >>> ball = RadialDensity(edges=[0.0, 10.0, 20.0], coefficients=[[5.0], [3.0, -0.1]])
    >>> ball.at_radius([0.0, 15.0, 25.0]).tolist()
    [5.0, 1.5, 0.0]
    """

    def __init__(
        self,
        edges: ArrayLike,
        coefficients: Sequence[Sequence[float]],
        centre: ArrayLike = (0.0, 0.0, 0.0),
        unit: float = 1.0,
    ) -> None:
        self.edges = finite_list(edges, "RadialDensity: edges", 2)
        self.centre = vector3(centre, "RadialDensity: centre")
        self.unit = positive(unit, "RadialDensity: unit")
        if self.edges[0] < 0.0 or np.any(np.diff(self.edges) <= 0.0):
            raise GeometryError(
                f"RadialDensity: edges must ascend from 0 or above [cm]; they are "
                f"{self.edges.tolist()}."
            )
        if len(coefficients) != len(self.edges) - 1:
            raise GeometryError(
                f"RadialDensity: {len(self.edges)} edges bound {len(self.edges) - 1} shells, but "
                f"there are {len(coefficients)} polynomials."
            )
        rows = [finite_list(row, "RadialDensity: coefficients", 1) for row in coefficients]
        table = np.zeros((len(rows), max(len(row) for row in rows)))
        for number, row in enumerate(rows):
            table[number, : len(row)] = row
        self.coefficients: FloatArray = table
        for number in range(len(rows)):
            low, _ = self._range(number, self.edges[number], self.edges[number + 1])
            if low < 0.0:
                raise GeometryError(
                    f"RadialDensity: the density of shell {number} sinks to {low:.6g} g/cm3; "
                    "check the unit of its polynomial."
                )

    def __repr__(self) -> str:
        return (
            f"RadialDensity({len(self.coefficients)} shells to {self.edges[-1]:.6g} cm, "
            f"{self.mass():.6g} g)"
        )

    @property
    def _scaled_edges(self) -> FloatArray:
        edges: FloatArray = self.edges / self.unit
        return edges

    def _range(self, shell: int, low: float, high: float) -> tuple[float, float]:
        """Smallest and largest density of a shell between two radii [g/cm3]."""
        ends = np.array([low, high]) / self.unit
        polynomial = np.polynomial.Polynomial(self.coefficients[shell])
        # A leading coefficient far below rounding moves no density, but its quotients overflow.
        slope = polynomial.deriv()
        slope = slope.trim(1e-30 * float(np.abs(slope.coef).max()))
        turning = slope.roots()
        real = turning[np.isreal(turning)].real
        places = np.concatenate([ends, real[(real > ends[0]) & (real < ends[1])]])
        values = polynomial(places)
        return float(values.min()), float(values.max())

    def density(self, points: ArrayLike) -> FloatArray:
        """Return the density at points (n, 3) of the frame of the solid [cm]: (n,) [g/cm3]."""
        return self.at_radius(np.linalg.norm(points3(points) - self.centre, axis=1))

    def at_radius(self, radius: ArrayLike) -> FloatArray:
        """Return the density at radii (n,) [cm]: (n,) [g/cm3].

        Parameters
        ----------
        radius
            Radii [cm], any shape.
        """
        r = np.atleast_1d(np.asarray(radius, dtype=np.float64)) / self.unit
        result = np.empty(len(r))
        kernels.densities_at(self._scaled_edges, self.coefficients, r, result)
        return result

    def depth(
        self, origins: ArrayLike, directions: ArrayLike, t_in: ArrayLike, t_out: ArrayLike
    ) -> FloatArray:
        """Return the exact integral of the density along pieces of lines, (n,) [g/cm2].

        Parameters
        ----------
        origins, directions
            (n, 3) [cm] and (n, 3) unit vectors, in the frame of the solid.
        t_in, t_out
            Ends of the pieces, (n,) [cm].
        """
        starts, ways = lines(origins, directions)
        low = np.ascontiguousarray(np.broadcast_to(np.asarray(t_in, np.float64), len(starts)))
        high = np.ascontiguousarray(np.broadcast_to(np.asarray(t_out, np.float64), len(starts)))
        result = np.empty(len(starts))
        kernels.radial_depths(
            self._scaled_edges, self.coefficients, self.centre, self.unit, starts, ways, low, high,
            result,
        )  # fmt: skip
        return result

    def distance(
        self, origin: FloatArray, direction: FloatArray, t_in: float, t_out: float, depth: float
    ) -> float:
        """Return t in [t_in, t_out] at which the integral from t_in reaches `depth` [g/cm2].

        Parameters
        ----------
        origin, direction
            A line, (3,) [cm] and (3,).
        t_in, t_out
            The stretch of it [cm].
        depth
            Column depth [g/cm2].
        """
        b2, nearest = kernels.nearest_point(self.centre, self.unit, origin, direction)
        s = kernels.radial_distance(
            self._scaled_edges, self.coefficients, b2, t_in / self.unit - nearest,
            t_out / self.unit - nearest, depth / self.unit,
        )  # fmt: skip
        return float((s + nearest) * self.unit)

    def mass(self, inner: float = 0.0, outer: float = math.inf) -> float:
        """Return the mass between two radii [g]: the exact integral of 4 pi r^2 density.

        Parameters
        ----------
        inner, outer
            Radii [cm].
        """
        total = 0.0
        for number, (low, high) in enumerate(zip(self.edges[:-1], self.edges[1:], strict=True)):
            a, b = max(low, inner), min(high, outer)
            if a < b:
                total += self._shell_mass(number, a, b)
        return total

    def _shell_mass(self, shell: int, low: float, high: float) -> float:
        # b^m - a^m as (b - a) sum, so that a thin shell loses no digits
        a, b = low / self.unit, high / self.unit
        total = 0.0
        for n, c in enumerate(self.coefficients[shell]):
            powers = sum(b ** (n + 2 - k) * a**k for k in range(n + 3))
            total += float(c) * (b - a) * powers / (n + 3)
        return float(4.0 * math.pi * self.unit**3 * total)

    def shells(self, n: int) -> Shells:
        """Return n shells of constant density per shell of the profile.

        Shells whose density is constant already stay as they are. The thin shells are equally
        thick and keep their mass. In each of them the density differs from its mean by at most
        delta, so the depth of any line changes by at most the largest delta / mean: that is the
        error of the result. It falls like 1/n; the error of a line that crosses many shells is
        far smaller, because deviations cancel.

        Raises
        ------
        GeometryError
            If n is not a positive integer up to 10 000.
        """
        if not isinstance(n, (int, np.integer)) or not 1 <= n <= _MAX_SHELLS:
            raise GeometryError(
                f"shells(n): n must be an integer from 1 to {_MAX_SHELLS}; it is {n!r}."
            )
        inner: list[float] = []
        outer: list[float] = []
        density: list[float] = []
        error = 0.0
        for number, (low, high) in enumerate(zip(self.edges[:-1], self.edges[1:], strict=True)):
            constant = not np.any(self.coefficients[number, 1:])
            radii = np.linspace(low, high, 2 if constant else n + 1)
            for a, b in zip(radii[:-1].tolist(), radii[1:].tolist(), strict=True):
                volume = 4.0 / 3.0 * math.pi * (b - a) * (a * a + a * b + b * b)
                mean = self._shell_mass(number, a, b) / volume
                smallest, largest = self._range(number, a, b)
                if mean > 0.0 and not constant:
                    error = max(error, largest / mean - 1.0, 1.0 - smallest / mean)
                inner.append(a)
                outer.append(b)
                density.append(mean)
        return Shells(np.array(inner), np.array(outer), np.array(density), error)


EARTH_RADIUS = 6371e5
"""Mean radius of the Earth in PREM [cm]."""

# Outer radius [km] and coefficients of the density [g/cm3] in x = r / 6371 km, from the centre:
# Dziewonski and Anderson, Phys. Earth Planet. Inter. 25, 297 (1981), table I.
_PREM = (
    (1221.5, (13.0885, 0.0, -8.8381)),  # inner core
    (3480.0, (12.5815, -1.2638, -3.6426, -5.5281)),  # outer core
    (5701.0, (7.9565, -6.4761, 5.5283, -3.0807)),  # lower mantle
    (5771.0, (5.3197, -1.4836)),  # transition zone
    (5971.0, (11.2494, -8.0298)),
    (6151.0, (7.1089, -3.8045)),
    (6346.6, (2.6910, 0.6924)),  # low-velocity zone and lid
    (6356.0, (2.900,)),  # crust
    (6368.0, (2.600,)),
    (6371.0, (1.020,)),  # ocean
)


def prem(centre: ArrayLike = (0.0, 0.0, 0.0), ocean: bool = True) -> RadialDensity:
    """Return the density of the Earth (PREM).

    Dziewonski and Anderson, "Preliminary reference Earth model", Phys. Earth Planet. Inter. 25,
    297 (1981), table I.

    Parameters
    ----------
    centre
        Centre of the Earth in the frame of the solid that it fills [cm].
    ocean
        Whether the outermost 3 km are water, as in the model; otherwise they are crust
        (2.6 g/cm3), as below a laboratory on land.

    Examples
    --------
    >>> from siren_py.geometry import prem
    >>> earth = prem()
    >>> f"{earth.at_radius([0.0])[0]:.2f} g/cm3 in the middle"
    '13.09 g/cm3 in the middle'
    """
    edges = [0.0, *(1e5 * radius for radius, _ in _PREM)]
    coefficients = [row for _, row in _PREM]
    if not ocean:
        edges = [*edges[:-2], edges[-1]]
        coefficients = coefficients[:-1]
    return RadialDensity(edges, coefficients, centre, EARTH_RADIUS)
