CREATE TABLE runs (
  id          INTEGER PRIMARY KEY,
  project_id  INTEGER NOT NULL REFERENCES projects (id),
  number      INTEGER NOT NULL,               -- SHOP-R12
  title       TEXT NOT NULL,
  kind        TEXT NOT NULL CHECK (kind IN ('manual', 'automated', 'mixed')),
  state       TEXT NOT NULL CHECK (state IN ('receiving', 'open', 'closed')),  -- receiving: an upload is not complete, nobody sees it
  author_id   INTEGER REFERENCES users (id),
  created_at  INTEGER NOT NULL,
  closed_at   INTEGER,
  -- Counts of items by latest status, kept in the transaction that records a result.
  passed      INTEGER NOT NULL DEFAULT 0,
  failed      INTEGER NOT NULL DEFAULT 0,
  errored     INTEGER NOT NULL DEFAULT 0,
  blocked     INTEGER NOT NULL DEFAULT 0,
  skipped     INTEGER NOT NULL DEFAULT 0,
  untested    INTEGER NOT NULL DEFAULT 0,
  duration_ms INTEGER NOT NULL DEFAULT 0,     -- sum over the latest results
  changed_at  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX runs_by_number ON runs (project_id, number);
-- Few at any time, and counted on many pages.
CREATE INDEX runs_not_closed ON runs (project_id, state) WHERE state <> 'closed';

-- A case revision inside a run, with its latest verdict. In the order of the run.
CREATE TABLE items (
  id          INTEGER PRIMARY KEY,
  run_id      INTEGER NOT NULL REFERENCES runs (id),
  case_id     INTEGER NOT NULL REFERENCES cases (id),
  revision    INTEGER NOT NULL,
  assignee_id INTEGER REFERENCES users (id),
  status      TEXT NOT NULL DEFAULT 'untested' CHECK (status IN ('passed', 'failed', 'errored', 'blocked', 'skipped', 'untested')),
  attempts    INTEGER NOT NULL DEFAULT 0,
  elapsed_ms  INTEGER,
  result_id   INTEGER                          -- the latest
) STRICT;
-- Also answers "the history of a case": one probe for each recent run, so no index in case order is needed.
CREATE UNIQUE INDEX items_of_a_run ON items (run_id, case_id);
-- Failures first, one status after the other in the order of the run, and the next untested item.
CREATE INDEX items_by_status ON items (run_id, status);
-- Who has what. Partial, so that uploads pay nothing for it.
CREATE INDEX items_of_people ON items (run_id, assignee_id, status) WHERE assignee_id IS NOT NULL;

-- One verdict each, appended in the order they come in and never changed.
CREATE TABLE results (
  id         INTEGER PRIMARY KEY,
  run_id     INTEGER NOT NULL REFERENCES runs (id),
  item_id    INTEGER NOT NULL,                 -- no REFERENCES: taking an item away would read all results
  attempt    INTEGER NOT NULL,
  status     TEXT NOT NULL CHECK (status IN ('passed', 'failed', 'errored', 'blocked', 'skipped')),
  elapsed_ms INTEGER,
  message    TEXT,
  stack      TEXT,
  output     TEXT,                             -- what the check printed
  comment    TEXT,
  steps      TEXT,                             -- JSON: the verdict of each step, as ["passed", "failed", …]; NULL: of none
  author_id  INTEGER REFERENCES users (id),
  upload_id  INTEGER,
  at         INTEGER NOT NULL
) STRICT;
CREATE INDEX results_of_a_run ON results (run_id);

-- Report uploads. The unique indexes make a retried upload change nothing.
CREATE TABLE uploads (
  id              INTEGER PRIMARY KEY,
  project_id      INTEGER NOT NULL REFERENCES projects (id),
  run_id          INTEGER REFERENCES runs (id),
  state           TEXT NOT NULL CHECK (state IN ('receiving', 'done')),
  idempotency_key TEXT,
  content         TEXT NOT NULL,               -- SHA-256 over files and target, hex
  format          TEXT NOT NULL,
  files           INTEGER NOT NULL,
  bytes           INTEGER NOT NULL,
  total           INTEGER NOT NULL DEFAULT 0,
  passed          INTEGER NOT NULL DEFAULT 0,
  failed          INTEGER NOT NULL DEFAULT 0,
  errored         INTEGER NOT NULL DEFAULT 0,
  skipped         INTEGER NOT NULL DEFAULT 0,
  cases_created   INTEGER NOT NULL DEFAULT 0,
  duration_ms     INTEGER NOT NULL DEFAULT 0,
  notes           TEXT NOT NULL DEFAULT '',    -- the parser's log, one note a line
  author_id       INTEGER REFERENCES users (id),
  created_at      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX uploads_by_key ON uploads (project_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX uploads_by_content ON uploads (project_id, content) WHERE idempotency_key IS NULL;
CREATE INDEX uploads_of_a_run ON uploads (run_id);
CREATE INDEX uploads_not_done ON uploads (id) WHERE state = 'receiving';
