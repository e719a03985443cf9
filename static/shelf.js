// Pictures of several runs side by side, and one handle that moves all of them back and forth by step.

import { theme, whole } from "./draw.js";
import { Film } from "./film.js";
import { Replay } from "./replay.js";
import { Sheet } from "./sheet.js";
import { Stage } from "./stage.js";
import { unpack } from "./wire.js";

const PICTURE = `<figcaption><i></i><b></b></figcaption><div class="square"><canvas class="points" role="img" hidden></canvas><canvas class="images" role="img" hidden></canvas><div class="empty"></div><div class="tip" hidden></div></div><span class="at"></span>`;
const WAY = `<button type="button" class="replay" aria-label="Replay" title="Plays all runs from their beginning. The arrow keys go on and back by one picture.">▶</button>
  <input type="range" min="0" max="1" value="1" step="1" aria-label="Step of all pictures"><span class="when">Now</span>
  <button type="button" class="now" title="Back to how the runs stand now">Back to now</button>`;

const decoded = (png) => createImageBitmap(new Blob([png], { type: "image/png" }));
const closest = (steps, step) => steps.reduce((best, s, k) => (Math.abs(s - step) < Math.abs(steps[best] - step) ? k : best), 0);

// The picture of one run.
class Picture {
  constructor() {
    this.box = document.createElement("figure");
    this.box.innerHTML = PICTURE;
    this.find = (selector) => this.box.querySelector(selector);
    this.stage = new Stage(this.find(".points"));
    this.sheet = new Sheet(this.find(".images"), this.find(".tip"));
  }

  dispose() {
    this.stage.dispose();
    this.sheet.dispose();
    this.film?.dispose();
    this.own?.close();
  }

  // A run, in the place of another one or of itself; `frame`: its latest picture, if that is a new one; `made`: when that was known.
  update(run, dash, frame, palette, made) {
    const another = run.id !== this.run?.id, anew = this.film?.length && made > this.film.made && run.step < this.film.steps.at(-1); // taken up from an earlier step
    if (another || anew) {
      this.film?.dispose();
      this.sheet.sheets = {}; // they may be the film's
      Object.assign(this, { film: run.film ? new Film(run.id) : null, key: null });
    }
    if (another) Object.assign(this, { frame: null, arrived: 0 });
    Object.assign(this, { run, palette });
    if (frame) Object.assign(this, { frame: unpack(frame), arrived: this.arrived + 1 });
    const mark = this.find("i"), name = this.find("b");
    mark.style.borderTop = `3px ${dash.length ? "dashed" : "solid"} ${theme(this.box, palette)[`run${run.line}`]}`;
    if (name.textContent !== run.name) name.textContent = name.title = run.name;
  }

  // As it stands now.
  present() {
    const text = this.frame ? "" : this.run.waiting;
    this.find(".empty").textContent = text;
    this.find(".empty").hidden = !text;
    if (this.frame) this.show({ ...this.frame.header, ...this.frame.arrays }, "", () => decoded(this.frame.arrays.png), false);
    else this.say("");
  }

  // As it was in the kept picture that is nearest to a step.
  past(step) {
    if (this.film && !this.film.length) return; // it is on its way
    if (!this.film) {
      this.present();
      if (this.frame) this.say("Of several members only the latest picture is kept");
      return;
    }
    const { film } = this, k = closest(film.steps, step), { header, arrays } = film.frames[k];
    this.find(".empty").hidden = true;
    this.show({ real: this.frame?.arrays.real, ...header, ...arrays }, k === film.length - 1 && step > film.steps[k] ? ", its last" : "", () => film.image(k), true);
  }

  say(text) { const e = this.find(".at"); if (e.textContent !== text) e.textContent = text; }

  async show(frame, more, decode, ofFilm) {
    const points = frame.kind === "points", key = `${this.run.id} ${frame.step} ${ofFilm || this.arrived}`;
    this.box.dataset.step = frame.step;
    this.say(`Step ${whole(frame.step)}${more}`);
    const fresh = this.key !== key;
    this.key = key;
    const words = `${this.run.name}, generated ${points ? "points" : "images"} at step ${frame.step}`;
    if (points) {
      this.find(".points").hidden = false;
      this.find(".images").hidden = true;
      this.find(".points").setAttribute("aria-label", words);
      this.stage.update(frame, this.palette);
      return;
    }
    if (!fresh) { this.sheet.draw(); return; }
    const bitmap = await decode();
    if (this.key !== key) { if (!ofFilm) bitmap.close(); return; } // a newer one came meanwhile
    this.find(".points").hidden = true;
    this.find(".images").hidden = false;
    this.find(".images").setAttribute("aria-label", words);
    this.sheet.update({ fake: { bitmap, columns: frame.columns } }, frame.size, this.palette);
    this.own?.close(); // the film keeps its own
    this.own = ofFilm ? null : bitmap;
  }

