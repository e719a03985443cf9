// The whole system as a picture: noise, generator, samples, discriminator, losses. While a step is told in slow motion, what
// is at work is lit, with a caption for each stage.

import { fit, number, rgb, theme, whole } from "./draw.js";

// Places in hundredths of the picture: x, y, width, height.
const BOXES = {
  noise: [3, 6, 25, 25], generator: [38, 11, 22, 15], made: [70, 6, 27, 27],
  real: [3, 55, 27, 27], discriminator: [40, 52, 31, 33], loss_d: [78, 73, 20, 12], loss_g: [78, 54, 20, 12],
};
const TITLES = { noise: "Noise", generator: "Generator", made: "Generated", real: "Real", discriminator: "Discriminator", loss_d: "Its loss", loss_g: "Generator's loss" };
// from, to, and the corners between them
const WAYS = {
  z: [[28, 18.5], [38, 18.5]], x: [[60, 18.5], [70, 18.5]], real: [[30, 68.5], [40, 68.5]], fake: [[83.5, 33], [83.5, 43], [55.5, 43], [55.5, 52]],
  to_d: [[71, 79], [78, 79]], to_g: [[71, 60], [78, 60]], learn_d: [[88, 85], [88, 94], [55.5, 94], [55.5, 85]], learn_g: [[98, 60], [99, 60], [99, 2.5], [49, 2.5], [49, 11]],
};

// An opinion: a probability, or where the loss knows none, a score.
const said = (t, p) => (t.binary ? `${Math.round(100 * p)} %` : number(p));
const STAGES = [
  { lit: ["noise"], ways: [], of: "d", say: (t) => `Draw noise: ${whole(t.batch)} random vectors, of which two numbers each are shown.` },
  { lit: ["noise", "generator", "made"], ways: ["z", "x"], of: "d", say: () => "Generate: the generator turns each into a sample." },
  { lit: ["real", "discriminator"], ways: ["real"], of: "d", say: (t) => `Judge real: the discriminator gives real samples ${said(t, t.p_real)} on average.` },
  { lit: ["made", "discriminator"], ways: ["fake"], of: "d", say: (t) => `Judge generated: it gives these ${said(t, t.p_fake)}.` },
  { lit: ["discriminator", "loss_d"], ways: ["to_d"], of: "d", say: (t) => `The discriminator's loss is ${number(t.loss_d)}: the price of real samples doubted and generated ones believed.` },
  { lit: ["discriminator"], ways: ["learn_d"], of: "d", later: true, say: (t) => `Its update: real ${said(t, t.p_real)} → ${said(t, t.q_real)}, generated ${said(t, t.p_fake)} → ${said(t, t.q_fake)}.${t.d_steps > 1 ? ` The last of ${t.d_steps} such steps.` : ""}` },
  { lit: ["noise", "generator", "made", "discriminator"], ways: ["z", "x", "fake"], of: "g", later: true, say: () => "New noise, new samples, judged by the discriminator as it is now." },
  { lit: ["made", "loss_g"], ways: ["to_g"], of: "g", later: true, pull: true, say: (t) => `The generator's loss is ${number(t.loss_g)}. Its gradient says where each sample should go.` },
  { lit: ["generator", "made"], ways: ["learn_g"], of: "g", later: true, moved: true, say: () => "The generator's update: the same noise now makes these." },
];
export const LENGTH = STAGES.length;

export class System {
  constructor(canvas) {
    Object.assign(this, { canvas, stage: null, part: 1 });
    this.heat = document.createElement("canvas");
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(canvas);
  }

  dispose() { this.observer.disconnect(); }

  // frame: as the picture's, with trace_… where a step is told; sheets: decoded images {real, fake, made, remade, now, data}
  update(frame, sheets, losses, palette) {
    Object.assign(this, { frame, sheets, losses, palette });
    this.draw();
  }

  // A stage of the told step, and how far it is (0 to 1); null shows how the system stands.
  show(stage, part = 1) {
    Object.assign(this, { stage, part });
    this.draw();
  }

  get words() { return this.stage == null || !this.frame?.trace ? "" : `${this.stage + 1} of ${LENGTH}. ${STAGES[this.stage].say(this.frame.trace)}`; }

