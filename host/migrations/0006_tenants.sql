-- Tenants, their keys, and who did what.
CREATE TABLE tenants (
    name       TEXT PRIMARY KEY,
    policies   TEXT NOT NULL,           -- JSON: names of the policies that it may use, its own first; [] for all
    disabled   INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
) STRICT;
INSERT INTO tenants (name, policies, created_at) VALUES ('local', '[]', '1970-01-01T00:00:00.000Z');

-- Of a key only a hash is kept: it has 256 random bits, so that nobody finds it by trying.
CREATE TABLE keys (
    id           TEXT PRIMARY KEY,      -- the part of the key that may be shown
    tenant       TEXT NOT NULL REFERENCES tenants (name),
    label        TEXT NOT NULL,
    hash         TEXT NOT NULL,         -- SHA-256 of the whole key, as hex
    scopes       TEXT NOT NULL,         -- JSON
    created_at   TEXT NOT NULL,
    expires_at   TEXT,
    revoked_at   TEXT,
    last_used_at TEXT
) STRICT;
CREATE INDEX keys_by_tenant ON keys (tenant, created_at);

CREATE TABLE audit (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    at         TEXT NOT NULL,
    actor      TEXT NOT NULL,           -- id of the key; `local` without keys; `nobody` if it was refused
    tenant     TEXT NOT NULL,
    action     TEXT NOT NULL,           -- method and route
    target     TEXT NOT NULL,           -- path
    status     INTEGER NOT NULL,
    request_id TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at);

UPDATE meta SET value = '6' WHERE key = 'data_version';
