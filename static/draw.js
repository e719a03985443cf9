// What all drawings share: sharp canvases, theme, numbers.

function isDark(element) {
  const colour = getComputedStyle(element).getPropertyValue("--st-background-color").trim();
  const hex = /^#([0-9a-f]{6})/i.exec(colour);
  if (hex) {
    const n = parseInt(hex[1], 16);
    return 0.299 * (n >> 16) + 0.587 * ((n >> 8) & 255) + 0.114 * (n & 255) < 128;
  }
  const rgb = colour.match(/\d+(\.\d+)?/g);
  return rgb ? 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] < 128 : false;
}

const themes = new WeakMap();

// The colours and the font at an element. Reading styles makes the browser work them out anew, so they are kept until
// the page itself is drawn again, which it is when the theme changes.
export function theme(element, palette) {
  if (!themes.has(element)) themes.set(element, readTheme(element, palette));
  return themes.get(element);
}

export function forgetThemes(...elements) {
  for (const element of elements) themes.delete(element);
}

function readTheme(element, palette) {
  const style = getComputedStyle(element);
  const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const dark = isDark(element);
  return {
    dark,
    ...(palette ? palette[dark ? "dark" : "light"] : {}),
    text: read("--st-text-color", dark ? "#e8eaf2" : "#1c2030"),
    background: read("--st-background-color", dark ? "#14161d" : "#ffffff"),
    panel: read("--st-secondary-background-color", dark ? "#1d2029" : "#f4f5f8"),
    border: read("--st-border-color", dark ? "#343947" : "#dcdfe8"),
    accent: read("--st-primary-color", "#4f46c8"),
    font: read("--st-font", "sans-serif"),
  };
}

// Fits the canvas to its box on the screen, in device pixels; returns a context scaled to CSS pixels.
export function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

export function rgb(hex) {
  const n = parseInt(hex.slice(1, 7), 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
}

export function ticks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  if (!(raw > 0) || !isFinite(raw)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= raw * 0.999);
  const out = [];
  const first = Math.ceil(low / step);
  for (let k = 0; k <= 3 * count; k++) { // counted, because far from 0 a small step adds nothing
    const v = (first + k) * step;
    if (v > high + step * 1e-6) break;
    out.push(Math.abs(v) < step * 1e-6 ? 0 : v);
  }
  return out;
}

// Where the k-th image of a sheet lies, as drawImage takes it: images of one size in so many columns, a pixel apart.
export function tileOf({ size, columns }, k) {
  const cell = size + 1;
  return [1 + (k % columns) * cell, 1 + Math.floor(k / columns) * cell, size, size];
}

const THIN = "\u202f";

export function whole(n) {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

// A number short enough to stand beside an axis.
export function short(v) {
  const size = Math.abs(v);
  if (size < 10000) return number(v);
  for (const [unit, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= unit) return size >= unit * 1e5 ? v.toExponential(0) : `${Number((v / unit).toPrecision(3))}${THIN}${letter}`;
  }
}

export function number(v) {
  if (!isFinite(v)) return "–";
  const size = Math.abs(v);
  if (size >= 1000) return whole(v);
  if (size >= 100) return v.toFixed(0);
  if (size >= 10) return String(Number(v.toFixed(1)));
  if (size >= 0.01 || size === 0) return String(Number(v.toFixed(2)));
  return v.toExponential(1);
}

export function duration(seconds) {
  const s = Math.round(seconds);
  if (!isFinite(s)) return "–";
  if (s < 60) return `${s}${THIN}s`;
  if (s < 3600) return `${Math.floor(s / 60)}${THIN}m ${s % 60}${THIN}s`;
  return `${Math.floor(s / 3600)}${THIN}h ${Math.floor((s % 3600) / 60)}${THIN}m`;
}
