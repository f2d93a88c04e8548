"""The likelihood of counts, maximised over the nuisance parameters, for many points at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from siren_py._typing import FloatArray
from siren_py.counting.nuisance import Constraints
from siren_py.counting.roots import falling_root
from siren_py.errors import ConfigError

# Smallest expectation where events were seen: its square and its inverse stay finite.
TINY = 1e-100


class Data(NamedTuple):
    """Numbers that a likelihood is evaluated for; each may be given once for all points.

    Attributes
    ----------
    observed
        Counts, (points or 1, bins); not integers for an Asimov data set.
    auxiliary
        Auxiliary counts of the backgrounds, (points or 1, bins).
    centres
        Auxiliary measurements of the nuisance parameters, (points or 1, parameters).
    """

    observed: FloatArray
    auxiliary: FloatArray
    centres: FloatArray


class Fit(NamedTuple):
    """A conditional maximum of the likelihood, one per point.

    Attributes
    ----------
    deviance
        -2 ln L, up to a constant of the data, (points,).
    theta
        Nuisance parameters, (points, parameters).
    level
        Levels of the background g, (points, bins).
    score
        Derivative of ln L by the multiplier mu at the maximum, (points,).
    expected
        Expectations, (points, bins).
    """

    deviance: FloatArray
    theta: FloatArray
    level: FloatArray
    score: FloatArray
    expected: FloatArray


def _deviance(n: FloatArray, expected: FloatArray) -> FloatArray:
    """Half the deviance of a count, lambda - n + n ln(n/lambda); keeps its digits near zero."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        r = (expected - n) / n
        near = n * (r - np.log1p(r))
        far = n * np.log(n / expected) - n + expected
    value = np.where(r > -0.5, near, far)
    return np.where(n > 0.0, value, expected)


