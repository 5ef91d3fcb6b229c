// Puts the parts together: what the link hears goes to the verdict, the picture and the timeline.

import { Ask } from "./ask.js";
import { find, icon, make, once_per_frame, replace, say } from "./dom.js";
import { Link } from "./link.js";
import { filtered, understand } from "./model.js";
import { get } from "./net.js";
import { Picture, draw_legend } from "./picture.js";
import { TITLES, level_of, problems_of } from "./problems.js";
import { learn_clock } from "./time.js";
import { Timeline } from "./timeline.js";
import { ICONS, Verdict } from "./verdict.js";
import { Why } from "./why.js";

class Page {
  constructor() {
    this.me = { role: "viewer" };
    this.shown = { domain: undefined, states: new Set(), text: "" };
    this.verdict = new Verdict({
      choose: (domain, entity, opener) => this.choose(domain, entity, opener),
      button: (...about) => this.button(...about),
    });
    this.ask = new Ask((text) => {
      say(find("announce"), text);
      this.link.look();
      this.why.refresh();
    });
    this.picture = new Picture((entity, opener) =>
      this.choose(this.domain()?.name, entity, opener),
    );
    this.timeline = new Timeline((domain, entity, opener) => this.choose(domain, entity, opener));
    this.why = new Why({
      buttons: (domain, entity) => this.buttons(domain, entity),
      closed: () => this.choose_none(),
    });
    this.link = new Link({
      status: (status) => this.hear(status),
      events: (events) => this.timeline.add(events),
      state: (state, before) => this.feel(state, before),
      broke: (error) => this.break_down(error),
    });
    this.draw_soon = once_per_frame(() => this.draw());
    this.listen();
  }

  start() {
    this.who_am_i();
    this.link.start();
    setInterval(() => this.tick(), 1000);
  }

  listen() {
    find("find").addEventListener("input", (event) => {
      this.shown.text = event.target.value;
      this.draw_soon();
    });
    find("token").addEventListener("click", (event) => this.sign_in(event.currentTarget));
    addEventListener("keydown", (event) => this.key(event));
    addEventListener("hashchange", () => this.follow_hash());
    matchMedia("(max-width: 40rem)").addEventListener("change", this.draw_soon);
  }

  sign_in(opener) {
    this.ask.token(() => {
      this.who_am_i();
      this.link.restart();
    }, opener);
  }

  /** Finds out what whoever looks may do. */
  async who_am_i() {
    try {
      this.me = await get("/api/v1/me");
    } catch {
      this.me = { role: "viewer" };
    }
    const { name, role } = this.me;
    say(find("who"), name ? `${name}, ${role}` : role);
    this.draw_soon();
    if (this.why.about) this.why.ask();
  }

  hear(status) {
    const began = performance.now();
    this.model = understand(status);
    const [first] = status.domains;
    if (first?.time) learn_clock(first.time);
    say(find("version"), status.daemon.version);
    this.link.busy = this.model.domains.some(
      (it) => it.tally.has("missing") || it.tally.has("healing"),
    );
    this.draw();
    this.why.refresh();
    if (!this.was_here) this.follow_hash();
    this.was_here = true;
    document.body.dataset.drawn = Math.round(performance.now() - began);
    document.body.dataset.pictures = Number(document.body.dataset.pictures ?? 0) + 1;
  }

  /** A mistake of the page itself; it must not look as if all were well. */
  break_down(error) {
    console.error(error);
    const text = `This page broke while it drew what the daemon told (${error.message}).`;
    say(find("broken"), `${text} Do not trust it: reload it, or ask dbwarden status.`);
    find("broken").hidden = false;
  }

  /** The link to the daemon is another one. */
  feel(state, before) {
    this.state = state;
    if (state.daemon === "there" && before.daemon !== "there") this.who_am_i();
    if (state.daemon === "denied" && before.daemon !== "denied" && !find("ask").open) {
      this.sign_in(find("token"));
    }
    this.verdict.tell_link(state);
  }

  domain() {
    const { domains } = this.model ?? { domains: [] };
    return domains.find((it) => it.name === this.shown.domain) ?? domains[0];
  }

  draw() {
    if (!this.model) return;
    this.problems = problems_of(this.model);
    this.verdict.update(this.model, this.problems);
    const domain = this.domain();
    this.draw_domains(domain);
    find("grid").hidden = !domain;
    if (!domain) return this.say_nothing("No domain is watched: the configuration has none.");
    const { states, text } = this.shown;
    const shown = filtered(domain, states, text);
    replace(find("legend"), ...draw_legend(domain, states, (name) => this.toggle(name)));
    const is_old = domain.freshness !== "synced" || Boolean(domain.problem);
    find("picture").classList.toggle("stale", is_old);
    this.picture.update(domain, shown, this.chosen(domain));
    find("grid").hidden = shown.rows.length === 0;
    this.say_nothing(
      shown.rows.length
        ? ""
        : text || states.size
          ? "Nothing of that is here."
          : "No peer is known yet.",
    );
    return undefined;
  }

