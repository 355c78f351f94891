-- +goose Up

-- Folders whose certificates are to be looked at anew, because policy has changed.
CREATE TABLE sweeps (
	id    BIGINT PRIMARY KEY,
	below TEXT NOT NULL,
	after TEXT NOT NULL
);

-- The subjects that are asked for where policy wants each to be there only once.
CREATE TABLE subjects (
	certificate TEXT PRIMARY KEY,
	subject     TEXT NOT NULL
);
CREATE INDEX subjects_subject ON subjects (subject);

-- The public keys of certificates that were deleted with their places.
CREATE TABLE past_keys (
	key_hash BYTEA PRIMARY KEY
);

-- Versions are numbered: clients show the numbers, and keep them in 32 bits.
INSERT INTO counters (name, value) VALUES ('version', 0);
