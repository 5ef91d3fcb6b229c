// Draws peers x databases x processes. Only what is in view exists as elements, so that ten
// thousand processes cost no more than a screenful; the keys move in the model, not in what happens
// to exist.

import { find, icon, make, once_per_frame } from "./dom.js";
import { STATES, describe } from "./model.js";

const ROW = 34;
const HEAD = 46;
const MARK = 62;
const EDGE = 12;

/** So many marks stand in a cell, the rest as a number. */
const MARKS_MAX = 6;

/** Beyond the edges this much is drawn, so that scrolling does not show bare ground. */
const MARGIN = 200;

export class Picture {
  /** `choose(entity)` is told which thing somebody wants to know about. */
  constructor(choose) {
    this.choose = choose;
    this.scroller = find("grid");
    this.sizer = make("div", { class: "sizer", role: "presentation" });
    this.head = make("div", { class: "row head", role: "row", "aria-rowindex": 1 });
    this.sizer.append(this.head);
    this.scroller.append(this.sizer);
    this.scroller.setAttribute("role", "grid");
    this.scroller.setAttribute("aria-readonly", "true");
    this.scroller.setAttribute("aria-describedby", "grid-help");
    this.rows = [];
    this.columns = [];
    this.drawn = new Map();
    /** Where the keys are: a row (-1 is the head) and the key of what is in it. */
    this.cursor = { row: -1, key: "" };
    /** The column that moving up and down keeps to. */
    this.goal = undefined;
    this.draw_soon = once_per_frame(() => this.draw());
    this.scroller.addEventListener("scroll", this.draw_soon, { passive: true });
    new ResizeObserver(this.draw_soon).observe(this.scroller);
    this.scroller.addEventListener("keydown", (event) => this.key(event));
    this.scroller.addEventListener("click", (event) => this.click(event));
    this.scroller.addEventListener("focusin", (event) => this.focused(event));
  }

  /** Shows these rows and columns of a domain. */
  update(domain, { rows, columns }, chosen) {
    this.domain = domain;
    this.chosen = chosen;
    this.rows = rows;
    this.columns = columns;
    this.side = matchMedia("(max-width: 40rem)").matches ? 136 : 210;
    let left = this.side;
    for (const column of columns) {
      const marks = Math.min(column.wide, MARKS_MAX + 1);
      column.left = left;
      column.width =
        Math.max(
          marks * MARK,
          7.6 * Math.min(column.key.length, 24) + 30,
          7 * head_words(column).text.length + 40,
        ) + EDGE;
      left += column.width;
    }
    this.lefts = new Map(columns.map((it, at) => [it.key, at]));
    this.sizer.style.width = `${left}px`;
    this.sizer.style.height = `${HEAD + rows.length * ROW}px`;
    this.scroller.style.height = `${HEAD + rows.length * ROW + 18}px`;
    this.scroller.style.setProperty("--side", `${this.side}px`);
    this.scroller.setAttribute("aria-label", `Peers and databases of ${domain.name}`);
    this.scroller.setAttribute("aria-rowcount", rows.length + 1);
    this.scroller.setAttribute("aria-colcount", columns.length + 1);
    this.draw();
  }

  /** Draws what is in view. */
  draw() {
    if (!this.domain) return;
    const { scrollTop, scrollLeft, clientHeight, clientWidth } = this.scroller;
    const first = Math.max(0, Math.floor((scrollTop - HEAD - MARGIN) / ROW));
    const last = Math.min(
      this.rows.length - 1,
      Math.ceil((scrollTop + clientHeight + MARGIN) / ROW),
    );
    const window = this.columns_between(scrollLeft - MARGIN, scrollLeft + clientWidth + MARGIN);
    const held = this.scroller.contains(document.activeElement) ? this.cursor : null;
    this.draw_head(window, held);
    const wanted = new Set();
    for (let at = first; at <= last; at += 1) wanted.add(at);
    // Whoever has the focus stays, however far away.
    if (held && held.row >= 0) {
      const at = this.rows.findIndex((it) => it.key === held.name);
      if (at >= 0) wanted.add(at);
    }
    for (const [at, row] of this.drawn) {
      if (!wanted.has(at)) {
        row.element.remove();
        this.drawn.delete(at);
      }
    }
    for (const at of [...wanted].sort((a, b) => a - b)) this.draw_row(at, window);
    this.keep_focus(held);
    this.keep_stop();
  }

