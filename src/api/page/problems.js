// Says what is wrong, the worst first, and what to do about it: what whoever is woken reads first.

import { away, clock, since } from "./time.js";

/** How bad something is: for a person now, for a person, in the healer's hands, worth knowing. */
export const LEVELS = ["critical", "warning", "work", "note"];

export const TITLES = {
  critical: "Needs somebody now",
  warning: "Needs a look",
  work: "Being healed",
  note: "Healthy",
  fine: "Healthy",
};

/** Gates that wait for a person, and what that one does. */
const FOR_PEOPLE = {
  journal:
    "Make room on the disk of the state directory: nothing is started before it can be written.",
  memory: "Look at what runs, then accept the loss: `dbwarden resume --accept-lost-memory`.",
};

const FOR_TIME = {
  "not-synced": "Opens by itself, some seconds after the session stands.",
  "minority-view": "Look at the network between the brokers: fewer than half of them are in view.",
  clock: "Opens by itself with the next fresh picture. Find out why the clock jumped.",
  lease: "Another daemon heals this domain. If it is gone, this one takes over by itself.",
  "another-healer": "Decide who heals it. If that is dbwarden, end the other one.",
  storm: "Many peers were lost at once: look at the network or the power first.",
  recovered: "Opens by itself: a start from before may still show itself.",
  "views-differ":
    "The agents live and the domain does not see them: look at the network to the brokers.",
};

/** Returns what is wrong with all of it, the worst first. */
export function problems_of(model) {
  const found = [];
  const { rejected } = model.daemon;
  if (rejected) {
    found.push({
      level: "warning",
      key: "config",
      title: "A changed configuration was refused; the old one stays",
      text: rejected,
      next: "Correct the file, try it with `dbwarden check`, and reload.",
    });
  }
  for (const domain of model.domains) add_domain(domain, found);
  const order = (it) => LEVELS.indexOf(it.level);
  return found.sort((a, b) => order(a) - order(b));
}

function add_domain(domain, found) {
  const put = (level, key, title, more) =>
    found.push({ level, key: `${domain.name} ${key}`, domain: domain.name, title, ...more });
  if (domain.problem) {
    put("critical", "loop", `${domain.name}: ${domain.problem}`, {
      entity: "",
      next: "Nothing of it can be shown. Look at the log of the daemon; if it stays so, restart it.",
    });
    return;
  }
  add_freshness(domain, put);
  add_databases(domain, put);
  add_seats(domain, put);
  add_silent(domain, put);
  add_peers(domain, put);
  add_gates(domain, put);
  add_notes(domain, put);
}

function add_freshness(domain, put) {
  if (domain.freshness === "synced") return;
  const never = domain.freshness === "unknown";
  put(
    "critical",
    "freshness",
    never
      ? `${domain.name}: no session yet, nothing is known`
      : `${domain.name}: no session to a broker; what is shown is of ${clock(domain.since)}`,
    {
      entity: "",
      text: never ? "" : `Lost ${away(domain.since)}. Nothing is started on stale knowledge.`,
      next: "It is tried again by itself, at every broker. Do they run, does this host reach them?",
    },
  );
}

function add_databases(domain, put) {
  for (const it of domain.databases.values()) {
    const wanted = it.te.wanted ?? 0;
    if (it.status !== "inactive" || wanted === 0) continue;
    const sms = it.sm.running;
    const more = {
      entity: it.database,
      text: `0 of ${wanted} engines, ${sms} storage ${sms === 1 ? "manager" : "managers"}.`,
    };
    const key = `database ${it.database}`;
    const maintenance = domain.orders.find("maintenance", it.database);
    const hold = domain.orders.find("hold", it.database);
    if (maintenance) {
      more.next = "It is healed when the maintenance ends.";
      put("note", key, `${it.database}: down, in maintenance by ${maintenance.by}`, more);
    } else if (hold) {
      more.next = "Release it when the work is done.";
      put("warning", key, `${it.database}: down, held by ${hold.by}`, more);
    } else {
      more.next = sms
        ? "The healer starts engines as soon as it may; if that takes long, read why."
        : "Start a storage manager, or have it brought up: " +
          `\`dbwarden request cold-start ${it.database}\`.`;
      put("critical", key, `${it.database}: down, no transaction engine runs`, more);
    }
  }
}

const by_name = new Intl.Collator("en", { numeric: true }).compare;

