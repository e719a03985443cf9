// How samples spread over the modes or classes: a bar each, in multiples of its fair share, the good samples solid, the
// others pale. A dashed line stands at the fair share. The modes that a generator has lost are gaps.

import { fit, number, theme, whole } from "./draw.js";

const LEFT = 38, RIGHT = 8, TOP = 6, BOTTOM = 16, HIGH = 2; // times the fair share at the upper edge

export class Bars {
  constructor(box) {
    box.innerHTML = `<div class="legend"></div><div class="plot"><canvas role="img"></canvas><div class="tip" hidden></div></div>`;
    this.box = box;
    this.legend = box.querySelector(".legend");
    this.canvas = box.querySelector("canvas");
    this.tip = box.querySelector(".tip");
    this.hover = null;
    this.canvas.addEventListener("pointermove", (e) => { this.hover = e.offsetX; this.draw(); });
    this.canvas.addEventListener("pointerleave", () => { this.hover = null; this.draw(); });
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.canvas);
  }

  dispose() { this.observer.disconnect(); }

  // bars: {title, one, names, held} and arrays good, near: multiples of the fair share, one for each mode; null hides it.
  // wait: why there are none yet
  update(bars, palette) {
    this.box.hidden = !bars;
    this.bars = bars;
    this.palette = palette;
    if (!bars) return;
    const t = theme(this.canvas, palette), key = bars.title + t.dark;
    if (this.key !== key) {
      this.key = key;
      this.legend.replaceChildren(Object.assign(document.createElement("b"), { textContent: bars.title }));
      for (const [name, opacity] of [["good samples", 1], ["others", 0.35]]) {
        const item = document.createElement("span"), mark = document.createElement("i");
        Object.assign(mark.style, { height: "9px", width: "9px", background: t.fake, opacity });
        item.append(mark, name);
        this.legend.append(item);
      }
    }
    const missing = bars.near.length ? Array.from(bars.good).filter((v) => v < bars.held).length : null;
    this.canvas.setAttribute("aria-label", `${bars.title}, ${bars.names.length} ${bars.one}s: ${missing == null ? bars.wait || "not measured yet" : `${missing} have too few good samples`}`);
    this.draw();
  }

  draw() {
    if (!this.bars || !this.canvas.clientWidth) return;
    const place = fit(this.canvas), at = this.paint(place);
    this.tip.hidden = !(at >= 0 && at < this.bars.names.length && this.bars.near.length);
    if (!this.tip.hidden) this.drawHover(place, at);
  }

  // The bars as they stand, on a canvas or in a figure; returns the one under the pointer.
  paint({ context: c, width, height }) {
    const { good, near, names } = this.bars;
    const t = theme(this.canvas, this.palette), n = names.length, w = (width - LEFT - RIGHT) / n, h = height - TOP - BOTTOM;
    const py = (v) => TOP + (1 - Math.min(v, HIGH) / HIGH) * h;
    c.font = `11px ${t.font}`;
    c.lineWidth = 1;
    for (const v of [0, 1, HIGH]) {
      c.strokeStyle = v === 1 ? t.text : t.border;
      c.globalAlpha = v === 1 ? 0.5 : 0.7;
      c.setLineDash(v === 1 ? [3, 3] : []);
      const y = Math.round(py(v)) + 0.5;
      c.beginPath(); c.moveTo(LEFT, y); c.lineTo(width - RIGHT, y); c.stroke();
      c.globalAlpha = 0.75; c.fillStyle = t.text; c.textAlign = "right"; c.textBaseline = "middle";
      c.fillText(v === 0 ? "0" : `${v}×`, LEFT - 5, y);
    }
    c.setLineDash([]);
    if (!near.length && this.bars.wait) {
      c.globalAlpha = 0.8; c.fillStyle = t.text; c.textAlign = "center"; c.textBaseline = "middle";
      c.fillText(this.bars.wait, LEFT + (width - LEFT - RIGHT) / 2, (py(1) + py(HIGH)) / 2);
    }
    const at = this.hover == null ? -1 : Math.floor((this.hover - LEFT) / w), gap = w > 6 ? Math.min(6, w * 0.25) : w > 3 ? 1 : 0;
    for (let k = 0; k < n; k++) {
      const x = LEFT + k * w + gap / 2;
      c.fillStyle = t.fake;
      if (near.length) {
        c.globalAlpha = 0.35; c.fillRect(x, py(near[k]), w - gap, py(0) - py(near[k]));
        c.globalAlpha = 1; c.fillRect(x, py(good[k]), w - gap, py(0) - py(good[k]));
        if (near[k] > HIGH) { // it goes on above the edge
          c.fillStyle = t.text;
          c.beginPath(); c.moveTo(x + (w - gap) / 2 - 4, TOP + 6); c.lineTo(x + (w - gap) / 2 + 4, TOP + 6); c.lineTo(x + (w - gap) / 2, TOP); c.closePath(); c.fill();
        }
      }
      if (n <= 25 && (n <= 12 || k % 5 === 0)) {
        c.globalAlpha = k === at ? 1 : 0.75; c.fillStyle = t.text; c.textAlign = "center"; c.textBaseline = "top";
        c.fillText(String(k + this.bars.first), x + (w - gap) / 2, height - BOTTOM + 3);
      }
    }
    c.globalAlpha = 1;
    return at;
  }

  drawHover({ context: c, width, height }, at) {
    const { good, near, names } = this.bars, w = (width - LEFT - RIGHT) / names.length;
    c.strokeStyle = theme(this.canvas, this.palette).text;
    c.strokeRect(LEFT + at * w + 0.5, TOP + 0.5, w - 1, height - TOP - BOTTOM - 1);
    const words = good[at] < this.bars.held ? "Too few good samples" : "Held";
    this.tip.textContent = `${names[at]}: ${number(near[at])} times its fair share, ${near[at] ? whole((100 * good[at]) / near[at]) : 0} % of it good. ${words}.`;
    this.tip.style.left = `${Math.min(Math.max(0, LEFT + (at + 0.5) * w - 90), Math.max(0, width - 190))}px`;
  }
}
