"""What the injection engine asks of a process: the classes that a user derives from.

An `Interaction` has a cross section and needs a target, a `Decay` has a width. Either hands its
outgoing particles over as a `FinalState`, arrays over events. A class of one's own needs

* for an interaction: `reactions`, `total` and `sample` (and `threshold`, if it has one);
* for a decay: `channels`, `width` and `sample`.

Nothing has to be registered. Methods take and return whole arrays; the engine draws the target of
each event itself, in proportion to density times `total`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from siren_py._typing import ArrayLike, FloatArray, IntArray
from siren_py.errors import ConfigError, UnknownNameError, WeightError, unknown_name


class FinalState(NamedTuple):
    """Outgoing particles of n events with k particles each; build it with `final_state`.

    Examples
    --------
    >>> import numpy as np
    >>> state = final_state([22], np.array([[[1.0, 0.0, 0.0, 1.0]]]))
    >>> state.momenta.shape, state.weight.tolist()
    ((1, 1, 4), [1.0])
    """

    pdg: IntArray
    """(n, k) PDG codes; 0 marks an empty slot."""
    momenta: FloatArray
    """(n, k, 4) E, px, py, pz [GeV]."""
    polarization: FloatArray
    """(n, k, 3) polarisation vectors in the rest frames of the particles, with axes parallel to
    those of the frame of `momenta` (canonical boost); 0 where unpolarised or unknown."""
    weight: FloatArray
    """(n,) interaction: (differential cross section) / (sampling density) [cm2], whose mean is
    the total cross section; decay: 1, or a ratio of matrix elements with mean 1."""
    invariants: dict[str, FloatArray]
    """Lorentz invariants of the vertex, each (n,), e.g. ``{"q2": ...}`` [GeV2]."""


class Reaction(NamedTuple):
    """A nuclide and the part of its cross section, e.g. ``("C12", "coherent")``.

    Attributes
    ----------
    nuclide
        Name of the nuclide.
    part
        ``"coherent"``, ``"proton"``, ``"neutron"``, or whatever the process calls its parts.

    Examples
    --------
    >>> Reaction("C12", "coherent").nuclide
    'C12'
    """

    nuclide: str
    part: str


def final_state(
    pdg: ArrayLike,
    momenta: ArrayLike,
    *,
    polarization: ArrayLike | None = None,
    weight: ArrayLike = 1.0,
    invariants: Mapping[str, ArrayLike] | None = None,
) -> FinalState:
    """Build a checked `FinalState`, filling what is not given.

    Parameters
    ----------
    pdg
        PDG codes, (n, k), or (k,) if the same in every event.
    momenta
        Four-momenta E, px, py, pz [GeV], (n, k, 4).
    polarization
        Rest-frame polarisation vectors, (n, k, 3); zero if not given.
    weight
        Weights, (n,) or a number: cm2 for an interaction, 1 for a decay.
    invariants
        Invariants by name, each (n,) or a number.

    Returns
    -------
    FinalState
        Arrays over events.

    Raises
    ------
    ConfigError
        If shapes do not fit together or a momentum or polarisation is not finite.
    WeightError
        If a weight is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> back_to_back = np.array([[[0.5, 0.0, 0.0, 0.5], [0.5, 0.0, 0.0, -0.5]]])
    >>> final_state([22, 22], back_to_back).pdg.tolist()
    [[22, 22]]
    """
    p = np.asarray(momenta, dtype=np.float64)
    if p.ndim != 3 or p.shape[2] != 4:
        raise ConfigError(
            f"The momenta of a final state must have the shape (events, particles, 4); "
            f"they have {p.shape}."
        )
    n, k = p.shape[:2]
    polar = np.zeros((n, k, 3)) if polarization is None else np.asarray(polarization, np.float64)
    try:
        state = FinalState(
            np.broadcast_to(np.asarray(pdg, dtype=np.int64), (n, k)),
            p,
            np.broadcast_to(polar, (n, k, 3)),
            np.broadcast_to(np.asarray(weight, dtype=np.float64), (n,)),
            {
                key: np.broadcast_to(np.asarray(value, dtype=np.float64), (n,))
                for key, value in (invariants or {}).items()
            },
        )
    except ValueError as error:
        raise ConfigError(
            f"The arrays of a final state with {n} events and {k} particles do not fit: {error}."
        ) from None
    check_final_state(state, n, "final_state")
    return state


def check_final_state(state: FinalState, n: int, source: str) -> None:
    """Raise if `state` has not n events, or holds anything not finite; `source` names who made it.

    Raises
    ------
    ConfigError
        If the number of events is wrong, or a momentum or polarisation is not finite.
    WeightError
        If a weight is negative or not finite.
    """
    if len(state.momenta) != n or len(state.pdg) != n or len(state.weight) != n:
        raise ConfigError(
            f"{source} was asked for {n} events; it returned {len(state.momenta)} momenta, "
            f"{len(state.pdg)} sets of PDG codes and {len(state.weight)} weights."
        )
    if not (np.isfinite(state.momenta).all() and np.isfinite(state.polarization).all()):
        raise ConfigError(f"{source} returned a momentum or a polarisation that is not finite.")
    bad = ~((state.weight >= 0.0) & np.isfinite(state.weight))
    if bad.any():
        raise WeightError(
            f"{source} returned the weight {state.weight[bad][0]!r} for event "
            f"{int(np.flatnonzero(bad)[0])}; weights must be finite and not negative."
        )


def canonical_channel(channel: str, channels: Sequence[str]) -> str:
    """Return the entry of `channels` that `channel` means, whatever its blanks.

    Raises
    ------
    UnknownNameError
        If there is none.
    """
    squeezed = "".join(str(channel).split())
    for known in channels:
        if squeezed == "".join(known.split()):
            return known
    raise unknown_name("decay channel", channel, channels)


class Interaction(ABC):
    """A process of an incoming particle with a nucleus at rest.

    The momenta that `sample` returns are in the frame in which the incoming particle flies along
    +z; the azimuth is part of the sampling. The engine rotates them into the detector's frame.

    Examples
    --------
    >>> import numpy as np
    >>> class Bounce(Interaction):
    ...     def reactions(self, nuclides):
    ...         return [Reaction(name, "all") for name in nuclides]
    ...
    ...     def total(self, energy, target, part="all"):
    ...         return np.full(np.shape(energy), 1e-40)  # cm2
    ...
    ...     def sample(self, energy, target, part, rng):
    ...         forward = np.stack([energy, 0 * energy, 0 * energy, energy], axis=1)
    ...         return final_state([14], forward[:, None], weight=self.total(energy, target))
    >>> Bounce().reactions(["C12"])
    [Reaction(nuclide='C12', part='all')]
    """

    name: str = "interaction"
    coupling_power: ClassVar[int] = 2
    """The power of the coupling to which the cross section is proportional; 0 if none."""

    @abstractmethod
    def reactions(self, nuclides: Sequence[str]) -> list[Reaction]:
        """List what can happen on these nuclides; a nuclide without cross section is left out."""

    @abstractmethod
    def total(self, energy: ArrayLike, target: str, part: str = "all") -> FloatArray:
        """Total cross section [cm2 per nucleus] of `part` of `target` at each `energy` [GeV].

        Any shape; 0 below threshold.
        """

    @abstractmethod
    def sample(
        self, energy: FloatArray, target: str, part: str, rng: np.random.Generator
    ) -> FinalState:
        """Draw final states with `rng` for each `energy`, (n,) [GeV], all above threshold.

        What is hit is `part` of `target`, e.g. "coherent" of "C12".
        """

    def threshold(self, target: str, part: str = "all") -> float:
        """Least energy [GeV] of what hits a `part` of `target`; 0 unless overridden."""
        del target, part
        return 0.0

    def evaluate(
        self, energy: FloatArray, target: str, part: str, invariants: Mapping[str, FloatArray]
    ) -> tuple[FloatArray, FloatArray]:
        """Sampling density and differential cross section in the invariants, each (n,).

        Of `part` of `target` at each `energy`, (n,) [GeV].
        Needed only where samples that were drawn differently are combined, or reweighted to other
        parameters than the coupling; the ratio of the second to the first is the weight of
        `sample`.

        Raises
        ------
        ConfigError
            If the class does not provide it.
        """
        del energy, target, part, invariants
        raise ConfigError(
            f"{type(self).__name__} does not tell its sampling density, so that its samples can "
            "neither be combined with others nor reweighted. Add the method "
            "`evaluate(energy, target, part, invariants)`, which returns the density of the "
            "invariants in `sample` and the differential cross section."
        )

    def proportion(self, other: Interaction) -> float | None:
        """Own cross sections over those of `other`, if that is one number; None if not known.

        Samples are then reweighted without evaluating `evaluate` for each event.
        """
        return 1.0 if other is self else None

    def bind(
        self, reactions: Sequence[Reaction], energy_min: float, energy_max: float
    ) -> BoundInteraction:
        """Prepare the sampling of a fixed list of reactions for energies in a range [GeV].

        The engine calls it once per run. Override it to build tables; by default the methods
        above are called, once per reaction and batch.
        Energies are from `energy_min` to `energy_max`.
        """
        del energy_min, energy_max
        return BoundInteraction(self, reactions)


class BoundInteraction:
    """An interaction with a numbered list of reactions, ready for batches of mixed events.

    Parameters
    ----------
    interaction
        The process.
    reactions
        Its reactions; the methods take positions in this list.

    Examples
    --------
    >>> import numpy as np
    >>> from siren_py.processes import DipoleUpscattering
    >>> reactions = [Reaction("C12", "coherent"), Reaction("H1", "proton")]
    >>> bound = BoundInteraction(DipoleUpscattering(mass=0.1, d=1e-6), reactions)
    >>> bound.total(np.array([0, 1]), np.array([1.0, 1.0])).shape
    (2,)
    """

    def __init__(self, interaction: Interaction, reactions: Sequence[Reaction]) -> None:
        self.interaction = interaction
        self.reactions: tuple[Reaction, ...] = tuple(Reaction(*r) for r in reactions)
        self.thresholds: FloatArray = np.array(
            [interaction.threshold(r.nuclide, r.part) for r in self.reactions], dtype=np.float64
        )
        """Least energies of the reactions [GeV], (r,)."""

    @property
    def coupling_power(self) -> int:
        """The power of the coupling to which the cross section is proportional; 0 if none."""
        return self.interaction.coupling_power

    def _groups(self, reaction: IntArray) -> list[tuple[Reaction, IntArray]]:
        """Positions of the events of each reaction that occurs."""
        order = np.argsort(reaction, kind="stable")
        codes, starts = np.unique(reaction[order], return_index=True)
        if codes.size and (codes[0] < 0 or codes[-1] >= len(self.reactions)):
            raise UnknownNameError(
                f"Reactions are numbered 0 to {len(self.reactions) - 1}; an event asks for "
                f"{codes[0] if codes[0] < 0 else codes[-1]}."
            )
        parts = np.split(order, starts[1:])
        return [(self.reactions[int(c)], i) for c, i in zip(codes, parts, strict=False)]

    def total(self, reaction: IntArray, energy: FloatArray) -> FloatArray:
        """Total cross sections [cm2 per nucleus], (n,): for importance, exact to about 1e-3.

        Of each `reaction`, a position in the list, at its `energy` [GeV], both (n,).
        """
        out = np.zeros(len(reaction))
        for (nuclide, part), index in self._groups(reaction):
            out[index] = self.interaction.total(energy[index], nuclide, part)
        return out

    def sample(
        self, reaction: IntArray, energy: FloatArray, rng: np.random.Generator
    ) -> FinalState:
        """Draw with `rng` the final state of each `reaction` at its `energy` [GeV], both (n,)."""
        n = len(reaction)
        drawn = []
        for (nuclide, part), index in self._groups(reaction):
            state = self.interaction.sample(energy[index], nuclide, part, rng)
            check_final_state(state, len(index), f"{type(self.interaction).__name__}.sample")
            drawn.append((index, state))
        k = max((state.pdg.shape[1] for _, state in drawn), default=0)
        keys = sorted({key for _, state in drawn for key in state.invariants})
        out = FinalState(
            np.zeros((n, k), dtype=np.int64),
            np.zeros((n, k, 4)),
            np.zeros((n, k, 3)),
            np.zeros(n),
            {key: np.full(n, np.nan) for key in keys},
        )
        for index, state in drawn:
            # Reactions may differ in multiplicity: the slots that remain keep the code 0.
            columns = state.pdg.shape[1]
            out.pdg[index, :columns] = state.pdg
            out.momenta[index, :columns] = state.momenta
            out.polarization[index, :columns] = state.polarization
            out.weight[index] = state.weight
            for key, value in state.invariants.items():
                out.invariants[key][index] = value
        return out

    def density(
        self, reaction: IntArray, energy: FloatArray, invariants: Mapping[str, FloatArray]
    ) -> FloatArray:
        """Density with which `sample` draws these invariants, (n,), e.g. in q2 [1/GeV2].

        Of each `reaction`, a position in the list, at its `energy` [GeV], both (n,).
        """
        return self._evaluate(reaction, energy, invariants, 0)

    def differential(
        self, reaction: IntArray, energy: FloatArray, invariants: Mapping[str, FloatArray]
    ) -> FloatArray:
        """Exact differential cross section in the invariants, (n,), e.g. [cm2/GeV2].

        Of each `reaction`, a position in the list, at its `energy` [GeV], both (n,).
        """
        return self._evaluate(reaction, energy, invariants, 1)

    def _evaluate(
        self,
        reaction: IntArray,
        energy: FloatArray,
        invariants: Mapping[str, FloatArray],
        which: int,
    ) -> FloatArray:
        out = np.zeros(len(reaction))
        for (nuclide, part), index in self._groups(reaction):
            some = {key: value[index] for key, value in invariants.items()}
            out[index] = self.interaction.evaluate(energy[index], nuclide, part, some)[which]
        return out


class Decay(ABC):
    """A process of one particle in flight.

    Examples
    --------
    >>> import numpy as np
    >>> class Invisible(Decay):
    ...     channels = ("nu nu",)
    ...
    ...     def width(self, channel=None):
    ...         return 1e-16  # GeV
    ...
    ...     def sample(self, channel, momentum, polarization, pdg, rng):
    ...         half = 0.5 * momentum
    ...         return final_state([14, -14], np.stack([half, half], axis=1))
    >>> Invisible().width("nu nu")
    1e-16
    """

    name: str = "decay"
    coupling_power: ClassVar[int] = 2
    """The power of the coupling to which the width is proportional; 0 if none."""
    channels: tuple[str, ...] = ()
    """The open channels, e.g. ``("nu gamma", "nu e+ e-")``."""

    @abstractmethod
    def width(self, channel: str | None = None) -> float:
        """Partial width [GeV], or the sum over all open channels for None.

        Parameters
        ----------
        channel
            Name of a channel; None for all.
        """

    @abstractmethod
    def sample(
        self,
        channel: str,
        momentum: FloatArray,
        polarization: FloatArray,
        pdg: IntArray,
        rng: np.random.Generator,
    ) -> FinalState:
        """Draw decays.

        Parameters
        ----------
        channel
            One of `channels`.
        momentum
            Four-momenta of the parents in the laboratory [GeV], (n, 4).
        polarization
            Polarisation vectors in the rest frames of the parents, axes parallel to the
            laboratory's, (n, 3).
        pdg
            PDG codes of the parents, (n,).
        rng
            Source of random numbers.

        Returns
        -------
        FinalState
            Laboratory momenta.
        """

    def same_kinematics(self, other: Decay) -> bool:
        """Say whether `other` draws the same final states, so that samples can be reweighted."""
        return other is self
