"""What was counted: observed events, backgrounds and their errors, in one or several bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from siren_py._typing import ArrayLike, BoolArray, FloatArray
from siren_py.errors import ConfigError, unknown_name
from siren_py.estimate import Estimate


def as_values(value: ArrayLike, size: int, what: str) -> FloatArray:
    """Return `value` as `size` finite numbers >= 0, or raise an error that names it."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim > 1 or (array.ndim == 1 and len(array) != size):
        raise ConfigError(
            f"{what} has the shape {array.shape}; there are {size} bins. Give one number for "
            "all of them or one for each."
        )
    array = np.array(np.broadcast_to(array, (size,)))
    bad = ~(np.isfinite(array) & (array >= 0.0))
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise ConfigError(f"{what} must be finite and not negative; in bin {i} it is {array[i]}.")
    return array


def negligible(b: FloatArray | float, error: FloatArray | float) -> BoolArray:
    """Whether an error of a background adds less than 1e-10 to the variance of its counts."""
    return np.asarray(np.square(error) <= 1e-10 * np.asarray(b))


@dataclass(frozen=True, eq=False)
class Counting:
    """A counting experiment: one or several bins, with all that is uncertain about them.

    The expectation in bin i, for a multiplier mu of the signal s, is

        lambda_i = mu s_i prod_k (1 + a_ik)^theta_k + b_i g_i prod_k (1 + c_ik)^theta_k.

    Each theta_k is a nuisance parameter known to be 0 +- 1; a relative error a turns into the
    factor (1 + a)^theta (log-normal), which cannot become negative; where the statistic averages
    over errors instead of fitting them, the factor is divided by its mean. g_i is the level of the
    background, constrained as if b_i had been measured by counting (b_i/error_i)^2 auxiliary
    events (Gamma; the "on-off" problem): it fits small backgrounds known to 100 %, too. Errors of
    the same name are one and the same nuisance parameter in all bins, in signal and background.

    Parameters
    ----------
    background
        Expected background events, (bins,).
    observed
        Observed events, integers, (bins,); None if only expectations are asked for.
    background_error
        Standard error of the background in events, independent between bins; one or (bins,).
    efficiency_error
        Relative error of the signal, independent between bins; one or (bins,).
    signal_errors
        Relative errors of the signal by name, each common to all bins (one or (bins,)):
        ``{"flux": 0.15}``.
    background_errors
        Relative errors of the background by name, likewise.
    background_covariance
        Fractional covariance of the background, (bins, bins): the covariance divided by
        b_i b_j. It comes on top of `background_error`.
    names
        Names of the bins; by default ``"0"``, ``"1"``, ...

    Raises
    ------
    ConfigError
        If a number is negative, not finite or not an integer where events are counted, if shapes
        do not fit, if a covariance is not symmetric and positive, or if an error belongs to a
        background of zero.

    Examples
    --------
    >>> one = Counting([0.563], observed=[0], background_error=[0.241], names=["e+e-"])
    >>> two = Counting([0.3, 0.2], observed=[1, 0], signal_errors={"flux": 0.15})
    >>> (one + two).names
    ('e+e-', '0', '1')
    """

    background: FloatArray
    observed: FloatArray | None = None
    background_error: FloatArray = field(default_factory=lambda: np.zeros(()))
    efficiency_error: FloatArray = field(default_factory=lambda: np.zeros(()))
    signal_errors: Mapping[str, FloatArray] = field(default_factory=dict)
    background_errors: Mapping[str, FloatArray] = field(default_factory=dict)
    background_covariance: FloatArray | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = np.shape(self.background)
        if len(shape) > 1:
            raise ConfigError(f"The background must be a list over bins; its shape is {shape}.")
        size = int(np.prod(shape)) if shape else 1
        if size == 0:
            raise ConfigError("A counting experiment needs at least one bin; it has none.")
        put = object.__setattr__
        put(self, "background", as_values(self.background, size, "The background"))
        put(self, "observed", self._counted(self.observed, size))
        error = as_values(self.background_error, size, "The error of the background")
        lost = (error > 0.0) & (self.background == 0.0)
        if lost.any():
            i = int(np.flatnonzero(lost)[0])
            raise ConfigError(
                f"The background of bin {i} is 0 +- {error[i]}: its error is a relative one, so a "
                "background of zero has none. Give the expectation that the error belongs to."
            )
        put(self, "background_error", error)
        relative = as_values(self.efficiency_error, size, "The error of the efficiency")
        put(self, "efficiency_error", relative)
        for name in ("signal_errors", "background_errors"):
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise ConfigError(
                    f"{name} must be a dictionary from names to relative errors, such as "
                    f"{{'flux': 0.15}}; it is {given!r}."
                )
            put(self, name, {k: as_values(v, size, f"The error {k!r}") for k, v in given.items()})
        put(self, "background_covariance", self._checked_covariance(size))
        names = tuple(str(n) for n in self.names) or tuple(str(i) for i in range(size))
        if len(names) != size:
            raise ConfigError(f"There are {len(names)} names for {size} bins: {', '.join(names)}.")
        put(self, "names", names)

    @staticmethod
    def _counted(observed: ArrayLike | None, size: int) -> FloatArray | None:
        if observed is None:
            return None
        array = np.asarray(observed, dtype=np.float64)
        if array.size != size:
            raise ConfigError(
                f"{array.size} observed numbers were given for {size} bins of background."
            )
        counts = as_values(array.reshape(size), size, "The observed number of events")
        if (counts != np.round(counts)).any():
            i = int(np.flatnonzero(counts != np.round(counts))[0])
            raise ConfigError(
                f"Observed events are counted: bin {i} has {counts[i]}. For an expected limit "
                "leave `observed` out and ask for expected_limits()."
            )
        return counts

    def _checked_covariance(self, size: int) -> FloatArray | None:
        if self.background_covariance is None:
            return None
        matrix = np.array(self.background_covariance, dtype=np.float64)
        if matrix.shape != (size, size):
            raise ConfigError(
                f"The covariance has the shape {matrix.shape}; {size} bins need ({size}, {size})."
            )
        if not np.isfinite(matrix).all():
            raise ConfigError("The covariance contains a number that is not finite.")
        scale = float(np.abs(matrix).max())
        if np.abs(matrix - matrix.T).max() > 1e-6 * scale:
            raise ConfigError("The covariance is not symmetric.")
        matrix = 0.5 * (matrix + matrix.T)
        lowest = float(np.linalg.eigvalsh(matrix)[0])
        # Tables printed with few digits are positive only to their rounding.
        if lowest < -1e-4 * scale:
            raise ConfigError(
                f"The covariance is not positive: its lowest eigenvalue is {lowest:.3g}."
            )
        return matrix

    @classmethod
    def of_channel(
        cls,
        name: str,
        background: Estimate | float,
        observed: int | None = None,
        *,
        background_error: float = 0.0,
        efficiency_error: float = 0.0,
        signal_errors: Mapping[str, float] | None = None,
        background_errors: Mapping[str, float] | None = None,
    ) -> Counting:
        """One bin; the background may be an `Estimate`, which brings its error.

        Parameters
        ----------
        name
            Name of the bin.
        background
            Expected background events, with or without its error.
        observed
            Observed events; None if there are no data.
        background_error
            Standard error of the background in events, if `background` is a number.
        efficiency_error
            Relative error of the signal.
        signal_errors, background_errors
            Relative errors by name, as for the class.

        Examples
        --------
        >>> from siren_py import Estimate
        >>> Counting.of_channel("e+e-", Estimate(0.563, 0.241), observed=0).background.tolist()
        [0.563]
        """
        value = background
        if isinstance(background, Estimate):
            value, background_error = background
        return cls(
            np.array([value]),
            None if observed is None else np.array([observed], dtype=np.float64),
            np.array([background_error]),
            np.array([efficiency_error]),
            {k: np.array(v) for k, v in (signal_errors or {}).items()},
            {k: np.array(v) for k, v in (background_errors or {}).items()},
            names=(name,),
        )

    @property
    def size(self) -> int:
        """Number of bins."""
        return len(self.background)

    def __len__(self) -> int:
        return self.size

    def __add__(self, other: Counting) -> Counting:
        """Both sets of bins; errors of the same name are fully correlated."""
        if not isinstance(other, Counting):
            return NotImplemented
        return Counting.combine([self, other])

    @classmethod
    def combine(cls, parts: Sequence[Counting]) -> Counting:
        """Several experiments as one: the bins side by side.

        Named errors of the same name become one nuisance parameter; a part that does not have
        the name is not affected by it. Covariances stay within their part.

        Parameters
        ----------
        parts
            The experiments, at least one.

        Raises
        ------
        ConfigError
            If there is none, some have data and others do not, or names of bins repeat.
        """
        if not parts:
            raise ConfigError("There is nothing to combine: the list is empty.")
        seen = [p.observed is None for p in parts]
        if any(seen) and not all(seen):
            raise ConfigError(
                "Some of the experiments to combine have observed events and some have not. "
                "Give all of them, or take expected_only() of those that have."
            )

        def joined(pieces: Sequence[FloatArray]) -> FloatArray:
            return np.concatenate(pieces)

        def named(key: str) -> dict[str, FloatArray]:
            names = dict.fromkeys(n for p in parts for n in getattr(p, key))
            return {
                n: joined([getattr(p, key).get(n, np.zeros(p.size)) for p in parts]) for n in names
            }

        covariance = None
        if any(p.background_covariance is not None for p in parts):
            total = sum(p.size for p in parts)
            covariance = np.zeros((total, total))
            start = 0
            for p in parts:
                if p.background_covariance is not None:
                    here = slice(start, start + p.size)
                    covariance[here, here] = p.background_covariance
                start += p.size
        return cls(
            joined([p.background for p in parts]),
            None if any(seen) else joined([p.observed for p in parts if p.observed is not None]),
            joined([p.background_error for p in parts]),
            joined([p.efficiency_error for p in parts]),
            named("signal_errors"),
            named("background_errors"),
            covariance,
            tuple(n for p in parts for n in p.names),
        )

    def with_observed(self, observed: ArrayLike) -> Counting:
        """The same experiment with other observed numbers, (bins,)."""
        return replace(self, observed=np.asarray(observed, dtype=np.float64))

    def expected_only(self) -> Counting:
        """The same experiment without observed numbers."""
        return replace(self, observed=None)

    def select(self, *names: str) -> Counting:
        """The bins of these names, in this order.

        Parameters
        ----------
        *names
            Names of bins.

        Raises
        ------
        UnknownNameError
            If a name does not exist.
        """
        for name in names:
            if name not in self.names:
                raise unknown_name("bin", name, self.names)
        i = np.array([self.names.index(n) for n in names], dtype=np.int64)
        matrix = self.background_covariance
        return Counting(
            self.background[i],
            None if self.observed is None else self.observed[i],
            self.background_error[i],
            self.efficiency_error[i],
            {k: v[i] for k, v in self.signal_errors.items()},
            {k: v[i] for k, v in self.background_errors.items()},
            None if matrix is None else matrix[np.ix_(i, i)],
            names,
        )

    def total_background(self) -> Estimate:
        """Background summed over bins, with all its errors and their correlations."""
        b = self.background
        variance = float(np.sum(self.background_error**2))
        variance += sum(float(b @ v) ** 2 for v in self.background_errors.values())
        if self.background_covariance is not None:
            variance += max(float(b @ self.background_covariance @ b), 0.0)
        return Estimate(float(b.sum()), float(np.sqrt(variance)))
