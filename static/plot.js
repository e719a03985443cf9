// A chart of several runs: lines that each have points of their own, over steps or time, with bands, what they were before
// smoothing, and a linear or a logarithmic scale. Zoom and crosshair work as in curves.js, and with the keyboard.

import { Curves } from "./curves.js";
import { fit, number, short, theme, ticks, whole } from "./draw.js";

const LEFT = 44, RIGHT = 10, TOP = 8, BOTTOM = 32;
const KEYS = { ArrowLeft: -1, ArrowRight: 1 };

// Powers of ten within two ends, and their doubles and fives where there are few.
function logTicks(low, high) {
  const found = [];
  for (let p = Math.floor(low); p <= Math.ceil(high); p++) for (const m of high - low < 2.5 ? [1, 2, 5] : [1]) {
    const v = p + Math.log10(m);
    if (v >= low && v <= high) found.push(v);
  }
  return found.filter((_, k) => k % Math.ceil(found.length / 6) === 0);
}

export class Plot extends Curves {
  // `moved(range)` is told where a zoom begins and ends, null for all.
  constructor(box, moved) {
    super(box);
    this.moved = moved;
    this.legend.append(document.createElement("b"), document.createElement("em"));
    this.tip.setAttribute("aria-live", "polite");
    this.canvas.tabIndex = 0;
    this.canvas.addEventListener("keydown", (e) => this.key(e));
    this.canvas.addEventListener("blur", () => { this.hover = null; this.draw(); });
    this.canvas.addEventListener("dblclick", () => this.moved(null));
    this.canvas.addEventListener("pointercancel", () => { this.drag = null; });
  }

  // chart: {title, as, axis, lines: [{name, colour, dash, x, y, raw, low, high, count, n}], floor, log, note}
  update(chart, palette) {
    Object.assign(this, { chart, palette });
    const set = (e, text) => { if (e.textContent !== text) e.textContent = text; };
    set(this.legend.firstElementChild, chart.title);
    set(this.legend.lastElementChild, chart.note || (chart.log ? "logarithmic" : ""));
    this.canvas.setAttribute("aria-label", `${chart.title} over ${chart.axis}: ${chart.lines.map((l) => l.name).join(", ")}. Arrow keys move along it, + and - zoom, 0 shows all.`);
    this.draw();
  }

  scales(width, height) {
    const { lines, floor, log, as } = this.chart, of = log ? (v) => Math.log10(v) : (v) => v;
    const last = Math.max(...lines.map((l) => l.x.at(-1) ?? 0), 0), [x0, x1] = this.range || [0, last || 1];
    const seen = [];
    for (const { x, y, raw, low, high } of lines) for (const values of [y, raw, low, high]) {
      for (let i = 0; values && i < x.length; i++) if (x[i] >= x0 && x[i] <= x1 && isFinite(values[i]) && (!log || values[i] > 0)) seen.push(of(values[i]));
    }
    seen.sort((a, b) => a - b);
    const cut = Math.floor(seen.length / 200); // the wildest half per cent at each end may leave the picture
    let low = seen[cut] ?? 0, high = seen[seen.length - 1 - cut] ?? 1;
    if (floor != null && (!log || floor > 0)) { low = Math.min(low, of(floor)); high = Math.max(high, of(floor)); }
    if (as === "whole" && !log) { low = Math.min(low, 0); high = Math.max(high, 1); } // a count
    if (high - low < 1e-9) { low -= 0.5; high += 0.5; }
    const pad = (high - low) * 0.06, w = width - LEFT - RIGHT, h = height - TOP - BOTTOM;
    low -= pad; high += pad;
    const py = (v) => TOP + (1 - (v - low) / (high - low)) * h;
    return { x0, x1, low, high, w, h, last, px: (s) => LEFT + ((s - x0) / (x1 - x0)) * w, step: (px) => x0 + ((px - LEFT) / w) * (x1 - x0), level: py,
             py: (v) => (log ? py(v > 0 ? Math.log10(v) : low - pad) : py(v)) };
  }

  paint({ context: c, width, height }) {
    const t = theme(this.canvas, this.palette), s = this.scales(width, height), { lines, floor, log, axis } = this.chart;
    c.font = `11px ${t.font}`; c.lineWidth = 1;
    for (const v of log ? logTicks(s.low, s.high) : ticks(s.low, s.high, 4)) {
      const py = Math.round(s.level(v)) + 0.5;
      c.strokeStyle = t.border; c.globalAlpha = 0.7;
      c.beginPath(); c.moveTo(LEFT, py); c.lineTo(width - RIGHT, py); c.stroke();
      c.globalAlpha = 0.75; c.fillStyle = t.text; c.textAlign = "right"; c.textBaseline = "middle";
      c.fillText(short(log ? 10 ** v : v), LEFT - 5, py);
    }
    c.textBaseline = "top"; c.textAlign = "center";
    for (const v of ticks(s.x0, s.x1, width < 360 ? 4 : 6)) c.fillText(axis === "step" ? whole(v) : number(v), Math.min(s.px(v), width - 16), height - BOTTOM + 4);
    c.fillText(axis, LEFT + s.w / 2, height - 14);
    c.globalAlpha = 1;
    c.save();
    c.beginPath(); c.rect(LEFT, TOP - 2, s.w, s.h + 4); c.clip();
    if (floor != null && (!log || floor > 0)) {
      c.strokeStyle = c.fillStyle = t.text; c.globalAlpha = 0.5; c.setLineDash([3, 3]);
      c.beginPath(); c.moveTo(LEFT, s.py(floor)); c.lineTo(width, s.py(floor)); c.stroke();
      c.setLineDash([]); c.globalAlpha = 1;
    }
    for (const line of lines) if (line.low) this.drawBand(c, s, t[line.colour], line.x, line);
    c.lineJoin = "round";
    for (const line of lines) {
      c.strokeStyle = t[line.colour];
      if (line.raw) { c.lineWidth = 1; c.globalAlpha = 0.28; this.drawLine(c, s, line.x, line.raw); c.globalAlpha = 1; }
      c.lineWidth = 1.8; c.setLineDash(line.dash);
      this.drawLine(c, s, line.x, line.y);
      c.setLineDash([]);
      if (line.x.length === 1) { c.fillStyle = t[line.colour]; c.beginPath(); c.arc(s.px(line.x[0]), s.py(line.y[0]), 2.5, 0, 6.3); c.fill(); }
    }
    this.drawCursor(c, s, t, axis === "step" ? this.cursor : null);
    c.restore();
    return s;
  }

