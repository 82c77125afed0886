-- Times are microseconds since 1970, 0 for none. Truth is 0 or 1.

-- A row is locked by whoever stores events of the gateway, and written only
-- when people change the registry or a command takes the next counter.
CREATE TABLE gateway (
	key     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	site    TEXT NOT NULL,
	id      TEXT NOT NULL,
	name    TEXT NOT NULL,
	added   BIGINT NOT NULL,
	token   BYTEA NOT NULL,
	revoked BIGINT NOT NULL DEFAULT 0,
	cert    TEXT NOT NULL DEFAULT '',
	config  TEXT NOT NULL DEFAULT '',
	digest  TEXT NOT NULL DEFAULT '',
	counter BIGINT NOT NULL DEFAULT 0,
	UNIQUE (site, id)
);
CREATE UNIQUE INDEX gateway_cert ON gateway (cert) WHERE cert <> '';

CREATE TABLE presence (
	gateway BIGINT NOT NULL,
	link    TEXT NOT NULL,
	online  INT NOT NULL,
	session TEXT NOT NULL,
	heard   BIGINT NOT NULL,
	PRIMARY KEY (gateway, link)
) WITH (fillfactor = 50);

CREATE TABLE said (
	gateway     BIGINT PRIMARY KEY,
	status      TEXT NOT NULL,
	clock_error BIGINT NOT NULL,
	counter     BIGINT NOT NULL,
	challenge   TEXT NOT NULL,
	behind      BIGINT NOT NULL
) WITH (fillfactor = 50);

-- One epoch of one gateway. have is the permanent memory of what has come:
-- ranges of sequences, as in 1-17,19,30-42.
CREATE TABLE stream (
	key     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	gateway BIGINT NOT NULL,
	epoch   TEXT NOT NULL,
	have    TEXT NOT NULL DEFAULT '',
	events  BIGINT NOT NULL DEFAULT 0,
	refused BIGINT NOT NULL DEFAULT 0,
	forked  BIGINT NOT NULL DEFAULT 0,
	UNIQUE (gateway, epoch)
) WITH (fillfactor = 50);

CREATE TABLE event (
	stream  BIGINT NOT NULL,
	seq     BIGINT NOT NULL,
	at      BIGINT NOT NULL,
	link    TEXT NOT NULL,
	alarm   INT NOT NULL,
	subject TEXT NOT NULL,
	refused TEXT NOT NULL,
	raw     BYTEA NOT NULL,
	PRIMARY KEY (stream, seq)
);
CREATE INDEX event_alarm ON event (subject) WHERE alarm = 1;
CREATE INDEX event_at ON event (at, stream, seq);
CREATE INDEX event_refused ON event (at) WHERE refused <> '';

CREATE TABLE delivery (
	stream BIGINT NOT NULL,
	seq    BIGINT NOT NULL,
	link   TEXT NOT NULL,
	at     BIGINT NOT NULL,
	PRIMARY KEY (stream, seq, link)
);

-- What came under an id that another event has already.
CREATE TABLE stray (
	gateway BIGINT NOT NULL,
	digest  BYTEA NOT NULL,
	at      BIGINT NOT NULL,
	link    TEXT NOT NULL,
	reason  TEXT NOT NULL,
	raw     BYTEA NOT NULL,
	PRIMARY KEY (gateway, digest)
);

-- Wall clock less monotonic clock of one boot: told by the first synchronised
-- moment of it (at mono; mono is -1 where there was none), and the least that
-- it can be, going by when the gateway spoke to us.
CREATE TABLE anchor (
	gateway  BIGINT NOT NULL,
	boot     TEXT NOT NULL,
	mono     BIGINT NOT NULL,
	shift    BIGINT NOT NULL,
	estimate BIGINT NOT NULL,
	PRIMARY KEY (gateway, boot)
);

-- alert.State of a gateway, a row a key.
CREATE TABLE standing (
	gateway   BIGINT NOT NULL,
	numbering TEXT NOT NULL,
	place     TEXT NOT NULL,
	kind      TEXT NOT NULL,
	id        TEXT NOT NULL,
	stands    INT NOT NULL,
	state     TEXT NOT NULL,
	PRIMARY KEY (gateway, numbering, place, kind)
);
CREATE INDEX standing_open ON standing (gateway) WHERE stands = 1;

