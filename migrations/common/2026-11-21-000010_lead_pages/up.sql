-- What the Leads pages need: custom fields, notes, saved views, merges, and the orders of the list.
-- choices: the values of a choice (JSON), in the order in which pages offer them.
CREATE TABLE custom_fields (
    name TEXT NOT NULL PRIMARY KEY,
    label TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('text', 'number', 'date', 'yes_no', 'choice')),
    choices TEXT NOT NULL,
    is_retired BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL
);

-- A note outlives its author.
CREATE TABLE lead_notes (
    id TEXT NOT NULL PRIMARY KEY,
    lead_id TEXT NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    user_id TEXT REFERENCES users (id) ON DELETE SET NULL,
    body TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL
);
CREATE INDEX lead_notes_lead_id ON lead_notes (lead_id, created_at);

-- query: the filter and the order, as they stand in the list's address.
CREATE TABLE lead_views (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    query TEXT NOT NULL,
    is_shared BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL,
    UNIQUE (user_id, name_key)
);
CREATE INDEX lead_views_shared ON lead_views (name_key) WHERE is_shared;

-- A lead that was merged into another leaves the table leads; this row stands in its place, and knows how to undo it (JSON):
-- both leads as they were, and the ids of what moved. Ids have no foreign keys, because either lead may be gone.
CREATE TABLE lead_merges (
    id TEXT NOT NULL PRIMARY KEY,
    merged_id TEXT NOT NULL,
    merged_name TEXT NOT NULL,
    survivor_id TEXT NOT NULL,
    survivor_version BIGINT NOT NULL,
    merged_lead TEXT NOT NULL,
    survivor_before TEXT NOT NULL,
    moved TEXT NOT NULL,
    changes TEXT NOT NULL,
    user_id TEXT,
    created_at TIMESTAMP NOT NULL,
    undone_at TIMESTAMP,
    undone_by TEXT
);
CREATE UNIQUE INDEX lead_merges_one_each ON lead_merges (merged_id) WHERE undone_at IS NULL;
CREATE INDEX lead_merges_survivor_id ON lead_merges (survivor_id, created_at);

-- Keys of the values of leads that were merged into this one: they stay when the lead's own keys change.
ALTER TABLE lead_match_keys ADD COLUMN is_alias BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX lead_match_keys_alias ON lead_match_keys (lead_id) WHERE is_alias;

-- The orders of the list. active_at: the latest submission, else when the lead was made. name_key: the name, folded.
ALTER TABLE lead_origins ADD COLUMN active_at TIMESTAMP NOT NULL DEFAULT '1970-01-01 00:00:00';
ALTER TABLE lead_origins ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
UPDATE lead_origins SET
    active_at = COALESCE(latest_submitted_at, (SELECT created_at FROM leads WHERE leads.id = lead_origins.lead_id)),
    name_key = (SELECT substr(lower(COALESCE(NULLIF(trim(COALESCE(last_name, '') || ' ' || COALESCE(first_name, '')), ''), company_name, email, work_email, topic)), 1, 100) FROM leads WHERE leads.id = lead_origins.lead_id);
CREATE INDEX lead_origins_active_at ON lead_origins (active_at, lead_id);
CREATE INDEX lead_origins_name_key ON lead_origins (name_key, lead_id);
CREATE INDEX lead_origins_account_active ON lead_origins (account_id, active_at);
CREATE INDEX lead_origins_form_active ON lead_origins (form_id, active_at);
CREATE INDEX lead_origins_campaign_active ON lead_origins (campaign_id, active_at);
