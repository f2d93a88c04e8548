"""Dipole upscattering bound to a list of reactions: tables from which batches are drawn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.errors import ConfigError, KinematicsError
from siren_py.processes import dipole_sampling as kernels
from siren_py.processes.base import BoundInteraction, FinalState, Reaction
from siren_py.processes.dipole_kernels import differential_all, range_kernel

if TYPE_CHECKING:
    from siren_py.processes.dipole import DipoleUpscattering

BIN_WIDTH = 0.025
"""Largest width of a bin in ln Q2."""

_KEPT_TABLES = 8
_KEPT: OrderedDict[Hashable, kernels.Tables] = OrderedDict()
"""The tables used last: they belong to unit coupling, so a scan over couplings needs one set."""


class BoundDipole(BoundInteraction):
    """Dipole upscattering on a fixed list of reactions in a range of energies.

    The tables steer the sampling only: the weights are ratios of the exact cross section and of
    the density that the tables have, so that their coarseness costs a little variance and no
    accuracy.

    Parameters
    ----------
    interaction
        The process.
    reactions
        Its reactions.
    energy_min, energy_max
        Range of the energies that will be asked for [GeV]; above it an error is raised.

    Raises
    ------
    ConfigError
        If the range is empty or not finite.
    """

    interaction: DipoleUpscattering

    def __init__(
        self,
        interaction: DipoleUpscattering,
        reactions: Sequence[Reaction],
        energy_min: float,
        energy_max: float,
    ) -> None:
        super().__init__(interaction, reactions)
        if not 0.0 <= energy_min <= energy_max < np.inf:
            raise ConfigError(
                "An interaction is bound to energies 0 <= energy_min <= energy_max; "
                f"they are {energy_min!r} and {energy_max!r} GeV."
            )
        self.energy_max = float(energy_max * (1.0 + 1e-9))
        # Tables end at powers of two, so that fluxes that end near each other share them.
        self._table_end = float(np.exp2(np.ceil(np.log2(max(self.energy_max, 1e-9)))))
        self.species = interaction.species(self.reactions)
        self.tables = self._tables()

    def _tables(self) -> kernels.Tables:
        """Return the tables, from those that are kept if they are among them."""
        process = self.interaction
        key = (
            process.mass,
            process.nucleon_form_factors,
            process.pauli_blocking,
            process.neutrons,
            process.nuclear_form_factor,
            process.fermi_momentum,
            self._table_end,
            self.reactions,
        )
        tables = _KEPT.get(key)
        if tables is None:
            tables = self._new_tables()
        _KEPT[key] = tables
        _KEPT.move_to_end(key)
        while len(_KEPT) > _KEPT_TABLES:
            _KEPT.popitem(last=False)
        return tables

    def _new_tables(self) -> kernels.Tables:
        interaction = self.interaction
        count = len(self.reactions)
        first, step = np.zeros(count), np.zeros(count)
        for i in range(count):
            # A margin below, so that rounding cannot put the lowest Q2 outside the table.
            low, _, width = range_kernel(
                self._table_end,
                interaction.mass,
                self.species.mass[i],
                self.species.q2_cut[i],
            )
            if width > 0.0:
                first[i] = np.log(low) - 1e-6
                step[i] = width + 2e-6
        bins = max(64, int(np.ceil(step.max(initial=0.0) / BIN_WIDTH)))
        tables = kernels.Tables(
            first,
            step / bins,
            np.empty((count, bins + 1, kernels.COLUMNS)),
        )
        kernels.fill_tables(interaction.mass, self.species, tables)
        return tables

    def _arrays(self, reaction: IntArray, energy: FloatArray) -> tuple[IntArray, FloatArray]:
        """Contiguous arrays, checked: the kernels do not look at bounds."""
        r = np.ascontiguousarray(reaction, dtype=np.int64)
        e = np.ascontiguousarray(energy, dtype=np.float64)
        if r.shape != e.shape or r.ndim != 1:
            raise ConfigError(
                f"Reactions and energies must be (n,) arrays; they are {r.shape} and {e.shape}."
            )
        if r.size and not (r.min() >= 0 and r.max() < len(self.reactions)):
            raise ConfigError(
                f"Reactions are numbered 0 to {len(self.reactions) - 1}; "
                f"found {r.min()} to {r.max()}."
            )
        if not (e <= self.energy_max).all():
            raise KinematicsError(
                f"The tables were bound for energies up to {self.energy_max:g} GeV; found "
                f"{e.max()!r} GeV. Bind the interaction for the whole range of the flux."
            )
        return r, e

    def total(self, reaction: IntArray, energy: FloatArray) -> FloatArray:
        """Total cross sections [cm2 per nucleus], (n,), from the tables.

        Their error is of order 1e-5, and at most 3e-3 above 1.001 of the threshold; closer to it
        a bin may exceed the kinematic range and the error reaches some percent.
        """
        r, e = self._arrays(reaction, energy)
        out = np.empty(len(e))
        kernels.tabulated_total_all(r, e, self.interaction.mass, self.species, self.tables, out)
        return out * self.interaction.d**2

    def sample(
        self, reaction: IntArray, energy: FloatArray, rng: np.random.Generator
    ) -> FinalState:
        """Draw the final states (N, recoil) of a batch.

        Raises
        ------
        KinematicsError
            If an energy is below the threshold of its reaction.
        """
        r, e = self._arrays(reaction, energy)
        n = len(e)
        state = FinalState(
            np.empty((n, 2), dtype=np.int64),
            np.empty((n, 2, 4)),
            np.empty((n, 2, 3)),
            np.empty(n),
            {"q2": np.empty(n)},
        )
        process = self.interaction
        failed = kernels.sample_all(
            r,
            e,
            rng.random((n, 2)),
            process.mass,
            process.d**2,
            float(process.helicity),
            process.outgoing_pdg,
            self.species,
            self.tables,
            state.pdg,
            state.momenta,
            state.polarization,
            state.weight,
            state.invariants["q2"],
            np.empty((10, kernels.BLOCK)),
            np.empty((2, kernels.BLOCK), dtype=np.uint64),
        )
        if failed >= 0:
            which = self.reactions[int(r[failed])]
            raise KinematicsError(
                f"Event {failed}: a neutrino of {e[failed]:g} GeV cannot produce a mass of "
                f"{process.mass:g} GeV on {which.nuclide} ({which.part}); the threshold is "
                f"{self.thresholds[int(r[failed])]:g} GeV."
            )
        return state

    def density(
        self, reaction: IntArray, energy: FloatArray, invariants: Mapping[str, FloatArray]
    ) -> FloatArray:
        """Density [1/GeV2] of invariants["q2"] in `sample`, (n,)."""
        r, e = self._arrays(reaction, energy)
        q2 = np.ascontiguousarray(invariants["q2"], dtype=np.float64)
        out = np.empty(len(e))
        kernels.density_all(q2, e, r, self.interaction.mass, self.species, self.tables, out)
        return out

    def differential(
        self, reaction: IntArray, energy: FloatArray, invariants: Mapping[str, FloatArray]
    ) -> FloatArray:
        """Exact d sigma / d Q2 [cm2/GeV2] at invariants["q2"], (n,)."""
        r, e = self._arrays(reaction, energy)
        q2 = np.ascontiguousarray(invariants["q2"], dtype=np.float64)
        out = np.empty(len(e))
        differential_all(q2, e, r, self.interaction.mass, self.species, out)
        return out * self.interaction.d**2
