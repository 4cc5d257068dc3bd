ALTER TABLE lead_changes DROP COLUMN import_id;
DROP TABLE lead_import_rows;
DROP TABLE lead_imports;
