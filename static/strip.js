// Ways through latent space: large pictures that play, and below them the strips of all frames and how far each step goes. The
// frames come from the server once; playing and dragging happen here.

import { Address } from "./address.js";
import { fit, forgetThemes, number, theme, tileOf, whole } from "./draw.js";
import { views } from "./feed.js";
import { Stage } from "./stage.js";
import { Talk } from "./talk.js";
import { unpack } from "./wire.js";

const SHOWN = 13; // frames in a strip
const SAVED = { gif: "GIF", webp: "WebP", png: "Strip (PNG)" };
const WAY = `<b></b><div class="square"><canvas class="points" role="img" tabindex="0"></canvas><canvas class="large" role="img" hidden></canvas></div>`;
const HTML = `
<div class="player">
  <div class="ways"></div>
  <div class="controls"><button type="button" class="play">Play</button>
    <input type="range" min="0" value="0" step="1" aria-label="Frame">
    <select aria-label="Speed"><option value="8">8 frames/s</option><option value="16" selected>16 frames/s</option><option value="30">30 frames/s</option></select>
    <span class="frame"></span>
    <details class="save"><summary>Save</summary><div>${Object.entries(SAVED).map(([kind, name]) => `<a data-kind="${kind}">${name}</a>`).join("")}</div></details></div>
  <div class="strips"></div>
  <canvas class="lengths" role="img"></canvas>
  <label class="each">Frames for each leg <input type="range" step="4" title="More of them show smaller steps."><output></output></label>
  <div class="trouble" role="status"></div>
  <div class="caption"></div>
</div>`;

