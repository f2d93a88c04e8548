"""Public names that moved, were renamed or will go: they work on, with a warning that says so.

The policy is in ``docs/deprecations.md``: what is public keeps working for at least two minor
versions after a version that warns.
"""

from __future__ import annotations

import functools
import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from siren_py.errors import SirenWarning

_F = TypeVar("_F", bound=Callable[..., Any])


class SirenDeprecationWarning(SirenWarning, FutureWarning):
    """Something public will go; the text says when, and what takes its place.

    A `FutureWarning`, because those who read it are users of the package: Python hides a
    `DeprecationWarning` from them.
    """


def deprecated(since: str, removal: str, instead: str) -> Callable[[_F], _F]:
    """Mark a function, a method or a class whose calls are to warn.

    Parameters
    ----------
    since
        Version that warns first.
    removal
        Version that will not have it any more.
    instead
        What to use, as the end of a sentence: ``"siren_py.load_flux"``.

    Returns
    -------
    Callable
        A decorator. A class stays the same class: its making warns.

    Examples
    --------
    >>> import warnings
    >>> @deprecated("0.2", "0.4", "new_name")
    ... def old_name():
    ...     return 1
    >>> with warnings.catch_warnings(record=True) as told:
    ...     warnings.simplefilter("always")
    ...     old_name()
    1
    >>> print(told[0].message)
    old_name is deprecated since siren_py 0.2 and will be gone in 0.4: use new_name.
    """

    def mark(thing: _F) -> _F:
        text = deprecation_text(thing.__qualname__, since, removal, instead)
        if isinstance(thing, type):
            _mark_class(thing, text)
            return thing

        @functools.wraps(thing)
        def told(*args: Any, **kwargs: Any) -> Any:
            warnings.warn(text, SirenDeprecationWarning, stacklevel=2)
            return thing(*args, **kwargs)

        return cast("_F", told)

    return mark


def deprecated_names(
    module: str, moved: Mapping[str, tuple[str, str, str]]
) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module whose names moved elsewhere.

    Parameters
    ----------
    module
        ``__name__`` of the module.
    moved
        By old name: where the thing is now (``"siren_py.flux:load_flux"``), the version that warns
        first, and the one that will not have the name any more.

    Returns
    -------
    Callable
        To be assigned to ``__getattr__`` in the module.

    Examples
    --------
    In a module ``siren_py.old``::

        __getattr__ = deprecated_names(
            __name__, {"read_flux": ("siren_py.flux:load_flux", "0.2", "0.4")}
        )
    """

    def find(name: str) -> Any:
        if name not in moved:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        target, since, removal = moved[name]
        home, _, attribute = target.partition(":")
        instead = f"{home}.{attribute}" if attribute else home
        text = deprecation_text(f"{module}.{name}", since, removal, instead)
        # `from module import name` gets here through the import system; its frames are none of
        # the user's, so the warning is to point above them.
        warnings.warn(text, SirenDeprecationWarning, stacklevel=_level_of_user())
        found = importlib.import_module(home)
        return getattr(found, attribute) if attribute else found

    return find


def deprecated_parameter(
    old: str, value: object, new: str, current: object, since: str, removal: str
) -> Any:
    """Return the value of a parameter that was renamed, and warn if the old name was used.

    Parameters
    ----------
    old, value
        Old name, and what was given under it; None if nothing was.
    new, current
        New name, and what was given under it; None if nothing was.
    since, removal
        Version that warns first, and version that will not know the old name.

    Raises
    ------
    ConfigError
        If both were given.

    Examples
    --------
    >>> deprecated_parameter("flavour", None, "flavor", "numu", "0.2", "0.4")
    'numu'
    """
    from siren_py.errors import ConfigError

    if value is None:
        return current
    if current is not None:
        raise ConfigError(f"{old} is the old name of {new}: give one of them, not both.")
    text = deprecation_text(f"The parameter {old}", since, removal, new)
    warnings.warn(text, SirenDeprecationWarning, stacklevel=3)
    return value


def deprecation_text(what: str, since: str, removal: str, instead: str) -> str:
    """Return the sentence of a warning; the same words everywhere, so that they can be searched."""
    return (
        f"{what} is deprecated since siren_py {since} and will be gone in {removal}: use {instead}."
    )


def _mark_class(cls: Any, text: str) -> None:
    made = cls.__init__

    @functools.wraps(made)
    def told(self: Any, *args: Any, **kwargs: Any) -> None:
        warnings.warn(text, SirenDeprecationWarning, stacklevel=2)
        made(self, *args, **kwargs)

    cls.__init__ = told


def _level_of_user() -> int:
    """Return the stacklevel, seen from the caller, of the first frame that imports nothing."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None:
        level, frame = level + 1, frame.f_back
        if "importlib" not in frame.f_code.co_filename:
            break
    return level
