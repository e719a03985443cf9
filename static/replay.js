// Playing: a place among pictures that moves on by itself, until its end or until somebody takes over.

export class Replay {
  constructor(button) {
    Object.assign(this, { button, turn: null, timer: null });
  }

  get playing() { return this.timer !== null; }

  // From a place on through so many pictures, once they are `loaded()`; `at(place)` is told where it is.
  async play(loaded, from, count, at) {
    const turn = (this.turn = {}); // a later press, or a pause, takes it over
    if (!(await loaded()) || this.turn !== turn) return;
    const last = count() - 1, speed = Math.max(4, Math.min(30, count() / 6)); // pictures a second
    let place = from(last), before = null;
    at(place);
    const tick = (now) => {
      if (this.turn !== turn) return;
      place += before == null ? 0 : (speed * (now - before)) / 1000;
      before = now;
      at(Math.min(place, last));
      if (place < last) this.timer = requestAnimationFrame(tick);
      else this.pause();
    };
    this.timer = requestAnimationFrame(tick);
    this.button.textContent = "❚❚";
  }

  pause() {
    this.turn = null;
    cancelAnimationFrame(this.timer);
    this.timer = null;
    this.button.textContent = "▶";
  }
}
