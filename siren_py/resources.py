"""Where detectors and fluxes are found, and how a detector script is loaded.

A detector is a Python script ``NAME.py`` with a function ``build()`` that returns a
`siren_py.DetectorModel`, or, by its path only, a GDML file; nothing but a ``.py`` file is ever
run. A flux is a folder ``NAME/`` with a ``flux.toml``. Dashes and underscores in a name are the
same: ``nd280-upgrade`` is ``nd280_upgrade.py``.

A string that holds a path separator or ends in ``.py``, ``.gdml`` or ``.toml``, and every
`pathlib.Path`, is a path and is taken as it stands. Any other string is a name, and the first
place that has it wins:

1. the folders in the environment variable ``SIREN_PY_PATH`` (separated as in ``PATH``), each of
   which holds ``detectors/`` or ``fluxes/`` or both;
2. installed packages with an entry point in the group ``siren_py.detectors`` or
   ``siren_py.fluxes``. The entry point is a package, or a function without arguments that
   returns a folder; in that folder the data are looked for in ``detectors/`` (``fluxes/``) if
   there is such a folder, else in the folder itself;
3. the detectors and fluxes of siren_py itself.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
import traceback
import types
import warnings
from collections.abc import Iterator
from importlib.util import decode_source
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
from weakref import WeakKeyDictionary

from siren_py._typing import PathLike
from siren_py.errors import ConfigError, SirenWarning, unknown_name

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel

__all__ = [
    "SEARCH_PATH",
    "Resource",
    "detector_provenance",
    "find_detector",
    "find_flux",
    "list_detectors",
    "list_fluxes",
    "load_detector",
    "load_script",
    "resources",
]

Kind = Literal["detectors", "fluxes"]

SEARCH_PATH = "SIREN_PY_PATH"
"""Name of the environment variable with further folders to search."""

SCRIPT_MODULE = "_siren_py_detector_"
"""Beginning of the names of the modules that detector scripts are loaded as."""

_PACKAGE = Path(__file__).resolve().parent
_LARGEST_SCRIPT = 10_000_000  # bytes; a script is written by a person
# What else may be taken for a detector, and how to make one of it.
_OTHER_FILES = {
    ".dat": "SIREN's files are read with siren_py.load_siren_detector(densities, materials)",
    ".json": "a GDML file or a script is needed",
    **dict.fromkeys(
        (".stl", ".obj", ".glb", ".ply"),
        "a surface is a solid, siren_py.geometry.Mesh(path), in a script",
    ),
}

# Which script a detector came from. Kept beside the detectors, not in them: how a model was found
# is no business of the geometry. An entry goes when its detector goes.
_SCRIPTS: WeakKeyDictionary[DetectorModel, dict[str, str]] = WeakKeyDictionary()


class Resource(NamedTuple):
    """A detector script or a flux folder that was found.

    Examples
    --------
    >>> found = resources("detectors")["nd280"]
    >>> found.path.name, found.origin
    ('nd280.py', 'built in')
    """

    name: str
    """Name with dashes, e.g. ``"nd280-upgrade"``."""
    path: Path
    """The script, or the folder with ``flux.toml``."""
    origin: str
    """Where it was found: ``"SIREN_PY_PATH"``, ``"plug-in NAME"`` or ``"built in"``."""


def list_detectors() -> list[str]:
    """Return the names of all detectors that `load_detector` knows, sorted.

    Examples
    --------
    >>> "nd280" in list_detectors()
    True
    """
    return sorted(resources("detectors"))


def list_fluxes() -> list[str]:
    """Return the names of all fluxes that `siren_py.load_flux` knows, sorted.

    Examples
    --------
    >>> "t2k-nd280" in list_fluxes()
    True
    """
    return sorted(resources("fluxes"))


def resources(kind: Kind) -> dict[str, Resource]:
    """Return everything of one kind by name; what is found first hides the rest.

    Parameters
    ----------
    kind
        ``"detectors"`` or ``"fluxes"``.

    Returns
    -------
    dict
        `Resource` by name.

    Warns
    -----
    SirenWarning
        If a plug-in cannot be used.

    Examples
    --------
    >>> resources("fluxes")["t2k-nd280"].path.name
    't2k-nd280'
    """
    found: dict[str, Resource] = {}
    for folder, origin in _folders(kind):
        for path in sorted(folder.iterdir()):
            name = _name_of(path, kind)
            if name:
                found.setdefault(name, Resource(name, path, origin))
    return found


def find_detector(detector: PathLike) -> Path:
    """Return the file of a detector.

    Parameters
    ----------
    detector
        Name, or path of a script or of a GDML file.

    Raises
    ------
    UnknownNameError
        If there is no detector of this name; the text gives the nearest names.
    ConfigError
        If the path is not that of a file, or of a file that is neither.

    Examples
    --------
    >>> find_detector("nd280-upgrade").name
    'nd280_upgrade.py'
    """
    if not _is_path(detector):
        return _by_name("detectors", "detector", os.fspath(detector), "./my_detector.py")
    path = Path(detector).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"There is no detector script {str(path)!r}. Give the path of a Python file that "
            f"defines build(), or one of the names {', '.join(list_detectors())}."
        )
    if path.suffix.lower() not in (".py", ".gdml"):
        how = _OTHER_FILES.get(path.suffix.lower(), "a script ends in .py and defines build()")
        raise ConfigError(
            f"{str(path)!r} is neither a detector script (.py) nor a GDML file (.gdml), and is not "
            f"run: {how}."
        )
    return path


def find_flux(flux: PathLike) -> Path:
    """Return the ``flux.toml`` of a flux.

    Parameters
    ----------
    flux
        Name, path of a folder with a ``flux.toml``, or path of a TOML file.

    Raises
    ------
    UnknownNameError
        If there is no flux of this name; the text gives the nearest names.
    ConfigError
        If the path does not lead to such a file.

    Examples
    --------
    >>> find_flux("t2k-nd280").name
    'flux.toml'
    """
    if not _is_path(flux):
        return _by_name("fluxes", "flux", os.fspath(flux), "./my_flux") / "flux.toml"
    path = Path(flux).expanduser()
    path = path / "flux.toml" if path.is_dir() else path
    if not path.is_file():
        raise ConfigError(
            f"There is no flux description {str(path)!r}. Give the path of a folder with a "
            f"flux.toml, or one of the names {', '.join(list_fluxes())}."
        )
    return path


def load_detector(detector: PathLike) -> DetectorModel:
    """Build a detector from its script, or read it from a GDML file.

    Parameters
    ----------
    detector
        Name (see `list_detectors`), or path of a script such as ``"./my_detector.py"``, or of a
        GDML file, for `siren_py.load_gdml`.

    Returns
    -------
    siren_py.DetectorModel
        What the script's ``build()`` returns, or what the GDML file describes.

    Raises
    ------
    UnknownNameError
        If there is no detector of this name.
    ConfigError
        If the script cannot be read or run, has no ``build()``, or returns something else; the
        text names the file and the line.
    FormatError
        If a GDML file cannot be read.

    Examples
    --------
    >>> detector = load_detector("nd280")
    """
    from siren_py.detector import DetectorModel

    path = find_detector(detector)
    if path.suffix.lower() == ".gdml":
        from siren_py.io.gdml import load_gdml

        model = load_gdml(path)
        _SCRIPTS[model] = _script_record(path)
        return model
    module = load_script(path)
    build = getattr(module, "build", None)
    if not callable(build):
        raise ConfigError(
            f"{path}: the script has no function build(). A detector script defines "
            "`def build() -> DetectorModel:`."
        )
    with script_errors(path, "build() failed"):
        model = build()
    if not isinstance(model, DetectorModel):
        raise ConfigError(
            f"{path}: build() must return a DetectorModel; it returned "
            f"{type(model).__name__}. Does it end with `return detector`?"
        )
    _SCRIPTS[model] = _script_record(path)
    return model


def load_script(detector: PathLike) -> types.ModuleType:
    """Run a detector script and return it as a module, without calling its ``build()``.

    A script that varies another one starts with it:
    ``nd280 = load_script("nd280")``, then uses the materials and functions defined there.

    Parameters
    ----------
    detector
        Name or path, as for `load_detector`; of a script, not of a GDML file.

    Returns
    -------
    types.ModuleType
        What the script defines.

    Raises
    ------
    UnknownNameError, ConfigError
        As for `load_detector`.

    Examples
    --------
    >>> nd280 = load_script("nd280")
    >>> nd280.build().name
    'nd280'
    """
    path = find_detector(detector).resolve()
    _check_script(path)
    # The text is compiled here rather than by an import loader: loaders trust a .pyc by its time
    # stamp, and a script that was edited within the same second would not be read again.
    tag = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    module = types.ModuleType(f"{SCRIPT_MODULE}{path.stem}_{tag}", f"Detector {path.stem}.")
    module.__file__ = str(path)
    # Registered, because dataclasses and pickle look a class up by the name of its module.
    sys.modules[module.__name__] = module
    try:
        with script_errors(path, "the script failed"):
            exec(compile(decode_source(path.read_bytes()), str(path), "exec"), module.__dict__)
    except ConfigError:
        del sys.modules[module.__name__]
        raise
    return module


def detector_provenance(detector: DetectorModel) -> dict[str, str]:
    """Return what a file of events remembers of its detector.

    Parameters
    ----------
    detector
        A detector, from `load_detector` or built by hand.

    Returns
    -------
    dict
        The detector's own ``"name"``; and, if it comes from a script, ``"script"`` (its name) and
        ``"sha256"`` of its text. Paths are left out on purpose: they say something about a
        machine, nothing about physics.

    Examples
    --------
    >>> sorted(detector_provenance(load_detector("nd280")))
    ['name', 'script', 'sha256']
    """
    return {"name": detector.name, **_SCRIPTS.get(detector, {})}


def _check_script(path: Path) -> None:
    """Refuse what cannot be a script before Python's compiler chokes on it."""
    if path.suffix.lower() != ".py":
        raise ConfigError(f"{path}: only a Python script (.py) is run; load_detector reads GDML.")
    size = path.stat().st_size
    if size > _LARGEST_SCRIPT:
        raise ConfigError(
            f"{path}: {size} bytes are more than a script of a detector has. Give the path of a "
            "Python file that defines build(); large tables belong in files that it reads."
        )


