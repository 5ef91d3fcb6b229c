// Shows events as they come, the newest first, and counts whether one is missing. However many
// come, they are drawn once per frame, and only so many exist as elements.

import { find, icon, make, once_per_frame, rove, say } from "./dom.js";
import { clock } from "./time.js";

/** So many are remembered, and so many shown at once. */
const KEPT = 20_000;
const SHOWN = 120;
const SHOWN_MAX = 1_200;

const RANK = { info: 0, warning: 1, critical: 2 };
const ICON = { info: "up", warning: "warning", critical: "critical" };

export class Timeline {
  /** `choose(domain, entity)` is told what somebody wants to know about. */
  constructor(choose) {
    this.choose = choose;
    this.list = find("events");
    this.all = [];
    /** Behind which number each run of numbers is, by domain and epoch. */
    this.heard = new Map();
    this.seen = 0;
    this.missed = 0;
    this.drawn_up_to = 0;
    this.count = 0;
    this.limit = SHOWN;
    this.least = "info";
    this.settle = rove(this.list);
    this.draw_soon = once_per_frame(() => this.draw());
    find("severity").addEventListener("change", (event) => this.show(event.target.value));
    find("newer").addEventListener("click", () => this.to_newest());
    find("older").addEventListener("click", () => this.show_older());
    this.list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.choose(button.dataset.domain, button.dataset.entity, button);
    });
    this.list.addEventListener("scroll", () => this.list.scrollTop === 0 && this.draw_soon(), {
      passive: true,
    });
  }

  /** Takes events in, the oldest first. */
  add(events) {
    for (const event of events) {
      if (this.is_new(event)) this.all.push(event);
    }
    if (this.all.length > KEPT) {
      const over = this.all.length - KEPT;
      this.all.splice(0, over);
      this.drawn_up_to = Math.max(0, this.drawn_up_to - over);
    }
    this.draw_soon();
  }

  /** Whether it was not told before; what should have come before it and did not is counted. */
  is_new({ domain = "-", epoch, seq }) {
    const run = `${domain}/${epoch}`;
    const before = this.heard.get(run);
    if (before !== undefined && seq <= before) return false;
    if (before !== undefined && seq > before + 1) this.miss(domain, seq - before - 1);
    this.heard.set(run, seq);
    this.seen += 1;
    return true;
  }

  miss(domain, count) {
    this.missed += count;
    const text = `${count} events were not told to this page`;
    this.all.push({ domain, event: "missed", severity: "warning", text });
  }

  fits(event) {
    return RANK[event.severity] >= RANK[this.least];
  }

  show(least) {
    this.least = least;
    this.limit = SHOWN;
    this.redraw();
  }

  show_older() {
    this.limit = Math.min(SHOWN_MAX, this.limit + SHOWN);
    this.redraw();
  }

  to_newest() {
    this.list.scrollTop = 0;
    this.draw();
    this.list.querySelector("button")?.focus();
  }

  redraw() {
    this.list.replaceChildren();
    this.drawn_up_to = 0;
    this.count = 0;
    this.draw(true);
  }

  /** Whether somebody reads further down, or has the focus here: then nothing moves below them. */
  is_read() {
    return this.list.scrollTop > 0 || this.list.contains(document.activeElement);
  }

  draw(is_forced = false) {
    this.list.dataset.seen = this.seen;
    this.list.dataset.missed = this.missed;
    const fresh = [];
    for (
      let at = this.all.length - 1;
      at >= this.drawn_up_to && fresh.length < this.limit;
      at -= 1
    ) {
      if (this.fits(this.all[at])) fresh.push(this.all[at]);
    }
    const waits = !is_forced && fresh.length > 0 && this.count > 0 && this.is_read();
    const newer = find("newer");
    newer.hidden = !waits;
    if (waits) {
      say(newer, `Show ${fresh.length === this.limit ? "what is new" : `${fresh.length} new`}`);
      return;
    }
    this.drawn_up_to = this.all.length;
    if (fresh.length) {
      this.list.prepend(...fresh.map((it) => row_of(it)));
      this.count += fresh.length;
      while (this.count > this.limit) {
        this.list.lastElementChild.remove();
        this.count -= 1;
      }
    }
    find("older").hidden = this.count < this.limit || this.limit >= SHOWN_MAX;
    this.settle();
  }
}

/** What an event is about, as it is asked for. */
export function entity_of({ database, slot, peer, pid, event }) {
  if (slot && database) return `${database}/${slot}`;
  if (peer && pid && event !== "process_failed" && event !== "process_left")
    return `${peer}/${pid}`;
  if (peer && pid) return `${peer}/${pid}`;
  return database ?? peer ?? "";
}

function row_of(event) {
  const { domain, severity, role, database, peer, text, cause, status_word } = event;
  const entity = entity_of(event);
  const kind = event.event.replaceAll("_", " ");
  const about = entity || domain || "the daemon";
  const details = [
    role && database && entity.startsWith(peer) ? `${role} of ${database}` : "",
    peer && !entity.startsWith(peer) ? `at ${peer}` : "",
    cause ? `cause ${cause}` : "",
    event.event === "process_status_changed" ? status_word : "",
    text ?? "",
  ];
  const rest = details.filter(Boolean).join(" · ");
  const label = `${severity}: ${kind}, ${about}`;
  const subject =
    domain && domain !== "-"
      ? make(
          "button",
          {
            type: "button",
            tabindex: -1,
            "data-domain": domain,
            "data-entity": entity,
            "data-key": event.id,
            "aria-label": `Why ${about}`,
          },
          about,
        )
      : make("span", {}, about);
  return make(
    "li",
    { "data-severity": severity, "data-event": event.event },
    make("time", { datetime: event.time }, clock(event.time)),
    make(
      "span",
      { class: "kind", title: label },
      icon(ICON[severity] ?? "note"),
      make("span", { class: "unseen" }, `${severity}: `),
      kind,
    ),
    make("div", {}, subject, rest ? make("span", { class: "rest" }, ` ${rest}`) : ""),
  );
}
