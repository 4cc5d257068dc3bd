-- Which person an identity at an OpenID Connect provider is. Issuer and subject name it for good; a person has one of each issuer.
CREATE TABLE user_identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TIMESTAMP NOT NULL,
    last_sign_in_at TIMESTAMP NOT NULL,
    PRIMARY KEY (issuer, subject),
    UNIQUE (user_id, issuer)
);

-- One click on the provider's button. Of `state` only the hash is kept; nonce and PKCE verifier are derived from it.
CREATE TABLE oidc_attempts (
    state_hash TEXT NOT NULL PRIMARY KEY,
    binding TEXT NOT NULL,
    next_path TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    consumed_at TIMESTAMP
);
