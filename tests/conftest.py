"""Options and toy physics shared by the tests."""

from __future__ import annotations

import signal
from types import SimpleNamespace

import numpy as np
import pytest

import siren_py as sp
from siren_py.constants import HBARC
from siren_py.processes.base import Decay, Interaction, Reaction, final_state

TOY_MASS = 0.1
TOY_ENERGY = 1.0
TOY_SIGMA = 1e-38


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the files in tests/golden anew instead of comparing with them",
    )


def pytest_configure():
    # Background jobs of a shell ignore the interrupt, and so would the commands under test.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def update_golden(request):
    return bool(request.config.getoption("--update-golden"))


class Straight(Interaction):
    """nu A -> N A with a constant cross section; N keeps energy and direction of the neutrino."""

    name = "toy production"
    outgoing = 5914
    mass = TOY_MASS

    def reactions(self, nuclides):
        return [Reaction(name, "all") for name in nuclides]

    def total(self, energy, target, part="all"):
        return np.full(np.shape(energy), TOY_SIGMA)

    def direction(self, n, rng):
        return np.tile([0.0, 0.0, 1.0], (n, 1))

    def sample(self, energy, target, part, rng):
        momentum = np.sqrt(energy**2 - self.mass**2)
        direction = self.direction(energy.size, rng)
        p = np.column_stack([energy, momentum[:, None] * direction])[:, None, :]
        return final_state([self.outgoing], p, weight=TOY_SIGMA)


class Vanish(Decay):
    """N -> (one massless particle of the same energy): the decay itself does not matter here."""

    name = "toy decay"
    channels = ("nu gamma",)

    def __init__(self, decay_length, energy=TOY_ENERGY, mass=TOY_MASS):
        self._width = HBARC * np.sqrt(energy**2 - mass**2) / mass / decay_length

    def width(self, channel=None):
        return self._width

    def sample(self, channel, momentum, polarization, pdg, rng):
        out = momentum[:, None, :].copy()
        out[:, 0, 1:] *= (momentum[:, 0] / np.linalg.norm(momentum[:, 1:], axis=1))[:, None]
        return final_state([22], out)


class ToyModel:
    """N of decay length `decay_length` [cm] at 1 GeV, or stable for None."""

    def __init__(self, decay_length=None, interaction=None, mass=TOY_MASS):
        self.decay_length, self.mass = decay_length, mass
        self.interaction = interaction or Straight()

    @property
    def particle_masses(self):
        return {5914: self.mass}

    def interactions(self, pdg):
        return [self.interaction] if pdg == 14 else []

    def decays(self, pdg):
        if pdg != 5914 or self.decay_length is None:
            return []
        return [Vanish(self.decay_length, mass=self.mass)]

    def to_dict(self):
        return {"model": "toy", "decay_length": self.decay_length}


@pytest.fixture(scope="session")
def toy():
    """Toy processes and numbers: `toy.Model(decay_length)`, `toy.flux()`, ..."""

    def flux(**options):
        return sp.Flux.monoenergetic(pdg=14, energy=TOY_ENERGY, **options)

    def simulate(detector, length, region, proposal="aimed", interaction=None):
        return sp.Simulation(
            detector, flux(), ToyModel(length, interaction), region=region, proposal=proposal
        )

    return SimpleNamespace(
        Straight=Straight,
        Vanish=Vanish,
        Model=ToyModel,
        flux=flux,
        simulate=simulate,
        mass=TOY_MASS,
        energy=TOY_ENERGY,
        sigma=TOY_SIGMA,
    )