def _script_record(path: Path) -> dict[str, str]:
    data = path.read_bytes()
    # Only scripts say how they are encoded; of other files every byte counts as it stands.
    text = decode_source(data) if path.suffix.lower() == ".py" else data.decode("latin-1")
    return {"script": _dashed(path.stem), "sha256": text_sha256(text)}


def text_sha256(text: str) -> str:
    """Return the SHA-256 of a text, the same whatever ends its lines."""
    return hashlib.sha256("\n".join(text.splitlines()).encode()).hexdigest()


def _is_path(resource: PathLike) -> bool:
    if not isinstance(resource, str):
        return True
    separators = {"/", os.sep}
    return resource.endswith((".py", ".gdml", ".toml")) or any(s in resource for s in separators)


def _by_name(kind: Kind, word: str, name: str, example: str) -> Path:
    found = resources(kind)
    key = _dashed(name).casefold()
    for known, resource in found.items():
        if known.casefold() == key:
            return resource.path
    raise unknown_name(
        word,
        name,
        found,
        f"A {word} of your own is given by its path (e.g. {example}), or its folder is named in "
        f"{SEARCH_PATH}.",
    )


def _dashed(stem: str) -> str:
    return stem.replace("_", "-")


def _name_of(path: Path, kind: Kind) -> str:
    """Return the name of what lies at `path`, or "" if it is nothing of this kind."""
    if path.name.startswith(("_", ".")):
        return ""
    if kind == "detectors":
        return _dashed(path.stem) if path.suffix == ".py" and path.is_file() else ""
    return _dashed(path.name) if (path / "flux.toml").is_file() else ""


