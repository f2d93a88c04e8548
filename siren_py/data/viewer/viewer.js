"use strict";
// Viewer of detectors: one WebGL 2 program for matter, one for lines, one for points.
// A cut shows the inside of matter: where a ray enters the part that is kept inside a solid, the
// solid's far side is drawn with the depth of that point, so that the cut looks filled; of
// volumes that overlap there, the innermost wins, as in the simulation. The same shift of depth
// (`rank`) decides between faces that lie in one plane.
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const floats = (text) => new Float32Array(bytes(text).buffer);
const ints = (text) => new Uint32Array(bytes(text).buffer);
function bytes(text) {
  const raw = atob(text), array = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) array[i] = raw.charCodeAt(i);
  return array;
}
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255);
const unit = (n, digits = 4) => Number(n.toPrecision(digits)).toString();
const sub = (a, b) => a.map((x, i) => x - b[i]);
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2],
                         a[0] * b[1] - a[1] * b[0]];
const scaled = (a, s) => a.map((x) => x * s);
const normed = (a) => scaled(a, 1 / Math.hypot(...a));
const massText = (g) => g >= 1e6 ? `${unit(g / 1e6)} t` : g >= 1e3 ? `${unit(g / 1e3)} kg`
                                                                   : `${unit(g)} g`;

// ---------------------------------------------------------------- programs

const CUTS = `
uniform vec3 cutAt, cutSign;
bool cutAway(vec3 p) {
  vec3 over = cutSign * (p - cutAt);
  return over.x > 0.0 || over.y > 0.0 || over.z > 0.0;
}`;
const MATTER_VERTEX = `#version 300 es
in vec3 at; uniform mat4 camera; out vec3 place;
void main() { place = at; gl_Position = camera * vec4(at, 1.0); }`;
const MATTER_FRAGMENT = `#version 300 es
precision highp float; precision highp int;
in vec3 place; out vec4 colour;
uniform mat4 camera; uniform vec3 eye, tint; uniform float alpha, rank;
uniform int shape, picking, layered; uniform vec4 size, more;
uniform mat3 turn; uniform vec3 origin; uniform vec4 along; uniform sampler2D layers;
${CUTS}
bool within(vec3 p) {
  vec3 q = turn * (p - origin);
  if (shape == 1) return all(lessThanEqual(abs(q), size.xyz));
  if (shape == 2) { float r = length(q); return r <= size.x && r >= size.y; }
  if (shape == 3) {
    float r = length(q.xy);
    if (r > size.x || r < size.y || abs(q.z) > size.z) return false;
    return mod(atan(q.y, q.x) - more.x, 6.283185307) <= more.y;
  }
  if (shape == 4) {
    if (abs(q.z) > size.z) return false;
    float sector = 6.283185307 / more.y, phi = atan(q.y, q.x) - more.x;
    phi -= sector * floor(phi / sector + 0.5);
    return length(q.xy) * cos(phi) <= size.x;
  }
  if (shape == 5) {
    float r = length(q.xy), h = 0.5 + 0.5 * q.z / size.z;
    if (abs(q.z) > size.z || r > mix(size.x, size.y, h) || r < mix(more.z, more.w, h)) return false;
    return mod(atan(q.y, q.x) - more.x, 6.283185307) <= more.y;
  }
  return false;
}
void main() {
  if (cutAway(place)) discard;
  vec3 seen = place; bool cap = false;
  gl_FragDepth = clamp(gl_FragCoord.z - rank, 0.0, 1.0);
  if (!gl_FrontFacing && dot(cutSign, cutSign) > 0.0) {
    vec3 way = place - eye; float enter = 0.0;
    for (int k = 0; k < 3; k++)
      if (cutSign[k] * way[k] < 0.0) enter = max(enter, (cutAt[k] - eye[k]) / way[k]);
    vec3 start = eye + enter * way;
    if (enter > 0.0 && enter < 1.0 && within(start)) {
      cap = true; seen = start;
      vec4 flat_ = camera * vec4(start, 1.0);
      gl_FragDepth = clamp(0.5 * flat_.z / flat_.w + 0.5 - rank, 0.0, 1.0);
    }
  }
  if (picking > 0) {
    colour = vec4(float(picking & 255), float(picking >> 8 & 255), float(picking >> 16), 255.0)
      / 255.0;
    return;
  }
  vec3 base = tint;
  if (layered == 1)
    base = texture(layers, vec2((dot(along.xyz, seen) - size.w) / along.w, 0.5)).rgb;
  vec3 normal = normalize(cross(dFdx(place), dFdy(place)));
  float light = cap ? 1.0 : 0.66 + 0.34 * abs(dot(normal, normalize(eye - place)));
  if (!cap && !gl_FrontFacing) light *= 0.9;
  colour = vec4(base * light, alpha);
}`;
const LINE_VERTEX = `#version 300 es
in vec3 at; uniform mat4 camera; uniform float nearer; out vec3 place;
void main() {
  place = at; gl_Position = camera * vec4(at, 1.0); gl_Position.z -= nearer * gl_Position.w;
}`;
const LINE_FRAGMENT = `#version 300 es
precision highp float; in vec3 place; out vec4 colour; uniform vec4 ink;
${CUTS}
void main() { if (cutAway(place)) discard; colour = ink; }`;
const POINT_VERTEX = `#version 300 es
in vec4 at; uniform mat4 camera; uniform vec2 range; uniform float pixel;
out vec3 place; out float level;
void main() {
  place = at.xyz; level = clamp((at.w - range.x) / max(range.y - range.x, 1e-6), 0.0, 1.0);
  gl_Position = camera * vec4(at.xyz, 1.0);
  gl_PointSize = pixel * (4.0 + 3.0 * level);
}`;
const POINT_FRAGMENT = `#version 300 es
precision highp float; in vec3 place; in float level; out vec4 colour;
uniform int crossed; uniform sampler2D ramp;
${CUTS}
void main() {
  if (cutAway(place)) discard;
  vec2 p = gl_PointCoord * 2.0 - 1.0;
  if (crossed == 1 ? min(abs(p.x - p.y), abs(p.x + p.y)) > 0.42 : dot(p, p) > 1.0) discard;
  colour = vec4(texture(ramp, vec2(level, 0.5)).rgb, 0.9);
}`;
// Plasma (matplotlib, CC0), from pale to dark with growing weight.
const RAMP = ["#f0f921", "#fdca26", "#fb9f3a", "#ed7953", "#d8576b", "#bd3786", "#9c179e",
              "#7201a8", "#46039f", "#0d0887"];

