// Asks people before it asks the daemon: what, on what, why, for how long. Only for operators.

import { find, give_back, make, say } from "./dom.js";
import { owner, post, sign_in, token } from "./net.js";

const REASON = {
  name: "reason",
  label: "Reason",
  hint: "is on record, and told to others",
  max: 512,
};

const SPANS = [
  [900, "15 minutes"],
  [3600, "1 hour"],
  [7200, "2 hours"],
  [14400, "4 hours"],
  [28800, "8 hours"],
  [86400, "1 day"],
  [604800, "7 days"],
];

/** What can be asked for: how it is called, what it does, what must be said with it. */
const WORDS = {
  hold: {
    title: "Hold",
    text: "Nothing is started there until somebody releases it.",
    reason: "must",
  },
  release: {
    title: "Release",
    text: "It is healed again, as if for the first time.",
    reason: "may",
  },
  retry: {
    title: "Retry now",
    text: "The next try comes now, and the failures before are forgotten.",
    reason: "may",
  },
  maintenance: {
    title: "Maintenance",
    text: "It is watched, and nothing is started for what it covers until the time is over.",
    reason: "must",
    span: true,
  },
  "maintenance/end": {
    title: "End maintenance",
    text: "What is missing is healed at once.",
    reason: "may",
  },
};

export class Ask {
  /** `told(text)` is told what became of it. */
  constructor(told) {
    this.told = told;
    this.dialog = find("ask");
    find("ask-cancel").addEventListener("click", () => this.dialog.close());
    find("ask-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send?.();
    });
    this.dialog.addEventListener("close", () => {
      find("ask-fields").replaceChildren();
      this.send = undefined;
      give_back(this.opener);
    });
  }

  /** Returns a button that asks for something. */
  button(word, domain, target, is_operator) {
    const { title } = WORDS[word];
    const why_not = is_operator ? undefined : "Needs the token of an operator";
    return make(
      "button",
      {
        type: "button",
        class: "word",
        disabled: !is_operator,
        title: why_not,
        "data-key": `${word} ${target}`,
        "data-word": word,
        "aria-label": `${title} ${target}${is_operator ? "" : ": needs the token of an operator"}`,
        onclick: (event) => this.word(word, domain, target, event.currentTarget),
      },
      [title, short(target), "…"].filter(Boolean).join(" "),
    );
  }

  open(title, text, send, fields, opener) {
    this.opener = opener;
    say(find("ask-title"), title);
    say(find("ask-text"), text);
    say(find("ask-send"), send);
    say(find("ask-error"), "");
    find("ask-fields").replaceChildren(...fields);
    this.dialog.showModal();
    find("ask-fields").querySelector("input, select")?.focus();
  }

  word(word, domain, target, opener) {
    const { title, text, reason, span } = WORDS[word];
    const fields = [];
    const must = reason === "must";
    fields.push(
      text_field({ ...REASON, required: must, hint: must ? REASON.hint : "if you like" }),
    );
    if (span) fields.push(span_field());
    this.open(`${title}: ${target}`, text, title, fields, opener);
    this.send = () => this.put(word, domain, target);
  }

  async put(word, domain, target) {
    const fields = new FormData(find("ask-form"));
    const wish = { target };
    const reason = fields.get("reason").trim();
    if (reason) wish.reason = reason;
    if (fields.has("seconds")) wish.seconds = Number(fields.get("seconds"));
    if (owner()) wish.owner = owner();
    const button = find("ask-send");
    button.disabled = true;
    try {
      const { text } = await post(`/api/v1/domains/${encodeURIComponent(domain)}/${word}`, wish);
      this.dialog.close();
      this.told(`${WORDS[word].title} ${target}: ${text}`);
    } catch (error) {
      const advice = error.advice ? ` ${error.advice}.` : "";
      say(find("ask-error"), `Refused: ${error.message}.${advice}`);
    } finally {
      button.disabled = false;
    }
  }

  /** Asks who somebody is; `done` is told when that changed. */
  token(done, opener) {
    const fields = [
      text_field({
        name: "token",
        label: "Token",
        type: "password",
        hint: "of a viewer or an operator; empty forgets it",
        value: token(),
        max: 512,
      }),
      text_field({
        name: "owner",
        label: "Your name",
        hint: "if you like; it is on record with what you ask for",
        value: owner(),
        max: 128,
      }),
    ];
    const text = "It is kept in this tab until that is closed, and shown to this daemon alone.";
    this.open("Token", text, "Use it", fields, opener);
    this.send = () => {
      const said = new FormData(find("ask-form"));
      sign_in(said.get("token").trim(), said.get("owner").trim());
      this.dialog.close();
      done();
    };
  }
}

/** `te/1` of `teas/te/1`; nothing else is shorter. */
function short(target) {
  return /\/((te|sm)\/\d+)$/.exec(target)?.[1] ?? "";
}

function text_field({ name, label, hint, type = "text", required = false, value = "", max }) {
  const id = `ask-${name}`;
  return make(
    "p",
    { class: "field" },
    make("label", { for: id }, label),
    make("input", {
      id,
      name,
      type,
      required,
      value,
      maxlength: max,
      autocomplete: "off",
      spellcheck: "false",
      "aria-describedby": `${id}-hint`,
    }),
    make("span", { class: "hint", id: `${id}-hint` }, hint),
  );
}

function span_field() {
  const options = SPANS.map(([seconds, words]) =>
    make("option", { value: seconds, selected: seconds === 3600 }, words),
  );
  return make(
    "p",
    { class: "field" },
    make("label", { for: "ask-seconds" }, "Ends by itself after"),
    make("select", { id: "ask-seconds", name: "seconds" }, ...options),
  );
}
