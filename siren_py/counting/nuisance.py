"""The nuisance parameters of a counting experiment, as exponents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from siren_py._typing import FloatArray
from siren_py.counting.model import Counting, negligible


@dataclass(frozen=True)
class Constraints:
    """All nuisance parameters for a set of signals.

    The expectation is s exp(theta A) + b g exp(theta B).

    Attributes
    ----------
    background
        b, (bins,).
    auxiliary
        Auxiliary events that fix the level g, (bins,); infinite where b is exact.
    signal
        Exponents A, (points or 1, parameters, bins).
    levels
        Exponents B, (parameters, bins).
    """

    background: FloatArray
    auxiliary: FloatArray
    signal: FloatArray
    levels: FloatArray

    @property
    def count(self) -> int:
        """Number of nuisance parameters theta."""
        return len(self.levels)

    def of(self, points: FloatArray | slice) -> Constraints:
        """The constraints of some of the points."""
        if len(self.signal) == 1:
            return self
        return Constraints(self.background, self.auxiliary, self.signal[points], self.levels)


def constraints(counting: Counting, relative_error: FloatArray | None = None) -> Constraints:
    """Collect the nuisance parameters of an experiment.

    Parameters
    ----------
    counting
        The experiment.
    relative_error
        Further relative error of the signal, independent between bins, (points, bins): that of
        a simulation. It is added in quadrature to the error of the efficiency.
    """
    size = counting.size
    names = list(dict.fromkeys([*counting.signal_errors, *counting.background_errors]))
    zero = np.zeros(size)
    a = [np.log1p(counting.signal_errors.get(n, zero)) for n in names]
    c = [np.log1p(counting.background_errors.get(n, zero)) for n in names]
    if counting.background_covariance is not None:
        for direction in _directions(counting.background_covariance):
            a.append(zero)
            c.append(direction)
    common = np.array(a).reshape(len(a), size)
    independent = counting.efficiency_error[None, :]
    if relative_error is not None:
        independent = np.hypot(independent, relative_error)
    used = np.flatnonzero((independent > 0.0).any(axis=0))
    own = np.zeros((len(independent), len(used), size))
    own[:, np.arange(len(used)), used] = np.log1p(independent[:, used])
    signal = np.concatenate([np.broadcast_to(common, (len(own), len(common), size)), own], axis=1)
    levels = np.zeros((len(common) + len(used), size))
    levels[: len(c)] = np.array(c).reshape(len(c), size)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        auxiliary = np.where(
            ~negligible(counting.background, counting.background_error),
            (counting.background / counting.background_error) ** 2,
            np.inf,
        )
    return Constraints(counting.background, auxiliary, signal, levels)


def _directions(covariance: FloatArray) -> FloatArray:
    """Exponents of a fractional covariance, (parameters, bins).

    Each relative error d becomes ln(1 + d), as for a named error, with the same correlations: a
    covariance of rank one is the same as a named error.
    """
    relative = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    scale = np.where(relative > 0.0, np.log1p(relative) / np.where(relative > 0, relative, 1), 1.0)
    values, vectors = np.linalg.eigh(covariance * np.outer(scale, scale))
    keep = values > 1e-10 * max(float(values[-1]), 1e-300)
    return np.asarray((vectors[:, keep] * np.sqrt(values[keep])).T)


# Draws of the nuisance parameters for averages over more than one of them. The points are those
# of a low-discrepancy sequence, so that results do not depend on a seed.
DRAWS = 128
NODES = 10


def draws(count: int) -> tuple[FloatArray, FloatArray]:
    """Points and weights for averages over `count` standard normal parameters.

    Returns
    -------
    theta
        (draws, count).
    weights
        (draws,), of sum one.
    """
    if count == 0:
        return np.zeros((1, 0)), np.ones(1)
    if count == 1:
        x, w = np.polynomial.hermite_e.hermegauss(NODES)
        return x[:, None], w / w.sum()
    # R-sequence (M. Roberts, 2018): multiples of powers of 1/phi, phi^(d+1) = phi + 1; the
    # half-integer shift and the mirrored points make every odd moment vanish.
    phi = 2.0
    for _ in range(60):
        phi = (1.0 + phi) ** (1.0 / (count + 1))
    steps = phi ** -np.arange(1.0, count + 1)
    u = np.mod(0.5 + np.outer(np.arange(1, DRAWS // 2 + 1), steps), 1.0)
    half = special.ndtri(u)
    theta = np.concatenate([half, -half])
    # The variance of each is made exact: what matters most is the second moment.
    theta = theta / np.sqrt(np.mean(theta**2, axis=0))
    return theta, np.full(len(theta), 1.0 / len(theta))


def factors(theta: FloatArray, exponents: FloatArray) -> FloatArray:
    """Factors of mean one for averages over the nuisance parameters, (..., draws, bins).

    The log-normal (1 + a)^theta has the median one and a larger mean. An average must leave the
    expected number as it is (a signal from a simulation is right in the mean), so that an error
    never makes a limit stronger.

    Parameters
    ----------
    theta
        (draws, parameters).
    exponents
        (..., parameters, bins).
    """
    shift = 0.5 * np.sum(exponents**2, axis=-2, keepdims=True)
    return np.asarray(np.exp(np.einsum("dk,...kb->...db", theta, exponents) - shift))
