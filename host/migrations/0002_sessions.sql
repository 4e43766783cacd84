-- Sessions that live on: their checkpoints, the files of each, and the layers of memory that they share.
ALTER TABLE sessions ADD COLUMN head INTEGER;                           -- number of a checkpoint; NULL before layout 2
ALTER TABLE sessions ADD COLUMN checkpoints_made INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN turns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN forked_from_session TEXT;
ALTER TABLE sessions ADD COLUMN forked_from_checkpoint INTEGER;

ALTER TABLE runs ADD COLUMN checkpoint INTEGER;                         -- the one that was made after it
ALTER TABLE runs ADD COLUMN undone INTEGER NOT NULL DEFAULT 0;

-- The files of a workspace and of /tmp at some moment. Checkpoints between which no file changed share one.
CREATE TABLE trees (
    id     TEXT PRIMARY KEY,
    tenant TEXT NOT NULL
) STRICT;

CREATE TABLE tree_files (
    tree_id TEXT NOT NULL REFERENCES trees (id) ON DELETE CASCADE,
    area    TEXT NOT NULL,              -- data or tmp
    path    TEXT NOT NULL,
    kind    TEXT NOT NULL,              -- file, dir or link
    content TEXT NOT NULL,              -- of a file its SHA-256, of a link its text
    size    INTEGER NOT NULL,
    PRIMARY KEY (tree_id, area, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX tree_files_by_content ON tree_files (content) WHERE kind = 'file';

-- The contents that trees name, each once, with what it takes up.
CREATE TABLE tree_blobs (
    tenant TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes  INTEGER NOT NULL,
    PRIMARY KEY (tenant, sha256)
) STRICT, WITHOUT ROWID;

-- Files in layers/, each with the pages of memory that one turn changed.
CREATE TABLE layers (
    file       TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    compressed INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL,        -- 0 is the state before the first turn
    parent     INTEGER,
    run_id     TEXT,
    name       TEXT NOT NULL,           -- empty: may be pruned
    tree_id    TEXT NOT NULL REFERENCES trees (id),
    layer      TEXT,                    -- the one that it added
    created_at TEXT NOT NULL,
    UNIQUE (session_id, number)
) STRICT;
CREATE INDEX checkpoints_by_tree ON checkpoints (tree_id);

-- The memory of a checkpoint: layers from the oldest to the newest. None: a fresh interpreter.
CREATE TABLE checkpoint_layers (
    checkpoint_id TEXT NOT NULL REFERENCES checkpoints (id) ON DELETE CASCADE,
    position      INTEGER NOT NULL,
    file          TEXT NOT NULL REFERENCES layers (file),
    PRIMARY KEY (checkpoint_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX checkpoint_layers_by_file ON checkpoint_layers (file);

-- Bytes that a tenant's checkpoints take up, kept up to date so that a turn need not add them up.
CREATE TABLE tenant_usage (
    tenant TEXT PRIMARY KEY,
    bytes  INTEGER NOT NULL
) STRICT;

CREATE TRIGGER usage_of_a_new_layer AFTER INSERT ON layers BEGIN
    INSERT INTO tenant_usage VALUES (NEW.tenant, NEW.bytes) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER usage_of_a_compressed_layer AFTER UPDATE OF bytes ON layers BEGIN
    UPDATE tenant_usage SET bytes = bytes - OLD.bytes + NEW.bytes WHERE tenant = NEW.tenant;
END;
CREATE TRIGGER usage_of_a_removed_layer AFTER DELETE ON layers BEGIN
    UPDATE tenant_usage SET bytes = bytes - OLD.bytes WHERE tenant = OLD.tenant;
END;
CREATE TRIGGER usage_of_a_new_blob AFTER INSERT ON tree_blobs BEGIN
    INSERT INTO tenant_usage VALUES (NEW.tenant, NEW.bytes) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER usage_of_a_removed_blob AFTER DELETE ON tree_blobs BEGIN
    UPDATE tenant_usage SET bytes = bytes - OLD.bytes WHERE tenant = OLD.tenant;
END;

UPDATE meta SET value = '2' WHERE key = 'data_version';
