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
