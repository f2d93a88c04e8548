"""What is deprecated works on and says so, to those who use it."""

from __future__ import annotations

import inspect
import sys
import types
import warnings

import pytest

from siren_py.deprecation import (
    SirenDeprecationWarning,
    deprecated,
    deprecated_names,
    deprecated_parameter,
)
from siren_py.errors import ConfigError, SirenWarning

SAYS = r"is deprecated since siren_py 0\.2 and will be gone in 0\.4: use new_name\."


@deprecated("0.2", "0.4", "new_name")
def add(a: int, b: int = 1) -> int:
    """Add."""
    return a + b


@deprecated("0.2", "0.4", "new_name")
class Old:
    """A class."""

    def __init__(self, value: int) -> None:
        self.value = value


def test_a_function_works_and_warns_where_it_is_called() -> None:
    with pytest.warns(SirenDeprecationWarning, match=f"^add {SAYS}$") as told:
        assert add(2) == 3
    assert told[0].filename == __file__
    assert add.__doc__ == "Add."
    assert list(inspect.signature(add).parameters) == ["a", "b"]


def test_a_class_stays_the_same() -> None:
    with pytest.warns(SirenDeprecationWarning, match=f"^Old {SAYS}$") as told:
        old = Old(3)
    assert told[0].filename == __file__
    assert isinstance(old, Old)
    assert old.value == 3


def test_a_name_that_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("siren_py_old")
    module.__getattr__ = deprecated_names(  # type: ignore[method-assign]
        "siren_py_old",
        {
            "read_flux": ("siren_py.flux:load_flux", "0.2", "0.4"),
            "flux": ("siren_py.flux", "0.2", "0.4"),
        },
    )
    monkeypatch.setitem(sys.modules, "siren_py_old", module)
    import siren_py.flux

    says = r"^siren_py_old\.read_flux is deprecated .* use siren_py\.flux\.load_flux\.$"
    with pytest.warns(SirenDeprecationWarning, match=says) as told:
        assert module.read_flux is siren_py.flux.load_flux
    assert told[0].filename == __file__
    with pytest.warns(SirenDeprecationWarning, match=says) as told:
        from siren_py_old import read_flux  # type: ignore[import-not-found]
    assert read_flux is siren_py.flux.load_flux
    assert told[0].filename == __file__
    with pytest.warns(SirenDeprecationWarning, match=r"use siren_py\.flux\.$"):
        assert module.flux is siren_py.flux
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        module.nothing  # noqa: B018
    assert not hasattr(module, "__wrapped__")


def test_a_parameter_that_was_renamed() -> None:
    def load(flavor: str | None = None, flavour: str | None = None) -> str:
        return deprecated_parameter("flavour", flavour, "flavor", flavor, "0.2", "0.4")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(flavor="numu") == "numu"
    with pytest.warns(
        SirenDeprecationWarning, match="The parameter flavour .*: use flavor"
    ) as told:
        assert load(flavour="nue") == "nue"
    assert told[0].filename == __file__
    with pytest.raises(ConfigError, match="not both"):
        load("numu", "nue")


def test_users_see_the_warning() -> None:
    # Python shows a FutureWarning by default; a DeprecationWarning only in the main script.
    assert issubclass(SirenDeprecationWarning, FutureWarning)
    assert issubclass(SirenDeprecationWarning, SirenWarning)
    assert not issubclass(SirenDeprecationWarning, DeprecationWarning)
