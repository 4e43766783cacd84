-- A key that opens one session, to look at it and nothing else: what a link to share holds.
ALTER TABLE keys ADD COLUMN session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE;
CREATE INDEX keys_by_session ON keys (session_id) WHERE session_id IS NOT NULL;
UPDATE meta SET value = '9' WHERE key = 'data_version';
