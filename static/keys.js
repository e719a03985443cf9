// Keys of a page on which a run is watched: space, s and the arrows, wherever the focus is on nothing that uses keys itself.

const TAKES_KEYS = "input, textarea, select, button, a[href], summary, [contenteditable], [role=button], [role=slider], [role=combobox], [role=dialog], [role=menu]";

export class Keys {
  // `move(by)` goes back and forth in the film; the page's buttons are pressed, so that a key never does what a button would not.
  constructor(move) {
    this.move = move;
    this.listen = (e) => this.press(e);
    this.on = false;
  }

  // Only the wide view of a page listens; of two views side by side, none.
  enable(on) {
    if (on === this.on) return;
    this.on = on;
    if (on) document.addEventListener("keydown", this.listen);
    else document.removeEventListener("keydown", this.listen);
  }

  dispose() { this.enable(false); }

  press(e) {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
    if (e.composedPath().some((place) => place.matches?.(TAKES_KEYS))) return;
    const arrow = { ArrowLeft: -1, ArrowRight: 1 }[e.key], button = { " ": "main", s: "step" }[e.key];
    if (arrow) this.move(arrow);
    else if (button && !e.repeat) document.querySelector(`.st-key-${button} button:enabled`)?.click();
    else if (e.key !== " ") return; // a held space shall not scroll the page either
    e.preventDefault();
  }
}
