DROP TABLE lead_changes;
DROP TABLE submission_contents;
DROP TABLE form_submissions;
DROP TABLE lead_match_keys;
DROP TABLE lead_origins;
DROP TABLE leads;
