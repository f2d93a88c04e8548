"""``siren-py simulate``: a run with its summary and, if asked for, its file."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from siren_py._optional import import_optional
from siren_py.cli.options import Subparsers, add_keys, add_verb, settings_of
from siren_py.cli.output import Answer
from siren_py.configuration.keys import SIMULATE
from siren_py.errors import ConfigError

if TYPE_CHECKING:
    from siren_py.configuration.reading import Settings
    from siren_py.simulation import Simulation

_EXAMPLES = (
    "siren-py simulate",
    "siren-py simulate --mass '200 MeV' --d-mu 1e-6 --output nd280.root",
    "siren-py simulate --flux t2k-nd280:rhc:numubar --pot 6.29e20 --json",
    "siren-py simulate --flux t2k-nd280:fhc:numu --flux t2k-nd280:rhc:numubar \\",
    "    --pot fhc=12.34e20,rhc=6.29e20",
    "siren-py simulate --events 1e8 --workers 8 --output nd280.root --resume",
    "siren-py simulate --events 1e8 --chunks 40:60 --output part2.root",
    "siren-py simulate --detector ./my_detector.py --region fiducial --decay all",
    "siren-py simulate --save-config run.toml",
    "siren-py simulate run.toml --output again.root",
)


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "simulate",
        run,
        "simulate heavy neutral leptons and print the expected events",
        "Simulate heavy neutral leptons N: upscattering of neutrinos in the detector and what "
        "surrounds it, and decays of N in a region. Prints the expected events with their "
        "statistical error; writes the weighted events to a ROOT file with --output. Every option "
        "may also stand in a TOML file, under its own name; options win.",
        _EXAMPLES,
    )
    add_keys(parser, SIMULATE)


def run(options: argparse.Namespace) -> Answer:
    """Simulate, write the file, return the summary."""
    import time

    import siren_py as sp
    from siren_py.configuration.simulations import full_values, make_simulation
    from siren_py.configuration.writing import origin, record_run
    from siren_py.io.files import check_writable
    from siren_py.runs.chunks import ranges_text
    from siren_py.weighting import exposure_by_flux

    # Everything that can be wrong is found out before the run.
    settings = settings_of(options, SIMULATE)
    if settings.get("dask") is not None and settings["backend"] != "threads":
        raise ConfigError("The chunks are made on a dask cluster (--dask) or by a --backend.")
    _check_request(settings)
    if settings.get("save_config"):
        check_writable(settings["save_config"])
    simulation = make_simulation(settings, cls=_recording())
    pot, output = settings["pot"], settings.get("output")
    exposure_by_flux(pot, simulation.names["fluxes"])
    values = full_values(settings, simulation)
    # The hash of the probe's events takes a moment: only files need it.
    kept = output or settings.get("save_config") or settings.written_by
    made_by = origin(
        "simulate", values, simulation.detector,
        fingerprint=simulation.fingerprint if kept else None,
    )  # fmt: skip
    record_run(settings, "simulate", values, made_by)
    simulation.configuration_file = _text(values, made_by, output)  # type: ignore[attr-defined]
    start = time.perf_counter()
    with _backend(settings) as backend:
        sample = simulation.run(
            settings["events"],
            seed=settings["seed"],
            workers=settings["workers"],
            backend=backend,
            output=output,
            checkpoint=_checkpoint(settings),
            resume=settings.get("resume", False),
            chunks=settings.get("chunks"),
            driving=settings["driving"],
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
        "seed": settings["seed"],
        "chunks": chunks,
        "attempts_made": simulation.made,
        "output": output,
        "configuration": sample.provenance["configuration"],
        "settings": plain_values(values),
        "siren_py": sp.__version__,
    }
    file = f"written to {output}" if output else "not kept (see --output)"
    tail = (
        f"  run                {rate:,.0f} attempts per second, seed {settings['seed']}; "
        f"events {file}"
    )
    if settings.get("save_config"):
        tail += f"\n  configuration      written to {settings['save_config']}"
    if sample.n_attempts < settings["events"]:
        tail += (
            f"\n  part of a run      chunks {ranges_text(chunks)} of "
            f"{settings['events']:,} attempts"
        )
    if simulation.made < sample.n_attempts:
        tail += f"\n  resumed            {sample.n_attempts - simulation.made:,} attempts were done"
    head = repr(simulation.model)
    text = f"{head}\n{summary}\n{tail}"
    return Answer(data, text, screen=[head, *summary.parts(), tail])


def plain_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a configuration as JSON can hold them."""
    return {k: SIMULATE.keys[k].kind.plain(v) for k, v in values.items() if v is not None}


def _checkpoint(settings: Settings) -> str | Literal[False] | None:
    """Return the folder of finished chunks, None for the usual one, False for none."""
    folder: str | None = settings.get("checkpoint")
    if not settings.get("no_checkpoint"):
        return folder
    if folder is not None:
        raise ConfigError("Give a --checkpoint or --no-checkpoint, not both.")
    return False


def _check_request(settings: Settings) -> None:
    from siren_py.runs.running import Request

    Request(
        settings["events"],
        settings["seed"],
        settings["workers"],
        settings["backend"],
        settings.get("output"),
        _checkpoint(settings),
        settings.get("resume", False),
        settings.get("chunks"),
        driving=settings["driving"],
    ).check()


def _text(values: dict[str, Any], made_by: dict[str, Any], output: str | None) -> str:
    """Return the configuration that the file of events keeps: as if it lay beside it."""
    from siren_py.configuration.writing import configuration_text

    folder = Path() if output is None else Path(output).parent
    # Parts of a run are merged: what is theirs alone is no part of the configuration.
    values = {k: v for k, v in values.items() if k not in ("chunks", "output", "save_config")}
    return configuration_text("simulate", values, folder=folder, written_by=made_by)


def _recording() -> type[Simulation]:
    """Return a simulation whose files remember the configuration of the command line."""
    import siren_py as sp

    class Recording(sp.Simulation):
        configuration_file = ""

        def provenance(self, seed: int, n: int) -> dict[str, Any]:
            return {**super().provenance(seed, n), "configuration_file": self.configuration_file}

    return Recording


@contextlib.contextmanager
def _backend(settings: Settings) -> Iterator[Any]:
    """Yield the backend that was asked for; a connection to a cluster is closed at the end."""
    address = settings.get("dask")
    if address is None:
        yield settings["backend"]
        return
    distributed = import_optional("distributed", "dask", "Runs on a dask cluster")
    where = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
    try:
        client = distributed.Client(**where, timeout="30s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigError(
            f"No dask scheduler answers at {address!r} ({error}). Start one with `dask "
            "scheduler`, or give the scheduler file that it wrote."
        ) from error
    with client:
        yield client
