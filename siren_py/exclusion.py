"""From scans to limits: what an analysis excludes, observed or expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import ArrayLike, FloatArray, IntArray, PathLike
from siren_py.errors import ConfigError
from siren_py.injection.signal import ModelLike
from siren_py.limits import LEAST, Limit
from siren_py.progress import ProgressLike
from siren_py.resources import detector_provenance, load_detector
from siren_py.scan import Request, Scan, as_grid, scan
from siren_py.simulation import Simulation

if TYPE_CHECKING:
    from siren_py.analysis import Analysis
    from siren_py.channel import Channel
    from siren_py.counting import Counting
    from siren_py.detector import DetectorModel
    from siren_py.sample import Sample

_SHARE = 0.02
"""Step in the shares of channels between which expected limits do not differ noticeably."""


def limit_from_scan(
    expected: Scan,
    counting: Counting,
    *,
    coupling: str = "d_mu",
    statistic: str = "cls",
    cl: float = 0.9,
    name: str = "",
    expectation: bool = False,
) -> Limit:
    """Compare the expected events of a scan with the data.

    Parameters
    ----------
    expected
        Expected events by channel.
    counting
        Data and backgrounds, one bin per channel of the scan.
    coupling
        Name of the scanned coupling.
    statistic, cl
        Name of the statistic, see `siren_py.counting`, and confidence level.
    name
        What was analysed.
    expectation
        Take the median limit that background alone would give, with its bands, instead of the
        data; always so for an experiment that has not observed anything yet.

    Raises
    ------
    ConfigError
        If the scan is not complete.
    UnknownNameError
        If a channel of the scan is no bin of the data.
    """
    from siren_py.counting import expected_limits, upper_limit

    if not expected.finished.all():
        raise ConfigError("The scan is not complete; run it again with the same file to go on.")
    bins = counting.select(*expected.channels)
    bands: dict[str, FloatArray] = {}
    if expectation or bins.observed is None:
        shares, which, total = _compositions(expected.values)
        found = expected_limits(shares, bins, statistic=statistic, cl=cl)._asdict()
        per_point = {k: np.asarray(v)[which] / total for k, v in found.items()}
        mu = per_point.pop("median")
        bands = {k: _exclusion(v) for k, v in per_point.items()}
    else:
        mu = upper_limit(expected.values, bins, statistic=statistic, cl=cl)
    exclusion = _exclusion(mu)
    total = np.maximum(expected.total, LEAST)
    error = exclusion * np.minimum(expected.total_error / total, 1.0)
    return Limit(
        expected.masses, expected.couplings, exclusion, error, coupling, cl, statistic, name,
        bands, expected,
    )  # fmt: skip


def _compositions(values: FloatArray) -> tuple[FloatArray, IntArray, FloatArray]:
    """Return the shares of the channels that occur, which of them each point has, and totals.

    An expected limit takes many pseudo-experiments, but it depends on a signal only through its
    shares, and weakly: these are rounded to 2 %. Points without signal have an infinite limit.
    """
    total = values.sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(total[..., None] > 0.0, values / total[..., None], 0.0)
    rounded = np.round(shares / _SHARE) * _SHARE
    found, which = np.unique(rounded.reshape(-1, values.shape[2]), axis=0, return_inverse=True)
    norm = np.maximum(found.sum(axis=1, keepdims=True), LEAST)
    return found / norm, which.reshape(total.shape), np.maximum(total, LEAST)


def _exclusion(mu: FloatArray) -> FloatArray:
    """1/mu, and 0 where no signal is expected."""
    finite = np.isfinite(mu)
    return np.where(finite, 1.0 / np.maximum(np.where(finite, mu, 1.0), LEAST), 0.0)


def model_family(model: ModelLike, coupling: str) -> Callable[[float, float], ModelLike]:
    """Return the function (mass, value of `coupling`) -> model that a scan needs.

    Parameters
    ----------
    model
        A model that is a dataclass with `mass` and `coupling`; everything else stays.
    coupling
        Name of the coupling.

    Raises
    ------
    ConfigError
        If the model has no such parameters.
    """
    for parameter in ("mass", coupling):
        if not hasattr(model, parameter):
            raise ConfigError(
                f"{type(model).__name__} has no parameter {parameter!r} to scan. Give `coupling` "
                "one of its couplings, or pass a function (mass, coupling) -> model."
            )

    def family(mass: float, value: float) -> ModelLike:
        changed: ModelLike = replace(model, mass=mass, **{coupling: value})  # type: ignore[type-var]
        return changed

    return family


def find_limit(
    analysis: Analysis | str,
    model: ModelLike | Callable[[float, float], ModelLike],
    masses: ArrayLike,
    couplings: ArrayLike,
    *,
    coupling: str = "d_mu",
    statistic: str | None = None,
    cl: float | None = None,
    expectation: bool = False,
    precision: float = 0.02,
    max_attempts: int = 500_000,
    seed: int = 1,
    workers: int = 1,
    progress: ProgressLike = None,
    path: PathLike | None = None,
) -> Limit:
    """Simulate a plane of masses and couplings for an analysis and find what it excludes.

    Parameters
    ----------
    analysis
        An analysis or its name, see `siren_py.analysis_names`.
    model
        A model whose mass and coupling are replaced (``DipolePortal(mass=0.1, d_mu=1e-7)``), or
        a function (mass, coupling) -> model.
    masses, couplings
        The grid, (m,) [GeV] and (k,), increasing.
    coupling
        Name of the coupling.
    statistic, cl
        Statistic and confidence level; those of the analysis by default.
    expectation
        As for `limit_from_scan`.
    precision, max_attempts, seed, workers, progress, path
        As for `siren_py.scan.scan`.

    Returns
    -------
    Limit
        What is excluded, with edges and contours.

    Raises
    ------
    ConfigError, UnknownNameError
        If a name does not exist or the grid makes no sense.

    Examples
    --------
    >>> import numpy as np
    >>> import siren_py as sp
    >>> limit = sp.find_limit(
    ...     "t2k-2019-dipole",
    ...     sp.DipolePortal(mass=0.15, d_mu=1e-6),
    ...     masses=[0.15],
    ...     couplings=np.geomspace(3e-7, 3e-6, 5),
    ...     precision=0.2,
    ...     progress=False,
    ... )
    >>> bool(5e-7 < limit.lower[0] < 2e-6)
    True
    """
    from siren_py.analysis import load_analysis

    chosen = load_analysis(analysis) if isinstance(analysis, str) else analysis
    family = model_family(model, coupling) if isinstance(model, ModelLike) else model
    first = float(np.atleast_1d(np.asarray(masses, np.float64))[0])
    example = family(first, float(np.atleast_1d(np.asarray(couplings, np.float64))[0]))
    record = example.to_dict()
    detector = load_detector(chosen.detector)
    configuration: Mapping[str, Any] = {
        "analysis": _signal_record(chosen, detector),
        "coupling": coupling,
        "model": {k: v for k, v in record.items() if k not in ("mass", coupling)},
    }
    known = _tabulated(chosen, family, masses, couplings, configuration)
    expected = known or scan(
        scan_requests(chosen, detector), family, masses, couplings, precision=precision,
        max_attempts=max_attempts, seed=seed, workers=workers, progress=progress, path=path,
        configuration=configuration,
    )  # fmt: skip
    return limit_from_scan(
        expected,
        chosen.counting(),
        coupling=coupling,
        statistic=chosen.statistic if statistic is None else statistic,
        cl=chosen.cl if cl is None else cl,
        name=chosen.name,
        expectation=expectation,
    )


def _tabulated(
    analysis: Analysis,
    family: Callable[[float, float], ModelLike],
    masses: ArrayLike,
    couplings: ArrayLike,
    configuration: Mapping[str, Any],
) -> Scan | None:
    """Return the signal of an analysis that has it in tables; None if it must be simulated."""
    m, g = as_grid("masses", masses), as_grid("couplings", couplings)
    if analysis.tabulated_signal(family(float(m[0]), float(g[0]))) is None:
        return None
    values = np.array(
        [[analysis.tabulated_signal(family(float(a), float(b))) for b in g] for a in m],
        dtype=np.float64,
    )
    exact = np.full(values.shape[:2], np.inf)
    return Scan(
        m, g, analysis.names, values, np.zeros_like(values), exact, np.zeros(m.size), configuration
    )


def _signal_record(analysis: Analysis, detector: DetectorModel) -> dict[str, Any]:
    """Return what determines the signal of an analysis: its scan serves other data as well."""
    channels = {
        channel.name: {
            k: v for k, v in channel.to_dict().items() if k not in ("observed", "background")
        }
        for channel in analysis.channels
    }
    where = detector_provenance(detector)
    return {"name": analysis.name, "detector": where, "channels": channels}


def scan_requests(analysis: Analysis, detector: DetectorModel | None = None) -> list[Request]:
    """Return what has to be simulated for an analysis, with what each event counts for.

    `detector` is that of the analysis, if it is loaded already.
    """
    detector = load_detector(analysis.detector) if detector is None else detector
    requests = []
    for wanted in analysis.requests():
        channels = [
            c for c in analysis.channels if (c.region, c.decay) == (wanted.region, wanted.decay)
        ]

        def simulate(model: ModelLike, wanted: Any = wanted) -> Simulation:
            fluxes = list(wanted.fluxes)
            return Simulation(detector, fluxes, model, decay=wanted.decay, region=wanted.region)

        def accept(sample: Sample, channels: list[Channel] = channels) -> FloatArray:
            return np.array([c.acceptance(sample) for c in channels])

        requests.append(Request(simulate, accept, tuple(c.name for c in channels)))
    return requests
