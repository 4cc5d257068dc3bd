-- One-time links by which people set their password: the invitation, and the way back in when the password is forgotten. One
-- open link for each person; only its SHA-256 is stored, so a stolen table opens nobody's account.
CREATE TABLE account_links (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    purpose TEXT NOT NULL CHECK (purpose IN ('invitation', 'password_reset')),
    token_hash TEXT NOT NULL UNIQUE,
    created_at TIMESTAMP NOT NULL,
    created_by_name TEXT NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
