// The line below a picture that goes back and forth in the film of a run: play, drag, fork, save.

import { whole } from "./draw.js";
import { Film } from "./film.js";
import { Replay } from "./replay.js";

const FINE = 100; // positions of the handle for each picture
const UNREAD = 1000; // positions while the film is not here yet
const HTML = `<div class="way"><button type="button" class="replay" aria-label="Replay" title="Plays the run from its beginning. The arrow keys go on and back by one picture.">▶</button>
  <input type="range" min="0" max="${UNREAD}" value="${UNREAD}" step="1" aria-label="Step of the replay">
  <span class="when"></span></div>
  <div class="acts"><button type="button" class="fork"></button>
  <button type="button" class="now" title="Back to how the run stands now">Back to now</button>
  <button type="button" class="whole-system" aria-pressed="false" title="The whole system as a picture: noise, both networks, samples, losses">System</button>
  <button type="button" class="slow" title="Takes one training step and tells it stage by stage">Slow step</button>
  <button type="button" class="onward" hidden aria-pressed="false" title="After each slow step the next one, until this is switched off">Keep going</button>
  <details class="save"><summary>Save</summary><div><a data-kind="gif">GIF</a><a data-kind="webp">WebP</a><a data-kind="png">Filmstrip (PNG)</a></div></details></div>`;

export class Scrubber {
  // `show(film, place)` draws a moment, `show(null)` the present; `fork(step)` is called with a kept step.
  constructor(box, show, fork) {
    box.innerHTML = HTML;
    Object.assign(this, { box, show, film: null, place: null });
    this.find = (selector) => box.querySelector(selector);
    this.replay = new Replay(this.find(".replay"));
    this.input = this.find("input");
    this.input.oninput = () => { this.replay.pause(); this.go(); };
    box.onkeydown = (e) => { // also on the slider, where a browser would move by a hair
      const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (!by) return;
      e.preventDefault();
      e.stopPropagation();
      this.move(by);
    };
    this.find(".replay").onclick = () => (this.replay.playing ? this.replay.pause() : this.play());
    this.find(".now").onclick = () => this.leave();
    this.find(".fork").onclick = () => { const step = this.forkable(); if (step != null) { this.find(".fork").disabled = true; fork(step); } }; // once: a second press would fork the fork
  }

  dispose() { this.replay.pause(); this.film?.dispose(); }

  // Which run it is about, and whether it has a film; a new run begins in the present.
  follow(run, available, step, made) {
    this.available = Boolean(run && available);
    this.box.style.visibility = this.available ? "visible" : "hidden";
    if (run !== this.run) {
      this.replay.pause();
      this.film?.dispose();
      this.film = run ? new Film(run) : null;
      this.run = run;
      if (this.place != null) { this.place = null; this.show(null); } // no line of another run in the curves
      this.input.value = this.input.max = UNREAD;
      for (const link of this.box.querySelectorAll("a")) { link.href = `movie/${run}/${link.dataset.kind}`; link.download = ""; }
    }
    if (this.film?.length && made > this.film.made && step < this.film.steps.at(-1)) { // taken up again from an earlier checkpoint: the rest is made anew
      this.leave();
      this.film.dispose();
      this.film = new Film(run);
    }
    this.last = step;
    if (this.place == null) this.label();
  }

  get active() { return this.place != null; }

  forkable() { return this.film?.nearestKept(this.place == null ? this.last : this.film.step(this.place)); }

  async load() {
    const { film } = this;
    try {
      await film.refresh();
    } catch (error) {
      if (film === this.film) this.find(".when").textContent = `The film cannot be read: ${error.message || "no answer from the server"}`;
      return false;
    }
    if (film !== this.film || !film.length) return false;
    this.input.max = Math.max(1, film.length - 1) * FINE;
    return true;
  }

  // To where the handle stands; what is loaded is shown at once, and what is new is asked for beside it.
  async go() {
    this.share = this.input.value / this.input.max;
    if (this.film.length) {
      this.load();
      this.at(this.input.value / FINE);
    } else if (await this.load()) {
      this.at(this.share * (this.film.length - 1));
    }
  }

  // One picture on or back: what the arrow keys do.
  async move(by) {
    if (!this.available || !(await this.load())) return;
    this.replay.pause();
    const now = this.place == null ? this.film.length - 1 : this.place;
    this.at(Math.round(now + by));
  }

  at(wanted) {
    const place = Math.max(0, Math.min(this.film.length - 1, wanted));
    this.place = place;
    this.input.value = Math.round(place * FINE);
    this.show(this.film, place);
    this.label();
  }

  label() {
    const set = (selector, text) => { const e = this.find(selector); if (e.textContent !== text) e.textContent = text; };
    const past = this.place != null;
    set(".when", past ? `Step ${whole(this.film.step(this.place))}` : "Now");
    this.find(".now").style.visibility = past ? "visible" : "hidden";
    if (!past) this.input.value = this.input.max;
    const kept = this.forkable();
    set(".fork", past && kept != null ? `Fork from step ${whole(kept)}` : "Fork from here");
    this.find(".fork").disabled = !past || kept == null;
    this.find(".fork").title = past ? "A new run that goes on from the kept step nearest to here. This one stays as it is." : "Go back in the run first: drag the handle to the left.";
    this.box.dataset.place = past ? this.place.toFixed(2) : "";
    this.box.dataset.kept = kept ?? "";
  }

  play() {
    const from = (last) => (this.place == null || this.place >= last ? 0 : this.place);
    this.replay.play(() => this.available && this.load(), from, () => this.film.length, (place) => this.at(place));
  }

  leave() {
    this.replay.pause();
    this.place = null;
    this.show(null);
    this.label();
  }
}
