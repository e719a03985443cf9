// Directions of a latent space: a slider for each, the strip of what it does, and the sample that all of them make together. While a
// slider is dragged the feed is asked; the page hears of it after the release.

import { Address } from "./address.js";
import { fit, forgetThemes, number, theme, tileOf } from "./draw.js";
import { views } from "./feed.js";
import { Stage } from "./stage.js";
import { Talk } from "./talk.js";
import { unpack } from "./wire.js";

const STEP = 0.1; // of a slider, in standard deviations
const HTML = `
<div class="directions">
  <div class="now">
    <div class="square"><canvas class="large" role="img" hidden></canvas><canvas class="points" role="img" tabindex="0" hidden></canvas></div>
    <div class="beside">
      <figure><canvas class="before" role="img"></canvas><figcaption>Before</figcaption></figure>
      <button type="button" class="reset" title="All sliders to 0">Reset</button>
      <form class="keep"><label>Keep this combination as<input type="text" required autocomplete="off" placeholder="a name" title="The sum of all moves becomes a direction of its own, kept with the run."></label><button type="submit">Keep</button></form>
    </div>
  </div>
  <div class="rows" role="group" aria-label="Directions"></div>
  <div class="trouble" role="status"></div>
  <div class="caption"></div>
</div>`;

const textOf = (moves) => moves.join(",").replace(/(^|,)0(,0)*$/, "");
const signed = (v) => (v > 0 ? `+${number(v)}` : v < 0 ? `−${number(-v)}` : "0");

// The stage with a way for each direction, numbered at its end at +3.
class Ways extends Stage {
  drawPath(c, at, t) {
    const { ways, count, active, moved, base } = this.frame.path, n = ways.length / count;
    const p = (i) => [at.px(ways[2 * i]), at.py(ways[2 * i + 1])], fine = n / 2;
    c.font = `600 12px ${t.font}`;
    c.textAlign = "center"; c.textBaseline = "middle"; c.lineJoin = "round";
    const ends = [...Array(count).keys()].map((k) => p((k + 1) * fine - 1)), clear = [ends[active]];
    for (const k of [...ends.keys()].filter((k) => k !== active).concat(active)) { // the active one above the others
      c.strokeStyle = k === active ? t.accent : t.text;
      c.lineWidth = k === active ? 3 : 1.5;
      c.globalAlpha = k === active ? 1 : 0.55;
      c.beginPath();
      for (let i = 0; i < fine; i++) c.lineTo(...p(k * fine + i));
      c.stroke();
      c.globalAlpha = 1;
      const [x, y] = ends[k];
      if (k !== active && clear.some((other) => Math.hypot(x - other[0], y - other[1]) < 16)) continue; // numbers shall not cover each other
      clear.push(ends[k]);
      c.fillStyle = t.background;
      c.beginPath(); c.arc(x, y, 8, 0, 6.3); c.fill();
      c.lineWidth = 1; c.stroke();
      c.fillStyle = k === active ? t.accent : t.text;
      c.fillText(String(k + 1), x, y + 0.5);
    }
    c.strokeStyle = t.text; c.lineWidth = 2;
    c.beginPath(); c.arc(at.px(base[0]), at.py(base[1]), 7, 0, 6.3); c.stroke();
    c.fillStyle = t.accent; c.strokeStyle = t.background;
    c.beginPath(); c.arc(at.px(moved[0]), at.py(moved[1]), 6, 0, 6.3); c.fill(); c.stroke();
  }
}

