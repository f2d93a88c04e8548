"""Worker of injection.py: SIREN with DarkNews at one point, in the environment of SIREN.

    python siren_worker.py JOB.json

JOB.json names mass [GeV], d [1/GeV], a file of the flux, the greatest energy of the tables [GeV],
a folder in which the tables stay, the CPU seconds to spend on events, the file for the answer, and
one that is made when everything is prepared.

ND280 as SIREN ships it, N -> nu gamma (the decay of SIREN's own examples), vertices in the range of
SIREN's examples, decays bounded to the fiducial box, weights by SIREN's weighter. The tables are
filled with one kindness: SIREN makes its interpolators anew after every energy, here they are made
once at the end, so the time for tables is less than SIREN takes by itself. And a second kindness:
the cross sections go with d^2 exactly, so tables of the same mass that are there for another
coupling are scaled, with the time that those took; SIREN would make them anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import siren


def fill(cross_sections, top: float) -> None:
    """Fill the tables up to the energy `top` [GeV], interpolators once at the end."""
    for cross_section in cross_sections:
        kind = type(cross_section)
        remake = kind._redefine_interpolation_objects
        kind._redefine_interpolation_objects = lambda *_, **__: None
        try:
            cross_section.FillInterpolationTables(Emax=top)
        finally:
            kind._redefine_interpolation_objects = remake
        cross_section.configure()


def prepare(job: dict) -> tuple:
    """Return injector and weighter, and the CPU time that the tables took [s]."""
    detector = siren.detector.DetectorModel()
    folder = siren.utilities.get_detector_model_path("ND280")
    detector.LoadMaterialModel(f"{folder}/materials.dat")
    detector.LoadDetectorModel(f"{folder}/densities.dat")
    numu = siren.dataclasses.Particle.ParticleType.NuMu
    n4 = siren.dataclasses.Particle.ParticleType.N4
    # A table folder of SIREN's is of one mass and coupling.
    tables = Path(job["tables"]) / f"M{job['mass']:.6e}_d{job['coupling']:.6e}_E{job['top']:g}"
    note = tables / "seconds.json"
    if not note.exists():
        scale_tables(tables, job["coupling"])
    start = time.process_time()
    primary, secondary, primary_keys, _ = siren.resources.load_processes(
        "DarkNewsTables",
        primary_type=numu,
        detector_model=detector,
        table_name=str(tables),
        m4=job["mass"],
        mu_tr_mu4=2.0 * job["coupling"],  # DarkNews' coupling is twice d
        UD4=0, Umu4=0, epsilon=0.0, gD=0.0,
        decay_product="photon", noHC=True, HNLtype="dirac",
    )  # fmt: skip
    for decay in secondary[n4]:
        adapt(decay.dec_case)
    if not note.exists():
        fill(primary[numu], job["top"])
        seconds = time.process_time() - start
        tables.mkdir(parents=True, exist_ok=True)
        for cross_section, key in zip(primary[numu], primary_keys[numu], strict=True):
            place = tables / "_".join(["CrossSection", *map(label, key)])
            place.mkdir(exist_ok=True)
            cross_section.save_to_table(str(place))
        note.write_text(json.dumps(seconds))
    seconds = json.loads(note.read_text())
    table = job["flux"]
    generated = siren.distributions.TabulatedFluxDistribution(
        max(job["mass"] * 1.02, job["low"]), job["top"] * 0.95, table, False
    )
    physical = siren.distributions.TabulatedFluxDistribution(table, True)
    direction = siren.distributions.FixedDirection(siren.math.Vector3D(0, 0, 1.0))
    width = sum(d.dec_case.total_width() for d in secondary[n4])
    reach = siren.distributions.DecayRangeFunction(job["mass"], width, 3, 240)
    box = box_of(folder)
    targets = {t for c in primary[numu] for t in c.GetPossibleTargets()}
    position = siren.distributions.RangePositionDistribution(5.0, 9.0, reach, targets)
    injector = siren.injection.Injector(
        number_of_events=10**9,
        detector_model=detector,
        primary_type=numu,
        primary_interactions=primary[numu],
        primary_injection_distributions=[
            siren.distributions.PrimaryMass(0), generated, direction, position,
        ],
        secondary_interactions=secondary,
        secondary_injection_distributions={
            n4: [siren.distributions.SecondaryBoundedVertexDistribution(box)]
        },
        stopping_condition=lambda datum, i: datum.record.signature.secondary_types[i] != n4,
        seed=job["seed"],
    )  # fmt: skip
    # The weighter takes an injector only after it has made an event.
    injector.generate_event()
    weighter = siren.injection.Weighter(
        injectors=[injector],
        detector_model=detector,
        primary_type=numu,
        primary_interactions=primary[numu],
        primary_physical_distributions=[physical, direction],
        secondary_interactions=secondary,
        secondary_physical_distributions={n4: []},
    )
    return injector, weighter, seconds


def scale_tables(tables: Path, coupling: float) -> None:
    """Make the tables of a coupling from those of another of the same mass, if there are any."""
    mass, _, energy = tables.name.split("_")
    for note in sorted(tables.parent.glob(f"{mass}_d*_{energy}/seconds.json")):
        ratio = (coupling / float(note.parent.name.split("_")[1][1:])) ** 2
        for old in note.parent.glob("*/*.npy"):
            new = tables / old.parent.name / old.name
            new.parent.mkdir(parents=True, exist_ok=True)
            table = np.load(old)
            table[:, -1] *= ratio
            np.save(new, table)
        (tables / note.name).write_text(note.read_text())
        return


def label(part) -> str:
    """Return the word for a part of a key, as SIREN looks for it in the name of the folder."""
    return part.name if type(part).__name__ == "NuclearTarget" else str(part)


def adapt(case) -> None:
    """Let SIREN 0.1.0 call DarkNews 0.4.8, which hands its integrator over in files only."""
    original = case.SamplePS

    def sample(*arguments, return_norm=False, return_dec=False, **options):
        if not (return_norm or return_dec):
            return original(*arguments, **options)
        with tempfile.TemporaryDirectory() as folder:
            norm, integrator = Path(folder, "norm.json"), Path(folder, "integrator.pkl")
            points = original(
                *arguments, savefile_norm=str(norm), savefile_dec=str(integrator), **options
            )
            return points, json.loads(norm.read_text()), pickle.loads(integrator.read_bytes())

    case.SamplePS = sample


def box_of(folder: str):
    """Return the fiducial volume of the detector file."""
    lines = Path(folder, "densities.dat").read_text().splitlines()
    found = {x.split()[0]: x for x in lines if x.split()[:1] in (["fiducial"], ["detector"])}
    return siren.detector.DetectorModel.ParseFiducialVolume(found["fiducial"], found["detector"])


def measure(job: dict) -> dict:
    """Make and weight events for the CPU time asked for."""
    injector, weighter, tables = prepare(job)
    weights: list[float] = []
    first = time.process_time()
    # The first event makes what is left to be made (the grid of the decay).
    weights.append(weighter(injector.generate_event()))
    Path(job["prepared"]).touch()
    start = time.process_time()
    inject = weigh = 0.0
    events = 0
    weights.clear()
    while time.process_time() - start < job["seconds"]:
        a = time.process_time()
        event = injector.generate_event()
        b = time.process_time()
        weights.append(weighter(event))
        inject, weigh = inject + b - a, weigh + time.process_time() - b
        events += 1
    w = np.nan_to_num(np.array(weights), nan=0.0, posinf=0.0)
    return {
        "tables": tables,
        "first": start - first,
        "events": events,
        "bad": int(np.sum(~np.isfinite(weights))),
        "inject": events / inject,
        "weigh": events / weigh,
        "attempts": events / (inject + weigh),
        "effective": float(w.sum() ** 2 / np.square(w).sum() / (inject + weigh)),
        "worth": float(w.mean() ** 2 / w.var(ddof=1) * events / (inject + weigh)),
    }


def main() -> None:
    """Do the job of the file."""
    job = json.loads(Path(sys.argv[1]).read_text())
    # SIREN and DarkNews print as they go.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        answer = measure(job)
    Path(job["answer"]).write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
