"""Loading fluxes by name."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from siren_py._typing import PathLike
from siren_py.errors import ConfigError, LimitedFluxWarning, unknown_name
from siren_py.flux.base import flavor_name
from siren_py.flux.points import Below, PointsFlux
from siren_py.flux.spectra import HistogramFlux
from siren_py.flux.tables import FluxFolder, read_flux_folder, read_table
from siren_py.resources import find_flux


def load_flux(
    name: PathLike,
    *,
    mode: str | None = None,
    flavor: str | None = None,
    table: str | None = None,
    below: Below = "refuse",
) -> HistogramFlux | PointsFlux:
    """Load one spectrum of a flux that comes with siren_py, with a plug-in or in a folder.

    Parameters
    ----------
    name
        Name (see `siren_py.list_fluxes`) or path of a folder with a ``flux.toml``.
    mode
        Mode of the beam, e.g. ``"fhc"``; may be left out if the flux has only one.
    flavor
        ``"numu"``, ``"numubar"`` (also ``"anumu"``, ``"numu-bar"``), ``"nue"``, ...; may be left
        out if the flux has only one.
    table
        Version of the table; the default is the one that the ``flux.toml`` names.
    below
        For tables of points that begin above 0 GeV with a flux that is not zero: ``"zero"`` says
        that what is missing may count as nothing. By default a `LimitedFluxWarning` names the
        energy at which the table begins, and the flux refuses to give numbers below it.

    Warns
    -----
    LimitedFluxWarning
        If the table does not reach down to where its flux is zero, unless ``below="zero"``.

    Raises
    ------
    UnknownNameError
        If name, mode, flavor or table does not exist; the text gives the nearest names.
    ConfigError
        If mode or flavor is left out although there are several.
    FormatError
        If the files of the flux are damaged.

    Examples
    --------
    >>> load_flux("t2k-nd280", mode="fhc", flavor="numu")
    <HistogramFlux t2k-nd280 fhc numu: 1.917e-08 /cm2/POT, 0 to 23 GeV, mean 0.8525 GeV, 220 bins>
    """
    folder = read_flux_folder(find_flux(name))
    mode_key = _choose(folder, "mode", mode and mode.strip().casefold(), folder.modes)
    flavor_key = _choose(folder, "flavor", flavor and flavor_name(flavor), folder.flavors)
    description = folder.table(table)
    content = read_table(folder, description)
    if (mode_key, flavor_key) not in content.spectra:
        raise unknown_name(
            f"spectrum in table {description.version} of the flux {folder.name}",
            f"{mode_key}:{flavor_key}",
            (":".join(key) for key in content.spectra),
        )
    source = {
        "table": description.version,
        "release": description.release,
        "table_unit": description.unit,
        "table_factor": description.factor,
        "sha256": content.sha256,
        "citations": list(folder.citations),
    }
    pdg, values = folder.flavors[flavor_key], content.spectra[mode_key, flavor_key]
    if description.kind == "histogram":
        return HistogramFlux(pdg, content.energies, values, folder.name, mode_key, source)
    flux = PointsFlux(pdg, content.energies, values, below, folder.name, mode_key, source)
    if flux.is_limited and below == "refuse":
        warnings.warn(
            f"The table {description.version} of the flux {folder.name} begins at "
            f"{flux.energies[0]:g} GeV; what is below is not known and is left out of every rate. "
            'If that is meant, pass below="zero" to siren_py.load_flux.',
            LimitedFluxWarning,
            stacklevel=2,
        )
    return flux


def parse_flux(text: str) -> list[HistogramFlux | PointsFlux]:
    """Load fluxes from their short form, as the command line takes it.

    Parameters
    ----------
    text
        ``NAME:MODE:FLAVOR[,FLAVOR...]``, with ``NAME@TABLE`` for another than the default table:
        ``"t2k-nd280:fhc:numu"``, ``"t2k-nd280@2020:rhc:numubar,numu"``. Mode or flavor may be
        empty if there is only one.

    Returns
    -------
    list of HistogramFlux or PointsFlux
        One for each flavour, in the order of the text.

    Raises
    ------
    ConfigError
        If the text does not have this form, or names a flavour twice.
    UnknownNameError
        See `load_flux`.

    Examples
    --------
    >>> [flux.flavor for flux in parse_flux("t2k-nd280:fhc:numu,numubar")]
    ['numu', 'numubar']
    """
    parts = text.rsplit(":", 2)
    if len(parts) != 3 or not parts[0]:
        raise ConfigError(
            f"The flux {text!r} is not of the form NAME:MODE:FLAVOR[,FLAVOR...]; an example is "
            "t2k-nd280:fhc:numu,numubar."
        )
    base, mode, flavors = parts
    name, at, table = base.rpartition("@")
    fluxes = [
        load_flux(
            name if at else base,
            mode=mode or None,
            flavor=flavor or None,
            table=table if at else None,
        )
        for flavor in flavors.split(",")
    ]
    if len({flux.pdg for flux in fluxes}) < len(fluxes):
        raise ConfigError(f"The flux {text!r} names a flavour twice; it would be counted twice.")
    return fluxes


def _choose(folder: FluxFolder, word: str, value: str | None, known: Iterable[str]) -> str:
    spellings = {name.casefold(): name for name in known}
    if value is None:
        if len(spellings) == 1:
            return next(iter(spellings.values()))
        raise ConfigError(
            f"The flux {folder.name} has more than one {word}; say {word}=... with one of "
            f"{', '.join(spellings.values())}."
        )
    if value not in spellings:
        raise unknown_name(f"{word} of the flux {folder.name}", value, spellings.values())
    return spellings[value]
