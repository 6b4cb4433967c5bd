CREATE TABLE backups (
  id          INTEGER PRIMARY KEY,
  cause       TEXT NOT NULL CHECK (cause IN ('schedule', 'person', 'command')),
  target      TEXT NOT NULL,                   -- folder, as the owner wrote it
  state       TEXT NOT NULL CHECK (state IN ('running', 'good', 'failed')),
  started_at  INTEGER NOT NULL,
  finished_at INTEGER,
  snapshot    TEXT,
  receipt     INTEGER,                         -- number of the signed receipt
  files       INTEGER,
  bytes       INTEGER,
  bytes_added INTEGER,
  verified_at INTEGER,                         -- when it was last read back without an error
  message     TEXT                             -- why it failed
) STRICT;
