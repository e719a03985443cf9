// A figure to take away: what the views draw on canvases is drawn once more into an SVG, as lines and letters.

const NAMESPACE = "http://www.w3.org/2000/svg";
const ALIGN = { left: "start", center: "middle", right: "end", start: "start" };
const BASELINE = { top: "text-before-edge", middle: "central", bottom: "text-after-edge", alphabetic: "auto" };

function make(tag, attributes) {
  const e = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  return e;
}

const at = (v) => Math.round(100 * v) / 100;
let ruler = null;
let clips = 0;

// The part of a canvas' 2-D context that the views use, which writes SVG elements into a group.
class Pen {
  constructor(group) {
    this.group = group;
    this.kept = [];
    this.dash = [];
    this.path = "";
    Object.assign(this, { fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, globalAlpha: 1, font: "11px sans-serif", textAlign: "left",
      textBaseline: "alphabetic", lineJoin: "miter", imageSmoothingEnabled: true });
  }

  put(tag, attributes) { this.group.append(make(tag, { ...attributes, ...(this.globalAlpha < 1 ? { opacity: at(this.globalAlpha) } : {}) })); }

  save() { this.flush(); this.kept.push([this.group, { ...this }]); }

  restore() {
    this.flush();
    const [group, all] = this.kept.pop(), { kept } = this;
    Object.assign(this, all, { group, kept });
  }

  clip() {
    const id = `clip-${(clips += 1)}`, clip = make("clipPath", { id });
    clip.append(make("path", { d: this.path }));
    const inner = make("g", { "clip-path": `url(#${id})` });
    this.group.append(clip, inner);
    this.group = inner;
  }

  setLineDash(dash) { this.dash = dash; }
  beginPath() { this.path = ""; }
  moveTo(x, y) { this.path += `M${at(x)} ${at(y)}`; }
  closePath() { this.path += "z"; }
  lineTo(x, y) { this.path += `${this.path ? "L" : "M"}${at(x)} ${at(y)}`; }
  rect(x, y, w, h) { this.path += `M${at(x)} ${at(y)}h${at(w)}v${at(h)}h${at(-w)}z`; }

  // Whole circles only, which is all that is drawn.
  arc(x, y, r) { this.path += `M${at(x + r)} ${at(y)}a${r} ${r} 0 1 0 ${-2 * r} 0a${r} ${r} 0 1 0 ${2 * r} 0`; }

  fill() { if (this.path) this.put("path", { d: this.path, fill: this.fillStyle }); }

  stroke() {
    if (!this.path) return;
    const dash = this.dash.length ? { "stroke-dasharray": this.dash.join(" ") } : {};
    this.put("path", { d: this.path, fill: "none", stroke: this.strokeStyle, "stroke-width": this.lineWidth, "stroke-linejoin": this.lineJoin, ...dash });
  }

  // Rectangles of one colour that follow each other are one path: a cloud of points is thousands of them.
  fillRect(x, y, w, h) {
    const style = `${this.fillStyle} ${this.globalAlpha}`, d = `M${at(x)} ${at(y)}h${at(w)}v${at(h)}h${at(-w)}z`;
    if (this.lastRects && this.lastRects === this.group.lastElementChild && this.rectStyle === style) { this.rects.push(d); return; }
    this.flush();
    this.put("path", { d: "", fill: this.fillStyle });
    Object.assign(this, { lastRects: this.group.lastElementChild, rectStyle: style, rects: [d] });
  }

  flush() {
    this.lastRects?.setAttribute("d", this.rects.join(""));
    this.lastRects = null;
  }

  strokeRect(x, y, w, h) { this.put("rect", { x: at(x), y: at(y), width: at(w), height: at(h), fill: "none", stroke: this.strokeStyle, "stroke-width": this.lineWidth }); }

  fillText(text, x, y) {
    const [, weight, size] = /^(?:(\d+) )?([\d.]+)px/.exec(this.font);
    this.put("text", { x: at(x), y: at(y), fill: this.fillStyle, "font-size": size, "font-weight": weight || 400, "text-anchor": ALIGN[this.textAlign],
      "dominant-baseline": BASELINE[this.textBaseline] });
    this.group.lastElementChild.textContent = text;
  }

  measureText(text) {
    ruler = ruler || document.createElement("canvas").getContext("2d");
    ruler.font = this.font;
    return ruler.measureText(text);
  }

  drawImage(canvas, x, y, w, h) {
    const pixels = this.imageSmoothingEnabled ? {} : { style: "image-rendering: pixelated" };
    this.put("image", { x: at(x), y: at(y), width: at(w), height: at(h), preserveAspectRatio: "none", href: canvas.toDataURL(), ...pixels });
  }
}

export class Figure {
  constructor(width, theme) {
    this.svg = make("svg", { "font-family": "sans-serif" });
    this.ground = make("rect", { width, fill: theme.background });
    this.svg.append(this.ground);
    Object.assign(this, { width, theme, pens: [] });
  }

  // A pen whose (0, 0) is at (x, y) of the figure.
  pen(x, y) {
    const group = make("g", { transform: `translate(${at(x)} ${at(y)})` });
    this.svg.append(group);
    this.pens.push(new Pen(group));
    return this.pens.at(-1);
  }

  // Lines of words, broken where they are too wide; returns the y below them.
  words(text, x, y, width, size = 12, weight = 400) {
    const pen = this.pen(x, y);
    Object.assign(pen, { font: `${weight} ${size}px sans-serif`, fillStyle: this.theme.text, textBaseline: "top" });
    let line = "", down = 0;
    for (const word of [...String(text).split(" "), null]) {
      const longer = line ? `${line} ${word}` : word;
      if (word != null && (!line || pen.measureText(longer).width <= width)) { line = longer; continue; }
      if (line) pen.fillText(line, 0, down);
      down += size * 1.45;
      line = word;
    }
    return y + down;
  }

  // The finished drawing.
  close(height) {
    for (const pen of this.pens) pen.flush();
    this.ground.setAttribute("height", at(height));
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${at(height)}`);
    return this.svg;
  }
}
