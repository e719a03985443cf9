// The drawing board: points are painted with a brush and taken away with an eraser, in the square from -1 to 1. It stands where
// the stage will stand. After each stroke the whole drawing goes to the server, which checks it and puts it into the form.

import { fit, forgetThemes, number, theme, ticks, whole } from "./draw.js";
import { views } from "./feed.js";
import { unpack } from "./wire.js";

const HALF = 1.06; // of the square that is shown: points on the border are whole
const KEPT = 50; // strokes that can be taken back
const SHAPE_POINTS = 1200;

const HTML = `
<div class="board">
  <div class="progress"><div class="numbers"><span class="status" data-status="none">Your drawing</span><span class="count" aria-live="polite"></span></div>
    <div class="bar" role="progressbar" aria-label="Points drawn" aria-valuemin="0"><div></div></div></div>
  <div class="picture">
    <div class="tools" role="toolbar" aria-label="Drawing">
      <button type="button" class="brush" aria-pressed="true"><i></i>Brush</button><button type="button" class="eraser" aria-pressed="false"><i></i>Eraser</button>
      <button type="button" class="undo">Undo</button><button type="button" class="clear">Clear</button></div>
    <div class="square"><canvas class="paper" tabindex="0" role="img"></canvas><div class="empty"><span>Paint here: drag with the mouse, a pen or a finger</span></div></div>
    <div class="caption">What you paint is the real data, which the generator shall learn to imitate.</div>
  </div>
  <div class="side">
    <label>Brush size <span></span><input type="range" class="size" aria-label="Brush size" min="0.02" max="0.4" step="0.01" value="0.1"></label>
    <label>Density of the spray <span></span><input type="range" class="density" aria-label="Density of the spray" min="1" max="40" step="1" value="12"></label>
    <div class="group"><b>Start from a shape</b><div class="shapes"></div></div>
    <p>Both networks see what you paint and nothing else. Separate blobs show mode collapse, thin lines show how sharp the generator becomes.</p>
    <p>With the keyboard: arrow keys move the brush on the picture, the space bar paints, Ctrl+Z takes back.</p>
  </div>
</div>`;

