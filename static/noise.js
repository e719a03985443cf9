// A sheet of noise and where it lands, side by side. The server makes a lattice of both; what follows the pointer is looked up
// here: from the noise between its points, from the data at the nearest of them.

import { Address } from "./address.js";
import { fit, forgetThemes, number, rgb, theme } from "./draw.js";
import { views } from "./feed.js";
import { Stage } from "./stage.js";
import { unpack } from "./wire.js";

const EVERY = 2; // cells between two lines that are drawn
const STEP = 1 / 40; // of the picture, that an arrow key moves among the data
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const HTML = `
<div class="sheet">
  <div class="both">
    <div><b>Noise</b><div class="square"><canvas class="noise" role="application" tabindex="0"></canvas></div></div>
    <div><b>Where it lands</b><div class="square"><canvas class="data" role="application" tabindex="0"></canvas></div></div></div>
  <div class="legend"></div>
  <div class="where" aria-live="polite"></div>
  <div class="told"></div>
  <div class="caption">Point at either picture, or use the arrow keys there: the mark is the same noise in both. The wheel zooms.</div>
</div>`;

// The value on an axis at a place between its points, and the place of a value. Places count the points, from 0.
const valueAt = (axis, at) => {
  const k = Math.max(0, Math.min(axis.length - 2, Math.floor(at)));
  return axis[k] + (at - k) * (axis[k + 1] - axis[k]);
};
const placeOf = (axis, value) => {
  let k = 0;
  while (k < axis.length - 2 && axis[k + 1] < value) k += 1;
  return Math.max(0, Math.min(axis.length - 1, k + (value - axis[k]) / (axis[k + 1] - axis[k])));
};

// One of the two pictures: a lattice of n by n points, coloured. What stays while the pointer moves is painted once.
class Picture extends Stage {
  constructor(canvas, sheet) {
    super(canvas);
    Object.assign(this, { sheet, still: null });
    canvas.onkeydown = (e) => {
      if (!KEYS[e.key] || !this.frame) return;
      e.preventDefault();
      this.key(KEYS[e.key]);
    };
  }

  // Dragging follows the pointer here, it does not move the view.
  down(e) {
    this.canvas.setPointerCapture(e.pointerId);
    this.move(e);
  }

  move(e) {
    if (!this.frame) return;
    const [x, y, width, height] = this.pointer(e), at = this.place(width, height), { x: cx, y: cy } = this.bounds();
    this.aim([cx + (x - width / 2) / at.scale, cy - (y - height / 2) / at.scale]);
  }

  draw() {
    this.still = null;
    super.draw();
  }

  paint(place) {
    const { context: c, width, height } = place, ratio = window.devicePixelRatio || 1;
    if (!this.still) {
      this.still = new OffscreenCanvas(Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio)));
      const context = this.still.getContext("2d");
      context.scale(ratio, ratio);
      this.paintStill({ context, width, height });
    }
    c.drawImage(this.still, 0, 0, width, height);
    this.drawMark(c, this.place(width, height));
  }

  // Only the mark has moved.
  follow() {
    if (this.frame && this.canvas.clientWidth) this.paint(fit(this.canvas));
  }

  paintStill({ context: c, width, height }) {
    const t = theme(this.canvas, this.palette), at = this.place(width, height);
    c.fillStyle = t.background;
    c.fillRect(0, 0, width, height);
    this.drawCells(c, at, t);
    this.drawAxes(c, at, t, width, height);
    this.drawFolds(c, at, t);
    this.drawData(c, at, t);
  }

  corner(at, k) {
    const { points } = this.frame;
    return [at.px(points[2 * k]), at.py(points[2 * k + 1])];
  }

  drawCells(c, at, t) {
    const { cells: n } = this.sheet.header;
    for (let j = 0; j + 1 < n; j++) for (let i = 0; i + 1 < n; i++) {
      const corners = [j * n + i, j * n + i + 1, (j + 1) * n + i + 1, (j + 1) * n + i];
      c.fillStyle = this.sheet.colour(corners, t);
      c.beginPath();
      corners.forEach((k, q) => c[q ? "lineTo" : "moveTo"](...this.corner(at, k)));
      c.fill();
    }
    c.strokeStyle = t.text; c.lineWidth = 0.5; c.globalAlpha = 0.35;
    c.beginPath();
    for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) {
      if (j % EVERY === 0) c[i ? "lineTo" : "moveTo"](...this.corner(at, j * n + i));
    }
    for (let i = 0; i < n; i += EVERY) for (let j = 0; j < n; j++) c[j ? "lineTo" : "moveTo"](...this.corner(at, j * n + i));
    c.stroke();
    c.globalAlpha = 1;
  }

  // Lines along which the sheet is folded: the determinant changes its sign.
  drawFolds(c, at, t) {
    if (this.sheet.header.tint !== "folding") return;
    c.strokeStyle = t.text; c.lineWidth = 1.8;
    c.beginPath();
    for (const [a, b] of this.sheet.folds) {
      c.moveTo(...this.between(at, a));
      c.lineTo(...this.between(at, b));
    }
    c.stroke();
  }

  // A place on an edge of the lattice: from one of its points to another, so far.
  between(at, [one, two, share]) {
    const [x1, y1] = this.corner(at, one), [x2, y2] = this.corner(at, two);
    return [x1 + share * (x2 - x1), y1 + share * (y2 - y1)];
  }

  // Real points, with a rim so that they stand out from the cells behind them.
  drawData(c, at, t) {
    const { real } = this.frame;
    if (!real) return;
    c.fillStyle = t.real; c.strokeStyle = t.background; c.lineWidth = 0.8;
    for (let i = 0; i < real.length; i += 2) {
      c.beginPath();
      c.arc(at.px(real[i]), at.py(real[i + 1]), 2.3, 0, 6.3);
      c.fill(); c.stroke();
    }
  }

  drawMark(c, at) {
    const t = theme(this.canvas, this.palette), [x, y] = this.sheet.at(this.frame.points);
    c.fillStyle = t.accent; c.strokeStyle = t.background; c.lineWidth = 2;
    c.beginPath(); c.arc(at.px(x), at.py(y), 7, 0, 6.3); c.fill(); c.stroke();
  }
}