const canvas = $("view");
const gl = canvas.getContext("webgl2", { antialias: true, preserveDrawingBuffer: true });
if (!gl) {
  $("problem").hidden = false;
  $("problem").textContent = "This browser offers no WebGL 2, which the picture needs.";
  document.body.dataset.state = "no-webgl2";
  return;
}
function program(vertex, fragment) {
  const made = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS))
      throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(made, shader);
  }
  gl.bindAttribLocation(made, 0, "at");
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
  const where = {};
  for (let i = 0; i < gl.getProgramParameter(made, gl.ACTIVE_UNIFORMS); i++) {
    const name = gl.getActiveUniform(made, i).name;
    where[name] = gl.getUniformLocation(made, name);
  }
  return { made, where };
}
const matter = program(MATTER_VERTEX, MATTER_FRAGMENT);
const strokes = program(LINE_VERTEX, LINE_FRAGMENT);
const dots = program(POINT_VERTEX, POINT_FRAGMENT);

function buffer(array, width, indices) {
  const state = gl.createVertexArray();
  gl.bindVertexArray(state);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, array, gl.STATIC_DRAW);
  gl.enableVertexAttribArray(0);
  gl.vertexAttribPointer(0, width, gl.FLOAT, false, 0, 0);
  if (indices) {
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, indices, gl.STATIC_DRAW);
  }
  gl.bindVertexArray(null);
  return state;
}
function strip(colours) {
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, colours.length / 4, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE,
                colours);
  gl.generateMipmap(gl.TEXTURE_2D);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
  for (const key of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T])
    gl.texParameteri(gl.TEXTURE_2D, key, gl.CLAMP_TO_EDGE);
  return texture;
}
function layerStrip(stack) {
  // Each texel is the mean colour of the layers in it.
  const n = 2048, sum = new Float64Array(3 * n), edges = stack.edges;
  const perTexel = (edges[edges.length - 1] - edges[0]) / n;
  for (let i = 0; i + 1 < edges.length; i++) {
    const colour = rgb(stack.colours[i]);
    const low = (edges[i] - edges[0]) / perTexel, high = (edges[i + 1] - edges[0]) / perTexel;
    for (let k = Math.floor(low); k < Math.min(Math.ceil(high), n); k++) {
      const part = Math.min(high, k + 1) - Math.max(low, k);
      for (let c = 0; c < 3; c++) sum[3 * k + c] += part * colour[c];
    }
  }
  const texels = new Uint8Array(4 * n).fill(255);
  for (let k = 0; k < n; k++)
    for (let c = 0; c < 3; c++) texels[4 * k + c] = Math.round(255 * Math.min(1, sum[3 * k + c]));
  return strip(texels);
}

