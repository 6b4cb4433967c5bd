CREATE TABLE projects (
  id          INTEGER PRIMARY KEY,
  key         TEXT NOT NULL UNIQUE CHECK (key NOT GLOB '*[^A-Z0-9]*' AND length(key) BETWEEN 2 AND 10),
  name        TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  state       TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'archived')),
  last_case   INTEGER NOT NULL DEFAULT 0,     -- the highest number given to a case; never goes back
  last_run    INTEGER NOT NULL DEFAULT 0,
  evidence_bytes INTEGER NOT NULL DEFAULT 0,  -- of all attached files; the same bytes count each time
  created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE suites (
  id         INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id),
  parent_id  INTEGER REFERENCES suites (id),  -- NULL: at the root
  name       TEXT NOT NULL,
  position   INTEGER NOT NULL,
  cases      INTEGER NOT NULL DEFAULT 0,      -- active cases directly in it, kept with each change: the tree needs no count
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX suites_by_name ON suites (project_id, coalesce(parent_id, 0), name);

CREATE TABLE cases (
  id             INTEGER PRIMARY KEY,
  project_id     INTEGER NOT NULL REFERENCES projects (id),
  number         INTEGER NOT NULL,            -- SHOP-C12
  suite_id       INTEGER NOT NULL REFERENCES suites (id),
  position       INTEGER NOT NULL,
  title          TEXT NOT NULL,
  kind           TEXT NOT NULL CHECK (kind IN ('steps', 'text', 'automated')),
  priority       TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'critical')),
  automation_key TEXT,
  revision       INTEGER NOT NULL,            -- the newest
  state          TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'trashed')),
  has_result     INTEGER NOT NULL DEFAULT 0,  -- 1 from its first result on
  created_at     INTEGER NOT NULL,
  updated_at     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX cases_by_number ON cases (project_id, number);
CREATE UNIQUE INDEX cases_by_automation_key ON cases (project_id, automation_key) WHERE automation_key IS NOT NULL;
CREATE INDEX cases_of_a_suite ON cases (suite_id, position);
-- Short lists that pages count and open; a case that is well stands in neither.
CREATE INDEX cases_never_run ON cases (project_id, number) WHERE has_result = 0 AND state = 'active';
CREATE INDEX cases_in_the_trash ON cases (project_id, number) WHERE state = 'trashed';

-- Immutable: a change of a case is a new row. Results name the revision that was executed.
CREATE TABLE revisions (
  case_id      INTEGER NOT NULL REFERENCES cases (id),
  number       INTEGER NOT NULL,
  title        TEXT NOT NULL,
  priority     TEXT NOT NULL,
  precondition TEXT NOT NULL DEFAULT '',      -- Markdown
  body         TEXT NOT NULL DEFAULT '',      -- Markdown
  steps        TEXT NOT NULL DEFAULT '[]',    -- JSON: [{"action": Markdown, "expected": Markdown}, …]
  author_id    INTEGER REFERENCES users (id), -- NULL: the operator at the command line
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (case_id, number)
) STRICT, WITHOUT ROWID;

-- What is known of a case from all its results. Kept apart from cases, so that a result
-- rewrites a small row, and history needs no index in case order (see docs/formats/database.md).
CREATE TABLE case_summaries (
  case_id    INTEGER PRIMARY KEY REFERENCES cases (id),
  project_id INTEGER NOT NULL,
  status     TEXT NOT NULL,
  result_id  INTEGER NOT NULL,
  run_id     INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  passed     INTEGER NOT NULL DEFAULT 0,
  failed     INTEGER NOT NULL DEFAULT 0,       -- failed and errored
  flips      INTEGER NOT NULL DEFAULT 0        -- how often passed and failed took turns
) STRICT;
-- Partial, so that a passed result touches neither.
CREATE INDEX case_summaries_failing ON case_summaries (project_id) WHERE status IN ('failed', 'errored');
CREATE INDEX case_summaries_flaky ON case_summaries (project_id) WHERE flips >= 3;

-- Words of titles and automation keys. Filled by library/cases and not by triggers: a trigger makes
-- SQLite write the index out after every row, which doubles the cost of a report upload.
CREATE VIRTUAL TABLE cases_search USING fts5 (title, automation_key, content='cases', content_rowid='id', tokenize='unicode61');

-- Files attached to something in a project; the bytes are a blob.
CREATE TABLE evidence (
  id         INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id),
  blob_id    INTEGER NOT NULL REFERENCES blobs (id),
  name       TEXT NOT NULL,
  media_type TEXT NOT NULL,
  result_id  INTEGER,                         -- NULL: attached to nothing yet
  case_id    INTEGER,
  author_id  INTEGER REFERENCES users (id),
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX evidence_of_a_result ON evidence (result_id) WHERE result_id IS NOT NULL;
CREATE INDEX evidence_of_a_case ON evidence (case_id) WHERE case_id IS NOT NULL;
