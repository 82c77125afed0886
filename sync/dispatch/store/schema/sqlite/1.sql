-- Times are microseconds since 1970, 0 for none. Truth is 0 or 1.

-- A row is locked by whoever stores events of the gateway, and written only
-- when people change the registry or a command takes the next counter.
CREATE TABLE gateway (
	key     INTEGER PRIMARY KEY AUTOINCREMENT,
	site    TEXT NOT NULL,
	id      TEXT NOT NULL,
	name    TEXT NOT NULL,
	added   INTEGER NOT NULL,
	token   BLOB NOT NULL,
	revoked INTEGER NOT NULL DEFAULT 0,
	cert    TEXT NOT NULL DEFAULT '',
	config  TEXT NOT NULL DEFAULT '',
	digest  TEXT NOT NULL DEFAULT '',
	counter INTEGER NOT NULL DEFAULT 0,
	UNIQUE (site, id)
) STRICT;
CREATE UNIQUE INDEX gateway_cert ON gateway (cert) WHERE cert <> '';

CREATE TABLE presence (
	gateway INTEGER NOT NULL,
	link    TEXT NOT NULL,
	online  INTEGER NOT NULL,
	session TEXT NOT NULL,
	heard   INTEGER NOT NULL,
	PRIMARY KEY (gateway, link)
) STRICT;

CREATE TABLE said (
	gateway     INTEGER PRIMARY KEY,
	status      TEXT NOT NULL,
	clock_error INTEGER NOT NULL,
	counter     INTEGER NOT NULL,
	challenge   TEXT NOT NULL,
	behind      INTEGER NOT NULL
) STRICT;

-- One epoch of one gateway. have is the permanent memory of what has come:
-- ranges of sequences, as in 1-17,19,30-42.
CREATE TABLE stream (
	key     INTEGER PRIMARY KEY AUTOINCREMENT,
	gateway INTEGER NOT NULL,
	epoch   TEXT NOT NULL,
	have    TEXT NOT NULL DEFAULT '',
	events  INTEGER NOT NULL DEFAULT 0,
	refused INTEGER NOT NULL DEFAULT 0,
	forked  INTEGER NOT NULL DEFAULT 0,
	UNIQUE (gateway, epoch)
) STRICT;

CREATE TABLE event (
	stream  INTEGER NOT NULL,
	seq     INTEGER NOT NULL,
	at      INTEGER NOT NULL,
	link    TEXT NOT NULL,
	alarm   INTEGER NOT NULL,
	subject TEXT NOT NULL,
	refused TEXT NOT NULL,
	raw     BLOB NOT NULL,
	PRIMARY KEY (stream, seq)
) STRICT;
CREATE INDEX event_alarm ON event (subject) WHERE alarm = 1;
CREATE INDEX event_at ON event (at, stream, seq);
CREATE INDEX event_refused ON event (at) WHERE refused <> '';

CREATE TABLE delivery (
	stream INTEGER NOT NULL,
	seq    INTEGER NOT NULL,
	link   TEXT NOT NULL,
	at     INTEGER NOT NULL,
	PRIMARY KEY (stream, seq, link)
) STRICT;

-- What came under an id that another event has already.
CREATE TABLE stray (
	gateway INTEGER NOT NULL,
	digest  BLOB NOT NULL,
	at      INTEGER NOT NULL,
	link    TEXT NOT NULL,
	reason  TEXT NOT NULL,
	raw     BLOB NOT NULL,
	PRIMARY KEY (gateway, digest)
) STRICT;

-- Wall clock less monotonic clock of one boot: told by the first synchronised
-- moment of it (at mono; mono is -1 where there was none), and the least that
-- it can be, going by when the gateway spoke to us.
CREATE TABLE anchor (
	gateway  INTEGER NOT NULL,
	boot     TEXT NOT NULL,
	mono     INTEGER NOT NULL,
	shift    INTEGER NOT NULL,
	estimate INTEGER NOT NULL,
	PRIMARY KEY (gateway, boot)
) STRICT;

-- alert.State of a gateway, a row a key.
CREATE TABLE standing (
	gateway   INTEGER NOT NULL,
	numbering TEXT NOT NULL,
	place     TEXT NOT NULL,
	kind      TEXT NOT NULL,
	id        TEXT NOT NULL,
	stands    INTEGER NOT NULL,
	state     TEXT NOT NULL,
	PRIMARY KEY (gateway, numbering, place, kind)
) STRICT;
CREATE INDEX standing_open ON standing (gateway) WHERE stands = 1;

