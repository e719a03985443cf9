// Keeps a view up to date: asks the server a few times a second how things stand, and hands each answer to the view.

const PERIOD = 470; // ms between two questions: at least twice a second
const SLOW_PERIOD = 2500; // ms, for what has ended, and for a page that nobody sees

// `view` has update(bytes) -> header with live, status and version; notify(status) when the page must run again; trouble(text)
// when no answer comes; hasPicture.
export class Feed {
  constructor(view) {
    this.view = view;
    this.address = null;
    this.turn = 0; // moves on with every message from the page, so that only one question is under way
    this.failures = 0;
    this.woken = () => { if (!document.hidden) this.askLater(0); };
    document.addEventListener("visibilitychange", this.woken);
  }

  dispose() {
    this.turn += 1; // whatever is still on its way finds itself out of date
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.woken);
  }

  // What the page has just shown: from now on this address is asked. Without one there is nothing to ask.
  follow(address, header) {
    Object.assign(this, { address, live: header.live, pageStatus: header.status, version: header.version, failures: 0 });
    this.turn += 1;
    this.askLater(PERIOD);
  }

  askLater(delay) {
    clearTimeout(this.timer);
    if (!this.address) return;
    // what has ended may be taken up again, here or elsewhere; until the first picture is there, it is asked for more often
    const slow = !this.live || document.hidden;
    const wait = slow ? SLOW_PERIOD : this.view.hasPicture ? delay : Math.min(delay, 120);
    this.timer = setTimeout(() => this.ask(), wait);
  }

  async ask() {
    const turn = this.turn, begun = performance.now();
    const answer = await this.answer();
    if (turn !== this.turn) return;
    if (answer.bytes) {
      const header = this.view.update(answer.bytes);
      this.live = header.live;
      this.version = header.version;
      if (header.status !== this.pageStatus) { this.pageStatus = header.status; this.view.notify(header.status); }
    } else if (answer.gone) {
      this.address = null;
      this.view.notify("gone");
    }
    this.failures = answer.problem ? this.failures + 1 : 0;
    if (this.failures >= 3) this.view.trouble(answer.problem);
    this.askLater(Math.max(100, PERIOD - (performance.now() - begun)));
  }

  async answer() {
    try {
      const address = new URL(this.address, document.baseURI);
      address.searchParams.set("known", this.version);
      const answer = await fetch(address, { signal: AbortSignal.timeout(10000) });
      if (answer.status === 200) return { bytes: new Uint8Array(await answer.arrayBuffer()) };
      if (answer.status === 404) return { gone: true };
      return answer.status === 204 ? {} : { problem: (await answer.text()).slice(0, 200) };
    } catch {
      return { problem: "No answer from the server" };
    }
  }
}

const HEARD = 1000; // ms in which the page has heard what a view said, unless it computes

// One view for each place on the page, made at its first message: what a component's module exports.
//
// Until a page runs, Streamlit keeps the last that a view has said. So a changed status, which the page sees by itself when it
// runs for whatever reason, waits a while behind what a person did.
export function views(make) {
  const all = new WeakMap(), spoken = new WeakMap(); // place -> its view, and when a person last did something on it
  return {
    render(component) {
      const { parentElement, data } = component;
      if (!all.has(parentElement)) all.set(parentElement, make(parentElement));
      const view = all.get(parentElement);
      view.trigger = (name, value) => {
        const now = performance.now(), wait = name === "status" ? (spoken.get(parentElement) ?? -HEARD) + HEARD - now : 0;
        if (wait > 0) { setTimeout(() => { if (all.has(parentElement)) view.trigger(name, value); }, wait); return; }
        if (name !== "status") spoken.set(parentElement, now);
        component.setTriggerValue(name, value);
      };
      view.keep = (name, value) => component.setStateValue(name, value);
      if (data && data.length) view.take(data);
    },
    dispose(parentElement) {
      all.get(parentElement)?.dispose();
      all.delete(parentElement);
    },
  };
}
