// The 2-D stage: the discriminator's map, real and fake points, and optionally a path. Wheel zooms, drag pans,
// a double click shows all. The view belongs to the element and survives every update.

import { fit, number, rgb, theme, ticks } from "./draw.js";

export class Stage {
  constructor(canvas) {
    this.canvas = canvas;
    this.view = null; // {x, y, half}; null: the data's own extent
    this.layers = { heat: true, real: true, fake: true, border: false, arrows: false, grid: false };
    this.frame = null;
    this.heat = document.createElement("canvas");
    this.drag = null;
    canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    canvas.addEventListener("pointerdown", (e) => this.down(e));
    canvas.addEventListener("pointermove", (e) => this.move(e));
    canvas.addEventListener("pointerup", () => (this.drag = null));
    canvas.addEventListener("dblclick", () => this.look(null));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(canvas);
  }

  dispose() { this.observer.disconnect(); }

  // frame: {extent, modes, real, fake, heat, path}; points as Float32Array of x, y pairs
  update(frame, palette) {
    const other = this.frame && String(this.frame.extent) !== String(frame.extent);
    this.frame = frame;
    this.palette = palette;
    if (other) this.look(null);
    else this.draw();
  }

  // From here on this part of the plane; null: all.
  look(view) {
    this.view = view;
    this.onmoved?.();
    this.draw();
  }

  bounds() {
    const [x, y, half] = this.frame.extent;
    return this.view || { x, y, half };
  }

  place(width, height) {
    const { x, y, half } = this.bounds();
    const scale = Math.min(width, height) / (2 * half); // pixels a unit
    return { scale, px: (v) => width / 2 + (v - x) * scale, py: (v) => height / 2 - (v - y) * scale };
  }

  draw() {
    if (!this.frame || !this.canvas.clientWidth) return;
    this.paint(fit(this.canvas));
    this.canvas.dataset.step = this.frame.step;
    this.onview?.();
    this.canvas.dataset.zoom = (this.frame.extent[2] / this.bounds().half).toFixed(3);
  }

  // The picture as it stands, on a canvas or in a figure.
  paint({ context: c, width, height }) {
    const t = theme(this.canvas, this.palette);
    const at = this.place(width, height);
    c.fillStyle = t.background;
    c.fillRect(0, 0, width, height);
    if (this.layers.heat && this.frame.heat) this.drawHeat(c, at, t);
    this.drawAxes(c, at, t, width, height);
    if (this.layers.grid && this.frame.grid) this.drawGrid(c, at, t);
    if (this.layers.border && this.frame.heat) this.drawBorder(c, at, t);
    if (this.layers.real) this.drawPoints(c, at, this.frame.real, t.real, "circle");
    if (this.layers.real && this.places && this.places.length <= 50) this.drawNumbers(c, at, t);
    if (this.layers.fake) this.drawPoints(c, at, this.frame.fake, t.fake, "cross");
    if (this.layers.arrows && this.frame.arrows) this.drawArrows(c, at, t);
    if (this.frame.path) this.drawPath(c, at, t);
  }

  drawHeat(c, at, t) {
    const n = Math.round(Math.sqrt(this.frame.heat.length));
    this.heat.width = this.heat.height = n;
    const image = new ImageData(n, n), real = rgb(t.real), fake = rgb(t.fake);
    for (let row = 0; row < n; row++) {
      for (let column = 0; column < n; column++) {
        const value = this.frame.heat[row * n + column] / 127.5 - 1; // -1 fake, 1 real
        const colour = value > 0 ? real : fake, k = 4 * ((n - 1 - row) * n + column);
        image.data[k] = colour[0]; image.data[k + 1] = colour[1]; image.data[k + 2] = colour[2];
        image.data[k + 3] = Math.abs(value) * 80;
      }
    }
    this.heat.getContext("2d").putImageData(image, 0, 0);
    const [x, y, half] = this.frame.extent;
    c.imageSmoothingEnabled = true;
    c.drawImage(this.heat, at.px(x - half), at.py(y + half), 2 * half * at.scale, 2 * half * at.scale);
  }

  // The numbers of the modes, as the bars have them, beside their centres.
  drawNumbers(c, at, t) {
    c.font = `11px ${t.font}`; c.fillStyle = t.text; c.globalAlpha = 0.7; c.textAlign = "center"; c.textBaseline = "middle";
    const [x, y] = this.frame.extent, away = 0.11 * at.scale * this.frame.extent[2]; // clear of the points
    for (let k = 0; 2 * k < this.places.length; k++) {
      const px = at.px(this.places[2 * k]), py = at.py(this.places[2 * k + 1]);
      const out = Math.hypot(px - at.px(x), py - at.py(y)) || 1; // outwards from the middle, where fewer points lie
      c.fillText(String(k + 1), px + (away * (px - at.px(x))) / out, py + (away * (py - at.py(y))) / out + (out === 1 ? away : 0));
    }
    c.globalAlpha = 1;
  }