  columns_between(left, right) {
    const inside = (it) => it.left + it.width > left && it.left < right;
    return this.columns.map((it, at) => [it, at]).filter(([it]) => inside(it));
  }

  draw_head(window, held) {
    const signature = window.map(([it]) => head_signature(it)).join("\n") + this.side;
    if (signature === this.head_drawn) return;
    this.head_drawn = signature;
    const corner = make("div", { class: "side", role: "columnheader", "aria-colindex": 1 }, "Peer");
    const shown = held?.row === -1 ? this.columns[this.lefts.get(held.column)] : undefined;
    const all =
      shown && !window.some(([it]) => it === shown)
        ? [...window, [shown, this.lefts.get(shown.key)]]
        : window;
    this.head.replaceChildren(corner, ...all.map(([column, at]) => head_cell(column, at)));
  }

  draw_row(at, window) {
    const row = this.rows[at];
    const signature = row_signature(row, window, this.chosen) + this.side;
    const before = this.drawn.get(at);
    if (before?.signature === signature) return;
    const element = make("div", {
      class: "row",
      role: "row",
      "aria-rowindex": at + 2,
      "data-row": at,
    });
    element.style.top = `${HEAD + at * ROW}px`;
    element.append(side_cell(row, this.chosen));
    for (const [column, index] of window) {
      element.append(cell_of(row, column, index, this.chosen));
    }
    if (before) before.element.replaceWith(element);
    else this.sizer.append(element);
    this.drawn.set(at, { element, signature });
  }

  /** Gives the focus back to who had it, if drawing took it away. */
  keep_focus(held) {
    if (!held || this.scroller.contains(document.activeElement)) return;
    const row = this.rows.findIndex((it) => it.key === held.name);
    const there = this.button(held.row === -1 ? -1 : row, held.key) ?? this.button(row, "");
    (there ?? this.scroller.querySelector("button"))?.focus({ preventScroll: true });
  }

  /** Exactly one button is a tab stop. */
  keep_stop() {
    const stops = this.scroller.querySelectorAll('button[tabindex="0"]');
    const row = this.rows.findIndex((it) => it.key === this.cursor.name);
    const stop =
      this.button(this.cursor.row === -1 ? -1 : row, this.cursor.key) ??
      this.scroller.querySelector("button");
    for (const it of stops) if (it !== stop) it.tabIndex = -1;
    if (stop) stop.tabIndex = 0;
  }

  /** Returns the button of that key in a row; the row's own has none. */
  button(row, key) {
    const parent = row === -1 ? this.head : this.drawn.get(row)?.element;
    return [...(parent?.querySelectorAll("button") ?? [])].find((it) => it.dataset.key === key);
  }

  /** Puts the focus where the keys were last. */
  focus() {
    this.keep_stop();
    this.scroller.querySelector('button[tabindex="0"]')?.focus();
  }

  focused(event) {
    const { key, column } = event.target.dataset;
    if (key === undefined) return;
    const at = event.target.closest(".row").dataset.row;
    const row = at === undefined ? -1 : Number(at);
    this.cursor = { row, key, column, name: this.rows[row]?.key };
    this.goal = column;
    this.keep_stop();
  }

  click(event) {
    const button = event.target.closest("button");
    if (button) this.choose(button.dataset.entity, button);
  }

  /** Returns what can be reached in a row, from left to right. */
  stops(row) {
    if (row === -1) return this.columns.map((it) => ({ key: it.key, column: it.key }));
    const here = this.rows[row];
    const found = [{ key: "", column: undefined }];
    for (const column of this.columns) {
      for (const mark of shown_of(here.cells.get(column.key)))
        found.push({ key: mark.key, column: column.key });
    }
    return found;
  }

