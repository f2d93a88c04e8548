"""What each way to draw events is worth: nd280 at nine points and in other regions.

    python validation/performance/variance.py [--seconds 2] [--write]

For each point, in one run on one machine, the proposals are made more clever step by step:

forward       the line of sight first, vertex along it by density, energy and target by flux and
              cross section, direction from the kinematics; most particles miss the region
+ energy      energy and target also by the chance that what they make is seen
+ vertex      half of the vertices also by the chance to be seen: proposal="forward"
aimed, even   lines through the region, vertex and decay exact on them; energy and target by flux
              and cross section, points even in the region
aimed, whole  with importance for energy, target and thin volumes; lines are drawn from as a whole
aimed         of a line either what lies before the detector or the rest: proposal="aimed", the
              default; less work, for a little evenness
aimed, Sobol  the same with driving="sobol"

All must give the same rate; "pull" is the difference to the aimed proposal over both errors.
"effective" are effective events, (sum w)^2 / sum w^2, per second of one CPU: the figure of merit.
"worth" is (rate / error)^2 per second: as many events, counted one by one, would give the same
error. It is larger than "effective" where few attempts are lost, since the number of attempts is
known. For Sobol nets, where the error is that of the spread of the chunks, it is the one that
counts; the last column is its ratio to that of "aimed": (error / error)^2 times the ratio of
times.

Proposals without importance have weights with long tails: a few events carry much of the rate,
and as long as they are missing both rate and error come out too small. So no pull is given where
fewer than 5000 effective events were found. `--write` keeps the table in variance.txt next to
this file and in docs/variance.md, between the two marks there.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import siren_py as sp
from siren_py.injection.injector import Injector
from siren_py.injection.placement import AimedPlacement, ForwardPlacement
from siren_py.injection.rays import ParallelRays
from siren_py.replicas import student_factor
from siren_py.selection import final_energy_above
from siren_py.simulation import CHUNK_SIZE
from siren_py.weighting import product_of_factors

POINTS = (
    (0.02, 1e-7, "tpc"), (0.02, 1e-5, "tpc"), (0.1, 1e-8, "tpc"), (0.1, 3.87e-7, "tpc"),
    (0.1, 1e-5, "tpc"), (0.3, 1e-7, "tpc"), (0.3, 3e-6, "tpc"), (1.0, 1e-7, "tpc"),
    (1.0, 1e-5, "tpc"), (0.1, 3.87e-7, "p0d"), (0.3, 3e-6, "p0d"), (0.3, 3e-6, "fgd1"),
)  # fmt: skip
FLUXES = ("t2k-nd280:fhc:numu", "t2k-nd280:rhc:numubar")
STEPS = (
    "forward", "+ energy", "+ vertex", "aimed, even", "aimed, whole", "aimed", "aimed, Sobol",
)  # fmt: skip
FEWEST_CHUNKS = 16
ENOUGH = 5000.0

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "variance.md"
MARKS = ("<!-- table of variance.py -->", "<!-- end of table -->")


def mean_densities(detector: sp.DetectorModel, injector: Injector, region: str) -> np.ndarray:
    """Return the mean number density of each nuclide within three decay lengths, (T,) [1/cm3].

    Within the box around the region, wider by that much on all sides: where somebody would draw
    vertices who knows nothing but the decay length.
    """
    reach = 3.0 * float(injector.signal.typical_length(np.array([1.0]))[0])
    low, high = detector.region(region).bounds()
    world = detector.bounds()
    low, high = np.maximum(low - reach, world[0]), np.minimum(high + reach, world[1])
    points = low + np.random.default_rng(1).random((200_000, 3)) * (high - low)
    material = detector.locate_index(points)[1]
    share = np.bincount(material[material >= 0], minlength=len(detector.materials)) / len(points)
    mean = injector.matter.density @ share
    # The points may have missed a rare material: no nuclide may have probability zero.
    return mean + 1e-3 * mean.sum() * injector.matter.densest / injector.matter.densest.sum()


def injector_of(step: str, detector: sp.DetectorModel, model: Any, region: str) -> Injector:
    """Return the injector of a step."""
    proposal = "forward" if step in STEPS[:3] else "aimed"
    sim = sp.Simulation(detector, FLUXES, model, decay="nu e+ e-", region=region, proposal=proposal)
    injector: Any = sim.injector
    beam = np.asarray(detector.beam.direction, dtype=np.float64)
    if step in ("forward", "aimed, even"):
        density = mean_densities(detector, injector, region)
        injector.energy = injector._energy_proposal(
            lambda nuclide, angles, length: np.broadcast_arrays(density[nuclide], length)[0],
            injector.bare_rates(),
        )
    if step in ("forward", "+ energy"):
        rays = ParallelRays(detector, region, beam)
        injector._placer = ForwardPlacement(
            detector, region, injector.matter, rays, importance=False
        )
    if step == "aimed, even":
        injector._placer = AimedPlacement(detector, region, injector.matter, beam)
    if step == "aimed, whole":
        injector.aimed.surroundings = None
    return injector.driven("sobol") if step == "aimed, Sobol" else injector


def measure(injector: Injector, seconds: float) -> dict[str, float]:
    """Make chunks for some CPU time; return rate, error, effective size and time."""
    injector.chunk(0, 0, 1000, 0)
    sums: list[float] = []
    total = square = 0.0
    start = time.process_time()
    # A number of chunks that is fixed beforehand, from the time of the first.
    wanted = FEWEST_CHUNKS
    while len(sums) < wanted:
        weights = product_of_factors(injector.chunk(2, len(sums), CHUNK_SIZE, 0)) / CHUNK_SIZE
        sums.append(float(weights.sum()))
        total, square = total + sums[-1], square + float(np.square(weights).sum())
        if len(sums) == 2:
            wanted = max(FEWEST_CHUNKS, int(2 * seconds / (time.process_time() - start)))
    used = time.process_time() - start
    k = len(sums)
    n = k * CHUNK_SIZE
    value = total / k
    if injector.driving == "sobol":
        error = student_factor(k) * float(np.std(sums, ddof=1)) / np.sqrt(k)
    else:
        error = np.sqrt(max(square - total**2 / n, 0.0) * n / (n - 1)) / k
    return {
        "value": value, "error": error, "seconds": used, "attempts": n,
        "size": total**2 / square if square > 0.0 else 0.0,
    }  # fmt: skip


def rows_of_point(
    detector: sp.DetectorModel, mass: float, coupling: float, region: str, seconds: float
) -> list[tuple[str, ...]]:
    """Measure all steps at one point; return the rows of the table."""
    model = sp.DipolePortal(mass=mass, d_mu=coupling)
    found = {step: measure(injector_of(step, detector, model, region), seconds) for step in STEPS}
    aimed = found["aimed"]
    rows = []
    for step, r in found.items():
        pull = (r["value"] - aimed["value"]) / np.hypot(r["error"], aimed["error"])
        worth = (r["value"] / r["error"]) ** 2 / r["seconds"] if r["error"] > 0.0 else 0.0
        of_aimed = (aimed["value"] / aimed["error"]) ** 2 / aimed["seconds"]
        rows.append((
            f"{mass:g}", f"{coupling:g}", region, step, f"{r['value'] * 1e21:.5g}",
            f"{r['error'] * 1e21:.2g}",
            "" if step == "aimed" or r["size"] < ENOUGH else f"{pull:+.1f}",
            f"{r['size'] / r['attempts']:.2%}", f"{r['size'] / r['seconds']:,.0f}",
            f"{worth:,.0f}", f"{worth / of_aimed:.3g}",
        ))  # fmt: skip
    return rows


def gains_of_nets(detector: sp.DetectorModel, mass: float, coupling: float) -> tuple[str, ...]:
    """Return how many times as many random attempts have the error of a net, by what is asked."""
    model = sp.DipolePortal(mass=mass, d_mu=coupling)
    sim = sp.Simulation(detector, FLUXES, model, decay="nu e+ e-", region="tpc")
    n = 24 * CHUNK_SIZE
    random, sobol = (
        sim.run(n, seed=1, driving=driving, progress=False) for driving in ("random", "sobol")
    )
    energy = float(np.median(random["primary_energy"]))
    electron = float(np.median(random.momenta(11)[:, 0]))
    cuts = (
        None,
        lambda s: s["primary_energy"] < energy,
        final_energy_above(11, electron),
        lambda s: s.names("region") == "tpc1",
    )
    ratios = [random.expected(cut=c).error / sobol.expected(cut=c).error for c in cuts]
    return f"{mass:g}", f"{coupling:g}", *(f"{r**2:.1f}" for r in ratios)


def report(rows: list[tuple[str, ...]], gains: list[tuple[str, ...]]) -> tuple[str, str]:
    """Return the tables as text and as Markdown."""
    header = (
        "m [GeV]", "d [1/GeV]", "region", "proposal", "per 1e21 POT", "error", "pull",
        "eff. size", "effective [/s]", "worth [/s]", "over aimed",
    )  # fmt: skip
    asked = (
        "m [GeV]", "d [1/GeV]", "rate", "neutrinos below their median energy",
        "electrons above theirs", "in tpc1",
    )  # fmt: skip
    fact = (
        f"siren_py {sp.__version__}, Python {platform.python_version()}, seconds of one CPU; the "
        f"error of Sobol nets from at least {FEWEST_CHUNKS} chunks of {CHUNK_SIZE} attempts."
    )
    told = (
        "(Error of random numbers / error of nets)^2 for the same attempts, 24 chunks, region tpc, "
        "by what is asked for:"
    )
    tables = ((header, rows), (asked, gains))
    text = [plain_table(*table) for table in tables]
    markdown = [markdown_table(*table) for table in tables]
    return (
        "\n".join([fact, "", text[0], told, "", text[1]]),
        "\n".join([fact, "", markdown[0], told, "", markdown[1]]),
    )


def plain_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return aligned lines."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ["  ".join(t.rjust(w) for t, w in zip(r, widths, strict=True)) for r in (header, *rows)]
    return "\n".join(lines) + "\n"


def markdown_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = ["| " + " | ".join(r) + " |" for r in (header, ("---:",) * len(header), *rows)]
    return "\n".join(lines) + "\n"


def write(text: str, markdown: str) -> None:
    """Keep the table in the text file and in the page of the documentation."""
    (HERE / "variance.txt").write_text(text)
    before, _, rest = PAGE.read_text().partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}\n\n{markdown}\n{MARKS[1]}{after}")


def main(tell: Callable[[str], object] = print) -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU time of one measurement")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    detector = sp.load_detector("nd280")
    rows: list[tuple[str, ...]] = []
    for point in POINTS:
        rows += rows_of_point(detector, *point, arguments.seconds)
        tell("  ".join(rows[-1]))
    gains = [gains_of_nets(detector, m, d) for m, d, region in POINTS if region == "tpc"]
    text, markdown = report(rows, gains)
    tell(text)
    if arguments.write:
        write(text, markdown)


if __name__ == "__main__":
    main()
