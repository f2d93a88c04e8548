"""``siren-py simulate``: a run with its summary and, if asked for, its file."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from siren_py._optional import import_optional
from siren_py.cli.options import (
    Subparsers,
    add_verb,
    chunk_range,
    count,
    exposure,
    number,
    whole,
)
from siren_py.cli.output import Answer
from siren_py.errors import ConfigError

if TYPE_CHECKING:
    from siren_py.simulation import Simulation

DEFAULTS: dict[str, Any] = {
    "detector": "nd280",
    "flux": ["t2k-nd280:fhc:numu"],
    "mass": 0.1,
    "d_mu": 3.87e-7,
    "decay": "nu e+ e-",
    "region": "tpc",
    "events": 100_000,
    "seed": 1,
    "pot": 12.34e20,
}
"""The run that bare ``siren-py simulate`` does: the T2K ND280 search of 2019 in neutrino mode."""

_EXAMPLES = (
    "siren-py simulate",
    "siren-py simulate --mass 0.2 --d-mu 1e-6 --output nd280.root",
    "siren-py simulate --flux t2k-nd280:rhc:numubar --pot 6.29e20 --json",
    "siren-py simulate --flux t2k-nd280:fhc:numu --flux t2k-nd280:rhc:numubar \\",
    "    --pot fhc=12.34e20,rhc=6.29e20",
    "siren-py simulate --events 1e8 --workers 8 --output nd280.root --resume",
    "siren-py simulate --events 1e8 --chunks 40:60 --output part2.root",
    "siren-py simulate --detector ./my_detector.py --region fiducial --decay all",
)


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "simulate",
        run,
        "simulate heavy neutral leptons and print the expected events",
        "Simulate heavy neutral leptons N of the dipole portal: upscattering of neutrinos in the "
        "detector and what surrounds it, and decays of N in a region. Prints the expected events "
        "with their statistical error; writes the weighted events to a ROOT file with --output.",
        _EXAMPLES,
    )
    where = parser.add_argument_group("where")
    where.add_argument(
        "--detector", metavar="NAME", help="name or path (./my_detector.py) (default: nd280)"
    )
    where.add_argument(
        "--region", metavar="NAME", help="region in which decays count (default: tpc)"
    )
    where.add_argument(
        "--flux",
        action="append",
        metavar="NAME:MODE:FLAVOR",
        help="flux; may be repeated (default: t2k-nd280:fhc:numu)",
    )
    where.add_argument(
        "--pot",
        type=exposure,
        metavar="POT",
        help="protons on target, or fhc=...,rhc=... per beam mode (default: 12.34e20)",
    )
    model = parser.add_argument_group("model")
    model.add_argument("--mass", type=number, metavar="GeV", help="mass of N (default: 0.1)")
    for flavor in ("e", "mu", "tau"):
        default = " (3.87e-7 if no coupling is given)" if flavor == "mu" else ""
        model.add_argument(
            f"--d-{flavor}",
            type=number,
            metavar="1/GeV",
            help=f"dipole coupling to nu_{flavor}{default}",
        )
    model.add_argument(
        "--decay", metavar="CHANNEL", help="decay channel, or all (default: 'nu e+ e-')"
    )
    model.add_argument(
        "--nature", default="dirac", metavar="KIND", help="dirac (default) or majorana"
    )
    model.add_argument(
        "--conventions",
        default="standard",
        metavar="NAME",
        help="standard (default) or darknews, for comparisons only",
    )
    how = parser.add_argument_group("run")
    how.add_argument(
        "--events", type=count, metavar="N", help="number of attempts, e.g. 1e6 (default: 1e5)"
    )
    how.add_argument("--seed", type=whole, metavar="N", help="seed (default: 1)")
    how.add_argument(
        "--workers",
        type=count,
        default=1,
        metavar="N",
        help="number of threads or processes (default: 1)",
    )
    how.add_argument(
        "--backend",
        default="threads",
        metavar="NAME",
        help="threads (default), or processes; the events are the same",
    )
    how.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="scheduler of a dask cluster (tcp://host:8786), or its file (scheduler.json)",
    )
    how.add_argument(
        "--proposal", default="aimed", metavar="NAME", help="aimed (default) or forward"
    )
    how.add_argument(
        "--beam",
        default="parallel",
        metavar="KIND",
        help="parallel (default), or source: rays from the decay pipe with 1/r2",
    )
    how.add_argument("--output", metavar="FILE", help="ROOT file to write")
    how.add_argument(
        "--chunks",
        type=chunk_range,
        metavar="FIRST:END",
        help="make only these chunks of the run (16384 attempts each), to be merged later",
    )
    how.add_argument(
        "--resume", action="store_true", help="go on from the finished chunks of an earlier run"
    )
    how.add_argument(
        "--checkpoint",
        metavar="DIR",
        help="folder for the finished chunks (default: FILE.parts if there is an --output)",
    )
    how.add_argument("--quiet", action="store_true", help="no progress bar")


def run(options: argparse.Namespace) -> Answer:
    """Simulate, write the file, return the summary."""
    import time

    import siren_py as sp
    from siren_py.runs.chunks import ranges_text
    from siren_py.runs.running import Request
    from siren_py.weighting import exposure_by_flux

    # Everything that can be wrong is found out before the run.
    if options.dask is not None and options.backend != "threads":
        raise ConfigError("The chunks are made on a dask cluster (--dask) or by a --backend.")
    events, seed = _value(options, "events"), _value(options, "seed")
    Request(
        events,
        seed,
        options.workers,
        options.backend,
        options.output,
        options.checkpoint,
        options.resume,
        options.chunks,
    ).check()
    simulation = _prepare(options)
    pot = _value(options, "pot")
    exposure_by_flux(pot, simulation.names["fluxes"])
    start = time.perf_counter()
    with _backend(options) as backend:
        sample = simulation.run(
            events,
            seed=seed,
            workers=options.workers,
            backend=backend,
            output=options.output,
            checkpoint=options.checkpoint,
            resume=options.resume,
            chunks=options.chunks,
            progress=False if options.quiet else None,
        )
    seconds = time.perf_counter() - start
    summary = sample.summary(pot)
    rate = simulation.made / seconds
    chunks = sample.provenance["chunks"]
    data = {
        **summary.to_dict(),
        "events_per_second": rate,
        "seconds": seconds,
        "seed": seed,
        "chunks": chunks,
        "attempts_made": simulation.made,
        "output": options.output,
        "configuration": sample.provenance["configuration"],
        "siren_py": sp.__version__,
    }
    file = f"written to {options.output}" if options.output else "not kept (see --output)"
    text = (
        f"{simulation.model!r}\n{summary}\n"
        f"  run                {rate:,.0f} attempts per second, seed {seed}; events {file}"
    )
    if sample.n_attempts < events:
        text += f"\n  part of a run      chunks {ranges_text(chunks)} of {events:,} attempts"
    if simulation.made < sample.n_attempts:
        text += f"\n  resumed            {sample.n_attempts - simulation.made:,} attempts were done"
    return Answer(data, text)


@contextlib.contextmanager
def _backend(options: argparse.Namespace) -> Iterator[Any]:
    """Yield the backend that was asked for; a connection to a cluster is closed at the end."""
    if options.dask is None:
        yield options.backend
        return
    distributed = import_optional("distributed", "dask", "Runs on a dask cluster")
    where = (
        {"scheduler_file": options.dask} if options.dask.endswith(".json")
        else {"address": options.dask}
    )  # fmt: skip
    try:
        client = distributed.Client(**where, timeout="30s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigError(
            f"No dask scheduler answers at {options.dask!r} ({error}). Start one with `dask "
            "scheduler`, or give the scheduler file that it wrote."
        ) from error
    with client:
        yield client


def _prepare(options: argparse.Namespace) -> Simulation:
    import siren_py as sp

    couplings = {k: getattr(options, k) for k in ("d_e", "d_mu", "d_tau")}
    couplings = {k: v for k, v in couplings.items() if v is not None}
    model = sp.DipolePortal(
        mass=_value(options, "mass"),
        **(couplings or {"d_mu": DEFAULTS["d_mu"]}),
        nature=options.nature,
        conventions=options.conventions,
    )
    detector = sp.load_detector(_value(options, "detector"))
    region = options.region
    if region is None and DEFAULTS["region"] in detector.regions:
        region = DEFAULTS["region"]
    decay = _value(options, "decay")
    return sp.Simulation(
        detector,
        _value(options, "flux"),
        model,
        decay=None if decay == "all" else decay,
        region=region,
        proposal=options.proposal,
        beam=options.beam,
    )


def _value(options: argparse.Namespace, name: str) -> Any:
    value = getattr(options, name)
    return DEFAULTS[name] if value is None else value