  chosen(domain) {
    const { about } = this.why;
    return about?.domain === domain.name ? about.entity : undefined;
  }

  say_nothing(text) {
    say(find("nothing"), text);
    find("nothing").hidden = text === "";
  }

  /** Has a button for each domain, if there are several, with how each of them is. */
  draw_domains(shown) {
    const { domains } = this.model;
    const buttons = domains.map((it) => {
      const level = level_of(this.problems.filter((problem) => problem.domain === it.name));
      return make(
        "button",
        {
          type: "button",
          class: "chip",
          "data-key": `domain ${it.name}`,
          "data-level": level,
          "aria-label": `${it.name}: ${TITLES[level]}`,
          "aria-pressed": String(it === shown),
          onclick: () => this.show_domain(it.name),
        },
        icon(ICONS[level]),
        it.name,
      );
    });
    replace(find("domains"), ...(buttons.length > 1 ? buttons : []));
    if (shown) say(find("picture-title"), `Peers and databases of ${shown.name}`);
  }

  show_domain(name) {
    if (this.shown.domain !== name) this.shown.states.clear();
    this.shown.domain = name;
    this.draw_soon();
  }

  toggle(state) {
    if (!this.shown.states.delete(state)) this.shown.states.add(state);
    this.draw_soon();
  }

  /** Somebody wants to know why something is as it is. */
  choose(domain, entity, opener) {
    if (!domain || entity === undefined) return;
    this.shown.domain = domain;
    this.why.open(domain, entity, opener);
    history.replaceState(null, "", `#${encodeURIComponent(domain)}/${encodeURI(entity)}`);
    this.draw_soon();
  }

  choose_none() {
    history.replaceState(null, "", location.pathname);
    this.draw_soon();
  }

  /** An address names what it is about, so that it can be sent to others. */
  follow_hash() {
    const [, domain, entity] = /^#([^/]+)\/(.*)$/.exec(location.hash) ?? [];
    if (!domain) return;
    try {
      this.choose(decodeURIComponent(domain), decodeURI(entity));
    } catch {
      // An address that does not read names nothing.
    }
  }

  button(word, domain, target) {
    return this.ask.button(word, domain, target, this.me.role === "operator");
  }

  /** Returns what can be asked for of something. */
  buttons(domain_name, entity) {
    const domain = this.model?.domains.find((it) => it.name === domain_name);
    if (!domain) return [];
    const asked = words_for(domain, entity);
    return asked.map(([word, target]) => this.button(word, domain_name, target || domain_name));
  }

  /** Time passes. */
  tick() {
    this.verdict.tick(this.model);
    if (this.state?.daemon === "there" && !document.hidden) this.why.refresh_slowly();
  }

  key(event) {
    const is_typing = event.target.matches("input, select, textarea");
    if (event.key === "Escape" && !find("ask").open) {
      if (is_typing) event.target.blur();
      else this.why.close();
      return;
    }
    if (is_typing || find("ask").open || event.ctrlKey || event.altKey || event.metaKey) return;
    const go = { p: "problems", e: "timeline", "/": "find" }[event.key];
    if (event.key === "g") this.picture.focus();
    else if (go) find(go).focus();
    else return;
    event.preventDefault();
  }
}

/** Returns what makes sense to ask for, and of what: of a process, what concerns its seat too. */
function words_for(domain, entity) {
  const name_of = (it) => `${it.database}/${it.slot}`;
  const sits = (it) => it.phase === "filled" && `${it.peer}/${it.pid}` === entity;
  const slot = domain.slots.find((it) => name_of(it) === entity || sits(it));
  const is_database = domain.databases.has(entity);
  const holds = domain.orders.on.hold;
  const words = [];
  if (slot) {
    const seat = name_of(slot);
    words.push([holds.has(seat) || slot.phase === "held" ? "release" : "hold", seat]);
    if (["vacant", "leaving"].includes(slot.phase)) words.push(["retry", seat]);
  }
  if (is_database) {
    const of_it = domain.slots.filter((it) => it.database === entity);
    if (holds.has(entity) || of_it.some((it) => it.phase === "held"))
      words.push(["release", entity]);
    if (!holds.has(entity)) words.push(["hold", entity]);
    if (of_it.some((it) => it.phase === "vacant")) words.push(["retry", entity]);
  }
  const is_worked_at = domain.orders.on.maintenance.has(entity || "the domain");
  words.push([is_worked_at ? "maintenance/end" : "maintenance", entity]);
  return words;
}

const page = new Page();
page.start();
