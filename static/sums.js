// Arithmetic with samples: a grid to choose from, the means of the three sets, and A − B + C. Clicks ask the feed; the page hears of
// them a little later.

import { forgetThemes, tileOf, whole } from "./draw.js";
import { views } from "./feed.js";
import { Talk } from "./talk.js";
import { unpack } from "./wire.js";

const SETS = { a: "A", b: "B", c: "C" }, SIGNS = { a: "", b: "-", c: "+" };
const HTML = `
<div class="sums">
  <div class="bar1"><div class="active" role="group" aria-label="A click adds to">
      <span>A click adds to</span>${Object.entries(SETS).map(([set, name]) => `<button type="button" data-set="${set}" aria-pressed="${set === "a"}">${name}</button>`).join("")}</div>
    <div class="pages"><button type="button" class="earlier" aria-label="Earlier samples">‹</button><span class="seeds"></span><button type="button" class="more">More samples</button></div>
    <button type="button" class="clear">Clear</button></div>
  <div class="grid" role="group" aria-label="Samples to choose from; arrow keys go from one to the next"></div>
  <div class="trouble" role="status"></div>
  <div class="means">${["a", "−", "b", "+", "c", "=", "result"].map((part) => (part.length === 1 && !SETS[part] ? `<span class="sign" aria-hidden="true">${part}</span>` : `
    <figure data-part="${part}"><figcaption></figcaption><div class="square"><canvas role="img" hidden></canvas><span>${SETS[part] ? "Click on samples" : "Choose samples"}</span></div>
      <div class="chips"></div></figure>`)).join("")}</div>
  <div class="caption"></div>
</div>`;

