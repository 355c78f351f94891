-- +goose Up

-- What is known of the revocation of versions: see clm.Revocation.
CREATE TABLE revocations (
	version   BIGINT PRIMARY KEY,
	reason    BIGINT NOT NULL,
	comments  TEXT NOT NULL,
	actor     TEXT NOT NULL,
	requested BIGINT NOT NULL,
	accepted  BIGINT NOT NULL,
	seen_crl  BIGINT NOT NULL,
	seen_ocsp BIGINT NOT NULL,
	told      BIGINT NOT NULL,
	cleared   BIGINT NOT NULL
);

-- Revocations that have been accepted and are still to be seen where relying
-- parties look. due: when to look next, be it that somebody is looking until then.
-- since_crl and since_ocsp: since when it is to be seen there; zero where it is not,
-- and until somebody has looked.
CREATE TABLE checks (
	version    BIGINT PRIMARY KEY,
	due        BIGINT NOT NULL,
	tries      BIGINT NOT NULL,
	since_crl  BIGINT NOT NULL DEFAULT 0,
	since_ocsp BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX checks_due ON checks (due);
CREATE INDEX checks_crl ON checks (since_crl) WHERE since_crl > 0;
CREATE INDEX checks_ocsp ON checks (since_ocsp) WHERE since_ocsp > 0;

-- The round over all certificates that looks whether their private keys match. One
-- row. due: when to go on, be it that somebody is at it until then; after: the last
-- certificate that was looked at; found: those whose keys do not match, before: what
-- the round before has found.
CREATE TABLE key_rounds (
	id     BIGINT PRIMARY KEY,
	due    BIGINT NOT NULL,
	began  BIGINT NOT NULL,
	after  TEXT NOT NULL,
	found  BIGINT NOT NULL,
	before BIGINT NOT NULL
);
INSERT INTO key_rounds (id, due, began, after, found, before) VALUES (1, 0, 0, '', 0, 0);

-- What issuers whose keys are held here have revoked, and what they have issued to
-- places that were deleted since (revoked is zero then). issuer: the fingerprint of
-- its certificate. listed: the list of the shard names it as it stands here; whole:
-- the list of everything does.
CREATE TABLE ledger (
	issuer    TEXT NOT NULL,
	serial    TEXT NOT NULL,
	shard     BIGINT NOT NULL,
	not_after BIGINT NOT NULL,
	revoked   BIGINT NOT NULL,
	reason    BIGINT NOT NULL,
	listed    BOOLEAN NOT NULL,
	whole     BOOLEAN NOT NULL,
	PRIMARY KEY (issuer, serial)
);
CREATE INDEX ledger_shard ON ledger (issuer, shard, not_after) WHERE revoked > 0;
CREATE INDEX ledger_issuer ON ledger (issuer, not_after) WHERE revoked > 0;
CREATE INDEX ledger_unlisted ON ledger (issuer, shard, not_after) WHERE listed = FALSE;
CREATE INDEX ledger_unwhole ON ledger (issuer, not_after) WHERE whole = FALSE;

-- The revocation lists that have been published last; shard -1 is the whole list.
-- urls: the addresses that the list says it is found at.
CREATE TABLE lists (
	issuer TEXT NOT NULL,
	shard  BIGINT NOT NULL,
	number BIGINT NOT NULL,
	made   BIGINT NOT NULL,
	until  BIGINT NOT NULL,
	urls   TEXT NOT NULL,
	der    BYTEA NOT NULL,
	PRIMARY KEY (issuer, shard)
);

-- The keys with which OCSP answers are signed for an issuer, with their certificates.
CREATE TABLE responders (
	issuer    TEXT NOT NULL,
	made      BIGINT NOT NULL,
	not_after BIGINT NOT NULL,
	cert      BYTEA NOT NULL,
	sealed    BYTEA NOT NULL,
	PRIMARY KEY (issuer, made)
);

-- Public keys that are known to be compromised: none may get another certificate.
CREATE TABLE compromised_keys (
	key_hash BYTEA PRIMARY KEY,
	at       BIGINT NOT NULL
);

ALTER TABLE versions ADD COLUMN orphaned BIGINT NOT NULL DEFAULT 0;
