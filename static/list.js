// Runs as lines of a table: which are chosen, and by what they are sorted.

import { views } from "./feed.js";
import { unpack } from "./wire.js";

// class -> [heading, key of the order that a click on it asks for]
const COLUMNS = {
  name: ["Name", "name"],
  status: ["Status"],
  verdict: ["Verdict"],
  measured: ["Measured", "held"],
  trained: ["Trained", "longest"],
  when: ["", "newest"],
  disk: ["Disk", "disk"],
};
const SOON = 16; // lines that fit into the list's height, and a few: they are drawn before the others
const HTML = `
<div class="list"><table aria-label="Runs">
  <thead><tr><th class="box"><input type="checkbox" aria-label="Choose all of this page"></th><th class="thumb"></th></tr></thead>
  <tbody></tbody>
</table></div>`;
const LINE = `
<td class="box"><input type="checkbox"></td>
<td class="thumb"><img alt="" loading="lazy" width="40" height="40" hidden></td>
<td class="name"><b></b><span class="more"></span><span class="recipe"></span></td>
<td class="status"></td><td class="verdict"></td><td class="measured"></td><td class="trained"></td><td class="when"></td><td class="disk"></td>`;

class List {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = HTML;
    this.root = host.firstElementChild;
    this.body = this.root.querySelector("tbody");
    this.all = this.root.querySelector("thead input");
    this.all.onchange = () => this.choose(this.header.rows.map((row) => row.id), this.all.checked);
    this.heads = Object.entries(COLUMNS).map(([name, [title, order]]) => {
      const head = Object.assign(document.createElement("th"), { className: name, scope: "col" });
      const text = document.createElement(order ? "button" : "span");
      if (order) Object.assign(text, { type: "button", onclick: () => this.trigger("sort", order) });
      text.textContent = title;
      head.append(text);
      this.root.querySelector("thead tr").append(head);
      return { head, text, order };
    });
    this.body.onclick = (e) => this.click(e);
    this.body.onkeydown = (e) => this.key(e);
    this.lines = new Map(); // id -> its line
    this.made = 0;
    this.chosen = null; // ids, those that are not on this page just now among them
    this.last = null; // the line that was clicked last
  }

  dispose() {
    this.wait();
  }

  // Not to do what was to be done later; or to do something once what is there now has been painted.
  wait(act) {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.later);
    if (!act) return;
    if (document.hidden) act(); // no frame will come
    else this.frame = requestAnimationFrame(() => { this.later = setTimeout(act); });
  }

  take(bytes) {
    const { header } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    this.header = header;
    this.chosen ??= new Set(header.chosen);
    for (const { head, text, order } of this.heads) {
      if (head.className === "when") Object.assign(text, { textContent: header.when, disabled: header.when !== "Begun" }); // no order by deletion
      if (order) head.setAttribute("aria-sort", order === header.sort ? "other" : "none");
    }
    const there = new Set(header.rows.map((row) => row.id));
    for (const [id, line] of this.lines) if (!there.has(id)) { line.remove(); this.lines.delete(id); }
    this.wait();
    const soon = header.rows.slice(SOON).every((row) => this.lines.has(row.id)) ? header.rows.length : SOON;
    this.draw(soon);
    if (soon < header.rows.length) this.wait(() => this.draw(header.rows.length));
  }

  // The first `count` lines.
  draw(count) {
    this.header.rows.slice(0, count).forEach((row, k) => {
      const line = this.line(row);
      if (this.body.children[k] !== line) this.body.insertBefore(line, this.body.children[k] || null);
    });
    this.mark();
  }

  line(row) {
    let line = this.lines.get(row.id);
    if (!line) {
      line = Object.assign(document.createElement("tr"), { innerHTML: LINE });
      line.dataset.id = row.id;
      line.querySelector("img").onerror = (e) => { e.target.hidden = true; };
      this.lines.set(row.id, line);
    }
    const text = JSON.stringify(row);
    if (line.told === text) return line;
    line.told = text;
    const say = (selector, words, title = words) => Object.assign(line.querySelector(selector), { textContent: words, title });
    const image = line.querySelector("img"), source = row.picture && new URL(row.picture, document.baseURI).href;
    image.hidden = !source;
    if (source && image.src !== source) image.src = source;
    say("b", `${row.starred ? "★ " : ""}${row.name}`, [row.name, row.note].filter(Boolean).join("\n\n"));
    say(".recipe", row.recipe);
    say(".more", [row.state, row.verdict, row.measured].filter(Boolean).join(" · "));
    for (const name of ["verdict", "measured", "trained", "when", "disk"]) say(`.${name}`, row[name]);
    say(".status", row.state);
    line.querySelector(".status").dataset.status = row.status;
    line.querySelector(".verdict").dataset.tone = row.tone;
    line.querySelector("input").setAttribute("aria-label", `Choose ${row.name}`);
    for (const tag of row.tags) line.querySelector(".recipe").append(Object.assign(document.createElement("i"), { textContent: tag }));
    return line;
  }

  mark() {
    const ids = this.header.rows.map((row) => row.id), count = ids.filter((id) => this.chosen.has(id)).length;
    for (const id of ids) {
      const line = this.lines.get(id), on = this.chosen.has(id);
      if (!line) continue; // it is drawn in a moment
      line.querySelector("input").checked = on;
      line.classList.toggle("chosen", on);
    }
    this.all.checked = count > 0 && count === ids.length;
    this.all.indeterminate = count > 0 && count < ids.length;
    this.root.dataset.chosen = count;
  }

  // A click chooses a line or leaves it; with Shift, all from the one before.
  click(e) {
    const line = e.target.closest("tr");
    if (!line) return;
    const ids = this.header.rows.map((row) => row.id), id = line.dataset.id, [from, to] = [ids.indexOf(this.last), ids.indexOf(id)];
    const range = e.shiftKey && from >= 0 ? ids.slice(Math.min(from, to), Math.max(from, to) + 1) : [id];
    this.last = id;
    this.choose(range, !this.chosen.has(id));
  }

  key(e) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[e.key], line = e.target.closest("tr");
    if (!by || !line) return;
    e.preventDefault();
    this.body.children[[...this.body.children].indexOf(line) + by]?.querySelector("input").focus();
  }

  choose(ids, on) {
    for (const id of ids) if (on) this.chosen.add(id); else this.chosen.delete(id);
    this.mark();
    this.keep("chosen", [...this.chosen]);
  }
}

export const { render, dispose } = views((place) => new List(place));
