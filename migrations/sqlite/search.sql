-- Finds records by their words or the beginnings of words. Run after every migration; does nothing when it is there.
-- The index keeps no text of its own (content=''), and forgets a record's words when they change. Its rows are numbered by the
-- table beside it, because SQLite may renumber rows that have no number of their own. The words come normalised, so
-- the tokenizer only has to split at blanks.

CREATE TABLE IF NOT EXISTS lead_search_rows (number INTEGER PRIMARY KEY, record_id TEXT NOT NULL UNIQUE);
CREATE VIRTUAL TABLE IF NOT EXISTS lead_search USING fts5 (words, content='', contentless_delete=1, detail=none, tokenize='ascii');
CREATE TRIGGER IF NOT EXISTS lead_search_inserted AFTER INSERT ON lead_origins WHEN new.search_words IS NOT NULL BEGIN
    INSERT INTO lead_search_rows (record_id) VALUES (new.lead_id);
    INSERT INTO lead_search (rowid, words) SELECT number, new.search_words FROM lead_search_rows WHERE record_id = new.lead_id;
END;
CREATE TRIGGER IF NOT EXISTS lead_search_filled AFTER UPDATE OF search_words ON lead_origins
WHEN old.search_words IS NULL AND new.search_words IS NOT NULL BEGIN
    INSERT INTO lead_search_rows (record_id) VALUES (new.lead_id);
    INSERT INTO lead_search (rowid, words) SELECT number, new.search_words FROM lead_search_rows WHERE record_id = new.lead_id;
END;
CREATE TRIGGER IF NOT EXISTS lead_search_changed AFTER UPDATE OF search_words ON lead_origins
WHEN old.search_words <> new.search_words BEGIN
    UPDATE lead_search SET words = new.search_words WHERE rowid = (SELECT number FROM lead_search_rows WHERE record_id = new.lead_id);
END;
CREATE TRIGGER IF NOT EXISTS lead_search_deleted AFTER DELETE ON lead_origins WHEN old.search_words IS NOT NULL BEGIN
    DELETE FROM lead_search WHERE rowid = (SELECT number FROM lead_search_rows WHERE record_id = old.lead_id);
    DELETE FROM lead_search_rows WHERE record_id = old.lead_id;
END;

CREATE TABLE IF NOT EXISTS submission_search_rows (number INTEGER PRIMARY KEY, record_id TEXT NOT NULL UNIQUE);
CREATE VIRTUAL TABLE IF NOT EXISTS submission_search USING fts5 (words, content='', contentless_delete=1, detail=none, tokenize='ascii');
CREATE TRIGGER IF NOT EXISTS submission_search_inserted AFTER INSERT ON form_submissions WHEN new.search_words IS NOT NULL BEGIN
    INSERT INTO submission_search_rows (record_id) VALUES (new.id);
    INSERT INTO submission_search (rowid, words) SELECT number, new.search_words FROM submission_search_rows WHERE record_id = new.id;
END;
CREATE TRIGGER IF NOT EXISTS submission_search_filled AFTER UPDATE OF search_words ON form_submissions
WHEN old.search_words IS NULL AND new.search_words IS NOT NULL BEGIN
    INSERT INTO submission_search_rows (record_id) VALUES (new.id);
    INSERT INTO submission_search (rowid, words) SELECT number, new.search_words FROM submission_search_rows WHERE record_id = new.id;
END;
CREATE TRIGGER IF NOT EXISTS submission_search_changed AFTER UPDATE OF search_words ON form_submissions
WHEN old.search_words <> new.search_words BEGIN
    UPDATE submission_search SET words = new.search_words WHERE rowid = (SELECT number FROM submission_search_rows WHERE record_id = new.id);
END;
CREATE TRIGGER IF NOT EXISTS submission_search_deleted AFTER DELETE ON form_submissions WHEN old.search_words IS NOT NULL BEGIN
    DELETE FROM submission_search WHERE rowid = (SELECT number FROM submission_search_rows WHERE record_id = old.id);
    DELETE FROM submission_search_rows WHERE record_id = old.id;
END;