// The same stroke over the same drawing sprays the same points (mulberry32).
function seeded(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// Name -> (u in [0, 1), random numbers) -> a point of the shape.
const SHAPES = {
  "Two rings": (u) => {
    const [r, a] = u < 0.3 ? [0.35, u / 0.3] : [0.8, (u - 0.3) / 0.7];
    return [r * Math.cos(2 * Math.PI * a), r * Math.sin(2 * Math.PI * a)];
  },
  Spiral: (u) => {
    const s = Math.sqrt(u), a = 4 * Math.PI * s;
    return [0.85 * s * Math.cos(a), 0.85 * s * Math.sin(a)];
  },
  Heart: (u) => {
    const a = 2 * Math.PI * u;
    return [0.85 * Math.sin(a) ** 3, 0.1 + (0.85 / 16) * (13 * Math.cos(a) - 5 * Math.cos(2 * a) - 2 * Math.cos(3 * a) - Math.cos(4 * a))];
  },
  "Five blobs": (u, random) => {
    const a = 2 * Math.PI * (Math.floor(5 * u) / 5 + 0.05), r = 0.13 * Math.sqrt(random()), b = 2 * Math.PI * random();
    return [0.7 * Math.cos(a) + r * Math.cos(b), 0.7 * Math.sin(a) + r * Math.sin(b)];
  },
};

// A place on an axis as one byte, as gan_core.points.encode_points keeps it, and back.
const toCell = (v) => Math.round((v + 1) * 127.5);
const toPlace = (cell) => cell / 127.5 - 1;

// Bytes as text that can stand in a link.
function asText(cells) {
  return btoa(String.fromCharCode(...cells)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

class Board {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    this.canvas = this.find("canvas");
    this.cells = []; // x, y, x, y, …: a byte each
    this.history = [];
    this.tool = "brush";
    this.limit = 0;
    this.made = 0; // when the server made the latest message
    this.revision = null; // of the drawing in the form, which only others than this board move on
    this.stroke = null;
    this.pointer = null; // where the brush is, in the drawing's coordinates
    for (const tool of ["brush", "eraser"]) this.find(`.${tool}`).onclick = () => this.choose(tool);
    this.find(".undo").onclick = () => this.undo();
    this.find(".clear").onclick = () => this.replace([]);
    for (const slider of this.root.querySelectorAll(".side input")) slider.oninput = () => this.show();
    for (const [name, shape] of Object.entries(SHAPES)) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
      button.onclick = () => this.replace(this.shaped(shape));
      this.find(".shapes").append(button);
    }
    this.canvas.onpointerdown = (e) => this.down(e);
    this.canvas.onpointermove = (e) => this.move(e);
    this.canvas.onpointerup = this.canvas.onpointercancel = () => this.end();
    this.canvas.onpointerleave = () => { if (!this.stroke) { this.pointer = null; this.redraw(); } };
    this.canvas.onblur = () => { this.pointer = null; this.redraw(); };
    this.canvas.onkeydown = (e) => this.key(e);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.canvas);
  }

  dispose() {
    this.observer.disconnect();
    cancelAnimationFrame(this.due);
  }

  // The server says what is in the form. What it knows from this board is old news, and may be older than what is here now.
  take(bytes) {
    const { header, arrays } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    forgetThemes(this.canvas);
    Object.assign(this, { made: header.made, palette: header.palette, limit: header.limit });
    if (header.revision !== this.revision) {
      if (this.revision !== null) this.remember();
      this.stroke = null;
      this.cells = [...arrays.cells];
    }
    this.revision = header.revision;
    this.show();
  }

  count() { return this.cells.length / 2; }

  remember(cells = this.cells) {
    this.history.push(cells);
    if (this.history.length > KEPT) this.history.shift();
  }

  choose(tool) {
    this.tool = tool;
    this.show();
  }

  // Another drawing instead of this one; it can be taken back.
  replace(cells) {
    this.remember();
    this.cells = cells;
    this.send();
  }

  undo() {
    if (!this.history.length || this.stroke) return;
    this.cells = this.history.pop();
    this.send();
  }

  send() {
    this.show();
    this.trigger("drawn", asText(this.cells));
  }

  shaped(shape) {
    const random = seeded(1), cells = [];
    for (let k = 0; k < Math.min(SHAPE_POINTS, this.limit); k++) {
      const [x, y] = shape((k + random()) / SHAPE_POINTS, random);
      cells.push(toCell(x), toCell(y));
    }
    return cells;
  }

  radius() { return Number(this.find(".size").value); }

  // A stroke goes on from one place to the next: points at random within the brush, the more the longer the way.
  paint(from, to) {
    const r = this.radius(), density = Number(this.find(".density").value), { random } = this.stroke;
    const way = Math.hypot(to[0] - from[0], to[1] - from[1]);
    this.stroke.owed += from === to ? density : (density * way) / r;
    for (; this.stroke.owed >= 1; this.stroke.owed--) {
      const along = random(), away = r * Math.sqrt(random()), angle = 2 * Math.PI * random();
      const x = from[0] + along * (to[0] - from[0]) + away * Math.cos(angle), y = from[1] + along * (to[1] - from[1]) + away * Math.sin(angle);
      if (this.count() < this.limit && Math.abs(x) <= 1 && Math.abs(y) <= 1) this.cells.push(toCell(x), toCell(y));
    }
  }

  erase(from, to) {
    const r = this.radius(), dx = to[0] - from[0], dy = to[1] - from[1], length = dx * dx + dy * dy || 1, kept = [];
    for (let i = 0; i < this.cells.length; i += 2) {
      const x = toPlace(this.cells[i]) - from[0], y = toPlace(this.cells[i + 1]) - from[1];
      const along = Math.max(0, Math.min(1, (x * dx + y * dy) / length));
      if (Math.hypot(x - along * dx, y - along * dy) > r) kept.push(this.cells[i], this.cells[i + 1]);
    }
    this.cells = kept;
  }

  begin(at) {
    this.stroke = { before: this.cells.slice(), at, owed: 0, random: seeded(this.cells.length + 1) };
    this[this.tool === "brush" ? "paint" : "erase"](at, at);
    this.show();
  }

  end() {
    if (!this.stroke) return;
    const { before } = this.stroke;
    this.stroke = null;
    if (before.length === this.cells.length) return; // a stroke adds or takes away, never both
    this.remember(before);
    this.send();
  }

  place(e) {
    const box = this.canvas.getBoundingClientRect();
    return [((e.clientX - box.left) / box.width * 2 - 1) * HALF, (1 - (e.clientY - box.top) / box.height * 2) * HALF];
  }

  down(e) {
    if (!e.isPrimary || e.button !== 0 || !this.limit) return;
    this.canvas.setPointerCapture(e.pointerId);
    this.pointer = this.place(e);
    this.begin(this.pointer);
  }

  move(e) {
    if (!e.isPrimary) return;
    this.pointer = this.place(e);
    if (this.stroke) {
      const { at } = this.stroke;
      this.stroke.at = this.pointer;
      this[this.tool === "brush" ? "paint" : "erase"](at, this.pointer);
      this.show();
    } else this.redraw();
  }

  key(e) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key];
    if (way) this.pointer = (this.pointer || [0, 0]).map((v, k) => Math.max(-1, Math.min(1, v + 0.05 * way[k])));
    else if (e.key === " ") { this.pointer ||= [0, 0]; this.begin(this.pointer); this.end(); }
    else if (e.key.toLowerCase() === "z" && (e.ctrlKey || e.metaKey)) this.undo();
    else return;
    e.preventDefault();
    e.stopPropagation();
    this.redraw();
  }

  // Numbers and buttons, then the picture.
  show() {
    const n = this.count(), full = this.limit && n >= this.limit;
    this.find(".count").textContent = `${whole(n)} of ${whole(this.limit)} points${full ? ": the drawing is full" : ""}`;
    this.find(".bar > div").style.width = `${(100 * n) / (this.limit || 1)}%`;
    this.find(".bar").setAttribute("aria-valuemax", this.limit);
    this.find(".bar").setAttribute("aria-valuenow", n);
    this.find(".empty").hidden = n > 0;
    this.find(".undo").disabled = !this.history.length;
    this.find(".clear").disabled = !n;
    for (const tool of ["brush", "eraser"]) this.find(`.${tool}`).setAttribute("aria-pressed", String(this.tool === tool));
    for (const label of this.root.querySelectorAll("label")) label.querySelector("span").textContent = number(Number(label.querySelector("input").value));
    this.canvas.setAttribute("aria-label", `Your drawing: ${n} points. Arrow keys move the brush, the space bar paints.`);
    this.root.dataset.points = n;
    this.redraw();
  }

  redraw() {
    cancelAnimationFrame(this.due);
    this.due = requestAnimationFrame(() => this.draw());
  }

  draw() {
    if (!this.palette || !this.canvas.clientWidth) return;
    const { context: c, width } = fit(this.canvas), t = theme(this.canvas, this.palette), scale = width / (2 * HALF);
    const px = (v) => width / 2 + v * scale, py = (v) => width / 2 - v * scale;
    this.find(".brush i").style.background = t.real;
    c.fillStyle = t.background;
    c.fillRect(0, 0, width, width);
    c.font = `11px ${t.font}`;
    c.lineWidth = 1;
    for (const v of ticks(-1, 1, 4)) {
      c.globalAlpha = 0.35; c.strokeStyle = t.border;
      const x = Math.round(px(v)) + 0.5, y = Math.round(py(v)) + 0.5;
      c.beginPath(); c.moveTo(x, py(1)); c.lineTo(x, py(-1)); c.moveTo(px(-1), y); c.lineTo(px(1), y); c.stroke();
      c.globalAlpha = 0.65; c.fillStyle = t.text;
      c.textAlign = "center"; c.textBaseline = "bottom";
      if (Math.abs(v) < 1) c.fillText(number(v), x, py(-1) - 2);
      c.textAlign = "left"; c.textBaseline = "middle";
      if (Math.abs(v) < 1) c.fillText(number(v), px(-1) + 4, y);
    }
    c.globalAlpha = t.dark ? 0.85 : 0.55;
    c.fillStyle = t.real;
    c.beginPath();
    for (let i = 0; i < this.cells.length; i += 2) {
      const x = px(toPlace(this.cells[i])), y = py(toPlace(this.cells[i + 1]));
      c.moveTo(x + 2, y);
      c.arc(x, y, 2, 0, 6.3);
    }
    c.fill();
    c.globalAlpha = 1;
    if (!this.pointer) return;
    c.strokeStyle = this.tool === "brush" ? t.real : t.text;
    c.lineWidth = 1.4;
    c.beginPath(); c.arc(px(this.pointer[0]), py(this.pointer[1]), this.radius() * scale, 0, 6.3); c.stroke();
  }
}

export const { render, dispose } = views((place) => new Board(place));
