// A black square to draw on in white, as coarse as the generator's images: what is seen here is what is looked for.

import { views } from "./feed.js";
import { unpack } from "./wire.js";

const FINE = 256; // pixels along a side on which strokes are drawn before they are made coarse
const KEPT = 30; // strokes that can be taken back
const HTML = `
<div class="paper">
  <div class="square"><canvas tabindex="0" role="img"></canvas></div>
  <div class="tools" role="toolbar" aria-label="Drawing"><button type="button" class="undo">Undo</button><button type="button" class="clear">Clear</button>
    <label>Pen <input type="range" min="0.02" max="0.2" step="0.01" value="0.09" aria-label="Width of the pen"></label></div>
</div>`;

class Paper {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    this.canvas = this.find("canvas");
    this.fine = new OffscreenCanvas(FINE, FINE);
    this.context = this.fine.getContext("2d", { willReadFrequently: true });
    this.history = [];
    this.at = null; // where the pen is, from 0 to 1
    this.down = false;
    this.canvas.onpointerdown = (e) => this.begin(e);
    this.canvas.onpointermove = (e) => { if (this.down && e.isPrimary) this.stroke(this.placeOf(e)); };
    this.canvas.onpointerup = this.canvas.onpointercancel = () => this.end();
    this.canvas.onkeydown = (e) => this.key(e);
    this.canvas.onblur = () => { this.at = null; this.show(); };
    this.find(".undo").onclick = () => this.undo();
    this.find(".clear").onclick = () => { this.remember(); this.wipe(); this.send(); };
    this.wipe();
  }

  dispose() {}

  // The server knows the drawing from here, and gives it back to a board that is new.
  take(bytes) {
    const { header, arrays } = unpack(bytes);
    if (this.size) return;
    this.size = this.canvas.width = this.canvas.height = header.size;
    const image = new ImageData(this.size, this.size);
    arrays.pixels.forEach((v, k) => image.data.set([v, v, v, 255], 4 * k));
    const coarse = new OffscreenCanvas(this.size, this.size);
    coarse.getContext("2d").putImageData(image, 0, 0);
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(coarse, 0, 0, FINE, FINE);
    this.context.imageSmoothingEnabled = true;
    this.show();
  }

  wipe() {
    this.context.fillStyle = "black";
    this.context.fillRect(0, 0, FINE, FINE);
  }

  remember() {
    this.history.push(this.context.getImageData(0, 0, FINE, FINE));
    if (this.history.length > KEPT) this.history.shift();
  }

  undo() {
    if (!this.history.length) return;
    this.context.putImageData(this.history.pop(), 0, 0);
    this.send();
  }

  placeOf(e) {
    const box = this.canvas.getBoundingClientRect();
    return [(e.clientX - box.left) / box.width, (e.clientY - box.top) / box.height];
  }

  begin(e) {
    if (!e.isPrimary || e.button !== 0) return;
    this.canvas.setPointerCapture(e.pointerId);
    this.remember();
    this.down = true;
    this.at = this.placeOf(e);
    this.stroke(this.at);
  }

  stroke(to) {
    const c = this.context;
    Object.assign(c, { strokeStyle: "white", lineCap: "round", lineJoin: "round", lineWidth: FINE * Number(this.find("input").value) });
    c.beginPath();
    c.moveTo(...this.at.map((v) => v * FINE));
    c.lineTo(...to.map((v) => v * FINE));
    c.stroke();
    this.at = to;
    this.show();
  }

  end() {
    if (!this.down) return;
    this.down = false;
    this.at = null;
    this.send();
  }

  // Arrow keys move the pen, with the shift key they draw; the space bar makes a dot.
  key(e) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    this.at ||= [0.5, 0.5];
    if (way) {
      const to = this.at.map((v, k) => Math.max(0, Math.min(1, v + way[k] / 28)));
      if (e.shiftKey) { this.remember(); this.stroke(to); this.send(); } else this.at = to;
    } else if (e.key === " ") { this.remember(); this.stroke(this.at); this.send(); }
    else if (e.key.toLowerCase() === "z" && (e.ctrlKey || e.metaKey)) this.undo();
    else return;
    e.preventDefault();
    e.stopPropagation();
    this.show(true);
  }

  // The drawing, each of its pixels the mean of what lies there; grey bytes, row by row.
  pixels() {
    const n = this.size, fine = this.context.getImageData(0, 0, FINE, FINE).data, sums = new Float64Array(n * n), counts = new Uint32Array(n * n);
    for (let k = 0; k < FINE * FINE; k++) {
      const place = Math.floor((Math.floor(k / FINE) * n) / FINE) * n + Math.floor(((k % FINE) * n) / FINE);
      sums[place] += fine[4 * k];
      counts[place]++;
    }
    return Uint8Array.from(sums, (sum, k) => Math.round(sum / Math.max(1, counts[k])));
  }

  show(pen = false) {
    if (!this.size) return;
    const values = this.pixels(), image = new ImageData(this.size, this.size), c = this.canvas.getContext("2d");
    values.forEach((v, k) => image.data.set([v, v, v, 255], 4 * k));
    c.putImageData(image, 0, 0);
    const drawn = values.reduce((n, v) => n + (v > 0), 0);
    if (pen && this.at) {
      c.fillStyle = getComputedStyle(this.root).getPropertyValue("--st-primary-color");
      c.fillRect(Math.min(this.size - 1, Math.floor(this.at[0] * this.size)), Math.min(this.size - 1, Math.floor(this.at[1] * this.size)), 1, 1);
    }
    this.find(".undo").disabled = !this.history.length;
    this.find(".clear").disabled = !drawn;
    this.root.dataset.drawn = drawn;
    this.canvas.setAttribute("aria-label", `Your drawing. Arrow keys move the pen, with Shift they draw; the space bar makes a dot. ${drawn} pixels are drawn.`);
    return values;
  }

  send() {
    const values = this.show();
    this.trigger("drawn", btoa(String.fromCharCode(...values)));
  }
}

export const { render, dispose } = views((place) => new Paper(place));
