// The live view of a run: progress, stage, readings. Built once; every message only changes what is in it.

import { Bars } from "./bars.js";
import { Curves } from "./curves.js";
import { duration, forgetThemes, number, theme, whole } from "./draw.js";
import { Feed, views } from "./feed.js";
import { Inside } from "./inside.js";
import { Keys } from "./keys.js";
import { PROGRESS, showProgress } from "./progress.js";
import { Scrubber } from "./scrubber.js";
import { Sheet } from "./sheet.js";
import { Stage } from "./stage.js";
import { LENGTH, System } from "./system.js";
import { unpack } from "./wire.js";

const HTML = `
<div class="monitor">
  <div class="progress">${PROGRESS}</div>
  <div class="picture">
    <div class="tools"></div>
    <div class="square"><canvas class="points" role="img" tabindex="0"></canvas><canvas class="images" role="img" hidden></canvas><canvas class="system" role="img" hidden></canvas><div class="tip sheet-tip" hidden></div><button type="button" class="whole" hidden title="Back to the whole picture. The wheel zooms, dragging moves.">Show all</button><div class="empty" hidden></div></div>
    <div class="caption"></div>
    <div class="film"></div>
    <p class="story" hidden></p>
  </div>
  <div class="readings"><div class="views" role="group" aria-label="What is shown below"><button type="button" data-view="curves" aria-pressed="true">Curves</button><button type="button" data-view="inside" aria-pressed="false" title="How the networks stand: logits, and each layer's stretch and gradient.">Inside</button></div><div class="big"></div><div class="small"></div><div class="verdict"></div><div class="bars chart"></div><div class="charts"></div><div class="inside" hidden></div></div>
</div>`;

// Share of points (x, y, x, y, …) outside a square.
function outside([x, y, half], points) {
  if (!points || !points.length) return 0;
  let count = 0;
  for (let i = 0; i < points.length; i += 2) if (!(Math.abs(points[i] - x) <= half && Math.abs(points[i + 1] - y) <= half)) count += 1;
  return count / (points.length / 2);
}

// Layers of a picture of points, and what a sheet of images shows: name -> [label, help].
const LAYERS = {
  real: ["Real", "Real data"],
  fake: ["Generated", "Generated samples, from the same noise at every step"],
  heat: ["Opinion", "What the discriminator takes for real, and for generated"],
  border: ["Border", "Where the discriminator is undecided"],
  arrows: ["Pull", "Where the generator's loss pulls some of the samples: minus its gradient"],
  grid: ["Noise", "What becomes of a slice through the noise. Each cell holds as much noise as any other, so where cells are small, samples are dense."],
};
const SHEETS = {
  fake: ["Generated", "Generated images, from the same noise at every step"],
  real: ["Real", "Images of the data"],
  scored: ["Scores", "The discriminator's opinion of each image, as a bar below it: the longer, the more real"],
  sorted: ["Sort", "The images that the discriminator takes for real first, the others last"],
};

const close = (sheets) => { for (const bitmap of Object.values(sheets || {})) bitmap.close(); };

const STAGE_MS = 1500; // of slow motion

const decoded = (png) => createImageBitmap(new Blob([png], { type: "image/png" }));

// A number as the server writes it: "percent", "whole" or "number".
function shown(value, as) {
  if (value == null || !isFinite(value)) return "–";
  return as === "percent" ? `${(100 * value).toFixed(1)}%` : as === "whole" ? String(Math.round(value)) : number(value);
}

export class Monitor {
  constructor(place) {
    const host = place.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    this.stage = new Stage(this.find("canvas.points"));
    this.charts = [];
    this.bars = new Bars(this.find(".bars"));
    this.inside = new Inside(this.find(".inside"));
    this.sheet = new Sheet(this.find("canvas.images"), this.find(".sheet-tip"));
    this.system = new System(this.find("canvas.system"));
    this.shownFrame = null; // of the sheet, or the one that is being decoded
    this.run = null;
    this.made = 0; // when the server made the latest message from the page
    this.feed = new Feed(this);
    this.scrubber = new Scrubber(this.find(".film"), (film, place) => this.past(film, place), (step) => this.trigger("fork", step));
    this.keys = new Keys((by) => this.scrubber.move(by));
    this.tools();
  }

