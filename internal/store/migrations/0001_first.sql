-- +goose Up

-- Times are microseconds since 1970 in UTC. Texts that are compared without
-- regard to case stand in a lower-case twin, as bytes, so that both databases
-- sort them alike. Lists and maps are JSON: they are read and written whole.

CREATE TABLE counters (
	name  TEXT PRIMARY KEY,
	value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('tree', 0);

CREATE TABLE objects (
	id       TEXT PRIMARY KEY,
	parent   TEXT NOT NULL,
	dn       TEXT NOT NULL,
	dn_key   BYTEA NOT NULL,
	class    TEXT NOT NULL,
	own      TEXT NOT NULL,
	policy   TEXT NOT NULL,
	grants   TEXT NOT NULL,
	created  BIGINT NOT NULL,
	revision BIGINT NOT NULL
);
CREATE UNIQUE INDEX objects_dn ON objects (dn_key);
CREATE INDEX objects_parent ON objects (parent);
CREATE INDEX objects_granted ON objects (id) WHERE grants <> '';

-- The inventory: what certificates are searched by.
CREATE TABLE certificates (
	id        TEXT PRIMARY KEY,
	folder    TEXT NOT NULL,
	disabled  BOOLEAN NOT NULL,
	current   BIGINT NOT NULL,
	cn_key    TEXT NOT NULL,
	names     TEXT NOT NULL,
	not_after BIGINT NOT NULL
);
CREATE INDEX certificates_folder ON certificates (folder, id);
CREATE INDEX certificates_cn ON certificates (cn_key);
CREATE INDEX certificates_not_after ON certificates (not_after);

CREATE TABLE sans (
	kind        TEXT NOT NULL,
	value       TEXT NOT NULL,
	certificate TEXT NOT NULL,
	PRIMARY KEY (kind, value, certificate)
);
CREATE INDEX sans_certificate ON sans (certificate);

CREATE TABLE versions (
	id          BIGINT PRIMARY KEY,
	certificate TEXT NOT NULL,
	created     BIGINT NOT NULL,
	user_csr    BOOLEAN NOT NULL,
	sealed      BYTEA,
	csr         BYTEA,
	key_hash    BYTEA,
	authority   TEXT NOT NULL,
	ref         TEXT NOT NULL,
	cert        BYTEA,
	chain       TEXT NOT NULL,
	thumbprint  TEXT NOT NULL,
	serial      TEXT NOT NULL,
	not_before  BIGINT NOT NULL,
	not_after   BIGINT NOT NULL
);
CREATE INDEX versions_certificate ON versions (certificate, id);
CREATE INDEX versions_thumbprint ON versions (thumbprint) WHERE thumbprint <> '';
CREATE INDEX versions_serial ON versions (serial) WHERE serial <> '';
CREATE INDEX versions_key ON versions (key_hash) WHERE key_hash IS NOT NULL;

-- CA certificates, each with the fingerprint of the one above it.
CREATE TABLE chains (
	fingerprint TEXT PRIMARY KEY,
	above       TEXT NOT NULL,
	cert        BYTEA NOT NULL
);

-- CA certificates whose keys are held here.
CREATE TABLE issuers (
	name        TEXT PRIMARY KEY,
	fingerprint BYTEA NOT NULL,
	sealed      BYTEA NOT NULL,
	created     BIGINT NOT NULL
);

-- A row is the state of a work and its place in the queue. due: when it may be
-- claimed, be it that it waits until then or, where held, that somebody has it
-- until then.
CREATE TABLE work (
	id       BIGINT PRIMARY KEY,
	op       TEXT NOT NULL,
	subject  TEXT NOT NULL,
	lane     TEXT NOT NULL,
	version  BIGINT NOT NULL,
	stage    TEXT NOT NULL,
	attempt  BIGINT NOT NULL,
	since    BIGINT NOT NULL,
	due      BIGINT NOT NULL,
	held     BOOLEAN NOT NULL,
	begun    BOOLEAN NOT NULL,
	epoch    BIGINT NOT NULL,
	note     TEXT NOT NULL,
	failure  TEXT NOT NULL,
	overlaid BOOLEAN NOT NULL,
	done     BOOLEAN NOT NULL,
	created  BIGINT NOT NULL,
	actor    TEXT NOT NULL,
	reason   TEXT NOT NULL
);
CREATE UNIQUE INDEX work_open ON work (subject, lane) WHERE done = FALSE;
CREATE INDEX work_due ON work (due) WHERE done = FALSE AND failure = '';

CREATE TABLE gates (
	work   BIGINT NOT NULL,
	before TEXT NOT NULL,
	name   TEXT NOT NULL,
	by     TEXT NOT NULL,
	yes    BOOLEAN NOT NULL,
	at     BIGINT NOT NULL,
	PRIMARY KEY (work, before, name)
);

CREATE TABLE principals (
	id       TEXT PRIMARY KEY,
	name     TEXT NOT NULL,
	name_key TEXT NOT NULL,
	is_group BOOLEAN NOT NULL,
	master   BOOLEAN NOT NULL,
	password TEXT NOT NULL
);
CREATE UNIQUE INDEX principals_name ON principals (name_key);

CREATE TABLE members (
	of     TEXT NOT NULL,
	member TEXT NOT NULL,
	PRIMARY KEY (of, member)
);

CREATE TABLE applications (
	id             TEXT PRIMARY KEY,
	name           TEXT NOT NULL,
	scope          TEXT NOT NULL,
	access_seconds BIGINT NOT NULL,
	grant_seconds  BIGINT NOT NULL,
	refreshable    BOOLEAN NOT NULL
);

CREATE TABLE sessions (
	id            TEXT PRIMARY KEY,
	principal     TEXT NOT NULL,
	application   TEXT NOT NULL,
	scope         TEXT NOT NULL,
	issued        BIGINT NOT NULL,
	until         BIGINT NOT NULL,
	access_hash   BYTEA NOT NULL,
	access_issued BIGINT NOT NULL,
	access_until  BIGINT NOT NULL,
	refresh_hash  BYTEA,
	ended         BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX sessions_access ON sessions (access_hash);
CREATE UNIQUE INDEX sessions_refresh ON sessions (refresh_hash) WHERE refresh_hash IS NOT NULL;

CREATE TABLE audit (
	id      BIGINT PRIMARY KEY,
	at      BIGINT NOT NULL,
	actor   TEXT NOT NULL,
	action  TEXT NOT NULL,
	subject TEXT NOT NULL,
	outcome TEXT NOT NULL,
	detail  TEXT NOT NULL
);