@dataclass(frozen=True)
class Likelihood:
    """The likelihood of a set of signals.

    Parameters
    ----------
    signal
        Expected signal at mu = 1, (points, bins).
    constraints
        Backgrounds and nuisance parameters.
    data
        The counts.
    """

    signal: FloatArray
    constraints: Constraints
    data: Data

    def fit(self, mu: FloatArray, start: FloatArray | None = None) -> Fit:
        """Maximise over the nuisance parameters at fixed mu, (points,).

        The levels of the backgrounds follow in closed form from a quadratic equation; the
        others by Newton's method with the exact second derivatives.
        """
        size = np.broadcast_shapes(
            np.shape(mu), self.signal.shape[:1], self.data.observed.shape[:1]
        )
        n = self.data.observed
        count = self.constraints.count
        signal = np.asarray(mu, dtype=np.float64)[..., None] * self.signal
        if count == 0:
            value, level, expected = self._value(signal, self.constraints.background, n)
            theta = np.zeros((*size, 0))
            strength = self.signal
        else:
            if start is None:
                theta = np.array(np.broadcast_to(self.data.centres, (*size, count)))
            else:
                theta = np.array(start)
            theta = self._newton(signal, theta)
            up, background = self._factors(theta)
            value, level, expected = self._value(signal * up, background, n)
            value = value + 0.5 * np.sum((theta - self.data.centres) ** 2, axis=-1)
            strength = self.signal * up
        score = np.sum(strength * (n / np.maximum(expected, TINY) - 1.0), axis=-1)
        deviance = np.broadcast_to(2.0 * value, size)
        return Fit(
            np.array(deviance),
            theta,
            np.broadcast_to(level, (*size, level.shape[-1])),
            np.broadcast_to(score, size),
            np.broadcast_to(expected, (*size, level.shape[-1])),
        )

    def _factors(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Factors of the signal and backgrounds b exp(theta B), (points, bins)."""
        up = np.exp(np.einsum("pk,pkb->pb", theta, self._signal_exponents(len(theta))))
        return up, self.constraints.background * np.exp(theta @ self.constraints.levels)

    def _signal_exponents(self, size: int) -> FloatArray:
        a = self.constraints.signal
        return np.broadcast_to(a, (size, *a.shape[1:]))

    def _value(
        self, x: FloatArray, y: FloatArray, n: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """-ln L for signals x and backgrounds y, with the levels and the expectations.

        The level g solves y (1 - n/(x + y g)) + tau - a/g = 0 with tau auxiliary events
        expected and a counted (Cranmer, PHYSTAT 2003; Cowan, Cranmer, Gross, Vitells, Eur. Phys.
        J. C 71, 1554 (2011), section 5.3).
        """
        tau = self.constraints.auxiliary
        a = self.data.auxiliary
        free = np.isfinite(tau) & (y > 0.0)
        t = np.where(free, tau, 1.0)
        a = np.where(free, a, 1.0)
        q2 = y * (y + t)
        q1 = (y + t) * x - (n + a) * y
        root = np.sqrt(q1 * q1 + 4.0 * q2 * a * x)
        with np.errstate(divide="ignore", invalid="ignore"):
            level = np.where(q1 > 0.0, 2.0 * a * x / (q1 + root), (root - q1) / (2.0 * q2))
        level = np.where(free, level, 1.0)
        expected = x + y * level
        value = _deviance(n, np.maximum(expected, np.where(n > 0.0, TINY, 0.0)))
        value = value + np.where(free, _deviance(a, t * level), 0.0)
        return np.sum(value, axis=-1), level, expected

    def _newton(self, signal: FloatArray, theta: FloatArray) -> FloatArray:
        n, centres = self.data.observed, self.data.centres
        exponents = self._signal_exponents(len(theta))
        levels = self.constraints.levels
        tau = self.constraints.auxiliary
        unit = np.eye(theta.shape[1])

        def total(
            at: FloatArray,
        ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
            up, y = self._factors(at)
            x = signal * up
            value, level, expected = self._value(x, y, n)
            return value + 0.5 * np.sum((at - centres) ** 2, axis=-1), x, y, level, expected

        value, x, y, level, expected = total(theta)
        for _ in range(100):
            lam = np.maximum(expected, TINY)
            dx = 1.0 - n / lam
            dy = level * dx
            curve = n / lam**2
            free = np.isfinite(tau) & (y > 0.0)
            a = np.where(free, self.data.auxiliary, 1.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                stiff = y * y * curve + np.where(a > 0.0, a / level**2, 0.0)
                moves = free & (stiff > 0.0) & (level > 0.0)
                gx = np.where(moves, -y * curve / stiff, 0.0)
                gy = np.where(moves, -(dx + y * level * curve) / stiff, 0.0)
            lx, ly = 1.0 + y * gx, level + y * gy
            xx = curve * lx * x * x + dx * x
            xy = curve * ly * x * y
            yy = (level * curve * ly + gy * dx) * y * y + dy * y
            gradient = np.einsum("pb,pkb->pk", dx * x, exponents) + (dy * y) @ levels.T
            gradient = gradient + theta - centres
            cross = np.einsum("pb,pkb,lb->pkl", xy, exponents, levels)
            hessian = unit + np.einsum("pb,pkb,plb->pkl", xx, exponents, exponents)
            hessian = hessian + cross + np.swapaxes(cross, 1, 2)
            hessian = hessian + np.einsum("pb,kb,lb->pkl", yy, levels, levels)
            # Far from the maximum a second derivative may be negative: its size still says how
            # far to go downhill.
            bends, vectors = np.linalg.eigh(hessian)
            along = np.einsum("pkl,pk->pl", vectors, gradient) / np.maximum(np.abs(bends), 0.5)
            step = -np.einsum("pkl,pl->pk", vectors, along)
            # No expectation may change by more than a factor e in one step.
            signals = np.abs(np.einsum("pk,pkb->pb", step, exponents)).max(axis=-1)
            change = np.maximum(signals, np.abs(step @ levels).max(axis=-1))
            step = step / np.maximum(1.0, change)[:, None]
            # What is left to gain; the step that would gain it is still taken.
            gain = -np.sum(gradient * step, axis=-1)
            last = bool((gain <= 1e-13 * (1.0 + np.abs(value))).all())
            scale = np.ones(len(theta))
            for _ in range(30):
                trial = total(theta + scale[:, None] * step)
                worse = trial[0] > value + 1e-9 * (1.0 + np.abs(value))
                if not worse.any():
                    break
                scale = np.where(worse, 0.5 * scale, scale)
            theta = theta + scale[:, None] * step
            value, x, y, level, expected = trial
            if last or np.abs(scale[:, None] * step).max() < 1e-9:
                break
        else:
            raise ConfigError(
                "The fit of the nuisance parameters did not converge. Check for errors far above "
                "100 %."
            )
        return theta

    def best(self) -> FloatArray:
        """Multiplier mu >= 0 of the highest likelihood, (points,)."""
        size = max(len(self.signal), len(self.data.observed))
        total = np.broadcast_to(self.signal.sum(axis=-1), (size,))
        n = np.broadcast_to(self.data.observed.sum(axis=-1), (size,))
        memory: dict[str, FloatArray] = {}

        def score(mu: FloatArray) -> FloatArray:
            fit = self.fit(mu, memory.get("theta"))
            memory["theta"] = fit.theta
            return np.asarray(fit.score)

        return falling_root(score, np.zeros(size), (n + 1.0) / total, rtol=1e-10)


def nominal_data(constraints: Constraints, observed: FloatArray) -> Data:
    """Data with the auxiliary measurements at their nominal values."""
    return Data(
        np.atleast_2d(observed), constraints.auxiliary[None, :], np.zeros((1, constraints.count))
    )


def asimov_data(constraints: Constraints, data: Data) -> Data:
    """Data without fluctuations under mu = 0, the nuisance parameters as fitted to `data`."""
    likelihood = Likelihood(
        np.zeros((1, len(constraints.background))), constraints.of(slice(1)), data
    )
    fit = likelihood.fit(np.zeros(len(data.observed)))
    return Data(fit.expected, constraints.auxiliary * fit.level, fit.theta)
