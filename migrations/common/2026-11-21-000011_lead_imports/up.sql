-- Imports of leads from files: one row an import, and one row a line of its file with what became of it.
-- headers: the names of the columns (JSON). plan: what people decided about it (JSON), NULL until then. next_row: where the work goes on.
-- failure: why the work stopped; it goes on when a person says so.
CREATE TABLE lead_imports (
    id TEXT NOT NULL PRIMARY KEY,
    file_name TEXT NOT NULL,
    format TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reading', 'mapping', 'checking', 'checked', 'importing', 'imported', 'undoing', 'undone')),
    user_id TEXT REFERENCES users (id) ON DELETE SET NULL,
    user_name TEXT NOT NULL,
    headers TEXT NOT NULL,
    plan TEXT,
    row_count BIGINT NOT NULL,
    next_row BIGINT NOT NULL,
    created_count BIGINT NOT NULL,
    updated_count BIGINT NOT NULL,
    skipped_count BIGINT NOT NULL,
    invalid_count BIGINT NOT NULL,
    removed_count BIGINT NOT NULL,
    restored_count BIGINT NOT NULL,
    kept_count BIGINT NOT NULL,
    failure TEXT,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    undone_at TIMESTAMP
);
CREATE INDEX lead_imports_created_at ON lead_imports (created_at, id);
CREATE INDEX lead_imports_working ON lead_imports (updated_at) WHERE failure IS NULL AND state IN ('checking', 'importing', 'undoing');

-- cells: the values of the line (JSON). match_key: of rows that are to make a lead, while the import is checked.
-- changes: what the row changed (JSON), only of rows that created or updated a lead. lead_id has no foreign key: a lead may be gone.
CREATE TABLE lead_import_rows (
    import_id TEXT NOT NULL REFERENCES lead_imports (id) ON DELETE CASCADE,
    row_number BIGINT NOT NULL,
    cells TEXT NOT NULL,
    match_key TEXT,
    outcome TEXT CHECK (outcome IN ('created', 'updated', 'skipped', 'invalid')),
    reason TEXT,
    lead_id TEXT,
    changes TEXT,
    undo_outcome TEXT CHECK (undo_outcome IN ('removed', 'restored', 'kept')),
    undo_reason TEXT,
    PRIMARY KEY (import_id, row_number)
);
CREATE INDEX lead_import_rows_outcome ON lead_import_rows (import_id, outcome, row_number);
CREATE INDEX lead_import_rows_match_key ON lead_import_rows (import_id, match_key) WHERE match_key IS NOT NULL;
CREATE INDEX lead_import_rows_to_undo ON lead_import_rows (import_id, lead_id) WHERE changes IS NOT NULL AND undo_outcome IS NULL;

-- The import that wrote an entry of a lead's journal; such entries are of the kinds created, updated and edited.
ALTER TABLE lead_changes ADD COLUMN import_id TEXT;
