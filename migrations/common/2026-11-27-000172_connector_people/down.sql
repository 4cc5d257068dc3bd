-- The version before knows only responses whose submission is here.
DELETE FROM connector_responses WHERE matching_status = 'pending_lead_matching' OR response_id NOT IN (SELECT response_id FROM form_submissions);
ALTER TABLE connector_responses DROP COLUMN matching_status;
CREATE TABLE connector_records_old (
    source_table TEXT NOT NULL CHECK (source_table IN ('matching_strategies', 'strategy_fields', 'field_mappings', 'lead_fields', 'accounts', 'campaigns', 'forms', 'questions', 'submissions', 'answers')),
    record_key TEXT NOT NULL,
    label TEXT NOT NULL,
    cells TEXT NOT NULL,
    file_name TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('becomes', 'there', 'helps', 'left_out', 'done')),
    explanation TEXT NOT NULL,
    uploaded_at TIMESTAMP NOT NULL,
    PRIMARY KEY (source_table, record_key)
);
INSERT INTO connector_records_old (source_table, record_key, label, cells, file_name, outcome, explanation, uploaded_at)
SELECT source_table, record_key, label, cells, file_name, CASE outcome WHEN 'notes' THEN 'left_out' ELSE outcome END, explanation, uploaded_at
FROM connector_records;
DROP TABLE connector_records;
ALTER TABLE connector_records_old RENAME TO connector_records;
CREATE INDEX connector_records_outcome ON connector_records (source_table, outcome, record_key);
