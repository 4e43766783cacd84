-- How an answer came about: version of the prompts, budgets, other programs, candidates, what its check found.
ALTER TABLE asks ADD COLUMN details TEXT NOT NULL DEFAULT '{}';

UPDATE meta SET value = '3' WHERE key = 'data_version';