  draw() {
    if (!this.frame || !this.canvas.clientWidth) return;
    const { context: c, width, height } = fit(this.canvas), t = theme(this.canvas, this.palette), side = Math.min(width, height);
    const told = this.stage != null && this.frame.trace ? STAGES[this.stage] : null;
    const at = ([x, y, w, h]) => [((width - side) / 2) + (x * side) / 100, ((height - side) / 2) + (y * side) / 100, (w * side) / 100, (h * side) / 100];
    this.canvas.dataset.stage = told ? this.stage : "";
    c.fillStyle = t.background;
    c.fillRect(0, 0, width, height);
    c.lineJoin = "round";
    for (const [name, way] of Object.entries(WAYS)) this.way(c, t, way.map(([x, y]) => at([x, y, 0, 0])), !told || told.ways.includes(name), Boolean(told), name.startsWith("learn"));
    for (const [name, box] of Object.entries(BOXES)) this.box(c, t, name, at(box), !told || told.lit.includes(name), Boolean(told), told);
    this.canvas.setAttribute("aria-label", this.words || "Noise goes through the generator; the discriminator judges its samples and real ones; both learn from their losses.");
  }

  way(c, t, points, lit, telling, back) {
    c.strokeStyle = c.fillStyle = lit && telling ? t.accent : t.text;
    c.globalAlpha = lit ? (telling ? 1 : 0.5) : 0.15;
    c.lineWidth = lit && telling ? 2.5 : 1.2;
    c.setLineDash(back ? [4, 3] : []);
    c.beginPath();
    points.forEach(([x, y], k) => c[k ? "lineTo" : "moveTo"](x, y));
    c.stroke();
    c.setLineDash([]);
    const [[x0, y0], [x, y]] = points.slice(-2), angle = Math.atan2(y - y0, x - x0);
    c.beginPath();
    c.moveTo(x, y);
    for (const turn of [2.7, -2.7]) c.lineTo(x + 8 * Math.cos(angle + turn), y + 8 * Math.sin(angle + turn));
    c.closePath(); c.fill();
    if (lit && telling && this.part < 1) { // what flows
      const lengths = points.slice(1).map(([a, b], k) => Math.hypot(a - points[k][0], b - points[k][1]));
      let rest = this.part * lengths.reduce((a, b) => a + b, 0), k = 0;
      while (k < lengths.length - 1 && rest > lengths[k]) { rest -= lengths[k]; k += 1; }
      const f = Math.min(1, rest / (lengths[k] || 1)), [a, b] = [points[k], points[k + 1]];
      c.beginPath(); c.arc(a[0] + f * (b[0] - a[0]), a[1] + f * (b[1] - a[1]), 4.5, 0, 6.3); c.fill();
    }
    c.globalAlpha = 1;
  }

  box(c, t, name, [x, y, w, h], lit, telling, told) {
    const colours = { generator: t.generator, loss_g: t.generator, discriminator: t.discriminator, loss_d: t.discriminator, made: t.fake, real: t.real, noise: t.text };
    c.globalAlpha = lit ? 1 : 0.35;
    c.fillStyle = t.panel;
    c.fillRect(x, y, w, h);
    if (name === "noise") this.cloud(c, [x, y, w, h], this.noise(told), t.text, 3);
    else if (name === "made" || name === "real") this.samples(c, t, [x, y, w, h], name, told);
    else if (name === "discriminator" && this.frame.extent) this.map(c, t, [x, y, w, h], told);
    c.strokeStyle = colours[name];
    c.lineWidth = lit && telling ? 3 : 1.5;
    c.strokeRect(x, y, w, h);
    c.fillStyle = t.text;
    c.font = `600 12px ${t.font}`;
    c.textAlign = "center";
    const plain = name === "generator" || (name === "discriminator" && !this.frame.extent);
    c.textBaseline = plain ? "middle" : "top";
    if (name.startsWith("loss")) {
      const value = this.frame.trace && told ? this.frame.trace[name] : this.losses?.[name];
      c.font = `11px ${t.font}`;
      c.fillText(TITLES[name], x + w / 2, y + h + 3, w + 12);
      c.font = `600 14px ${t.font}`;
      c.textBaseline = "middle";
      c.fillText(value == null ? "–" : number(value), x + w / 2, y + h / 2);
    } else {
      c.fillText(TITLES[name], x + w / 2, plain ? y + h / 2 : y + h + 3);
    }
    c.globalAlpha = 1;
  }

