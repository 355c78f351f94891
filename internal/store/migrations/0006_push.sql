-- +goose Up

-- Installations. host: the device that is reached, empty for all other work.
-- together: the first of the works that succeed together or not at all. memo: what
-- earlier stages have found out for later ones.
ALTER TABLE work ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE work ADD COLUMN together BIGINT NOT NULL DEFAULT 0;
ALTER TABLE work ADD COLUMN memo TEXT NOT NULL DEFAULT '';
DROP INDEX work_due;
CREATE INDEX work_due ON work (due) WHERE done = FALSE AND failure = '' AND host = '';
CREATE INDEX work_host ON work (host, due) WHERE done = FALSE AND failure = '' AND host <> '';
CREATE INDEX work_installs ON work (version) WHERE done = FALSE AND host <> '';
CREATE INDEX work_together ON work (together) WHERE together > 0;
UPDATE work SET host = subject WHERE op = 'install' AND done = FALSE;

-- Attributes that have got a meaning: they went by the vendor's names until now, with
-- tpp: before. What is quoted within a value has its quotes escaped, and stays.
UPDATE objects SET own = replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(own,
	'"tpp:Credential":', '"credential":'),
	'"tpp:Connection Method":', '"connection-method":'),
	'"tpp:Concurrent Connection Limit":', '"connection-limit":'),
	'"tpp:Enforce Known Host":', '"known-host":'),
	'"tpp:Trusted Fingerprint":', '"trusted-keys":'),
	'"tpp:Last Known Fingerprint":', '"seen-key":'),
	'"tpp:Last Known Key Type":', '"seen-key-kind":'),
	'"tpp:Global sudo":', '"sudo":'),
	'"tpp:Timeout":', '"timeout":'),
	'"tpp:Certificate File":', '"certificate-file":')
WHERE own LIKE '%"tpp:%';
UPDATE objects SET own = replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(own,
	'"tpp:Private Key File":', '"key-file":'),
	'"tpp:Certificate Chain File":', '"chain-file":'),
	'"tpp:Overwrite Existing Chain":', '"overwrite-chain":'),
	'"tpp:Private Key Syntax":', '"key-syntax":'),
	'"tpp:Private Key Password Credential":', '"key-credential":'),
	'"tpp:Key Store":', '"key-store":'),
	'"tpp:Key Store Credential":', '"key-store-credential":'),
	'"tpp:Certificate Label":', '"certificate-label":'),
	'"tpp:Store Type":', '"store-type":'),
	'"tpp:Friendly Name":', '"friendly-name":')
WHERE own LIKE '%"tpp:%';
UPDATE objects SET own = replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(own,
	'"tpp:Create Store":', '"create-store":'),
	'"tpp:Replace Store":', '"replace-store":'),
	'"tpp:Bundle Certificate":', '"bundle-chain":'),
	'"tpp:File Permissions Enabled":', '"file-permissions-enabled":'),
	'"tpp:File Owner: User":', '"file-user":'),
	'"tpp:File Owner: Group":', '"file-group":'),
	'"tpp:File Permissions: User":', '"file-user-mode":'),
	'"tpp:File Permissions: Group":', '"file-group-mode":'),
	'"tpp:Restart Application":', '"restart":'),
	'"tpp:Network Validation Disabled":', '"no-network-validation":')
WHERE own LIKE '%"tpp:%';
UPDATE objects SET own = replace(replace(replace(replace(replace(replace(replace(own,
	'"tpp:File Validation Disabled":', '"no-file-validation":'),
	'"tpp:Validation Disabled":', '"no-validation":'),
	'"tpp:Last Pushed On":', '"pushed-on":'),
	'"tpp:Last Pushed By":', '"pushed-by":'),
	'"tpp:Certificate Installed":', '"certificate-installed":'),
	'"tpp:Username":', '"username":'),
	'"tpp:Vault Id":', '"secret":')
WHERE own LIKE '%"tpp:%';
UPDATE objects SET policy = replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(policy,
	'"attr":"tpp:Credential"', '"attr":"credential"'),
	'"attr":"tpp:Connection Method"', '"attr":"connection-method"'),
	'"attr":"tpp:Concurrent Connection Limit"', '"attr":"connection-limit"'),
	'"attr":"tpp:Enforce Known Host"', '"attr":"known-host"'),
	'"attr":"tpp:Trusted Fingerprint"', '"attr":"trusted-keys"'),
	'"attr":"tpp:Last Known Fingerprint"', '"attr":"seen-key"'),
	'"attr":"tpp:Last Known Key Type"', '"attr":"seen-key-kind"'),
	'"attr":"tpp:Global sudo"', '"attr":"sudo"'),
	'"attr":"tpp:Timeout"', '"attr":"timeout"'),
	'"attr":"tpp:Certificate File"', '"attr":"certificate-file"')
