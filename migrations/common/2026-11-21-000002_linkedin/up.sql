-- The connection to LinkedIn: organizations, profiles with their tokens, accounts, campaigns, forms.
CREATE TABLE organizations (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('built_in')),
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL
);

CREATE TABLE linkedin_user_profiles (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    organization_id TEXT REFERENCES organizations (id) ON DELETE RESTRICT,
    authorization_status TEXT NOT NULL CHECK (authorization_status IN ('not_authorized', 'authorized', 'expired', 'reauthorizing', 'consent_withdrawn')),
    sync_status TEXT NOT NULL CHECK (sync_status IN ('not_syncing', 'syncing_accounts', 'active', 'no_accounts_available')),
    failure_reason TEXT,
    failure_detail TEXT,
    member_urn TEXT,
    member_name TEXT,
    authorized_by TEXT REFERENCES users (id) ON DELETE SET NULL,
    authorized_at TIMESTAMP,
    organization_confirmed_at TIMESTAMP,
    last_synchronized_at TIMESTAMP,
    next_sync_at TIMESTAMP,
    lease_owner TEXT,
    lease_term BIGINT NOT NULL,
    lease_expires_at TIMESTAMP,
    failure_streak BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL
);
CREATE INDEX linkedin_user_profiles_user_id ON linkedin_user_profiles (user_id);
CREATE INDEX linkedin_user_profiles_next_sync_at ON linkedin_user_profiles (next_sync_at);

-- Tokens are XChaCha20-Poly1305 ciphertexts bound to their table, column and row.
CREATE TABLE linkedin_tokens (
    profile_id TEXT NOT NULL PRIMARY KEY REFERENCES linkedin_user_profiles (id) ON DELETE CASCADE,
    access_token BYTEA NOT NULL,
    access_token_expires_at TIMESTAMP NOT NULL,
    refresh_token BYTEA,
    refresh_token_expires_at TIMESTAMP,
    scopes TEXT NOT NULL,
    issued_at TIMESTAMP NOT NULL,
    token_version BIGINT NOT NULL,
    refresh_lease_expires_at TIMESTAMP
);

-- What LinkedIn granted, until the person confirms the organization.
CREATE TABLE pending_authorizations (
    profile_id TEXT NOT NULL PRIMARY KEY REFERENCES linkedin_user_profiles (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    access_token BYTEA NOT NULL,
    access_token_expires_at TIMESTAMP NOT NULL,
    refresh_token BYTEA,
    refresh_token_expires_at TIMESTAMP,
    scopes TEXT NOT NULL,
    member_urn TEXT,
    member_name TEXT,
    created_at TIMESTAMP NOT NULL
);

-- One row a click on Authorize; the hash of `state`, bound to the session that clicked.
CREATE TABLE oauth_states (
    state_hash TEXT NOT NULL PRIMARY KEY,
    session_binding TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    profile_id TEXT NOT NULL REFERENCES linkedin_user_profiles (id) ON DELETE CASCADE,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    consumed_at TIMESTAMP
);
CREATE INDEX oauth_states_profile_id ON oauth_states (profile_id);

-- An owner of lead forms: an ad account, or a company page for the organic lead types.
CREATE TABLE linkedin_accounts (
    id TEXT NOT NULL PRIMARY KEY,
    owner_type TEXT NOT NULL CHECK (owner_type IN ('sponsored_account', 'organization')),
    linkedin_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    currency TEXT,
    linkedin_status TEXT,
    is_test BOOLEAN NOT NULL,
    page_linkedin_id BIGINT,
    page_name TEXT,
    is_sync_enabled BOOLEAN NOT NULL,
    default_lead_owner_id TEXT REFERENCES users (id) ON DELETE SET NULL,
    form_sync_status TEXT NOT NULL CHECK (form_sync_status IN ('not_syncing', 'pending_synchronization', 'active', 'no_forms_available', 'forbidden')),
    campaign_sync_status TEXT NOT NULL CHECK (campaign_sync_status IN ('pending', 'active', 'no_active_campaigns_available', 'forbidden')),
    failure_reason TEXT,
    failure_detail TEXT,
    last_form_sync_at TIMESTAMP,
    last_campaign_sync_at TIMESTAMP,
    last_synchronized_at TIMESTAMP,
    next_sync_at TIMESTAMP,
    requested_trigger TEXT CHECK (requested_trigger IN ('manual', 'reset', 'command_line')),
    lease_owner TEXT,
    lease_term BIGINT NOT NULL,
    lease_expires_at TIMESTAMP,
    failure_streak BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL,
    UNIQUE (owner_type, linkedin_id)
);
CREATE INDEX linkedin_accounts_next_sync_at ON linkedin_accounts (next_sync_at);

CREATE TABLE profile_accounts (
    profile_id TEXT NOT NULL REFERENCES linkedin_user_profiles (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL REFERENCES linkedin_accounts (id) ON DELETE CASCADE,
    account_role TEXT,
    page_roles TEXT NOT NULL,
    last_seen_at TIMESTAMP NOT NULL,
    PRIMARY KEY (profile_id, account_id)
);
CREATE INDEX profile_accounts_account_id ON profile_accounts (account_id);

CREATE TABLE campaigns (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES linkedin_accounts (id) ON DELETE CASCADE,
    linkedin_id BIGINT NOT NULL UNIQUE,
    campaign_group_linkedin_id BIGINT,
    campaign_group_name TEXT,
    name TEXT NOT NULL,
    campaign_type TEXT,
    linkedin_status TEXT,
    objective TEXT,
    starts_at TIMESTAMP,
    ends_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX campaigns_account_id ON campaigns (account_id);

CREATE TABLE creatives (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES linkedin_accounts (id) ON DELETE CASCADE,
    linkedin_id BIGINT NOT NULL UNIQUE,
    campaign_linkedin_id BIGINT,
    name TEXT,
    intended_status TEXT,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX creatives_account_id ON creatives (account_id);

CREATE TABLE lead_forms (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES linkedin_accounts (id) ON DELETE CASCADE,
    linkedin_id BIGINT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    linkedin_state TEXT,
    sync_status TEXT NOT NULL CHECK (sync_status IN ('pending', 'active', 'no_form_submissions', 'forbidden')),
    language TEXT,
    country TEXT,
    current_version_number BIGINT,
    linkedin_created_at TIMESTAMP,
    linkedin_modified_at TIMESTAMP,
    last_synchronized_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX lead_forms_account_id ON lead_forms (account_id);

-- content is the parsed version as JSON (domain::form::FormVersion); raw is what LinkedIn sent, byte for byte.
CREATE TABLE lead_form_versions (
    id TEXT NOT NULL PRIMARY KEY,
    form_id TEXT NOT NULL REFERENCES lead_forms (id) ON DELETE CASCADE,
    version_number BIGINT NOT NULL,
    content TEXT NOT NULL,
    raw BYTEA NOT NULL,
    created_at TIMESTAMP NOT NULL,
    UNIQUE (form_id, version_number)
);