  dispose() {
    this.keys.dispose();
    this.feed.dispose();
    this.scrubber.dispose();
    this.stage.dispose();
    for (const part of [this.bars, this.inside, this.sheet, this.system, ...this.charts]) part.dispose();
    cancelAnimationFrame(this.telling);
  }

  // A message from the page: it decides which run is shown, and in which state the page knows it.
  take(bytes) {
    forgetThemes(this.root, this.stage.canvas, this.bars.canvas, this.sheet.canvas, this.system.canvas, ...this.inside.canvases, ...this.charts.map((chart) => chart.canvas));
    const header = unpack(bytes).header;
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    if ((header.run || null) !== this.run) { // another run: a zoom into the last one means nothing here
      this.stage.view = null;
      for (const chart of this.charts) chart.range = null;
    }
    this.run = header.run || null;
    this.update(bytes);
    this.feed.follow(this.run && `live/${this.run}?layout=${header.layout}`, header);
  }

  // The run's status is no longer what the page knows.
  notify(status) {
    if (status === "gone") this.run = null;
    this.trigger("status", status);
  }

  trouble(text) {
    this.find(".status").textContent = text;
  }

  // Buttons above the picture: what is drawn of points, and of images.
  tools() {
    const box = this.find(".tools");
    const button = (kind, name, [label, title], pressed, does) => {
      const made = Object.assign(document.createElement("button"), { type: "button", title });
      made.dataset.kind = kind;
      made.dataset.layer = name;
      made.setAttribute("aria-pressed", String(pressed));
      made.append(document.createElement("i"), label);
      made.onclick = () => does(made);
      box.append(made);
      return made;
    };
    for (const [layer, words] of Object.entries(LAYERS)) {
      button("points", layer, words, this.stage.layers[layer], (made) => {
        this.stage.layers[layer] = !this.stage.layers[layer];
        made.setAttribute("aria-pressed", String(this.stage.layers[layer]));
        this.stage.draw();
      });
    }
    for (const [name, words] of Object.entries(SHEETS)) {
      button("images", name, words, name === "fake", () => {
        const { sheet } = this;
        if (name === "fake" || name === "real") sheet.of = name; else sheet[name] = !sheet[name];
        for (const other of box.querySelectorAll('[data-kind="images"]')) {
          const key = other.dataset.layer;
          other.setAttribute("aria-pressed", String(key === "fake" || key === "real" ? sheet.of === key : sheet[key]));
        }
        this.caption();
        sheet.draw();
      });
    }
    const whole = this.find(".whole");
    whole.onclick = () => { this.stage.view = null; this.stage.draw(); };
    this.stage.onview = () => { whole.hidden = !this.stage.view; };
    this.find(".whole-system").onclick = () => this.showSystem(this.system.canvas.hidden);
    this.find(".slow").onclick = () => this.trigger("slow", true);
    this.find(".onward").onclick = () => { this.keepGoing(!this.onward); if (this.onward && this.arrived) this.find(".slow").click(); };
    for (const choice of this.root.querySelectorAll(".views button")) choice.onclick = () => this.turn(choice.dataset.view);
  }

  // The picture of the whole system in place of the samples.
  showSystem(on) {
    this.system.canvas.hidden = !on;
    this.find(".whole-system").setAttribute("aria-pressed", String(on));
    this.find(".tools").style.visibility = on ? "hidden" : "visible";
    if (!on) this.untell();
    this.caption();
    if (on && this.systemFrame) this.systemOf(this.systemFrame); else this.system.draw();
  }

  // Whether a slow step follows the one before.
  keepGoing(on) {
    this.onward = on;
    this.find(".onward").setAttribute("aria-pressed", String(on));
  }

