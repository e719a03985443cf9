// The film of a run: its kept pictures and measurements, fetched once, so that going back and forth in it asks nobody. Between
// two pictures of points the points move evenly, because the same noise made both.

import { unpack } from "./wire.js";

const DECODED = 80e6; // bytes of decoded images that are kept
const FRESH = 900; // ms for which the film of a run that trains counts as up to date

export class Film {
  constructor(run) {
    this.run = run;
    this.steps = [];
    this.frames = []; // {header, arrays}, one for each step
    this.kept = []; // steps with a checkpoint
    this.asked = -Infinity;
    this.bitmaps = new Map();
    this.bytes = 0;
  }

  dispose() {
    for (const bitmap of this.bitmaps.values()) bitmap.close();
    this.bitmaps.clear();
  }

  get length() { return this.steps.length; }

  // Fetches what is new; whoever asks while that is under way waits for the same answer.
  refresh() {
    if (!this.pending && performance.now() - this.asked >= FRESH) this.pending = this.fetchNew().finally(() => { this.pending = null; });
    return this.pending || Promise.resolve();
  }

  // A film that was thinned meanwhile only keeps more pictures here than there.
  async fetchNew() {
    this.asked = performance.now();
    const last = this.steps.length ? this.steps[this.steps.length - 1] : -1;
    const answer = await fetch(new URL(`film/${this.run}?after=${last}`, document.baseURI), { signal: AbortSignal.timeout(15000) });
    if (!answer.ok) throw new Error((await answer.text()).slice(0, 200));
    const { header, arrays } = unpack(new Uint8Array(await answer.arrayBuffer()));
    Object.assign(this, { made: header.made, kept: header.kept, verdicts: header.verdicts, measured: arrays });
    header.steps.forEach((step, k) => { if (step > last) { this.steps.push(step); this.frames.push(unpack(arrays[`picture${k}`])); } });
  }

  // Where a step lies in the film: a number of pictures, with a fraction between two of them.
  place(step) {
    const { steps } = this;
    let k = 0;
    while (k + 1 < steps.length && steps[k + 1] <= step) k += 1;
    return k + 1 < steps.length ? k + Math.max(0, (step - steps[k]) / (steps[k + 1] - steps[k])) : k;
  }

  step(place) {
    const k = Math.floor(place), next = this.steps[k + 1];
    return next == null ? this.steps[k] : Math.round(this.steps[k] + (place - k) * (next - this.steps[k]));
  }

  // The picture at a place: of points, which move between two of them, or the nearest one of images.
  picture(place) {
    if (this.frames[0].header.kind !== "points") {
      const { header, arrays } = this.frames[this.nearest(place)];
      return { ...header, ...arrays };
    }
    const k = Math.min(Math.floor(place), this.length - 1), f = place - k, a = this.frames[k], b = this.frames[k + 1];
    if (!b || !f) return { ...a.header, ...a.arrays };
    const between = (x, y) => x.map((v, i) => v + f * (y[i] - v));
    const out = { ...a.header, ...a.arrays };
    for (const name of ["fake", "heat", "grid", "arrows"]) if (a.arrays[name] && b.arrays[name]) out[name] = between(a.arrays[name], b.arrays[name]);
    return out;
  }

  nearest(place) { return Math.max(0, Math.min(this.length - 1, Math.round(place))); }

  // The picture of images nearest to a place, decoded: an ImageBitmap.
  async image(place) {
    const k = this.nearest(place), step = this.steps[k];
    if (this.bitmaps.has(step)) return this.bitmaps.get(step);
    const bitmap = await createImageBitmap(new Blob([this.frames[k].arrays.png], { type: "image/png" }));
    if (this.bitmaps.has(step)) { bitmap.close(); return this.bitmaps.get(step); }
    this.bitmaps.set(step, bitmap);
    this.bytes += 4 * bitmap.width * bitmap.height;
    while (this.bytes > DECODED && this.bitmaps.size > 2) {
      const [oldest, gone] = this.bitmaps.entries().next().value;
      this.bytes -= 4 * gone.width * gone.height;
      gone.close();
      this.bitmaps.delete(oldest);
    }
    return bitmap;
  }

  // The last measurement up to a step: its row in the arrays, -1 before the first.
  row(step) {
    const { at } = this.measured;
    let k = -1;
    while (k + 1 < at.length && at[k + 1] <= step) k += 1;
    return k;
  }

  // The verdict as it was at a step; null before the first measurement.
  verdict(step) {
    return this.verdicts.reduce((found, v) => (v.step <= step ? v : found), null);
  }

  // The kept step that lies nearest to another one; null where there is none.
  nearestKept(step) {
    return this.kept.length ? this.kept.reduce((best, s) => (Math.abs(s - step) < Math.abs(best - step) ? s : best)) : null;
  }
}