class Sheet {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    this.made = 0;
    this.address = new Address("mark", "sheet", "landing");
    this.where = this.address.numbers("mark", 2); // the marked place on the lattice, [column, row] between its points
    this.target = null; // where among the data the nearest point is looked for
    this.noise = new Picture(this.find(".noise"), this);
    this.data = new Picture(this.find(".data"), this);
    this.address.follow("sheet", this.noise);
    this.address.follow("landing", this.data);
    this.noise.aim = ([x, y]) => this.go([placeOf(this.axes[0], x), placeOf(this.axes[1], y)]);
    this.noise.key = (way) => this.go(this.where.map((v, k) => Math.round(v) + way[k]));
    this.data.aim = (target) => this.seek(target);
    this.data.key = (way) => {
      const from = this.target || this.at(this.arrays.points), step = 2 * this.data.bounds().half * STEP;
      this.seek(from.map((v, k) => v + step * way[k]));
    };
  }

  dispose() {
    this.address.dispose();
    this.noise.dispose();
    this.data.dispose();
  }

  take(bytes) {
    const { header, arrays } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    forgetThemes(this.noise.canvas, this.data.canvas);
    const n = header.cells;
    Object.assign(this, { header, arrays });
    this.where = (this.where || [n / 2, n / 2]).map((v) => Math.max(0, Math.min(n - 1, v)));
    this.axes = [0, 1].map((k) => Array.from({ length: n }, (_, i) => arrays.noise[2 * (k ? i * n : i) + k]));
    this.scale();
    this.folds = this.findFolds();
    const { palette, step, reach, extent } = header;
    this.noise.update({ extent: [0, 0, reach], step, points: arrays.noise }, palette);
    this.data.update({ extent, step, points: arrays.points, real: arrays.real }, palette);
    this.legend();
    this.find(".told").textContent = header.told;
    this.tell();
    Object.assign(this.root.dataset, { key: header.key, tint: header.tint });
  }

  // What is usual on this slice: the least and the largest tenth get the faintest and the strongest colour.
  scale() {
    const sizes = Array.from(this.arrays[this.header.tint], (v) => Math.log(Math.abs(v))).filter(isFinite).sort((a, b) => a - b);
    const at = (share) => sizes[Math.floor(share * (sizes.length - 1))] ?? 0;
    this.low = at(0.1);
    this.span = Math.max(1e-6, at(0.9) - this.low);
  }

  strength(value) {
    const share = (Math.log(Math.abs(value)) - this.low) / this.span;
    return 0.1 + 0.6 * Math.max(0, Math.min(1, Number.isNaN(share) ? 0 : share));
  }

  colour(corners, t) {
    const { tint } = this.header, values = this.arrays[tint];
    const mean = corners.reduce((sum, k) => sum + (tint === "density" ? Math.log(values[k]) : values[k]), 0) / corners.length;
    const value = tint === "density" ? Math.exp(mean) : mean; // next to a fold the density has no bounds
    return this.tone(value < 0, this.strength(value), t);
  }

  tone(turned, strength, t) {
    const [r, g, b] = rgb(this.header.tint === "density" ? t.generator : turned ? t.fake : t.real);
    return `rgba(${r},${g},${b},${strength})`;
  }

  // Pieces of the lines where the determinant is 0, each from one edge of a cell to another.
  findFolds() {
    const { folding } = this.arrays, { cells: n } = this.header, found = [];
    for (let j = 0; j + 1 < n; j++) for (let i = 0; i + 1 < n; i++) {
      const corners = [j * n + i, j * n + i + 1, (j + 1) * n + i + 1, (j + 1) * n + i], cuts = [];
      corners.forEach((k, q) => {
        const next = corners[(q + 1) % 4], [v, w] = [folding[k], folding[next]];
        if (v > 0 !== w > 0) cuts.push([k, next, v / (v - w)]);
      });
      for (let q = 0; q + 1 < cuts.length; q += 2) found.push([cuts[q], cuts[q + 1]]);
    }
    return found;
  }

  // A pair of numbers (n, n, 2) at the marked place, between the lattice's points.
  at(pairs) {
    const { cells: n } = this.header, [u, v] = this.where, i = Math.min(n - 2, Math.floor(u)), j = Math.min(n - 2, Math.floor(v));
    const [p, q] = [u - i, v - j], value = (row, column, k) => pairs[2 * (row * n + column) + k];
    return [0, 1].map((k) => (1 - q) * ((1 - p) * value(j, i, k) + p * value(j, i + 1, k)) + q * ((1 - p) * value(j + 1, i, k) + p * value(j + 1, i + 1, k)));
  }

  go(where, target = null) {
    const last = this.header.cells - 1;
    this.where = where.map((v) => Math.max(0, Math.min(last, v)));
    this.target = target;
    this.noise.follow();
    this.data.follow();
    this.tell();
  }

  // The lattice's point that lands nearest to a place among the data.
  seek(target) {
    const { points } = this.arrays, { cells: n } = this.header;
    let best = 0, least = Infinity;
    for (let k = 0; k < n * n; k++) {
      const away = (points[2 * k] - target[0]) ** 2 + (points[2 * k + 1] - target[1]) ** 2;
      if (away < least) [best, least] = [k, away];
    }
    this.go([best % n, Math.floor(best / n)], target);
  }

  legend() {
    const t = theme(this.noise.canvas, this.header.palette), folding = this.header.tint === "folding";
    const scale = (turned) => `<i style="background: linear-gradient(90deg, ${this.tone(turned, 0.1, t)}, ${this.tone(turned, 0.7, t)})"></i>`;
    const words = folding
      ? [`${scale(false)}the right way up`, `${scale(true)}turned over`, `<i class="line"></i>fold`, "strong: stretched thin"]
      : [`${scale(false)}little noise to much noise in a place`];
    this.find(".legend").innerHTML = [...words, `<i class="dot" style="background: ${t.real}"></i>real data`].map((word) => `<span>${word}</span>`).join("");
  }

  tell() {
    const [z, x] = [this.at(this.arrays.noise), this.at(this.arrays.points)].map((pair) => pair.map(number));
    const { names, cells } = this.header, k = Math.round(this.where[1]) * cells + Math.round(this.where[0]);
    const area = this.arrays.folding[k], size = Math.abs(area);
    const change = size < 1 ? `shrink to ${number(100 * size)} % of their size` : `grow to ${number(size)} times their size`;
    const words = `${names[0]} at ${z[0]}, ${names[1]} at ${z[1]} lands at ${x[0]}, ${x[1]}. Areas ${change} there${area < 0 ? ", turned over" : ""}.`;
    this.find(".where").textContent = words;
    this.noise.canvas.setAttribute("aria-label", `A sheet of noise. ${words}`);
    this.data.canvas.setAttribute("aria-label", `Where the sheet lands among the real data. ${words}`);
    Object.assign(this.root.dataset, { place: this.where.map((v) => v.toFixed(2)).join(" "), landing: x.join(" ") });
    this.address.set("mark", this.where.every((v) => v === cells / 2) ? "" : this.where.map((v) => v.toFixed(2)).join(","));
  }
}

export const { render, dispose } = views((place) => new Sheet(place));
