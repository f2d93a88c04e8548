"""Fig. 4 of arXiv:2412.15051: as published (`LIU2024`), as physics has it (`PHYSICAL`), between.

A configuration is a list of choices. `LIU2024` has every choice of the published calculation, some
of which are not physical (see `siren_py.experiments.liu2024_compat`); `PHYSICAL` is the default
everywhere. `STEPS` leads from one to the other by single changes.

Counts of e+e- pairs for any coupling d come from the same lines of flight per mass; see
`siren_py.experiments.liu2024_lines`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import ArrayLike, BoolArray, FloatArray
from siren_py.constants import HBARC
from siren_py.errors import ConfigError, unknown_name
from siren_py.experiments import liu2024_compat as compat
from siren_py.experiments import liu2024_inputs as inputs
from siren_py.experiments.liu2024_lines import Lines, Matter, draw_lines, trace
from siren_py.flux import Flux
from siren_py.resources import load_detector, load_script

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel
    from siren_py.sample import Sample

COUPLINGS = np.geomspace(3e-8, 1e-4, 43)
"""Couplings d [1/GeV] at which counts are computed; between them they are powers of d."""

MODES = ("fhc", "rhc")
DETECTORS = ("nd280", "upgrade")
WIDTHS = {"photon": inputs.photon_width, "total": inputs.total_width}
PUBLISHED_LEVEL = 1.3530
"""Signal events at the published limit: s - b ln(1 + s/b) = 1.645^2/2 with b = 0."""
POISSON_LEVEL = 2.9957
"""Signal events excluded at 95 % confidence when none is seen and none expected: -ln 0.05."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Choices that a limit rests on; the defaults are the physical ones.

    Attributes
    ----------
    name
        Name, for tables and files.
    survival
        Whether N has to survive up to the fiducial volume.
    forward_q2
        Whether Q2 has the too forward spectrum of SIREN with DarkNews.
    window
        Whether only vertices in SIREN's injection cylinder count.
    level
        Signal events at the limit.
    cut_on
        "pair": the cut on the angle to the beam is on the e+e- pair, which also has to have an
        opening angle below 90 degrees, as for T2K; "N": it is on N. T2K's efficiency knows such a
        cut for N of kaons, whose pairs point elsewhere: what is counted twice is not known.
    min_cosine
        Least cosine of that angle.
    branching_ratio
        "tree", or "published" (arccosh(1/r) instead of arccosh(1/2r)).
    width
        "total", or "photon" (nu gamma alone).
    cross_section
        "physical", "unblocked" or "darknews"; see `liu2024_compat.CROSS_SECTIONS`.
    flux_table
        "2020" or "2016", releases of the T2K flux.
    wrong_sign
        Whether antineutrinos in neutrino mode, and the reverse, are part of the beam.
    efficiency
        "official" (T2K's release, nearest mass outside), or "published" (lower of two digitised
        columns, constant outside).
    detector
        "as built" (``nd280``, ``nd280-upgrade``), or "siren" (``nd280-siren``) with the next four.
    gas, ecal, rock, soil
        Arguments of ``build`` in ``nd280_siren.py``.
    """

    name: str = "physical"
    survival: bool = True
    forward_q2: bool = False
    window: bool = False
    level: float = POISSON_LEVEL
    cut_on: str = "pair"
    min_cosine: float = 0.992
    branching_ratio: str = "tree"
    width: str = "total"
    cross_section: str = "physical"
    flux_table: str = "2020"
    wrong_sign: bool = True
    efficiency: str = "official"
    detector: str = "as built"
    gas: str = "published"
    ecal: str = "lead"
    rock: str = "published"
    soil: str = "published"

    def __post_init__(self) -> None:
        for key, known in (
            ("cut_on", ("pair", "N")),
            ("branching_ratio", ("tree", "published")),
            ("width", WIDTHS),
            ("cross_section", compat.CROSS_SECTIONS),
            ("flux_table", inputs.FLUX_TABLES),
            ("efficiency", ("official", "published")),
            ("detector", ("as built", "siren")),
        ):
            if getattr(self, key) not in known:
                raise unknown_name(f"choice of {key}", getattr(self, key), known)
        if not (np.isfinite(self.level) and self.level > 0.0):
            raise ConfigError(
                f"The level must be a positive number of events; it is {self.level!r}."
            )

    @property
    def unphysical(self) -> tuple[str, ...]:
        """What of the choices is known to be wrong, in words."""
        wrong = {
            "no survival up to the fiducial volume": not self.survival,
            "Q2 too far forward": self.forward_q2,
            "branching ratio 0.00107 too large": self.branching_ratio == "published",
        }
        return tuple(words for words, there in wrong.items() if there)

    def geometry(self, site: str) -> tuple[str, ...]:
        """Key of the geometry for "nd280" or "upgrade"."""
        if self.detector == "as built":
            return (site, "as built")
        return (site, self.gas, self.ecal, self.rock, self.soil)

    def to_dict(self) -> dict[str, Any]:
        """All choices as plain values."""
        return asdict(self)


LIU2024 = Configuration(
    name="liu2024",
    survival=False,
    forward_q2=True,
    window=True,
    level=PUBLISHED_LEVEL,
    cut_on="N",
    min_cosine=0.999,
    branching_ratio="published",
    width="photon",
    cross_section="darknews",
    flux_table="2016",
    wrong_sign=False,
    efficiency="published",
    detector="siren",
    gas="siren-v1",
    ecal="plastic",
    rock="siren",
    soil="siren",
)
"""Every choice of arXiv:2412.15051. The gas of the upgrade is not that of SIREN's file (a thousand
times too dense), with which the published counts do not follow."""

PHYSICAL = Configuration()
"""What siren_py holds for right."""

SLAB = replace(
    PHYSICAL, name="slab", detector="siren", ecal="plastic", rock="siren", soil="siren",
    efficiency="published", wrong_sign=False, width="photon", cut_on="N",
)  # fmt: skip
"""Physics right, matter as in SIREN's file but for the gas: for one-dimensional estimates."""

