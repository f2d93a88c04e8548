"""``siren-py validate``: the rules of a format, checked on a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from siren_py.cli.options import Subparsers, add_verb, number
from siren_py.cli.output import Answer
from siren_py.errors import ConfigError, FormatError


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "validate",
        run,
        "check a file of events: NuHepMC rules, weights",
        "Check a file of events. HepMC3 text of any generator is checked against every requirement "
        "of NuHepMC 1.0; files of siren_py are also read back, and their weights compared with "
        "their factors. The exit code is 1 if a requirement is not met, 2 if the file cannot be "
        "read.",
        (
            "siren-py validate nd280.hepmc3",
            "siren-py validate other-generator.hepmc3.gz --tolerance 1e-4 --json",
            "siren-py validate nd280.root",
        ),
    )
    parser.add_argument("file", metavar="FILE", help="file of events")
    parser.add_argument(
        "--tolerance",
        type=number,
        metavar="X",
        help="largest change of energy or momentum at a vertex of a HepMC3 file, relative to the "
        "energy that enters it (default: 1e-6)",
    )


def run(options: argparse.Namespace) -> Answer:
    """Check a file."""
    if _is_hepmc(options.file):
        return _hepmc(options)
    if options.tolerance is not None:
        raise ConfigError(f"--tolerance is for HepMC3 files; {options.file} is none.")
    return _other(options.file)


def _is_hepmc(path: str) -> bool:
    from siren_py.io.hepmc.streams import open_to_read

    name = Path(path).name.lower().removesuffix(".gz").removesuffix(".zst")
    if name.endswith((".hepmc3", ".hepmc")):
        return True
    try:
        with open_to_read(path) as stream:
            return b"HepMC::" in stream.read(64)
    except OSError:
        return False


def _hepmc(options: argparse.Namespace) -> Answer:
    from siren_py.io.hepmc import read_hepmc, validate_hepmc
    from siren_py.io.hepmc.ascii import open_ascii
    from siren_py.io.hepmc.rules import TOLERANCE

    tolerance = TOLERANCE if options.tolerance is None else options.tolerance
    if not tolerance > 0.0:
        raise ConfigError(f"--tolerance must be positive; got {tolerance:g}.")
    found = validate_hepmc(options.file, tolerance=tolerance)
    data, text, ok = found.to_dict(), str(found), found.ok
    with open_ascii(options.file) as file:
        own = "siren_py.record.parts" in file.attributes
    if own:
        # A file of siren_py promises more: everything of the sample, and weights that are right.
        try:
            sample = read_hepmc(options.file)
            words, data["sample"] = "read back; weights agree with their factors", len(sample)
        except FormatError as error:
            ok, words = False, str(error)
        data |= {"ok": ok, "siren_py": words}
        text += f"\nsample of siren_py: {words}"
    return Answer(data, text, ok)


def _other(path: str) -> Answer:
    from siren_py.io.formats import read_sample

    sample = read_sample(path)
    for _ in sample.tables():
        pass  # of a large file, only what is fetched is checked
    expected = sample.expected()
    data = {
        "path": path,
        "ok": True,
        "n_events": len(sample),
        "n_attempts": sample.n_attempts,
        "expected_per_pot": expected.value,
        "error": expected.error,
    }
    text = (
        f"{path}: {len(sample):,} events from {sample.n_attempts:,} attempts\n"
        "weights: finite, not negative, equal to the product of their factors\n"
        f"expected per POT: {expected.value:.6g} +- {expected.error:.2g}"
    )
    return Answer(data, text)