const body = buffer(floats(data.vertices), 3, ints(data.faces));
const lines = buffer(floats(data.lines), 3);
const blank = strip(new Uint8Array(4).fill(255));
const ramp = strip(new Uint8Array(RAMP.flatMap((c) => [...rgb(c).map((x) => 255 * x), 255])));
for (const volume of data.volumes) {
  volume.shown = !volume.site;
  volume.rgb = rgb(volume.colour);
  volume.strip = volume.stack ? layerStrip(volume.stack) : blank;
}
const clouds = [];
for (const kind of ["production", "decay"]) {
  if (!data.events) continue;
  const array = floats(data.events[kind]);
  clouds.push({ kind, state: buffer(array, 4), count: array.length / 4, shown: true });
}

// ---------------------------------------------------------------- camera

const lo = data.box[0], hi = data.box[1];
const middle = lo.map((x, i) => 0.5 * (x + hi[i]));
const span = Math.hypot(...sub(hi, lo));
const camera = { target: middle.slice(), yaw: -2.0, pitch: 0.4, distance: 1.45 * span };
const FIELD = 0.6;  // vertical opening angle [rad]
const UP = [0, 1, 0];
function eyeAxes() {
  // The way from the target to the eye; y is up.
  const c = Math.cos(camera.pitch);
  const back = [c * Math.sin(camera.yaw), Math.sin(camera.pitch), c * Math.cos(camera.yaw)];
  const right = normed(cross(UP, back));
  return { back, right, up: cross(back, right) };
}
function cameraMatrix() {
  const { back, right, up } = eyeAxes();
  const eye = camera.target.map((x, i) => x + camera.distance * back[i]);
  // Near and far enclose the box, and whatever larger volumes are shown.
  let reach = span;
  for (const v of data.volumes) if (v.shown) reach = Math.max(reach, v.reach);
  const far = camera.distance + 1.1 * reach + Math.hypot(...sub(camera.target, middle));
  const near = Math.max(0.02 * camera.distance, far - 2.4 * (far - camera.distance) - span, 0.1);
  const f = 1 / Math.tan(FIELD / 2), a = canvas.width / canvas.height;
  const view = [right, up, back].map((row) => [...row, -dot(row, eye)]);
  const m = new Float32Array(16);
  for (let k = 0; k < 4; k++) {
    m[4 * k] = view[0][k] * f / a;
    m[4 * k + 1] = view[1][k] * f;
    m[4 * k + 2] = view[2][k] * (far + near) / (near - far);
    m[4 * k + 3] = -view[2][k];
  }
  m[14] += 2 * far * near / (near - far);
  return { matrix: m, eye };
}

// ---------------------------------------------------------------- drawing

