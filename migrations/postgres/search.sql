-- Finds records by their words or the beginnings of words. Run after every migration; does nothing when it is there.
CREATE INDEX IF NOT EXISTS lead_origins_search ON lead_origins
    USING gin (array_to_tsvector(string_to_array(btrim(search_words), ' '))) WHERE search_words <> ' ';
CREATE INDEX IF NOT EXISTS form_submissions_search ON form_submissions
    USING gin (array_to_tsvector(string_to_array(btrim(search_words), ' '))) WHERE search_words <> ' ';
