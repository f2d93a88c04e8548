"""Simulation: the front door. Detector, flux and model in, weighted events out."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from siren_py._typing import ArrayLike, FloatArray, PathLike
from siren_py.errors import ConfigError, unknown_name
from siren_py.flux import FluxLike, parse_flux
from siren_py.flux.produced import PREFIX, ProducedFlux
from siren_py.injection.arrival import ArrivalInjector, arrives
from siren_py.injection.injector import BEAMS, PROPOSALS, Injector, describe
from siren_py.injection.signal import ModelLike, check_model
from siren_py.progress import ProgressLike
from siren_py.resources import detector_provenance, load_detector
from siren_py.runs.chunks import CHUNK_SIZE
from siren_py.sample import Sample
from siren_py.selection import CutLike, as_cut, evaluate_cut
from siren_py.weighting import exposure_by_flux

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel
    from siren_py.scan import Scan

UNITS = {
    "energy": "GeV",
    "length": "cm",
    "time": "ns",
    "weight": "expected events per proton on target",
}

FluxSpec = str | FluxLike | ProducedFlux
FluxSpecs = FluxSpec | Sequence[FluxSpec]


class Simulation:
    """Simulate upscattering and decay in a detector, or the decay of particles that arrive.

    Parameters
    ----------
    detector
        A `DetectorModel`, or the name or path of a detector script.
    flux
        A flux, its name (``"t2k-nd280:fhc:numu"``), or several of either; each keeps its own
        weights. Neutrinos interact; a flux of particles that decay in the model (those of
        `siren_py.flux.mesons`, or by name ``"mesons:fhc:K+:mu"``) arrives from the source of
        the beam, see `siren_py.injection.arrival`.
    model
        Masses, couplings and processes, e.g. `siren_py.DipolePortal`.
    decay
        Final state, e.g. ``"nu e+ e-"``: its branching ratio is in the weight, the lifetime is
        that of all open channels. None: all channels in their proportions.
    region
        Name of the region in which the decay has to lie; may be left out if the detector has
        only one.
    proposal
        How events are placed: ``"aimed"`` (lines through the region; efficient) or
        ``"forward"`` (line of sight first; an independent check). Rates do not depend on it.
    beam
        ``"parallel"`` (the flux of the table everywhere), or ``"source"``: rays from the line
        source that the detector's beam describes, with 1/r^2; see `siren_py.injection.rays`.

    Raises
    ------
    UnknownNameError
        If a detector, flux, region, decay or proposal does not exist.
    ConfigError, KinematicsError
        If the parts cannot work together, e.g. because the flux lies below threshold.

    Examples
    --------
    >>> import siren_py as sp
    >>> detector = sp.load_detector("nd280")
    >>> flux = sp.load_flux("t2k-nd280", mode="fhc", flavor="numu")
    >>> model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    >>> sim = sp.Simulation(detector, flux, model, decay="nu e+ e-", region="tpc")
    >>> sample = sim.run(1000, seed=1)
    >>> 0.0 < sample.expected(pot=12.34e20).value
    True
    """

    def __init__(
        self,
        detector: DetectorModel | str,
        flux: FluxSpecs,
        model: ModelLike,
        *,
        decay: str | None = None,
        region: str | None = None,
        proposal: str = "aimed",
        beam: str = "parallel",
    ) -> None:
        self.detector = load_detector(detector) if isinstance(detector, str) else detector
        self.model = check_model(model)
        self.fluxes = as_fluxes(flux, self.model)
        self.region = self._region(region)
        if proposal not in PROPOSALS:
            raise unknown_name("proposal", proposal, PROPOSALS)
        if beam not in BEAMS:
            raise unknown_name("kind of beam", beam, BEAMS)
        self._proposal, self._beam = proposal, beam
        self._decay = decay
        # Preparing takes a fraction of a second and finds every misfit before the run starts.
        self.injector: Injector | ArrivalInjector = self._injector(decay)
        channels = self.injector.signal.channels
        self.decay = decay if decay is None else channels[0]
        self.partial: Sample | None = None
        """What an interrupted `run` had made, from its first chunk on; None if it was not."""
        self.made = 0
        """Attempts that the last `run` made itself, those of earlier calls left out."""

    def _injector(self, decay: str | None) -> Injector | ArrivalInjector:
        arriving = [arrives(self.model, flux.pdg) for flux in self.fluxes]
        if not any(arriving):
            return Injector(
                self.detector, self.fluxes, self.model, self.region, decay,
                self._proposal, self._beam,
            )  # fmt: skip
        if not all(arriving):
            names = [describe(f) for f, a in zip(self.fluxes, arriving, strict=True) if a]
            raise ConfigError(
                f"Of the fluxes, {', '.join(names)} are of particles that decay themselves, the "
                "others are of neutrinos that interact first. Simulate the two by themselves and "
                "add what they expect."
            )
        return ArrivalInjector(
            self.detector, self.fluxes, self.model, self.region, decay, self._beam
        )

    def _region(self, region: str | None) -> str:
        known = self.detector.regions
        if region is None:
            if len(known) == 1:
                return next(iter(known))
            raise ConfigError(
                f"Say in which region of {self.detector.name!r} events count: region= one of "
                f"{', '.join(known) or '(the detector has no regions; add one)'}."
            )
        self.detector.region(region)
        return region

    def __repr__(self) -> str:
        fluxes = ", ".join(str(f["name"]) for f in self._flux_descriptions)
        return (
            f"Simulation({self.detector.name!r}, {fluxes}, {self.model!r}, decay={self.decay!r}, "
            f"region={self.region!r})"
        )

    def _repr_html_(self) -> str:
        from siren_py.notebook.results import simulation_html

        return simulation_html(self)

    @cached_property
    def _flux_descriptions(self) -> list[dict[str, Any]]:
        return [describe_flux(f) for f in self.fluxes]

    @property
    def configuration(self) -> dict[str, Any]:
        """Everything that determines the events, but for seed and number; plain data."""
        return {
            "detector": detector_provenance(self.detector),
            "beam": {"kind": self._beam, "direction": list(self.detector.beam.direction)},
            "fluxes": self._flux_descriptions,
            "model": self.model.to_dict(),
            "decay": self.decay,
            "region": self.region,
            "proposal": self._proposal,
            "driving": "random",
            "chunk_size": CHUNK_SIZE,
        }

    def run(
        self,
        n: int,
        *,
        seed: int | None = None,
        workers: int = 1,
        backend: Any = "threads",
        output: PathLike | None = None,
        checkpoint: PathLike | Literal[False] | None = None,
        resume: bool = False,
        chunks: tuple[int, int] | None = None,
        driving: str = "random",
        progress: ProgressLike = None,
    ) -> Sample:
        """Make `n` attempts and return the weighted events.

        Parameters
        ----------
        n
            Number of attempts.
        seed
            Seed, a non-negative integer; drawn by chance (and recorded) if None.
        workers
            Number of threads or processes. The events are the same, bit for bit, for any number.
        backend
            ``"threads"``; ``"processes"`` of this machine; or a `distributed.Client`, for the
            workers of a dask cluster, however many it has. The events are the same.
        output
            ROOT file to write, in bounded memory. While the run lasts, its finished chunks are
            kept beside it in the folder ``NAME.parts``.
        checkpoint
            Another folder for the finished chunks. Without `output` it stays, and the sample
            reads from it. False: no such folder; events go straight into the output, which takes
            less than half the disk, but a run that is killed starts anew.
        resume
            Go on from the finished chunks of an earlier call that did not come to its end,
            however it ended.
        chunks
            (first, end): make only the chunks from `first` to before `end` (each of
            `siren_py.simulation.CHUNK_SIZE` attempts) of the run of `n` attempts. The sample
            counts the attempts that it holds; `siren_py.runs.merging.merge` joins samples.
        driving
            ``"random"``, or ``"sobol"``: scrambled Sobol nets, one per chunk. Expectations stay,
            errors come from the spread of the chunks and are smaller; take four whole chunks
            (of `siren_py.simulation.CHUNK_SIZE` attempts) or more. See `siren_py.driving`.
        progress
            None or True: a bar if the error stream is a terminal; False: silence; or a
            function that is called with (done, total) attempts.

        Returns
        -------
        Sample
            Events with weights in expected events per proton on target.

        Raises
        ------
        UnknownNameError
            If there is no such driving or backend.
        ConfigError
            If an argument is out of range, or the folder of finished chunks is that of another
            run, or of this one but `resume` is False.
        OutputError
            If a file cannot be written; finished chunks stay.
        WeightError
            If a process gives a weight that is NaN, infinite or negative.
        WorkerError
            If processes or workers of a cluster are lost again and again; finished chunks stay.
        KeyboardInterrupt
            If it is interrupted. The sample of the attempts made so far, from the first chunk
            on, is then in `partial`, and with `output` in the file ``NAME.partial.root``.

        Examples
        --------
        >>> import siren_py as sp
        >>> model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
        >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
        >>> first = sim.run(40_000, seed=1, chunks=(0, 1))
        >>> first.n_attempts
        16384
        """
        from siren_py.runs.running import Request, run

        request = Request(
            n, seed, workers, backend, output, checkpoint, resume, chunks, progress, driving
        )
        return run(self, request)

    @cached_property
    def fingerprint(self) -> str:
        """Hash that tells apart runs whose events must not be mixed."""
        from siren_py.runs.running import fingerprint

        return fingerprint(self)

    def scan(
        self,
        masses: ArrayLike,
        couplings: ArrayLike,
        *,
        coupling: str = "d_mu",
        pot: float | Mapping[str, float] = 1.0,
        cut: CutLike | None = None,
        regions: Sequence[str] | None = None,
        precision: float = 0.01,
        max_attempts: int = 1_000_000,
        seed: int = 1,
        workers: int = 1,
        progress: ProgressLike = None,
        path: PathLike | None = None,
    ) -> Scan:
        """Compute expected events over a plane of masses and couplings.

        Detector, fluxes, decay and region are those of this simulation; mass and coupling of its
        model are replaced. Without a cut, lines through all regions serve many couplings at once
        (see `siren_py.scan_lines`); with one, events of one coupling serve its neighbours by
        exact reweighting.

        Parameters
        ----------
        masses, couplings
            The grid, (m,) [GeV] and (k,), increasing.
        coupling
            Name of the coupling of the model.
        pot
            Protons on target, or a mapping by beam mode.
        cut
            Cut that the events must pass.
        regions
            Names of regions, each a channel of the result; the region of this simulation by
            default.
        precision
            Largest relative statistical error of a point, in each region.
        max_attempts
            Attempts after which a point keeps the error that it has.
        seed, workers, progress
            As for `run`.
        path
            File (npz) in which the scan is kept and from which an interrupted one goes on.

        Returns
        -------
        Scan
            Values, errors and effective sizes, (m, k).

        Raises
        ------
        ConfigError
            If the grid makes no sense, the model has no such coupling, or `path` holds another
            scan.

        Examples
        --------
        >>> import siren_py as sp
        >>> model = sp.DipolePortal(mass=0.1, d_mu=1e-7)
        >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
        >>> scan = sim.scan([0.1, 0.2], [1e-7, 1e-6], pot=1e21, precision=0.1)
        >>> scan.total.shape
        (2, 2)
        """
        from siren_py.exclusion import model_family
        from siren_py.scan import LineRequest, Request, scan

        # Fluxes that the model makes are made anew for each.
        fluxes = [getattr(f, "production", None) or f for f in self.fluxes]

        def simulate(model: ModelLike, region: str) -> Simulation:
            return Simulation(
                self.detector, fluxes, model, decay=self._decay, region=region,
                proposal=self._proposal, beam=self._beam,
            )  # fmt: skip

        channels = {"events": self.region} if regions is None else {r: r for r in regions}
        for region in channels.values():
            self.detector.region(region)

        chosen = None if cut is None else as_cut(cut)

        def accept(sample: Sample) -> FloatArray:
            counted = exposure_by_flux(pot, sample.lookup["fluxes"])[sample["flux"]]
            passed = True if chosen is None else evaluate_cut(chosen, sample)
            return np.asarray(counted * passed)[None, :]

        # What scans are driven by does not change.
        configuration = {k: v for k, v in self.configuration.items() if k != "driving"}
        configuration["model"] = {
            k: v for k, v in self.model.to_dict().items() if k not in ("mass", coupling)
        }
        if regions is not None:
            configuration["regions"] = list(channels)
        configuration |= {
            "coupling": coupling,
            "pot": dict(pot) if isinstance(pot, Mapping) else float(pot),
            "cut": None if chosen is None else chosen.name,
        }
        requests: list[Request | LineRequest] = [LineRequest(simulate, channels, pot)]
        if chosen is not None:
            requests = [
                Request(partial(simulate, region=r), accept, (c,)) for c, r in channels.items()
            ]
        return scan(
            requests,
            model_family(self.model, coupling),
            masses, couplings, precision=precision, max_attempts=max_attempts, seed=seed,
            workers=workers, progress=progress, path=path, configuration=configuration,
        )  # fmt: skip

    @property
    def names(self) -> dict[str, Any]:
        """Lists of names that the integer columns of the events refer to."""
        return {**self.injector.names(), "fluxes": self._flux_descriptions}

    def provenance(self, seed: int, n: int) -> dict[str, Any]:
        """Return what is written into every output of a run of `n` attempts with `seed`."""
        from siren_py import __version__

        return {
            "siren_py": __version__,
            "configuration": self.configuration,
            "seed": int(seed),
            "n_attempts": n,
            "units": UNITS,
            "normalisation": "weight = expected events per proton on target; multiply by POT",
            "invariants": self.injector.invariants,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def describe_flux(flux: FluxLike) -> dict[str, Any]:
    """Return name, mode, pdg and integral of a flux, and what it says of itself."""
    own = flux.to_dict() if hasattr(flux, "to_dict") else {}
    description = {
        "name": describe(flux),
        "mode": getattr(flux, "mode", None),
        "pdg": int(flux.pdg),
        "integral": float(flux.integral),
    }
    return {**own, **description}


def as_fluxes(flux: FluxSpecs, model: object = None) -> list[FluxLike]:
    """Return a list of fluxes from whatever a user may give.

    Parameters
    ----------
    flux
        Names, fluxes, or a `ProducedFlux`, which `model` turns into a flux.
    model
        The model, where fluxes follow from it.

    Raises
    ------
    ConfigError
        If it is something else, nothing, or two fluxes have the same name.
    """
    found: list[FluxLike] = []
    for item in _flux_specs(flux):
        if isinstance(item, ProducedFlux):
            found.append(item.for_model(model))
        elif isinstance(item, str):
            found.extend(parse_flux(item))
        else:
            found.append(item)
    if not found:
        raise ConfigError("Give at least one flux, e.g. 't2k-nd280:fhc:numu'.")
    names = [describe_flux(f)["name"] for f in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"Two fluxes are called {name!r}; their events could not be told apart. Give "
                "each its own name."
            )
    return found


def _flux_specs(flux: FluxSpecs) -> list[str | FluxLike | ProducedFlux]:
    """Return what was given as a list of names of tables, fluxes and fluxes of a model."""
    several = isinstance(flux, Iterable) and not isinstance(flux, str | FluxLike)
    items: list[Any] = list(flux) if several else [flux]  # type: ignore[arg-type]
    for i, item in enumerate(items):
        if isinstance(item, str):
            if item.startswith(f"{PREFIX}:"):
                items[i] = ProducedFlux.parse(item)
        elif not isinstance(item, FluxLike | ProducedFlux):
            raise ConfigError(
                f"A flux needs `pdg`, `integral`, `density(energy)` and `sample(n, rng=)`; "
                f"got {item!r}. Use siren_py.load_flux or siren_py.Flux.from_histogram."
            )
    return items


def flux_names_and_modes(flux: FluxSpecs) -> list[tuple[str, str]]:
    """Return name and beam mode of each flux, also of those that need a model to be made."""
    result: list[tuple[str, str]] = []
    for item in _flux_specs(flux):
        if isinstance(item, ProducedFlux):
            result.append((item.name, item.mode))
        else:
            known = [describe_flux(f) for f in as_fluxes(item)]
            result += [(str(f["name"]), str(f["mode"])) for f in known]
    return result
