// A collapse map: two settings on the axes, the modes that are held as colour. Cells get their colour while they train.

import { duration, forgetThemes, theme, whole } from "./draw.js";
import { SAVE, saving } from "./export.js";
import { Feed, views } from "./feed.js";
import { PROGRESS, showProgress } from "./progress.js";
import { unpack } from "./wire.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 760, LEFT = 84, TOP = 14, RIGHT = 96, BOTTOM = 66, HEIGHT = 600;
// cividis (Nuñez et al. 2018), even to the eye and the same for colour-blind readers
const COLOURS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];

const HTML = `
<div class="map">
  ${PROGRESS}
  <div class="drawing"></div>
  <div class="under"><span class="told" aria-live="polite"></span>${SAVE}</div>
</div>`;

function make(tag, attributes, text) {
  const e = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  if (text != null) e.textContent = text;
  return e;
}

function colour(share) {
  const at = Math.max(0, Math.min(1, share)) * (COLOURS.length - 1), k = Math.min(COLOURS.length - 2, Math.floor(at)), f = at - k;
  const parse = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const [a, b] = [parse(COLOURS[k]), parse(COLOURS[k + 1])];
  return `rgb(${a.map((v, i) => Math.round(v + (b[i] - v) * f)).join(",")})`;
}

class Atlas {
  constructor(place) {
    const host = place.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    this.feed = new Feed(this);
    this.made = 0;
    saving(this.root, () => this.svg && [this.svg, this.h.name]);
  }

  dispose() { this.feed.dispose(); }

  take(bytes) {
    forgetThemes(this.root);
    const header = unpack(bytes).header;
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    if (this.chosen !== header.chosen) this.key = null;
    this.chosen = header.chosen;
    this.update(bytes);
    this.feed.follow(header.address, header);
  }

  notify(status) { this.trigger("status", status); }

  trouble(text) { this.find(".status").textContent = text; }

  update(bytes) {
    const { header: h, arrays } = unpack(bytes);
    Object.assign(this, { h, arrays, hasPicture: true });
    showProgress(this.root, {
      ...h,
      step: h.progress,
      rate: h.rate ? `${whole(h.rate)} GAN steps/s` : "",
      left: h.status === "running" && h.left ? `${duration(h.left)} left` : h.seconds ? `trained ${duration(h.seconds)}` : "",
    });
    this.root.dataset.done = h.done;
    const key = JSON.stringify([h.x, h.y, h.name, h.can_choose, theme(this.root, h.palette).dark]);
    if (this.key !== key) { this.key = key; this.build(); }
    this.paint();
    return h;
  }

  // The fixed parts of the drawing, once for each map.
  build() {
    const { h } = this, t = theme(this.root, h.palette), columns = h.x.values.length, rows = h.y.values.length;
    const w = (WIDTH - LEFT - RIGHT) / columns, hh = (HEIGHT - TOP - BOTTOM) / rows;
    const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": `${h.measure} over ${h.x.title} and ${h.y.title}`, "font-family": "sans-serif", "font-size": 12, fill: t.text });
    svg.append(make("rect", { width: WIDTH, height: HEIGHT, fill: t.background }));
    this.cells = [];
    for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) {
      const index = r * columns + c, y = TOP + (rows - 1 - r) * hh;
      const rect = make("rect", { x: LEFT + c * w, y, width: w - 1, height: hh - 1, fill: t.panel, tabindex: h.can_choose ? 0 : -1, class: "cell" });
      rect.onmouseenter = rect.onfocus = () => this.tell(index);
      rect.onclick = () => h.can_choose && this.trigger("cell", index);
      rect.onkeydown = (e) => { if ((e.key === "Enter" || e.key === " ") && h.can_choose) this.trigger("cell", index); };
      this.cells.push(rect);
      svg.append(rect);
    }
    if (this.chosen != null) {
      const r = Math.floor(this.chosen / columns), c = this.chosen % columns;
      svg.append(make("rect", { x: LEFT + c * w, y: TOP + (rows - 1 - r) * hh, width: w - 1, height: hh - 1, fill: "none", stroke: t.accent, "stroke-width": 3, "pointer-events": "none" }));
    }
    const every = Math.ceil(columns / 12);
    h.x.values.forEach((v, c) => { if (c % every === 0) svg.append(make("text", { x: LEFT + (c + 0.5) * w, y: HEIGHT - BOTTOM + 18, "text-anchor": "middle", "font-size": columns > 9 ? 10 : 12 }, v)); });
    h.y.values.forEach((v, r) => svg.append(make("text", { x: LEFT - 8, y: TOP + (rows - 0.5 - r) * hh + 4, "text-anchor": "end", "font-size": rows > 16 ? 10 : 12 }, v)));
    svg.append(make("text", { x: LEFT + (WIDTH - LEFT - RIGHT) / 2, y: HEIGHT - 18, "text-anchor": "middle", "font-size": 13, "font-weight": 600 }, h.x.title));
    svg.append(make("text", { transform: `translate(16 ${TOP + (HEIGHT - TOP - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle", "font-size": 13, "font-weight": 600 }, h.y.title));
    const x = WIDTH - RIGHT + 26, steps = 24, height = (HEIGHT - TOP - BOTTOM) / steps;
    for (let k = 0; k < steps; k++) svg.append(make("rect", { x, y: TOP + (steps - 1 - k) * height, width: 14, height: height + 0.5, fill: colour(k / (steps - 1)) }));
    for (const [share, words] of [[0, h.low], [1, h.high]]) svg.append(make("text", { x: x + 20, y: TOP + (1 - share) * (HEIGHT - TOP - BOTTOM) + (share ? 10 : 0) }, words));
    svg.append(make("text", { transform: `translate(${x + 34} ${TOP + (HEIGHT - TOP - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, h.measure));
    this.svg = svg;
    this.find(".drawing").replaceChildren(svg);
  }

  paint() {
    const { value, progress } = this.arrays, t = theme(this.root, this.h.palette);
    this.cells.forEach((rect, k) => {
      const known = progress[k] > 0 && isFinite(value[k]);
      rect.setAttribute("fill", known ? colour(value[k]) : t.panel);
      rect.setAttribute("fill-opacity", known ? 0.45 + 0.55 * progress[k] : 1);
    });
    if (this.told != null) this.tell(this.told);
  }

  tell(k) {
    this.told = k;
    const columns = this.h.x.values.length, { shown, progress } = this.arrays;
    const where = `${this.h.x.title} ${this.h.x.values[k % columns]}, ${this.h.y.title} ${this.h.y.values[Math.floor(k / columns)]}`;
    const what = progress[k] > 0 && isFinite(shown[k]) ? `${this.h.measure} ${shown[k].toFixed(2)} on average, ${Math.round(100 * progress[k])} % trained` : "not trained yet";
    this.find(".told").textContent = `${where}: ${what}.`;
  }
}

export const { render, dispose } = views((place) => new Atlas(place));