const cuts = [0, 1, 2].map((k) => ({ on: false, at: middle[k], sign: -1 }));
let style = "solid", withEdges = true, hovered = -1, waiting = false;
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(); });
}
function shared(use, view) {
  gl.useProgram(use.made);
  gl.uniformMatrix4fv(use.where.camera, false, view.matrix);
  gl.uniform3fv(use.where.cutAt, cuts.map((c) => c.at));
  gl.uniform3fv(use.where.cutSign, cuts.map((c) => c.on ? c.sign : 0));
}
function drawMatter(view, picking) {
  shared(matter, view);
  const w = matter.where;
  gl.uniform3fv(w.eye, view.eye);
  gl.uniform1i(w.layers, 0);
  gl.bindVertexArray(body);
  data.volumes.forEach((v, i) => {
    if (!v.shown || v.count === 0) return;
    const lit = i === hovered && !picking;
    gl.uniform3fv(w.tint, lit ? v.rgb.map((c) => 0.6 * c + 0.4) : v.rgb);
    gl.uniform1f(w.alpha, style === "glass" && !picking ? (lit ? 0.5 : 0.22) : 1);
    gl.uniform1f(w.rank, 6e-7 * v.level + 1e-9 * Math.min(i, 500));
    gl.uniform1i(w.picking, picking ? i + 1 : 0);
    gl.uniform1i(w.shape, v.shape.kind);
    gl.uniform4fv(w.size, [...v.shape.size, v.stack ? v.stack.start : 0]);
    gl.uniform4fv(w.more, v.shape.more);
    gl.uniformMatrix3fv(w.turn, false, v.shape.turn);
    gl.uniform3fv(w.origin, v.shape.origin);
    gl.uniform1i(w.layered, v.stack && !lit ? 1 : 0);
    gl.uniform4fv(w.along, v.stack ? v.stack.along : [0, 0, 0, 1]);
    gl.bindTexture(gl.TEXTURE_2D, v.strip);
    gl.drawElements(gl.TRIANGLES, v.count, gl.UNSIGNED_INT, 4 * v.first);
  });
}
function drawLines(view) {
  shared(strokes, view);
  gl.bindVertexArray(lines);
  if (withEdges || style === "wire") {
    gl.uniform1f(strokes.where.nearer, 2e-5);
    data.volumes.forEach((v, i) => {
      if (!v.shown) return;
      const c = style === "wire" ? v.rgb.map((x) => 0.75 * x) : v.rgb.map((x) => 0.42 * x);
      gl.uniform4fv(strokes.where.ink, i === hovered ? [0, 0, 0, 1] : [...c, 0.85]);
      gl.drawArrays(gl.LINES, v.lines[0], v.lines[1]);
    });
  }
  gl.disable(gl.DEPTH_TEST);
  gl.uniform1f(strokes.where.nearer, 0);
  for (const region of data.regions) {
    if (!region.shown) continue;
    gl.uniform4fv(strokes.where.ink, [0.75, 0.05, 0.35, 1]);
    gl.drawArrays(gl.LINES, region.lines[0], region.lines[1]);
  }
  gl.enable(gl.DEPTH_TEST);
}
function drawPoints(view) {
  shared(dots, view);
  gl.disable(gl.DEPTH_TEST);
  gl.bindTexture(gl.TEXTURE_2D, ramp);
  gl.uniform1i(dots.where.ramp, 0);
  gl.uniform1f(dots.where.pixel, window.devicePixelRatio || 1);
  for (const cloud of clouds) {
    if (!cloud.shown) continue;
    gl.uniform2fv(dots.where.range, data.events.range);
    gl.uniform1i(dots.where.crossed, cloud.kind === "production" ? 1 : 0);
    gl.bindVertexArray(cloud.state);
    gl.drawArrays(gl.POINTS, 0, cloud.count);
  }
  gl.enable(gl.DEPTH_TEST);
}
function draw() {
  resize();
  const view = cameraMatrix();
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  gl.viewport(0, 0, canvas.width, canvas.height);
  gl.clearColor(1, 1, 1, 1);
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  gl.enable(gl.DEPTH_TEST);
  gl.depthFunc(gl.LEQUAL);
  gl.blendFuncSeparate(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA, gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  if (style === "glass") { gl.enable(gl.BLEND); gl.depthMask(false); } else gl.disable(gl.BLEND);
  if (style !== "wire") drawMatter(view, false);
  gl.depthMask(true);
  gl.enable(gl.BLEND);
  drawLines(view);
  drawPoints(view);
  drawAxes();
  document.body.dataset.frames = String(Number(document.body.dataset.frames || 0) + 1);
}
function resize() {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    room = null;
  }
}
function drawAxes() {
  const { right, up } = eyeAxes();
  const beam = data.beam && normed(data.beam);
  const marks = ["x", "y", "z"].map((name, k) => [name, [0, 1, 2].map((i) => Number(i === k)),
                                                  "#33414f"]);
  if (beam) marks.push(["beam", beam, "#b3005a"]);
  $("axes").innerHTML = marks.map(([name, way, ink]) => {
    const x = 27 * dot(way, right), y = -27 * dot(way, up), far = name === "beam" ? 0.75 : 1.3;
    return `<line x1="0" y1="0" x2="${x}" y2="${y}" stroke="${ink}" stroke-width="1.6"/>` +
      `<text x="${far * x}" y="${far * y + (name === "beam" ? 12 : 4)}" fill="${ink}" font-size="11"` +
      ` text-anchor="middle">${name}</text>`;
  }).join("");
  // A length that reads well, at the distance of the target.
  const perPixel = 2 * camera.distance * Math.tan(FIELD / 2) / canvas.clientHeight;
  const wish = 110 * perPixel, power = 10 ** Math.floor(Math.log10(wish));
  const length = power * [5, 2, 1].find((f) => f * power <= wish);
  $("scale-bar").style.width = `${length / perPixel}px`;
  $("scale-text").textContent = length >= 100 ? `${length / 100} m` : `${unit(length)} cm`;
}

