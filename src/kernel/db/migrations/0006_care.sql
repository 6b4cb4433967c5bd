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

-- Targets of backups: where they go, how to get in, when, and how long they stay there.
CREATE TABLE targets (
  id               INTEGER PRIMARY KEY,
  name             TEXT NOT NULL,
  address          TEXT NOT NULL,              -- keeping::backup::Place as text; holds no secret
  access           BLOB,                       -- its secrets, sealed by the vault
  access_at        INTEGER,                    -- when they were entered
  host_key         TEXT,                       -- of an SFTP server, as somebody has confirmed it
  region           TEXT NOT NULL DEFAULT '',   -- a country or region: NL, DE, EU
  label            TEXT NOT NULL DEFAULT '',   -- where it is, in the owner's words
  is_enabled       INTEGER NOT NULL DEFAULT 1 CHECK (is_enabled IN (0, 1)),
  schedule         TEXT NOT NULL DEFAULT '',   -- cron of five fields; '' for by hand only
  zone             TEXT NOT NULL DEFAULT '',   -- IANA time zone; '' for that of the server
  blackouts        TEXT NOT NULL DEFAULT '',   -- one window a line
  keep_last        INTEGER NOT NULL CHECK (keep_last > 0),
  keep_daily       INTEGER NOT NULL CHECK (keep_daily >= 0),
  keep_weekly      INTEGER NOT NULL CHECK (keep_weekly >= 0),
  keep_monthly     INTEGER NOT NULL CHECK (keep_monthly >= 0),
  bytes_per_second INTEGER CHECK (bytes_per_second > 0),
  master           BLOB,                       -- master key of the repository there, sealed by the vault
  created_at       INTEGER NOT NULL,
  changed_at       INTEGER NOT NULL,
  planned_at       INTEGER NOT NULL,           -- since when the schedule counts
  tried_at         INTEGER,                    -- when the schedule last began a backup
  tries            INTEGER NOT NULL DEFAULT 0, -- failed ones since then, in a row
  retry_at         INTEGER,                    -- when to try again
  tested_at        INTEGER,
  tested           TEXT,                       -- what the last test found, in words
  protection       TEXT,                       -- what the target itself protects, in words
  removed_at       INTEGER
) STRICT;
CREATE UNIQUE INDEX targets_by_name ON targets (lower(name)) WHERE removed_at IS NULL;
-- The one folder of 0.1.0 becomes the first target.
INSERT INTO targets (name, address, schedule, keep_last, keep_daily, keep_weekly, keep_monthly,
                     created_at, changed_at, planned_at, tried_at)
SELECT 'Backup folder', folder.value, coalesce(plan.value, '30 2 * * *'),
       coalesce(json_extract('[' || replace(keep.value, ' ', ',') || ']', '$[0]'), 3),
       coalesce(json_extract('[' || replace(keep.value, ' ', ',') || ']', '$[1]'), 14),
       coalesce(json_extract('[' || replace(keep.value, ' ', ',') || ']', '$[2]'), 8),
       coalesce(json_extract('[' || replace(keep.value, ' ', ',') || ']', '$[3]'), 12),
       folder.changed_at, folder.changed_at, coalesce(plan.changed_at, folder.changed_at),
       (SELECT started_at FROM jobs WHERE name = 'backup')
  FROM settings AS folder
  LEFT JOIN settings AS plan ON plan.name = 'backup.schedule'
  LEFT JOIN settings AS keep ON keep.name = 'backup.keep'
 WHERE folder.name = 'backup.folder' AND folder.value <> '';
DELETE FROM settings WHERE name IN ('backup.folder', 'backup.schedule', 'backup.keep');
ALTER TABLE backups ADD COLUMN target_id INTEGER REFERENCES targets (id);
ALTER TABLE backups ADD COLUMN was_stopped INTEGER NOT NULL DEFAULT 0 CHECK (was_stopped IN (0, 1));
ALTER TABLE backups ADD COLUMN gone_at INTEGER;             -- when its retention took it away
UPDATE backups SET target_id = (SELECT id FROM targets WHERE address = backups.target);
CREATE INDEX backups_of_a_target ON backups (target_id, id);
