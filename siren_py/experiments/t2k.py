"""Analyses of T2K's near detector: N from upscattering that decays in the TPCs or in FGD1.

None of these searches was made by T2K for upscattered N. They take T2K's data, backgrounds and
efficiencies of another search over, which their ``notes`` spell out; every choice is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from siren_py.analysis import Analysis
from siren_py.channel import Channel
from siren_py.efficiency import Efficiency
from siren_py.errors import ConfigError, unknown_name
from siren_py.estimate import Estimate
from siren_py.experiments.t2k_release import BEAMS, EXPOSURE, SELECTIONS, SOURCE, release
from siren_py.selection import Cut, beam_cosine_above, momentum_above, opening_angle_below

ELECTRON, POSITRON = 11, -11

FLUX_ERROR = 0.10
"""Relative error of the neutrino flux at ND280 without a fit to ND280's own data.

About 10 % around the peak for the flux tables in use, which are tuned to thin-target data (T2K,
Phys. Rev. D 91, 072010 (2015), rounded [unverified]). After T2K's fit it is about 5 %, but the
tables do not include that fit."""

PAIR_COSINE = 0.992
"""Cosine between e+e- pair and beam: T2K 2019 for e+e-, as quoted in arXiv:2205.12273."""
PAIR_ANGLE = np.pi / 2
"""Largest opening angle of the pair [rad]: T2K 2019, as quoted in arXiv:2412.15051."""
PAIR_MOMENTUM = 0.15
"""Smallest momentum of the pair [GeV]: arXiv:2205.12273, which recasts the same data."""

EFFICIENCY_SCATTER = 0.06
"""Relative statistical error of the tabulated e+e- efficiencies: the root mean square distance of a
point from the mean of its neighbours is 4 to 7 % of the efficiency, that mean's own scatter
taken off."""

# Before the upgrade ND280 took these; each mode is to have 1e22 in all (arXiv:2412.15051).
TOTAL_EXPOSURE = 1e22
BEFORE_UPGRADE: Mapping[str, float] = {"fhc": 19.7e20, "rhc": 16.3e20}

# Fiducial volumes: three old TPCs 1.70 x 1.96 x 0.563 m (T2K 2019) and two high-angle TPCs
# 1.59 x 0.27 x 1.71 m (arXiv:2412.15051, where the labels are swapped).
OLD_TPC_VOLUME, HIGH_ANGLE_TPC_VOLUME = 1.70 * 1.96 * 0.563, 1.59 * 0.27 * 1.71
UPGRADE_SIZES: Mapping[str, float] = {
    "count": (3 + 2) / 3,
    "volume": (3 * OLD_TPC_VOLUME + 2 * HIGH_ANGLE_TPC_VOLUME) / (3 * OLD_TPC_VOLUME),
}
"""TPCs after the upgrade relative to before, by number and by fiducial volume."""


def pair_efficiency(beam: str, outside: str = "error") -> Efficiency:
    """T2K's efficiency for e+e- pairs of the 2019 search, by mass of N.

    At each mass the smaller of those for K -> mu N and K -> e N, N -> nu_e e+ e-; above 0.38 GeV
    K -> mu N is closed and K -> e N stands alone. The smaller of two scattered numbers is on
    average about half a standard error, 3 %, low.

    Parameters
    ----------
    beam
        ``"fhc"`` or ``"rhc"``.
    outside
        What holds outside 0.14 to 0.49 GeV; see `Efficiency`.
    """
    data = release()
    rows = [i for i, m in enumerate(data.modes) if m.decay == "nu_e e+ e-"]
    values = data.efficiencies[rows, SELECTIONS.index("e+ e-"), BEAMS.index(beam)]
    lowest = np.where(values > 0.0, values, np.inf).min(axis=0)
    return Efficiency(
        "mass",
        data.masses,
        lowest,
        EFFICIENCY_SCATTER * lowest,
        outside=outside,
        source=f"e+e- pairs of T2K 2019, {beam}",
    )


def pair_cuts(
    cosine: float = PAIR_COSINE, opening_angle: float = PAIR_ANGLE, momentum: float = PAIR_MOMENTUM
) -> tuple[Cut, ...]:
    """Cuts on an e+e- pair: direction with respect to the beam, opening angle [rad], p [GeV]."""
    pair = (ELECTRON, POSITRON)
    return (
        momentum_above(pair, momentum),
        opening_angle_below(*pair, opening_angle),
        beam_cosine_above(pair, cosine),
    )


def t2k_fluxes(beam: str, flavors: Sequence[str]) -> tuple[str, ...]:
    """Names of the fluxes at ND280 of one beam mode."""
    return tuple(f"t2k-nd280:{beam}:{flavor}" for flavor in flavors)


_PAIR_NOTES = (
    "Data, background and efficiency are those of T2K's search for N from kaon decays (2019).",
    "The efficiency is known for 0.14 to 0.49 GeV and for pairs from N -> nu_e e+ e- through weak "
    "currents. Pairs from a dipole have smaller opening angles; what that does to the efficiency "
    "is not known.",
    "The efficiency includes the selection of T2K; the cuts come on top, as in the literature.",
)


def dipole_2019(
    *,
    outside: str = "error",
    flavors: Sequence[str] = ("numu", "numubar"),
    cosine: float = PAIR_COSINE,
    opening_angle: float = PAIR_ANGLE,
    momentum: float = PAIR_MOMENTUM,
) -> Analysis:
    """e+e- pairs in the three TPCs, with the data of T2K's search of 2019.

    Parameters
    ----------
    outside
        What the efficiency is outside 0.14 to 0.49 GeV: ``"error"``, ``"nearest"`` or ``"zero"``.
    flavors
        Flavours of the flux in both beam modes; the wrong sign belongs to it.
    cosine, opening_angle, momentum
        Cuts on the pair, see `pair_cuts`.
    """
    data = release()
    pairs = SELECTIONS.index("e+ e-")
    channels = tuple(
        Channel(
            name=beam,
            region="tpc",
            decay="nu e+ e-",
            fluxes=t2k_fluxes(beam, flavors),
            exposure={beam: EXPOSURE[beam]},
            cuts=pair_cuts(cosine, opening_angle, momentum),
            efficiency=pair_efficiency(beam, outside),
            observed=float(data.observed[b, pairs]),
            background=Estimate(
                float(data.background[b, pairs]), float(data.background_error[b, pairs])
            ),
        )
        for b, beam in enumerate(BEAMS)
    )
    return Analysis(
        "t2k-2019-dipole",
        "nd280",
        channels,
        {"flux": FLUX_ERROR},
        source=SOURCE,
        notes=_PAIR_NOTES,
    )


def dipole_upgrade(
    *,
    background: str | float = "count",
    outside: str = "error",
    flavors: Sequence[str] = ("numu", "numubar"),
    cosine: float = PAIR_COSINE,
    opening_angle: float = PAIR_ANGLE,
    momentum: float = PAIR_MOMENTUM,
) -> Analysis:
    """e+e- pairs in all five TPCs of the upgraded ND280: a projection without data.

    Each mode has 1e22 protons on target less what ND280 took before the upgrade (19.7e20 and
    16.3e20; arXiv:2412.15051). The background of 2019 is scaled with the exposure and the TPCs.

    Parameters
    ----------
    background
        How the background grows with the TPCs: ``"count"``, 5/3 as in arXiv:2412.15051;
        ``"volume"``, 1.26; or the factor itself.
    outside, flavors, cosine, opening_angle, momentum
        As in `dipole_2019`.
    """
    if isinstance(background, str) and background not in UPGRADE_SIZES:
        raise unknown_name(
            "way to scale the background", background, UPGRADE_SIZES, "Or give the factor."
        )
    size = UPGRADE_SIZES[background] if isinstance(background, str) else float(background)
    if not (np.isfinite(size) and size >= 0.0):
        raise ConfigError(f"The factor of the background must not be negative; it is {size}.")
    before = dipole_2019(
        outside=outside, flavors=flavors, cosine=cosine, opening_angle=opening_angle,
        momentum=momentum,
    )  # fmt: skip
    channels = []
    for old in before.channels:
        exposure = TOTAL_EXPOSURE - BEFORE_UPGRADE[old.name]
        scale = size * exposure / EXPOSURE[old.name]
        channels.append(
            Channel(
                name=old.name,
                region="all-tpc",
                decay=old.decay,
                fluxes=old.fluxes,
                exposure={old.name: exposure},
                cuts=old.cuts,
                efficiency=old.efficiency,
                background=Estimate(scale * old.background.value, scale * old.background.error),
            )
        )
    return Analysis(
        "t2k-upgrade-dipole",
        "nd280-upgrade",
        tuple(channels),
        before.systematics,
        source=f"arXiv:2412.15051 (exposures); {SOURCE}",
        notes=(
            *_PAIR_NOTES,
            "Efficiency and background per TPC of 2019 are taken over for the high-angle TPCs.",
        ),
    )


# Events in the distribution of the e+e- mass, 0 to 0.14 GeV, of converted photons in FGD1 (T2K,
# arXiv:1902.03848), read off the figure. It shows 60 bins of 7/3 MeV as events per 5 MeV: the data
# stand at multiples of 15/7 within the accuracy of reading, so that the sum over 15/7 counts
# events. Good to 1 or 2 %.
FGD_PHOTONS_OBSERVED = 521
FGD_PHOTONS_EXPECTED = 541.3


def fgd_photon(
    *,
    efficiency: float = 0.1,
    efficiency_error: float = 0.023,
    background_error: float = 0.23,
    flavors: Sequence[str] = ("numu", "numubar"),
) -> Analysis:
    """Single photons born in FGD1, with T2K's sample of converted photons.

    One bin: the photons of N and those of neutral pions convert alike and both pile up at small
    e+e- masses, so that the published mass distribution does not tell them apart.

    Parameters
    ----------
    efficiency, efficiency_error
        Fraction of photons that convert in FGD1 and are selected, and its error: assumed, not
        measured (arXiv:2205.12273 takes 0.1, with 23 %).
    background_error
        Relative error of the expected background (23 %: arXiv:2205.12273).
    flavors
        Flavours of the flux.
    """
    channel = Channel(
        name="fhc",
        region="fgd1",
        decay="nu gamma",
        fluxes=t2k_fluxes("fhc", flavors),
        exposure={"fhc": 5.738e20},
        efficiency=Efficiency(
            lambda sample: sample.momenta(22)[:, 0],
            [0.0],
            [efficiency],
            [efficiency_error],
            outside="nearest",
            source="assumed the same for all photon energies, arXiv:2205.12273",
        ),
        observed=FGD_PHOTONS_OBSERVED,
        background=Estimate(FGD_PHOTONS_EXPECTED, background_error * FGD_PHOTONS_EXPECTED),
    )
    return Analysis(
        "t2k-fgd-photon",
        "nd280",
        (channel,),
        {"flux": FLUX_ERROR},
        source="T2K, arXiv:1902.03848 (2019), digitised; arXiv:2205.12273",
        notes=(
            "The efficiency is an assumption of arXiv:2205.12273, the same for all energies.",
            "The 23 % of arXiv:2205.12273 stands for background and efficiency alike.",
            "Data read off a figure; good to 1 or 2 %.",
        ),
    )