// ---------------------------------------------------------------- what is under the pointer

let room = null;
function pick(x, y) {
  const ratio = canvas.width / canvas.clientWidth;
  const px = Math.floor(x * ratio), py = canvas.height - 1 - Math.floor(y * ratio);
  if (style === "wire" || px < 0 || py < 0 || px >= canvas.width || py >= canvas.height) return -1;
  if (!room) {
    room = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, room);
    const make = (format, point) => {
      const store = gl.createRenderbuffer();
      gl.bindRenderbuffer(gl.RENDERBUFFER, store);
      gl.renderbufferStorage(gl.RENDERBUFFER, format, canvas.width, canvas.height);
      gl.framebufferRenderbuffer(gl.FRAMEBUFFER, point, gl.RENDERBUFFER, store);
    };
    make(gl.RGBA8, gl.COLOR_ATTACHMENT0);
    make(gl.DEPTH_COMPONENT24, gl.DEPTH_ATTACHMENT);
  }
  gl.bindFramebuffer(gl.FRAMEBUFFER, room);
  gl.viewport(0, 0, canvas.width, canvas.height);
  gl.enable(gl.SCISSOR_TEST);
  gl.scissor(px, py, 1, 1);
  gl.clearColor(0, 0, 0, 0);
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  gl.disable(gl.BLEND);
  gl.enable(gl.DEPTH_TEST);
  gl.depthMask(true);
  gl.depthFunc(gl.LEQUAL);
  drawMatter(cameraMatrix(), true);
  const pixel = new Uint8Array(4);
  gl.readPixels(px, py, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
  gl.disable(gl.SCISSOR_TEST);
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  return pixel[0] + 256 * pixel[1] + 65536 * pixel[2] - 1;
}
function describe(volume) {
  const tip = $("tip");
  tip.replaceChildren();
  const add = (tag, text) => {
    const part = document.createElement(tag);
    part.textContent = text;
    tip.append(part);
  };
  add("b", volume.name);
  add("span", volume.material);
  add("span", volume.density);
  if (volume.mass !== null) add("span", `${massText(volume.mass)} visible`);
}
function hover(x, y) {
  const found = pick(x, y);
  if (found !== hovered) { hovered = found; redraw(); }
  const tip = $("tip");
  tip.style.display = found < 0 ? "none" : "block";
  if (found < 0) return;
  describe(data.volumes[found]);
  const stage = $("stage");
  tip.style.left = `${Math.min(x + 14, stage.clientWidth - tip.offsetWidth - 6)}px`;
  tip.style.top = `${Math.min(y + 14, stage.clientHeight - tip.offsetHeight - 6)}px`;
}

// ---------------------------------------------------------------- pointer and keys

