"use strict";
// Charts of a report: [{title, lines: [{name, colour, dash, steps, values}]}], values null where there is no number.
const W = 460, H = 220, LEFT = 52, RIGHT = 10, TOP = 8, BOTTOM = 34;
const SVG = document.querySelector("svg.space").namespaceURI;
const charts = JSON.parse(document.getElementById("data").textContent);
const state = { log: false, smooth: 0 };

function make(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

// The exponential mean of a curve, without the pull of its start to zero
function smoothed(values, weight) {
  let mean = 0, seen = 0;
  return values.map((v) => {
    if (v === null) return null;
    mean = weight * mean + (1 - weight) * v;
    seen = weight * seen + 1 - weight;
    return mean / seen;
  });
}

function number(v) {
  if (v === null) return "–";
  const size = Math.abs(v);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? v.toExponential(2) : String(Number(v.toPrecision(4)));
}

// Round numbers that divide a range into about four, or powers of ten
function ticks(low, high, log) {
  const found = [];
  if (log) {
    const every = Math.max(1, Math.ceil((high - low) / 5));
    for (let k = Math.ceil(low - 1e-9); k <= high + 1e-9; k += every) found.push(k);
    return found.length ? found : [low, high];
  }
  const rough = (high - low) / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step) found.push(Number(v.toPrecision(12)));
  return found;
}

class Chart {
  constructor(spec, parent) {
    Object.assign(this, spec);
    this.box = document.createElement("figure");
    this.box.className = "chart";
    const title = document.createElement("h3"), legend = document.createElement("div"), plot = document.createElement("div");
    title.textContent = this.title;
    legend.className = "legend";
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    this.svg.setAttribute("role", "img");
    this.svg.setAttribute("aria-label", this.title);
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    plot.className = "plot";
    plot.append(this.svg, this.tip);
    this.box.append(title, legend, plot);
    parent.append(this.box);
    for (const line of this.lines) {
      line.on = true;
      const button = document.createElement("button"), key = document.createElement("i");
      key.className = "key";
      key.style.borderTopColor = line.colour;
      key.style.borderTopStyle = line.dash ? "dashed" : "solid";
      line.name ||= this.title;
      button.append(key, line.name);
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        line.on = !line.on;
        button.setAttribute("aria-pressed", String(line.on));
        this.draw();
      });
      legend.append(button);
    }
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.leave());
    this.draw();
  }

  shown(v) { return v === null ? null : state.log ? (v > 0 ? Math.log10(v) : null) : v; }

  draw() {
    this.svg.replaceChildren();
    this.leave();
    const lines = this.lines.filter((line) => line.on);
    for (const line of lines) line.smooth = state.smooth ? smoothed(line.values, state.smooth) : line.values;
    let low = Infinity, high = -Infinity, first = Infinity, last = -Infinity;
    for (const line of lines) {
      line.steps.forEach((step, k) => {
        const v = this.shown(line.values[k]);
        if (v === null) return;
        low = Math.min(low, v); high = Math.max(high, v); first = Math.min(first, step); last = Math.max(last, step);
      });
    }
    if (low > high) { make(this.svg, "text", { x: LEFT, y: H / 2 }, "Nothing to show"); this.x = null; return; }
    if (high - low < 1e-12) { const more = Math.abs(low) / 10 || 1; low -= more; high += more; }
    if (first === last) last = first + 1;
    this.x = (step) => LEFT + (step - first) / (last - first) * (W - LEFT - RIGHT);
    this.step = (x) => first + (x - LEFT) / (W - LEFT - RIGHT) * (last - first);
    this.y = (v) => TOP + (high - v) / (high - low) * (H - TOP - BOTTOM);
    for (const v of ticks(low, high, state.log)) {
      make(this.svg, "line", { class: "grid", x1: LEFT, x2: W - RIGHT, y1: this.y(v), y2: this.y(v) });
      make(this.svg, "text", { x: LEFT - 5, y: this.y(v) + 4, "text-anchor": "end" }, number(state.log ? 10 ** v : v));
    }
    for (const step of ticks(first, last, false)) {
      make(this.svg, "text", { x: this.x(step), y: H - 19, "text-anchor": "middle" }, step.toLocaleString("en"));
    }
    make(this.svg, "text", { x: (LEFT + W - RIGHT) / 2, y: H - 4, "text-anchor": "middle" }, "generator step");
    for (const line of lines) {
      if (state.smooth) this.curve(line, line.values, "curve raw");
      this.curve(line, line.smooth, "curve");
    }
    this.cursor = make(this.svg, "line", { class: "cursor", y1: TOP, y2: H - BOTTOM, visibility: "hidden" });
  }

  curve(line, values, kind) {
    let path = "", open = false;
    values.forEach((value, k) => {
      const v = this.shown(value);
      if (v !== null) path += `${open ? "L" : "M"}${this.x(line.steps[k]).toFixed(1)} ${this.y(v).toFixed(1)}`;
      open = v !== null;
    });
    const made = make(this.svg, "path", { class: kind, d: path });
    made.style.stroke = line.colour;
    if (line.dash) made.style.strokeDasharray = "5 3";
  }

  point(event) {
    if (!this.x) return;
    const box = this.svg.getBoundingClientRect(), step = this.step((event.clientX - box.left) / box.width * W);
    let near = null;
    const rows = [];
    for (const line of this.lines.filter((each) => each.on && each.steps.length)) {
      let k = line.steps.findIndex((at) => at >= step);
      if (k < 0) k = line.steps.length - 1;
      if (k > 0 && step - line.steps[k - 1] < line.steps[k] - step) k -= 1;
      if (near === null || Math.abs(line.steps[k] - step) < Math.abs(near - step)) near = line.steps[k];
      rows.push(`${line.name}: ${number(line.smooth[k])}${state.smooth ? ` (${number(line.values[k])})` : ""}`);
    }
    if (near === null) return;
    this.cursor.setAttribute("visibility", "visible");
    this.cursor.setAttribute("x1", this.x(near));
    this.cursor.setAttribute("x2", this.x(near));
    this.tip.textContent = [`Step ${near.toLocaleString("en")}`, ...rows].join("\n");
    this.tip.hidden = false;
    const right = event.clientX - box.left > box.width / 2;
    this.tip.style.left = right ? "60px" : "auto";
    this.tip.style.right = right ? "auto" : "16px";
  }

  leave() {
    this.tip.hidden = true;
    if (this.cursor) this.cursor.setAttribute("visibility", "hidden");
  }
}

const all = charts.map((spec) => new Chart(spec, document.getElementById("charts")));
document.getElementById("log").addEventListener("change", (event) => {
  state.log = event.target.checked;
  all.forEach((chart) => chart.draw());
});
document.getElementById("smooth").addEventListener("input", (event) => {
  state.smooth = Number(event.target.value);
  document.getElementById("smoothed").textContent = state.smooth;
  all.forEach((chart) => chart.draw());
});
document.getElementById("only")?.addEventListener("change", (event) => {
  document.getElementById("settings").classList.toggle("only", event.target.checked);
});
