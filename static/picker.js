// A page of samples to pick one from: a sheet of images, or points where they land. Arrow keys go from one to the next.

import { forgetThemes, tileOf } from "./draw.js";
import { views } from "./feed.js";
import { Stage } from "./stage.js";
import { unpack } from "./wire.js";

const HTML = `<div class="picker"><canvas class="stage" hidden></canvas><div class="samples" role="group" aria-label="Samples"></div></div>`;

class Picker {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.samples = this.root.querySelector(".samples");
    this.canvas = this.root.querySelector("canvas.stage");
    this.stage = new Stage(this.canvas);
    this.stage.onview = () => this.place();
    this.made = 0;
    this.samples.onclick = (e) => {
      const button = e.target.closest("button");
      if (button) this.trigger("picked", Number(button.dataset.seed));
    };
    this.samples.onkeydown = (e) => this.key(e);
  }

  dispose() { this.stage.dispose(); }

  async take(bytes) {
    const { header, arrays } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    forgetThemes(this.canvas);
    try {
      const sheet = arrays.sheet && (await createImageBitmap(new Blob([arrays.sheet], { type: "image/png" })));
      if (this.made === header.made) this.show(header, arrays, sheet);
      sheet?.close();
    } catch { /* the next message brings another sheet */ }
  }

  show(header, arrays, sheet) {
    Object.assign(this, { header, arrays });
    const points = header.kind === "points";
    this.canvas.hidden = !points;
    this.root.classList.toggle("points", points);
    this.samples.style.setProperty("--columns", header.columns);
    while (this.samples.children.length < header.count) this.samples.append(this.button());
    [...this.samples.children].forEach((button, k) => {
      const name = `Seed ${header.first + k}`;
      Object.assign(button, { title: name, tabIndex: k ? -1 : 0 });
      button.dataset.seed = header.first + k;
      button.setAttribute("aria-label", name);
      if (sheet) this.draw(button.firstElementChild, sheet, k);
    });
    if (points) this.stage.update({ ...header, real: arrays.real, fake: new Float32Array() }, header.palette);
    this.root.dataset.first = header.first;
  }

  button() {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.append(document.createElement("canvas"));
    return button;
  }

  draw(canvas, sheet, k) {
    const { size } = this.header;
    canvas.width = canvas.height = size;
    canvas.getContext("2d").drawImage(sheet, ...tileOf(this.header, k), 0, 0, size, size);
  }

  // Of points, each button stands where its sample lands.
  place() {
    if (this.header?.kind !== "points") return;
    const { px, py } = this.stage.place(this.canvas.clientWidth, this.canvas.clientHeight), { points } = this.arrays;
    [...this.samples.children].forEach((button, k) => {
      button.style.left = `${px(points[2 * k])}px`;
      button.style.top = `${py(points[2 * k + 1])}px`;
    });
  }

  key(e) {
    const across = this.header.kind === "points" ? 1 : this.header.columns;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[e.key];
    const buttons = [...this.samples.children], at = buttons.indexOf(e.target);
    if (!by || at < 0) return;
    e.preventDefault();
    const next = buttons[Math.max(0, Math.min(buttons.length - 1, at + by))];
    for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
    next.focus();
  }
}

export const { render, dispose } = views((place) => new Picker(place));