let drag = null;
const pointers = new Map();
canvas.addEventListener("pointerdown", (e) => {
  try { canvas.setPointerCapture(e.pointerId); } catch { /* a pointer made by a script */ }
  pointers.set(e.pointerId, [e.clientX, e.clientY]);
  drag = { x: e.clientX, y: e.clientY, pan: e.button !== 0 || e.shiftKey, pinch: 0 };
  $("tip").style.display = "none";
});
canvas.addEventListener("pointermove", (e) => {
  if (!drag) { const r = canvas.getBoundingClientRect(); hover(e.clientX - r.x, e.clientY - r.y);
               return; }
  pointers.set(e.pointerId, [e.clientX, e.clientY]);
  if (pointers.size === 2) {
    const [a, b] = [...pointers.values()], gap = Math.hypot(a[0] - b[0], a[1] - b[1]);
    if (drag.pinch) zoom(drag.pinch / gap);
    drag.pinch = gap;
    return;
  }
  const dx = e.clientX - drag.x, dy = e.clientY - drag.y;
  drag.x = e.clientX;
  drag.y = e.clientY;
  if (drag.pan) pan(dx, dy); else rotate(-0.006 * dx, 0.006 * dy);
});
for (const name of ["pointerup", "pointercancel"])
  canvas.addEventListener(name, (e) => { pointers.delete(e.pointerId); drag = null; });
canvas.addEventListener("pointerleave", () => {
  $("tip").style.display = "none";
  if (hovered >= 0) { hovered = -1; redraw(); }
});
canvas.addEventListener("contextmenu", (e) => e.preventDefault());
canvas.addEventListener("wheel", (e) => { e.preventDefault(); zoom(Math.exp(0.0012 * e.deltaY)); },
                        { passive: false });
function rotate(yaw, pitch) {
  camera.yaw += yaw;
  camera.pitch = Math.max(-1.5706, Math.min(1.5706, camera.pitch + pitch));
  redraw();
}
function pan(dx, dy) {
  const { right, up } = eyeAxes();
  const step = 2 * camera.distance * Math.tan(FIELD / 2) / canvas.clientHeight;
  camera.target = camera.target.map((x, i) => x - step * (dx * right[i] - dy * up[i]));
  redraw();
}
function zoom(factor) {
  camera.distance = Math.max(1e-3 * span, Math.min(200 * span, camera.distance * factor));
  redraw();
}
canvas.addEventListener("keydown", (e) => {
  const moves = { ArrowLeft: () => rotate(0.08, 0), ArrowRight: () => rotate(-0.08, 0),
                  ArrowUp: () => rotate(0, 0.08), ArrowDown: () => rotate(0, -0.08),
                  "+": () => zoom(0.9), "-": () => zoom(1.1) };
  if (moves[e.key]) { moves[e.key](); e.preventDefault(); }
});

// ---------------------------------------------------------------- panel

function element(tag, options = {}, ...children) {
  const made = Object.assign(document.createElement(tag), options);
  made.append(...children);
  return made;
}
$("name").textContent = data.name;
$("about").textContent = data.about;
const VIEWS = { "3-D": [-2.0, 0.4], side: [-Math.PI / 2, 0], front: [Math.PI, 0],
                back: [0, 0], top: [-Math.PI / 2, Math.PI / 2] };
for (const [name, [yaw, pitch]] of Object.entries(VIEWS))
  $("views").append(element("button", { textContent: name, onclick: () => {
    Object.assign(camera, { target: middle.slice(), yaw, pitch, distance: 1.45 * span });
    redraw();
  } }));
$("style").onchange = (e) => { style = e.target.value; hovered = -1; redraw(); };
$("edges").onchange = (e) => { withEdges = e.target.checked; redraw(); };
cuts.forEach((cut, k) => {
  const axis = "xyz"[k];
  const shown = element("output", { textContent: "off" });
  const tick = element("input", { type: "checkbox", id: `cut-${axis}` });
  const slide = element("input", { type: "range", min: lo[k], max: hi[k], step: "any",
                                   value: cut.at, id: `at-${axis}` });
  slide.setAttribute("aria-label", `Place of the cut in ${axis}`);
  const flip = element("button", { textContent: "⇄", title: "keep the other side" });
  const update = () => {
    cut.on = tick.checked;
    cut.at = Number(slide.value);
    shown.textContent = cut.on ? `${unit(cut.at, 4)} cm` : "off";
    redraw();
  };
  tick.onchange = update;
  slide.oninput = () => { tick.checked = true; update(); };
  flip.onclick = () => { cut.sign = -cut.sign; tick.checked = true; update(); };
  $("cuts").append(element("div", { className: "cut" },
    element("label", {}, tick, ` ${axis}`), slide, shown, flip));
  cut.set = (on, at) => { tick.checked = on; if (at !== undefined) slide.value = at; update(); };
});

