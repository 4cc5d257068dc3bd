-- What an Administrator decides: integration settings, field mappings, matching strategies, assignment rules.
CREATE TABLE integration_settings (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    on_match_fail TEXT NOT NULL CHECK (on_match_fail IN ('ignore', 'create_new_lead')),
    several_match TEXT NOT NULL CHECK (several_match IN ('match_failed', 'most_recently_updated')),
    closed_lead TEXT NOT NULL CHECK (closed_lead IN ('attach_only', 'create_new', 'reopen')),
    no_match_answer TEXT NOT NULL CHECK (no_match_answer IN ('match_failed', 'create_anyway')),
    test_leads TEXT NOT NULL CHECK (test_leads IN ('ignore', 'process')),
    always_create_lead BOOLEAN NOT NULL,
    default_country TEXT,
    fallback_owner_id TEXT REFERENCES users (id) ON DELETE SET NULL,
    seeded_at TIMESTAMP,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL
);

-- form_id NULL: organisation-wide.
CREATE TABLE field_mappings (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    form_id TEXT REFERENCES lead_forms (id) ON DELETE CASCADE,
    source_kind TEXT NOT NULL CHECK (source_kind IN ('predefined', 'question_id', 'question_text', 'hidden_field', 'campaign_name', 'form_name', 'account_name', 'constant')),
    source_key TEXT NOT NULL,
    target_field TEXT NOT NULL,
    write_policy TEXT NOT NULL CHECK (write_policy IN ('overwrite', 'fill_if_empty', 'append')),
    transforms TEXT NOT NULL,
    position BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL
);
CREATE INDEX field_mappings_form_id ON field_mappings (form_id);

CREATE TABLE matching_strategies (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    is_active BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL
);
-- Exactly one is active: this index forbids two, store::matching_strategies never leaves none.
CREATE UNIQUE INDEX matching_strategies_one_active ON matching_strategies (is_active) WHERE is_active;

CREATE TABLE matching_strategy_fields (
    strategy_id TEXT NOT NULL REFERENCES matching_strategies (id) ON DELETE CASCADE,
    field TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (strategy_id, field)
);

CREATE TABLE assignment_rules (
    id TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    condition_kind TEXT NOT NULL CHECK (condition_kind IN ('account', 'form', 'campaign', 'field_equals')),
    condition_key TEXT NOT NULL,
    condition_value TEXT NOT NULL,
    owner_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
