"""Efficiencies: tables in one variable, with errors and a stated domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from siren_py.sample import Sample

Variable = str | Callable[["Sample"], ArrayLike]

OUTSIDE = ("error", "nearest", "zero")
"""What an `Efficiency` may do outside its domain."""


class Efficiency:
    """Efficiency tabulated in one variable, with errors and a domain.

    Between the points it is interpolated linearly; the domain reaches from the first point to the
    last. Nothing is extrapolated unless `outside` says so.

    Parameters
    ----------
    variable
        ``"mass"`` (of the sample's model, in `unit`), the name of an event column of the sample,
        or a function of a sample that returns one value per event, e.g. the energy of a photon.
    points
        Values of the variable, ascending, shape (k,); k >= 1.
    values
        Efficiency at each point, between 0 and 1, shape (k,).
    errors
        Standard errors of the values, shape (k,), correlated between points. Exact if None.
    outside
        Outside the domain: ``"error"``, ``"nearest"`` (the value at its edge), or ``"zero"``.
    unit
        Unit of the variable, for the error texts.
    source
        Where the numbers are from.

    Raises
    ------
    ConfigError
        If the table is not well formed.
    UnknownNameError
        If `outside` is none of the three words.

    Examples
    --------
    >>> efficiency = Efficiency("mass", [0.1, 0.3], [0.05, 0.09], errors=[0.01, 0.01])
    >>> value, error = efficiency.at(0.2)
    >>> round(float(value), 6), round(float(error), 6)
    (0.07, 0.01)
    """

    def __init__(
        self,
        variable: Variable,
        points: ArrayLike,
        values: ArrayLike,
        errors: ArrayLike | None = None,
        *,
        outside: str = "error",
        unit: str = "GeV",
        source: str = "",
    ) -> None:
        if outside not in OUTSIDE:
            raise unknown_name("way to leave the domain of an efficiency", outside, OUTSIDE)
        self.variable, self.outside, self.unit, self.source = variable, outside, unit, source
        self.points = np.atleast_1d(np.array(points, dtype=np.float64))
        self.values = np.atleast_1d(np.array(values, dtype=np.float64))
        self.errors = np.zeros_like(self.values)
        if errors is not None:
            self.errors = np.atleast_1d(np.array(errors, dtype=np.float64))
        self._check()
        for array in (self.points, self.values, self.errors):
            array.flags.writeable = False

    def _check(self) -> None:
        shapes = [self.points.shape, self.values.shape, self.errors.shape]
        if self.points.ndim != 1 or len(set(shapes)) > 1:
            raise ConfigError(
                "An efficiency needs lists of as many values and errors as points; the shapes are "
                f"{shapes[1]}, {shapes[2]} and {shapes[0]}."
            )
        ascending = self.points.size > 0 and bool((np.diff(self.points) > 0.0).all())
        if not (ascending and np.isfinite(self.points).all()):
            raise ConfigError(f"The points of an efficiency must ascend; they are {self.points}.")
        good = (self.values >= 0.0) & (self.values <= 1.0)
        good &= (self.errors >= 0.0) & np.isfinite(self.errors)
        if not good.all():
            i = int(np.flatnonzero(~good)[0])
            raise ConfigError(
                "Efficiencies lie between 0 and 1, and their errors are not negative; the "
                f"{self.describe()} has {self.values[i]} +- {self.errors[i]} at {self.points[i]:g}."
            )

    def __repr__(self) -> str:
        return f"<{self.describe()}>"

    @property
    def domain(self) -> tuple[float, float]:
        """First and last point."""
        return float(self.points[0]), float(self.points[-1])

    def describe(self) -> str:
        """Return a few words: variable, domain and source."""
        low, high = self.domain
        name = self.variable if isinstance(self.variable, str) else "a function of the sample"
        text = f"efficiency in {name} ({low:g} to {high:g} {self.unit}"
        return f"{text}; {self.source})" if self.source else f"{text})"

    def at(self, x: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return value and standard error at `x`, each of the shape of `x`.

        Raises
        ------
        ConfigError
            If `x` lies outside the domain and `outside` is ``"error"``, or is NaN.
        """
        x = np.asarray(x, dtype=np.float64)
        low, high = self.domain
        # Masses come as 0.14 or as 140 / 1000: the edges belong to the domain, rounding or not.
        slack = 1e-9 * max(abs(low), abs(high))
        out = ~((x >= low - slack) & (x <= high + slack))
        if np.isnan(x).any() or (self.outside == "error" and out.any()):
            raise ConfigError(
                f"The {self.describe()} is not known at {float(x[out].flat[0]):g} {self.unit}. "
                'Stay within its domain, or say what holds outside: outside="nearest" (the value '
                'at the edge) or outside="zero".'
            )
        value = np.interp(x, self.points, self.values)
        error = np.interp(x, self.points, self.errors)
        if self.outside == "zero":
            value, error = np.where(out, 0.0, value), np.where(out, 0.0, error)
        return np.asarray(value), np.asarray(error)

    def of(self, sample: Sample) -> tuple[FloatArray, FloatArray]:
        """Return value and standard error for each event of a sample, both of shape (n,).

        Raises
        ------
        ConfigError
            As in `at`; or if the sample does not tell the mass of its model.
        """
        if callable(self.variable):
            x = np.asarray(self.variable(sample), dtype=np.float64)
        elif self.variable == "mass":
            x = np.asarray(model_mass(sample), dtype=np.float64)
        else:
            x = sample[self.variable].astype(np.float64)
        value, error = self.at(x)
        shape = (len(sample),)
        return np.broadcast_to(value, shape), np.broadcast_to(error, shape)


def model_mass(sample: Sample) -> float:
    """Return the mass [GeV] of the model that a sample was made with.

    Raises
    ------
    ConfigError
        If the record of the model has no mass.
    """
    model = sample.provenance.get("configuration", {}).get("model", {})
    if "mass" not in model:
        raise ConfigError(
            f"The model {model.get('name', 'of the sample')!r} has no parameter 'mass'. Tabulate "
            "the efficiency in a function of the sample instead."
        )
    return float(model["mass"])