class Sums {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    Object.assign(this, { set: "a", made: 0, meaning: null, cells: [], at: 0 });
    this.talk = new Talk((bytes) => this.answered(bytes), (words) => { this.find(".trouble").textContent = words; });
    for (const button of this.root.querySelectorAll(".active button")) button.onclick = () => { this.set = button.dataset.set; this.draw(); };
    this.find(".more").onclick = () => this.turn(1);
    this.find(".earlier").onclick = () => this.turn(-1);
    this.find(".clear").onclick = () => this.choose({ a: [], b: [], c: [] });
    this.use = Object.assign(document.createElement("button"), { type: "button", className: "use", title: "As the end point A of the walk and the plane, and as the base of directions" });
    this.use.onclick = () => this.trigger("use", { sum: this.text(), first: this.first });
    this.find('[data-part="result"] .chips').append(this.use);
    this.find(".grid").onkeydown = (e) => this.key(e);
  }

  dispose() {
    this.talk.drop();
    this.sheet?.close();
  }

  text(chosen = this.chosen) { return Object.keys(SETS).map((set) => (chosen[set].length ? SIGNS[set] + chosen[set].join(",") : "")).join(""); }

  state() { return `${this.text()} ${this.first}`; }

  take(bytes) {
    const { header, arrays } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    forgetThemes(this.root);
    const query = new URLSearchParams(header.query);
    for (const name of ["sum", "first", "a"]) query.delete(name);
    const meaning = `${header.run}?${query}`;
    const behind = this.talk.isBehind(`${header.sum} ${header.first}`);
    if (meaning === this.meaning && behind) return;
    this.talk.drop();
    Object.assign(this, { meaning, query, chosen: header.chosen, first: header.first, taken: header.taken ? header.sum : null });
    this.show(header, arrays);
  }

  answered(bytes) {
    const { header, arrays } = unpack(bytes);
    return this.show(header, arrays);
  }

  async show(header, arrays) {
    this.made = Math.max(this.made, header.made);
    const sheet = await createImageBitmap(new Blob([arrays.sheet], { type: "image/png" }));
    if (header.made < this.made) { sheet.close(); return; } // another came while this one was decoded
    this.sheet?.close();
    Object.assign(this, { header, sheet });
    while (this.cells.length < header.shown) this.cells.push(this.cell(this.cells.length));
    this.find(".caption").textContent = header.caption;
    this.cells.forEach((cell, k) => this.copy(cell.canvas, k));
    Object.assign(this.root.dataset, { shown: header.sum, first: header.first });
    this.draw();
  }

  cell(k) {
    const button = Object.assign(document.createElement("button"), { type: "button", tabIndex: -1, innerHTML: "<canvas></canvas><b></b>" });
    button.onclick = () => { this.at = k; this.toggle(this.first + k); };
    this.find(".grid").append(button);
    return { button, canvas: button.firstElementChild, mark: button.lastElementChild };
  }

  of(seed) { return Object.keys(SETS).find((set) => this.chosen[set].includes(seed)); }

  // Into the set that is active, out of any other; a second click takes it out.
  toggle(seed) {
    const was = this.of(seed);
    const chosen = Object.fromEntries(Object.entries(this.chosen).map(([set, seeds]) => [set, seeds.filter((other) => other !== seed)]));
    if (was !== this.set) chosen[this.set].push(seed);
    this.choose(chosen);
  }

  choose(chosen) {
    if (!this.header) return;
    this.chosen = chosen;
    this.changed();
  }

  turn(way) {
    if (!this.header) return;
    this.first = Math.max(0, Math.min(this.header.last, this.first + way * this.header.shown));
    this.changed();
  }

  changed() {
    const query = new URLSearchParams(this.query), said = { sum: this.text(), first: this.first };
    if (said.sum) query.set("sum", said.sum);
    query.set("first", said.first);
    this.talk.ask(this.header.run, query);
    this.talk.tell(this.state(), () => this.trigger("chosen", said));
    this.draw();
  }

  key(e) {
    const columns = getComputedStyle(this.find(".grid")).gridTemplateColumns.split(" ").length;
    const way = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[e.key];
    if (!way || !this.cells[this.at + way]) return;
    e.preventDefault();
    this.at += way;
    this.draw();
    this.cells[this.at].button.focus();
  }

  copy(canvas, k) {
    const { size } = this.header;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    canvas.getContext("2d").drawImage(this.sheet, ...tileOf(this.header, k), 0, 0, size, size);
  }

  draw() {
    if (!this.header) return;
    for (const button of this.root.querySelectorAll(".active button")) button.setAttribute("aria-pressed", String(button.dataset.set === this.set));
    this.find(".seeds").textContent = `Seeds ${whole(this.first)} to ${whole(this.first + this.header.shown - 1)}`;
    this.find(".earlier").disabled = this.first === 0;
    this.find(".more").disabled = this.first >= this.header.last;
    this.cells.forEach(({ button, mark }, k) => {
      const set = this.of(this.header.first + k);
      mark.textContent = set ? SETS[set] : "";
      button.tabIndex = k === this.at ? 0 : -1;
      button.setAttribute("aria-pressed", String(Boolean(set)));
      button.setAttribute("aria-label", `Sample of seed ${this.header.first + k}${set ? `, in ${SETS[set]}` : ""}`);
    });
    const text = this.text();
    this.find(".clear").disabled = !text;
    [...Object.keys(SETS), "result"].forEach((part, k) => this.mean(part, this.header.shown + k));
    this.use.disabled = !text || this.taken === text;
    this.use.textContent = text && this.taken === text ? "Used as A" : "Use as A";
  }

  mean(part, k) {
    const box = this.find(`[data-part="${part}"]`), canvas = box.querySelector("canvas"), seeds = this.chosen[part];
    // what is drawn is what was asked for before, until the answer comes
    const there = part === "result" ? this.header.sum !== "" : this.header.chosen[part].length > 0;
    canvas.hidden = !there;
    box.querySelector(".square span").hidden = there;
    if (there) this.copy(canvas, k);
    const title = seeds ? `Mean ${SETS[part]}` : "A − B + C";
    canvas.setAttribute("aria-label", `Generated image: ${title}`);
    box.querySelector("figcaption").textContent = seeds && seeds.length ? `${title}, of ${seeds.length}` : title;
    if (!seeds) return;
    const wanted = seeds.join();
    if (box.dataset.seeds === wanted) return;
    box.dataset.seeds = wanted;
    box.querySelector(".chips").replaceChildren(...seeds.map((seed) => {
      const chip = Object.assign(document.createElement("button"), { type: "button", textContent: `${seed} ×`, title: `Take seed ${seed} out of ${SETS[part]}` });
      chip.setAttribute("aria-label", chip.title);
      chip.onclick = () => this.choose({ ...this.chosen, [part]: this.chosen[part].filter((other) => other !== seed) });
      return chip;
    }));
  }
}

export const { render, dispose } = views((place) => new Sums(place));
