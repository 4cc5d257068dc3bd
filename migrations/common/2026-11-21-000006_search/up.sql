-- The words by which a record is found: normalised by the portal, each between blanks. NULL until the portal filled them in.
ALTER TABLE lead_origins ADD COLUMN search_words TEXT;
ALTER TABLE form_submissions ADD COLUMN search_words TEXT;
CREATE INDEX lead_origins_unsearched ON lead_origins (lead_id) WHERE search_words IS NULL;
CREATE INDEX form_submissions_unsearched ON form_submissions (id) WHERE search_words IS NULL;
