-- What guests work in is in a directory per tenant: the files are moved when a data directory is opened.
UPDATE meta SET value = '5' WHERE key = 'data_version';
