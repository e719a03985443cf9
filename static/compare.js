// Two to eight runs beside each other: curves, pictures that move together, settings, last measurements. Built once; each message
// only changes what is in it, so that a zoom and a place in the replay stay.

import { forgetThemes, theme, whole } from "./draw.js";
import { SAVE, saving } from "./export.js";
import { Feed, views } from "./feed.js";
import { Figure } from "./figure.js";
import { Plot } from "./plot.js";
import { Shelf } from "./shelf.js";
import { unpack } from "./wire.js";

const HTML = `
<div class="compare">
  <div class="entries" role="group" aria-label="Runs: press one to hide or show its curves"></div>
  <div class="plots"></div>
  <p class="caption"></p><p class="trouble" role="status" hidden></p>
  <section><h3>Samples</h3><div class="way"></div><div class="shelf" tabindex="0" role="group" aria-label="Samples of all runs. The left and right arrows go through the replay."></div></section>
  <section><h3>Settings</h3><div class="wide apart"></div><details class="same"><summary></summary><div class="wide"></div></details></section>
  <section><h3>Last measured</h3><div class="wide measured"></div><p class="caption note"></p></section>
  <div class="under"><a class="csv" download="runs.csv">Table (CSV)</a>${SAVE}</div>
</div>`;

const element = (tag, text, props) => Object.assign(document.createElement(tag), { textContent: text, ...props });

class Compare {
  constructor(place) {
    const host = place.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.find = (selector) => this.root.querySelector(selector);
    Object.assign(this, { made: 0, plots: [], hidden: new Set(), keys: {}, range: null });
    this.shelf = new Shelf(this.find(".way"), this.find(".shelf"), (step) => this.mark(step));
    this.feed = new Feed(this);
    saving(this.root, () => this.h && [this.figure(), "runs"]);
  }

  dispose() {
    this.feed.dispose();
    this.shelf.dispose();
    for (const plot of this.plots) plot.dispose();
  }

  take(bytes) {
    const { header } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    forgetThemes(this.root, ...this.root.querySelectorAll("canvas, figure"));
    const asked = `${header.axis} ${header.runs.map((run) => run.id)}`;
    if (this.asked !== asked) this.range = null; // a zoom into other runs, or another axis, means nothing here
    this.asked = asked;
    this.update(bytes);
    this.feed.follow(header.address, header);
  }

  notify(status) { this.trigger("status", status); }

  trouble(text) { Object.assign(this.find(".trouble"), { textContent: text, hidden: !text }); }

  update(bytes) {
    const { header: h, arrays } = unpack(bytes);
    Object.assign(this, { h, hasPicture: true });
    this.trouble("");
    this.root.dataset.runs = h.runs.map((run) => run.id).join();
    this.root.dataset.steps = h.runs.map((run) => run.step).join();
    this.legend();
    this.draw(arrays);
    this.fill(".caption", h.caption, (box) => { box.textContent = h.caption; });
    this.shelf.update(h.runs, h.dashes, arrays, h.palette, h.made);
    this.settings();
    this.measures();
    this.find(".csv").href = h.csv;
    return h;
  }

  // What has not changed is left alone: each change has the page laid out anew.
  fill(selector, value, draw) {
    const t = theme(this.root, this.h.palette), key = JSON.stringify([value, t.dark]);
    if (this.keys[selector] === key) return;
    this.keys[selector] = key;
    draw(this.find(selector), t);
  }

  legend() {
    const { legend, dashes, runs } = this.h;
    this.fill(".entries", [legend, [...this.hidden]], (box, t) => {
      const focused = box.contains(this.root.getRootNode().activeElement) ? this.root.getRootNode().activeElement.dataset.run : null;
      box.replaceChildren(...legend.map((entry) => {
        const id = runs[entry.run].id, button = element("button", "", { type: "button", title: entry.name });
        button.dataset.run = id;
        button.setAttribute("aria-pressed", String(!this.hidden.has(id)));
        const line = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        line.setAttribute("viewBox", "0 0 28 8");
        Object.entries({ d: "M0 4H28", stroke: t[`run${entry.run}`], "stroke-width": 2.4, "stroke-dasharray": dashes[entry.run].join(" ") }).forEach(([name, value]) => path.setAttribute(name, value));
        line.append(path);
        const words = element("span", "");
        words.append(element("b", entry.name), element("em", entry.text));
        button.append(line, words);
        button.onclick = () => { if (!this.hidden.delete(id)) this.hidden.add(id); this.legend(); this.draw(this.arrays); };
        return button;
      }));
      if (focused) [...box.children].find((button) => button.dataset.run === focused)?.focus();
    });
  }

