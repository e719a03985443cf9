// The live view of a run: progress, stage, readings. Built once; every message only changes what is in it.

import { Curves } from "./curves.js";
import { duration, forgetThemes, theme, whole } from "./draw.js";
import { Stage } from "./stage.js";
import { unpack } from "./wire.js";

const monitors = new WeakMap();
const PERIOD = 470; // ms between two questions: at least twice a second
const SLOW_PERIOD = 2500; // ms, for a run that has ended, and for a page that nobody sees

const HTML = `
<div class="monitor">
  <div class="progress"><div class="numbers"><span class="status"></span><span class="step"></span><span class="rate"></span><span class="left"></span></div>
    <div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100"><div></div></div></div>
  <div class="picture">
    <div class="tools"></div>
    <div class="square"><canvas class="points" role="img" tabindex="0"></canvas><img class="images" alt="" hidden><div class="empty" hidden></div></div>
    <div class="caption"></div>
  </div>
  <div class="readings"><div class="big"></div><div class="small"></div><div class="charts"></div></div>
</div>`;

// Share of points (x, y, x, y, …) outside a square.
function outside([x, y, half], points) {
  if (!points || !points.length) return 0;
  let count = 0;
  for (let i = 0; i < points.length; i += 2) if (!(Math.abs(points[i] - x) <= half && Math.abs(points[i + 1] - y) <= half)) count += 1;
  return count / (points.length / 2);
}

export function render(component) {
  const { parentElement, data } = component;
  let monitor = monitors.get(parentElement);
  if (!monitor) {
    monitor = new Monitor(parentElement);
    monitors.set(parentElement, monitor);
  }
  monitor.notify = (status) => component.setTriggerValue("status", status);
  if (data && data.length) monitor.take(data);
}

export function dispose(parentElement) {
  monitors.get(parentElement)?.dispose();
  monitors.delete(parentElement);
}

