// The search for a latent: what is looked for, what the generator makes of the latent that was found, and how they differ; below,
// the course of the search and the errors of all its starts.

import { Address } from "./address.js";
import { fit, forgetThemes, number, rgb, theme } from "./draw.js";
import { views } from "./feed.js";
import { Stage } from "./stage.js";
import { unpack } from "./wire.js";

const STATUS = { waiting: "queued", searching: "running", done: "finished", failed: "failed", stopped: "stopped" }; // as of runs
const PICTURES = { target: "Looked for", made: "The generator's", apart: "Difference" };
const picture = ([name, title]) => `<div class="picture" data-of="${name}"><b>${title}</b>
  <div class="square"><canvas role="img"></canvas><span class="none"></span></div><div class="note"></div></div>`;
const HTML = `
<div class="find">
  <div class="numbers"><span class="status"></span><span class="least"></span></div>
  <div class="bar" role="progressbar" aria-label="The search" aria-valuemin="0" aria-valuemax="100"><div></div></div>
  <div class="caption" aria-live="polite"></div>
  <div class="pictures">${Object.entries(PICTURES).map(picture).join("")}</div>
  <div class="points" hidden><div class="square"><canvas class="stage" role="img" tabindex="0"></canvas></div>
    <div class="note">Ring: looked for. Dot: the generator's sample. Wheel zooms, drag moves, a double click shows all.</div></div>
  <div class="charts"><canvas class="course" role="img"></canvas><canvas class="starts" role="img"></canvas></div>
</div>`;

