-- What ties an uploaded row to a member's response, so that the member's deletion finds it: LinkedIn's response id of a submission,
-- and what an answer names its submission by. And an outcome for submissions that stay behind but were handled. SQLite changes no
-- CHECK, so the table is made anew. Rows of people that were uploaded before could not be found again: they are uploaded anew.
CREATE TABLE connector_records_new (
    source_table TEXT NOT NULL CHECK (source_table IN ('matching_strategies', 'strategy_fields', 'field_mappings', 'lead_fields', 'accounts', 'campaigns', 'forms', 'questions', 'submissions', 'answers')),
    record_key TEXT NOT NULL,
    label TEXT NOT NULL,
    cells TEXT NOT NULL,
    file_name TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('becomes', 'notes', 'there', 'helps', 'left_out', 'done')),
    explanation TEXT NOT NULL,
    uploaded_at TIMESTAMP NOT NULL,
    response_tie TEXT,
    PRIMARY KEY (source_table, record_key)
);
INSERT INTO connector_records_new (source_table, record_key, label, cells, file_name, outcome, explanation, uploaded_at)
SELECT source_table, record_key, label, cells, file_name, outcome, explanation, uploaded_at FROM connector_records
WHERE source_table NOT IN ('submissions', 'answers');
DROP TABLE connector_records;
ALTER TABLE connector_records_new RENAME TO connector_records;
CREATE INDEX connector_records_outcome ON connector_records (source_table, outcome, record_key);
CREATE INDEX connector_records_tie ON connector_records (response_tie);
CREATE INDEX connector_records_uploaded ON connector_records (uploaded_at);

-- What the connector made of a response. It is noted for submissions that stay behind, too, so that the sync decides nothing again.
ALTER TABLE connector_responses ADD COLUMN matching_status TEXT CHECK (matching_status IN ('pending_lead_matching', 'new_lead_created', 'updated_existing_lead', 'match_failed', 'lead_creation_failed', 'lead_update_failed', 'lead_matched_but_not_updated'));
