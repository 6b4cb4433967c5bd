-- Alarms: what somebody should look at, until it is over.
CREATE TABLE alarms (
  id         INTEGER PRIMARY KEY,
  kind       TEXT NOT NULL,                    -- a word of kernel::alarms::Alarm
  subject    TEXT NOT NULL,                    -- what it is about, such as the name of a target; '' for the instance
  sentence   TEXT NOT NULL,
  raised_at  INTEGER NOT NULL,
  seen_at    INTEGER NOT NULL,                 -- when it was last found to be so
  cleared_at INTEGER
) STRICT;
CREATE UNIQUE INDEX alarms_open ON alarms (kind, subject) WHERE cleared_at IS NULL;

-- Upgrades: which program brought which schema, and how it went.
CREATE TABLE upgrades (
  id           INTEGER PRIMARY KEY,
  from_version TEXT,                           -- none for the first program of the instance
  to_version   TEXT NOT NULL,
  to_schema    INTEGER NOT NULL,
  began_at     INTEGER NOT NULL,
  finished_at  INTEGER,
  outcome      TEXT CHECK (outcome IN ('good', 'rolled_back')),
  message      TEXT
) STRICT;

-- Drills: the newest backup of a target brought back beside the instance and proven.
CREATE TABLE drills (
  id          INTEGER PRIMARY KEY,
  cause       TEXT NOT NULL CHECK (cause IN ('schedule', 'person', 'command')),
  target      TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('running', 'good', 'failed', 'stopped')),
  started_at  INTEGER NOT NULL,
  finished_at INTEGER,
  receipt     INTEGER,                         -- number of the backup
  rpo_ms      INTEGER,                         -- age of its data when the drill began
  rto_ms      INTEGER,                         -- from the beginning until everything was proven
  digest      TEXT,                            -- one hash over all user data in it
  evidence    TEXT,                            -- the signed record: JSON, see docs/formats/backup.md
  message     TEXT                             -- why it failed
) STRICT;

-- Restores of a project, a case or a run into the living instance.
CREATE TABLE restores (
  id          INTEGER PRIMARY KEY,
  target      TEXT NOT NULL,
  receipt     INTEGER,                         -- number of the backup; NULL: the newest, not yet known
  what        TEXT NOT NULL,                   -- SHOP, SHOP-C12 or SHOP-R3
  mode        TEXT NOT NULL CHECK (mode IN ('missing', 'replace')),
  state       TEXT NOT NULL CHECK (state IN ('reading', 'previewed', 'applying', 'done', 'failed')),
  author_id   INTEGER,
  started_at  INTEGER NOT NULL,
  changed_at  INTEGER NOT NULL,
  preview     TEXT,                            -- JSON: what would be created, changed, left
  outcome     TEXT,                            -- JSON: what was
  message     TEXT                             -- why it failed
) STRICT;

-- Certificates: what was issued to the instance, its account at a directory, and its own authority.
CREATE TABLE certificates (
  source     TEXT PRIMARY KEY CHECK (source IN ('acme', 'authority')),
  chain      TEXT,                             -- PEM, ours first; none before the first was issued
  key        BLOB,                             -- sealed by the vault
  origin     TEXT NOT NULL DEFAULT '',         -- which directory or authority issued it
  names      TEXT NOT NULL DEFAULT '',         -- what was asked for, one a line
  issued_at  INTEGER,
  renew_at   INTEGER,                          -- when it is due
  tried_at   INTEGER,
  outcome    TEXT CHECK (outcome IN ('good', 'failed')),
  message    TEXT,
  failures   INTEGER NOT NULL DEFAULT 0,       -- in a row
  next_at    INTEGER NOT NULL DEFAULT 0,       -- not tried before
  asked_at   INTEGER                           -- when somebody asked for another one
) STRICT;
CREATE TABLE acme_accounts (
  directory TEXT PRIMARY KEY,
  sealed    BLOB NOT NULL,                     -- account and key, sealed by the vault
  made_at   INTEGER NOT NULL
) STRICT;
CREATE TABLE authorities (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  name        TEXT NOT NULL,
  certificate TEXT NOT NULL,                   -- PEM
  key         BLOB NOT NULL,                   -- sealed by the vault
  names       TEXT NOT NULL,                   -- what it may sign for, one a line
  made_at     INTEGER NOT NULL
) STRICT;
CREATE TABLE client_certificates (
  id         INTEGER PRIMARY KEY,
  serial     BLOB NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  made_at    INTEGER NOT NULL,
  not_after  INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;
-- Keys: by which key of the chain an entry is bound.
ALTER TABLE audit ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
-- Keys: exchanges of keys that were ordered, each of one kind.
CREATE TABLE key_changes (
  id          INTEGER PRIMARY KEY,
  kind        TEXT NOT NULL CHECK (kind IN ('master', 'database', 'blobs', 'tokens', 'chain', 'vault', 'signing')),
  state       TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
  generation  INTEGER,                         -- the one it leads to, once it has begun
  ordered_at  INTEGER NOT NULL,
  started_at  INTEGER,
  finished_at INTEGER,
  done        INTEGER NOT NULL DEFAULT 0,
  total       INTEGER NOT NULL DEFAULT 0,
  message     TEXT                             -- why it waits or failed
) STRICT;
CREATE UNIQUE INDEX key_changes_open ON key_changes (kind) WHERE state IN ('waiting', 'running');
