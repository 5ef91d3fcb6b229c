// Turns a status into what is drawn: a row for each peer, a column for each database, and a mark
// for each process and for each seat that misses one.

/** What a mark may say, the worst first: its rank, its words, and what it means in a sentence. */
export const STATES = {
  held: ["held", "the healer, or a person, holds it: nothing is started until it is released"],
  blocked: ["blocked", "a process is missing and something keeps the healer from acting"],
  missing: ["missing", "a wanted process is missing"],
  suggested: ["suggested", "the healer would start it, but may not"],
  unreachable: ["unreachable", "its peer is out of reach; it may well run on"],
  healing: ["being healed", "a start is under way"],
  silent: ["silent", "it runs, and does not answer at its port"],
  down: ["down", "it says that it is down"],
  unknown: ["unknown", "its status is not known"],
  starting: ["starting", "it registered and does not serve yet"],
  stopping: ["stopping", "it is on its way out"],
  maintenance: ["in maintenance", "people work at it: nothing is started"],
  gone: ["not wanted", "nobody sits there, and nobody has to"],
  up: ["running", "it runs"],
};

const RANK = Object.fromEntries(
  Object.keys(STATES).map((name, at, all) => [name, all.length - at]),
);
export const rank = (state) => RANK[state] ?? 0;

/** Below this everything is as it should be, or as somebody wants it. */
const TROUBLE = rank("unknown");
export const is_trouble = (state) => rank(state) >= TROUBLE;

/** Where marks stand that no peer is known for. */
export const NOWHERE = "";

export function understand(status) {
  const domains = status.domains.map(domain_of);
  return { daemon: status.daemon, domains };
}

/** Who said that something is held or worked at. */
class Orders {
  constructor(orders) {
    this.all = orders;
    this.on = { hold: new Map(), maintenance: new Map(), dead: new Map() };
    for (const it of orders) this.on[it.order]?.set(it.on, it);
  }

  /** Returns the first order of that kind on any of these, or on the domain. */
  find(order, ...names) {
    const on = this.on[order];
    if (on.size === 0) return undefined;
    const name = ["the domain", ...names].find((it) => on.has(it));
    return on.get(name);
  }
}

function domain_of(told) {
  const domain = {
    name: told.domain,
    problem: told.problem,
    freshness: told.freshness ?? "unknown",
    since: told.since,
    time: told.time,
    mode: told.mode,
    entry: told.entry,
    gates: told.gates ?? [],
    actions: told.actions ?? [],
    slots: told.slots ?? [],
    peers: new Map((told.peers ?? []).map((it) => [it.peer, it])),
    databases: new Map((told.databases ?? []).map((it) => [it.database, it])),
    orders: new Orders(told.orders ?? []),
    rows: [],
    columns: [],
    tally: new Map(),
    processes: told.processes?.length ?? 0,
  };
  domain.maintained = domain.orders.find("maintenance");
  const rows = new Map();
  for (const peer of domain.peers.values()) rows.set(peer.peer, row_of(domain, peer));
  const seats = add_slots(domain, rows);
  for (const it of told.processes ?? []) add(domain, rows, process_mark(domain, it, seats));
  finish(domain, rows);
  return domain;
}

function row_of(domain, peer) {
  const maintenance = domain.orders.find("maintenance", peer.peer);
  const dead = domain.orders.find("dead", peer.peer);
  const state = peer.connected ? "up" : "unreachable";
  return {
    key: peer.peer,
    peer,
    state,
    maintenance,
    dead,
    cells: new Map(),
    rank: rank(state),
    count: 0,
  };
}

/** Puts seats that miss a process where it was, or is started; returns who sits on which. */
function add_slots(domain, rows) {
  const seats = new Map();
  const targets = new Map(domain.actions.map((it) => [it.action, it]));
  for (const slot of domain.slots) {
    if (slot.phase === "filled") seats.set(`${slot.peer}/${slot.pid}`, slot);
    else if (slot.phase !== "empty") {
      const action = targets.get(slot.action);
      add(domain, rows, slot_mark(domain, slot, action));
    }
  }
  return seats;
}

function slot_mark(domain, slot, action) {
  const entity = `${slot.database}/${slot.slot}`;
  const place = slot.peer ?? NOWHERE;
  const hold = domain.orders.find("hold", slot.database, entity);
  const maintenance = domain.orders.find("maintenance", slot.database, entity, place);
  let state = "missing";
  if (slot.phase === "held" || hold) state = "held";
  else if (slot.phase === "acting") state = "healing";
  else if (slot.phase === "leaving" || !slot.wanted) state = "gone";
  else if (maintenance) state = "maintenance";
  else if (slot.told_blocked) state = "blocked";
  else if (slot.told_suggested) state = "suggested";
  return {
    key: `seat ${entity}`,
    entity,
    row: action?.peer ?? place,
    database: slot.database,
    role: slot.slot.startsWith("sm") ? "SM" : "TE",
    short: slot.slot,
    state,
    slot,
    action,
    hold,
    maintenance,
  };
}

