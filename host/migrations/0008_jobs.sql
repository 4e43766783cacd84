-- A run belongs to the server that took it last: who wrote it down under an earlier number writes no more. What was
-- accepted to be done later has servers left that may begin it anew.
ALTER TABLE runs ADD COLUMN lease INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN takes_left INTEGER NOT NULL DEFAULT 0;

-- What a caller's key stands for, so that a request that is sent twice is done once.
CREATE TABLE idempotency (
    tenant     TEXT NOT NULL,
    key        TEXT NOT NULL,
    request    TEXT NOT NULL,           -- SHA-256 of method, path and body
    thing      TEXT NOT NULL,           -- id of the run or question
    created_at TEXT NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT;
CREATE INDEX idempotency_by_time ON idempotency (created_at);
UPDATE meta SET value = '8' WHERE key = 'data_version';
