"""Ready-made analyses of experiments: data, efficiencies and selections, a few lines each.

`siren_py.load_analysis` builds them by name; see `siren_py.analysis`. Numbers are in the tables in
``data/``, each with its source.
"""

from __future__ import annotations

from collections.abc import Mapping

ANALYSES: Mapping[str, str] = {
    "t2k-2019-dipole": "siren_py.experiments.t2k:dipole_2019",
    "t2k-2019-mixing": "siren_py.experiments.t2k_release:mixing_2019",
    "t2k-fgd-photon": "siren_py.experiments.t2k:fgd_photon",
    "t2k-upgrade-dipole": "siren_py.experiments.t2k:dipole_upgrade",
}
"""Name of each analysis, and the module and function that build it."""