  key(event) {
    if (event.altKey || event.metaKey || !event.target.matches("button")) return;
    const row =
      this.cursor.row === -1 ? -1 : this.rows.findIndex((it) => it.key === this.cursor.name);
    const page = Math.max(1, Math.floor((this.scroller.clientHeight - HEAD) / ROW) - 1);
    const down = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }[event.key];
    const across = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (down !== undefined) this.move_down(row, down);
    else if (across !== undefined) this.move_across(row, across);
    else if (event.key === "Home" || event.key === "End")
      this.move_to_end(row, event.key === "End", event.ctrlKey);
    else return;
    event.preventDefault();
  }

  move_down(row, by) {
    const to = Math.max(-1, Math.min(this.rows.length - 1, row + by));
    const stops = this.stops(to);
    // Rows in between that have nothing there do not lead away from the column.
    const here = this.lefts.get(this.goal) ?? -1;
    const distance = (it) => Math.abs((this.lefts.get(it.column) ?? -1) - here);
    const [first, ...rest] = stops;
    if (!first) return;
    const goal = this.goal;
    this.go(
      to,
      rest.reduce((best, it) => (distance(it) < distance(best) ? it : best), first),
    );
    this.goal = goal;
  }

  move_across(row, by) {
    const stops = this.stops(row);
    const at = stops.findIndex((it) => it.key === this.cursor.key);
    const to = stops[at + by];
    if (to) this.go(row, to);
  }

  move_to_end(row, is_end, is_all) {
    const to = is_all ? (is_end ? this.rows.length - 1 : -1) : row;
    const stop = this.stops(to).at(is_end ? -1 : 0);
    if (stop) this.go(to, stop);
  }

  /** Scrolls there, draws, and moves the focus. */
  go(row, stop) {
    const view = this.scroller;
    if (row >= 0) {
      const top = row * ROW;
      if (top < view.scrollTop) view.scrollTop = top;
      const bottom = HEAD + top + ROW + 18 - view.clientHeight;
      if (bottom > view.scrollTop) view.scrollTop = bottom;
    }
    const column = this.columns[this.lefts.get(stop.column)];
    if (column) {
      if (column.left - this.side < view.scrollLeft) view.scrollLeft = column.left - this.side;
      const right = column.left + column.width - view.clientWidth;
      if (right > view.scrollLeft) view.scrollLeft = right;
    } else if (row >= 0) view.scrollLeft = 0;
    this.cursor = { row, key: stop.key, column: stop.column, name: this.rows[row]?.key };
    this.draw();
    this.button(row, stop.key)?.focus({ preventScroll: true });
  }
}

const shown_of = (cell) => (cell ?? []).slice(0, MARKS_MAX);

function head_signature({ key, database, hold, maintenance, left, width }) {
  const te = database
    ? `${database.status} ${database.te.running}/${database.te.wanted} ${database.sm.running}`
    : "";
  return `${key} ${te} ${hold?.since ?? ""} ${maintenance?.since ?? ""} ${left} ${width}`;
}

function row_signature(row, cells, chosen) {
  const of_mark = (it) =>
    `${it.key} ${it.state} ${it.hold ? 1 : ""}${it.maintenance ? 2 : ""}${it.seat ?? ""}`;
  const parts = cells.map(([column]) => {
    const cell = row.cells.get(column.key) ?? [];
    const is_chosen = cell.some((it) => it.entity === chosen) ? chosen : "";
    const said = shown_of(cell).map(of_mark).join(" ");
    return `${column.left} ${column.width} ${cell.length} ${is_chosen} ${said}`;
  });
  const orders = `${row.maintenance?.since ?? ""} ${row.dead ? 1 : ""}`;
  const mine = `${row.key} ${row.state} ${orders} ${row.key === chosen}`;
  return `${mine}\n${parts.join("\n")}`;
}

/** Puts a cell where its column is. */
function place(element, { left, width }) {
  element.style.left = `${left}px`;
  element.style.width = `${width}px`;
  return element;
}

/** Says how a database is: in all words, in the most important one, and by which sign. */
function head_words({ key, database, hold, maintenance }) {
  if (!database) return { label: `Database ${key}: gone`, text: "gone", flag: "gone" };
  const { te, sm, status, degraded } = database;
  const counts = `${te.running}${te.wanted ? `/${te.wanted}` : ""} TE · ${sm.running} SM`;
  const words = [];
  if (status !== "active") words.push("down");
  else if (degraded || (te.wanted ?? 0) > te.running) words.push("degraded");
  if (hold) words.push("held");
  if (maintenance) words.push("maintenance");
  const flags = { down: "critical", degraded: "warning", held: "held", maintenance: "maintenance" };
  const flag = flags[words[0]] ?? "fine";
  const label = `Database ${key}: ${words.join(", ") || "active"}; ${counts}`;
  return { label, text: [...words.slice(0, 1), counts].join(" "), flag };
}

