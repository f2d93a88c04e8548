"""Sample: the weighted events that a run returns, with everything needed to use them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from siren_py._typing import BoolArray, FloatArray, IntArray, PathLike
from siren_py.errors import ConfigError, unknown_name
from siren_py.estimate import Estimate
from siren_py.notebook.views import SampleViews
from siren_py.replicas import Replicas, replicas_of
from siren_py.report import Explanation, Summary, explain_event, summarise
from siren_py.selection import CutFlow, CutLike, as_cut, cut_flow, evaluate_cut
from siren_py.store import TableStore
from siren_py.tree import BEAM, FINAL, EventTable, concatenate, vertex_of
from siren_py.weighting import Sums, exposure_by_flux, product_of_factors, run_of

if TYPE_CHECKING:
    import awkward as ak
    import pandas as pd
    import polars as pl

    from siren_py.detector import DetectorModel
    from siren_py.flux import FluxLike
    from siren_py.injection.arrival import ArrivalInjector
    from siren_py.injection.injector import Injector
    from siren_py.injection.signal import ModelLike

KEYS = {
    "material": "materials",
    "volume": "volumes",
    "region": "regions",
    "target": "targets",
    "target_part": "parts",
    "channel": "channels",
    "flux": "fluxes",
}
"""What `Sample.by` can group by, and the list of names that belongs to it."""


class Sample(SampleViews):
    """Weighted events of one run, or of several combined.

    A sample is made by `siren_py.Simulation.run` or `siren_py.read_root`. Its events are held
    in tables of one chunk each, those beyond 256 MB on disk; all sums run over the tables, so
    memory does not grow with the number of events.

    Parameters
    ----------
    store
        Event tables.
    n_attempts
        Number of attempts N, those without an event included.
    names
        Lists of names that integer columns refer to: ``materials``, ``volumes``, ``regions``,
        ``parts``, ``channels``, ``processes``, ``targets`` (a mapping of PDG code to name) and
        ``fluxes`` (a list of descriptions).
    provenance
        Configuration, seed, versions: what is written into every output.
    injector
        What made the events, where that is known: for densities in combinations.
    model, fluxes, detector
        Model, fluxes and detector that the weights are for, where these are known as objects;
        those of the injector by default.

    Raises
    ------
    ConfigError
        If `n_attempts` is below 1.

    Examples
    --------
    >>> import siren_py as sp
    >>> model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    >>> sample = sim.run(1000, seed=1)
    >>> sample.weights.shape == (len(sample),)
    True
    """

    def __init__(
        self,
        store: TableStore,
        n_attempts: int,
        names: Mapping[str, Any],
        provenance: Mapping[str, Any],
        injector: Injector | ArrivalInjector | None = None,
        *,
        model: ModelLike | None = None,
        fluxes: Sequence[FluxLike] | None = None,
        detector: DetectorModel | None = None,
    ) -> None:
        if n_attempts < 1:
            raise ConfigError(f"A sample needs at least one attempt; it has {n_attempts}.")
        self._store = store
        self.n_attempts = int(n_attempts)
        self._names = dict(names)
        self.provenance = dict(provenance)
        self.injector = injector
        if injector is not None:
            model = injector.model if model is None else model
            fluxes = injector.fluxes if fluxes is None else fluxes
            detector = injector.detector if detector is None else detector
        self.model, self.detector = model, detector
        self.fluxes = None if fluxes is None else list(fluxes)

    # ---------------------------------------------------------------- size and access

    def __len__(self) -> int:
        return self._store.n_events

    def __repr__(self) -> str:
        expected = self.expected()
        return (
            f"<Sample: {len(self)} events from {self.n_attempts} attempts, "
            f"{expected.value:.4g} +- {expected.error:.2g} expected per POT>"
        )

    @property
    def n_events(self) -> int:
        """Number of events with a weight above zero."""
        return len(self)

    @property
    def attempts(self) -> IntArray:
        """Number of attempts of each run that went into the sample, shape (runs,)."""
        runs = self.provenance.get("combined")
        counts = [self.n_attempts] if runs is None else [r["n_attempts"] for r in runs]
        return np.array(counts, dtype=np.int64)

    @property
    def replicas(self) -> Replicas | None:
        """Chunks whose spread is the error of all sums; None if attempts are independent."""
        return replicas_of(self.provenance)

    @property
    def runs(self) -> IntArray | None:
        """Number of the run of each event, (n,), in a combined sample; None for a single run."""
        runs = [run_of(table) for table in self._store.events()]
        known = [r for r in runs if r is not None]
        return np.concatenate(known) if known else None

    def tables(self) -> Iterator[EventTable]:
        """Iterate over the event tables, one chunk at a time."""
        yield from self._store

    def portions(self) -> Iterator[Sample]:
        """Iterate over samples of one chunk each, with the same number of attempts N."""
        for table in self._store:
            yield self._with_table(table)

    def _with_table(self, table: EventTable) -> Sample:
        store = TableStore()
        store.append(table)
        return self._like(store, self.provenance)

    def _like(self, store: TableStore, provenance: Mapping[str, Any]) -> Sample:
        """Return a sample with other tables and all else the same."""
        return Sample(
            store, self.n_attempts, self._names, provenance, self.injector,
            model=self.model, fluxes=self.fluxes, detector=self.detector,
        )  # fmt: skip

    def table(self) -> EventTable:
        """Return all events in one table (loads everything into memory).

        Raises
        ------
        ConfigError
            If there is no table.
        """
        if len(self._store) == 0:
            raise ConfigError("The sample holds no table, not even an empty one.")
        return concatenate(list(self._store))

    @property
    def columns(self) -> list[str]:
        """Names of the event columns."""
        return ["weight", *self._store[0].events]

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Return the event column `name`, shape (n,)."""
        if name == "weight":
            return self.weights
        if name not in self._store[0].events:
            raise unknown_name("event column", name, self.columns)
        return np.concatenate([t.events[name] for t in self._store.events()])

    @property
    def weights(self) -> FloatArray:
        """Expected number of events per proton on target of each event, shape (n,)."""
        products = np.concatenate([product_of_factors(t) for t in self._store.events()])
        return np.asarray(products / self.n_attempts)

    def weights_at(self, pot: float | Mapping[str, float]) -> FloatArray:
        """Return the weights times the exposure `pot` of each event's flux, shape (n,)."""
        exposure = exposure_by_flux(pot, self._names["fluxes"])
        return np.concatenate([self._table_weights(t, exposure) for t in self._store.events()])

    def _table_weights(self, table: EventTable, exposure: FloatArray) -> FloatArray:
        return product_of_factors(table) * (exposure[table.events["flux"]] / self.n_attempts)

    def names(self, key: str) -> npt.NDArray[np.object_]:
        """Return the name of each event's `key`, e.g. ``names("material")``, shape (n,)."""
        labels = self._labels(key)
        index = np.concatenate([self._category(key, t) for t in self._store.events()])
        named: npt.NDArray[np.object_] = np.asarray(labels, dtype=object)[index]
        return named

    def _labels(self, key: str) -> list[str]:
        if key not in KEYS:
            raise unknown_name("grouping", key, KEYS)
        names = self._names[KEYS[key]]
        if key == "target":
            return [*names.values(), "none"]
        if key == "flux":
            return [str(f["name"]) for f in names]
        # One more for "none": index -1 points at the end of the list.
        return [*map(str, names), "none"]

    def _category(self, key: str, table: EventTable) -> IntArray:
        column = table.events[key].astype(np.int64)
        if key == "target":
            codes = np.array([int(c) for c in self._names["targets"]], dtype=np.int64)
            # One more for -1, "none": what arrives has no target.
            codes = np.append(codes, -1)
            order = np.argsort(codes)
            return np.asarray(order[np.searchsorted(codes[order], column)], np.int64)
        if key == "flux":
            return column
        return np.where(column < 0, len(self._names[KEYS[key]]), column)

    # ---------------------------------------------------------------- physics

    def momenta(self, pdg: int | None) -> FloatArray:
        """Return a four-momentum per event, shape (n, 4) as E, px, py, pz [GeV].

        Parameters
        ----------
        pdg
            PDG code of a final particle: the first one with this code, NaN where there is none;
            None for the beam particle.
        """
        return np.concatenate([_momenta(t, pdg) for t in self._store])

    def vertices(self, number: int = 0) -> FloatArray:
        """Return x, y, z [cm] and time [ns] of vertex `number`, shape (n, 4); NaN if none."""
        return np.concatenate([vertex_of(t, number) for t in self._store])

    def to_awkward(self) -> ak.Array:
        """Return the events as an awkward array of records with jagged particles and vertices.

        The particles are four-momenta of the library vector: with the extra ``vector`` they have
        ``mass``, ``pt``, ``eta``, ``deltaR`` and can be added.
        """
        from siren_py.io.arrays import events_of

        return events_of(self)

    def to_pandas(self, what: str = "events") -> pd.DataFrame:
        """Return a pandas data frame of `what`: ``"events"``, ``"particles"`` or ``"vertices"``.

        It has a row for each; integers that stand for names become categories. See
        `siren_py.io.frames` for columns and index.
        """
        from siren_py.io.frames import to_pandas

        return to_pandas(self, what)

    def to_polars(self, what: str = "events") -> pl.DataFrame:
        """Return a polars data frame of `what`; as `to_pandas`, with ``entry`` as a column."""
        from siren_py.io.frames import to_polars

        return to_polars(self, what)

    @property
    def events(self) -> ak.Array:
        """The events as an awkward array; see `to_awkward`."""
        return self.to_awkward()

    @property
    def particles(self) -> ak.Array:
        """The jagged particles as an awkward array of records."""
        return self.to_awkward()["particles"]

    # ---------------------------------------------------------------- sums

    def expected(
        self, pot: float | Mapping[str, float] = 1.0, cut: CutLike | None = None
    ) -> Estimate:
        """Expected number of events and its statistical error.

        Parameters
        ----------
        pot
            Protons on target; a mapping gives them per beam mode, ``{"fhc": ..., "rhc": ...}``.
        cut
            Cut (or several joined by ``&``), or its name, that the events must pass.

        Returns
        -------
        Estimate
            (value, error), the error from the spread of the weights over all attempts.

        Raises
        ------
        ConfigError
            If the exposure or the cut cannot be used.
        WeightError
            If a weight is NaN, infinite or negative.
        """
        exposure = exposure_by_flux(pot, self._names["fluxes"])
        sums = Sums(self.attempts, replicas=self.replicas)
        chosen = None if cut is None else as_cut(cut)
        for table in self._store.events() if chosen is None else self._store:
            weights = self._table_weights(table, exposure)
            if chosen is not None:
                weights = np.where(evaluate_cut(chosen, self._with_table(table)), weights, 0.0)
            sums.add(weights, run=run_of(table), event=table.events["event"])
        return sums.estimate()

    @property
    def effective_size(self) -> float:
        """Number of events of equal weight with the same relative error: (sum w)^2 / sum w^2."""
        sums = Sums(self.attempts)
        for table in self._store.events():
            sums.add(product_of_factors(table), run=run_of(table))
        return sums.effective_size

    def by(self, key: str, pot: float | Mapping[str, float] = 1.0) -> dict[str, Estimate]:
        """Expected number of events by category.

        Parameters
        ----------
        key
            ``"material"``, ``"volume"`` (of the first vertex), ``"region"``, ``"target"``,
            ``"target_part"``, ``"channel"`` or ``"flux"``.
        pot
            Protons on target, or a mapping by beam mode.

        Returns
        -------
        dict of str to Estimate
            Categories with events only, the largest first; the values add up to `expected`.
        """
        labels = self._labels(key)
        exposure = exposure_by_flux(pot, self._names["fluxes"])
        sums = Sums(self.attempts, len(labels), self.replicas)
        for table in self._store.events():
            weights = self._table_weights(table, exposure)
            sums.add(weights, self._category(key, table), run_of(table), table.events["event"])
        return sums.by_name(labels)

    def select(self, cut: CutLike) -> Sample:
        """Return the events that pass the cut; the number of attempts stays, so weights hold."""
        chosen = as_cut(cut)
        store = self._store.map(lambda t: t.take(evaluate_cut(chosen, self._with_table(t))))
        provenance = dict(self.provenance)
        provenance["cuts"] = [*provenance.get("cuts", []), chosen.name]
        return self._like(store, provenance)

    def cut_flow(self, cuts: Iterable[CutLike], pot: float | Mapping[str, float] = 1.0) -> CutFlow:
        """Apply cuts in order and count what is left for `pot`; see `siren_py.selection`."""
        return cut_flow(self, cuts, pot)

    def reweight(
        self,
        *,
        model: ModelLike | None = None,
        flux: FluxLike | Sequence[FluxLike] | None = None,
        detector: DetectorModel | str | None = None,
        **couplings: float,
    ) -> Sample:
        """Return the same events with exact weights of other couplings, model, flux or matter.

        Parameters
        ----------
        model
            Another model with the same particles and masses.
        flux
            A flux for each of the sample's, of the same flavours in the same order.
        detector
            A detector with the same volumes, region and beam, filled with other materials of
            the same nuclides; or the name of its script.
        **couplings
            Couplings by name, e.g. ``d_mu=2e-7`` [1/GeV]: those that change.

        Returns
        -------
        Sample
            Its `effective_size` tells what the events are still worth: nearly all of it towards
            shorter lives within a factor of ten in decay length, little towards longer ones.

        Raises
        ------
        ConfigError
            If masses or angular distributions differ, the other flux reaches beyond the
            sample's energies, the other detector has targets where the sample's has none, or
            the events do not reach far enough upstream.

        Examples
        --------
        >>> import siren_py as sp
        >>> model = sp.DipolePortal(mass=0.1, d_mu=2e-7)
        >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
        >>> sample = sim.run(1000, seed=1)
        >>> stronger = sample.reweight(d_mu=3e-7)
        >>> stronger.expected().value > sample.expected().value
        True
        """
        from siren_py.reweighting import reweight

        return reweight(self, model=model, flux=flux, detector=detector, **couplings)

    # ---------------------------------------------------------------- words

    def summary(self, pot: float | Mapping[str, float] = 1.0) -> Summary:
        """Return for `pot` expected events, errors and where they come from; prints as a table."""
        return summarise(self, pot)

    def explain(self, number: int) -> Explanation:
        """Return every factor of the weight of event `number` (0 to n - 1); prints as a table.

        Raises
        ------
        ConfigError
            If there is no such event.
        """
        if not -len(self) <= number < len(self):
            raise ConfigError(
                f"There is no event {number}: the sample holds {len(self)} events, numbered from 0."
            )
        number %= len(self)
        for table, length in zip(self._store, self._store.lengths, strict=True):
            if number < length:
                return explain_event(self, table.take(np.array([number], dtype=np.int64)))
            number -= length
        raise AssertionError("the lengths of the tables add up to the length of the sample")

    # ---------------------------------------------------------------- files

    def to_root(self, path: PathLike, *, overwrite: bool = True) -> None:
        """Write the sample to a ROOT file that `siren_py.read_root` reads back without loss.

        Parameters
        ----------
        path
            File to write. It appears under this name only when it is complete.
        overwrite
            Replace an existing file; with False an existing file is an error.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        from siren_py.io.root import write_root

        write_root(self, path, overwrite=overwrite)

    def write(
        self, path: PathLike, *, format: str | None = None, **options: Any
    ) -> tuple[str, ...]:
        """Write the sample to the file `path`, in the format that the file's name stands for.

        `format` names it where the name does not tell; `options` and errors are those of
        `siren_py.io.formats.write_sample`.

        Returns
        -------
        tuple of str
            What the format cannot hold; empty for ROOT, RNTuple, Parquet, HDF5 and HepMC3.
        """
        from siren_py.io.formats import write_sample

        return write_sample(self, path, format=format, **options)

    @property
    def lookup(self) -> dict[str, Any]:
        """Lists of names that the integer columns refer to."""
        return dict(self._names)


def _momenta(table: EventTable, pdg: int | None) -> FloatArray:
    particles = table.particles
    if pdg is None:
        wanted: BoolArray = particles["status"] == BEAM
    else:
        wanted = (particles["pdg"] == pdg) & (particles["status"] == FINAL)
    rows = np.flatnonzero(wanted)
    event = np.repeat(np.arange(len(table)), table.particle_counts)[rows]
    # Assigned in reverse, so that the first of several particles of an event stays.
    momenta = np.full((len(table), 4), np.nan)
    for i, name in enumerate(("energy", "px", "py", "pz")):
        momenta[event[::-1], i] = particles[name][rows[::-1]]
    return momenta
