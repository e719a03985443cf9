// Two runs side by side, each with its own live view, and both as one figure.

import { theme } from "./draw.js";
import { SAVE, saving } from "./export.js";
import { views } from "./feed.js";
import { Figure } from "./figure.js";
import { Monitor } from "./monitor.js";
import { unpack } from "./wire.js";

const SIDE = `<div class="side"><b></b><div class="host"></div></div>`;
const HTML = `<div class="twins"><div class="sides">${SIDE}${SIDE}</div><div class="under">${SAVE}</div></div>`;

class Twins {
  constructor(place) {
    const host = place.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.sides = [...this.root.querySelectorAll(".side")];
    this.monitors = this.sides.map((side) => new Monitor(side));
    for (const monitor of this.monitors) monitor.trigger = (name, value) => this.trigger(name, value);
    saving(this.root, () => this.header && [this.figure(), this.header.name]);
  }

  dispose() { for (const monitor of this.monitors) monitor.dispose(); }

  take(bytes) {
    const { header, arrays } = unpack(bytes);
    this.header = header;
    this.sides.forEach((side, k) => { side.firstElementChild.textContent = header.titles[k]; });
    this.monitors.forEach((monitor, k) => monitor.take(arrays[`side${k}`]));
  }

  figure() {
    const width = 1040, gap = 28, half = (width - 3 * gap) / 2;
    const f = new Figure(width, theme(this.root, this.monitors[0].palette));
    const y = f.words(this.header.differences, gap, gap, width - 2 * gap, 12) + 8;
    const ends = this.monitors.map((monitor, k) => monitor.paint(f, this.header.titles[k], gap + k * (half + gap), y, half));
    return f.close(Math.max(...ends) + gap);
  }
}

export const { render, dispose } = views((place) => new Twins(place));