  untell() {
    cancelAnimationFrame(this.telling);
    this.keepGoing(false);
    this.find(".onward").hidden = true;
    this.system.show(null);
  }

  // Plays the stages of a step that was told; the last one stays, or the next step is asked for.
  tell() {
    cancelAnimationFrame(this.telling);
    this.showSystem(true);
    this.find(".onward").hidden = this.arrived = false;
    const begun = performance.now();
    const tick = (now) => {
      const at = (now - begun) / STAGE_MS, stage = Math.max(0, Math.min(LENGTH - 1, Math.floor(at)));
      this.system.show(stage, Math.min(1, at - stage));
      this.caption();
      if (at < LENGTH) { this.telling = requestAnimationFrame(tick); return; }
      this.arrived = true;
      if (this.onward) this.find(".slow").click(); // which is disabled where a run has come to its end
    };
    this.telling = requestAnimationFrame(tick);
  }

  // What the system's picture shows of a frame, and a told step if it is a new one.
  async systemOf(frame) {
    this.systemFrame = frame;
    const fresh = frame.trace && `${this.run} ${frame.trace.step}` !== this.told;
    if (this.system.canvas.hidden && !fresh) { this.toldRun = this.run; return; } // nobody looks
    const { header, arrays } = this.latest, last = (name) => (arrays[name]?.length ? arrays[name].at(-1) : null);
    const sheets = {};
    if (frame.kind === "images") {
      const pictures = { data: "real_png", now: "png", real: "trace_real", fake: "trace_fake", made: "trace_made", remade: "trace_remade" };
      await Promise.all(Object.entries(pictures).map(async ([name, key]) => { if (frame[key]) sheets[name] = await decoded(frame[key]); }));
    }
    if (this.latest.header !== header) { close(sheets); return; } // a newer one came meanwhile
    close(this.systemSheets);
    this.systemSheets = sheets;
    this.system.update(frame, sheets, { loss_d: last("d"), loss_g: last("g") }, this.palette);
    const told = frame.trace ? `${this.run} ${frame.trace.step}` : null;
    const news = told && told !== this.told && this.toldRun === this.run; // what was told before the page came is not told again
    Object.assign(this, { told, toldRun: this.run });
    if (news) this.tell();
    else if (!told && this.system.stage != null) this.untell();
  }

  // Curves or the inside of the networks below the numbers.
  turn(view) {
    this.shownView = view;
    for (const choice of this.root.querySelectorAll(".views button")) choice.setAttribute("aria-pressed", String(choice.dataset.view === view));
    this.find(".charts").hidden = view !== "curves";
    this.find(".inside").hidden = view !== "inside";
    this.bars.box.classList.toggle("away", view === "inside");
  }

  update(bytes) {
    const { header, arrays } = unpack(bytes);
    Object.assign(this, { header, palette: header.palette });
    this.root.classList.toggle("compact", header.layout === "compact");
    this.keys.enable(header.layout !== "compact");
    this.root.dataset.run = header.run || "";
    this.latest = { header, arrays };
    this.stage.places = header.bars?.places;
    this.scrubber.follow(this.run, header.layout === "wide" && header.film, header.step, header.made);
    // what measures its own box first, what changes the page after it: else each canvas would have the page laid out anew
    this.curves(header, arrays);
    if (!this.scrubber.active) this.present();
    this.progress(header);
    this.find(".slow").disabled = !["running", "queued", "paused"].includes(header.status) || !header.charts.some((c) => c.title === "Mean logit");
    if (!this.scrubber.active) this.verdict(header.verdict);
    this.story(header.layout === "wide" && header.story);
    this.hasPicture = Boolean(arrays.frame);
    return header;
  }

  // Picture, bars and numbers as they are now.
  present() {
    const { header, arrays } = this.latest;
    this.bars.update(header.bars && { ...header.bars, good: arrays.good, near: arrays.near, wait: header.uncounted }, this.palette);
    this.picture(header, arrays.frame);
    this.readings(header);
  }

