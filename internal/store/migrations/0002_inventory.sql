-- +goose Up

-- What a certificate has in common with many others stands once, in its cohort,
-- whose id is a hash of all the rest: whoever knows the rest knows the id. Texts
-- are in lower case; units is a JSON list. A cohort never changes.
CREATE TABLE cohorts (
	id                  BIGINT PRIMARY KEY,
	folder              TEXT NOT NULL,
	class               TEXT NOT NULL,
	disabled            BOOLEAN NOT NULL,
	management          TEXT NOT NULL,
	country             TEXT NOT NULL,
	province            TEXT NOT NULL,
	locality            TEXT NOT NULL,
	organization        TEXT NOT NULL,
	units               TEXT NOT NULL,
	issuer              TEXT NOT NULL,
	key_algorithm       TEXT NOT NULL,
	key_size            BIGINT NOT NULL,
	signature_algorithm TEXT NOT NULL,
	self_signed         BOOLEAN NOT NULL,
	wildcard            BOOLEAN NOT NULL
);

-- How many certificates there are of each cohort, and for each day how many
-- begin, end or were made on it. Every process adds to rows of its own shard, so
-- that no two wait for one another; the number is the sum over the shards.
-- revision grows with every change of a shard.
CREATE TABLE tallies (
	kind     TEXT NOT NULL,
	shard    BIGINT NOT NULL,
	key      BIGINT NOT NULL,
	n        BIGINT NOT NULL,
	revision BIGINT NOT NULL,
	PRIMARY KEY (kind, shard, key)
);
CREATE INDEX tallies_changed ON tallies (shard, revision) WHERE kind = 'cohort';

-- The revision at which the cohorts of each shard stand. Shard zero holds nothing:
-- its revision is that of the last merger of shards.
CREATE TABLE shards (
	id       BIGINT PRIMARY KEY,
	revision BIGINT NOT NULL
);

-- was_before and was_after are the dates that the last renewal has replaced.
-- Cohort zero: the certificate is of an older release and has not been looked at.
ALTER TABLE certificates ADD COLUMN cohort BIGINT NOT NULL DEFAULT 0;
ALTER TABLE certificates ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
ALTER TABLE certificates ADD COLUMN not_before BIGINT NOT NULL DEFAULT 0;
ALTER TABLE certificates ADD COLUMN was_before BIGINT NOT NULL DEFAULT 0;
ALTER TABLE certificates ADD COLUMN was_after BIGINT NOT NULL DEFAULT 0;
ALTER TABLE certificates ADD COLUMN renew_at BIGINT NOT NULL DEFAULT 0;

DROP INDEX certificates_folder;
DROP INDEX certificates_not_after;
CREATE INDEX certificates_walk ON certificates (id, cohort);
CREATE INDEX certificates_cohort ON certificates (cohort, id);
CREATE INDEX certificates_name ON certificates (name_key);
CREATE INDEX certificates_not_before ON certificates (not_before, cohort);
CREATE INDEX certificates_not_after ON certificates (not_after, cohort);
CREATE INDEX certificates_renew_at ON certificates (renew_at) WHERE renew_at > 0;

CREATE INDEX objects_folders ON objects (dn_key) WHERE class = 'folder';

CREATE INDEX work_subject ON work (subject);
CREATE INDEX work_stage ON work (stage, subject) WHERE done = FALSE;
CREATE INDEX work_stopped ON work (subject) WHERE done = FALSE AND failure <> '';
CREATE INDEX gates_undecided ON gates (work) WHERE by = '';
