// A way through latent space: one large picture that plays, and the strip of all frames below. The frames come from the
// server once; playing and dragging happen here.

import { forgetThemes, number, theme, whole } from "./draw.js";
import { Stage } from "./stage.js";
import { unpack } from "./wire.js";

const players = new WeakMap();
const SHOWN = 13; // frames in the strip below

const HTML = `
<div class="player">
  <div class="square"><canvas class="points" role="img" tabindex="0"></canvas><canvas class="large" role="img" hidden></canvas></div>
  <div class="controls"><button type="button" class="play">Play</button>
    <input type="range" min="0" value="0" step="1" aria-label="Frame">
    <select aria-label="Speed"><option value="8">8 frames/s</option><option value="16" selected>16 frames/s</option><option value="30">30 frames/s</option></select>
    <span class="frame"></span></div>
  <canvas class="strip" role="img" aria-label="Frames along the way"></canvas>
  <div class="caption"></div>
</div>`;

export function render({ parentElement, data }) {
  let player = players.get(parentElement);
  if (!player) {
    player = new Player(parentElement);
    players.set(parentElement, player);
  }
  if (data && data.length) player.update(data);
}

export function dispose(parentElement) {
  players.get(parentElement)?.dispose();
  players.delete(parentElement);
}

class Player {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    this.stage = new Stage(this.find("canvas.points"));
    this.current = 0;
    this.made = 0; // when the server made what is shown
    this.timer = null;
    this.find(".play").onclick = () => this.toggle();
    this.find("input").oninput = (e) => { this.current = Number(e.target.value); this.draw(); };
    this.find("canvas.strip").onclick = (e) => this.jump(e);
    this.root.onkeydown = (e) => {
      if (e.target.tagName === "SELECT" || e.target.tagName === "INPUT" || e.target.tagName === "BUTTON") return;
      if (e.key === " ") { e.preventDefault(); this.toggle(); }
    };
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.find("canvas.strip"));
  }

  dispose() {
    this.stage.dispose();
    this.observer.disconnect();
    cancelAnimationFrame(this.timer);
  }

  update(bytes) {
    const { header, arrays } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    forgetThemes(this.stage.canvas, this.find("canvas.strip"));
    if (this.wanted === header.key) { this.draw(); return; }
    this.wanted = header.key;
    if (header.kind === "points") { this.swap(header, arrays, null); return; }
    createImageBitmap(new Blob([arrays.sheet], { type: "image/png" })).then((sheet) => {
      if (this.wanted === header.key) this.swap(header, arrays, sheet);
      else sheet.close(); // another walk was asked for meanwhile
    }).catch(() => { this.wanted = null; });
  }

  // All that belongs to one walk changes at once.
  swap(header, arrays, sheet) {
    this.sheet?.close();
    Object.assign(this, { header, arrays, sheet, current: Math.min(this.current, header.frames - 1) });
    this.find("input").max = header.frames - 1;
    this.find(".caption").textContent = header.caption;
    this.root.dataset.frames = header.frames;
    this.find("canvas.points").hidden = header.kind !== "points";
    this.find("canvas.large").hidden = header.kind === "points";
    this.draw();
  }

  toggle() {
    if (this.timer) {
      cancelAnimationFrame(this.timer);
      this.timer = null;
    } else if (this.header) {
      let last = performance.now(), due = 0;
      const tick = (now) => {
        due += ((now - last) / 1000) * Number(this.find("select").value);
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
    const share = e.offsetX / this.find("canvas.strip").clientWidth;
    this.current = Math.max(0, Math.min(this.header.frames - 1, Math.round(share * (this.header.frames - 1))));
    this.draw();
  }

  draw() {
    if (!this.header) return;
    this.find("input").value = this.current;
    this.find(".frame").textContent = `Frame ${whole(this.current + 1)} of ${whole(this.header.frames)}`;
    this.root.dataset.frame = this.current;
    if (this.header.kind === "points") this.drawPoints(); else this.drawImages();
  }

  drawPoints() {
    this.stage.update({ ...this.header, ...this.arrays, path: { points: this.arrays.path, current: this.current } }, this.header.palette);
    const [x, y] = [this.arrays.path[2 * this.current], this.arrays.path[2 * this.current + 1]];
    this.find("canvas.points").setAttribute("aria-label", `The sample at ${number(x)}, ${number(y)}`);
    this.find("canvas.strip").hidden = true;
  }

  tile(k) {
    const { size, columns } = this.header, cell = size + 1;
    return [1 + (k % columns) * cell, 1 + Math.floor(k / columns) * cell, size, size];
  }

  drawImages() {
    if (!this.sheet) return;
    const { size, frames } = this.header, large = this.find("canvas.large");
    large.width = large.height = size;
    large.getContext("2d").drawImage(this.sheet, ...this.tile(this.current), 0, 0, size, size);
    large.setAttribute("aria-label", `Generated image, frame ${this.current + 1} of ${frames}`);
    const strip = this.find("canvas.strip"), n = Math.min(SHOWN, frames), t = theme(strip, this.header.palette);
    strip.hidden = false;
    strip.width = n * (size + 2);
    strip.height = size + 2;
    const c = strip.getContext("2d");
    for (let i = 0; i < n; i++) {
      const k = Math.round((i * (frames - 1)) / Math.max(1, n - 1));
      c.drawImage(this.sheet, ...this.tile(k), i * (size + 2) + 1, 1, size, size);
    }
    const at = Math.round((this.current / Math.max(1, frames - 1)) * (n - 1));
    c.strokeStyle = t.accent;
    c.strokeRect(at * (size + 2) + 0.5, 0.5, size + 1, size + 1);
  }
}