STEPS: Mapping[str, Mapping[str, Any]] = {
    "survival": {"survival": True},
    "injection volume": {"window": False},
    "Q2 spectrum": {"forward_q2": False},
    "statistic 1.353 to 3.0": {"level": POISSON_LEVEL},
    "cos cut": {"min_cosine": 0.992},
    "cut on the pair": {"cut_on": "pair"},
    "branching ratio": {"branching_ratio": "tree"},
    "width": {"width": "total"},
    "neutrons, Kelly form factors": {"cross_section": "unblocked"},
    "Pauli blocking": {"cross_section": "physical"},
    "gas": {"gas": "published"},
    "lead in the ECal": {"ecal": "lead"},
    "pit and bedrock length": {"rock": "published"},
    "density of the bedrock": {"soil": "published"},
    "flux of 2020": {"flux_table": "2020"},
    "wrong-sign flux": {"wrong_sign": True},
    "e+e- efficiency": {"efficiency": "official"},
    "detector as built": {"detector": "as built"},
}
"""Single changes from `LIU2024` to `PHYSICAL`, in the order of the ladder. Pauli blocking alone is
that of the protons, with the neutrons that come with it."""

CONFIGURATIONS = {"liu2024": LIU2024, "physical": PHYSICAL, "slab": SLAB}


def configuration(which: str | Configuration) -> Configuration:
    """Return a configuration by name; one that is given comes back."""
    if isinstance(which, Configuration):
        return which
    if which not in CONFIGURATIONS:
        raise unknown_name("configuration", which, CONFIGURATIONS)
    return CONFIGURATIONS[which]


# ---------------------------------------------------------------------- detectors


@cache
def detector(geometry: tuple[str, ...]) -> DetectorModel:
    """Return the detector of a key of `Configuration.geometry`."""
    site, *rest = geometry
    if site not in DETECTORS:
        raise unknown_name("detector", site, DETECTORS)
    if rest == ["as built"]:
        return load_detector("nd280" if site == "nd280" else "nd280-upgrade")
    options = dict(zip(("gas", "ecal", "rock", "soil"), rest, strict=True))
    built: DetectorModel = load_script("nd280-siren").build(version=site, **options)
    return built


