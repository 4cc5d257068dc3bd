-- Tokens with which programs use /api/v1. Of the token itself only its hash is kept; `prefix` is what people know it by.
-- The person who made it has no foreign key: the token outlives the user.
CREATE TABLE api_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('s2s_inbound', 'read_only')),
    prefix TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    created_at TIMESTAMP NOT NULL,
    created_by TEXT NOT NULL,
    created_by_name TEXT NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP,
    revoked_at TIMESTAMP
);
CREATE INDEX api_tokens_created_at ON api_tokens (created_at, id);

-- Who edited a lead where it was no person: the name of the API token at that time.
ALTER TABLE lead_changes ADD COLUMN actor_name TEXT;