  get canvas() { return [...this.box.querySelectorAll("canvas")].find((canvas) => !canvas.hidden); }

  // What is on the screen in a figure, a square of so many units.
  paint(f, x, y, side) {
    const pen = f.pen(x, y);
    if (this.canvas?.className === "images") pen.drawImage(this.canvas, 0, 0, side, side);
    else if (this.canvas && this.stage.frame) {
      pen.save();
      pen.beginPath(); pen.rect(0, 0, side, side); pen.clip();
      this.stage.paint({ context: pen, width: side, height: side });
      pen.restore();
    }
    pen.strokeStyle = f.theme.border;
    pen.strokeRect(0, 0, side, side);
  }
}

export class Shelf {
  // `moved(step)` is told which step is shown, null for now.
  constructor(way, grid, moved) {
    way.innerHTML = WAY;
    Object.assign(this, { way, grid, moved, pictures: [], step: null, steps: [] });
    this.find = (selector) => way.querySelector(selector);
    this.replay = new Replay(this.find(".replay"));
    this.input = this.find("input");
    this.input.oninput = () => { this.replay.pause(); this.drag(); };
    this.find(".replay").onclick = () => (this.replay.playing ? this.replay.pause() : this.play());
    this.find(".now").onclick = () => this.leave();
    way.onkeydown = (e) => this.key(e);
    grid.onkeydown = (e) => this.key(e);
  }

  dispose() {
    this.replay.pause();
    for (const picture of this.pictures) picture.dispose();
  }

  update(runs, dashes, arrays, palette, made) {
    while (this.pictures.length > runs.length) { const gone = this.pictures.pop(); gone.dispose(); gone.box.remove(); }
    while (this.pictures.length < runs.length) { this.pictures.push(new Picture()); this.grid.append(this.pictures.at(-1).box); }
    const ids = runs.map((run) => run.id).join();
    if (this.ids && this.ids !== ids) this.leave();
    this.ids = ids;
    this.way.style.visibility = runs.some((run) => run.film && run.step > 0) ? "visible" : "hidden";
    runs.forEach((run, k) => this.pictures[k].update(run, dashes[run.line], arrays[`frame${k}`], palette, made));
    this.draw();
    if (this.step != null && this.pictures.some((picture) => picture.film && !picture.film.length)) this.load().then(() => this.draw());
  }

  draw() {
    for (const picture of this.pictures) if (this.step == null) picture.present(); else picture.past(this.step);
  }

  // Fetches the films, or what is new in them, and the steps at which any run has a picture.
  async load() {
    const films = this.pictures.map((picture) => picture.film).filter(Boolean);
    const answers = await Promise.allSettled(films.map((film) => film.refresh()));
    const wrong = answers.find((answer) => answer.status === "rejected");
    if (wrong) this.find(".when").textContent = "A film cannot be read";
    this.steps = [...new Set(films.flatMap((film) => film.steps))].sort((a, b) => a - b);
    this.input.max = Math.max(1, this.steps.length - 1);
    return this.steps.length > 0;
  }

  // To where the handle stands. What is loaded is shown at once, and what is new asked for beside it.
  async drag() {
    const share = this.input.value / this.input.max;
    if (this.steps.length) { this.at(Number(this.input.value)); this.load(); }
    else if (await this.load()) this.at(Math.round(share * (this.steps.length - 1)));
  }

  get place() { return this.step == null ? this.steps.length - 1 : closest(this.steps, this.step); }

  at(place) {
    this.step = this.steps[Math.max(0, Math.min(this.steps.length - 1, place))];
    this.input.value = this.place;
    this.draw();
    this.label();
  }

  label() {
    this.find(".when").textContent = this.step == null ? "Now" : `Step ${whole(this.step)}`;
    this.input.setAttribute("aria-valuetext", this.find(".when").textContent);
    this.find(".now").style.visibility = this.step == null ? "hidden" : "visible";
    this.way.dataset.step = this.step ?? "";
    this.moved(this.step);
  }

  async key(e) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (!by || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    e.stopPropagation();
    this.replay.pause();
    if (this.steps.length || (await this.load())) this.at(this.place + by);
  }

  play() {
    const from = (last) => (this.step == null || this.place >= last ? 0 : this.place);
    const at = (place) => { if (this.step == null || Math.floor(place) !== this.place) this.at(Math.floor(place)); };
    this.replay.play(() => this.load(), from, () => this.steps.length, at);
  }

  leave() {
    this.replay.pause();
    this.step = null;
    this.steps = [];
    this.input.value = this.input.max;
    this.draw();
    this.label();
  }
}