/** What is said of seats, by their state. */
const SEATS = {
  held: ["critical", "held", "Find out why the starts fail, mend that, then release it."],
  blocked: [
    "warning",
    "missing and blocked",
    "Read why: it names what is waited for, and what to do.",
  ],
  suggested: [
    "warning",
    "missing, and the healer may not start it",
    "Start it if you agree: `dbwarden domain start-te`, or change the mode.",
  ],
  missing: ["work", "missing", "Nothing to do yet: the healer tries as soon as it may."],
  healing: ["work", "being started", "Nothing to do yet."],
  maintenance: ["note", "missing, in maintenance", "It is healed when the maintenance ends."],
};

function add_seats(domain, put) {
  const groups = new Map();
  for (const row of domain.rows) {
    for (const cell of row.cells.values()) {
      for (const mark of cell) {
        if (!mark.slot || !(mark.state in SEATS)) continue;
        const group = `${mark.state} ${mark.database}`;
        if (groups.has(group)) groups.get(group).push(mark);
        else groups.set(group, [mark]);
      }
    }
  }
  for (const marks of groups.values()) add_group(marks, put);
}

function add_group(marks, put) {
  marks.sort((a, b) => by_name(a.entity, b.entity));
  const [{ state, database, slot, action, hold, entity }] = marks;
  const by_person = state === "held" && slot.phase !== "held";
  let [level, words, next] = SEATS[state];
  if (by_person)
    [level, words, next] = [
      "warning",
      "missing, and held by a person",
      "Release it when the work is done.",
    ];
  const names = marks
    .slice(0, 3)
    .map((it) => it.slot.slot)
    .join(", ");
  const title =
    marks.length > 3
      ? `${database}: ${marks.length} seats ${words} (${names} …)`
      : `${database}: ${names} ${words}`;
  const parts = [];
  if (slot.reason) parts.push(`Held as ${slot.reason}.`);
  if (hold && by_person) parts.push(`By ${hold.by}${hold.reason ? `: ${hold.reason}` : ""}.`);
  if (action) parts.push(`At ${action.peer}, ${action.stage}.`);
  if (slot.since) parts.push(`Gone ${since(slot.since)}.`);
  if (slot.tries) parts.push(slot.tries === 1 ? "1 try so far." : `${slot.tries} tries so far.`);
  if (state === "missing" && slot.next_try) parts.push(`Looked at again ${away(slot.next_try)}.`);
  const word = { held: "release", blocked: "retry", missing: "retry" }[state];
  const together = marks.length > 1 ? database : entity;
  const target = by_person && hold.on !== "the domain" ? hold.on : together;
  put(level, `${state} ${database}`, title, {
    entity,
    target,
    text: parts.join(" "),
    next,
    asks: word ? [word] : [],
    explains: level !== "note",
  });
}

function add_silent(domain, put) {
  const cells = domain.rows.flatMap((it) => [...it.cells.values()].flat());
  const marks = cells.filter((it) => it.state === "silent");
  if (marks.length === 0) return;
  marks.sort((a, b) => by_name(a.entity, b.entity));
  const names = marks.slice(0, 3).map((it) => it.entity);
  const [{ entity, database, role, process }] = marks;
  const title =
    marks.length > 1
      ? `${marks.length} processes do not answer at their ports (${names.join(", ")}${marks.length > 3 ? " …" : ""})`
      : `${database}: ${role} ${entity} does not answer at its port`;
  const { reason } = process.unresponsive;
  const is_worked_at = marks.every((it) => it.maintenance);
  put(is_worked_at ? "note" : "warning", "silent", title, {
    entity,
    text: `${since(process.unresponsive.since).replace(/^s/, "S")}: ${reason}.`,
    next: is_worked_at
      ? "In maintenance."
      : "Nothing is done about it: look at its host, the network to it and its log. " +
        "`dbwarden domain kill PID --no-tell` ends one that hangs, and the healer starts another.",
  });
}

