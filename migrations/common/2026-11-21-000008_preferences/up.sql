-- How a person likes the pages.
ALTER TABLE users ADD COLUMN appearance TEXT NOT NULL DEFAULT 'system' CHECK (appearance IN ('system', 'light', 'dark'));
ALTER TABLE users ADD COLUMN has_shortcuts BOOLEAN NOT NULL DEFAULT TRUE;
