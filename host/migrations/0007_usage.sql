-- What tenants used, by day in UTC. Unlike runs and questions it is never deleted.
CREATE TABLE usage (
    tenant            TEXT NOT NULL,
    day               TEXT NOT NULL,            -- 2026-01-31
    runs              INTEGER NOT NULL DEFAULT 0,
    asks              INTEGER NOT NULL DEFAULT 0,
    fuel              INTEGER NOT NULL DEFAULT 0,
    memory_mib_ms     INTEGER NOT NULL DEFAULT 0, -- largest memory of each run times its time
    model_tokens      INTEGER NOT NULL DEFAULT 0,
    model_micro_usd   INTEGER NOT NULL DEFAULT 0,
    refused           INTEGER NOT NULL DEFAULT 0, -- because a quota was reached
    PRIMARY KEY (tenant, day)
) STRICT, WITHOUT ROWID;

UPDATE meta SET value = '7' WHERE key = 'data_version';
