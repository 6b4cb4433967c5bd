CREATE TABLE users (
  id           INTEGER PRIMARY KEY,
  kind         TEXT NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'service')),
  email        TEXT COLLATE NOCASE UNIQUE,   -- NULL for a service account
  name         TEXT NOT NULL,
  state        TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('invited', 'active', 'suspended')),
  password     TEXT,                          -- PHC string of Argon2id
  totp_secret  BLOB,                          -- NULL: no second factor yet
  totp_step    INTEGER NOT NULL DEFAULT 0,    -- the last time step accepted; none up to it counts again
  created_at   INTEGER NOT NULL,
  seen_at      INTEGER
) STRICT;

CREATE TABLE recovery_codes (
  user_id INTEGER NOT NULL REFERENCES users (id),
  digest  BLOB NOT NULL UNIQUE,
  used_at INTEGER
) STRICT;
CREATE INDEX recovery_codes_of_a_user ON recovery_codes (user_id);

-- A session is known by the keyed digest of its cookie.
-- Numbers are never given twice: the audit trail names sessions that are gone.
CREATE TABLE sessions (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  digest     BLOB NOT NULL UNIQUE,
  user_id    INTEGER NOT NULL REFERENCES users (id),
  stage      TEXT NOT NULL CHECK (stage IN ('password', 'enrolling', 'full')),  -- only 'full' opens gates
  created_at INTEGER NOT NULL,
  seen_at    INTEGER NOT NULL,
  fresh_at   INTEGER NOT NULL,                -- last proof of who it is
  expires_at INTEGER NOT NULL,
  address    TEXT NOT NULL,
  agent      TEXT NOT NULL,
  failures   INTEGER NOT NULL DEFAULT 0,      -- wrong codes in this sign-in
  totp_offer BLOB                             -- secret shown for enrolling, until a code proves that it arrived
) STRICT;
CREATE INDEX sessions_of_a_user ON sessions (user_id);

-- Personal tokens belong to a person; service tokens to a service account made with them.
CREATE TABLE tokens (
  id         INTEGER PRIMARY KEY,
  user_id    INTEGER NOT NULL REFERENCES users (id),
  project_id INTEGER,                         -- NULL: wherever the owner may
  name       TEXT NOT NULL,
  prefix     TEXT NOT NULL,                   -- the first characters, for telling tokens apart
  digest     BLOB NOT NULL UNIQUE,
  scope      TEXT,                            -- names of permissions, one space between; NULL: all that the owner may
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  seen_at    INTEGER,
  revoked_at INTEGER
) STRICT;
CREATE INDEX tokens_of_a_user ON tokens (user_id);

CREATE TABLE grants (
  id         INTEGER PRIMARY KEY,
  user_id    INTEGER NOT NULL REFERENCES users (id),
  project_id INTEGER,                         -- NULL: in the whole instance
  role       TEXT NOT NULL CHECK (role IN ('owner', 'manager', 'tester', 'automation', 'viewer', 'auditor')),
  created_at INTEGER NOT NULL,
  expires_at INTEGER
) STRICT;
CREATE UNIQUE INDEX grants_of_a_user ON grants (user_id, coalesce(project_id, 0));
CREATE INDEX grants_in_a_project ON grants (project_id);

-- One-use links: the set-up of the instance (user_id NULL) and invitations.
CREATE TABLE links (
  digest     BLOB PRIMARY KEY,
  user_id    INTEGER REFERENCES users (id),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at    INTEGER
) STRICT, WITHOUT ROWID;

-- Failed sign-ins: counted by account and by address, so that guessing slows down.
CREATE TABLE sign_in_failures (
  subject    BLOB PRIMARY KEY,                -- keyed digest of the account or the address
  failures   INTEGER NOT NULL,
  last_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
