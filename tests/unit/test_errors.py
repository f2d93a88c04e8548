"""Errors derive from the fitting built-in and teach."""

from __future__ import annotations

import inspect

import pytest

from siren_py import errors
from siren_py.errors import SirenError, UnknownNameError, nearest_names, unknown_name

FAMILY = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, SirenError) and kind is not SirenError
]


@pytest.mark.parametrize("kind", FAMILY)
def test_every_error_is_also_a_built_in(kind: type[SirenError]) -> None:
    built_in = [
        base
        for base in kind.__mro__
        if base.__module__ == "builtins" and base not in (Exception, BaseException, object)
    ]
    assert built_in
    with pytest.raises(built_in[0], match="what happened"):
        raise kind("what happened")


@pytest.mark.parametrize("kind", [SirenError, *FAMILY])
def test_text_is_prose(kind: type[SirenError]) -> None:
    # KeyError would show the text in quotes.
    assert str(kind("It's \u03bd.")) == "It's \u03bd."
    assert str(kind()) == ""


def test_nearest_names() -> None:
    names = ["nd280", "nd280-upgrade", "minerva", "miniboone"]
    assert nearest_names("nd28", names)[0] == "nd280"
    assert nearest_names("MINERVA", names)[0] == "minerva"
    assert nearest_names("xyz", names) == []
    assert len(nearest_names("nd280", names, count=1)) == 1


def test_unknown_name_shows_the_way() -> None:
    error = unknown_name("detector", "nd28", ["nd280", "minerva"], "See list_detectors().")
    assert isinstance(error, UnknownNameError)
    assert str(error) == (
        "There is no detector called 'nd28'. Did you mean 'nd280'? Known: minerva, nd280. "
        "See list_detectors()."
    )


def test_unknown_name_with_many_or_no_names() -> None:
    many = unknown_name("nuclide", "Zz", [f"A{k:03d}" for k in range(50)])
    assert "There are 50 known names, from A000 to A049." in str(many)
    assert str(unknown_name("nuclide", "Zz", [])) == "There is no nuclide called 'Zz'."
