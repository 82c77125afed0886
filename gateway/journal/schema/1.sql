-- One row: who numbers the events of this file, and how far it has come.
-- The last positions stand here because retention may delete the last row.
CREATE TABLE meta (
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  epoch        TEXT    NOT NULL,
  seq          INTEGER NOT NULL,
  last_alarm   INTEGER NOT NULL,
  last_routine INTEGER NOT NULL
) STRICT;

-- One table per lane, so that reading alarms never walks over routine rows.
-- There is no second index: an append touches the last leaf only.
CREATE TABLE alarm (
  pos     INTEGER PRIMARY KEY,
  epoch   TEXT    NOT NULL,
  seq     INTEGER NOT NULL,
  type    TEXT    NOT NULL,
  subject TEXT    NOT NULL,
  wall_ns INTEGER NOT NULL,
  boot    TEXT    NOT NULL,
  mono_ns INTEGER NOT NULL,
  synced  INTEGER NOT NULL,
  data    BLOB    NOT NULL,
  crc     INTEGER NOT NULL
) STRICT;

CREATE TABLE routine (
  pos     INTEGER PRIMARY KEY,
  epoch   TEXT    NOT NULL,
  seq     INTEGER NOT NULL,
  type    TEXT    NOT NULL,
  subject TEXT    NOT NULL,
  wall_ns INTEGER NOT NULL,
  boot    TEXT    NOT NULL,
  mono_ns INTEGER NOT NULL,
  synced  INTEGER NOT NULL,
  data    BLOB    NOT NULL,
  crc     INTEGER NOT NULL
) STRICT;

CREATE TABLE cursor (
  consumer TEXT    NOT NULL,
  lane     INTEGER NOT NULL,
  pos      INTEGER NOT NULL,
  PRIMARY KEY (consumer, lane)
) STRICT, WITHOUT ROWID;

-- Rows that a consumer gave up on, whole, because retention may delete the
-- original. pos is NULL for a row that was read from another database.
CREATE TABLE parked (
  id       INTEGER PRIMARY KEY,
  consumer TEXT    NOT NULL,
  lane     INTEGER NOT NULL,
  pos      INTEGER,
  epoch    TEXT    NOT NULL,
  seq      INTEGER NOT NULL,
  type     TEXT    NOT NULL,
  subject  TEXT    NOT NULL,
  data     BLOB    NOT NULL,
  reason   TEXT    NOT NULL,
  wall_ns  INTEGER NOT NULL,
  UNIQUE (consumer, lane, pos)
) STRICT;

-- What the events so far add up to, one row per key, so that a start does not
-- read the history. epoch and seq name the key's highest raise.
CREATE TABLE alert (
  numbering TEXT    NOT NULL,
  place     TEXT    NOT NULL,
  kind      TEXT    NOT NULL,
  epoch     TEXT    NOT NULL,
  seq       INTEGER NOT NULL,
  data      BLOB    NOT NULL,
  crc       INTEGER NOT NULL,
  PRIMARY KEY (numbering, place, kind)
) STRICT, WITHOUT ROWID;

-- How far the salvage of a set-aside file has come.
CREATE TABLE salvage (
  name     TEXT    PRIMARY KEY,
  stage    INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  alarms   INTEGER NOT NULL,
  routines INTEGER NOT NULL,
  lost     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
