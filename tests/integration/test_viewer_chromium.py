"""The 3-D page in a real browser: it draws, turns, cuts, hides and names what is pointed at."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import pytest

import siren_py as sp
from siren_py.geometry import Box, Cylinder, LayerStack, Sphere
from siren_py.material_library import AIR, LEAD, SCINTILLATOR, STEEL, WATER

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                None)  # fmt: skip
FLAGS = [
    "--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--window-size=1200,800",
    "--virtual-time-budget=3000",
]  # fmt: skip

# Runs in the page after its own script, as a user would: with events of the pointer and controls.
SCRIPT = """
<script>
const view = window.detectorView, out = {state: document.body.dataset.state, errors: []};
window.addEventListener("error", (e) => out.errors.push(e.message));
const canvas = document.getElementById("view"), box = canvas.getBoundingClientRect();
const pointer = (kind, x, y, more = {}) => canvas.dispatchEvent(new PointerEvent(kind,
  {clientX: box.x + x, clientY: box.y + y, pointerId: 1, bubbles: true, ...more}));
const tip = (x, y) => { pointer("pointermove", x, y);
  const t = document.getElementById("tip");
  return t.style.display === "block" ? [...t.children].map((c) => c.textContent) : null; };
const name = (point) => { const i = view.pick(...view.project(point));
  return i < 0 ? null : view.data.volumes[i].name; };
const press = (text) => [...document.querySelectorAll("button")]
  .find((b) => b.textContent === text).click();
const box_of = (text) => [...document.querySelectorAll("#volumes label.leaf")]
  .find((l) => l.querySelector(".name").textContent === text).querySelector("input");
const colour = (point) => { view.draw();
  const gl = canvas.getContext("webgl2"), [x, y] = view.project(point), p = new Uint8Array(4);
  const r = canvas.width / canvas.clientWidth;
  gl.readPixels(Math.floor(x * r), canvas.height - 1 - Math.floor(y * r), 1, 1, gl.RGBA,
                gl.UNSIGNED_BYTE, p);
  return [...p.slice(0, 3)]; };