class Monitor {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    this.stage = new Stage(this.find("canvas.points"));
    this.charts = [];
    this.image = this.find("img.images");
    this.shownFrame = null;
    this.run = null;
    this.live = false;
    this.turn = 0;
    this.made = 0; // when the server made the latest message from the page
    this.failures = 0;
    this.woken = () => { if (!document.hidden) this.askLater(0); };
    document.addEventListener("visibilitychange", this.woken);
    this.tools();
  }

  dispose() {
    this.turn += 1; // whatever is still on its way finds itself out of date
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.woken);
    this.stage.dispose();
    for (const chart of this.charts) chart.dispose();
    this.dropImage();
  }

  // A message from the page: it decides which run is shown, and in which state the page knows it.
  take(bytes) {
    forgetThemes(this.root, this.stage.canvas, ...this.charts.map((chart) => chart.canvas));
    const header = unpack(bytes).header;
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    if ((header.run || null) !== this.run) { // another run: a zoom into the last one means nothing here
      this.stage.view = null;
      for (const chart of this.charts) chart.range = null;
    }
    this.run = header.run || null;
    this.layout = header.layout;
    this.pageStatus = header.status;
    this.live = header.live;
    this.failures = 0;
    this.update(bytes);
    this.turn += 1;
    this.askLater(PERIOD);
  }

  askLater(delay) {
    clearTimeout(this.timer);
    // until the first picture is there, it is asked for more often
    if (!this.run) return;
    // a run that has ended may be taken up again, here or elsewhere
    const slow = !this.live || document.hidden;
    const wait = slow ? SLOW_PERIOD : this.hasPicture ? delay : Math.min(delay, 120);
    this.timer = setTimeout(() => this.ask(), wait);
  }

  // Asks the feed. When the run's status is no longer what the page knows, the page must run again. Only one question
  // is under way at a time: `turn` moves on with every message from the page.
  async ask() {
    const turn = this.turn, begun = performance.now();
    const answer = await this.answer();
    if (turn !== this.turn) return;
    if (answer.bytes) {
      const header = this.update(answer.bytes);
      this.live = header.live;
      if (header.status !== this.pageStatus) { this.pageStatus = header.status; this.notify(header.status); }
    } else if (answer.gone) {
      this.run = null;
      this.notify("gone");
    }
    this.failures = answer.problem ? this.failures + 1 : 0;
    if (this.failures >= 3) this.find(".status").textContent = answer.problem;
    this.askLater(Math.max(100, PERIOD - (performance.now() - begun)));
  }

  async answer() {
    try {
      const address = new URL(`live/${this.run}?layout=${this.layout}&known=${this.version}`, document.baseURI);
      const answer = await fetch(address, { signal: AbortSignal.timeout(10000) });
      if (answer.status === 200) return { bytes: new Uint8Array(await answer.arrayBuffer()) };
      if (answer.status === 404) return { gone: true };
      return answer.status === 204 ? {} : { problem: (await answer.text()).slice(0, 200) };
    } catch {
      return { problem: "No answer from the server" };
    }
  }

  tools() {
    const box = this.find(".tools");
    const names = { real: "Real", fake: "Generated", heat: "Discriminator" };
    for (const [layer, label] of Object.entries(names)) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.layer = layer;
      button.setAttribute("aria-pressed", "true");
      button.append(document.createElement("i"), label);
      button.onclick = () => {
        this.stage.layers[layer] = !this.stage.layers[layer];
        button.setAttribute("aria-pressed", String(this.stage.layers[layer]));
        this.stage.draw();
      };
      box.append(button);
    }
    const all = document.createElement("button");
    all.type = "button";
    all.className = "all";
    all.textContent = "Show all";
    all.title = "Back to the whole picture. The wheel zooms, dragging moves.";
    all.onclick = () => { this.stage.view = null; this.stage.draw(); };
    box.append(all);
  }

  update(bytes) {
    const { header, arrays } = unpack(bytes);
    this.palette = header.palette;
    this.root.classList.toggle("compact", header.layout === "compact");
    this.root.dataset.run = header.run || "";
    // what measures its own box first, what changes the page after it: else each canvas would have the page laid out anew
    this.curves(header, arrays);
    this.picture(header, arrays.frame);
    this.progress(header);
    this.readings(header);
    this.version = header.version;
    this.hasPicture = Boolean(arrays.frame);
    return header;
  }

  progress(h) {
    const share = h.steps ? Math.min(1, h.step / h.steps) : 0;
    const set = (selector, text) => { const e = this.find(selector); if (e.textContent !== text) e.textContent = text; };
    set(".status", h.label);
    this.find(".status").dataset.status = h.status;
    set(".step", h.status === "none" ? `${whole(h.steps)} steps planned` : `Step ${whole(h.step)} of ${whole(h.steps)}`);
    set(".rate", h.rate ? `${h.rate < 10 ? h.rate.toFixed(1) : whole(h.rate)} steps/s` : "");
    set(".left", h.status === "running" && h.rate ? `${duration((h.steps - h.step) / h.rate)} left` : h.seconds ? `trained ${duration(h.seconds)}` : "");
    this.root.dataset.step = h.step;
    this.find(".bar > div").style.width = `${100 * share}%`;
    this.find(".bar").setAttribute("aria-valuenow", Math.round(100 * share));
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

  curves(h, arrays) {
    const box = this.find(".charts");
    while (this.charts.length < h.charts.length) {
      const div = document.createElement("div");
      div.className = "chart";
      box.append(div);
      this.charts.push(new Curves(div));
    }
    while (this.charts.length > h.charts.length) { this.charts.pop().dispose(); box.lastElementChild.remove(); }
    h.charts.forEach((chart, i) => this.charts[i].update(
      { ...chart, steps: arrays[chart.steps] || [], lines: chart.lines.map((l) => ({ ...l, values: arrays[l.values] || [] })) }, this.palette));
  }

  picture(h, frame) {
    const empty = this.find(".empty");
    empty.hidden = Boolean(frame);
    empty.textContent = frame ? "" : h.waiting;
    const t = theme(this.root, this.palette);
    if (this.painted !== t) for (const button of this.root.querySelectorAll(".tools button[data-layer]")) {
      const layer = button.dataset.layer;
      button.firstElementChild.style.background = layer === "heat" ? `linear-gradient(90deg, ${t.fake}, ${t.real})` : t[layer];
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
    this.find(".tools").style.visibility = points ? "visible" : "hidden";
    this.find(".caption").textContent = h.caption;
    this.find("canvas.points").hidden = !points;
    if (points) {
      this.dropImage();
      this.find("canvas.points").setAttribute("aria-label", `${h.caption} Step ${header.step}.`);
      this.stage.update({ ...header, ...arrays }, this.palette);
      if (outside(header.extent, arrays.fake) > 0.5) {
        this.find(".caption").textContent = "Most generated points lie outside this picture. Zoom out with the wheel to see them.";
      }
    } else {
      this.show(arrays.png, header, h.caption);
    }
  }

  // Decodes off screen and swaps when ready, so that nothing flickers.
  show(png, header, caption) {
    const key = `${this.root.dataset.run} ${header.shown} ${header.step} ${png.length}`;
    if (this.shownFrame === key) return;
    this.shownFrame = key;
    const url = URL.createObjectURL(new Blob([png], { type: "image/png" })), next = new Image();
    next.src = url;
    next.decode().then(() => {
      if (this.shownFrame !== key) { URL.revokeObjectURL(url); return; } // a newer picture came meanwhile
      const old = this.image.src;
      this.image.src = url;
      this.image.alt = `${caption} Step ${header.step}.`;
      this.image.dataset.step = header.step;
      this.image.hidden = false;
      if (old) URL.revokeObjectURL(old);
    }).catch(() => URL.revokeObjectURL(url));
  }

  dropImage() {
    this.shownFrame = null;
    if (this.image.src) URL.revokeObjectURL(this.image.src);
    this.image.removeAttribute("src");
    this.image.hidden = true;
  }
}