  // The same as they were at a place of the film, and a line in the curves; without a film, the present.
  past(film, place) {
    const { header, arrays } = this.latest, step = film ? film.step(place) : null;
    for (const chart of this.charts) { chart.cursor = step; chart.draw(); }
    this.root.dataset.shown = step ?? "";
    if (!film) { this.present(); this.verdict(header.verdict); return; }
    const judged = film.verdict(step);
    this.verdict(header.verdict && { ...(judged || { name: "learning", tone: "", title: "Not measured yet", sentence: "" }), text: "", evidence: [], advice: [], since: null });
    const { measured } = film, row = film.row(step), modes = header.bars ? header.bars.names.length : 0;
    const counted = row >= 0 && measured.good && measured.good.length;
    const of = (all) => (counted ? all.subarray(row * modes, (row + 1) * modes) : []);
    this.bars.update(header.bars && { ...header.bars, good: of(measured.good), near: of(measured.near) }, this.palette);
    const then = (entry) => ({ ...entry, value: shown(row >= 0 && measured[entry.metric] ? measured[entry.metric][row] : null, entry.as) });
    this.readings({ big: then(header.big), small: header.small.map(then) });
    const frame = film.picture(place), data = arrays.frame ? unpack(arrays.frame).arrays : {};
    this.inside.update(frame, this.palette);
    if (frame.kind === "points") {
      this.stage.update({ real: data.real, ...frame }, this.palette);
      this.system.update({ real: data.real, ...frame }, {}, {}, this.palette);
    }
    else this.show({ ...frame, real_png: data.real_png }, `Generated images at step ${step}.`, () => film.image(place), true);
  }

  progress(h) {
    this.root.dataset.step = h.step;
    showProgress(this.root, {
      ...h,
      step: h.status === "none" ? `${whole(h.steps)} steps planned` : `Step ${whole(h.step)} of ${whole(h.steps)}`,
      rate: h.rate ? `${h.rate < 10 ? h.rate.toFixed(1) : whole(h.rate)} steps/s` : "",
      left: h.asked || (h.status === "running" && h.rate ? `${duration((h.steps - h.step) / h.rate)} left` : h.seconds ? `trained ${duration(h.seconds)}` : ""),
      share: h.step / h.steps,
    });
  }

  readings(h) {
    const big = this.find(".big"), small = this.find(".small");
    const key = JSON.stringify([h.big, h.small]);
    if (this.readingsKey === key) return;
    this.readingsKey = key;
    const element = (tag, text, title) => Object.assign(document.createElement(tag), { textContent: text, title: title || "" });
    big.replaceChildren(element("b", h.big.value), element("span", h.big.text, h.big.help));
    small.replaceChildren(...h.small.map((s) => {
      const row = element("div", "", s.help);
      row.append(element("span", s.name), element("b", s.value), element("em", s.floor));
      return row;
    }));
  }

  // The story of the preset that this is, the same before, during and after its run.
  story(told) {
    const box = this.find(".story"), key = JSON.stringify(told || null);
    if (this.storyKey === key) return;
    this.storyKey = key;
    box.hidden = !told;
    box.replaceChildren(...(told ? [Object.assign(document.createElement("b"), { textContent: `${told[0]}. ` }), told[1]] : []));
  }

