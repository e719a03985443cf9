// A table of images with a heading for each row and column, and the one that is pointed at, large. Headings are words, and
// images where the message brings them.

import { Address } from "./address.js";
import { fit, forgetThemes, theme, tileOf } from "./draw.js";
import { views } from "./feed.js";
import { unpack } from "./wire.js";

const SHEETS = ["sheet", "left", "above"];
const GUTTER = 34; // px to the left of the rows, for their names
const HEADING = 36; // px above the columns
const GAP = 6; // px between the images of the headings and the table
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HTML = `
<div class="table">
  <div class="both"><canvas class="cells" role="application" tabindex="0"></canvas>
    <div class="side"><div class="square"><canvas class="large" role="img"></canvas></div><div class="where" aria-live="polite"></div></div></div>
  <div class="caption"></div>
</div>`;

class Table {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    this.address = new Address("spot");
    Object.assign(this, { cells: this.find(".cells"), large: this.find(".large"), at: this.address.numbers("spot", 2) || [0, 0], made: 0, sheets: {} });
    this.cells.onpointerdown = (e) => { this.cells.setPointerCapture(e.pointerId); this.move(e); };
    this.cells.onpointermove = (e) => this.move(e);
    this.cells.onkeydown = (e) => {
      if (!KEYS[e.key] || !this.header) return;
      e.preventDefault();
      this.go(this.at.map((v, k) => v + KEYS[e.key][k]));
    };
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.cells);
  }

  dispose() {
    this.address.dispose();
    this.observer.disconnect();
    this.drop(this.sheets);
  }

  drop(sheets) {
    for (const sheet of Object.values(sheets)) sheet.close();
  }

  async take(bytes) {
    const { header, arrays } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    forgetThemes(this.cells);
    if (this.wanted === header.key) { this.draw(); return; }
    this.wanted = header.key;
    try {
      const names = SHEETS.filter((name) => arrays[name]);
      const pictures = await Promise.all(names.map((name) => createImageBitmap(new Blob([arrays[name]], { type: "image/png" }))));
      const sheets = Object.fromEntries(names.map((name, k) => [name, pictures[k]]));
      if (this.wanted !== header.key) { this.drop(sheets); return; }
      this.drop(this.sheets);
      Object.assign(this, { header, sheets });
      this.find(".caption").textContent = header.caption;
      this.cells.style.aspectRatio = this.ratio();
      this.cells.style.maxWidth = `${70 * this.ratio()}vh`; // no higher than the window
      this.go(this.at);
      Object.assign(this.root.dataset, { key: header.key, rows: header.rows, columns: header.columns });
    } catch { this.wanted = null; }
  }

  // Columns and rows that are drawn, those of the headings' images included.
  get across() { return this.header.columns + Boolean(this.sheets.left); }
  get down() { return this.header.rows + Boolean(this.sheets.above); }

  ratio() { return this.across / this.down; }

  layout(width, height) {
    const left = GUTTER, top = HEADING, gap = [this.sheets.left ? GAP : 0, this.sheets.above ? GAP : 0];
    const side = Math.max(4, Math.min((width - left - gap[0]) / this.across, (height - top - gap[1]) / this.down));
    return { left, top, side, x: left + (this.sheets.left ? side + GAP : 0), y: top + (this.sheets.above ? side + GAP : 0) };
  }

  move(e) {
    if (!this.header) return;
    const box = this.cells.getBoundingClientRect(), { side, x, y } = this.layout(box.width, box.height);
    this.go([Math.floor((e.clientX - box.left - x) / side), Math.floor((e.clientY - box.top - y) / side)]);
  }

  go(at) {
    const { columns, rows } = this.header;
    this.at = [columns, rows].map((count, k) => Math.max(0, Math.min(count - 1, Math.floor(at[k]))));
    this.address.set("spot", this.at.some(Boolean) ? this.at.join(",") : "");
    this.draw();
  }

  draw() {
    if (!this.header || !this.cells.clientWidth) return;
    const { context: c, width, height } = fit(this.cells), t = theme(this.cells, this.header.palette), layout = this.layout(width, height);
    const { columns, rows, size, words } = this.header, { sheet, left, above } = this.sheets, { side, x, y } = layout, [i, j] = this.at;
    c.imageSmoothingEnabled = size > side;
    const put = (picture, k, over, px, py) => c.drawImage(picture, ...tileOf({ size, columns: over }, k), px + 0.5, py + 0.5, side - 1, side - 1);
    for (let k = 0; k < rows * columns; k++) put(sheet, k, columns, x + (k % columns) * side, y + Math.floor(k / columns) * side);
    for (let k = 0; left && k < rows; k++) put(left, k, rows, layout.left, y + k * side);
    for (let k = 0; above && k < columns; k++) put(above, k, columns, x + k * side, layout.top);
    this.headings(c, t, layout);
    c.strokeStyle = t.accent; c.lineWidth = 2.5;
    c.strokeRect(x + i * side + 1, y + j * side + 1, side - 2, side - 2);
    const k = j * columns + i;
    if (this.large.width !== size) this.large.width = this.large.height = size;
    this.large.getContext("2d").drawImage(sheet, ...tileOf({ size, columns }, k), 0, 0, size, size);
    this.find(".where").textContent = words[k];
    this.large.setAttribute("aria-label", `Generated image. ${words[k]}`);
    this.cells.setAttribute("aria-label", `Table of ${rows} by ${columns} images. ${words[k]}`);
    this.root.dataset.cell = k;
  }

  headings(c, t, { top, side, x, y }) {
    const { row_labels: rows, column_labels: columns, titles } = this.header, [i, j] = this.at;
    const name = (words, px, py, marked) => {
      c.font = `${marked ? 600 : 400} 12px ${t.font}`;
      c.globalAlpha = marked ? 1 : 0.75;
      c.fillText(words, px, py, GUTTER - 4);
    };
    c.fillStyle = t.text; c.textBaseline = "middle"; c.textAlign = "left";
    rows.forEach((words, k) => name(words, 2, y + (k + 0.5) * side, k === j));
    name(titles[0], 2, top - 10, false);
    c.textAlign = "center";
    columns.forEach((words, k) => name(words, x + (k + 0.5) * side, top - 10, k === i));
    c.textAlign = "left"; c.font = `12px ${t.font}`; c.globalAlpha = 0.75;
    c.fillText(titles[1], x + 2, 8);
    c.globalAlpha = 1;
  }
}

export const { render, dispose } = views((place) => new Table(place));
