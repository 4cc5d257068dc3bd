ALTER TABLE users DROP COLUMN has_shortcuts;
ALTER TABLE users DROP COLUMN appearance;
