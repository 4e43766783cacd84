-- The data directory's first layout. Every table that holds a user's things has a tenant.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE files (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    name       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    media_type TEXT NOT NULL,
    created_at TEXT NOT NULL,
    sample     TEXT                     -- JSON, filled when it is asked for the first time
) STRICT;
CREATE INDEX files_by_time ON files (tenant, created_at);
CREATE INDEX files_by_content ON files (tenant, sha256);

CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    title      TEXT NOT NULL,
    image      TEXT NOT NULL,
    policy     TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_time ON sessions (tenant, updated_at);

-- A file that a session works on, under the name that its copy has in the workspace.
CREATE TABLE session_files (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    file_id    TEXT NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    added_at   TEXT NOT NULL,
    PRIMARY KEY (session_id, file_id),
    UNIQUE (session_id, name)
) STRICT;
CREATE INDEX session_files_by_file ON session_files (file_id);

CREATE TABLE asks (
    id           TEXT PRIMARY KEY,
    tenant       TEXT NOT NULL,
    session_id   TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    status       TEXT NOT NULL,
    question     TEXT NOT NULL,
    model        TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    finished_at  TEXT,
    explanation  TEXT NOT NULL,
    program      TEXT NOT NULL,
    suggestions  TEXT NOT NULL,         -- JSON
    attempts     TEXT NOT NULL,         -- JSON
    usage        TEXT NOT NULL,         -- JSON
    error_code   TEXT,
    error_detail TEXT
) STRICT;
CREATE INDEX asks_by_session ON asks (session_id, created_at);

CREATE TABLE runs (
    id           TEXT PRIMARY KEY,
    tenant       TEXT NOT NULL,
    session_id   TEXT REFERENCES sessions (id) ON DELETE CASCADE,
    ask_id       TEXT REFERENCES asks (id) ON DELETE CASCADE,
    status       TEXT NOT NULL,
    image        TEXT NOT NULL,
    policy       TEXT NOT NULL,
    code         TEXT NOT NULL,
    request      TEXT NOT NULL,         -- JSON: arguments, environment, seed and files, enough to run it again
    created_at   TEXT NOT NULL,
    finished_at  TEXT,
    outcome      TEXT,                  -- JSON
    error_code   TEXT,
    error_detail TEXT
) STRICT;
CREATE INDEX runs_by_session ON runs (session_id, created_at);
CREATE INDEX runs_by_ask ON runs (ask_id);
CREATE INDEX runs_by_time ON runs (tenant, created_at);

CREATE TABLE artifacts (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    run_id     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    path       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    media_type TEXT NOT NULL,
    position   INTEGER NOT NULL
) STRICT;
CREATE INDEX artifacts_by_run ON artifacts (run_id, position);
CREATE INDEX artifacts_by_content ON artifacts (tenant, sha256);

-- What a run's or a question's stream said, without its last event, which is made from the record.
CREATE TABLE events (
    tenant TEXT NOT NULL,
    stream TEXT NOT NULL,               -- a run's or an ask's id
    seq    INTEGER NOT NULL,            -- 1, 2, 3 … without gaps
    kind   TEXT NOT NULL,
    data   TEXT NOT NULL,               -- JSON
    PRIMARY KEY (stream, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER events_of_a_run AFTER DELETE ON runs BEGIN
    DELETE FROM events WHERE stream = OLD.id;
END;
CREATE TRIGGER events_of_an_ask AFTER DELETE ON asks BEGIN
    DELETE FROM events WHERE stream = OLD.id;
END;
