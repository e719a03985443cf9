// How the two networks stand: how the discriminator's logits are spread over real and generated samples, and for each layer how
// much it can stretch its input and how long its last gradient was.

import { fit, number, short, theme, ticks } from "./draw.js";

const LEFT = 38, RIGHT = 8, TOP = 8, BOTTOM = 17;
const CHARTS = [["logits", "Logits", "How the discriminator judges real and generated samples: to the right, real."],
  ["sigma", "Largest stretch", "The largest singular value of each layer's weight. Spectral normalisation holds it at 1."],
  ["gradient", "Gradient", "Length of the last step's gradient of each layer's weight, on a scale of powers of ten."]];

export class Inside {
  constructor(box) {
    this.box = box;
    this.parts = CHARTS.map(([name, title, help]) => {
      const chart = document.createElement("div");
      chart.className = "chart";
      chart.innerHTML = `<div class="legend"></div><div class="plot"><canvas role="img"></canvas><div class="tip" hidden></div></div>`;
      box.append(chart);
      const part = { name, title, help, chart, canvas: chart.querySelector("canvas"), tip: chart.querySelector(".tip"), hover: null };
      part.canvas.onpointermove = (e) => { part.hover = e.offsetX; this.draw(part); };
      part.canvas.onpointerleave = () => { part.hover = null; this.draw(part); };
      return part;
    });
    this.observer = new ResizeObserver(() => this.parts.forEach((part) => this.draw(part)));
    this.observer.observe(box);
  }

  get canvases() { return this.parts.map((part) => part.canvas); }

  dispose() { this.observer.disconnect(); }

  // frame: {logits: [low, high], layers: [[network, name, sigma, gradient]], logits_real, logits_fake}
  update(frame, palette) {
    Object.assign(this, { frame, palette });
    const t = theme(this.parts[0].canvas, palette);
    if (this.dark !== t.dark) {
      this.dark = t.dark;
      for (const { name, title, help, chart } of this.parts) {
        const legend = chart.querySelector(".legend"), marks = name === "logits" ? [["real", "real"], ["fake", "generated"]] : [["generator", "generator"], ["discriminator", "discriminator"]];
        legend.title = help;
        legend.replaceChildren(Object.assign(document.createElement("b"), { textContent: title }), ...marks.map(([colour, words]) => {
          const item = document.createElement("span"), mark = document.createElement("i");
          Object.assign(mark.style, { width: "9px", height: "9px", background: t[colour] });
          item.append(mark, words);
          return item;
        }));
      }
    }
    for (const part of this.parts) this.draw(part);
  }

  draw(part) {
    if (!this.frame || !part.canvas.clientWidth) return;
    const place = fit(part.canvas), t = theme(part.canvas, this.palette);
    part.tip.hidden = true;
    place.context.font = `11px ${t.font}`;
    if (part.name === "logits") this.drawLogits(part, place, t); else this.drawLayers(part, place, t);
  }

  say(part, x, width, words) {
    part.tip.hidden = false;
    part.tip.textContent = words;
    part.tip.style.left = `${Math.min(Math.max(0, x - 90), Math.max(0, width - 190))}px`;
  }

