"""What a flux is: the protocol that users may meet, and the base of siren_py's own fluxes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from siren_py._typing import ArrayLike, FloatArray, RNGLike
from siren_py.errors import ConfigError
from siren_py.rng import as_generator

if TYPE_CHECKING:
    from siren_py.flux.points import Below, PointsFlux
    from siren_py.flux.spectra import HistogramFlux, MonoenergeticFlux

UNIT = "1/(GeV cm2 POT)"
"""Unit of every flux density inside siren_py."""

FLAVORS: Mapping[str, int] = {
    "nue": 12,
    "nuebar": -12,
    "numu": 14,
    "numubar": -14,
    "nutau": 16,
    "nutaubar": -16,
}
"""Names of the flavours and their PDG codes."""

_FLAVOR_OF = {pdg: flavor for flavor, pdg in FLAVORS.items()}


def flavor_name(text: str) -> str:
    """Return the canonical spelling of a flavour: ``"anumu"``, ``"numu-bar"`` -> ``"numubar"``.

    Text that is no alias comes back in lower case.

    Parameters
    ----------
    text
        Name of a flavour.

    Returns
    -------
    str
        Its canonical spelling.

    Examples
    --------
    >>> flavor_name("numu-bar")
    'numubar'
    """
    plain = text.strip().casefold().replace("-", "").replace("_", "").replace(" ", "")
    anti = f"{plain[1:]}bar" if plain.startswith("anu") else plain
    return anti if anti in FLAVORS else text.strip().casefold()


@runtime_checkable
class FluxLike(Protocol):
    """What siren_py needs of a flux. A user's class with these members works everywhere.

    Examples
    --------
    >>> isinstance(Flux.monoenergetic(pdg=14, energy=1.0), FluxLike)
    True
    """

    @property
    def pdg(self) -> int:
        """PDG code of the neutrino."""
        ...

    @property
    def integral(self) -> float:
        """Fluence over all energies [1/(cm2 POT)]."""
        ...

    def density(self, energy: ArrayLike, /) -> FloatArray:
        """Flux at each energy [GeV], in 1/(GeV cm2 POT); 0 where there is none."""
        ...

    def sample(self, n: int, /, *, rng: RNGLike = None) -> FloatArray:
        """Draw `n` energies [GeV] with the probability density ``density / integral``."""
        ...


class Flux(ABC):
    """A neutrino flux at the detector, per proton on target.

    Made by `from_histogram`, `from_points`, `monoenergetic` or `siren_py.load_flux`.

    Examples
    --------
    >>> flux = Flux.from_histogram(pdg=14, edges=[0.0, 1.0, 3.0], values=[2e-8, 1e-8])
    >>> flux.density([0.5, 2.0, 5.0]).tolist()
    [2e-08, 1e-08, 0.0]
    """

    pdg: int
    """PDG code of the neutrino."""
    name: str
    """Name of the beam, or of whatever the flux describes."""
    mode: str | None
    """Mode of the beam, e.g. ``"fhc"``; None where there is only one."""
    source: Mapping[str, Any]
    """Where the numbers come from: table, release, unit, SHA-256."""
    discrete: bool = False
    """True for lines: `density` is then a fluence per line [1/(cm2 POT)], not per GeV."""

    @staticmethod
    def from_histogram(
        *,
        pdg: int,
        edges: ArrayLike,
        values: ArrayLike,
        name: str = "histogram",
        mode: str | None = None,
        any_pdg: bool = False,
    ) -> HistogramFlux:
        """Make a flux that is constant within bins of energy.

        Parameters
        ----------
        pdg
            PDG code of the neutrino: 12, 14, 16 or the negative of these.
        edges
            Edges of the bins [GeV], increasing, shape (n + 1,).
        values
            Flux in each bin [1/(GeV cm2 POT)], shape (n,).
        name, mode
            Names that appear in summaries and files.
        any_pdg
            Accept the PDG code of something that is not a neutrino.

        Raises
        ------
        ConfigError
            If edges or values are malformed, or the code is not that of a neutrino.

        Examples
        --------
        >>> flux = Flux.from_histogram(pdg=14, edges=[0, 1, 3], values=[2e-8, 1e-8])
        >>> flux.integral
        4e-08
        """
        from siren_py.flux.checks import number_array
        from siren_py.flux.spectra import HistogramFlux

        _check_pdg(pdg, any_pdg)
        return HistogramFlux(
            pdg=pdg,
            edges=number_array("edges", edges),
            values=number_array("values", values),
            name=name,
            mode=mode,
        )

    @staticmethod
    def from_points(
        *,
        pdg: int,
        energies: ArrayLike,
        values: ArrayLike,
        below: Below = "refuse",
        name: str = "points",
        mode: str | None = None,
        any_pdg: bool = False,
    ) -> PointsFlux:
        """Make a flux that is linear between points of energy.

        Parameters
        ----------
        pdg
            PDG code of the neutrino.
        energies
            Energies of the points [GeV], increasing, shape (n,).
        values
            Flux at the points [1/(GeV cm2 POT)], shape (n,).
        below
            What holds below the first point, if the flux is not zero there: ``"refuse"`` to give
            a number, or ``"zero"``; see `siren_py.flux.PointsFlux`.
        name, mode, any_pdg
            As for `from_histogram`.

        Raises
        ------
        ConfigError
            If energies or values are malformed, or the code is not that of a neutrino.

        Examples
        --------
        >>> flux = Flux.from_points(pdg=14, energies=[0, 1, 3], values=[0, 2e-8, 0])
        >>> f"{flux.integral:.1e}"
        '3.0e-08'
        """
        from siren_py.flux.checks import number_array
        from siren_py.flux.points import PointsFlux

        _check_pdg(pdg, any_pdg)
        return PointsFlux(
            pdg=pdg,
            energies=number_array("energies", energies),
            values=number_array("values", values),
            below=below,
            name=name,
            mode=mode,
        )

    @staticmethod
    def monoenergetic(
        *,
        pdg: int,
        energy: float,
        fluence: float = 1.0,
        name: str = "monoenergetic",
        mode: str | None = None,
        any_pdg: bool = False,
    ) -> MonoenergeticFlux:
        """Make a flux of a single energy.

        Parameters
        ----------
        pdg
            PDG code of the neutrino.
        energy
            Energy [GeV].
        fluence
            Neutrinos per area and proton on target [1/(cm2 POT)].
        name, mode, any_pdg
            As for `from_histogram`.

        Raises
        ------
        ConfigError
            If energy or fluence is not positive, or the code is not that of a neutrino.
        """
        from siren_py.flux.spectra import MonoenergeticFlux

        _check_pdg(pdg, any_pdg)
        return MonoenergeticFlux(pdg=pdg, energy=energy, fluence=fluence, name=name, mode=mode)

    @property
    def flavor(self) -> str:
        """Name of the flavour, e.g. ``"numubar"``; the PDG code as text if it has none."""
        return _FLAVOR_OF.get(self.pdg, str(self.pdg))

    @property
    @abstractmethod
    def integral(self) -> float:
        """Fluence over all energies [1/(cm2 POT)]."""

    @property
    @abstractmethod
    def energy_range(self) -> tuple[float, float]:
        """Lowest and highest energy [GeV] between which the flux is not zero."""

    @property
    @abstractmethod
    def mean_energy(self) -> float:
        """Mean energy [GeV], weighted with the flux."""

    @abstractmethod
    def density(self, energy: ArrayLike) -> FloatArray:
        """Return the flux at each energy.

        Parameters
        ----------
        energy
            Energies [GeV], any shape.

        Returns
        -------
        ndarray
            Flux [1/(GeV cm2 POT)], of the same shape; 0 outside the range.

        Raises
        ------
        ConfigError
            If an energy is NaN.
        """

    @abstractmethod
    def integral_between(self, low: float, high: float) -> float:
        """Return the fluence [1/(cm2 POT)] of the energies in [low, high) [GeV].

        Raises
        ------
        ConfigError
            If a limit is NaN or `low` is above `high`.
        """

    @abstractmethod
    def quantile(self, u: ArrayLike) -> FloatArray:
        """Return the energies [GeV] below which the fractions `u` of the flux lie.

        This is the inverse of the cumulative distribution: uniform `u` in [0, 1), random or
        quasi-random, give energies distributed as the flux.

        Raises
        ------
        ConfigError
            If a fraction is outside [0, 1].
        """

    def sample(self, n: int, *, rng: RNGLike = None) -> FloatArray:
        """Draw `n` energies [GeV], distributed as the flux.

        Parameters
        ----------
        n
            How many.
        rng
            Generator, seed or None, see `siren_py.rng.as_generator`.

        Returns
        -------
        ndarray
            Shape (n,).
        """
        return self.quantile(as_generator(rng).random(n))

    @abstractmethod
    def scaled(self, factor: float) -> Flux:
        """Return the same flux times a positive number, `factor`.

        Raises
        ------
        ConfigError
            If the factor is not a positive, finite number.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return what identifies the flux, for the provenance of a file (plain types only)."""

    def _common_dict(self, kind: str) -> dict[str, Any]:
        return {
            "kind": kind,
            "name": self.name,
            "pdg": self.pdg,
            "flavor": self.flavor,
            "mode": self.mode,
            "integral": self.integral,
            "integral_unit": "1/(cm2 POT)",
            **self.source,
        }

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Draw the spectrum [1/(GeV cm2 POT)]; see `siren_py.plot.draw_flux`.

        Parameters
        ----------
        ax
            Axes to draw into, e.g. those of another flux; new ones if None.
        **style
            Passed to matplotlib.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from siren_py.plot import draw_flux

        return draw_flux(self, ax, **style)

    def peek(self) -> Any:
        """Draw the spectrum around its peak and on logarithmic axes; returns both axes."""
        from siren_py.plot import peek_flux

        return peek_flux(self)

    def _repr_html_(self) -> str:
        from siren_py.notebook.results import flux_html

        return flux_html(self)

    def _label(self) -> str:
        return " ".join(part for part in (self.name, self.mode, self.flavor) if part)


def _check_pdg(pdg: int, any_pdg: bool) -> None:
    if not any_pdg and pdg not in _FLAVOR_OF:
        raise ConfigError(
            f"The PDG code {pdg!r} is not that of a neutrino "
            f"({', '.join(f'{f} {p}' for f, p in FLAVORS.items())}). If that is meant, pass "
            "any_pdg=True."
        )