if (data.events) {
  $("events").hidden = false;
  $("event-text").textContent = data.events.text;
  $("bar").style.background = `linear-gradient(to right, ${RAMP.join(",")})`;
  $("least").textContent = (10 ** data.events.range[0]).toExponential(1);
  $("most").textContent = (10 ** data.events.range[1]).toExponential(1);
  for (const cloud of clouds)
    $(cloud.kind).onchange = (e) => { cloud.shown = e.target.checked; redraw(); };
}
$("region-part").hidden = data.regions.length === 0;
for (const region of data.regions) {
  region.shown = true;
  const tick = element("input", { type: "checkbox", checked: true });
  tick.onchange = () => { region.shown = tick.checked; redraw(); };
  $("regions").append(element("label", {}, tick,
    element("span", { className: "name", textContent: region.name, title: region.name }),
    element("span", { className: "mass", textContent: region.size })));
}

const groups = new Map();
data.volumes.forEach((volume) => {
  if (!groups.has(volume.group)) groups.set(volume.group, []);
  groups.get(volume.group).push(volume);
});
const refreshers = [];
function leaf(volume) {
  const tick = element("input", { type: "checkbox", checked: volume.shown });
  tick.onchange = () => { volume.shown = tick.checked; refresh(); };
  refreshers.push(() => { tick.checked = volume.shown; });
  const swatch = element("i", { className: "swatch" });
  swatch.style.background = volume.colour;
  volume.row = element("label", { className: "leaf", title: `${volume.name}: ${volume.material}` },
    tick, swatch, element("span", { className: "name", textContent: volume.name }),
    element("span", { className: "mass",
                      textContent: volume.mass === null ? "" : massText(volume.mass) }));
  return volume.row;
}
for (const [name, members] of groups) {
  if (members.length === 1) { $("volumes").append(leaf(members[0])); continue; }
  const tick = element("input", { type: "checkbox" });
  tick.onchange = () => { for (const v of members) v.shown = tick.checked; refresh(); };
  refreshers.push(() => {
    const on = members.filter((v) => v.shown).length;
    tick.checked = on === members.length;
    tick.indeterminate = on > 0 && on < members.length;
  });
  const total = members.every((v) => v.mass !== null)
    ? massText(members.reduce((sum, v) => sum + v.mass, 0)) : "";
  const branch = element("details", {}, element("summary", {}, element("label", {}, tick,
    element("span", { className: "name", textContent: `${name} (${members.length})` }),
    element("span", { className: "mass", textContent: total }))));
  for (const v of members) branch.append(leaf(v));
  branch.members = members;
  $("volumes").append(branch);
}
function refresh() { for (const one of refreshers) one(); redraw(); }
$("all").onclick = () => { for (const v of data.volumes) v.shown = true; refresh(); };
$("none").onclick = () => { for (const v of data.volumes) v.shown = false; refresh(); };
$("usual").onclick = () => { for (const v of data.volumes) v.shown = !v.site; refresh(); };
$("filter").oninput = (e) => {
  const word = e.target.value.toLowerCase();
  for (const v of data.volumes)
    v.row.style.display = `${v.name} ${v.material}`.toLowerCase().includes(word) ? "" : "none";
  for (const branch of $("volumes").querySelectorAll("details")) {
    const any = branch.members.some((v) => v.row.style.display === "");
    branch.style.display = any ? "" : "none";
    branch.open = any && word !== "";
  }
};

// ---------------------------------------------------------------- start

window.addEventListener("resize", redraw);
refresh();
// A first look: cut open through the middle, so that the inside shows.
cuts[0].set(true, data.cut);
resize();
draw();
window.detectorView = { data, camera, cuts, pick, redraw, refresh, draw,
  project(point) {
    const { matrix: m } = cameraMatrix();
    const out = [0, 1, 3].map((r) => m[r] * point[0] + m[4 + r] * point[1] + m[8 + r] * point[2]
                                     + m[12 + r]);
    return [(0.5 + 0.5 * out[0] / out[2]) * canvas.clientWidth,
            (0.5 - 0.5 * out[1] / out[2]) * canvas.clientHeight];
  } };
document.body.dataset.state = "ready";
})();