class DirectionsView {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    Object.assign(this, { rows: [], moves: [], made: 0, active: 0, dragging: false, meaning: null });
    this.stage = new Ways(this.find("canvas.points"));
    this.address = new Address("around");
    this.address.follow("around", this.stage);
    this.talk = new Talk((bytes) => this.answered(bytes), (words) => { this.find(".trouble").textContent = words; });
    this.find(".reset").onclick = () => this.set(this.moves.map(() => 0));
    this.find(".keep").onsubmit = (e) => {
      e.preventDefault();
      this.trigger("keep", { name: this.find(".keep input").value, moves: textOf(this.moves) });
      this.find(".keep input").value = "";
    };
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.root);
  }

  dispose() {
    this.address.dispose();
    this.talk.drop();
    this.stage.dispose();
    this.observer.disconnect();
    this.sheet?.close();
  }

  // A message of the page: other directions or another base, or an echo of what it was told.
  take(bytes) {
    const { header, arrays } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    forgetThemes(this.root, this.stage.canvas, ...this.rows.map((row) => row.strip));
    const query = new URLSearchParams(header.query);
    query.delete("moves");
    const meaning = `${header.run}?${query} ${header.rows.map((row) => row.name)}`;
    const behind = this.talk.isBehind(textOf(header.moves));
    if (meaning === this.meaning && (behind || this.dragging)) { this.draw(); return; }
    this.talk.drop();
    if (meaning !== this.meaning) this.build(header);
    Object.assign(this, { meaning, query, moves: header.moves, dragging: false });
    this.show(header, arrays);
  }

  answered(bytes) {
    const { header, arrays } = unpack(bytes);
    return this.show(header, arrays);
  }

  // All that belongs to one message changes at once.
  async show(header, arrays) {
    this.made = Math.max(this.made, header.made);
    const sheet = arrays.sheet ? await createImageBitmap(new Blob([arrays.sheet], { type: "image/png" })) : null;
    if (header.made < this.made) { sheet?.close(); return; } // another came while this one was decoded
    this.sheet?.close();
    Object.assign(this, { header, arrays, sheet });
    Object.assign(this.root.dataset, { shown: textOf(header.moves), kind: header.kind, rows: header.rows.length });
    this.draw();
  }

  build(header) {
    this.active = 0;
    this.find(".caption").textContent = header.caption;
    this.find(".keep input").maxLength = header.longest;
    this.rows = header.rows.map(({ name, share }, k) => this.row(header, name, share, k));
    this.find(".rows").replaceChildren(...this.rows.map((row) => row.box));
  }

  row(header, name, share, k) {
    const box = document.createElement("div");
    box.className = "row";
    box.innerHTML = `<div class="name"><i></i><b></b><span></span><output></output></div>
      <div class="effect"><canvas class="strip" role="img"></canvas><input type="range" min="${-header.far}" max="${header.far}" step="${STEP}"></div>`;
    const [strip, slider] = [box.querySelector("canvas"), box.querySelector("input")];
    box.querySelector("i").textContent = header.kind === "points" ? k + 1 : "";
    box.querySelector("b").textContent = name;
    box.querySelector("b").title = name;
    box.querySelector("span").textContent = share === null ? "" : `${Number((100 * share).toPrecision(2))} %`;
    slider.title = "Double click: back to 0";
    slider.setAttribute("aria-label", `${name}, in standard deviations`);
    strip.hidden = header.kind === "points";
    strip.style.aspectRatio = String(header.strip);
    strip.onclick = (e) => this.jump(k, e);
    slider.onfocus = slider.onpointerenter = () => this.activate(k);
    slider.onpointerdown = () => { this.dragging = true; };
    slider.oninput = () => this.set(this.moves.map((v, i) => (i === k ? Number(slider.value) : v)), this.dragging);
    slider.onchange = () => { this.dragging = false; this.tell(); };
    slider.onpointerup = slider.onpointercancel = () => { this.dragging = false; };
    slider.ondblclick = () => this.set(this.moves.map((v, i) => (i === k ? 0 : v)));
    if (header.removable) {
      const remove = Object.assign(document.createElement("button"), { type: "button", className: "remove", textContent: "×", title: "Remove this direction from the run" });
      remove.setAttribute("aria-label", `Remove ${name}`);
      remove.onclick = () => this.trigger("drop", name);
      box.querySelector(".name").append(remove);
    }
    return { box, name, strip, slider, output: box.querySelector("output") };
  }

  jump(k, e) {
    if (!this.header) return;
    const { far, strip: n } = this.header;
    const j = Math.max(0, Math.min(n - 1, Math.floor((e.offsetX / e.currentTarget.clientWidth) * n)));
    this.set(this.moves.map((v, i) => (i === k ? -far + (2 * far * j) / (n - 1) : v)));
  }

  activate(k) {
    if (this.active === k) return;
    this.active = k;
    this.draw();
  }

  // The sliders stand so: ask for the samples, and tell the page unless the hand is still on a slider.
  set(moves, held = false) {
    if (!this.header) return;
    this.moves = moves.map((v) => Number(v.toFixed(2)));
    const text = textOf(this.moves), query = new URLSearchParams(this.query);
    if (text) query.set("moves", text);
    this.talk.ask(this.header.run, query);
    if (!held) this.tell();
    this.draw();
  }

  tell() {
    const text = textOf(this.moves);
    this.talk.tell(text, () => this.trigger("moves", text));
  }

  draw() {
    if (!this.header) return;
    const points = this.header.kind === "points", t = theme(this.root, this.header.palette);
    this.root.classList.toggle("of-points", points);
    this.find("canvas.large").hidden = this.find("figure").hidden = points;
    this.stage.canvas.hidden = !points;
    this.find(".reset").disabled = this.find(".keep button").disabled = !this.moves.some((v) => v);
    const words = this.rows.map((row, k) => (this.moves[k] ? `${row.name} ${signed(this.moves[k])}` : "")).filter(Boolean).join(", ") || "not moved";
    this.rows.forEach((row, k) => {
      row.slider.value = this.moves[k];
      row.slider.setAttribute("aria-valuetext", `${signed(this.moves[k])} standard deviations`);
      row.output.textContent = signed(this.moves[k]);
      row.box.classList.toggle("active", points && k === this.active);
      if (!points) this.drawStrip(row, k, t);
    });
    if (points) {
      const { ways, moved, base } = this.arrays;
      this.stage.update({ ...this.header, ...this.arrays, path: { ways, moved, base, count: this.rows.length, active: this.active } }, this.header.palette);
      this.stage.canvas.setAttribute("aria-label", `The sample at ${number(moved[0])}, ${number(moved[1])}: ${words}`);
    } else {
      this.copy(this.find("canvas.large"), 0, `Generated image: ${words}`);
      this.copy(this.find("canvas.before"), 1, "The base sample");
    }
  }

  copy(canvas, k, label) {
    const { size } = this.header;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    canvas.getContext("2d").drawImage(this.sheet, ...tileOf(this.header, k), 0, 0, size, size);
    canvas.setAttribute("aria-label", label);
  }

  // The samples of a direction, and a frame at the place of its slider.
  drawStrip({ strip, name }, k, t) {
    const { strip: n, size, far } = this.header;
    if (!strip.clientWidth) return;
    const { context: c, width, height } = fit(strip), w = width / n;
    c.imageSmoothingEnabled = size > w;
    for (let j = 0; j < n; j++) c.drawImage(this.sheet, ...tileOf(this.header, 2 + k * n + j), j * w + 1, 1, w - 2, height - 2);
    c.strokeStyle = t.accent; c.lineWidth = 2;
    c.strokeRect(((this.moves[k] + far) / (2 * far)) * (width - w) + 1, 1, w - 2, height - 2);
    strip.setAttribute("aria-label", `${name} from −${far} to ${far}`);
  }
}

export const { render, dispose } = views((place) => new DirectionsView(place));
