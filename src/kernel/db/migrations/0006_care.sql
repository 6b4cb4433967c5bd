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
