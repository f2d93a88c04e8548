"""Errors that say what was wrong, where, with which value, and what to do next.

Every error derives from `SirenError` and from the built-in that fits it, so that both
``except SirenError`` and ``except ValueError`` work.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SirenError(Exception):
    """Base of every error that siren_py raises on purpose."""

    def __str__(self) -> str:
        # KeyError would show the text in quotes with escapes; an error text is prose.
        return str(self.args[0]) if self.args else ""


class ConfigError(SirenError, ValueError):
    """An argument or an option has a value that cannot be used."""


class NoRateError(ConfigError):
    """Nothing can happen: the expected rate vanishes for every flux and target."""


class UnknownNameError(SirenError, KeyError):
    """A name (detector, flux, region, nuclide, channel, ...) does not exist."""


class MaterialError(SirenError, ValueError):
    """A material is not well defined (fractions, density, composition)."""


class GeometryError(SirenError, ValueError):
    """A solid, a placement, a volume or a region is not well defined."""


class KinematicsError(SirenError, ValueError):
    """A reaction or a decay is kinematically impossible, or an energy lies below threshold."""


class WeightError(SirenError, ArithmeticError):
    """A weight is NaN, infinite or negative: a fault of a process, never to be hidden."""


class FormatError(SirenError, ValueError):
    """A file cannot be read: it is damaged, incomplete or of another kind."""


class OutputError(SirenError, OSError):
    """A file cannot be written."""


class WorkerError(SirenError, RuntimeError):
    """Worker processes were lost again and again, or cannot do the work at all."""


class SirenWarning(UserWarning):
    """Base of the warnings of siren_py."""


class LimitedFluxWarning(SirenWarning):
    """A flux is not known down to zero energy: rates leave out what is below its table."""


def nearest_names(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Return up to `count` of `names` that resemble `name`, best first.

    Parameters
    ----------
    name
        What was written.
    names
        What there is.
    count
        How many to return at most.

    Returns
    -------
    list of str
        The nearest ones; empty if nothing resembles it.

    Examples
    --------
    >>> nearest_names("nd28", ["nd280", "minerva", "nd280-upgrade"])
    ['nd280', 'nd280-upgrade']
    """
    known = list(names)
    folded = {k.casefold(): k for k in known}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=count, cutoff=0.4)
    return [folded[c] for c in close]


def unknown_name(kind: str, name: object, names: Iterable[str], hint: str = "") -> UnknownNameError:
    """Build the error for an unknown name, with the nearest valid names.

    Parameters
    ----------
    kind
        What the name stands for, e.g. ``"detector"``.
    name
        The name that was asked for.
    names
        All valid names.
    hint
        A sentence that says what to do next.

    Returns
    -------
    UnknownNameError
        To be raised by the caller.

    Examples
    --------
    >>> print(unknown_name("detector", "nd28", ["nd280", "minerva"]))
    There is no detector called 'nd28'. Did you mean 'nd280'? Known: minerva, nd280.
    """
    known = sorted(names)
    text = f"There is no {kind} called {str(name)!r}."
    close = nearest_names(str(name), known)
    if close:
        text += f" Did you mean {' or '.join(repr(c) for c in close)}?"
    if known and len(known) <= 30:
        text += f" Known: {', '.join(known)}."
    elif known:
        text += f" There are {len(known)} known names, from {known[0]} to {known[-1]}."
    if hint:
        text += f" {hint}"
    return UnknownNameError(text)
