-- The first schema of a journal. docs/journal.md explains every table.
-- `at` is the daemon's own timeline and `wall` the wall clock, both in microseconds.
-- `sum` is a checksum of the other columns of its row.

-- What holds for the whole file.
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How far it is; one row, renewed with every transaction.
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  commits INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  last_input INTEGER NOT NULL,
  at INTEGER,
  wall INTEGER,
  facts INTEGER NOT NULL,
  is_open INTEGER NOT NULL,
  condition TEXT,
  sum INTEGER NOT NULL
) STRICT;

-- What the warden was fed with: inputs of one moment, as a list in JSON.
CREATE TABLE input (
  first INTEGER PRIMARY KEY,
  count INTEGER NOT NULL,
  at INTEGER NOT NULL,
  wall INTEGER NOT NULL,
  body TEXT NOT NULL,
  sum INTEGER NOT NULL
) STRICT;

-- What happened.
CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  wall INTEGER NOT NULL,
  domain TEXT,
  kind TEXT NOT NULL,
  severity TEXT NOT NULL,
  database TEXT,
  peer TEXT,
  agent_id TEXT,
  role TEXT,
  pid INTEGER,
  port INTEGER,
  node_id INTEGER,
  start_id TEXT,
  status TEXT,
  status_word TEXT,
  slot TEXT,
  cause TEXT,
  text TEXT,
  snapshot INTEGER NOT NULL,
  while_disconnected INTEGER NOT NULL,
  action INTEGER,
  sum INTEGER NOT NULL
) STRICT;

-- What must not be forgotten, by name.
CREATE TABLE fact (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  body TEXT NOT NULL,
  sum INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- How far each listener is.
CREATE TABLE listener (
  name TEXT PRIMARY KEY,
  cursor INTEGER,
  failing TEXT,
  memo TEXT,
  sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was tried of events behind a cursor.
CREATE TABLE delivery (
  listener TEXT NOT NULL,
  seq INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  crashes INTEGER NOT NULL,
  is_told INTEGER NOT NULL,
  is_under_way INTEGER NOT NULL,
  sum INTEGER NOT NULL,
  PRIMARY KEY (listener, seq)
) STRICT, WITHOUT ROWID;

-- What a listener was not told, and will not be unless a person wants it.
CREATE TABLE dead_letter (
  id INTEGER PRIMARY KEY,
  listener TEXT NOT NULL,
  seq INTEGER NOT NULL,
  event TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  error TEXT NOT NULL,
  at INTEGER NOT NULL,
  wall INTEGER NOT NULL,
  is_replayed INTEGER NOT NULL,
  sum INTEGER NOT NULL
) STRICT;

-- For people: events with a time that reads.
CREATE VIEW events AS
SELECT seq,
  strftime('%Y-%m-%dT%H:%M:%S', wall / 1000000, 'unixepoch')
    || printf('.%06dZ', wall % 1000000) AS time,
  kind, severity, database, peer, role, pid, status, slot, cause, text, action
FROM event;

-- For people: inputs one by one.
CREATE VIEW inputs AS
SELECT input.first + one.key AS number,
  strftime('%Y-%m-%dT%H:%M:%S', input.wall / 1000000, 'unixepoch')
    || printf('.%06dZ', input.wall % 1000000) AS time,
  input.at,
  CASE one.type WHEN 'text' THEN one.value
    ELSE (SELECT key FROM json_each(one.value) LIMIT 1) END AS what,
  CASE one.type WHEN 'text' THEN NULL
    ELSE (SELECT value FROM json_each(one.value) LIMIT 1) END AS body
FROM input, json_each(input.body) AS one;

-- For people: the healer's actions from start to end, as far as events tell of them.
CREATE VIEW actions AS
SELECT action,
  min(time) AS begun,
  max(time) AS last,
  max(slot) AS slot,
  max(database) AS database,
  max(CASE WHEN kind = 'action_started' THEN peer END) AS peer,
  max(CASE kind WHEN 'action_succeeded' THEN 'succeeded' WHEN 'action_failed' THEN 'failed' END)
    AS outcome
FROM events
WHERE action IS NOT NULL
GROUP BY action;

-- For people: how many events each listener has yet to be told.
CREATE VIEW deliveries AS
SELECT listener.name AS listener,
  listener.cursor,
  state.last_seq - listener.cursor AS behind,
  listener.failing,
  (SELECT count(*) FROM delivery WHERE delivery.listener = listener.name) AS open,
  (SELECT count(*) FROM dead_letter WHERE dead_letter.listener = listener.name) AS dead
FROM listener, state;
