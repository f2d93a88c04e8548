"""Pseudo-experiments."""

from __future__ import annotations

import numpy as np

from siren_py._typing import FloatArray
from siren_py.counting.asymptotic import TestStatistic, cls_limit
from siren_py.counting.fit import Data, Likelihood
from siren_py.counting.nuisance import Constraints, factors
from siren_py.errors import ConfigError
from siren_py.rng import stream

SCAN = np.geomspace(0.4, 3.0, 9)


def throw(
    signal: FloatArray,
    constraints: Constraints,
    mu: float,
    theta: FloatArray,
    level: FloatArray,
    toys: int,
    rng: np.random.Generator,
) -> Data:
    """Data sets at fixed parameters: counts and auxiliary measurements, (toys, ...)."""
    up = np.exp(theta @ constraints.signal[0])
    background = constraints.background * level * np.exp(theta @ constraints.levels)
    tau = constraints.auxiliary
    free = np.isfinite(tau)
    auxiliary = rng.poisson(np.where(free, tau * np.where(free, level, 1.0), 1.0), (toys, len(tau)))
    return Data(
        rng.poisson(mu * signal * up + background, (toys, len(tau))).astype(np.float64),
        np.where(free, auxiliary, np.inf),
        theta + rng.standard_normal((toys, len(theta))),
    )


def throw_averaged(constraints: Constraints, toys: int, rng: np.random.Generator) -> FloatArray:
    """Counts of background alone with all errors thrown, too, (toys, bins)."""
    tau = constraints.auxiliary
    free = np.isfinite(tau)
    t = np.where(free, tau, 1.0)
    level = np.where(free, rng.gamma(t, 1.0 / t, (toys, len(tau))), 1.0)
    theta = rng.standard_normal((toys, constraints.count))
    mean = constraints.background * level * factors(theta, constraints.levels)
    return rng.poisson(mean).astype(np.float64)


def cls_pair(
    signal: FloatArray,
    constraints: Constraints,
    data: Data,
    mu: float,
    toys: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """CL_{s+b} and CL_b of q-tilde at mu from pseudo-experiments.

    The nuisance parameters of the pseudo-experiments are those fitted to the data at the
    multiplier in question (CCGV section 2 and appendix).
    """
    row = signal[None, :]
    at = np.array([mu])
    seen = float(TestStatistic(row, constraints, data)(at)[0])
    fractions = []
    for multiplier in (mu, 0.0):
        fit = Likelihood(row, constraints, data).fit(np.array([multiplier]))
        thrown = throw(signal, constraints, multiplier, fit.theta[0], fit.level[0], toys, rng)
        q = TestStatistic(row, constraints, thrown)(np.full(toys, mu))
        fractions.append(float(np.mean(q >= seen - 1e-9)))
    return fractions[0], fractions[1]


def toy_limit(
    signal: FloatArray, constraints: Constraints, data: Data, cl: float, toys: int, seed: int
) -> FloatArray:
    """CLs limits from pseudo-experiments of q-tilde, (points,).

    CLs is found at nine multiples of the large-sample limit; the limit is where a straight line
    in ln CLs crosses. The same random numbers are used for each.
    """
    rough = cls_limit(signal, constraints, data, cl)
    limits = np.empty(len(signal))
    target = float(np.log1p(-cl))
    for i, row in enumerate(signal):
        of = constraints.of(slice(i, i + 1))
        scan = rough[i] * SCAN
        for _ in range(5):
            log_cls = np.array(
                [
                    _log_ratio(cls_pair(row, of, data, mu, toys, stream(seed, "counting", i)), toys)
                    for mu in scan
                ]
            )
            if log_cls[0] < target:
                scan = scan * SCAN[0] / SCAN[-1]
            elif log_cls[-1] > target:
                scan = scan * SCAN[-1] / SCAN[0]
            else:
                break
        else:
            raise ConfigError(
                f"The pseudo-experiments for point {i} give no limit near the large-sample one, "
                f"{rough[i]:.4g}. Use more of them, or method='exact'."
            )
        falling = np.minimum.accumulate(log_cls) - 1e-9 * np.arange(len(scan))
        limits[i] = np.interp(-target, -falling, scan)
    return limits


def _log_ratio(pair: tuple[float, float], toys: int) -> float:
    # No pseudo-experiment in the tail: one half stands for it.
    return float(np.log(max(pair[0], 0.5 / toys) / max(pair[1], 0.5 / toys)))
