// Two arms of many seeds each, side by side: how often each holds all modes, the modes over time as a band, and a small
// picture of every member.

import { Curves } from "./curves.js";
import { SAVE, saving } from "./export.js";
import { duration, fit, forgetThemes, theme, whole } from "./draw.js";
import { Feed, views } from "./feed.js";
import { Figure } from "./figure.js";
import { PROGRESS, showProgress } from "./progress.js";
import { drawImages, drawPoints } from "./tile.js";
import { unpack } from "./wire.js";

const GAP = 6;

const HTML = `
<div class="seeds">
  ${PROGRESS}
  <div class="top"><div class="rates"></div><div class="chart"></div></div>
  <p class="said"></p>
  <div class="under">${SAVE}</div>
  <div class="arms"></div>
</div>`;

const element = (tag, text, props) => Object.assign(document.createElement(tag), { textContent: text, ...props });
const percent = (share) => `${Math.round(100 * share)} %`;
const length = (share) => `${100 * share}%`;

class Seeds {
  constructor(place) {
    const host = place.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    this.chart = new Curves(this.find(".chart"));
    this.feed = new Feed(this);
    this.made = 0;
    this.chosen = null;
    this.arms = [0, 1].map((arm) => {
      const box = element("div", "", { className: "arm" });
      const head = element("div", "", { className: "head" }), canvas = element("canvas", "", { tabIndex: 0 });
      canvas.setAttribute("role", "img");
      canvas.onclick = (e) => this.point(arm, e);
      canvas.onkeydown = (e) => this.key(arm, e);
      box.append(head, canvas);
      this.find(".arms").append(box);
      return { head, canvas };
    });
    saving(this.root, () => this.h && [this.figure(), this.h.name]);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.find(".arms"));
  }

  dispose() {
    this.feed.dispose();
    this.chart.dispose();
    this.observer.disconnect();
  }

  take(bytes) {
    forgetThemes(this.root, this.chart.canvas);
    const header = unpack(bytes).header;
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    this.update(bytes);
    this.feed.follow(header.address, header);
  }

  notify(status) { this.trigger("status", status); }

  trouble(text) { this.find(".status").textContent = text; }

  update(bytes) {
    const { header: h, arrays } = unpack(bytes);
    Object.assign(this, { h, arrays, hasPicture: Boolean(arrays.tiles0) });
    showProgress(this.root, {
      ...h,
      step: h.status === "none" ? `${whole(h.steps)} steps planned` : `Step ${whole(h.step)} of ${whole(h.steps)}`,
      rate: h.rate ? `${whole(h.rate)} GAN steps/s` : "",
      left: h.status === "running" && h.rate ? `${duration(h.left)} left` : "",
      share: h.step / h.steps,
    });
    this.root.dataset.step = h.step;
    this.chart.update({ title: h.chart.title, span: h.steps, low: 0, high: h.modes, floor: h.modes, steps: arrays.t,
      lines: h.chart.lines.map((l, k) => ({ ...l, values: arrays[`mean${k}`], low: arrays[`low${k}`], high: arrays[`high${k}`] })) }, h.palette);
    this.rates();
    if (this.find(".said").textContent !== h.said) this.find(".said").textContent = h.said;
    this.draw();
    return h;
  }

  // Success of each arm: a bar, with a whisker for its 95 % interval.
  rates() {
    const key = JSON.stringify(this.h.arms);
    if (this.ratesKey === key) return;
    this.ratesKey = key;
    this.find(".rates").replaceChildren(element("b", this.h.question), ...this.h.arms.map((arm, k) => {
      const row = element("div", "", { className: "rate", title: `95 % interval: ${percent(arm.low)} to ${percent(arm.high)}` });
      const track = element("div", "", { className: "track" }), bar = element("i", ""), whisker = element("u", "");
      bar.style.width = length(arm.n ? arm.k / arm.n : 0);
      bar.dataset.arm = k;
      whisker.style.left = length(arm.low);
      whisker.style.width = length(arm.high - arm.low);
      track.append(bar, whisker);
      row.append(element("span", arm.name), track, element("b", arm.measured ? `${arm.k} of ${arm.n}` : "–"));
      return row;
    }));
    this.arms.forEach(({ head }, k) => head.replaceChildren(element("b", this.h.arms[k].name), element("span", this.h.arms[k].changes)));
  }

  layout(width) {
    const n = this.h.members;
    const columns = n > 16 ? 8 : 4, side = Math.floor((width - GAP * (columns - 1)) / columns);
    return { columns, side, rows: Math.ceil(n / columns) };
  }

  draw() {
    if (!this.h) return;
    this.arms.forEach(({ canvas }, arm) => {
      const width = canvas.parentElement.clientWidth, { side, rows } = this.layout(width);
      if (side < 8) return;
      canvas.style.height = `${rows * (side + GAP)}px`;
      this.paint(fit(canvas).context, arm, width);
      const held = this.arrays[`held${arm}`] || [];
      canvas.setAttribute("aria-label", `${this.h.arms[arm].name}: ${Array.from(held).filter((v) => v >= this.h.modes).length} of ${this.h.members} members hold all ${this.h.modes} modes. Arrow keys choose one, Enter takes it.`);
    });
  }

  // The members of an arm, on a canvas or in a figure; returns their height.
  paint(c, arm, width) {
    const { columns, side, rows } = this.layout(width), t = theme(this.root, this.h.palette);
    const held = this.arrays[`held${arm}`] || [], tiles = this.arrays[`tiles${arm}`];
    for (let m = 0; m < this.h.members; m++) {
      const x = (m % columns) * (side + GAP), y = Math.floor(m / columns) * (side + GAP);
      c.fillStyle = t.panel;
      c.fillRect(x, y, side, side);
      if (tiles) {
        const each = tiles.length / this.h.members, tile = tiles.subarray(m * each, (m + 1) * each);
        if (this.h.points) drawPoints(c, t, x, y, side, tile, this.arrays.real); else drawImages(c, x, y, side, tile, this.h.shape);
      }
      const value = held[m], all = value >= this.h.modes;
      c.lineWidth = all ? 2 : 1;
      c.strokeStyle = all ? t.accent : t.border;
      c.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
      if (this.chosen && this.chosen.arm === arm && this.chosen.member === m) { c.strokeStyle = t.text; c.strokeRect(x + 3.5, y + 3.5, side - 7, side - 7); }
      if (value >= 0) this.label(c, t, x, y, side, String(value), all);
    }
    return rows * (side + GAP);
  }

  label(c, t, x, y, side, text, all) {
    c.font = `${all ? 700 : 500} ${side > 60 ? 12 : 10}px ${t.font}`;
    const width = c.measureText(text).width + 6;
    c.globalAlpha = 0.85; c.fillStyle = t.background;
    c.fillRect(x + 2, y + 2, width, 15);
    c.globalAlpha = 1; c.fillStyle = all ? t.accent : t.text;
    c.textAlign = "left"; c.textBaseline = "top";
    c.fillText(text, x + 5, y + 4);
  }

  // What is on the screen as one figure: the words, the curves, and both arms.
  figure() {
    const t = theme(this.root, this.h.palette), gap = 24, width = 1000, half = (width - 3 * gap) / 2;
    const f = new Figure(width, t);
    let y = f.words(`${this.h.question}, step ${whole(this.h.step)}`, gap, gap, width - 2 * gap, 15, 600);
    this.h.arms.forEach((arm) => {
      const found = arm.measured ? `${arm.k} of ${arm.n}, 95 % interval ${percent(arm.low)} to ${percent(arm.high)}` : "not measured yet";
      y = f.words(`${arm.name} (${arm.changes}): ${found}`, gap, y, width - 2 * gap);
    });
    y = f.words(this.h.said, gap, y, width - 2 * gap) + 8;
    y = f.words(`${this.h.chart.title}: ${this.h.chart.lines.map((l) => `${l.name} (${l.dash ? "dashed" : "solid"})`).join("; ")}`, gap, y, width - 2 * gap);
    this.chart.paint({ context: f.pen(gap, y), width: width - 2 * gap, height: 150 });
    y += 166;
    const ends = this.h.arms.map((arm, k) => {
      const x = gap + k * (half + gap), top = f.words(arm.name, x, y, half, 13, 600) + 4;
      return top + this.paint(f.pen(x, top), k, half);
    });
    return f.close(Math.max(...ends) + gap);
  }

  point(arm, e) {
    if (!this.h) return;
    const { columns, side } = this.layout(this.arms[arm].canvas.parentElement.clientWidth);
    this.choose(arm, Math.floor(e.offsetY / (side + GAP)) * columns + Math.floor(e.offsetX / (side + GAP)), true);
  }

  // Arrows move the frame from member to member, Enter or space takes the one in it.
  key(arm, e) {
    if (!this.h) return;
    const { columns } = this.layout(this.arms[arm].canvas.parentElement.clientWidth), here = this.chosen?.arm === arm ? this.chosen.member : null;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[e.key];
    if (by) this.choose(arm, here == null ? 0 : here + by, false);
    else if ((e.key === "Enter" || e.key === " ") && here != null) this.choose(arm, here, true);
    else return;
    e.preventDefault();
  }

  choose(arm, member, take) {
    if (this.h.status === "none" || !(member >= 0 && member < this.h.members)) return;
    this.chosen = { arm, member };
    this.draw();
    if (take) this.trigger("member", this.chosen);
  }
}

export const { render, dispose } = views((place) => new Seeds(place));
