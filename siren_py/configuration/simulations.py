"""From settings to what they describe, and back to settings that say everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from siren_py.configuration.kinds import Grid, Range
from siren_py.configuration.reading import Settings
from siren_py.errors import ConfigError, KinematicsError

if TYPE_CHECKING:
    from siren_py._typing import FloatArray
    from siren_py.detector import DetectorModel
    from siren_py.simulation import Simulation

COUPLINGS = ("d_e", "d_mu", "d_tau")

_MODEL_KEYS = ("mass", *COUPLINGS, "nature", "conventions")

DIPOLE = "dipole-portal"

DEFAULT_COUPLING = {"d_mu": 3.87e-7}
"""Coupling of the dipole portal if none is given [1/GeV]."""

DEFAULT_REGION = "tpc"
"""Region if none is given and the detector has it."""


def points(grid: Any) -> FloatArray:
    """Return the points of a grid, of a `Range` or of a list of them, (n,)."""
    import numpy as np

    if isinstance(grid, Range):
        return np.geomspace(grid.low, grid.high, grid.number)
    return np.array(grid, dtype=np.float64)


def make_model(settings: Settings, **own: float) -> Any:
    """Return the model that the settings describe.

    Parameters
    ----------
    settings
        Settings of any command.
    **own
        Mass [GeV] and coupling, in place of those of the settings: the point of a plane.

    Returns
    -------
    object
        A `siren_py.DipolePortal`, or another model of `siren_py.models` or of a plug-in.

    Raises
    ------
    ConfigError, UnknownNameError
        If there is no such model, or a parameter is unknown, twice there or cannot be used.

    Examples
    --------
    >>> from siren_py.configuration import merged_settings
    >>> settings = merged_settings("simulate", None, {"mass": "200 MeV", "d_mu": "1e-6"})
    >>> model = make_model(settings)
    >>> model.mass, model.d_mu
    (0.2, 1e-06)
    """
    from siren_py.models import MODELS, model_from_dict
    from siren_py.plugins import dashed

    name = dashed(settings["model"])
    record = {k: settings[k] for k in _MODEL_KEYS if k in settings.given}
    if name in MODELS and settings.get("mass") is not None:
        record.setdefault("mass", settings["mass"])  # of others the parameters are not known
    further: Mapping[str, Any] = settings.get("parameter", {})
    for key, value in further.items():
        if key in record or key in own:
            place = "the plane" if key in own else f"--{key.replace('_', '-')}"
            raise ConfigError(f"The parameter {key!r} is given twice, by {place} as well.")
        _check_plain(key, value)
    record |= further
    if name == DIPOLE and not own and not any(record.get(key) is not None for key in COUPLINGS):
        record |= DEFAULT_COUPLING
    return model_from_dict({"name": name, **record, **own})


def _check_plain(key: str, value: object) -> None:
    """Refuse a number with a unit: what a model's parameter measures is not known here."""
    import re

    from siren_py.configuration.quantities import NUMBER

    if isinstance(value, str) and re.match(rf"\s*{NUMBER}", value):
        raise ConfigError(
            f"The parameter {key!r} of the model is {value!r}; parameters are plain numbers, "
            "energies in GeV and dipole couplings in 1/GeV."
        )


def make_simulation(settings: Settings, model: Any = None, cls: Any = None) -> Simulation:
    """Return the simulation that the settings of `simulate` or `scan` describe.

    Parameters
    ----------
    settings
        The settings.
    model
        The model, if it is not that of `make_model`.
    cls
        Class to make, `siren_py.Simulation` by default.

    Returns
    -------
    siren_py.Simulation
        What a run is made with: ``simulation.run(settings["events"], seed=settings["seed"])``.

    Raises
    ------
    SirenError
        As `siren_py.Simulation`.

    Examples
    --------
    >>> from siren_py.configuration import merged_settings
    >>> settings = merged_settings("simulate", None, {"decay": "nu gamma", "region": "fgd1"})
    >>> simulation = make_simulation(settings)
    >>> simulation.decay, simulation.region
    ('nu gamma', 'fgd1')
    """
    import siren_py as sp

    detector = sp.load_detector(settings["detector"])
    decay = settings["decay"]
    simulation: Simulation = (cls or sp.Simulation)(
        detector,
        settings["flux"],
        make_model(settings) if model is None else model,
        decay=None if decay == "all" else decay,
        region=_region(settings, detector),
        proposal=settings["proposal"],
        beam=settings["beam"],
    )
    return simulation


def plane_simulation(settings: Settings) -> Simulation:
    """Return the simulation at the first point of the plane of a scan that it can start from.

    Raises
    ------
    SirenError
        As `siren_py.Simulation`.
    """
    masses, couplings = points(settings["masses"]), points(settings["couplings"])
    coupling = settings["coupling"]
    try:
        model = make_model(settings, mass=float(masses[0]), **{coupling: float(couplings[0])})
        return make_simulation(settings, model)
    except KinematicsError as error:
        raise KinematicsError(
            f"At the smallest mass of the plane, {masses[0]:g} GeV: {error}"
        ) from error


def _region(settings: Settings, detector: DetectorModel) -> str | None:
    region: str | None = settings.get("region")
    if region is None and DEFAULT_REGION in detector.regions:
        return DEFAULT_REGION
    return region


def full_values(settings: Settings, simulation: Simulation) -> dict[str, Any]:
    """Return the settings with everything that siren_py chose itself.

    Region, decay and all parameters of the model are those of the simulation, so that a later
    version with other defaults makes the same run of them.
    """
    decay = simulation.decay
    values = {
        **settings.values,
        "region": simulation.region,
        "decay": "all" if decay is None else decay,
    }
    plane = {"mass", settings["coupling"]} if "masses" in settings.command.keys else set()
    return values | model_values(settings, simulation.model, plane)


def model_values(settings: Settings, model: Any, plane: set[str]) -> dict[str, Any]:
    """Return the settings of a model: its keys, and its further parameters.

    Parameters
    ----------
    settings
        The settings that it was made from.
    model
        The model.
    plane
        Parameters that the plane gives.
    """
    from siren_py.models import MODELS

    if model.name not in MODELS:
        # That of a plug-in: its record need not be its parameters, nor need it know ours.
        return {k: None for k in _MODEL_KEYS if k not in settings.given}
    record = {k: v for k, v in model.to_dict().items() if k not in ("name", "note", *plane)}
    values = {k: record.pop(k) for k in settings.command.keys if k in record}
    return {**values, "parameter": {k: v for k, v in record.items() if v is not None}}


def grid_unit(settings: Settings, name: str) -> str:
    """Return the unit of the numbers of a grid; empty for plain numbers."""
    kind = settings.command.keys[name].kind
    if not isinstance(kind, Grid) or name == "masses":
        return "GeV"
    return "1/GeV" if settings["coupling"].startswith("d_") else ""
