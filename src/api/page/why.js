// Says why something is as it is, by the daemon's own words, and offers what people can do.

import { find, give_back, icon, make, prose, replace, say } from "./dom.js";
import { get } from "./net.js";
import { away, clock, since } from "./time.js";

/** It is asked again at most so often. */
const AGAIN = 1_000;
const SLOWLY = 3_000;

export class Why {
  /** `tools.buttons(domain, entity)` returns what can be asked for; `tools.closed()` is told. */
  constructor(tools) {
    this.tools = tools;
    this.panel = find("why");
    this.about = undefined;
    find("why-close").addEventListener("click", () => this.close());
  }

  open(domain, entity, opener) {
    this.about = { domain, entity };
    this.opener = opener ?? this.opener;
    this.panel.hidden = false;
    document.body.classList.add("explains");
    say(find("why-title"), `Why ${entity || domain}`);
    find("why-body").replaceChildren(make("p", { class: "hint" }, "Asking …"));
    this.panel.focus({ preventScroll: true });
    this.panel.scrollIntoView?.({ block: "nearest" });
    this.ask();
  }

  close() {
    if (this.panel.hidden) return;
    this.about = undefined;
    this.panel.hidden = true;
    document.body.classList.remove("explains");
    this.tools.closed();
    if (!give_back(this.opener)) find("picture").focus();
  }

  /** Asks again, if that was not just done. */
  refresh() {
    if (!this.about || this.asking || performance.now() - (this.asked ?? 0) < AGAIN) return;
    this.ask();
  }

  /** As time passes, what is waited for comes nearer. */
  refresh_slowly() {
    if (performance.now() - (this.asked ?? 0) > SLOWLY) this.refresh();
  }

  async ask() {
    const { about } = this;
    this.asking = true;
    try {
      const name = encodeURIComponent(about.domain);
      const answer = await get(
        `/api/v1/domains/${name}/why?entity=${encodeURIComponent(about.entity)}`,
      );
      if (this.about === about) this.show(answer);
    } catch (error) {
      if (this.about === about) {
        const advice = error.advice ? ` ${error.advice}.` : "";
        replace(
          find("why-body"),
          make("p", { class: "error" }, `Not known: ${error.message}.${advice}`),
        );
      }
    } finally {
      this.asking = false;
      this.asked = performance.now();
    }
  }

  show(why) {
    const { domain, entity } = this.about;
    const advice = [...new Set(why.because.map((it) => it.advice).filter(Boolean))];
    const buttons = this.tools.buttons(domain, entity);
    replace(
      find("why-body"),
      make("p", { class: "answer" }, make("b", {}, why.state), ` ${why.text}`),
      ...(advice.length
        ? [make("p", { class: "next" }, icon("note"), make("span", {}, ...prose(advice.join(" "))))]
        : []),
      ...(buttons.length
        ? [
            make(
              "p",
              { class: "buttons", role: "group", "aria-label": "What can be done" },
              ...buttons,
            ),
          ]
        : []),
      make("h3", {}, "Because"),
      why.because.length
        ? make("ul", { class: "because" }, ...why.because.map(because_of))
        : make("p", {}, "Nothing speaks against it."),
      make("h3", {}, "Lately"),
      why.history.length
        ? make("ol", { class: "history" }, ...[...why.history].reverse().map(history_of))
        : make("p", { class: "hint" }, "Nothing is on record."),
    );
  }
}

function because_of(it) {
  const times = [
    it.since ? since(it.since) : "",
    it.until ? `until ${clock(it.until)}, ${away(it.until)}` : "",
  ];
  const hints = times.filter(Boolean).map((text) => make("span", { class: "hint" }, ` ${text}`));
  return make("li", {}, make("b", {}, it.rule), make("span", {}, ` ${it.text}`, ...hints));
}

function history_of(it) {
  const named = it.action ? it.step.replace("action", `action ${it.action}`) : it.step;
  const step = named.replaceAll("_", " ") + (it.gate ? ` by ${it.gate}` : "");
  return make(
    "li",
    {},
    make("time", { datetime: it.time }, clock(it.time)),
    make("b", {}, step),
    make("span", {}, ` ${it.text}`),
  );
}