  noise(told) { return told ? this.frame[told.of === "d" ? "trace_z_d" : "trace_z_g"] : this.frame.trace_z_g; }

  cloud(c, [x, y, w, h], points, colour, half, [cx, cy] = [0, 0]) {
    if (!points) return;
    c.fillStyle = colour;
    for (let i = 0; i < points.length; i += 2) {
      const px = x + w / 2 + ((points[i] - cx) / half) * (w / 2), py = y + h / 2 - ((points[i + 1] - cy) / half) * (h / 2);
      if (px > x + 1 && px < x + w - 1 && py > y + 1 && py < y + h - 1) c.fillRect(px - 1.25, py - 1.25, 2.5, 2.5);
    }
  }

  samples(c, t, box, name, told) {
    const { frame, sheets } = this, [x, y, w, h] = box;
    if (!frame.extent) {
      const image = name === "real" ? (told ? sheets?.real : sheets?.data) : told ? (told.of === "d" ? sheets?.fake : told.moved && this.part > 0.5 ? sheets?.remade : sheets?.made) : sheets?.now;
      if (image) { c.imageSmoothingEnabled = false; c.drawImage(image, x, y, w, h); }
      return;
    }
    const [ex, ey, half] = frame.extent;
    if (name === "real") { this.cloud(c, box, told ? frame.trace_real : frame.real?.subarray(0, 200), t.real, half, [ex, ey]); return; }
    if (!told) { this.cloud(c, box, frame.fake?.subarray(0, 200), t.fake, half, [ex, ey]); return; }
    if (told.of === "d") { this.cloud(c, box, frame.trace_fake, t.fake, half, [ex, ey]); return; }
    const { trace_made: made, trace_remade: remade, trace_pull: pull } = frame, f = told.moved ? this.part : 0;
    this.cloud(c, box, made.map((v, i) => v + f * (remade[i] - v)), t.fake, half, [ex, ey]);
    if (!told.pull || !pull) return;
    const lengths = [...Array(pull.length / 2).keys()].map((i) => Math.hypot(pull[2 * i], pull[2 * i + 1])).sort((a, b) => a - b);
    const scale = (w * 0.14) / (lengths[Math.floor(lengths.length * 0.9)] || 1);
    c.strokeStyle = t.text; c.lineWidth = 1;
    c.beginPath();
    for (let i = 0; i < pull.length; i += 2) {
      const px = x + w / 2 + ((made[i] - ex) / half) * (w / 2), py = y + h / 2 - ((made[i + 1] - ey) / half) * (h / 2);
      if (px < x || px > x + w || py < y || py > y + h) continue;
      c.moveTo(px, py); c.lineTo(px + this.part * scale * pull[i], py - this.part * scale * pull[i + 1]);
    }
    c.stroke();
  }

  // The discriminator's opinion of the whole plane, before or after its update.
  map(c, t, [x, y, w, h], told) {
    const { frame } = this, before = told ? frame.trace_heat : frame.heat, after = told ? frame.trace_heat_later : null;
    if (!before) return;
    const f = !after ? 0 : told.later ? (told.ways.includes("learn_d") ? this.part : 1) : 0;
    const n = Math.round(Math.sqrt(before.length)), image = new ImageData(n, n), real = rgb(t.real), fake = rgb(t.fake);
    for (let row = 0; row < n; row++) for (let column = 0; column < n; column++) {
      const i = row * n + column, value = (before[i] + (f ? f * (after[i] - before[i]) : 0)) / 127.5 - 1, colour = value > 0 ? real : fake;
      image.data.set([...colour, Math.abs(value) * 150], 4 * ((n - 1 - row) * n + column));
    }
    this.heat.width = this.heat.height = n;
    this.heat.getContext("2d").putImageData(image, 0, 0);
    c.imageSmoothingEnabled = true;
    c.drawImage(this.heat, x, y, w, h);
  }
}