try {
@STEPS@
} catch (problem) { out.errors.push(String(problem.stack)); }
const result = document.createElement("pre");
result.id = "result";
result.textContent = JSON.stringify(out);
document.body.append(result);
</script>
"""


@pytest.fixture
def detector():
    model = sp.DetectorModel("toy")
    model.add("hall", Box(5000, 5000, 5000), AIR)
    model.add("tank", Cylinder(100, 400), STEEL)
    model.add("water", Cylinder(90, 380), WATER)
    model.add("seed", Sphere(30), LEAD)
    model.add_stack("calo", LayerStack(200, 200, [(10, LEAD), (30, SCINTILLATOR)], repeat=3),
                    at=(0, 0, 300))  # fmt: skip
    model.add_region("fiducial", Cylinder(80, 360))
    return model


@pytest.fixture
def browse(tmp_path):
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")

    def run(detector, steps, **options):
        path = detector.show(tmp_path / "page.html", **options)
        text = path.read_text("utf-8")
        path.write_text(text.replace("</body>", SCRIPT.replace("@STEPS@", steps) + "</body>"))
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        done = subprocess.run(
            [CHROMIUM, *FLAGS, profile, "--dump-dom", path.as_uri()],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
        assert found, done.stderr[-2000:]
        result = json.loads(html.unescape(found[1]))
        if result["state"] == "no-webgl2":
            pytest.skip("this Chromium has no WebGL 2")
        assert result["errors"] == []
        assert result["state"] == "ready"
        return result

    return run


def test_the_page_draws_and_names(browse, detector):
    out = browse(
        detector,
        """
        // At first it is cut a little off x = 0; the side of smaller x is away.
        press("side");
        out.seed = name([4, 10, 0]); out.water = name([4, 60, 0]); out.steel = name([4, 95, 0]);
        out.calo = name([4, 0, 250]); out.nothing = name([4, 300, 0]);
        out.tip = tip(...view.project([4, 60, 0]));
        out.blank = tip(3, 3);
        view.cuts[0].set(false);
        out.whole = name([4, 60, 0]);
        box_of("tank").click(); out.without_tank = name([4, 60, 0]);
        // Within the hall, its walls are behind the tank.
        press("show all"); out.all = name([4, 60, 0]);
        press("hide all"); out.none = name([4, 60, 0]);
        press("as at first"); out.again = name([4, 60, 0]);
        """,
    )
    assert (out["seed"], out["water"], out["steel"]) == ("seed", "water", "tank")
    assert (out["calo"], out["nothing"]) == ("calo", None)
    assert out["tip"] == ["water", "water", "1 g/cm³", "9.557 t visible"]
    assert out["blank"] is None
    assert out["whole"] == "tank"
    assert out["without_tank"] == "water"
    assert (out["all"], out["none"], out["again"]) == ("tank", None, "tank")


def test_cuts_are_filled_with_the_layers_they_cut(browse, detector):
    out = browse(
        detector,
        """
        document.getElementById("edges").click();
        for (const r of view.data.regions) r.shown = false;
        press("side");
        out.lead = colour([4, 0, 245]); out.plastic = colour([4, 0, 265]);
        out.other_lead = colour([4, 0, 285]);
        press("⇄"); out.flipped = name([4, 60, 0]);
        view.cuts[0].set(false); view.cuts[1].set(true, 0); press("top");
        out.above = name([0, 0, 0]);
        """,
    )
    assert out["lead"] == out["other_lead"]
    assert sum(out["plastic"]) > sum(out["lead"]) + 150
    assert out["flipped"] == "tank"
    assert out["above"] is not None


def test_pointer_and_keys_move_the_view(browse, detector):
    out = browse(
        detector,
        """
        const state = () => [view.camera.yaw, view.camera.pitch, view.camera.distance,
                             ...view.camera.target];
        out.start = state();
        pointer("pointerdown", 400, 300); pointer("pointermove", 450, 330);
        pointer("pointerup", 450, 330);
        out.turned = state();
        pointer("pointerdown", 400, 300, {shiftKey: true}); pointer("pointermove", 440, 300);
        pointer("pointerup", 440, 300);
        out.moved = state();
        canvas.dispatchEvent(new WheelEvent("wheel", {deltaY: -300, cancelable: true}));
        out.zoomed = state();
        canvas.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowLeft", cancelable: true}));
        out.key = state();
        const search = document.getElementById("filter");
        search.value = "lead"; search.dispatchEvent(new Event("input"));
        out.listed = view.data.volumes.filter((v) => v.row.style.display === "")
          .map((v) => v.name);
        """,
    )
    assert out["turned"][0] == pytest.approx(out["start"][0] - 0.3)
    assert out["turned"][1] == pytest.approx(out["start"][1] + 0.18)
    assert out["moved"][:3] == out["turned"][:3]
    assert out["moved"][3:] != out["turned"][3:]
    assert out["zoomed"][2] < out["moved"][2]
    assert out["key"][0] == pytest.approx(out["zoomed"][0] + 0.08)
    assert out["listed"] == ["seed", "calo"]


def test_vertices_are_drawn(browse, detector, toy):
    sample = toy.simulate(detector, 100.0, "fiducial").run(500, seed=1, progress=False)
    x, y, z = sample.vertices(1)[0, :3].tolist()
    out = browse(
        detector,
        f"""
        document.getElementById("edges").click();
        for (const r of view.data.regions) r.shown = false;
        view.cuts[0].set(false);
        document.getElementById("production").click();
        const point = [{x}, {y}, {z}];
        out.with = colour(point);
        document.getElementById("decay").click();
        out.without = colour(point);
        out.text = document.getElementById("event-text").textContent;
        out.hidden = document.getElementById("events").hidden;
        """,
        sample=sample,
    )
    assert out["with"] != out["without"]
    assert out["text"] == f"{len(sample)} events"
    assert out["hidden"] is False


def test_nd280_in_the_browser(browse):
    out = browse(
        sp.load_detector("nd280"),
        """
        press("side");
        out.names = [name([11, 30, 96]), name([11, 30, 25]), name([11, 0, -200])];
        """,
    )
    assert out["names"] == ["tpc2-gas", "fgd1", "p0d-water-target-core"]