-- Every alert there ever was: the fold of its own events.
CREATE TABLE alert (
	key         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	gateway     BIGINT NOT NULL,
	id          TEXT NOT NULL,
	numbering   TEXT NOT NULL,
	place       TEXT NOT NULL,
	kind        TEXT NOT NULL,
	status      TEXT NOT NULL,
	stored      BIGINT NOT NULL,
	changed     BIGINT NOT NULL,
	last_number BIGINT NOT NULL,
	last_stored BIGINT NOT NULL,
	state       TEXT NOT NULL,
	UNIQUE (gateway, id, numbering, place, kind)
);

CREATE TABLE command (
	gateway   BIGINT NOT NULL,
	id        TEXT NOT NULL,
	counter   BIGINT NOT NULL,
	claims    TEXT NOT NULL,
	jws       TEXT NOT NULL,
	issuer    TEXT NOT NULL,
	alert     TEXT NOT NULL,
	at        BIGINT NOT NULL,
	signed    BIGINT NOT NULL,
	expires   BIGINT NOT NULL,
	published BIGINT NOT NULL DEFAULT 0,
	leased    BIGINT NOT NULL DEFAULT 0,
	accepted  INT NOT NULL DEFAULT 0,
	refused   BIGINT NOT NULL DEFAULT 0,
	reason    TEXT NOT NULL DEFAULT '',
	answered  BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (gateway, id),
	UNIQUE (gateway, counter)
);
CREATE INDEX command_waiting ON command (expires) WHERE accepted = 0;

CREATE TABLE outbox (
	id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	webhook  TEXT NOT NULL,
	gateway  BIGINT NOT NULL,
	alert    TEXT NOT NULL,
	event    BYTEA NOT NULL,
	stored   BIGINT NOT NULL,
	due      BIGINT NOT NULL,
	attempts INT NOT NULL DEFAULT 0,
	gone     INT NOT NULL DEFAULT 0,
	reason   TEXT NOT NULL DEFAULT ''
);
CREATE INDEX outbox_due ON outbox (webhook, gateway, alert, id) WHERE gone = 0;

CREATE TABLE operator (
	id       TEXT PRIMARY KEY,
	name     TEXT NOT NULL,
	role     TEXT NOT NULL,
	hash     TEXT NOT NULL,
	created  BIGINT NOT NULL,
	changed  BIGINT NOT NULL,
	disabled BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE session (
	token  BYTEA PRIMARY KEY,
	data   BYTEA NOT NULL,
	expiry BIGINT NOT NULL
);
CREATE INDEX session_expiry ON session (expiry);

CREATE TABLE team (
	id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name    TEXT NOT NULL UNIQUE,
	phone   TEXT NOT NULL,
	retired INT NOT NULL DEFAULT 0
);

CREATE TABLE assignment (
	gateway BIGINT NOT NULL,
	alert   TEXT NOT NULL,
	team    BIGINT NOT NULL REFERENCES team,
	issuer  TEXT NOT NULL,
	at      BIGINT NOT NULL,
	eta     BIGINT NOT NULL,
	arrived BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (gateway, alert, team)
);

CREATE TABLE audit (
	number BIGINT PRIMARY KEY,
	at     BIGINT NOT NULL,
	who    TEXT NOT NULL,
	what   TEXT NOT NULL,
	object TEXT NOT NULL,
	detail TEXT NOT NULL,
	hash   BYTEA NOT NULL
);

-- Who looks after an alert, up to which press.
CREATE TABLE take (
	gateway BIGINT NOT NULL,
	alert   TEXT NOT NULL,
	number  BIGINT NOT NULL,
	who     TEXT NOT NULL,
	at      BIGINT NOT NULL,
	PRIMARY KEY (gateway, alert)
);

CREATE INDEX command_alert ON command (gateway, alert) WHERE alert <> '';
CREATE INDEX assignment_alert ON assignment (alert);
CREATE INDEX take_alert ON take (alert);
CREATE INDEX anchor_boot ON anchor (boot);