class Player {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    this.ways = []; // {box, stage, large, strip, sheet} of each way
    this.address = new Address("frame", "speed", "zoom", "zoom2");
    this.current = Math.max(0, Math.floor(Number(this.address.get("frame")) || 0));
    this.made = 0; // when the server made what is shown
    this.timer = null;
    this.find(".play").onclick = () => this.toggle();
    this.place = this.find(".controls input");
    this.each = this.find(".each input");
    this.talk = new Talk((bytes) => this.accept(unpack(bytes)), (words) => { this.find(".trouble").textContent = words; });
    this.each.oninput = () => this.refine();
    this.place.oninput = (e) => { this.current = Number(e.target.value); this.rest(); };
    this.speed = this.find("select");
    this.usual = this.speed.value;
    if ([...this.speed.options].some((option) => option.value === this.address.get("speed"))) this.speed.value = this.address.get("speed");
    this.speed.onchange = () => { this.link(); this.rest(); };
    this.find("canvas.lengths").onclick = (e) => this.jump(e);
    this.root.onkeydown = (e) => {
      if (e.target.closest("select, input, button, summary, a")) return;
      if (e.key === " ") { e.preventDefault(); this.toggle(); }
    };
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.find("canvas.lengths"));
  }

  dispose() {
    this.talk.drop();
    this.address.dispose();
    for (const way of this.ways) this.drop(way);
    this.observer.disconnect();
    cancelAnimationFrame(this.timer);
  }

  add() {
    const box = Object.assign(document.createElement("div"), { className: "way", innerHTML: WAY });
    const strip = Object.assign(document.createElement("canvas"), { className: "strip" });
    strip.setAttribute("role", "img");
    strip.onclick = (e) => this.jump(e);
    this.find(".ways").append(box);
    this.find(".strips").append(strip);
    const stage = new Stage(box.querySelector("canvas.points"));
    this.address.follow(this.ways.length ? "zoom2" : "zoom", stage);
    return { box, strip, stage, large: box.querySelector("canvas.large"), sheet: null };
  }

  drop(way) {
    way.stage.dispose();
    way.sheet?.close();
    way.box.remove();
    way.strip.remove();
  }

  // A message of the page: another walk, or an echo of what it was told.
  take(bytes) {
    const message = unpack(bytes), { run, query, each } = message.header, rest = new URLSearchParams(query);
    rest.delete("frames");
    const meaning = `${run}?${rest}`, behind = this.talk.isBehind(String(each));
    if (meaning === this.meaning && behind) return;
    if (meaning !== this.meaning) this.talk.drop(); // answers about the walk before do not matter any more
    this.meaning = meaning;
    this.accept(message);
  }

  // So many frames for each leg are wanted: they are asked for at once, and the page hears of it a little later.
  refine() {
    if (!this.header) return;
    const query = new URLSearchParams(this.header.query), each = this.each.value;
    query.set("frames", each);
    this.find(".each output").textContent = each;
    this.talk.ask(this.header.run, query);
    this.talk.tell(each, () => this.trigger("each", Number(each)));
  }

  async accept({ header, arrays }) {
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    forgetThemes(this.find("canvas.lengths"), ...this.ways.flatMap((way) => [way.stage.canvas, way.strip]));
    if (this.wanted === header.key) { this.rest(); return; }
    this.wanted = header.key;
    try {
      const pictures = header.ways.map((_, k) => arrays[`sheet${k}`]).filter(Boolean);
      const sheets = await Promise.all(pictures.map((png) => createImageBitmap(new Blob([png], { type: "image/png" }))));
      if (this.wanted === header.key) this.swap(header, arrays, sheets);
      else for (const sheet of sheets) sheet.close(); // another walk was asked for meanwhile
    } catch { this.wanted = null; }
  }

  // All that belongs to one walk changes at once.
  swap(header, arrays, sheets) {
    while (this.ways.length > header.ways.length) this.drop(this.ways.pop());
    while (this.ways.length < header.ways.length) this.ways.push(this.add());
    // the same place on the way, also with other frames; of the first walk the one that the address names
    const share = this.header ? this.current / (this.header.frames - 1) : this.current / (header.frames - 1);
    Object.assign(this, { header, arrays, current: Math.round(Math.min(1, share) * (header.frames - 1)) });
    this.find(".ways").classList.toggle("single", header.ways.length === 1);
    this.ways.forEach((way, k) => {
      way.sheet?.close();
      way.sheet = sheets[k] || null;
      way.box.querySelector("b").textContent = header.ways[k];
      way.stage.canvas.hidden = header.kind !== "points";
      way.large.hidden = way.strip.hidden = header.kind === "points";
    });
    this.place.max = header.frames - 1;
    Object.assign(this.each, { min: header.few, max: header.many });
    if (!this.talk.waits) this.each.value = this.find(".each output").textContent = header.each; // else the hand is still on it
    this.find(".caption").textContent = header.caption;
    this.link();
    Object.assign(this.root.dataset, { key: header.key, frames: header.frames, ways: header.ways.length });
    this.rest();
  }

  // What is saved plays at the speed that is chosen here.
  link() {
    if (!this.header) return;
    const query = new URLSearchParams(this.header.query);
    query.set("speed", this.speed.value);
    for (const link of this.root.querySelectorAll(".save a")) {
      link.href = new URL(`walk/${this.header.run}/${link.dataset.kind}?${query}`, document.baseURI);
      link.download = "";
    }
  }

  toggle() {
    if (this.timer) {
      cancelAnimationFrame(this.timer);
      this.timer = null;
      this.rest();
    } else if (this.header) {
      let last = performance.now(), due = 0;
      const tick = (now) => {
        due += ((now - last) / 1000) * Number(this.speed.value);
        last = now;
        const steps = Math.floor(due);
        if (steps) { due -= steps; this.current = (this.current + steps) % this.header.frames; this.draw(); }
        this.timer = requestAnimationFrame(tick);
      };
      this.timer = requestAnimationFrame(tick);
    }
    this.find(".play").textContent = this.timer ? "Pause" : "Play";
  }

  jump(e) {
    if (!this.header) return;
    const share = e.offsetX / e.currentTarget.clientWidth;
    this.current = Math.max(0, Math.min(this.header.frames - 1, Math.round(share * (this.header.frames - 1))));
    this.rest();
  }

  // What stands still is in the address.
  rest() {
    if (this.header && !this.timer) {
      this.address.set("frame", this.current ? String(this.current) : "");
      this.address.set("speed", this.speed.value === this.usual ? "" : this.speed.value);
    }
    this.draw();
  }

  draw() {
    if (!this.header) return;
    this.place.value = this.current;
    this.find(".frame").textContent = `Frame ${whole(this.current + 1)} of ${whole(this.header.frames)}`;
    this.root.dataset.frame = this.current;
    this.ways.forEach((way, k) => (this.header.kind === "points" ? this.drawPoints(way, k) : this.drawImages(way)));
    this.drawLengths();
  }

  drawPoints(way, k) {
    const points = this.arrays[`path${k}`], [x, y] = [points[2 * this.current], points[2 * this.current + 1]];
    way.stage.update({ ...this.header, ...this.arrays, path: { points, current: this.current } }, this.header.palette);
    way.stage.canvas.setAttribute("aria-label", `The sample at ${number(x)}, ${number(y)}`);
  }

  drawImages(way) {
    if (!way.sheet) return;
    const { size, frames } = this.header, { large, strip } = way;
    if (large.width !== size) large.width = large.height = size;
    large.getContext("2d").drawImage(way.sheet, ...tileOf(this.header, this.current), 0, 0, size, size);
    large.setAttribute("aria-label", `Generated image, frame ${this.current + 1} of ${frames}`);
    const n = Math.min(SHOWN, frames), t = theme(strip, this.header.palette);
    strip.width = n * (size + 2);
    strip.height = size + 2;
    const c = strip.getContext("2d");
    for (let i = 0; i < n; i++) {
      const k = Math.round((i * (frames - 1)) / Math.max(1, n - 1));
      c.drawImage(way.sheet, ...tileOf(this.header, k), i * (size + 2) + 1, 1, size, size);
    }
    const at = Math.round((this.current / Math.max(1, frames - 1)) * (n - 1));
    c.strokeStyle = t.accent;
    c.strokeRect(at * (size + 2) + 0.5, 0.5, size + 1, size + 1);
    strip.setAttribute("aria-label", "Frames along the way");
  }

  // How far the sample goes at each step: one line for each way, the second dashed.
  drawLengths() {
    const canvas = this.find("canvas.lengths"), { context: c, width, height } = fit(canvas), t = theme(canvas, this.header.palette);
    const lines = this.ways.map((_, k) => this.arrays[`lengths${k}`]), most = Math.max(1e-12, ...lines.flatMap((line) => [...line]));
    const bottom = height - 14, px = (k) => ((k + 0.5) / lines[0].length) * width, py = (v) => bottom - (v / most) * (bottom - 14);
    c.font = `11px ${t.font}`;
    c.fillStyle = t.text;
    c.globalAlpha = 0.7;
    c.fillText(`Change at each step, at most ${number(most)}`, 0, 9);
    c.globalAlpha = 1;
    c.strokeStyle = t.border;
    c.beginPath(); c.moveTo(0, bottom + 0.5); c.lineTo(width, bottom + 0.5); c.stroke();
    lines.forEach((line, k) => {
      c.strokeStyle = t.fake; c.lineWidth = 1.5; c.setLineDash(k ? [4, 3] : []);
      c.beginPath();
      line.forEach((v, i) => c.lineTo(px(i), py(v)));
      c.stroke();
    });
    c.setLineDash([]);
    c.strokeStyle = t.accent;
    const x = Math.round((this.current / Math.max(1, this.header.frames - 1)) * (width - 1)) + 0.5;
    c.beginPath(); c.moveTo(x, 14); c.lineTo(x, bottom); c.stroke();
    const words = this.header.ways.length > 1 ? `${this.header.ways[0]} solid, ${this.header.ways[1]} dashed. ` : "";
    canvas.setAttribute("aria-label", `${words}The largest step changes ${number(most)}.`);
    if (words) { c.fillStyle = t.text; c.globalAlpha = 0.7; c.textAlign = "right"; c.fillText(words, width, 9); c.textAlign = "left"; c.globalAlpha = 1; }
  }
}

export const { render, dispose } = views((place) => new Player(place));
