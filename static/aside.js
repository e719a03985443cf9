// The runs that are live, in the sidebar.

import { whole } from "./draw.js";
import { views } from "./feed.js";
import { unpack } from "./wire.js";

const PERIOD = 5000; // ms between two questions
const ROW = `<b></b><span></span>`;

class Aside {
  constructor(parent) {
    const host = parent.querySelector(".host");
    host.innerHTML = `<div class="aside"><div class="title">Runs</div><ul></ul></div>`;
    this.root = host.firstElementChild;
    this.list = this.root.querySelector("ul");
    this.made = 0;
    this.timer = setInterval(() => this.ask(), PERIOD);
    this.woken = () => this.ask();
    document.addEventListener("visibilitychange", this.woken);
  }

  dispose() {
    clearInterval(this.timer);
    document.removeEventListener("visibilitychange", this.woken);
  }

  async ask() {
    if (document.hidden || !this.header) return;
    const { focus } = this.header;
    try {
      const answer = await fetch(new URL(`aside?run=${focus}`, document.baseURI), { signal: AbortSignal.timeout(10000) });
      const bytes = answer.status === 200 && new Uint8Array(await answer.arrayBuffer());
      if (bytes && this.header.focus === focus) this.take(bytes); // else the page has another run in focus since
    } catch { /* the server is gone, which Streamlit says */ }
  }

  take(bytes) {
    const { header } = unpack(bytes);
    if (header.made < this.made) return; // overtaken on the way
    this.made = header.made;
    this.header = header;
    this.root.hidden = !header.runs.length;
    while (this.list.children.length > header.runs.length) this.list.lastElementChild.remove();
    while (this.list.children.length < header.runs.length) this.list.append(Object.assign(document.createElement("li"), { innerHTML: ROW }));
    header.runs.forEach(({ id, name, status, word, step }, k) => {
      const row = this.list.children[k], [title, state] = row.children, words = `${word}, step ${whole(step)}`;
      row.dataset.status = status;
      row.classList.toggle("focus", id === header.focus);
      if (title.textContent !== name) title.textContent = title.title = name;
      if (state.textContent !== words) state.textContent = words;
    });
  }
}

export const { render, dispose } = views((place) => new Aside(place));
