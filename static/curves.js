// One line chart on a canvas: several series over steps, a crosshair that reads as a sentence, drag to zoom into a
// range of steps, double click to see all again. The zoom belongs to the element and survives every update.

import { fit, number, short, theme, ticks, whole } from "./draw.js";

const LEFT = 38, RIGHT = 8, TOP = 8, BOTTOM = 17;

export class Curves {
  constructor(box) {
    box.innerHTML = `<div class="legend"></div><div class="plot"><canvas role="img"></canvas><div class="tip" hidden></div></div>`;
    this.legend = box.querySelector(".legend");
    this.canvas = box.querySelector("canvas");
    this.tip = box.querySelector(".tip");
    this.range = null; // [first step, last step]; null: all
    this.hover = null;
    this.drag = null;
    this.cursor = null; // a step that is marked
    this.canvas.addEventListener("pointermove", (e) => this.move(e));
    this.canvas.addEventListener("pointerleave", () => { this.hover = null; this.draw(); });
    this.canvas.addEventListener("pointerdown", (e) => { this.drag = [e.offsetX, e.offsetX]; this.canvas.setPointerCapture(e.pointerId); });
    this.canvas.addEventListener("pointerup", () => this.up());
    this.canvas.addEventListener("dblclick", () => { this.range = null; this.draw(); });
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.canvas);
  }

  dispose() { this.observer.disconnect(); }

  // chart: {title, steps, lines: [{name, colour, values, dash, low, high, branch}], floor, low, high, span, branch, events}
  // branch: steps and values of the run that this one was forked from, after the fork; events: [{step, text, fork}]
  update(chart, palette) {
    this.chart = chart;
    this.palette = palette;
    const t = theme(this.canvas, palette);
    const key = chart.title + chart.lines.map((l) => l.name) + t.dark;
    if (this.key !== key) {
      this.key = key;
      this.legend.replaceChildren(Object.assign(document.createElement("b"), { textContent: chart.title }));
      for (const line of chart.lines) {
        const item = document.createElement("span"), mark = document.createElement("i");
        mark.style.borderTop = `2.5px ${line.dash ? "dashed" : "solid"} ${t[line.colour]}`;
        item.append(mark, line.name);
        this.legend.append(item);
      }
      this.canvas.setAttribute("aria-label", `${chart.title} over steps: ${chart.lines.map((l) => l.name).join(", ")}`);
    }
    this.draw();
  }

  scales(width, height) {
    const { steps, lines, span, low: fixedLow, high: fixedHigh, floor } = this.chart;
    const last = steps.length ? steps[steps.length - 1] : 1;
    const [x0, x1] = this.range || [0, Math.max(span || 0, last, 1)];
    let low = fixedLow ?? Infinity, high = fixedHigh ?? -Infinity;
    if (fixedLow == null || fixedHigh == null) {
      const seen = [];
      const look = (at, values) => { for (let i = 0; i < at.length; i++) if (at[i] >= x0 && at[i] <= x1 && isFinite(values[i])) seen.push(values[i]); };
      for (const line of lines) { look(steps, line.values); if (line.branch?.length) look(this.chart.branch, line.branch); }
      seen.sort((a, b) => a - b);
      // the wildest half per cent at each end may leave the picture
      const cut = Math.floor(seen.length / 200);
      if (seen.length) { low = fixedLow ?? seen[cut]; high = fixedHigh ?? seen[seen.length - 1 - cut]; }
      if (floor != null) { low = Math.min(low, floor); high = Math.max(high, floor); }
    }
    if (!isFinite(low) || !isFinite(high)) { low = 0; high = 1; }
    if (high - low < 1e-9) { low -= 0.5; high += 0.5; }
    const pad = (high - low) * 0.06;
    low -= fixedLow == null ? pad : 0; high += pad;
    const w = width - LEFT - RIGHT, h = height - TOP - BOTTOM;
    return { x0, x1, low, high, px: (s) => LEFT + ((s - x0) / (x1 - x0)) * w, py: (v) => TOP + (1 - (v - low) / (high - low)) * h,
             step: (px) => x0 + ((px - LEFT) / w) * (x1 - x0), w, h };
  }

  draw() {
    if (!this.chart || !this.canvas.clientWidth) return;
    const place = fit(this.canvas), s = this.paint(place);
    this.drawHover(place.context, s, theme(this.canvas, this.palette), place.width);
  }

  // The chart as it stands, without what the pointer adds, on a canvas or in a figure.
  paint({ context: c, width, height }) {
    const t = theme(this.canvas, this.palette), s = this.scales(width, height), { steps, lines, floor } = this.chart;
    c.font = `11px ${t.font}`; c.lineWidth = 1;
    for (const v of ticks(s.low, s.high, 3)) {
      const py = Math.round(s.py(v)) + 0.5;
      c.strokeStyle = t.border; c.globalAlpha = 0.7;
      c.beginPath(); c.moveTo(LEFT, py); c.lineTo(width - RIGHT, py); c.stroke();
      c.globalAlpha = 0.75; c.fillStyle = t.text; c.textAlign = "right"; c.textBaseline = "middle";
      c.fillText(short(v), LEFT - 5, py);
    }
    c.textBaseline = "top"; c.textAlign = "center";
    for (const v of ticks(s.x0, s.x1, width < 300 ? 3 : 5)) if (s.px(v) < width - 44) c.fillText(whole(v), s.px(v), height - BOTTOM + 4);
    c.textAlign = "right"; c.fillText("step", width - RIGHT, height - BOTTOM + 4);
    c.globalAlpha = 1;
    c.save();
    c.beginPath(); c.rect(LEFT, TOP - 2, s.w, s.h + 4); c.clip();
    if (floor != null) {
      c.strokeStyle = t.text; c.globalAlpha = 0.5; c.setLineDash([3, 3]);
      c.beginPath(); c.moveTo(LEFT, s.py(floor)); c.lineTo(width, s.py(floor)); c.stroke();
      c.setLineDash([]); c.globalAlpha = 1;
    }
    for (const line of lines) if (line.low && line.low.length) this.drawBand(c, s, t[line.colour], steps, line);
    this.drawMarks(c, s, t);
    c.lineJoin = "round";
    for (const line of lines) {
      c.strokeStyle = t[line.colour]; c.setLineDash(line.dash ? [5, 3] : []);
      if (line.branch?.length) { // where the run that this one was forked from went on
        c.lineWidth = 1; c.globalAlpha = 0.45;
        this.drawLine(c, s, this.chart.branch, line.branch);
      }
      c.lineWidth = 1.6; c.globalAlpha = 1;
      this.drawLine(c, s, steps, line.values);
    }
    c.setLineDash([]);
    this.drawCursor(c, s, t, this.cursor);
    c.restore();
    return s;
  }

  // The step that is marked, and the range that is being dragged over.
  drawCursor(c, s, t, step) {
    if (step != null) {
      c.strokeStyle = t.accent; c.lineWidth = 1.5;
      c.beginPath(); c.moveTo(s.px(step), TOP); c.lineTo(s.px(step), TOP + s.h); c.stroke();
    }
    if (this.drag && Math.abs(this.drag[1] - this.drag[0]) > 3) {
      c.fillStyle = t.accent; c.globalAlpha = 0.15;
      c.fillRect(Math.min(...this.drag), TOP, Math.abs(this.drag[1] - this.drag[0]), s.h);
    }
  }

  drawLine(c, s, steps, values) {
    c.beginPath();
    let on = false;
    for (let i = 0; i < steps.length; i++) {
      const v = values[i];
      if (!isFinite(v)) { on = false; continue; }
      c[on ? "lineTo" : "moveTo"](s.px(steps[i]), s.py(v));
      on = true;
    }
    c.stroke();
  }

  // Where something was changed, and where the run was forked.
  drawMarks(c, s, t) {
    c.strokeStyle = t.text; c.lineWidth = 1; c.globalAlpha = 0.5;
    for (const { step, fork } of this.chart.events || []) {
      const x = Math.round(s.px(step)) + 0.5;
      c.setLineDash(fork ? [] : [2, 3]);
      c.beginPath(); c.moveTo(x, TOP); c.lineTo(x, TOP + s.h); c.stroke();
    }
    c.setLineDash([]); c.globalAlpha = 1;
  }

  // Between line.low and line.high: where most of many seeds lie.
  drawBand(c, s, colour, steps, line) {
    c.fillStyle = colour; c.globalAlpha = 0.16;
    const known = [...steps.keys()].filter((i) => isFinite(line.low[i]) && isFinite(line.high[i]));
    c.beginPath();
    for (const i of known) c.lineTo(s.px(steps[i]), s.py(line.high[i]));
    for (const i of known.reverse()) c.lineTo(s.px(steps[i]), s.py(line.low[i]));
    c.fill();
    c.globalAlpha = 1;
  }

  drawHover(c, s, t, width) {
    const { steps, lines, title } = this.chart;
    this.tip.hidden = this.hover == null || !steps.length;
    if (this.tip.hidden) return;
    const target = s.step(this.hover);
    let best = 0;
    for (let i = 1; i < steps.length; i++) if (Math.abs(steps[i] - target) < Math.abs(steps[best] - target)) best = i;
    c.strokeStyle = t.text; c.globalAlpha = 0.4;
    c.beginPath(); c.moveTo(s.px(steps[best]), TOP); c.lineTo(s.px(steps[best]), TOP + s.h); c.stroke();
    c.globalAlpha = 1;
    for (const line of lines) {
      c.fillStyle = t[line.colour];
      c.beginPath(); c.arc(s.px(steps[best]), s.py(line.values[best]), 3, 0, 6.3); c.fill();
    }
    const near = (this.chart.events || []).filter((e) => Math.abs(s.px(e.step) - this.hover) < 5).map((e) => ` At step ${whole(e.step)}: ${e.text}.`);
    this.tip.textContent = `At step ${whole(steps[best])}: ` + lines.map((l) => `${l.name} ${number(l.values[best])}`).join(", ") + (near.length ? "." : "") + near.join("");
    this.tip.title = title;
    this.tip.style.left = `${Math.min(Math.max(0, s.px(steps[best]) - 80), Math.max(0, width - 190))}px`;
  }

  move(e) {
    this.hover = e.offsetX;
    if (this.drag) this.drag[1] = e.offsetX;
    this.draw();
  }

  up() {
    if (this.drag && Math.abs(this.drag[1] - this.drag[0]) > 6 && this.chart) {
      const s = this.scales(this.canvas.clientWidth, this.canvas.clientHeight);
      const ends = this.drag.map((px) => Math.max(s.x0, Math.min(s.x1, s.step(px)))).sort((a, b) => a - b);
      if (ends[1] - ends[0] >= 2) this.range = ends;
    }
    this.drag = null;
    this.draw();
  }
}