def _folders(kind: Kind) -> Iterator[tuple[Path, str]]:
    for entry in os.environ.get(SEARCH_PATH, "").split(os.pathsep):
        folder = Path(entry).expanduser() / kind
        # An empty entry would mean the current folder; nobody asks for that on purpose.
        if entry and folder.is_dir():
            yield folder, SEARCH_PATH
    for point in importlib.metadata.entry_points(group=f"siren_py.{kind}"):
        for folder in _plugin_folders(point, kind):
            yield folder, f"plug-in {point.name}"
    folder = _builtin_folder(kind)
    if folder.is_dir():
        yield folder, "built in"


def _builtin_folder(kind: Kind) -> Path:
    """Return the folder of siren_py's own data, in a checkout or in an installed wheel.

    An editable install leaves a copy in site-packages which ages; the checkout goes first.
    ``pyproject.toml`` tells a checkout from a site-packages folder that happens to hold a
    package called ``detectors``.
    """
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / kind).is_dir():
        return checkout / kind
    return _PACKAGE / "_data" / kind


def _plugin_folders(point: importlib.metadata.EntryPoint, kind: Kind) -> list[Path]:
    try:
        target = point.load()
        roots = target.__path__ if isinstance(target, types.ModuleType) else [target()]
        folders = [Path(root) for root in roots]
    except Exception as error:  # a plug-in may fail in any way; the others must still be found
        warnings.warn(
            f"The plug-in {point.name!r} ({point.value}) of siren_py.{kind} cannot be used: "
            f"{type(error).__name__}: {error}. It must be a package, or a function that returns "
            "a folder.",
            SirenWarning,
            stacklevel=2,
        )
        return []
    inner = [folder / kind if (folder / kind).is_dir() else folder for folder in folders]
    return [folder for folder in inner if folder.is_dir()]


class script_errors:  # noqa: N801  (a context manager, used like a function)
    """Turn whatever a script raises into a `ConfigError` that names the script and the line."""

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        # A script that calls exit() must not end the program of its user.
        if not isinstance(error, (Exception, SystemExit)):
            return
        place = str(self.path)
        lines = [f.lineno for f in traceback.extract_tb(trace) if _same(f.filename, self.path)]
        if isinstance(error, SyntaxError) and _same(error.filename or "", self.path):
            lines.append(error.lineno)
        if lines and lines[-1] is not None:
            place += f", line {lines[-1]}"
        raise ConfigError(f"{place}: {self.what}: {type(error).__name__}: {error}") from error


def _same(filename: str, path: Path) -> bool:
    return bool(filename) and Path(filename).resolve() == path.resolve()