function head_cell(column, index) {
  const { key } = column;
  const { label, text, flag } = head_words(column);
  const button = make(
    "button",
    {
      type: "button",
      tabindex: -1,
      "data-key": key,
      "data-column": key,
      "data-entity": key,
      "data-flag": flag,
      "aria-label": label,
      title: label,
      class: "database",
    },
    make("b", {}, key),
    make("span", {}, icon(flag), ` ${text}`),
  );
  const cell = make(
    "div",
    { class: "cell", role: "columnheader", "aria-colindex": index + 2 },
    button,
  );
  return place(cell, column);
}

function side_cell(row, chosen) {
  const { key, peer, state, maintenance, dead } = row;
  if (!peer) {
    const text = key || "nowhere";
    return make(
      "div",
      { class: "side", role: "rowheader", "aria-colindex": 1 },
      make(
        "button",
        { type: "button", tabindex: -1, "data-key": "", "data-entity": key, class: "peer" },
        text,
      ),
    );
  }
  const words = [state === "up" ? "connected" : "unreachable"];
  if (dead) words.push("taken for dead");
  if (maintenance) words.push("in maintenance");
  words.push(peer.processes === 1 ? "1 process" : `${peer.processes} processes`);
  const label = `${peer.role === "broker" ? "Broker" : "Peer"} ${key}: ${words.join(", ")}`;
  const flags = [icon(state === "up" ? "fine" : "unreachable"), maintenance && icon("maintenance")];
  return make(
    "div",
    { class: "side", role: "rowheader", "aria-colindex": 1 },
    make(
      "button",
      {
        type: "button",
        tabindex: -1,
        "data-key": "",
        "data-entity": key,
        "data-state": state,
        "aria-label": label,
        title: label,
        class: "peer",
        "aria-current": key === chosen && "true",
      },
      ...flags.filter(Boolean),
      make("span", { class: "name" }, make("bdi", {}, key)),
      make("span", { class: "tag" }, peer.role === "broker" ? "broker" : ""),
    ),
  );
}

function cell_of(row, column, index, chosen) {
  const cell = row.cells.get(column.key) ?? [];
  const marks = shown_of(cell).map((it) => mark_of(it, chosen));
  const rest = cell.length - marks.length;
  const more =
    rest > 0 &&
    make(
      "span",
      { class: "more", "aria-label": `and ${rest} more: find them by name` },
      `+${rest}`,
    );
  const element = make(
    "div",
    { class: "cell", role: "gridcell", "aria-colindex": index + 2 },
    ...marks,
    more || "",
  );
  return place(element, column);
}

function mark_of(mark, chosen) {
  const label = describe(mark);
  const is_flagged = mark.maintenance && mark.state !== "maintenance";
  const is_held = mark.hold && mark.state !== "held";
  return make(
    "button",
    {
      type: "button",
      tabindex: -1,
      class: "mark",
      "data-key": mark.key,
      "data-column": mark.database,
      "data-entity": mark.entity,
      "data-state": mark.state,
      "data-seat": mark.slot && "",
      "aria-label": label,
      title: label,
      "aria-current": mark.entity === chosen && "true",
    },
    icon(mark.state),
    make("span", {}, mark.short),
    is_held ? icon("held") : "",
    is_flagged ? icon("maintenance") : "",
  );
}

/** Says what each state in the picture means, how many there are, and shows only those if asked. */
export function draw_legend(domain, shown, toggle) {
  const entries = Object.entries(STATES).filter(
    ([name]) => domain.tally.has(name) || shown.has(name),
  );
  return entries.map(([name, [words, meaning]]) => {
    const count = domain.tally.get(name) ?? 0;
    return make(
      "button",
      {
        type: "button",
        class: "chip",
        "data-key": `legend ${name}`,
        "data-state": name,
        "aria-pressed": String(shown.has(name)),
        title: meaning,
        onclick: () => toggle(name),
      },
      icon(name),
      `${count.toLocaleString("en")} ${words}`,
    );
  });
}
