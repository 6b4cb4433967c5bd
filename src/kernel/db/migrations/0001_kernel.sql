-- Tables are named in the plural: CASE is a keyword of SQL.
-- No foreign key is DEFERRED: it would be checked at the shared commit and fail a whole group.
-- Times are milliseconds since 1970 in UTC.

-- The one instance this file is.
CREATE TABLE instances (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  uuid       TEXT NOT NULL,
  name       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  claimed_at INTEGER               -- NULL: nobody has claimed it yet
) STRICT;

-- Run-time settings; the list of names and defaults is kernel/settings.rs.
CREATE TABLE settings (
  name       TEXT PRIMARY KEY,
  value      TEXT NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The audit trail. Ids and counts only: names and addresses sit in side tables.
CREATE TABLE audit (
  seq        INTEGER PRIMARY KEY,
  at         INTEGER NOT NULL,
  actor      TEXT NOT NULL,        -- user:7, user:7 token:3, operator, job:backup: ids and never names
  project_id INTEGER,
  event      TEXT NOT NULL,
  facts      TEXT NOT NULL,        -- case=12 suite=3: ids and counts only
  source     BLOB,                 -- salted digest of the row in audit_sources
  hash       BLOB NOT NULL         -- keyed, over the previous hash and this row
) STRICT;
CREATE INDEX audit_of_a_project ON audit (project_id, seq);

-- From where an entry came. May be erased; the chain stays whole.
CREATE TABLE audit_sources (
  seq     INTEGER PRIMARY KEY,
  salt    BLOB NOT NULL,
  address TEXT NOT NULL,
  request TEXT NOT NULL
) STRICT;

-- Encrypted files, by keyed digest of their content.
CREATE TABLE blobs (
  id        INTEGER PRIMARY KEY,
  name      TEXT NOT NULL UNIQUE,  -- 64 hex digits; also the file name
  sha256    TEXT NOT NULL,         -- of the plain content, 64 hex digits
  bytes     INTEGER NOT NULL,
  stored_at INTEGER NOT NULL
) STRICT;

-- Scheduled work: who holds it, and how it went last.
CREATE TABLE jobs (
  name        TEXT PRIMARY KEY,
  lease_until INTEGER NOT NULL DEFAULT 0,
  started_at  INTEGER,
  finished_at INTEGER,
  outcome     TEXT CHECK (outcome IN ('good', 'failed')),
  message     TEXT
) STRICT, WITHOUT ROWID;
