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
  to_version   TEXT,                           -- none where nobody could tell what the file was
  to_schema    INTEGER NOT NULL,
  actor        TEXT NOT NULL,                  -- as in the audit trail: operator, or the job that found it done
  began_at     INTEGER NOT NULL,
  finished_at  INTEGER,
  outcome      TEXT CHECK (outcome IN ('good', 'failed', 'rolled_back')),
  message      TEXT                            -- why it failed or went back
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
-- The one folder of the first release becomes the first target.
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
-- Integrity: every check that was made, and what is wrong.
CREATE TABLE checks (
  id          INTEGER PRIMARY KEY,
  kind        TEXT NOT NULL CHECK (kind IN ('database', 'files', 'trail', 'keys', 'sums')),
  cause       TEXT NOT NULL CHECK (cause IN ('schedule', 'person', 'command', 'start', 'damage')),
  state       TEXT NOT NULL CHECK (state IN ('running', 'good', 'bad', 'failed')),
  started_at  INTEGER NOT NULL,
  finished_at INTEGER,
  looked      INTEGER NOT NULL DEFAULT 0,      -- pages, files, entries, keys or sums that were looked at
  findings    INTEGER NOT NULL DEFAULT 0,
  message     TEXT                             -- why it failed
) STRICT;
CREATE TABLE findings (
  id        INTEGER PRIMARY KEY,
  kind      TEXT NOT NULL,                     -- of the check that found it
  object    TEXT NOT NULL,                     -- page 12, index cases_by_number, file 3f..., suite 4
  sentence  TEXT NOT NULL,
  found_at  INTEGER NOT NULL,
  mended_at INTEGER                            -- NULL: it is still so
) STRICT;
CREATE UNIQUE INDEX findings_open ON findings (kind, object) WHERE mended_at IS NULL;
ALTER TABLE blobs ADD COLUMN checked_at INTEGER;   -- when it was last read to its end
ALTER TABLE blobs ADD COLUMN damaged_at INTEGER;   -- NULL: whole as far as is known
ALTER TABLE blobs ADD COLUMN unused_at INTEGER;    -- since when nothing names it
CREATE INDEX blobs_damaged ON blobs (id) WHERE damaged_at IS NOT NULL;
CREATE INDEX blobs_unused ON blobs (unused_at) WHERE unused_at IS NOT NULL;
CREATE INDEX evidence_of_a_blob ON evidence (blob_id);
-- Grows with each change that takes results away or brings them back; 0 once summaries are counted anew.
ALTER TABLE projects ADD COLUMN recount_due INTEGER NOT NULL DEFAULT 0;

-- Trash, retention and holds. A run in the trash is 'receiving' to everybody else, so nobody sees it; what it
-- was before stands in kept_state.
ALTER TABLE runs ADD COLUMN kept_state TEXT;
ALTER TABLE runs ADD COLUMN trashed_at INTEGER;
ALTER TABLE cases ADD COLUMN trashed_at INTEGER;
ALTER TABLE projects ADD COLUMN trashed_at INTEGER;
CREATE INDEX runs_in_the_trash ON runs (project_id, number) WHERE trashed_at IS NOT NULL;
-- While a hold is not lifted, nothing it covers is deleted, by nobody.
CREATE TABLE holds (
  id         INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL,
  run_id     INTEGER,                          -- NULL: the whole project
  reason     TEXT NOT NULL,
  author_id  INTEGER,
  created_at INTEGER NOT NULL,
  lifted_at  INTEGER
) STRICT;
CREATE INDEX holds_in_force ON holds (project_id) WHERE lifted_at IS NULL;
-- How long each class of data stays; project 0 is every project without a line of its own.
CREATE TABLE retention (
  class      TEXT NOT NULL,
  project_id INTEGER NOT NULL DEFAULT 0,
  days       INTEGER NOT NULL,                 -- 0: for ever
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (class, project_id)
) STRICT, WITHOUT ROWID;
-- What was deleted for good, with its signed certificate.
CREATE TABLE deletions (
  id          INTEGER PRIMARY KEY,
  class       TEXT NOT NULL,
  rule        TEXT NOT NULL,                   -- in words: after how many days, by whose order
  approved_by TEXT NOT NULL,                   -- an actor, as in the audit trail
  state       TEXT NOT NULL CHECK (state IN ('running', 'done')),
  started_at  INTEGER NOT NULL,
  finished_at INTEGER,
  subjects    TEXT NOT NULL,                   -- JSON: the ids that are to go
  counts      TEXT NOT NULL DEFAULT '{}',      -- JSON: rows by table
  bytes       INTEGER NOT NULL DEFAULT 0,      -- of evidence
  first_at    INTEGER,
  last_at     INTEGER,
  digest      TEXT NOT NULL DEFAULT '',        -- over the ids that are gone, step by step
  certificate TEXT                             -- JSON with its signature
) STRICT;
-- One sample a day of how large things are.
CREATE TABLE sizes (
  at             INTEGER PRIMARY KEY,
  database_bytes INTEGER NOT NULL,
  files_bytes    INTEGER NOT NULL,
  free_bytes     INTEGER NOT NULL,
  disk_bytes     INTEGER NOT NULL,
  tables         TEXT NOT NULL,                -- JSON: bytes by table
  projects       TEXT NOT NULL                 -- JSON: rows and bytes by key
) STRICT;
-- Shipping: whether the log goes to a target, once it is shipped at all.
ALTER TABLE targets ADD COLUMN has_log INTEGER NOT NULL DEFAULT 1 CHECK (has_log IN (0, 1));
-- Keys: up to which exchange of the recovery kit a target has come.
ALTER TABLE targets ADD COLUMN kit_generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE targets ADD COLUMN kit_tried_at INTEGER;
ALTER TABLE targets ADD COLUMN kit_note TEXT;           -- what is left of before, or why it was not reached
-- Roles: one that makes backups and reads nothing they hold. It is given in the instance alone.
CREATE TABLE grants_with_backup_operators (
  id         INTEGER PRIMARY KEY,
  user_id    INTEGER NOT NULL REFERENCES users (id),
  project_id INTEGER,                         -- NULL: in the whole instance
  role       TEXT NOT NULL CHECK (role IN ('owner', 'manager', 'tester', 'automation', 'viewer', 'auditor',
                                           'backup_operator')),
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  CHECK (role <> 'backup_operator' OR project_id IS NULL)
) STRICT;
INSERT INTO grants_with_backup_operators (id, user_id, project_id, role, created_at, expires_at)
     SELECT id, user_id, project_id, role, created_at, expires_at FROM grants;
DROP TABLE grants;
ALTER TABLE grants_with_backup_operators RENAME TO grants;
CREATE UNIQUE INDEX grants_of_a_user ON grants (user_id, coalesce(project_id, 0));
CREATE INDEX grants_in_a_project ON grants (project_id);
-- Standby: the takeovers that lie behind this copy of the instance; see docs/formats/log.md.
CREATE TABLE takeovers (
  id       TEXT PRIMARY KEY,                 -- 32 hex digits, as in the mark at a target
  noted_at INTEGER NOT NULL
) STRICT;