  // The verdict in words; its evidence and what to change unfold, and stay unfolded while it is the same.
  verdict(v) {
    const box = this.find(".verdict"), key = JSON.stringify(v || null);
    if (this.verdictKey === key) return;
    this.verdictKey = key;
    const element = (tag, text, props) => Object.assign(document.createElement(tag), { textContent: text, ...props });
    box.hidden = !v;
    if (!v) { box.replaceChildren(); return; }
    const open = box.querySelector("details")?.open;
    const chosen = box.contains(this.root.getRootNode().activeElement) && this.root.getRootNode().activeElement.dataset.key;
    box.dataset.name = v.name;
    box.dataset.tone = v.tone;
    const head = element("div", "", { className: "head" });
    head.setAttribute("aria-live", "polite");
    head.append(element("b", v.title), element("span", v.since == null ? "" : `since step ${whole(v.since)}`));
    const parts = [head, element("p", v.sentence, { title: v.text })];
    if (v.evidence.length) {
      const details = element("details", "", { open: Boolean(open) }), table = element("dl", "");
      for (const [name, value] of v.evidence) table.append(element("dt", name), element("dd", value));
      details.append(element("summary", v.advice.length ? "Why, and what to change" : "Why"), table);
      for (const a of v.advice) {
        const row = element("div", "", { className: "cure" }), words = element("div", "");
        words.append(element("b", a.title), element("span", a.changes), element("em", a.text));
        row.append(words);
        for (const [what, label, title] of a.actions) {
          const button = element("button", label, { type: "button", title });
          button.dataset.key = `${what}:${a.cure}`;
          button.onclick = () => this.trigger("cure", { what, cure: a.cure });
          row.append(button);
        }
        details.append(row);
      }
      parts.push(details);
    }
    box.replaceChildren(...parts);
    if (chosen) [...box.querySelectorAll("button")].find((b) => b.dataset.key === chosen)?.focus();
  }

  curves(h, arrays) {
    const box = this.find(".charts");
    while (this.charts.length < h.charts.length) {
      const div = document.createElement("div");
      div.className = "chart";
      box.append(div);
      this.charts.push(new Curves(div));
    }
    while (this.charts.length > h.charts.length) { this.charts.pop().dispose(); box.lastElementChild.remove(); }
    h.charts.forEach((chart, i) => {
      const line = (l) => ({ ...l, values: arrays[l.values] || [], branch: arrays[`branch_${l.values}`] || [] });
      const drawn = { ...chart, steps: arrays[chart.steps] || [], branch: arrays[`branch_${chart.steps}`] || [], events: h.events };
      this.charts[i].update({ ...drawn, lines: chart.lines.map(line) }, this.palette);
    });
  }

  picture(h, frame) {
    const empty = this.find(".empty");
    empty.hidden = Boolean(frame);
    empty.textContent = frame ? "" : h.waiting;
    const t = theme(this.root, this.palette);
    if (this.painted !== t) for (const button of this.root.querySelectorAll(".tools button[data-layer]")) {
      const layer = button.dataset.layer;
      const colours = { heat: `linear-gradient(90deg, ${t.fake}, ${t.real})`, border: t.discriminator, grid: t.generator, arrows: t.text };
      button.firstElementChild.style.background = colours[layer] || t[layer] || "";
      button.firstElementChild.hidden = !(colours[layer] || t[layer]);
    }
    this.painted = t;
    if (!frame) {
      this.dropImage();
      this.find("canvas.points").hidden = true;
      this.find(".tools").style.visibility = "hidden";
      this.find(".caption").textContent = "";
      return;
    }
    const { header, arrays } = unpack(frame);
    const points = header.kind === "points";
    this.inside.update({ ...header, ...arrays }, this.palette);
    this.systemOf({ ...header, ...arrays });
    this.layers(header, arrays);
    this.caption();
    this.find("canvas.points").hidden = !points;
    if (points) {
      this.dropImage();
      this.find("canvas.points").setAttribute("aria-label", `${h.caption} Step ${header.step}.`);
      this.stage.update({ ...header, ...arrays }, this.palette);
      if (outside(header.extent, arrays.fake) > 0.5) {
        this.find(".caption").textContent = "Most generated points lie outside this picture. Zoom out with the wheel to see them.";
      }
    } else {
      this.show({ ...header, ...arrays }, `${h.caption} Step ${header.step}.`, () => decoded(arrays.png));
    }
  }

  caption() {
    const real = !this.sheet.canvas.hidden && this.sheet.of === "real" && this.sheet.sheets.real;
    const system = !this.system.canvas.hidden && (this.system.words || "Noise becomes samples; the discriminator judges them and real ones; both learn from their losses.");
    this.find(".caption").textContent = system || (real ? "Images of the data, as the discriminator sees them now." : this.header.caption);
  }

