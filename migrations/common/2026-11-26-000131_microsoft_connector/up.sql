-- Rows of the exported tables of Microsoft's withdrawn connector, until they are thrown away: what each one becomes here, or why
-- it cannot. One row a record, whatever how often it is uploaded. cells: a JSON object, emptied once answers were brought along.
CREATE TABLE connector_records (
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
CREATE INDEX connector_records_outcome ON connector_records (source_table, outcome, record_key);
