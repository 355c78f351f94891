-- +goose Up

-- record: the ID that the version had in the system that it came from; external: the
-- name that whoever asked for it has for the request; key_wish: whether its key is to
-- be a new one; ends: when it is to end at the latest. Nearly all say nothing.
ALTER TABLE versions ADD COLUMN record TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN external TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN key_wish TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN ends BIGINT NOT NULL DEFAULT 0;
-- When its record was taken out of the inventory; zero for nearly all.
ALTER TABLE versions ADD COLUMN removed BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX versions_record ON versions (record) WHERE record <> '';
CREATE INDEX versions_external ON versions (external) WHERE external <> '';

-- What the work is called by whoever asked for it.
ALTER TABLE work ADD COLUMN action TEXT NOT NULL DEFAULT '';
CREATE INDEX work_version ON work (version);

-- What was said at the gates of a work; kept when the tickets are gone.
CREATE TABLE decisions (
	work   BIGINT NOT NULL,
	at     BIGINT NOT NULL,
	gate   TEXT NOT NULL,
	stage  TEXT NOT NULL,
	actor  TEXT NOT NULL,
	yes    BOOLEAN NOT NULL,
	said   TEXT NOT NULL
);
CREATE INDEX decisions_work ON decisions (work, at);

-- idle: so long the session lives on after it was used, in microseconds; zero: as long
-- as it was given. kind: which edge has begun it; empty: it is a grant or an API key.
ALTER TABLE sessions ADD COLUMN idle BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN kind TEXT NOT NULL DEFAULT '';
-- API keys, which belong to no application, live on for ten minutes after they were used.
UPDATE sessions SET idle = 600000000 WHERE application = '' AND ended = FALSE;

-- Principals that log in with a client's ID and secret. scope: what they may do at most.
CREATE TABLE service_accounts (
	client    TEXT PRIMARY KEY,
	principal TEXT NOT NULL,
	secret    TEXT NOT NULL,
	scope     TEXT NOT NULL
);
CREATE UNIQUE INDEX service_accounts_principal ON service_accounts (principal);

-- Signing requests that were handed in for a request to come.
CREATE TABLE uploaded_requests (
	id        TEXT PRIMARY KEY,
	principal TEXT NOT NULL,
	csr       BYTEA NOT NULL,
	created   BIGINT NOT NULL
);
CREATE INDEX uploaded_requests_created ON uploaded_requests (created);
CREATE INDEX uploaded_requests_principal ON uploaded_requests (principal);

-- Folders that are known by another name than their place.
CREATE TABLE group_names (
	name_key TEXT PRIMARY KEY,
	name     TEXT NOT NULL,
	folder   TEXT NOT NULL
);
CREATE UNIQUE INDEX group_names_folder ON group_names (folder);

-- The way by which the actor has asked: the API, and what the client says of itself.
ALTER TABLE audit ADD COLUMN via TEXT NOT NULL DEFAULT '';

-- held: since when the certificate is on hold, which is no revocation yet.
ALTER TABLE revocations ADD COLUMN held BIGINT NOT NULL DEFAULT 0;

-- What versions are searched by: one row for each whose place is there. record: the ID
-- of its record. names: the common name, and the alternative names each behind a tab, in
-- lower case, between line breaks; prints: serial number and thumbprint likewise. Before
-- there is a certificate the names are those that its place asks for. ca: 1 for a
-- certificate that stands above others, 2 for one that signs itself, too.
CREATE TABLE records (
	id          BIGINT PRIMARY KEY,
	certificate TEXT NOT NULL,
	record      TEXT NOT NULL,
	cn_key      BYTEA NOT NULL,
	names       TEXT NOT NULL,
	prints      TEXT NOT NULL,
	facts       BIGINT NOT NULL,
	ca          BIGINT NOT NULL,
	issued      BOOLEAN NOT NULL,
	not_before  BIGINT NOT NULL,
	not_after   BIGINT NOT NULL
);
CREATE INDEX records_cn ON records (cn_key, record);

-- What many records have in common; id is a hash of the rest. Texts are in lower case;
-- units stand between line breaks; issuer is its common name, issuer_name the whole.
CREATE TABLE record_facts (
	id           BIGINT PRIMARY KEY,
	issuer       TEXT NOT NULL,
	issuer_name  TEXT NOT NULL,
	organization TEXT NOT NULL,
	units        TEXT NOT NULL,
	locality     TEXT NOT NULL,
	province     TEXT NOT NULL,
	country      TEXT NOT NULL
);

-- Alternative names of records of a certificate that the one in use has not got.
CREATE TABLE record_names (
	value       TEXT NOT NULL,
	certificate TEXT NOT NULL,
	PRIMARY KEY (value, certificate)
);
CREATE INDEX record_names_certificate ON record_names (certificate);

-- The last version of an older release that has got its row in records; -1: all have.
INSERT INTO counters (name, value) SELECT 'records', CASE WHEN EXISTS (SELECT 1 FROM versions) THEN 0 ELSE -1 END;

-- Certificates are searched for by what came of looking for them.
CREATE INDEX validation_rounds_state ON validation_rounds (state);
