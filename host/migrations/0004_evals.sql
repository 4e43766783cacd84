-- Evaluations. Their inputs and verdicts are files in the directory `evals/`, by id.
CREATE TABLE evals (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    status TEXT NOT NULL,
    settings TEXT NOT NULL,
    created_at TEXT NOT NULL,
    finished_at TEXT,
    result TEXT NOT NULL,
    error_detail TEXT
) STRICT;
CREATE INDEX evals_of_a_tenant ON evals (tenant, created_at);

UPDATE meta SET value = '4' WHERE key = 'data_version';
