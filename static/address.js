// What a view shows without the server having to know: a frame, a place, a zoom. It stands in the page's address, which the page
// leaves as it is for the tool that is shown (`Tool.seen` in ui/latent/tool.py).

const REST = 250; // ms without a change until the address follows: browsers refuse one that changes too often

const due = new Map(); // name -> text, "" where it is at its default
let timer = null;

const write = () => {
  clearTimeout(timer);
  const url = new URL(location.href);
  for (const [name, text] of due) {
    if (text) url.searchParams.set(name, text);
    else url.searchParams.delete(name);
  }
  due.clear();
  if (url.href !== location.href) history.replaceState(history.state, "", url);
};

export const seen = (name) => due.get(name) ?? new URLSearchParams(location.search).get(name) ?? "";

export const keep = (name, text) => {
  if (seen(name) === text) return;
  due.set(name, text);
  clearTimeout(timer);
  timer = setTimeout(write, REST);
};

// Numbers of a text such as 1.5,-2, if it is so many; else null.
export const numbers = (text, count) => {
  const found = text ? text.split(",").map(Number) : [];
  return found.length === count && found.every(isFinite) ? found : null;
};

// What a stage's wheel and drag have chosen.
export const keepView = (stage, name) => {
  const view = numbers(seen(name), 3);
  if (view && view[2] > 0) stage.view = { x: view[0], y: view[1], half: view[2] };
  stage.onmoved = () => keep(name, stage.view ? [stage.view.x, stage.view.y, stage.view.half].map((v) => Number(v.toPrecision(5))).join(",") : "");
};