-- Every alert there ever was: the fold of its own events.
CREATE TABLE alert (
	key         INTEGER PRIMARY KEY AUTOINCREMENT,
	gateway     INTEGER NOT NULL,
	id          TEXT NOT NULL,
	numbering   TEXT NOT NULL,
	place       TEXT NOT NULL,
	kind        TEXT NOT NULL,
	status      TEXT NOT NULL,
	stored      INTEGER NOT NULL,
	changed     INTEGER NOT NULL,
	last_number INTEGER NOT NULL,
	last_stored INTEGER NOT NULL,
	state       TEXT NOT NULL,
	UNIQUE (gateway, id, numbering, place, kind)
) STRICT;

CREATE TABLE command (
	gateway   INTEGER NOT NULL,
	id        TEXT NOT NULL,
	counter   INTEGER NOT NULL,
	claims    TEXT NOT NULL,
	jws       TEXT NOT NULL,
	issuer    TEXT NOT NULL,
	alert     TEXT NOT NULL,
	at        INTEGER NOT NULL,
	signed    INTEGER NOT NULL,
	expires   INTEGER NOT NULL,
	published INTEGER NOT NULL DEFAULT 0,
	leased    INTEGER NOT NULL DEFAULT 0,
	accepted  INTEGER NOT NULL DEFAULT 0,
	refused   INTEGER NOT NULL DEFAULT 0,
	reason    TEXT NOT NULL DEFAULT '',
	answered  INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (gateway, id),
	UNIQUE (gateway, counter)
) STRICT;
CREATE INDEX command_waiting ON command (expires) WHERE accepted = 0;

CREATE TABLE outbox (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	webhook  TEXT NOT NULL,
	gateway  INTEGER NOT NULL,
	alert    TEXT NOT NULL,
	event    BLOB NOT NULL,
	stored   INTEGER NOT NULL,
	due      INTEGER NOT NULL,
	attempts INTEGER NOT NULL DEFAULT 0,
	gone     INTEGER NOT NULL DEFAULT 0,
	reason   TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX outbox_due ON outbox (webhook, gateway, alert, id) WHERE gone = 0;

CREATE TABLE operator (
	id       TEXT PRIMARY KEY,
	name     TEXT NOT NULL,
	role     TEXT NOT NULL,
	hash     TEXT NOT NULL,
	created  INTEGER NOT NULL,
	changed  INTEGER NOT NULL,
	disabled INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE session (
	token  BLOB PRIMARY KEY,
	data   BLOB NOT NULL,
	expiry INTEGER NOT NULL
) STRICT;
CREATE INDEX session_expiry ON session (expiry);

CREATE TABLE team (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	name    TEXT NOT NULL UNIQUE,
	phone   TEXT NOT NULL,
	retired INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE assignment (
	gateway INTEGER NOT NULL,
	alert   TEXT NOT NULL,
	team    INTEGER NOT NULL REFERENCES team,
	issuer  TEXT NOT NULL,
	at      INTEGER NOT NULL,
	eta     INTEGER NOT NULL,
	arrived INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (gateway, alert, team)
) STRICT;

CREATE TABLE audit (
	number INTEGER PRIMARY KEY,
	at     INTEGER NOT NULL,
	who    TEXT NOT NULL,
	what   TEXT NOT NULL,
	object TEXT NOT NULL,
	detail TEXT NOT NULL,
	hash   BLOB NOT NULL
) STRICT;

-- Who looks after an alert, up to which press.
CREATE TABLE take (
	gateway INTEGER NOT NULL,
	alert   TEXT NOT NULL,
	number  INTEGER NOT NULL,
	who     TEXT NOT NULL,
	at      INTEGER NOT NULL,
	PRIMARY KEY (gateway, alert)
) STRICT;

CREATE INDEX command_alert ON command (gateway, alert) WHERE alert <> '';
CREATE INDEX assignment_alert ON assignment (alert);
CREATE INDEX take_alert ON take (alert);
CREATE INDEX anchor_boot ON anchor (boot);
