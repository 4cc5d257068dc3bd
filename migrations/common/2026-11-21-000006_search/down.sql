DROP INDEX form_submissions_unsearched;
DROP INDEX lead_origins_unsearched;
ALTER TABLE form_submissions DROP COLUMN search_words;
ALTER TABLE lead_origins DROP COLUMN search_words;
