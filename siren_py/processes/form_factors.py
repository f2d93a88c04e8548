"""Charge form factors of nuclei, normalised to 1 at zero momentum transfer."""

from __future__ import annotations

from math import cos, exp, pi, sin, sqrt
from typing import NamedTuple

import numpy as np

from siren_py._numba import kernel, kernel_part
from siren_py._typing import ArrayLike, FloatArray
from siren_py.constants import HBARC
from siren_py.errors import ConfigError, unknown_name
from siren_py.nuclei import Nuclide, nuclide
from siren_py.units import fm

FOURIER_BESSEL, HELM, GAUSSIAN = 0, 1, 2
"""Codes of the forms, as `charge_form_factor_kernel` takes them."""

MODELS = ("measured", "helm")
"""Choices of the form: "measured" takes the Fourier-Bessel analysis where there is one."""

MAX_COEFFICIENTS = 18
"""Columns kept for Fourier-Bessel coefficients; the analyses have at most 17."""

SKIN = 0.9 * fm / HBARC
"""Surface thickness s of the Helm form [1/GeV], 0.9 fm (Lewin and Smith, 1996)."""


class ChargeForm(NamedTuple):
    """The form of one nucleus: `code`, length `scale` [1/GeV] and Fourier-Bessel weights.

    The number of weights is even: they are summed in pairs.
    """

    code: int
    scale: float
    weights: FloatArray


@kernel_part
def charge_form_factor_kernel(q: float, code: int, scale: float, weights: FloatArray) -> float:
    """Charge form factor at q = sqrt(Q2) [GeV].

    Fourier-Bessel, de Vries et al., At. Data Nucl. Data Tables 36, 495 (1987): the density
    sum_n a_n j_0(n pi r / R), r < R, gives, with x = q R,
    F = [sin x / x] sum_n (-1)^(n+1) a_n / ((n pi)^2 - x^2) / [sum_n (-1)^(n+1) a_n / (n pi)^2].
    Helm, Phys. Rev. 104, 1466 (1956): F = 3 j_1(q R) / (q R) exp(-(q s)^2 / 2).
    Gaussian density: F = exp(-q^2 r^2 / 6).
    """
    x = q * scale
    if code == FOURIER_BESSEL:
        # A pole is met by a zero, sin x = (-1)^(n+1) sin(n pi - x): both have the factor
        # n pi - x, with the same rounding, and a point on the pole is moved off it by a bit.
        x = max(x, 1e-9)
        near = int(x * (1.0 / pi) + 0.5)
        if near * pi == x:
            x *= 1.0 + 1e-15
        total = 0.0
        for j in range(0, len(weights), 2):
            first, second = (j + 1) * pi, (j + 2) * pi
            a, b = (first - x) * (first + x), (second - x) * (second + x)
            total += (weights[j] * b + weights[j + 1] * a) / (a * b)
        sine = sin(near * pi - x)
        return total * (sine if near % 2 == 1 else -sine) / x
    if code == HELM:
        skin = q * SKIN
        x2 = x * x
        # Below 0.05 the closed form of 3 j_1(x)/x loses digits: series to x^6.
        if x < 0.05:
            ball = 1.0 - x2 / 10.0 * (1.0 - x2 / 28.0 * (1.0 - x2 / 54.0))
        else:
            ball = 3.0 * (sin(x) / x - cos(x)) / x2
        return ball * exp(-0.5 * skin * skin)
    return exp(-x * x / 6.0)


def charge_form(nucleus: Nuclide, model: str = "measured") -> ChargeForm:
    """Choose the form of a nucleus.

    "measured": Fourier-Bessel where the table has it, otherwise as "helm". "helm": the Helm form
    with the measured charge radius, R^2 = (5/3) (r^2 - 3 s^2), s = 0.9 fm, which is a ball with a
    smeared surface. Hydrogen and helium have no flat interior (and for H1 R^2 would be
    negative): they get a Gaussian with the measured radius, which follows the measured form
    factor of He4 to a few percent up to 0.3 GeV.

    Raises
    ------
    UnknownNameError
        If the model is not one of `MODELS`.
    """
    if model not in MODELS:
        raise unknown_name("nuclear form factor", model, MODELS)
    none = np.zeros(0)
    if model == "measured" and nucleus.fourier_bessel is not None:
        radius, coefficients = nucleus.fourier_bessel
        n = np.arange(1, len(coefficients) + 1)
        signed = np.where(n % 2 == 1, 1.0, -1.0) * np.asarray(coefficients, dtype=np.float64)
        weights = signed / (signed / (n * pi) ** 2).sum()
        pairs = np.append(weights, np.zeros(len(weights) % 2))
        return ChargeForm(FOURIER_BESSEL, radius * fm / HBARC, pairs)
    if nucleus.charge_radius is None:
        return ChargeForm(GAUSSIAN, 0.0, none)
    radius = nucleus.charge_radius * fm / HBARC
    square = radius**2 - 3.0 * SKIN**2
    if nucleus.Z <= 2 or square <= 0.0:
        return ChargeForm(GAUSSIAN, radius, none)
    return ChargeForm(HELM, sqrt(5.0 / 3.0 * square), none)


@kernel
def _evaluate(q: FloatArray, code: int, scale: float, weights: FloatArray, out: FloatArray) -> None:
    for i in range(len(q)):
        out[i] = charge_form_factor_kernel(q[i], code, scale, weights)


def charge_form_factor(q: ArrayLike, target: str, model: str = "measured") -> FloatArray:
    """Charge form factor F(q) of a nucleus, F(0) = 1; it may be negative.

    Parameters
    ----------
    q
        Momentum transfer sqrt(Q2) [GeV], any shape.
    target
        Name of the nuclide, e.g. "C12".
    model
        "measured" or "helm", see `charge_form`.

    Raises
    ------
    ConfigError
        If a momentum transfer is negative or not a number.
    UnknownNameError
        If the nuclide or the model does not exist.

    Examples
    --------
    >>> round(float(charge_form_factor(0.1, "Ar40")), 4)
    0.5941
    """
    values = np.asarray(q, dtype=np.float64)
    if not (values >= 0.0).all():
        raise ConfigError("The momentum transfer must not be negative or NaN.")
    form = charge_form(nuclide(target), model)
    out = np.empty(values.size)
    _evaluate(values.ravel(), form.code, form.scale, form.weights, out)
    return out.reshape(values.shape)