def region(site: str) -> str:
    """Region that counts: the TPCs of ND280, all five after the upgrade."""
    return "tpc" if site == "nd280" else "all-tpc"


@cache
def _fluxes(table: str) -> dict[tuple[str, str], Flux]:
    return inputs.fluxes(table)


# ---------------------------------------------------------------------- rates


@dataclass(frozen=True)
class Counts:
    """Selected e+e- pairs per proton on target of each mode.

    Attributes
    ----------
    mass
        Mass of N [GeV].
    couplings
        Couplings d [1/GeV], (k,).
    value, error
        Counts and statistical errors, (k, modes) in the order of `MODES`.
    """

    mass: float
    couplings: FloatArray
    value: FloatArray
    error: FloatArray

    def at(self, pot: Mapping[str, float]) -> FloatArray:
        """Pairs for protons on target by mode, (k,)."""
        return np.asarray(self.value @ np.array([pot[mode] for mode in MODES]))


class MassPoint:
    """One mass: lines of flight, and the counts of configurations from them.

    Lines and traces are made when they are first needed and kept, so configurations share them.

    Parameters
    ----------
    mass
        Mass of N [GeV].
    site
        "nd280" or "upgrade".
    n
        Attempts for the lines.
    seed
        Seed.
    """

    def __init__(self, mass: float, site: str = "nd280", n: int = 10_000, seed: int = 1) -> None:
        if site not in DETECTORS:
            raise unknown_name("detector", site, DETECTORS)
        self.mass, self.site, self.n, self.seed = float(mass), site, n, seed
        self._lines: dict[bool, Lines] = {}
        self._matter: dict[Any, tuple[Lines, Matter]] = {}
        self._factors: dict[Any, FloatArray] = {}

    def lines(self, as_built: bool) -> Lines:
        """Lines for detectors of SIREN's boxes, or for the detector as built."""
        if as_built not in self._lines:
            choice = PHYSICAL if as_built else LIU2024
            self._lines[as_built] = draw_lines(
                detector(choice.geometry(self.site)), region(self.site), self.mass,
                inputs.sampling_flux(), self.n, self.seed,
            )  # fmt: skip
        return self._lines[as_built]

    def _traced(self, of: Configuration) -> tuple[Lines, Matter]:
        """Lines that pass the cut, with the matter on them."""
        key = (of.geometry(self.site), of.cut_on, of.min_cosine)
        if key not in self._matter:
            as_built = of.detector == "as built"
            lines = self.lines(as_built)
            passed = lines.take(_selected(lines, of))
            where = detector(of.geometry(self.site))
            self._matter[key] = passed, trace(passed, where, region(self.site))
        return self._matter[key]

    def counts(
        self,
        which: str | Configuration = "physical",
        couplings: ArrayLike = COUPLINGS,
        *,
        warn: bool = True,
    ) -> Counts:
        """Selected pairs per proton on target for couplings d [1/GeV].

        Warns
        -----
        CompatibilityWarning
            If the configuration has choices that are not physical.
        """
        by_box, squares, couplings = self.by_box(which, couplings, warn=warn)
        return Counts(self.mass, couplings, by_box.sum(axis=1), np.sqrt(squares))

    def by_box(
        self, which: str | Configuration, couplings: ArrayLike, *, warn: bool = True
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Counts per box (k, boxes, modes), squared errors of the sums (k, modes), couplings."""
        chosen = configuration(which)
        if warn and chosen.unphysical:
            compat.warn_compatibility(
                f"The configuration {chosen.name!r} has: {'; '.join(chosen.unphysical)}."
            )
        d = np.atleast_1d(np.asarray(couplings, dtype=np.float64))
        if not (np.isfinite(d) & (d > 0.0)).all():
            raise ConfigError(f"Couplings must be positive [1/GeV]; got {couplings!r}.")
        lines, matter = self._traced(chosen)
        factor = lines.weight[:, None] * self._line_factor(lines, chosen)
        unit_width = WIDTHS[chosen.width](self.mass)
        slow = np.sqrt(np.maximum(lines.energy**2 - self.mass**2, 0.0)) / self.mass * HBARC
        window = compat.WINDOWS[self.site]
        scale = self._scale(chosen)
        values = np.zeros((d.size, len(matter.boxes), len(MODES)))
        squares = np.zeros((d.size, len(MODES)))
        for i, one in enumerate(d):
            width = unit_width * one**2
            lengths = lines.lengths(width)
            # SIREN takes the range of N at the energy of the neutrino.
            limits = window.limits(lines, slow / width) if chosen.window else None
            count = matter.decays if chosen.survival else matter.decays_without_survival
            chance = count(lengths, limits)
            values[i] = one**2 * np.einsum("nb,nm->bm", chance, factor) * scale
            total = chance.sum(axis=1)[:, None] * factor * (one**2 * scale)
            squares[i] = (total**2).sum(axis=0)
        return values, squares, d

    def _scale(self, chosen: Configuration) -> FloatArray:
        """Branching ratio times efficiency, (modes,)."""
        if chosen.efficiency == "published":
            efficiency = np.full(len(MODES), float(inputs.published_efficiency(self.mass)))
        else:
            efficiency = np.array(
                [float(inputs.official_efficiency(self.mass, mode)) for mode in MODES]
            )
        if chosen.branching_ratio == "published":
            return efficiency * inputs.published_branching_ratio(self.mass)
        return efficiency * inputs.branching_ratio(self.mass)

    def _line_factor(self, lines: Lines, chosen: Configuration) -> FloatArray:
        """Flux [1/(GeV cm2 POT)] times factors of the cross section, (n, modes)."""
        as_built = chosen.detector == "as built"
        key = (
            chosen.forward_q2, chosen.cross_section, as_built, chosen.cut_on, chosen.min_cosine,
        )  # fmt: skip
        if key not in self._factors:
            ratio = compat.cross_section_factor(lines, chosen.cross_section)
            if chosen.forward_q2:
                ratio = ratio * compat.forward_factor(lines, chosen.cross_section)
            self._factors[key] = ratio
        flux = np.zeros((len(lines), len(MODES)))
        for (mode, flavor), one in _fluxes(chosen.flux_table).items():
            right = (mode == "fhc") == (flavor == "numu")
            if right or chosen.wrong_sign:
                flux[:, MODES.index(mode)] += one.density(lines.energy)
        return flux * self._factors[key][:, None]


def _selected(lines: Lines, chosen: Configuration) -> BoolArray:
    if chosen.cut_on == "N":
        return lines.cosine > chosen.min_cosine
    return (lines.pair_cosine > chosen.min_cosine) & (lines.opening_cosine > 0.0)


# ---------------------------------------------------------------------- events


def physical_at(sample: Sample, d: float) -> FloatArray:
    """Weights of a dipole sample at another coupling d_mu, survival and all, (n,).

    Exact; but where N lives much shorter than in the sample few events carry all the weight. The
    counts of `MassPoint` do not have this trouble; see `Sample.reweight`.

    Parameters
    ----------
    sample
        Events of `siren_py.DipolePortal` with d_mu alone.
    d
        Coupling [1/GeV].
    """
    model = sample.provenance["configuration"]["model"]
    old = float(model["d_mu"])
    if old == 0.0 or model["d_e"] != 0.0 or model["d_tau"] != 0.0:
        raise ConfigError(
            "Only samples with d_mu alone can be taken to another d_mu; this one has the "
            f"couplings d_e = {model['d_e']:g}, d_mu = {old:g}, d_tau = {model['d_tau']:g}."
        )
    return sample.reweight(d_mu=d).weights


def pot_sum(names: Sequence[str]) -> dict[str, float]:
    """Sum of `liu2024_inputs.POT` over exposures, by mode."""
    return {mode: sum(inputs.POT[name][mode] for name in names) for mode in MODES}