function process_mark(domain, it, seats) {
  const entity = `${it.peer}/${it.pid}`;
  const seat = seats.get(entity);
  const slot = seat && `${it.database}/${seat.slot}`;
  const status = it.status in RANK ? it.status : "unknown";
  const state = !it.reachable ? "unreachable" : it.unresponsive ? "silent" : status;
  return {
    key: entity,
    entity,
    row: it.peer,
    database: it.database,
    role: it.role,
    short: it.role,
    state,
    process: it,
    seat: slot,
    hold: domain.orders.find("hold", it.database, slot),
    maintenance: domain.orders.find("maintenance", it.database, it.peer, entity, slot),
  };
}

function add(domain, rows, mark) {
  let row = rows.get(mark.row);
  if (!row) {
    row = { key: mark.row, peer: undefined, state: "gone", cells: new Map(), rank: 0, count: 0 };
    rows.set(mark.row, row);
  }
  const cell = row.cells.get(mark.database);
  if (cell) cell.push(mark);
  else row.cells.set(mark.database, [mark]);
  row.rank = Math.max(row.rank, rank(mark.state));
  row.count += 1;
  domain.tally.set(mark.state, (domain.tally.get(mark.state) ?? 0) + 1);
}

const by_name = new Intl.Collator("en", { numeric: true }).compare;

/** Sorts: the worst first, what is alike by name. */
function finish(domain, rows) {
  const wide = new Map();
  const worst = new Map();
  for (const row of rows.values()) {
    for (const [name, cell] of row.cells) {
      if (cell.length > 1) cell.sort(compare_marks);
      wide.set(name, Math.max(wide.get(name) ?? 1, cell.length));
      worst.set(name, Math.max(worst.get(name) ?? 0, rank(cell[0].state)));
    }
  }
  domain.rows = [...rows.values()].sort(
    (a, b) => trouble(b.rank) - trouble(a.rank) || by_name(a.key, b.key),
  );
  const names = new Set([...domain.databases.keys(), ...wide.keys()]);
  domain.columns = [...names].map((name) =>
    column_of(domain, name, wide.get(name) ?? 1, worst.get(name) ?? 0),
  );
  domain.columns.sort((a, b) => trouble(b.rank) - trouble(a.rank) || by_name(a.key, b.key));
}

const trouble = (value) => (value >= TROUBLE ? value : 0);

function compare_marks(a, b) {
  return (
    trouble(rank(b.state)) - trouble(rank(a.state)) ||
    by_name(a.role, b.role) ||
    by_name(a.key, b.key)
  );
}

function column_of(domain, name, wide, worst) {
  const database = domain.databases.get(name);
  const is_missed = database && (database.te.wanted ?? 0) > database.te.running;
  const own =
    database?.status === "inactive" && is_missed ? rank("held") : is_missed ? rank("missing") : 0;
  return {
    key: name,
    database,
    hold: domain.orders.find("hold", name),
    maintenance: domain.orders.find("maintenance", name),
    wide,
    rank: Math.max(worst, own),
  };
}

/** Says what a mark is, for people who do not see it. */
export function describe(mark) {
  const [state] = STATES[mark.state];
  const flags = [];
  if (mark.hold && mark.state !== "held") flags.push("held");
  if (mark.maintenance && mark.state !== "maintenance") flags.push("in maintenance");
  const more = flags.length ? `, ${flags.join(", ")}` : "";
  if (mark.slot) {
    const where = mark.action
      ? ` at ${mark.action.peer}`
      : mark.slot.peer
        ? `, last at ${mark.slot.peer}`
        : "";
    return `${mark.entity}: ${state}${where}${more}`;
  }
  const { process } = mark;
  const word = process.status_word && mark.state !== "up" ? ` ${process.status_word}` : "";
  const seat = mark.seat ? `, seat ${mark.seat}` : "";
  const what = `${mark.role} of ${mark.database} at ${process.peer}, pid ${process.pid}`;
  return `${what}: ${state}${word}${seat}${more}`;
}

/** Returns the rows of which something fits: these states (any if there are none), this text. */
export function filtered(domain, states, text) {
  const sought = text.trim().toLowerCase();
  if (!states.size && !sought) return { rows: domain.rows, columns: domain.columns };
  const rows = [];
  const used = new Set();
  for (const row of domain.rows) {
    const in_row = row.key.toLowerCase().includes(sought);
    const cells = new Map();
    for (const [name, cell] of row.cells) {
      const fits = cell.filter(
        (it) =>
          (!states.size || states.has(it.state)) &&
          (in_row ||
            name.toLowerCase().includes(sought) ||
            it.entity.toLowerCase().includes(sought)),
      );
      if (fits.length) cells.set(name, fits);
    }
    const itself = in_row && sought && !states.size;
    if (!cells.size && !itself) continue;
    for (const name of cells.keys()) used.add(name);
    rows.push({ ...row, cells });
  }
  return { rows, columns: domain.columns.filter((it) => used.has(it.key)) };
}