function add_peers(domain, put) {
  const lost = domain.rows.filter((it) => it.peer && !it.peer.connected);
  if (lost.length === 0) return;
  const running = lost.reduce((sum, it) => sum + it.peer.processes, 0);
  const names = lost
    .slice(0, 3)
    .map((it) => it.key)
    .join(", ");
  const is_all_worked_at = lost.every((it) => it.maintenance);
  const title =
    lost.length > 3
      ? `${lost.length} peers are unreachable (${names} …)`
      : `${names} ${lost.length === 1 ? "is" : "are"} unreachable`;
  const [{ key, peer, dead }] = lost;
  put(is_all_worked_at ? "note" : "warning", "peers", title, {
    entity: key,
    text: `${since(peer.since).replace(/^s/, "S")}. ${what_ran(running)}`,
    next: is_all_worked_at
      ? "In maintenance."
      : dead
        ? "Somebody vouched that it is dead."
        : "Look at the host and its network. If the host is off for certain: " +
          `\`dbwarden confirm-dead ${key} --reason TEXT\`.`,
  });
}

function what_ran(count) {
  if (count === 0) return "Nothing ran there.";
  return count === 1
    ? "The process there may run on, unseen."
    : `The ${count} processes there may run on, unseen.`;
}

function add_gates(domain, put) {
  for (const it of domain.gates) {
    if (it.gate === "not-synced" && domain.freshness !== "synced") continue;
    const whose = it.database ? ` of ${it.database}` : "";
    const until = it.until ? ` Opens ${away(it.until)}.` : "";
    const for_people = FOR_PEOPLE[it.gate];
    const level = for_people ? "critical" : it.gate === "not-synced" ? "note" : "warning";
    put(
      level,
      `gate ${it.gate} ${it.database ?? ""}`,
      `${domain.name}: gate ${it.gate}${whose} is closed`,
      {
        entity: it.database ?? "",
        text: `${it.text[0]?.toUpperCase() ?? ""}${it.text.slice(1)}.${until}`,
        next: for_people ?? FOR_TIME[it.gate] ?? "Opens by itself.",
      },
    );
  }
}

function add_notes(domain, put) {
  if (domain.mode !== "heal") {
    put("note", "mode", `${domain.name}: the mode is ${domain.mode}`, {
      entity: "",
      next:
        domain.mode === "suggest"
          ? "It says what it would start, and starts nothing."
          : "It watches and starts nothing.",
    });
  }
  for (const it of domain.orders.all) {
    if (!["hold", "maintenance", "thaw", "dead", "cold-start"].includes(it.order)) continue;
    const until = it.until ? `, until ${clock(it.until)} (${away(it.until)})` : "";
    const entity = it.on === "the domain" ? "" : it.on;
    const words = {
      hold: "is held",
      maintenance: "is in maintenance",
      thaw: `: gate ${it.gate} does not count`,
      dead: "is taken for dead",
      "cold-start": "is being brought up",
    }[it.order];
    const end = { hold: ["release"], maintenance: ["maintenance/end"] }[it.order] ?? [];
    put("note", `${it.order} ${it.on}`, `${entity || domain.name} ${words}${until}`, {
      entity,
      target: entity || domain.name,
      text: `By ${it.by}${it.reason ? `: ${it.reason}` : ""}.`,
      asks: end,
    });
  }
}

/** Returns how bad the worst of these is. */
export function level_of(problems) {
  const has = (level) => problems.some((it) => it.level === level);
  return LEVELS.find((it) => it !== "note" && has(it)) ?? "fine";
}

/** Returns how it is as a whole: how bad, in a word or two, and in numbers. */
export function verdict_of(problems, model) {
  const count = (level) => problems.filter((it) => it.level === level).length;
  const level = level_of(problems);
  let title = TITLES[level];
  const [stale] = problems.filter((it) => it.key.endsWith(" freshness"));
  if (stale && count("critical") === 1) title = "Not known: the knowledge is stale";
  const parts = [];
  for (const [name, one, many] of [
    ["critical", "thing for somebody now", "things for somebody now"],
    ["warning", "to look at", "to look at"],
    ["work", "being healed", "being healed"],
  ]) {
    const number = count(name);
    if (number) parts.push(`${number} ${number === 1 ? one : many}`);
  }
  const processes = model.domains.reduce((sum, it) => sum + it.processes, 0);
  const peers = model.domains.reduce((sum, it) => sum + it.peers.size, 0);
  const databases = model.domains.reduce((sum, it) => sum + it.databases.size, 0);
  const things = [
    [peers, "peer", "peers"],
    [databases, "database", "databases"],
    [processes, "process", "processes"],
  ].map(([number, one, many]) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`);
  return { level, title, text: [...parts, things.join(", ")].join(" · ") };
}