  // Only buttons for what is there.
  layers(header, arrays) {
    const tools = this.find(".tools");
    tools.style.visibility = this.system.canvas.hidden ? "visible" : "hidden";
    const there = { real: header.kind === "points" || arrays.real_png, fake: header.shown !== "real", heat: arrays.heat, border: arrays.heat,
      arrows: arrays.arrows, grid: arrays.grid, scored: arrays.scores, sorted: arrays.scores };
    for (const button of tools.children) button.hidden = button.dataset.kind !== header.kind || (this.run && !there[button.dataset.layer]);
    this.find(".views").style.visibility = header.layers?.length ? "visible" : "hidden";
    if (!header.layers?.length && this.shownView === "inside") this.turn("curves");
  }

  // Decodes off screen and swaps when ready, so that nothing flickers.
  async show(frame, words, decode, ofFilm = false) {
    const key = `${this.root.dataset.run} ${frame.shown} ${frame.step} ${frame.png.length}`;
    if (this.shownFrame === key) return;
    this.shownFrame = key;
    const bitmap = await decode(), real = frame.real_png && (await this.realSheet(frame.real_png));
    if (this.shownFrame !== key) { if (!ofFilm) bitmap.close(); return; } // a newer picture came meanwhile
    const canvas = this.find("canvas.images");
    this.find("canvas.points").hidden = true;
    canvas.hidden = false;
    canvas.setAttribute("aria-label", words);
    canvas.dataset.step = frame.step;
    const sheets = { fake: { bitmap, columns: frame.columns, scores: frame.scores } };
    if (real) sheets.real = { bitmap: real, columns: 8, scores: frame.real_scores };
    this.sheet.update(sheets, frame.size, this.palette);
    this.ownBitmap?.close(); // the film keeps its own
    this.ownBitmap = ofFilm ? null : bitmap;
  }

  // The real images, which stay the same while a run is shown.
  async realSheet(png) {
    if (this.realRun !== this.run) {
      this.realBitmap?.then((bitmap) => bitmap.close());
      Object.assign(this, { realRun: this.run, realBitmap: decoded(png) });
    }
    return this.realBitmap;
  }

  // What is on the screen in a figure, below (x, y); returns the y below it.
  paint(f, title, x, y, width) {
    const h = this.header, side = Math.min(width, 420), left = x + (width - side) / 2;
    y = f.words(title, x, y, width, 15, 600);
    y = f.words(`Step ${whole(h.step)}. ${h.big.value} ${h.big.text}.${h.verdict ? ` ${h.verdict.title}: ${h.verdict.sentence}` : ""}`, x, y, width) + 6;
    if (!this.sheet.canvas.hidden) {
      f.pen(left, y).drawImage(this.sheet.canvas, 0, 0, side, side);
      y += side + 14;
    } else if (this.stage.frame) {
      const pen = f.pen(left, y);
      pen.save();
      pen.beginPath(); pen.rect(0, 0, side, side); pen.clip();
      this.stage.paint({ context: pen, width: side, height: side });
      pen.restore();
      pen.strokeStyle = f.theme.border;
      pen.strokeRect(0, 0, side, side);
      y += side + 14;
    }
    if (h.bars) {
      y = f.words(`${h.bars.title}: good ones solid, others pale`, x, y, width, 12, 600);
      this.bars.paint({ context: f.pen(x, y), width, height: 80 });
      y += 92;
    }
    h.charts.forEach((chart, k) => {
      y = f.words(`${chart.title}: ${chart.lines.map((l) => `${l.name}${l.dash ? " (dashed)" : ""}`).join(", ")}`, x, y, width, 12, 600);
      this.charts[k].paint({ context: f.pen(x, y), width, height: 110 });
      y += 122;
    });
    return y;
  }

  dropImage() {
    this.shownFrame = null;
    this.sheet.canvas.hidden = true;
  }
}

export const { render, dispose } = views((place) => new Monitor(place));