  draw(arrays) {
    this.arrays = arrays;
    const { charts, legend, dashes, runs, axis, palette } = this.h, box = this.find(".plots");
    while (this.plots.length > charts.length) { this.plots.pop().dispose(); box.lastElementChild.remove(); }
    while (this.plots.length < charts.length) {
      const div = element("div", "", { className: "chart" });
      box.append(div);
      this.plots.push(new Plot(div, (range) => this.zoom(range)));
    }
    box.dataset.charts = charts.length;
    charts.forEach((chart, c) => {
      const lines = chart.lines.filter((k) => !this.hidden.has(runs[legend[k].run].id)).map((k) => {
        const part = (name) => arrays[`${name}${c}_${k}`], { name, run, n } = legend[k];
        return { name, n, colour: `run${run}`, dash: dashes[run], x: part("x"), y: part("y"), raw: part("raw"), low: part("low"), high: part("high"), count: part("count") };
      });
      Object.assign(this.plots[c], { range: this.range, cursor: this.shelf.step });
      this.plots[c].update({ ...chart, axis, lines }, palette);
    });
  }

  // All charts show the same part of the axis.
  zoom(range) {
    this.range = range;
    this.root.dataset.zoom = range ? range.map((v) => v.toFixed(1)).join() : "";
    for (const plot of this.plots) { plot.range = range; plot.draw(); }
  }

  mark(step) {
    for (const plot of this.plots) { plot.cursor = step; plot.draw(); }
  }

  // The names of the runs as heads of columns.
  heads(t) {
    const row = element("tr", "");
    row.append(element("th", ""), ...this.h.runs.map((run) => {
      const head = element("th", run.name, { title: run.name, scope: "col" });
      head.style.borderTop = `3px solid ${t[`run${run.line}`]}`;
      return head;
    }));
    return row;
  }

  table(...rows) {
    const table = element("table", "");
    table.append(...rows);
    return table;
  }

  settings() {
    const { settings, runs } = this.h, names = runs.map((run) => [run.name, run.line]);
    this.fill(".apart", [settings.apart, names], (box, t) => {
      if (!settings.apart.length) { box.replaceChildren(element("p", "All settings are the same.", { className: "none" })); return; }
      box.replaceChildren(this.table(this.heads(t), ...settings.apart.map(([title, values]) => {
        const row = element("tr", "");
        row.append(element("th", title, { scope: "row" }), ...values.map((value) => element("td", value, { className: value === values[0] ? "" : "other" })));
        return row;
      })));
    });
    this.fill(".same > div", settings.same, (box) => {
      box.replaceChildren(this.table(...settings.same.map(([title, value]) => {
        const row = element("tr", "");
        row.append(element("th", title, { scope: "row" }), element("td", value));
        return row;
      })));
      this.find(".same > summary").textContent = `${settings.same.length} settings are the same`;
    });
  }

  measures() {
    const { measures, runs } = this.h, names = runs.map((run) => [run.name, run.line]);
    this.fill(".measured", [measures, names], (box, t) => {
      const line = (title, cells) => {
        const row = element("tr", "");
        row.append(element("th", title, { scope: "row" }), ...cells);
        return row;
      };
      const plain = (name) => measures.rows.map((row) => element("td", row[name]));
      box.replaceChildren(this.table(this.heads(t), line("Status", plain("status")), line("Step", plain("step")), line("Time trained", plain("time")),
        ...measures.titles.map((title, m) => line(title, measures.rows.map((row) => {
          const cell = element("td", row.values[m]);
          if (row.perfect[m]) cell.append(element("em", `perfect ${row.perfect[m]}`));
          return cell;
        })))));
      this.find(".note").textContent = measures.note;
    });
  }

  // What is on the screen as one figure: legend, curves, pictures.
  figure() {
    const t = theme(this.root, this.h.palette), gap = 24, width = 1000, f = new Figure(width, t);
    let y = gap;
    for (const entry of this.h.legend) {
      if (this.hidden.has(this.h.runs[entry.run].id)) continue;
      const pen = f.pen(gap, y), end = f.words(`${entry.name}: ${entry.text}`, gap + 44, y, width - 2 * gap - 44);
      Object.assign(pen, { strokeStyle: t[`run${entry.run}`], lineWidth: 2.4 });
      pen.setLineDash(this.h.dashes[entry.run]);
      pen.beginPath(); pen.moveTo(0, 8); pen.lineTo(32, 8); pen.stroke();
      y = end;
    }
    if (this.h.caption) y = f.words(this.h.caption, gap, y + 4, width - 2 * gap);
    this.h.charts.forEach((chart, k) => {
      y = f.words(`${chart.title}${chart.note ? ` (${chart.note})` : chart.log ? " (logarithmic)" : ""}`, gap, y + 10, width - 2 * gap, 13, 600);
      this.plots[k].paint({ context: f.pen(gap, y), width: width - 2 * gap, height: 200 });
      y += 206;
    });
    const columns = Math.min(4, this.shelf.pictures.length), side = (width - gap * (columns + 1)) / columns;
    this.shelf.pictures.forEach((picture, k) => {
      const x = gap + (k % columns) * (side + gap);
      if (k % columns === 0) y += k ? side + 60 : 10;
      const top = f.words(`${picture.run.name}, step ${whole(picture.box.dataset.step || 0)}`.slice(0, 60), x, y, side, 12, 600);
      picture.paint(f, x, Math.max(top, y + 36), side);
    });
    return f.close(y + side + 36 + gap);
  }
}

export const { render, dispose } = views((place) => new Compare(place));
