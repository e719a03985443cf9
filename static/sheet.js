// A sheet of images with the discriminator's opinion of each: generated ones or real ones, in their order or the likeliest first.

import { fit, theme } from "./draw.js";

export class Sheet {
  constructor(canvas, tip) {
    Object.assign(this, { canvas, tip, of: "fake", sorted: false, scored: false, sheets: {}, hover: null });
    canvas.onpointermove = (e) => { this.hover = [e.offsetX, e.offsetY]; this.tell(); };
    canvas.onpointerleave = () => { this.hover = null; this.tell(); };
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(canvas);
  }

  dispose() { this.observer.disconnect(); }

  // sheets: {fake: {bitmap, columns, scores}, real: …}; size: pixels of an image. Images lie one pixel apart.
  update(sheets, size, palette) {
    Object.assign(this, { sheets, size, palette });
    this.draw();
  }

  get sheet() { return this.sheets[this.of] || this.sheets.fake; }

  layout() {
    const { bitmap, columns, scores } = this.sheet, cell = this.size + 1, rows = Math.round((bitmap.height - 1) / cell), n = columns * rows;
    const order = [...Array(n).keys()];
    if (this.sorted && scores) order.sort((a, b) => scores[b] - scores[a]);
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight, side = Math.min(width / columns, height / rows);
    return { order, columns, rows, cell, side, left: (width - side * columns) / 2, top: (height - side * rows) / 2 };
  }

  draw() {
    if (!this.sheet || !this.canvas.clientWidth) return;
    const { context: c, width, height } = fit(this.canvas), t = theme(this.canvas, this.palette);
    c.fillStyle = t.background;
    c.fillRect(0, 0, width, height);
    const layout = this.layout();
    Object.assign(this.canvas.dataset, { columns: layout.columns, rows: layout.rows, of: this.of });
    this.paint(c, layout, t);
    this.tell();
  }

  paint(c, { order, columns, cell, side, left, top }, t) {
    const { bitmap, scores } = this.sheet, bar = this.scored && scores ? Math.max(3, side * 0.09) : 0;
    c.imageSmoothingEnabled = false;
    order.forEach((from, k) => {
      const x = left + (k % columns) * side, y = top + Math.floor(k / columns) * side;
      c.drawImage(bitmap, 1 + (from % columns) * cell, 1 + Math.floor(from / columns) * cell, this.size, this.size, x + 1, y + 1, side - 2, side - 2 - bar);
      if (!bar) return;
      c.fillStyle = t.panel; c.fillRect(x + 1, y + side - 1 - bar, side - 2, bar);
      c.fillStyle = scores[from] > 127.5 ? t.real : t.fake;
      c.fillRect(x + 1, y + side - bar, (side - 2) * (scores[from] / 255), bar - 1);
    });
  }

  tell() {
    const scores = this.sheet?.scores;
    this.tip.hidden = !(this.hover && scores);
    if (this.tip.hidden) return;
    const { order, columns, rows, side, left, top } = this.layout(), [x, y] = this.hover;
    const column = Math.floor((x - left) / side), row = Math.floor((y - top) / side), k = row * columns + column;
    this.tip.hidden = column < 0 || column >= columns || row < 0 || row >= rows;
    if (this.tip.hidden) return;
    const share = Math.round((100 * scores[order[k]]) / 255);
    this.tip.textContent = `The discriminator: ${share} of 100 real`;
    this.tip.style.left = `${Math.min(Math.max(4, x - 80), Math.max(4, this.canvas.clientWidth - 184))}px`;
    this.tip.style.top = `${y < 44 ? y + 18 : y - 36}px`;
  }
}
