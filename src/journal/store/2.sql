-- A burst is begun with one row.

-- Up to which event a listener has begun everything, once at least; events behind its cursor that
-- have a row in `delivery` stand there with the rest of what is known of them.
CREATE TABLE beginning (
  listener TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

DROP VIEW deliveries;

-- Where each listener stands, and how much it has yet to be told.
CREATE VIEW deliveries AS
SELECT listener.name AS listener,
  listener.cursor,
  state.last_seq - listener.cursor AS behind,
  listener.failing,
  max(coalesce(beginning.seq, 0) - coalesce(listener.cursor, 0), 0)
    + (SELECT count(*) FROM delivery WHERE delivery.listener = listener.name
      AND delivery.seq > coalesce(beginning.seq, 0)) AS open,
  (SELECT count(*) FROM dead_letter WHERE dead_letter.listener = listener.name) AS dead
FROM state, listener LEFT JOIN beginning ON beginning.listener = listener.name;
