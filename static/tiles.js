// Small pictures of a few GANs in a row, each with its title and what became of it.

import { fit, forgetThemes, theme } from "./draw.js";
import { views } from "./feed.js";
import { drawImages, drawPoints } from "./tile.js";
import { unpack } from "./wire.js";

class Tiles {
  constructor(place) {
    this.root = place.querySelector(".host");
    this.made = 0;
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.root);
  }

  dispose() { this.observer.disconnect(); }

  take(bytes) {
    const { header, arrays } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    forgetThemes(this.root);
    Object.assign(this, { made: header.made, h: header, arrays });
    this.root.replaceChildren(Object.assign(document.createElement("div"), { className: "tiles" }));
    this.canvases = header.titles.map((title, k) => {
      const box = document.createElement("figure"), canvas = document.createElement("canvas"), words = document.createElement("figcaption");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${title}: ${header.captions[k]}`);
      words.append(Object.assign(document.createElement("b"), { textContent: title }), ` ${header.captions[k]}`);
      box.append(canvas, words);
      this.root.firstElementChild.append(box);
      return canvas;
    });
    this.draw();
  }

  draw() {
    if (!this.h) return;
    const t = theme(this.root, this.h.palette), n = this.canvases.length;
    this.canvases.forEach((canvas, m) => {
      const { context: c, width } = fit(canvas);
      c.fillStyle = t.panel;
      c.fillRect(0, 0, width, width);
      if (!this.arrays.tiles) return;
      const tiles = this.arrays.tiles.subarray((m * this.arrays.tiles.length) / n, ((m + 1) * this.arrays.tiles.length) / n);
      if (this.h.points) drawPoints(c, t, 0, 0, width, tiles, this.arrays.real); else drawImages(c, 0, 0, width, tiles, this.h.shape);
    });
  }
}

export const { render, dispose } = views((place) => new Tiles(place));
