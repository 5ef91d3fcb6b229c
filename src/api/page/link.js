// Keeps what the page shows as fresh as the daemon's: events as they come, the status when they say
// that it changed. Comes back by itself, for ever, and says how it stands.

import { Refused, get, stream, token } from "./net.js";

/** Two pictures are at least so far apart, and as much further as one costs to get and draw. */
const PAUSE = 300;
const PAUSE_BY_COST = 6;

/** Without news it is looked all the same. */
const IDLE = 5_000;
const IDLE_HIDDEN = 30_000;

/** While something is under way, times change though nothing is told. */
const IDLE_BUSY = 1_500;

/** After a failure the first try comes soon, the others at most so far apart. */
const RETRY_FIRST = 500;
const RETRY_MAX = 8_000;

/** A page that nobody looks at for so long lets go of its stream: browsers have few. */
const LETS_GO = 300_000;

function attempt(run, broke) {
  try {
    run();
  } catch (error) {
    broke(error);
  }
}

export class Link {
  /** `tell` has `status(status)`, `events(events)`, `state(state)` and `broke(error)`. */
  constructor(tell) {
    this.tell = tell;
    this.state = { daemon: "asking", stream: "asking", since: Date.now(), seen: 0, why: "" };
    this.position = "";
    this.busy = false;
    this.restarts = new AbortController();
    this.wake = () => {};
    document.addEventListener("visibilitychange", () => this.look());
  }

  start() {
    this.keep_status();
    this.keep_stream();
  }

  /** Has everything asked anew, such as with another token. */
  restart() {
    this.position = "";
    this.restarts.abort();
    this.restarts = new AbortController();
    this.look();
  }

  /** Has the status asked for soon. */
  look() {
    this.wanted = true;
    this.wake();
  }

  become(change) {
    const before = this.state;
    const since = change.daemon && change.daemon !== before.daemon ? Date.now() : before.since;
    this.state = { ...before, since, ...change };
    this.tell.state(this.state, before);
  }

  sleep(milliseconds) {
    return new Promise((done) => {
      const timer = setTimeout(done, milliseconds);
      this.wake = () => {
        if (!this.wanted) return;
        clearTimeout(timer);
        done();
      };
      this.wake();
    });
  }

  async keep_status() {
    let failures = 0;
    for (;;) {
      const began = performance.now();
      this.wanted = false;
      let status;
      try {
        status = await get("/api/v1/status");
        failures = 0;
        this.become({ daemon: "there", seen: Date.now(), why: "" });
      } catch (error) {
        failures += 1;
        this.fail(error);
      }
      // What goes wrong in drawing is the page's fault, and not said of the daemon.
      if (status) attempt(() => this.tell.status(status), this.tell.broke);
      const cost = performance.now() - began;
      if (failures) {
        this.wanted = false;
        await this.sleep(Math.min(RETRY_MAX, RETRY_FIRST * 2 ** (failures - 1)));
      } else {
        await new Promise((done) => setTimeout(done, Math.max(PAUSE, cost * PAUSE_BY_COST)));
        await this.sleep(document.hidden ? IDLE_HIDDEN : this.busy ? IDLE_BUSY : IDLE);
      }
    }
  }

  fail(error) {
    const is_denied = error instanceof Refused && [401, 403].includes(error.status);
    // Browsers say that nothing was fetched, each in words of its own.
    const why =
      error instanceof Refused
        ? error.message
        : error.name === "TimeoutError"
          ? "it does not answer"
          : "it cannot be reached";
    this.become({ daemon: is_denied ? "denied" : "lost", why, has_token: token() !== "" });
  }

  async keep_stream() {
    let failures = 0;
    for (;;) {
      const over = this.restarts.signal;
      try {
        await this.while_seen();
        const from = this.position ? "" : "?last=200";
        await stream(
          `/api/v1/events/stream${from}`,
          this.position,
          this.let_go(over),
          (events, position) => {
            failures = 0;
            if (position) this.position = position;
            if (this.state.stream !== "there") this.become({ stream: "there" });
            if (!events.length) return;
            attempt(() => this.tell.events(events), this.tell.broke);
            this.look();
          },
        );
      } catch (error) {
        // A position that is not understood any more would not be understood again.
        if (error instanceof Refused && error.status === 400) this.position = "";
      }
      failures += 1;
      this.become({ stream: "broken" });
      // Whether the daemon is still there is for the status to find out, at once.
      this.look();
      if (over.aborted) continue;
      const pause =
        Math.min(RETRY_MAX, RETRY_FIRST * 2 ** (failures - 1)) * (0.75 + Math.random() / 2);
      await new Promise((done) => setTimeout(done, pause));
    }
  }

  /** Waits until somebody looks. */
  while_seen() {
    if (!document.hidden) return undefined;
    return new Promise((done) => {
      document.addEventListener("visibilitychange", done, { once: true });
    });
  }

  /** Returns what ends a stream: somebody asks anew, or nobody has looked for a while. */
  let_go(over) {
    const unseen = new AbortController();
    let timer;
    const look = () => {
      clearTimeout(timer);
      if (document.hidden) timer = setTimeout(() => unseen.abort(), LETS_GO);
    };
    document.addEventListener("visibilitychange", look, { signal: unseen.signal });
    over.addEventListener("abort", () => unseen.abort());
    look();
    return unseen.signal;
  }
}