WHERE policy LIKE '%"attr":"tpp:%';
UPDATE objects SET policy = replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(policy,
	'"attr":"tpp:Private Key File"', '"attr":"key-file"'),
	'"attr":"tpp:Certificate Chain File"', '"attr":"chain-file"'),
	'"attr":"tpp:Overwrite Existing Chain"', '"attr":"overwrite-chain"'),
	'"attr":"tpp:Private Key Syntax"', '"attr":"key-syntax"'),
	'"attr":"tpp:Private Key Password Credential"', '"attr":"key-credential"'),
	'"attr":"tpp:Key Store"', '"attr":"key-store"'),
	'"attr":"tpp:Key Store Credential"', '"attr":"key-store-credential"'),
	'"attr":"tpp:Certificate Label"', '"attr":"certificate-label"'),
	'"attr":"tpp:Store Type"', '"attr":"store-type"'),
	'"attr":"tpp:Friendly Name"', '"attr":"friendly-name"')
WHERE policy LIKE '%"attr":"tpp:%';
UPDATE objects SET policy = replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(policy,
	'"attr":"tpp:Create Store"', '"attr":"create-store"'),
	'"attr":"tpp:Replace Store"', '"attr":"replace-store"'),
	'"attr":"tpp:Bundle Certificate"', '"attr":"bundle-chain"'),
	'"attr":"tpp:File Permissions Enabled"', '"attr":"file-permissions-enabled"'),
	'"attr":"tpp:File Owner: User"', '"attr":"file-user"'),
	'"attr":"tpp:File Owner: Group"', '"attr":"file-group"'),
	'"attr":"tpp:File Permissions: User"', '"attr":"file-user-mode"'),
	'"attr":"tpp:File Permissions: Group"', '"attr":"file-group-mode"'),
	'"attr":"tpp:Restart Application"', '"attr":"restart"'),
	'"attr":"tpp:Network Validation Disabled"', '"attr":"no-network-validation"')
WHERE policy LIKE '%"attr":"tpp:%';
UPDATE objects SET policy = replace(replace(replace(replace(replace(replace(replace(policy,
	'"attr":"tpp:File Validation Disabled"', '"attr":"no-file-validation"'),
	'"attr":"tpp:Validation Disabled"', '"attr":"no-validation"'),
	'"attr":"tpp:Last Pushed On"', '"attr":"pushed-on"'),
	'"attr":"tpp:Last Pushed By"', '"attr":"pushed-by"'),
	'"attr":"tpp:Certificate Installed"', '"attr":"certificate-installed"'),
	'"attr":"tpp:Username"', '"attr":"username"'),
	'"attr":"tpp:Vault Id"', '"attr":"secret"')
WHERE policy LIKE '%"attr":"tpp:%';
UPDATE objects SET own = replace(replace(replace(own,
	'"tpp:Use Common Name":', '"look-at-common-name":'),
	'"tpp:Use DNS SubjectAltName":', '"look-at-sans":'),
	'"tpp:Detect All SSL TLS Protocols":', '"all-versions":')
WHERE own LIKE '%"tpp:%';
UPDATE objects SET policy = replace(replace(replace(policy,
	'"attr":"tpp:Use Common Name"', '"attr":"look-at-common-name"'),
	'"attr":"tpp:Use DNS SubjectAltName"', '"attr":"look-at-sans"'),
	'"attr":"tpp:Detect All SSL TLS Protocols"', '"attr":"all-versions"')
WHERE policy LIKE '%"attr":"tpp:%';

-- Certificates that are looked for from time to time where they should be in use. due:
-- when next, be it that somebody is looking until then. last: when somebody has looked;
-- state: what of that is to be held of all places together, 1 for fine, 2 for not fine;
-- since: when it became that. All are zero until somebody has looked.
CREATE TABLE validation_rounds (
	certificate TEXT PRIMARY KEY,
	due         BIGINT NOT NULL,
	last        BIGINT NOT NULL DEFAULT 0,
	state       BIGINT NOT NULL DEFAULT 0,
	since       BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX validation_rounds_due ON validation_rounds (due);

-- What was seen last at each of those places. number: which of the certificate's it is.
-- kind: file or tls. sources: the applications and names whose place it is, as JSON.
-- host, address, port: of a service. said: in words. chain, leaf: sets of bits;
-- versions: of TLS, as JSON.
CREATE TABLE validations (
	certificate TEXT NOT NULL,
	number      BIGINT NOT NULL,
	kind        TEXT NOT NULL,
	sources     TEXT NOT NULL,
	host        TEXT NOT NULL,
	address     TEXT NOT NULL,
	port        BIGINT NOT NULL,
	said        TEXT NOT NULL,
	chain       BIGINT NOT NULL,
	leaf        BIGINT NOT NULL,
	versions    TEXT NOT NULL,
	at          BIGINT NOT NULL,
	PRIMARY KEY (certificate, number)
);
INSERT INTO validation_rounds (certificate, due) SELECT id, 1 FROM objects WHERE own LIKE '%"consumers":%' AND class LIKE '%certificate';