class Find {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    this.made = 0; // when the server made what is shown
    this.stage = new Stage(this.find("canvas.stage"));
    this.stage.onview = () => this.mark();
    this.address = new Address("found");
    this.address.follow("found", this.stage);
    this.canvases = [...this.root.querySelectorAll(".charts canvas")];
    this.observer = new ResizeObserver(() => this.charts());
    for (const canvas of this.canvases) this.observer.observe(canvas);
  }

  dispose() {
    this.address.dispose();
    this.observer.disconnect();
    this.stage.dispose();
  }

  async take(bytes) {
    const { header, arrays } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    forgetThemes(this.root, ...this.canvases, this.stage.canvas);
    try {
      const bitmaps = {};
      if (header.kind === "images")
        for (const name of ["target", "made"])
          if (arrays[name]) bitmaps[name] = await createImageBitmap(new Blob([arrays[name]], { type: "image/png" }));
      if (this.made !== header.made) return;
      Object.assign(this, { header, arrays });
      this.show(bitmaps);
    } catch { /* a damaged picture: the next message brings another */ }
  }

  show(bitmaps) {
    const { state, label, share, caption, kind, course } = { ...this.header, ...this.arrays }, percent = Math.round(100 * share);
    this.find(".status").textContent = label;
    this.find(".status").dataset.status = STATUS[state] || "none";
    this.find(".least").textContent = course.length ? `Off by ${this.off(course.at(-1))}` : "";
    this.find(".bar > div").style.width = `${percent}%`;
    this.find(".bar").setAttribute("aria-valuenow", percent);
    this.find(".caption").textContent = caption;
    this.find(".pictures").hidden = kind === "points";
    this.find(".points").hidden = kind !== "points";
    Object.assign(this.root.dataset, { state, share: percent });
    if (kind === "points") this.stage.update({ ...this.header, ...this.arrays }, this.header.palette);
    else this.pictures(bitmaps);
    this.charts();
  }

  pictures({ target, made }) {
    const empty = this.header.state === "searching" || this.header.state === "waiting" ? "Searching" : "Not searched yet";
    this.put("target", target, "Nothing yet");
    this.put("made", made, empty);
    const box = this.put("apart", this.arrays.apart && this.apart(), empty);
    box.querySelector(".note").textContent = this.arrays.apart ? `Full colour: ${number(50 * this.header.most)} % off` : "";
  }

  put(name, bitmap, empty) {
    const box = this.find(`[data-of="${name}"]`), canvas = box.querySelector("canvas"), words = box.querySelector(".none");
    canvas.hidden = !bitmap;
    words.hidden = Boolean(bitmap);
    words.textContent = empty;
    if (!bitmap) return box;
    const { size } = this.header;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    // the server draws sheets, whose images lie one pixel in
    const inset = bitmap.width > size ? 1 : 0;
    canvas.getContext("2d").drawImage(bitmap, inset, inset, size, size, 0, 0, size, size);
    canvas.setAttribute("aria-label", PICTURES[name]);
    return box;
  }

  // How far each pixel is off, in the colour of what is generated.
  apart() {
    const { size } = this.header, t = theme(this.root, this.header.palette), picture = new OffscreenCanvas(size, size);
    const [background, colour] = [t.background, t.fake].map((c) => (/^#[0-9a-f]{6}/i.test(c) ? rgb(c) : t.dark ? [0, 0, 0] : [255, 255, 255]));
    const image = new ImageData(size, size);
    this.arrays.apart.forEach((v, k) => {
      for (let j = 0; j < 3; j++) image.data[4 * k + j] = background[j] + (colour[j] - background[j]) * (v / 255);
      image.data[4 * k + 3] = 255;
    });
    picture.getContext("2d").putImageData(image, 0, 0);
    return picture;
  }

  // Over the points: what is looked for, and what was found.
  mark() {
    const { target, made } = this.arrays || {}, canvas = this.stage.canvas;
    if (!target || this.header.kind !== "points") return;
    const c = canvas.getContext("2d"), t = theme(canvas, this.header.palette);
    const { px, py } = this.stage.place(canvas.clientWidth, canvas.clientHeight), [x, y] = [px(target[0]), py(target[1])];
    c.strokeStyle = c.fillStyle = t.accent;
    c.lineWidth = 2.5;
    c.beginPath(); c.arc(x, y, 9, 0, 6.3); c.stroke();
    if (made) {
      c.beginPath(); c.moveTo(x, y); c.lineTo(px(made[0]), py(made[1])); c.stroke();
      c.beginPath(); c.arc(px(made[0]), py(made[1]), 4.5, 0, 6.3); c.fill();
    }
    const at = (p) => `${number(p[0])}, ${number(p[1])}`;
    canvas.setAttribute("aria-label", `Looked for ${at(target)}${made ? `; the generator's ${at(made)}` : ""}`);
  }

  off(v) { return number(v) + this.header.unit; }

  charts() {
    if (!this.header) return;
    const [course, starts] = this.canvases;
    this.plot(course, "How far off the best start is", (c, t, width, top, bottom) => {
      const values = this.arrays.course;
      if (!values.length) return "";
      const logs = [...values].map((v) => Math.log10(Math.max(v, 1e-9)));
      const high = Math.max(...logs), low = Math.min(...logs, high - 0.3), n = Math.max(values.length / (this.header.share || 1), 2);
      c.strokeStyle = t.accent; c.lineWidth = 1.5;
      c.beginPath();
      logs.forEach((v, k) => c.lineTo((k / (n - 1)) * width, top + ((high - v) / (high - low)) * (bottom - top - 4)));
      c.stroke();
      return `${this.off(values[0])} to ${this.off(values.at(-1))}`;
    });
    this.plot(starts, "How far off each start ended", (c, t, width, top, bottom) => {
      const values = this.arrays.errors;
      if (!values) return "";
      const most = Math.max(...values, 1e-12), step = width / values.length;
      values.forEach((v, k) => {
        const tall = Math.max(2, (v / most) * (bottom - top));
        c.globalAlpha = k ? 0.4 : 1;
        c.fillStyle = t.accent;
        c.fillRect(k * step + 1, bottom - tall, Math.min(step - 2, 40), tall);
      });
      c.globalAlpha = 1;
      return values.length > 1 ? `${this.off(values[0])} to ${this.off(values.at(-1))}` : this.off(values[0]);
    });
  }

  plot(canvas, title, paint) {
    if (!canvas.clientWidth) return;
    const { context: c, width, height } = fit(canvas), t = theme(canvas, this.header.palette), bottom = height - 2;
    c.strokeStyle = t.border;
    c.beginPath(); c.moveTo(0, bottom + 0.5); c.lineTo(width, bottom + 0.5); c.stroke();
    const words = paint(c, t, width, 22, bottom);
    c.font = `11px ${t.font}`;
    c.fillStyle = t.text; c.globalAlpha = 0.75;
    c.fillText(title, 0, 10);
    c.textAlign = "right"; c.fillText(words, width, 10); c.textAlign = "left";
    c.globalAlpha = 1;
    canvas.setAttribute("aria-label", words ? `${title}: ${words}` : title);
  }
}

export const { render, dispose } = views((place) => new Find(place));
