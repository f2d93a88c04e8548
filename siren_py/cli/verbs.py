"""The verbs of the command line: their options, and what they run.

Each verb imports what it needs when it runs, so that ``siren-py --help`` stays quick.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from siren_py.cli import output

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[Any]

NAMES = ("simulate", "list", "check", "info")

DEFAULTS = {
    "detector": "nd280",
    "flux": "t2k-nd280:fhc:numu",
    "mass": 0.1,
    "d_mu": 3.87e-7,
    "decay": "nu e+ e-",
    "region": "tpc",
    "events": 100_000,
    "seed": 1,
    "pot": 12.34e20,
}
"""The run that bare ``siren-py simulate`` does: the T2K ND280 search of 2019 in neutrino mode."""


def add_all(sub: Subparsers) -> None:
    """Add every verb to the parser."""
    _add_simulate(sub)
    _add_list(sub)
    _add_check(sub)
    _add_info(sub)


def _verb(sub: Subparsers, name: str, help_: str, examples: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = sub.add_parser(
        name,
        help=help_,
        description=help_,
        epilog="examples:\n" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, nothing else")
    return parser


def _finish(parser: argparse.ArgumentParser, run: Any) -> None:
    options = [o for action in parser._actions for o in action.option_strings]
    parser.set_defaults(run=run, known_options=options)


def number(text: str) -> float:
    """Read a finite number; argparse names the option when it fails."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def count(text: str) -> int:
    """Read a whole number; ``1e6`` is one."""
    value = number(text)
    if value != int(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(value)


def exposure(text: str) -> float | dict[str, float]:
    """Read protons on target: a number, or ``fhc=12.34e20,rhc=6.29e20``."""
    if "=" not in text:
        return number(text)
    pairs = [part.split("=", 1) for part in text.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form fhc=1e21,rhc=1e21")
    return {mode.strip(): number(value) for mode, value in pairs}


# -------------------------------------------------------------------------------- simulate


def _add_simulate(sub: Subparsers) -> None:
    parser = _verb(
        sub,
        "simulate",
        "Simulate heavy neutral leptons of the dipole portal and print the expected events.",
        "  siren-py simulate\n"
        "  siren-py simulate --mass 0.2 --d-mu 1e-6 --output nd280.root\n"
        "  siren-py simulate --flux t2k-nd280:rhc:numubar --pot 6.29e20 --json\n"
        "  siren-py simulate --detector ./my_detector.py --region fiducial",
    )
    add = parser.add_argument
    add("--detector", metavar="NAME", help="name or path of a detector (default: nd280)")
    add(
        "--flux",
        action="append",
        metavar="NAME:MODE:FLAVOR",
        help="flux, may be repeated (default: t2k-nd280:fhc:numu)",
    )
    add("--mass", type=number, metavar="GeV", help="mass of the HNL (default: 0.1)")
    for flavor in ("e", "mu", "tau"):
        default = " (default if no coupling is given: 3.87e-7)" if flavor == "mu" else ""
        add(
            f"--d-{flavor}",
            type=number,
            metavar="1/GeV",
            help=f"dipole coupling to nu_{flavor}{default}",
        )
    add("--nature", default="dirac", metavar="KIND", help="dirac (default) or majorana")
    add(
        "--conventions",
        default="standard",
        metavar="NAME",
        help="standard (default) or darknews, for comparisons only",
    )
    add("--decay", metavar="CHANNEL", help="decay channel, or all (default: 'nu e+ e-')")
    add("--region", metavar="NAME", help="region in which decays count (default: tpc)")
    add("--events", type=count, metavar="N", help="number of attempts (default: 100000)")
    add("--seed", type=count, metavar="N", help="seed of the random numbers (default: 1)")
    add(
        "--pot",
        type=exposure,
        metavar="POT",
        help="protons on target, or fhc=...,rhc=... (default: 12.34e20)",
    )
    add("--workers", type=count, default=1, metavar="N", help="number of threads (default: 1)")
    add("--proposal", default="aimed", metavar="NAME", help="aimed (default) or forward")
    add("--output", metavar="FILE", help="ROOT file to write")
    add("--quiet", action="store_true", help="no progress bar")
    _finish(parser, run_simulate)


def run_simulate(options: argparse.Namespace) -> int:
    """Simulate, print the summary, write the file."""
    import time

    import siren_py as sp
    from siren_py.io.files import check_writable
    from siren_py.weighting import exposure_by_flux

    if options.output is not None:
        check_writable(options.output)
    pot = DEFAULTS["pot"] if options.pot is None else options.pot
    couplings = {k: getattr(options, k) for k in ("d_e", "d_mu", "d_tau")}
    couplings = {k: v for k, v in couplings.items() if v is not None}
    model = sp.DipolePortal(
        mass=_or_default(options, "mass"),
        **(couplings or {"d_mu": DEFAULTS["d_mu"]}),
        nature=options.nature,
        conventions=options.conventions,
    )
    detector = sp.load_detector(_or_default(options, "detector"))
    region = options.region
    if region is None and DEFAULTS["region"] in detector.regions:
        region = DEFAULTS["region"]
    decay = _or_default(options, "decay")
    simulation = sp.Simulation(
        detector,
        options.flux or [DEFAULTS["flux"]],
        model,
        decay=None if decay == "all" else decay,
        region=region,
        proposal=options.proposal,
    )
    # Before the run, so that an exposure without a flux is not found out after it.
    exposure_by_flux(pot, simulation.names["fluxes"])
    start = time.perf_counter()
    sample = simulation.run(
        _or_default(options, "events"),
        seed=_or_default(options, "seed"),
        workers=options.workers,
        progress=False if options.quiet or options.json else None,
    )
    seconds = time.perf_counter() - start
    if options.output is not None:
        sample.to_root(options.output)
    summary = sample.summary(pot)
    rate = sample.n_attempts / seconds
    if options.json:
        output.json_object(
            {
                **summary.to_dict(),
                "events_per_second": rate,
                "seed": sample.provenance["seed"],
                "output": options.output,
                "configuration": sample.provenance["configuration"],
                "siren_py": sp.__version__,
            }
        )
        return 0
    output.text(f"{model!r}\n{summary}\n  {rate:,.0f} attempts per second, seed "
                f"{sample.provenance['seed']}")  # fmt: skip
    if options.output is not None:
        output.text(f"  written to {options.output}")
    return 0


def _or_default(options: argparse.Namespace, name: str) -> Any:
    value = getattr(options, name)
    return DEFAULTS[name] if value is None else value


# -------------------------------------------------------------------------------- list


def _add_list(sub: Subparsers) -> None:
    parser = _verb(
        sub,
        "list",
        "List detectors with their regions, and fluxes with their modes and flavours.",
        "  siren-py list\n  siren-py list fluxes --json",
    )
    parser.add_argument(
        "what", nargs="?", default="all", metavar="KIND", help="detectors, fluxes or all (default)"
    )
    _finish(parser, run_list)


def run_list(options: argparse.Namespace) -> int:
    """List what can be named."""
    import siren_py as sp
    from siren_py.errors import unknown_name

    kinds = ("all", "detectors", "fluxes")
    if options.what not in kinds:
        raise unknown_name("kind to list", options.what, kinds)
    result: dict[str, Any] = {}
    if options.what in ("all", "detectors"):
        result["detectors"] = {
            name: {"regions": list(sp.load_detector(name).regions)} for name in sp.list_detectors()
        }
    if options.what in ("all", "fluxes"):
        result["fluxes"] = {name: _flux_entry(name) for name in sp.list_fluxes()}
    if options.json:
        output.json_object(result)
        return 0
    for kind, entries in result.items():
        output.text(kind)
        for name, entry in entries.items():
            details = "; ".join(f"{k}: {', '.join(map(str, v))}" for k, v in entry.items())
            output.text(f"  {name:<16} {details}")
    return 0


def _flux_entry(name: str) -> dict[str, list[str]]:
    from siren_py.flux import read_flux_folder
    from siren_py.resources import find_flux

    folder = read_flux_folder(find_flux(name))
    return {
        "modes": list(folder.modes),
        "flavors": list(folder.flavors),
        "tables": list(folder.tables),
    }


# -------------------------------------------------------------------------------- check


def _add_check(sub: Subparsers) -> None:
    parser = _verb(
        sub,
        "check",
        "Compare the masses of a detector model with the published ones.",
        "  siren-py check nd280\n  siren-py check ./my_detector.py --json",
    )
    parser.add_argument("detector", metavar="DETECTOR", help="name or path of a detector")
    _finish(parser, run_check)


def run_check(options: argparse.Namespace) -> int:
    """Check a detector; exit code 1 if a published mass is missed."""
    import siren_py as sp
    from siren_py.units import kg

    detector = sp.load_detector(options.detector)
    masses = detector.masses()
    published = detector.published_masses()
    good = all(row.ok for row in published)
    if options.json:
        output.json_object(
            {
                "detector": detector.name,
                "ok": good,
                "masses": {
                    name: {"value": m.value, "error": m.error, "unit": "g"}
                    for name, m in masses.items()
                },
                "published": [
                    {
                        "part": row.part,
                        "model": row.model.value,
                        "model_error": row.model.error,
                        "published": row.published,
                        "difference": row.difference,
                        "tolerance": row.tolerance,
                        "ok": row.ok,
                        "source": row.source,
                        "unit": "g",
                    }
                    for row in published
                ],
                "regions": {
                    name: {"volume": region.volume(), "unit": "cm3"}
                    for name, region in detector.regions.items()
                },
            }
        )
        return 0 if good else 1
    output.text(f"{detector.name}: {len(masses)} volumes, visible masses in kg")
    for name, mass in masses.items():
        output.text(f"  {name:<32} {mass.value / kg:>14,.1f} +- {mass.error / kg:,.1f}")
    output.text("published masses in kg" if published else "no published masses are listed")
    for row in published:
        verdict = "ok" if row.ok else "MISSED"
        output.text(
            f"  {row.part:<32} {row.model.value / kg:>12,.1f} against {row.published / kg:>12,.1f}"
            f"  {row.difference:+7.1%} (tolerance {row.tolerance:.1%}) {verdict}  [{row.source}]"
        )
    return 0 if good else 1


# -------------------------------------------------------------------------------- info


def _add_info(sub: Subparsers) -> None:
    parser = _verb(
        sub,
        "info",
        "Show what a file of events holds and how it was made.",
        "  siren-py info nd280.root\n  siren-py info nd280.root --pot 1e21 --json",
    )
    parser.add_argument("file", metavar="FILE", help="ROOT file")
    parser.add_argument(
        "--pot", type=exposure, default=1.0, metavar="POT", help="protons on target (default: 1)"
    )
    _finish(parser, run_info)


def run_info(options: argparse.Namespace) -> int:
    """Show a file's summary and provenance."""
    import siren_py as sp

    sample = sp.read_root(options.file)
    summary = sample.summary(options.pot)
    if options.json:
        output.json_object(
            {"file": options.file, **summary.to_dict(), "provenance": sample.provenance}
        )
        return 0
    provenance = sample.provenance
    output.text(summary)
    output.text(
        f"  made by siren_py {provenance['siren_py']} on {provenance['created']}, seed "
        f"{provenance['seed']}"
    )
    for name, value in provenance["configuration"].items():
        output.text(f"  {name:<18} {value}")
    return 0