  drawLogits(part, { context: c, width, height }, t) {
    const { logits, logits_real: real, logits_fake: fake } = this.frame;
    if (!real || !logits) return;
    const n = real.length, w = (width - LEFT - RIGHT) / n, most = Math.max(...real, ...fake, 1), h = height - TOP - BOTTOM;
    for (const [counts, colour] of [[real, t.real], [fake, t.fake]]) {
      c.fillStyle = c.strokeStyle = colour; c.lineWidth = 1.6;
      c.beginPath();
      c.moveTo(LEFT, TOP + h);
      for (let k = 0; k < n; k++) { const y = TOP + h * (1 - counts[k] / most); c.lineTo(LEFT + k * w, y); c.lineTo(LEFT + (k + 1) * w, y); }
      c.lineTo(LEFT + n * w, TOP + h);
      c.globalAlpha = 0.25; c.fill();
      c.globalAlpha = 1; c.stroke();
    }
    c.fillStyle = t.text; c.globalAlpha = 0.75; c.textBaseline = "top"; c.textAlign = "center";
    const [low, high] = logits, px = (v) => LEFT + ((v - low) / (high - low)) * n * w;
    for (const v of ticks(low, high, 4)) c.fillText(short(v), px(v), height - BOTTOM + 4);
    c.globalAlpha = 1;
    const k = part.hover == null ? -1 : Math.floor((part.hover - LEFT) / w);
    if (k < 0 || k >= n) return;
    const share = (counts) => `${Math.round((100 * counts[k]) / Math.max(1, counts.reduce((a, b) => a + b, 0)))} %`;
    this.say(part, LEFT + k * w, width, `Logits about ${number(low + ((k + 0.5) / n) * (high - low))}: ${share(real)} of the real, ${share(fake)} of the generated samples.`);
  }

  drawLayers(part, { context: c, width, height }, t) {
    const column = part.name === "sigma" ? 2 : 3, rows = this.frame.layers || [], n = rows.length;
    if (!n) return;
    const values = rows.map((row) => row[column]), known = values.filter((v) => v != null && isFinite(v) && (column === 2 || v > 0));
    const h = height - TOP - BOTTOM, w = (width - LEFT - RIGHT) / n, gap = Math.min(8, w * 0.3);
    const log = column === 3, high = log ? Math.ceil(Math.log10(Math.max(1e-8, ...known)) + 1e-9) : Math.max(1, ...known) * 1.08;
    const low = log ? Math.min(high - 2, Math.floor(Math.log10(Math.min(1, ...known)))) : 0;
    const share = (v) => Math.max(0, Math.min(1, ((log ? Math.log10(v) : v) - low) / (high - low)));
    c.lineWidth = 1;
    for (const v of log ? [low, Math.round((low + high) / 2), high] : ticks(0, high, 3)) {
      const y = Math.round(TOP + h * (1 - (v - low) / (high - low))) + 0.5;
      c.strokeStyle = t.border; c.globalAlpha = 0.7;
      c.beginPath(); c.moveTo(LEFT, y); c.lineTo(width - RIGHT, y); c.stroke();
      c.globalAlpha = 0.75; c.fillStyle = t.text; c.textAlign = "right"; c.textBaseline = "middle";
      c.fillText(log ? (Math.abs(v) <= 3 ? String(Number((10 ** v).toPrecision(1))) : `1e${v}`) : short(v), LEFT - 5, y);
    }
    c.globalAlpha = 1;
    const hover = part.hover == null ? -1 : Math.floor((part.hover - LEFT) / w);
    rows.forEach(([network], k) => {
      if (values[k] == null || !isFinite(values[k])) return;
      c.fillStyle = t[network];
      c.globalAlpha = k === hover ? 1 : 0.8;
      c.fillRect(LEFT + k * w + gap / 2, TOP + h * (1 - share(values[k])), w - gap, h * share(values[k]));
    });
    c.globalAlpha = 0.75; c.fillStyle = t.text; c.textBaseline = "top"; c.textAlign = "left";
    const first = rows.findIndex(([network]) => network === "discriminator");
    c.fillText("generator", LEFT, height - BOTTOM + 4);
    if (first > 0) c.fillText("discriminator", LEFT + first * w, height - BOTTOM + 4);
    c.globalAlpha = 1;
    part.canvas.setAttribute("aria-label", `${part.title}: ${rows.map((row, k) => `${row[0]} layer ${row[1]}: ${values[k] == null ? "not known" : number(values[k])}`).join("; ")}`);
    if (hover >= 0 && hover < n) this.say(part, LEFT + hover * w, width, `${rows[hover][0] === "generator" ? "Generator" : "Discriminator"}, layer ${rows[hover][1]}: ${values[hover] == null ? "no step yet" : number(values[hover])}.`);
  }
}
