"""Electromagnetic form factors of the proton and the neutron."""

from __future__ import annotations

import numpy as np

from siren_py._numba import kernel
from siren_py._typing import ArrayLike, FloatArray
from siren_py.constants import NEUTRON_MAGNETIC_MOMENT, PROTON_MAGNETIC_MOMENT, PROTON_MASS
from siren_py.errors import ConfigError, unknown_name

PROTON_KELLY, NEUTRON_KELLY, PROTON_DIPOLE, NEUTRON_DIPOLE = 10, 11, 12, 13
"""Codes of the parametrisations, as `sachs_kernel` takes them."""

MODELS = ("kelly", "dipole")
"""Names of the parametrisations."""

_KELLY_LAMBDA2 = 0.71
_FOUR_MP2 = 4.0 * PROTON_MASS**2
_DIPOLE_MV2 = 0.843**2
# The dipole set exists for comparison with calculations that use these rounded moments.
_DIPOLE_MU_P = 2.792
_DIPOLE_MU_N = -1.913


@kernel
def sachs_kernel(q2: float, code: int) -> tuple[float, float]:
    """Sachs form factors (G_E, G_M) at Q2 [GeV2] of the parametrisation `code`.

    Kelly: J. J. Kelly, Phys. Rev. C 70, 068202 (2004), table I and eqs. (1)-(3), with
    tau = Q2 / (4 m_p^2) and, for G_E of the neutron, the Galster form with Lambda^2 = 0.71 GeV2.
    Dipole: G_D = (1 + Q2 / (0.843 GeV)^2)^-2; G_E^n = 0.
    """
    if code == PROTON_KELLY:
        t = q2 / _FOUR_MP2
        ge = (1.0 - 0.24 * t) / (1.0 + t * (10.98 + t * (12.82 + t * 21.97)))
        gm = (1.0 + 0.12 * t) / (1.0 + t * (10.97 + t * (18.86 + t * 6.55)))
        return ge, PROTON_MAGNETIC_MOMENT * gm
    if code == NEUTRON_KELLY:
        t = q2 / _FOUR_MP2
        gd = 1.0 / (1.0 + q2 / _KELLY_LAMBDA2) ** 2
        ge = 1.70 * t / (1.0 + 3.30 * t) * gd
        gm = (1.0 + 2.33 * t) / (1.0 + t * (14.72 + t * (24.20 + t * 84.1)))
        return ge, NEUTRON_MAGNETIC_MOMENT * gm
    gd = 1.0 / (1.0 + q2 / _DIPOLE_MV2) ** 2
    if code == PROTON_DIPOLE:
        return gd, _DIPOLE_MU_P * gd
    return 0.0, _DIPOLE_MU_N * gd


@kernel
def _sachs_all(q2: FloatArray, code: int, out: FloatArray) -> None:
    for i in range(len(q2)):
        out[0, i], out[1, i] = sachs_kernel(q2[i], code)


def nucleon_code(nucleon: str, model: str) -> int:
    """Code of a parametrisation for `sachs_kernel`.

    Raises
    ------
    UnknownNameError
        If the nucleon is not "proton" or "neutron", or the model is not one of `MODELS`.
    """
    if model not in MODELS:
        raise unknown_name("set of nucleon form factors", model, MODELS)
    if nucleon not in ("proton", "neutron"):
        raise unknown_name("nucleon", nucleon, ("proton", "neutron"))
    if model == "kelly":
        return PROTON_KELLY if nucleon == "proton" else NEUTRON_KELLY
    return PROTON_DIPOLE if nucleon == "proton" else NEUTRON_DIPOLE


def sachs(
    q2: ArrayLike, nucleon: str = "proton", model: str = "kelly"
) -> tuple[FloatArray, FloatArray]:
    """Sachs form factors (G_E, G_M) of a nucleon, in units of e and of nuclear magnetons.

    Parameters
    ----------
    q2
        Q2 [GeV2], any shape.
    nucleon
        "proton" or "neutron".
    model
        "kelly" (Phys. Rev. C 70, 068202 (2004)) or "dipole".

    Raises
    ------
    ConfigError
        If a Q2 is negative or not a number.
    UnknownNameError
        If the nucleon or the model does not exist.
    """
    values = np.asarray(q2, dtype=np.float64)
    if not (values >= 0.0).all():
        raise ConfigError("Q2 must not be negative or NaN.")
    out = np.empty((2, values.size))
    _sachs_all(values.ravel(), nucleon_code(nucleon, model), out)
    return out[0].reshape(values.shape), out[1].reshape(values.shape)
