-- +goose Up

-- Questions to those who have to say yes before a work goes on. id: the object of
-- class ticket that says what the question is. work: zero until there is one.
-- stage: where the work stands before it; point: which point of it that is; name: what asks, the id of a workflow for
-- one. since and until: when the yes is good; zero for at once and for ever. The
-- table gates is not used any more.
CREATE TABLE tickets (
	id      TEXT PRIMARY KEY,
	subject TEXT NOT NULL,
	work    BIGINT NOT NULL,
	stage   TEXT NOT NULL,
	point   TEXT NOT NULL,
	name    TEXT NOT NULL,
	open    BOOLEAN NOT NULL,
	since   BIGINT NOT NULL,
	until   BIGINT NOT NULL
);
CREATE INDEX tickets_work ON tickets (work);
CREATE INDEX tickets_subject ON tickets (subject);
CREATE INDEX tickets_open ON tickets (work) WHERE open = TRUE;

-- Who is asked by tickets that are not answered.
CREATE TABLE ticket_approvers (
	approver TEXT NOT NULL,
	ticket   TEXT NOT NULL,
	PRIMARY KEY (approver, ticket)
);
CREATE INDEX ticket_approvers_ticket ON ticket_approvers (ticket);

-- Secrets that are not the parts of a version: passwords, key files, what clients
-- keep here. Their numbers come from where those of versions do. kind: as the API
-- numbers them. keyname: the protection key that was asked for.
CREATE TABLE secrets (
	id      BIGINT PRIMARY KEY,
	kind    BIGINT NOT NULL,
	keyname TEXT NOT NULL,
	sealed  BYTEA NOT NULL,
	hash    BYTEA NOT NULL,
	created BIGINT NOT NULL
);
CREATE INDEX secrets_kind ON secrets (kind, id);
CREATE INDEX secrets_hash ON secrets (hash);

CREATE TABLE secret_owners (
	secret BIGINT NOT NULL,
	owner  TEXT NOT NULL,
	PRIMARY KEY (secret, owner)
);
CREATE INDEX secret_owners_owner ON secret_owners (owner, secret);

-- What is known of a secret without opening it. kind: string, int or datetime;
-- value in the form in which values of that kind are compared.
CREATE TABLE secret_facts (
	secret BIGINT NOT NULL,
	name   TEXT NOT NULL,
	kind   TEXT NOT NULL,
	value  TEXT NOT NULL,
	PRIMARY KEY (secret, name, kind, value)
);
CREATE INDEX secret_facts_value ON secret_facts (name, kind, value, secret);

CREATE TABLE preferences (
	id        BIGINT PRIMARY KEY,
	principal TEXT NOT NULL,
	product   TEXT NOT NULL,
	category  TEXT NOT NULL,
	name      TEXT NOT NULL,
	value     TEXT NOT NULL
);
CREATE UNIQUE INDEX preferences_name ON preferences (principal, product, category, name);

-- event: what a client has reported, as JSON; empty for entries of our own.
ALTER TABLE audit ADD COLUMN event TEXT NOT NULL DEFAULT '';
CREATE INDEX audit_subject ON audit (subject, id);

ALTER TABLE principals ADD COLUMN auditor BOOLEAN NOT NULL DEFAULT FALSE;

CREATE INDEX sessions_principal ON sessions (principal);

CREATE INDEX objects_class ON objects (class, dn_key);

-- What clients know objects by that keep numbers of 32 bits. They come from where
-- the numbers of versions do.
ALTER TABLE objects ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
UPDATE objects SET number = n.number FROM (
	SELECT id, (SELECT value FROM counters WHERE name = 'version') + 4 * ROW_NUMBER() OVER (ORDER BY id) AS number FROM objects
) AS n WHERE n.id = objects.id;
UPDATE counters SET value = value + 4 * (SELECT COUNT(*) + 1 FROM objects) WHERE name = 'version';
CREATE UNIQUE INDEX objects_number ON objects (number) WHERE number > 0;
