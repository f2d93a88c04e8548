"""Numbers with a unit, as people write them: ``100 MeV``, ``3.87e-7 /GeV``, ``1.2e21 POT``.

A number without a unit is in the documented unit of its key. A unit is a factor that is a power
of ten, applied in decimal arithmetic: ``"100 MeV"`` and ``0.1`` are the same bits.
"""

from __future__ import annotations

import math
import re

from siren_py.errors import ConfigError, nearest_names

_ENERGY = {"eV": "1e-9", "keV": "1e-6", "MeV": "1e-3", "GeV": "1", "TeV": "1e3", "PeV": "1e6"}

UNITS: dict[str, dict[str, str]] = {
    "energy": _ENERGY,
    "inverse energy": {
        "/eV": "1e9", "/keV": "1e6", "/MeV": "1e3", "/GeV": "1", "/TeV": "1e-3", "/PeV": "1e-6"
    },
    "protons on target": {"POT": "1"},
    "length": {"mm": "0.1", "cm": "1", "m": "100", "km": "1e5"},
    "time": {"ns": "1", "us": "1e3", "ms": "1e6", "s": "1e9"},
    "mass of matter": {"g": "1", "kg": "1e3", "t": "1e6"},
    "angle": {"rad": "1", "mrad": "1e-3", "deg": "0.017453292519943295"},
}  # fmt: skip
"""Units by what they measure, with their size in the unit that siren_py computes in.

Lengths, times, masses of matter and angles are known in order to say that they do not fit.
"""

INSIDE = {"energy": "GeV", "inverse energy": "1/GeV", "protons on target": "POT"}
"""The unit of a number without one."""

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY = rf"\s*({NUMBER})\s*(.*?)\s*"


def read_number(value: object) -> float:
    """Return a finite number from a number or a text.

    Raises
    ------
    ConfigError
        If it is not one.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ConfigError(f"{value!r} is not a number")
    try:
        number = float(value)
    except ValueError:
        raise ConfigError(f"{value!r} is not a number") from None
    except OverflowError:
        raise ConfigError(f"{value!r} is not a finite number") from None
    if not math.isfinite(number):
        raise ConfigError(f"{str(value)!r} is not a finite number")
    return number


def read_quantity(value: object, *dimensions: str) -> float:
    """Return a quantity in the unit that siren_py computes in.

    Parameters
    ----------
    value
        A number, or a text with a number and perhaps a unit.
    *dimensions
        What it may measure, names in `UNITS`; none: a plain number.

    Raises
    ------
    ConfigError
        If it is no number, or the unit is unknown or measures something else; the text says
        which units fit.

    Examples
    --------
    >>> read_quantity("100 MeV", "energy")
    0.1
    >>> read_quantity("3.87e-7 /GeV", "inverse energy")
    3.87e-07
    """
    found = re.fullmatch(_QUANTITY, value) if isinstance(value, str) else None
    if found is None or not found[2]:
        return read_number(value)
    from decimal import Decimal

    number, unit = found[1], canonical_unit(found[2])
    for dimension in dimensions:
        if unit in UNITS[dimension]:
            return read_number(float(Decimal(number) * Decimal(UNITS[dimension][unit])))
    raise ConfigError(f"{value!r}: {_wrong_unit(found[2], unit, dimensions)}")


def canonical_unit(text: str) -> str:
    """Return a unit as `UNITS` spells it: ``1/GeV``, ``/ GeV``, ``GeV^-1`` are ``/GeV``."""
    unit = "".join(text.split())
    inverse = re.fullmatch(r"1?/(.+)|(.+?)(?:\^|\*\*)?\(?-1\)?", unit)
    if inverse is not None:
        unit = "/" + (inverse[1] or inverse[2])
    return "POT" if unit.casefold() in ("pot", "protonsontarget") else unit


def _wrong_unit(given: str, unit: str, dimensions: tuple[str, ...]) -> str:
    fitting = [name for dimension in dimensions for name in UNITS[dimension]]
    if not fitting:
        return f"a plain number is wanted here, without the unit {given!r}"
    others = [dimension for dimension, units in UNITS.items() if unit in units]
    wanted = " or ".join(dimensions)
    if others:
        reason = f"{given} is a unit of {others[0]}, not of {wanted}"
    else:
        close = nearest_names(unit, fitting)
        guess = f" (did you mean {' or '.join(close)}?)" if close else ""
        reason = f"there is no unit {given!r}{guess}"
    return f"{reason}; units that fit: {', '.join(fitting)}"