  // Where the discriminator is undecided: marching along the squares of its map.
  drawBorder(c, at, t) {
    const { heat, extent: [x, y, half] } = this.frame, n = Math.round(Math.sqrt(heat.length)), level = 127.5;
    const px = (i) => at.px(x - half + ((i + 0.5) / n) * 2 * half), py = (j) => at.py(y - half + ((j + 0.5) / n) * 2 * half);
    c.strokeStyle = t.discriminator; c.lineWidth = 2;
    c.beginPath();
    for (let j = 0; j + 1 < n; j++) for (let i = 0; i + 1 < n; i++) {
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]].map(([a, b]) => [a, b, heat[b * n + a] - level]);
      const cuts = [];
      corners.forEach(([a, b, v], k) => {
        const [a2, b2, v2] = corners[(k + 1) % 4];
        if (v > 0 !== v2 > 0) cuts.push([a + (v / (v - v2)) * (a2 - a), b + (v / (v - v2)) * (b2 - b)]);
      });
      for (let k = 0; k + 1 < cuts.length; k += 2) { c.moveTo(px(cuts[k][0]), py(cuts[k][1])); c.lineTo(px(cuts[k + 1][0]), py(cuts[k + 1][1])); }
    }
    c.stroke();
  }

  // What becomes of a slice through the noise: each cell holds as much noise as any other, so a small one is a dense one.
  drawGrid(c, at, t) {
    const { grid } = this.frame, count = grid.length / 2, n = Math.round(Math.sqrt(count)), line = n * n !== count || count < 100;
    const p = (k) => [at.px(grid[2 * k]), at.py(grid[2 * k + 1])];
    c.strokeStyle = c.fillStyle = t.generator; c.lineWidth = line ? 2 : 0.6;
    if (line) { // noise of one number
      c.globalAlpha = 0.8;
      c.beginPath();
      for (let k = 0; k < count; k++) c[k ? "lineTo" : "moveTo"](...p(k));
      c.stroke();
      c.globalAlpha = 1;
      return;
    }
    const usual = ((2 * this.frame.extent[2] * at.scale) ** 2) / (n * n); // a cell's share of the picture, in square pixels
    for (let j = 0; j + 1 < n; j++) for (let i = 0; i + 1 < n; i++) {
      const corners = [j * n + i, j * n + i + 1, (j + 1) * n + i + 1, (j + 1) * n + i].map(p);
      const area = Math.abs(corners.reduce((sum, [x, y], k) => sum + x * corners[(k + 1) % 4][1] - corners[(k + 1) % 4][0] * y, 0)) / 2;
      c.globalAlpha = Math.max(0.04, Math.min(0.6, (0.12 * usual) / (area + 1e-3)));
      c.beginPath();
      corners.forEach(([x, y], k) => c[k ? "lineTo" : "moveTo"](x, y));
      c.closePath(); c.fill();
      c.globalAlpha = 0.5; c.stroke();
    }
    c.globalAlpha = 1;
  }

  // Where the generator's loss pulls the first of the generated points. The longest of the usual arrows spans a fourteenth of
  // the picture; the others are in proportion.
  drawArrows(c, at, t) {
    const { arrows, fake, extent } = this.frame, lengths = [];
    for (let i = 0; i < arrows.length; i += 2) lengths.push(Math.hypot(arrows[i], arrows[i + 1]));
    const usual = [...lengths].filter(isFinite).sort((a, b) => a - b)[Math.floor(lengths.length * 0.9)] || 1;
    const scale = (extent[2] / 7) * at.scale / usual;
    c.strokeStyle = t.text; c.globalAlpha = 0.7; c.lineWidth = 1;
    c.beginPath();
    for (let i = 0; i < arrows.length; i += 2) {
      const x = at.px(fake[i]), y = at.py(fake[i + 1]), most = Math.min(1, (2 * usual) / (lengths[i / 2] || 1));
      const dx = arrows[i] * scale * most, dy = -arrows[i + 1] * scale * most, length = Math.hypot(dx, dy);
      if (!(length > 1.5)) continue;
      const [ux, uy] = [dx / length, dy / length], head = Math.min(4, length / 2);
      c.moveTo(x, y); c.lineTo(x + dx, y + dy);
      c.lineTo(x + dx - head * (ux + 0.6 * uy), y + dy - head * (uy - 0.6 * ux));
      c.moveTo(x + dx, y + dy);
      c.lineTo(x + dx - head * (ux - 0.6 * uy), y + dy - head * (uy + 0.6 * ux));
    }
    c.stroke();
    c.globalAlpha = 1;
  }

  drawAxes(c, at, t, width, height) {
    const { x, y, half } = this.bounds();
    const wide = (half * width) / Math.min(width, height), high = (half * height) / Math.min(width, height);
    c.font = `11px ${t.font}`;
    c.lineWidth = 1;
    for (const v of ticks(x - wide, x + wide, 6)) {
      const px = Math.round(at.px(v)) + 0.5;
      c.globalAlpha = 0.25; c.strokeStyle = t.border;
      c.beginPath(); c.moveTo(px, 0); c.lineTo(px, height); c.stroke();
      c.globalAlpha = 0.65; c.fillStyle = t.text; c.textAlign = "center"; c.textBaseline = "bottom";
      if (px > 24 && px < width - 12) c.fillText(number(v), px, height - 4);
    }
    for (const v of ticks(y - high, y + high, 6)) {
      const py = Math.round(at.py(v)) + 0.5;
      c.globalAlpha = 0.25; c.strokeStyle = t.border;
      c.beginPath(); c.moveTo(0, py); c.lineTo(width, py); c.stroke();
      c.globalAlpha = 0.65; c.fillStyle = t.text; c.textAlign = "left"; c.textBaseline = "middle";
      if (py < height - 20 && py > 8) c.fillText(number(v), 5, py);
    }
    c.globalAlpha = 1;
  }

  drawPoints(c, at, points, colour, shape) {
    if (!points) return;
    c.fillStyle = c.strokeStyle = colour;
    c.globalAlpha = shape === "cross" || theme(this.canvas, this.palette).dark ? 0.85 : 0.55;
    c.lineWidth = 1.4;
    c.beginPath();
    for (let i = 0; i < points.length; i += 2) {
      const px = at.px(points[i]), py = at.py(points[i + 1]);
      if (shape === "circle") { c.moveTo(px + 2, py); c.arc(px, py, 2, 0, 6.3); }
      else { c.moveTo(px - 2.2, py - 2.2); c.lineTo(px + 2.2, py + 2.2); c.moveTo(px - 2.2, py + 2.2); c.lineTo(px + 2.2, py - 2.2); }
    }
    if (shape === "circle") c.fill(); else c.stroke();
    c.globalAlpha = 1;
  }

  // The way of one sample while its latent moves, with the points that it passes; `at` marks the current one.
  drawPath(c, at, t) {
    const { points, current } = this.frame.path;
    c.strokeStyle = t.accent; c.lineWidth = 2; c.lineJoin = "round";
    c.beginPath();
    for (let i = 0; i < points.length; i += 2) c[i ? "lineTo" : "moveTo"](at.px(points[i]), at.py(points[i + 1]));
    c.stroke();
    const i = 2 * current;
    c.fillStyle = t.accent; c.strokeStyle = t.background;
    c.beginPath(); c.arc(at.px(points[i]), at.py(points[i + 1]), 7, 0, 6.3); c.fill(); c.stroke();
  }

  pointer(e) {
    const box = this.canvas.getBoundingClientRect();
    return [e.clientX - box.left, e.clientY - box.top, box.width, box.height];
  }

  wheel(e) {
    if (!this.frame) return;
    e.preventDefault();
    const [px, py, width, height] = this.pointer(e);
    const { x, y, half } = this.bounds();
    const factor = Math.exp(Math.max(-0.5, Math.min(0.5, e.deltaY * 0.002)));
    const scale = Math.min(width, height) / (2 * half);
    const wx = x + (px - width / 2) / scale, wy = y - (py - height / 2) / scale;
    this.look({ x: wx + (x - wx) * factor, y: wy + (y - wy) * factor, half: half * factor });
  }

  down(e) {
    if (!this.frame) return;
    this.drag = { x: e.clientX, y: e.clientY, from: this.bounds() };
    this.canvas.setPointerCapture(e.pointerId);
  }

  move(e) {
    if (!this.drag) return;
    const box = this.canvas.getBoundingClientRect(), { from } = this.drag;
    const scale = Math.min(box.width, box.height) / (2 * from.half);
    this.look({ x: from.x - (e.clientX - this.drag.x) / scale, y: from.y + (e.clientY - this.drag.y) / scale, half: from.half });
  }
}
