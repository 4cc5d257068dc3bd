-- LinkedIn account connections: the organisation's setting, each person's consent, and tokens to be revoked at LinkedIn.
CREATE TABLE connection_settings (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    setting TEXT NOT NULL CHECK (setting IN ('yes', 'selected_group', 'no')),
    selected_group_id TEXT,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL,
    CHECK ((setting = 'selected_group') = (selected_group_id IS NOT NULL))
);
-- A portal that works already goes on; a new one begins with what its first start writes.
INSERT INTO connection_settings (id, setting, selected_group_id, updated_at, lock_version)
SELECT 1, 'yes', NULL, max(updated_at), 0 FROM linkedin_user_profiles HAVING count(*) > 0;

-- Only ever appended to.
CREATE TABLE consent_entries (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    created_at TIMESTAMP NOT NULL,
    act TEXT NOT NULL CHECK (act IN ('given', 'withdrawn')),
    reason TEXT NOT NULL CHECK (reason IN ('person', 'setting_no', 'outside_group', 'disabled', 'role_lost', 'upgrade')),
    text_version BIGINT NOT NULL,
    setting TEXT NOT NULL CHECK (setting IN ('yes', 'selected_group', 'no')),
    actor_name TEXT NOT NULL
);
CREATE INDEX consent_entries_user_id ON consent_entries (user_id, created_at, id);
CREATE INDEX consent_entries_created_at ON consent_entries (created_at, id);

-- Whose consent holds now.
CREATE TABLE active_consents (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    text_version BIGINT NOT NULL,
    given_at TIMESTAMP NOT NULL
);

-- Who connected before consent was kept here confirmed a page that said what is read and stored: version 0.
INSERT INTO active_consents (user_id, text_version, given_at)
SELECT p.authorized_by, 0, max(p.authorized_at)
FROM linkedin_user_profiles p JOIN linkedin_tokens t ON t.profile_id = p.id
WHERE p.authorized_by IS NOT NULL AND p.authorized_at IS NOT NULL
GROUP BY p.authorized_by;
INSERT INTO consent_entries (id, user_id, created_at, act, reason, text_version, setting, actor_name)
SELECT u.id, u.id, c.given_at, 'given', 'upgrade', 0, 'yes', u.name
FROM active_consents c JOIN users u ON u.id = c.user_id;

-- Sealed tokens that no page and no run uses any more: gone once LinkedIn revoked them, or was asked often enough.
CREATE TABLE token_revocations (
    id TEXT NOT NULL PRIMARY KEY,
    profile_id TEXT NOT NULL REFERENCES linkedin_user_profiles (id) ON DELETE CASCADE,
    source_table TEXT NOT NULL CHECK (source_table IN ('linkedin_tokens', 'pending_authorizations')),
    access_token BYTEA NOT NULL,
    refresh_token BYTEA,
    attempts BIGINT NOT NULL,
    next_attempt_at TIMESTAMP NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX token_revocations_next_attempt_at ON token_revocations (next_attempt_at);
CREATE INDEX token_revocations_profile_id ON token_revocations (profile_id);
