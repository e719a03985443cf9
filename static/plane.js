// A slice through latent space: a map of what lies on it, and the sample at the pointer. The server makes all samples at once; what
// follows the pointer is made of them here: between samples, a blend of the four around it.

import { Address } from "./address.js";
import { fit, forgetThemes, number, rgb, theme, tileOf } from "./draw.js";
import { views } from "./feed.js";
import { unpack } from "./wire.js";

const MOST_THUMBS = 16; // along a side; of a finer lattice some are shown
// Tol's bright and muted sets, without those that look alike to colour-blind readers
const CLASSES = ["#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#999999", "#EE8866", "#44BB99", "#882255"];
const HTML = `
<div class="plane">
  <div class="both"><div><div class="square"><canvas class="map" role="application" tabindex="0"></canvas></div><div class="legend"></div></div>
    <div><div class="square"><canvas class="large" role="img"></canvas></div></div></div>
  <div class="where" aria-live="polite"></div>
  <div class="caption"></div>
</div>`;

class Plane {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    Object.assign(this, { map: this.find(".map"), large: this.find(".large"), at: [0.5, 0.5], still: true, made: 0, address: new Address("cell") });
    this.map.onpointerdown = (e) => { this.map.setPointerCapture(e.pointerId); this.move(e); };
    this.map.onpointermove = (e) => this.move(e);
    this.map.onpointerup = this.map.onpointercancel = this.map.onpointerleave = () => this.go(this.at, true);
    this.map.onkeydown = (e) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
      if (!way || !this.header) return;
      e.preventDefault();
      this.go(this.at.map((v, k) => v + way[k] / this.header.cells), true);
    };
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.map);
  }

  dispose() {
    this.address.dispose();
    this.observer.disconnect();
    this.sheet?.close();
  }

  async take(bytes) {
    const { header, arrays } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    forgetThemes(this.map);
    if (this.wanted === header.key) { this.draw(); this.rest(); return; }
    this.wanted = header.key;
    try {
      const sheet = await createImageBitmap(new Blob([arrays.sheet], { type: "image/png" }));
      if (this.wanted !== header.key) { sheet.close(); return; }
      this.sheet?.close();
      if (!this.header) this.at = (this.address.numbers("cell", 2) || [header.cells / 2, header.cells / 2]).map((v) => Math.max(0, Math.min(0.9999, (v + 0.5) / header.cells)));
      Object.assign(this, { header, arrays, sheet, ground: null });
      this.find(".caption").textContent = `${header.caption} While you move between samples, the four around are blended.`;
      this.root.dataset.key = header.key;
      this.draw();
      this.rest();
    } catch { this.wanted = null; }
  }

  move(e) {
    const box = this.map.getBoundingClientRect();
    this.go([(e.clientX - box.left) / box.width, (e.clientY - box.top) / box.height]);
  }

  // At rest it is a sample that the generator made: the nearest one.
  go(at, still = false) {
    this.at = at.map((v) => Math.max(0, Math.min(0.9999, v)));
    this.still = still;
    this.follow();
    if (still) this.rest();
  }

  // The cell at which the pointer rests is in the address.
  rest() {
    if (!this.header) return;
    const { cells } = this.header, at = this.at.map((v) => Math.floor(v * cells));
    this.address.set("cell", at.every((v) => v === Math.floor(cells / 2)) ? "" : at.join(","));
  }

  // The samples around a place, each with its share of the blend: its own place is the middle of its cell.
  around() {
    const { cells } = this.header;
    const [i, j] = this.at.map((v) => Math.floor(v * cells));
    if (this.still) return [[j * cells + i, 1]];
    const [x, y] = this.at.map((v) => Math.max(0, Math.min(cells - 1, v * cells - 0.5))), [left, top] = [Math.floor(x), Math.floor(y)];
    const [p, q] = [x - left, y - top];
    const all = [[0, 0, (1 - p) * (1 - q)], [1, 0, p * (1 - q)], [0, 1, (1 - p) * q], [1, 1, p * q]];
    return all.filter(([, , share]) => share > 0).map(([right, down, share]) => [(top + down) * cells + left + right, share]);
  }

  blend() {
    const { size } = this.header, c = this.large.getContext("2d");
    if (this.large.width !== size) this.large.width = this.large.height = size;
    let sum = 0;
    for (const [k, share] of this.around()) {
      sum += share;
      c.globalAlpha = share / sum; // over those that are there already
      c.drawImage(this.sheet, ...tileOf(this.header, k), 0, 0, size, size);
    }
    c.globalAlpha = 1;
  }

  // What the map shows but for the pointer, drawn once.
  background(width, height, t) {
    const { cells, ground } = this.header, { opinions, classes, confidence } = this.arrays;
    const ratio = window.devicePixelRatio || 1;
    const picture = new OffscreenCanvas(Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))), c = picture.getContext("2d");
    c.scale(ratio, ratio);
    const w = width / cells, h = height / cells, every = Math.ceil(cells / MOST_THUMBS), inset = ground === "none" ? 0 : 0.14;
    for (let k = 0; k < cells * cells; k++) {
      const x = (k % cells) * w, y = Math.floor(k / cells) * h;
      if (ground === "class") {
        const [r, g, b] = rgb(CLASSES[classes[k] % CLASSES.length]);
        c.fillStyle = `rgba(${r},${g},${b},${0.15 + 0.75 * confidence[k]})`;
      } else {
        const v = opinions[k] / 127.5 - 1, [r, g, b] = rgb(v > 0 ? t.real : t.fake);
        c.fillStyle = ground === "score" ? `rgba(${r},${g},${b},${0.8 * Math.abs(v)})` : "transparent";
      }
      c.fillRect(x, y, w + 0.5, h + 0.5);
    }
    c.imageSmoothingEnabled = this.header.size > w;
    for (let row = Math.floor(every / 2); row < cells; row += every)
      for (let column = Math.floor(every / 2); column < cells; column += every)
        c.drawImage(this.sheet, ...tileOf(this.header, row * cells + column), (column + inset) * w, (row + inset) * h, (1 - 2 * inset) * w, (1 - 2 * inset) * h);
    if (ground === "class") this.borders(c, w, h, t);
    return picture;
  }

  // Lines where one class becomes another.
  borders(c, w, h, t) {
    const { cells } = this.header, { classes } = this.arrays;
    c.strokeStyle = t.text; c.lineWidth = 1.5;
    c.beginPath();
    for (let k = 0; k < cells * cells; k++) {
      const i = k % cells, j = Math.floor(k / cells);
      if (i + 1 < cells && classes[k] !== classes[k + 1]) { c.moveTo((i + 1) * w, j * h); c.lineTo((i + 1) * w, (j + 1) * h); }
      if (j + 1 < cells && classes[k] !== classes[k + cells]) { c.moveTo(i * w, (j + 1) * h); c.lineTo((i + 1) * w, (j + 1) * h); }
    }
    c.stroke();
  }

  draw() {
    if (!this.header || !this.map.clientWidth) return;
    this.ground = null;
    this.legend();
    this.follow();
  }

  // What the colours behind the samples mean: of classes those that are on the map.
  legend() {
    const { ground, palette } = this.header, t = theme(this.map, palette);
    const words = {
      none: () => [],
      score: () => [[t.real, "Taken for real"], [t.fake, "Taken for generated"]],
      class: () => [...new Set(this.arrays.classes)].sort((a, b) => a - b).map((k) => [CLASSES[k % CLASSES.length], `Class ${k}`]),
    }[ground]();
    this.find(".legend").innerHTML = words.map(([colour, word]) => `<span><i style="background: ${colour}"></i>${word}</span>`).join("");
  }

  follow() {
    if (!this.header) return;
    const { cells } = this.header, { context: c, width, height } = fit(this.map), t = theme(this.map, this.header.palette);
    this.ground ||= this.background(width, height, t);
    c.drawImage(this.ground, 0, 0, width, height);
    const [i, j] = this.at.map((v) => Math.floor(v * cells)), k = j * cells + i;
    c.strokeStyle = t.accent; c.lineWidth = 2.5;
    c.strokeRect((i * width) / cells, (j * height) / cells, width / cells, height / cells);
    this.blend();
    const words = this.words(k, i, j);
    this.find(".where").textContent = words;
    this.large.setAttribute("aria-label", `Generated image. ${words}`);
    this.map.setAttribute("aria-label", `Map of ${cells} by ${cells} samples. ${words}`);
    this.root.dataset.cell = k;
  }

  words(k, i, j) {
    const { scores, classes, confidence } = this.arrays;
    const told = classes ? ` Class ${classes[k]}, ${Math.round(100 * confidence[k])} % sure.` : "";
    return `Column ${i + 1}, row ${j + 1}. Score ${number(scores[k])}.${told}`;
  }
}

export const { render, dispose } = views((place) => new Plane(place));
