// What a view shows without the server having to know, a frame, a place, a zoom, as a part of the page's address. Streamlit writes
// the address as it last heard of it from the page; what the views on the page have to say is put into it here.

const GONE = 1500; // ms after which what a view had to say leaves the address with it
const REST = 250; // ms without a change until the address follows: browsers refuse one that changes too often

const NEAREST = 1e-9, FARTHEST = 1e9; // half of what a stage shows, the one in shares of how far out it is
const all = new Set(); // of each view that is there
let timer = null;

const complete = (url) => {
  const whole = new URL(url, location.href);
  if (whole.pathname !== location.pathname) return url;
  const other = [...all].flatMap((address) => [...address.texts]).filter(([name, text]) => (whole.searchParams.get(name) ?? "") !== text);
  for (const [name, text] of other) {
    if (text) whole.searchParams.set(name, text);
    else whole.searchParams.delete(name);
  }
  return other.length ? whole.href : url; // else as Streamlit spells it
};

for (const name of ["pushState", "replaceState"]) {
  const plain = history[name].bind(history);
  history[name] = (state, title, url) => plain(state, title, url == null ? url : complete(url));
}

const write = () => {
  if (complete(location.href) !== location.href) history.replaceState(history.state, "", location.href);
};

export class Address {
  // The names are the view's own: no other view on the page has one of them.
  constructor(...names) {
    const query = new URLSearchParams(location.search);
    this.texts = new Map(names.map((name) => [name, query.get(name) ?? ""]));
    all.add(this);
  }

  dispose() {
    all.delete(this);
    setTimeout(() => { // it may only move to another place on the page, where it is made anew
      const rest = new URL(location.href), held = new Set([...all].flatMap((address) => [...address.texts.keys()]));
      for (const name of this.texts.keys()) if (!held.has(name)) rest.searchParams.delete(name);
      if (rest.href !== location.href) history.replaceState(history.state, "", rest.href);
    }, GONE);
  }

  get(name) { return this.texts.get(name); }

  // "" where it is at its default.
  set(name, text) {
    if (this.texts.get(name) === text) return;
    this.texts.set(name, text);
    clearTimeout(timer);
    timer = setTimeout(write, REST);
  }

  // Numbers of a text such as 1.5,-2, if they are so many; else null.
  numbers(name, count) {
    const text = this.get(name), found = text ? text.split(",").map(Number) : [];
    return found.length === count && found.every(isFinite) ? found : null;
  }

  // What a stage's wheel and drag choose.
  follow(name, stage) {
    const view = this.numbers(name, 3);
    if (view && view[2] > NEAREST * Math.max(1, Math.abs(view[0]), Math.abs(view[1])) && view[2] < FARTHEST) {
      stage.view = { x: view[0], y: view[1], half: view[2] };
    }
    stage.onmoved = () => this.set(name, stage.view ? this.written(stage.view) : "");
  }

  // To a thousandth of what is seen.
  written({ x, y, half }) {
    const places = Math.max(0, Math.min(12, 3 - Math.floor(Math.log10(half))));
    return [Number(x.toFixed(places)), Number(y.toFixed(places)), Number(half.toPrecision(5))].join(",");
  }
}
