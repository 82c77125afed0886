-- One row: when this table began, and which state of the PIN file the SIM card
-- has refused (its time of change in ns): a second try would cost another of
-- the three that a card allows.
CREATE TABLE meta (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  born        TEXT    NOT NULL,
  opened      INTEGER NOT NULL,
  pin_refused INTEGER NOT NULL
) STRICT;

-- What the lane told about an alert: its first press, and the last number.
CREATE TABLE alert (
  id    TEXT    PRIMARY KEY,
  first TEXT    NOT NULL,
  last  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each (event, recipient). A summary has an empty epoch, and the
-- highest message that it covers for a sequence.
CREATE TABLE message (
  id        INTEGER PRIMARY KEY,
  epoch     TEXT    NOT NULL,
  seq       INTEGER NOT NULL,
  recipient TEXT    NOT NULL,
  class     TEXT    NOT NULL CHECK (class IN ('ask', 'clear', 'summary')),
  state     TEXT    NOT NULL CHECK (state IN ('queued', 'handed', 'sent', 'failed', 'stale', 'settled', 'unknown')),
  alert     TEXT    NOT NULL,
  at        TEXT    NOT NULL,
  text      TEXT    NOT NULL,
  attempts  INTEGER NOT NULL DEFAULT 0,
  part      INTEGER NOT NULL DEFAULT 0,
  handed    TEXT,
  reason    TEXT    NOT NULL DEFAULT '',
  summary   INTEGER NOT NULL DEFAULT 0,
  UNIQUE (epoch, seq, recipient)
) STRICT;

CREATE INDEX message_by_state ON message (state, id);
CREATE INDEX message_by_alert ON message (alert, recipient);
CREATE INDEX message_by_hand ON message (recipient, id) WHERE handed IS NOT NULL;
