-- Organizations of another kind than the portal itself. A CHECK cannot be widened in place on SQLite; a column with its own
-- CHECK can be dropped and added on both databases, and every row so far is built in.
ALTER TABLE organizations DROP COLUMN kind;
ALTER TABLE organizations ADD COLUMN kind TEXT NOT NULL DEFAULT 'built_in' CHECK (kind IN ('built_in', 'dynamics_365'));

-- How a Dynamics 365 organization is reached. credential is sealed for its row; credential_hint is what people know it by.
-- checked_at to missing_privileges: what the latest connection test found; check_trouble is NULL when all was well.
-- lead_columns: the columns of its lead table as JSON, read by the latest test that got so far.
CREATE TABLE dataverse_organizations (
    organization_id TEXT NOT NULL PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    address TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    client_id TEXT NOT NULL,
    credential_kind TEXT NOT NULL CHECK (credential_kind IN ('secret', 'certificate')),
    credential BYTEA NOT NULL,
    credential_hint TEXT NOT NULL,
    credential_set_at TIMESTAMP NOT NULL,
    is_enabled BOOLEAN NOT NULL,
    checked_at TIMESTAMP,
    check_step TEXT CHECK (check_step IN ('token', 'who_am_i', 'privileges', 'metadata')),
    check_trouble TEXT,
    check_detail TEXT,
    missing_privileges TEXT,
    lead_columns TEXT,
    columns_read_at TIMESTAMP
);
