// How a view that holds controls of its own talks with the server: it asks the feed at once (GET explore/RUN, see ui/feed.py), and
// tells the page a little later what was chosen, for the address.

const LONGEST = 1000; // ms between an answer and the next question
const REFUSED = 500; // ms after an answer that was refused
const PAUSE = 200; // ms without a change until the page is told: keys and clicks come in rows
const TURNS = ["pointerdown", "focusin"]; // the person turns to something else, which may take the view away: the page is told first

export class Talk {
  // answered(bytes) for each answer; trouble(text) when none comes, "" when one came.
  constructor(answered, trouble) {
    Object.assign(this, { answered, trouble, next: null, busy: false, turn: 0, awaited: null, timer: null, due: null });
  }

  // Asks what a tool makes of a run. One question is under way at a time; of those that come meanwhile the latest is asked.
  async ask(run, query) {
    this.next = new URL(`explore/${run}?${query}`, document.baseURI);
    if (this.busy) return;
    this.busy = true;
    while (this.next) {
      const turn = this.turn, url = this.next, begun = performance.now();
      this.next = null;
      try {
        const answer = await fetch(url, { signal: AbortSignal.timeout(30000) });
        const bytes = answer.ok ? new Uint8Array(await answer.arrayBuffer()) : null, words = bytes ? "" : await answer.text();
        if (turn !== this.turn) continue;
        if (bytes) await this.answered(bytes);
        this.trouble(words.slice(0, 300));
        // while a run trains, which goes on beside; and where many ask
        const rest = answer.ok ? Number(answer.headers.get("X-Rest")) * (performance.now() - begun) : REFUSED;
        if (rest) await new Promise((done) => setTimeout(done, Math.min(rest, LONGEST)));
      } catch {
        if (turn === this.turn) this.trouble("No answer from the server.");
      }
    }
    this.busy = false;
  }

  // `text` stands for what is said, by which the page's next message is known to know of it.
  tell(text, say) {
    this.hush();
    this.awaited = text;
    this.due = () => { this.hush(); say(); };
    this.timer = setTimeout(this.due, PAUSE);
    for (const turn of TURNS) document.addEventListener(turn, this.due, true);
  }

  hush() {
    clearTimeout(this.timer);
    for (const turn of TURNS) document.removeEventListener(turn, this.due, true);
  }

  // Whether the page has not heard yet of what it was told last.
  get waits() { return this.awaited !== null; }

  // Whether a message of the page, which says `text`, is older than what it was told last.
  isBehind(text) {
    if (text === this.awaited) this.awaited = null;
    return this.waits;
  }

  // What is under way does not matter any more.
  drop() {
    this.turn += 1;
    this.next = this.awaited = null;
    this.hush();
  }
}
