// Says at a glance how it is, what is wrong with what to do next, and whether that is old news.

import { find, icon, make, prose, replace, say } from "./dom.js";
import { get } from "./net.js";
import { LEVELS, verdict_of } from "./problems.js";
import { clock, length } from "./time.js";

export const ICONS = {
  critical: "critical",
  warning: "warning",
  work: "healing",
  note: "fine",
  fine: "fine",
};
const WORDS = { critical: "Now", warning: "To look at", work: "Being healed", note: "Note" };

/** So many problems are listed; of the first of them it is asked why. */
const LISTED = 40;
const ASKED = 6;
const ASKED_AGAIN = 2_000;

/** After so long without an answer what is shown is called old. */
const OLD = 20_000;

export class Verdict {
  /** `choose(domain, entity, opener)` and `button(word, domain, target)`. */
  constructor(tools) {
    this.tools = tools;
    this.reasons = new Map();
    this.problems = [];
    find("problem-list").addEventListener("click", (event) => {
      const button = event.target.closest("button[data-why]");
      if (button) this.tools.choose(button.dataset.domain, button.dataset.why, button);
    });
  }

  update(model, problems) {
    this.model = model;
    this.problems = problems;
    this.draw();
    this.ask_why();
  }

  draw() {
    const { problems } = this;
    const told = problems.slice(0, LISTED).map((it) => this.item(it));
    if (problems.length > LISTED) {
      told.push(make("li", { class: "hint" }, `and ${problems.length - LISTED} more`));
    }
    if (!told.length) told.push(make("li", { class: "hint" }, "Nothing is wrong."));
    replace(find("problem-list"), ...told);
    this.draw_verdict();
  }

  item(problem) {
    const { level, key, title, text, next, domain, entity, asks = [], target = entity } = problem;
    const reason = this.reasons.get(key);
    const buttons = asks.map((word) => this.tools.button(word, domain, target));
    if (entity !== undefined) {
      buttons.unshift(
        make(
          "button",
          {
            type: "button",
            "data-key": `why ${key}`,
            "data-domain": domain,
            "data-why": entity,
            "aria-label": `Why: ${title}`,
          },
          "Why?",
        ),
      );
    }
    const says = [text, reason?.text].filter(Boolean).join(" ");
    return make(
      "li",
      { "data-level": level },
      make(
        "p",
        { class: "title" },
        icon(ICONS[level] === "fine" ? "note" : ICONS[level]),
        make("span", { class: "level" }, WORDS[level]),
        make("b", {}, this.named(problem)),
      ),
      says ? make("p", { class: "text" }, says) : "",
      next
        ? make("p", { class: "next" }, make("b", {}, "Next: "), ...prose(reason?.advice ?? next))
        : "",
      buttons.length ? make("p", { class: "buttons" }, ...buttons) : "",
    );
  }

  /** What it is about, with the domain where there are several. */
  named({ domain, title }) {
    const is_said = this.model.domains.length < 2 || !domain || title.startsWith(`${domain}:`);
    return is_said ? title : `${domain}: ${title}`;
  }

  /** Has the daemon itself say why, of the first things that are wrong. */
  async ask_why() {
    const first = this.problems.filter((it) => it.explains).slice(0, ASKED);
    const about = first.map((it) => it.key).join("\n");
    const is_asked = about === this.about && performance.now() - this.asked < ASKED_AGAIN;
    if (this.asking || is_asked) return;
    this.asking = true;
    this.about = about;
    this.asked = performance.now();
    const reasons = new Map();
    await Promise.all(
      first.map(async ({ key, domain, entity }) => {
        try {
          const name = encodeURIComponent(domain);
          const why = await get(`/api/v1/domains/${name}/why?entity=${encodeURIComponent(entity)}`);
          const advice = why.because.map((it) => it.advice).filter(Boolean)[0];
          const text = `${why.text[0]?.toUpperCase() ?? ""}${why.text.slice(1)}.`;
          reasons.set(key, { text, advice });
        } catch {
          // Without a reason there still is what the page itself makes of it.
        }
      }),
    );
    this.asking = false;
    this.reasons = reasons;
    if (first.length) this.draw();
  }

