DROP INDEX IF EXISTS form_submissions_search;
DROP INDEX IF EXISTS lead_origins_search;
