// Samples, each in a row with the training images that are nearest to it, and whether it is a copy.

import { tileOf } from "./draw.js";
import { views } from "./feed.js";
import { unpack } from "./wire.js";

const HTML = `<div class="near"><div class="rows"></div><div class="caption"></div></div>`;

class Near {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.made = 0;
  }

  dispose() {}

  async take(bytes) {
    const { header, arrays } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    if (this.wanted === header.key) return;
    this.wanted = header.key;
    try {
      const sheet = await createImageBitmap(new Blob([arrays.sheet], { type: "image/png" }));
      if (this.wanted === header.key) this.show(header, sheet);
      sheet.close();
    } catch { this.wanted = null; }
  }

  show(header, sheet) {
    const rows = header.samples.map((sample, k) => this.row(header, sheet, sample, k));
    this.root.querySelector(".rows").replaceChildren(...rows);
    this.root.querySelector(".caption").textContent = header.caption;
    this.root.dataset.key = header.key;
  }

  row(header, sheet, sample, k) {
    const { columns } = header;
    const row = document.createElement("section");
    row.className = "row";
    const words = Object.assign(document.createElement("div"), { className: "words" });
    words.append(Object.assign(document.createElement("b"), { textContent: sample.name }), ` ${sample.words}`);
    words.classList.toggle("copy", sample.copy);
    const pictures = Object.assign(document.createElement("div"), { className: "pictures" });
    pictures.append(this.picture(header, sheet, k * columns, `Sample ${sample.name}`, "Sample", "generated"));
    sample.rows.forEach((image, j) => {
      const times = `${sample.distance[j]}×`;
      const box = this.picture(header, sheet, k * columns + 1 + j, `Image ${image} of the data, ${times} the usual distance`, times, "real");
      box.append(Object.assign(document.createElement("small"), { textContent: `No. ${image}` }));
      pictures.append(box);
    });
    row.append(words, pictures);
    return row;
  }

  picture(header, sheet, k, label, under, kind) {
    const box = Object.assign(document.createElement("figure"), { className: kind, title: label });
    const canvas = document.createElement("canvas"), { size } = header;
    canvas.width = canvas.height = size;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    canvas.getContext("2d").drawImage(sheet, ...tileOf(header, k), 0, 0, size, size);
    box.append(canvas, Object.assign(document.createElement("span"), { textContent: under }));
    return box;
  }
}

export const { render, dispose } = views((place) => new Near(place));