  // The point of each line that is nearest to a place, as one sentence.
  drawHover(c, s, t, width) {
    const { lines, axis, as } = this.chart, there = lines.filter((l) => l.x.length);
    this.tip.hidden = this.hover == null || !there.length;
    if (this.tip.hidden) return;
    const target = Math.max(s.x0, Math.min(s.x1, s.step(this.hover)));
    const nearest = (x) => { let best = 0; for (let i = 1; i < x.length; i++) if (Math.abs(x[i] - target) < Math.abs(x[best] - target)) best = i; return best; };
    const at = there.map((l) => nearest(l.x)), first = there.reduce((k, l, j) => (Math.abs(l.x[at[j]] - target) < Math.abs(there[k].x[at[k]] - target) ? j : k), 0);
    const place = there[first].x[at[first]], px = s.px(place);
    c.strokeStyle = t.text; c.globalAlpha = 0.4;
    c.beginPath(); c.moveTo(px, TOP); c.lineTo(px, TOP + s.h); c.stroke();
    c.globalAlpha = 1;
    const value = (v) => (!isFinite(v) ? "–" : as === "percent" ? `${(100 * v).toFixed(1)} %` : number(v));
    const words = there.map((l, j) => {
      const k = at[j], ended = l.x[k] < place && l.x.length > 1 && k === l.x.length - 1 && place - l.x[k] > (s.x1 - s.x0) / 50;
      if (ended) return null;
      if (isFinite(l.y[k])) { c.fillStyle = t[l.colour]; c.beginPath(); c.arc(s.px(l.x[k]), s.py(l.y[k]), 3, 0, 6.3); c.fill(); }
      const around = l.n > 1 && l.low && isFinite(l.low[k]) ? ` (${value(l.low[k])} to ${value(l.high[k])}, n = ${l.count[k]})` : "";
      const away = Math.abs(l.x[k] - place) > (s.x1 - s.x0) / 100; // it was measured at another moment
      return `${l.name} ${value(l.y[k])}${around}${away ? ` at ${axis === "step" ? whole(l.x[k]) : `${number(l.x[k])} s`}` : ""}`;
    }).filter(Boolean);
    this.tip.textContent = `${axis === "step" ? `At step ${whole(place)}` : `After ${number(place)} s of training`}: ${words.join(", ")}.`;
    this.tip.style.left = `${Math.min(Math.max(0, px < width / 2 ? px + 12 : px - 252), Math.max(0, width - 250))}px`;
  }

  up() {
    if (this.drag && Math.abs(this.drag[1] - this.drag[0]) > 6 && this.chart) {
      const s = this.scales(this.canvas.clientWidth, this.canvas.clientHeight);
      this.zoom(...this.drag.map((px) => Math.max(s.x0, Math.min(s.x1, s.step(px)))).sort((a, b) => a - b));
    }
    this.drag = null;
    this.draw();
  }

  zoom(from, to) {
    const { last } = this.scales(this.canvas.clientWidth, this.canvas.clientHeight);
    if (to - from < last / 1000) return;
    this.moved(from <= 0 && to >= last ? null : [from, to]);
  }

  // Arrows move the crosshair, with Shift what is shown; + and - zoom around the crosshair, 0 shows all.
  key(e) {
    if (!this.chart || e.ctrlKey || e.metaKey || e.altKey) return;
    const s = this.scales(this.canvas.clientWidth, this.canvas.clientHeight), span = s.x1 - s.x0, by = KEYS[e.key];
    const here = this.hover == null ? LEFT + s.w / 2 : this.hover;
    if (by && e.shiftKey) {
      const move = Math.max(-s.x0, Math.min(s.last - s.x1, (by * span) / 5));
      if (this.range && move) this.moved([s.x0 + move, s.x1 + move]);
    } else if (by) {
      this.hover = Math.max(LEFT, Math.min(LEFT + s.w, here + by * Math.max(4, s.w / 60)));
      this.draw();
    } else if (e.key === "+" || e.key === "=" || e.key === "-") {
      const factor = e.key === "-" ? 2 : 0.5, centre = s.step(here), from = centre - (centre - s.x0) * factor;
      this.zoom(Math.max(0, from), Math.min(s.last, from + span * factor));
    } else if (e.key === "0") this.moved(null);
    else return;
    e.preventDefault();
    e.stopPropagation();
  }
}