  draw_verdict() {
    if (!this.model) return;
    const known = verdict_of(this.problems, this.model);
    const { level, title, text } = this.lost() ?? known;
    const box = find("verdict");
    if (box.dataset.level !== level) {
      box.dataset.level = level;
      find("verdict-icon").setAttribute(
        "href",
        `#i-${level === "lost" ? "unreachable" : ICONS[level]}`,
      );
    }
    say(find("verdict-title"), title);
    say(find("verdict-text"), text);
    this.announce(level, title);
    const count = this.problems.filter((it) => LEVELS.indexOf(it.level) < 2).length;
    const sign = { critical: "✖", warning: "▲", work: "↻", lost: "?" }[level] ?? "✔";
    document.title = `${sign} ${level === "lost" ? "lost" : count || ""} dbwarden`.replace(
      "  ",
      " ",
    );
  }

  /** Reads out what changed: what is bad at once, the rest when there is time. */
  announce(level, title) {
    const first = this.problems[0];
    const says = first && level !== "lost" ? `${title}: ${first.title}` : title;
    if (says === this.announced) return;
    const is_bad = ["critical", "lost"].includes(level) && level !== this.announced_level;
    this.announced = says;
    this.announced_level = level;
    say(find(is_bad ? "alarm" : "announce"), says);
  }

  /** What to say instead if the daemon itself is not there. */
  lost() {
    const { daemon, since, why } = this.link ?? {};
    if (daemon === "denied")
      return { level: "lost", title: "Not let in", text: `${why}: show a token.` };
    if (daemon !== "lost") return undefined;
    const ago = length(Date.now() - since);
    return {
      level: "lost",
      title: "This page lost the daemon",
      text: `For ${ago}: ${why}. It is tried again by itself.`,
    };
  }

  tell_link(state) {
    this.link = state;
    document.body.dataset.link = state.daemon;
    document.body.dataset.stream = state.stream;
    if (!this.model && state.daemon === "lost") {
      find("verdict").dataset.level = "lost";
      say(find("verdict-title"), "The daemon does not answer");
      say(find("verdict-text"), `${state.why}. Is dbwarden running? It is tried again by itself.`);
      say(find("alarm"), "The daemon does not answer");
    }
    this.tick(this.model);
  }

  /** Says how things stand with the daemon, and how old what is shown is. */
  tick() {
    const { daemon, stream, seen } = this.link ?? {};
    const age = Date.now() - seen;
    const words = {
      there: "connected",
      lost: "daemon lost",
      denied: "not let in",
      asking: "connecting …",
    };
    const is_late = daemon === "there" && age > OLD && !document.hidden;
    say(find("link"), is_late ? `silent for ${length(age)}` : (words[daemon] ?? ""));
    find("link").dataset.state = is_late ? "late" : (daemon ?? "asking");
    say(
      find("stream"),
      { there: "as they come", broken: "interrupted; goes on by itself", asking: "…" }[stream] ??
        "",
    );
    this.draw_verdict();
    const stale = (this.model?.domains ?? []).filter(
      (it) => it.freshness !== "synced" || it.problem,
    );
    const parts = [];
    if (seen && (is_late || daemon === "lost" || daemon === "denied")) {
      parts.push(
        `What you see is ${length(age)} old: the daemon does not tell this page how it is now.`,
      );
    }
    for (const it of stale) {
      parts.push(
        it.since && it.freshness === "stale"
          ? `What you see of ${it.name} is of ${clock(it.since)}: there is no session to a broker.`
          : `Nothing is known of ${it.name}: ${it.problem ?? "there never was a session"}.`,
      );
    }
    const old = find("old");
    if (old.innerText !== parts.join("\n"))
      old.replaceChildren(...parts.map((it) => make("span", {}, it)));
    old.hidden = parts.length === 0;
    document.body.classList.toggle("old", Boolean(seen) && daemon !== "there");
  }
}
