// Asks the daemon: JSON, and events as they come. Who asks is shown by a token, which is kept in
// this tab only.

const TOKEN = "dbwarden-token";
const OWNER = "dbwarden-owner";

/** A stream that says nothing for so long is dead: the daemon says something every 15 s. */
const SILENCE = 40_000;

/** As with the daemon's own patience with an event loop, and some for the way. */
const PATIENCE = 15_000;

export class Refused extends Error {
  constructor(status, message, advice) {
    super(message);
    this.status = status;
    this.advice = advice;
  }
}

export const token = () => sessionStorage.getItem(TOKEN) ?? "";
export const owner = () => sessionStorage.getItem(OWNER) ?? "";

/** Remembers who asks until the tab is closed; empty ones are forgotten. */
export function sign_in(secret, name) {
  for (const [key, value] of [
    [TOKEN, secret],
    [OWNER, name],
  ]) {
    if (value) sessionStorage.setItem(key, value);
    else sessionStorage.removeItem(key);
  }
}

function headers(more = {}) {
  const shown = token();
  return shown ? { ...more, Authorization: `Bearer ${shown}` } : more;
}

async function ask(address, options) {
  const settings = { cache: "no-store", credentials: "same-origin", redirect: "error" };
  const response = await fetch(address, { ...settings, ...options });
  if (response.ok) return response;
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // Whoever is between us refused, in words of their own.
  }
  const says = problem.problem ?? problem.detail ?? `the answer was ${response.status}`;
  throw new Refused(response.status, says, problem.advice);
}

/** Returns the answer to a question. */
export async function get(address) {
  const options = { headers: headers(), signal: AbortSignal.timeout(PATIENCE) };
  return (await ask(address, options)).json();
}

/** Asks for something, and returns what became of it. */
export async function post(address, wish) {
  const options = {
    method: "POST",
    headers: headers({ "Content-Type": "application/json" }),
    body: JSON.stringify(wish),
    signal: AbortSignal.timeout(PATIENCE),
  };
  return (await ask(address, options)).json();
}

/**
 * Reads events from where `position` says, and hands them over as they come, each batch with where
 * the reader then stands. Ends only by failing, or when the other side ends.
 */
export async function stream(address, position, signal, tell) {
  const silence = new AbortController();
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Error("it fell silent")), SILENCE);
  };
  heard();
  try {
    const more = {
      Accept: "text/event-stream",
      ...(position ? { "Last-Event-ID": position } : {}),
    };
    const both = AbortSignal.any([signal, silence.signal]);
    const response = await ask(address, { headers: headers(more), signal: both });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      if (parts.length) tell(...read(parts));
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Reads whole Server-Sent Events. */
function read(parts) {
  const events = [];
  let position;
  for (const part of parts) {
    let data = "";
    for (const line of part.split("\n")) {
      if (line.startsWith("data:")) data += line.slice(5);
      else if (line.startsWith("id:")) position = line.slice(3).trim();
    }
    if (data) events.push(JSON.parse(data));
  }
  return [events, position];
}
