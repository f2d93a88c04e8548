"""The flux-averaged total cross section of a sample, as NuHepMC asks for it (G.R.5, G.C.2)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import SirenError
from siren_py.flux import Flux, FluxLike
from siren_py.io.record import to_json
from siren_py.reweighting import model_of

if TYPE_CHECKING:
    from siren_py.injection.signal import ModelLike
    from siren_py.sample import Sample

PICOBARN = 1e-36
"""One picobarn [cm2]."""

_POINTS = 40
"""Energies at which the cross section is taken: the mean is then good to about 1e-3."""

_SMALL_SHARE = 1e-4
"""Part of the events whose nuclides, the rarest ones, may be left out of the mean."""


class CrossSection(NamedTuple):
    """A mean cross section, and what is to be said of it."""

    value: float
    """[pb per atom]; 0 where there is none, or where it is not known."""
    note: str


def known_model(sample: Sample) -> ModelLike | None:
    """Return the model of a sample; None if a file only has its name."""
    try:
        return model_of(sample)
    except (SirenError, KeyError):
        return None


def known_fluxes(sample: Sample) -> list[FluxLike] | None:
    """Return the fluxes of a sample, loaded by name for one read from a file; None if unknown."""
    if sample.fluxes is not None:
        return sample.fluxes
    from siren_py.flux.library import parse_flux

    found: list[FluxLike] = []
    for description in sample.lookup["fluxes"]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                (flux,) = parse_flux(str(description["name"]))
        except (SirenError, KeyError, ValueError):
            return None
        # The same name is not enough: the tables may have changed since.
        stamp = flux.to_dict().get("values_sha256")
        if stamp is None or stamp != description.get("values_sha256"):
            return None
        found.append(flux)
    return found


def flux_averaged(sample: Sample, rates: Mapping[tuple[int, int], float]) -> CrossSection:
    r"""Mean total cross section per atom over the fluxes and the atoms that were struck.

    For flux i and nuclide t the mean is <sigma>_it = int phi_i sigma_t dE / int phi_i dE
    (arXiv:2310.13211, section 3.1). The expected events n_it are proportional to <sigma>_it and
    to the number of atoms that the flux meets, which gives the weights of the mean over atoms:
    sum n_it / sum (n_it / <sigma>_it).

    Parameters
    ----------
    sample
        The sample.
    rates
        Expected events by (flux, PDG code of the nuclide), those without a target under -1.
    """
    struck = {key: rate for key, rate in rates.items() if key[1] > 0 and rate > 0.0}
    if not struck:
        return CrossSection(
            0.0, "0: in no event of this file is anything struck; the weights hold all there is."
        )
    model, fluxes = known_model(sample), known_fluxes(sample)
    if model is None or fluxes is None:
        what = "model" if model is None else "fluxes"
        return CrossSection(
            0.0,
            f"0: not known, because the sample was read from a file that has only the names of "
            f"its {what}; the weights are complete without it.",
        )
    names = {int(code): str(label) for code, label in sample.lookup["targets"].items()}
    processes = {str(p) for p in sample.lookup["processes"]}
    total = per_atom = 0.0
    least = _SMALL_SHARE * sum(struck.values()) / len(struck)
    for (i, code), rate in struck.items():
        if rate < least:
            continue
        mean = _mean(fluxes[i], model, names[code], processes)
        if mean > 0.0:
            total += rate
            per_atom += rate / mean
    if per_atom == 0.0:
        return CrossSection(0.0, "0: the model has no cross section for these fluxes.")
    return CrossSection(
        total / per_atom / PICOBARN,
        "Mean over the fluxes and over the atoms that they meet; the weight CV holds it already.",
    )


_MOST_BINS = 10_000
"""More bins than this make lines that HepMC3 does not read."""

_KEPT: dict[str, float] = {}
"""Means that were worked out before: those of a model are asked for with every file."""

_MOST_KEPT = 10_000


def _mean(flux: FluxLike, model: ModelLike, nuclide: str, processes: set[str]) -> float:
    if not isinstance(flux, Flux):
        return _integral(flux, model, nuclide, processes)
    parts = {"flux": flux.to_dict(), "model": model.to_dict()}
    key = to_json({**parts, "nuclide": nuclide, "processes": processes})
    if key not in _KEPT:
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.clear()
        _KEPT[key] = _integral(flux, model, nuclide, processes)
    return _KEPT[key]


def _integral(flux: FluxLike, model: ModelLike, nuclide: str, processes: set[str]) -> float:
    energy, share = _energies(flux)
    mean = 0.0
    for process in model.interactions(int(flux.pdg)):
        if process.name in processes:
            mean += float(np.dot(process.total(energy, nuclide), share))
    return mean


def _energies(flux: FluxLike) -> tuple[FloatArray, FloatArray]:
    """Energies [GeV] and weights of a quadrature over the flux, both (n,)."""
    if getattr(flux, "discrete", False):
        return flux.sample(1, rng=0), np.ones(1)
    if not isinstance(flux, Flux):
        return flux.sample(_POINTS, rng=0), np.full(_POINTS, 1.0 / _POINTS)
    # Gauss and Legendre in the cumulative flux u, in which the integral runs from 0 to 1.
    nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
    return flux.quantile(0.5 * (nodes + 1.0)), 0.5 * weights


def beam_attributes(fluxes: Sequence[FluxLike]) -> dict[str, str] | None:
    """Return the beams as G.C.4 describes them; None where they have no such form."""
    codes = [int(flux.pdg) for flux in fluxes]
    if len(set(codes)) < len(codes):
        return None  # the convention has one histogram per kind of particle
    result: dict[str, str] = {}
    for code, flux in zip(codes, fluxes, strict=True):
        beam = f"NuHepMC.Beam[{code}]"
        result[f"{beam}.EnergyUnit"] = "GEV"
        if getattr(flux, "discrete", False) and hasattr(flux, "energy"):
            result[f"{beam}.Type"] = "MonoEnergetic"
            result[f"{beam}.RateUnit"] = "Arbitrary"
            result[f"{beam}.MonoEnergetic.Energy"] = repr(float(flux.energy))
            continue
        edges, values = getattr(flux, "edges", None), getattr(flux, "values", None)
        if edges is None or values is None or len(edges) != len(values) + 1:
            return None
        if len(edges) > _MOST_BINS:
            return None
        result[f"{beam}.Type"] = "Histogram"
        # HepMC3 writes lists with six decimals when it copies a file: small numbers would be 0.
        result[f"{beam}.RateUnit"] = "1/(GeV cm2 1e21 POT)"
        result[f"{beam}.Histogram.ContentIsPerWidth"] = "1"
        result[f"{beam}.Histogram.BinEdges"] = _numbers(edges)
        result[f"{beam}.Histogram.BinContent"] = _numbers(np.asarray(values) * 1e21)
    return result


def _numbers(values: Any) -> str:
    return " ".join(repr(float(v)) for v in values)
