-- The second factor of people: the secret of their authenticator app, sealed with the secret key. Without `confirmed_at` it is
-- being set up and opens nothing. `last_step` is the time step of the last code that was used: no code works twice.
CREATE TABLE second_factors (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret BYTEA NOT NULL,
    created_at TIMESTAMP NOT NULL,
    confirmed_at TIMESTAMP,
    last_step BIGINT NOT NULL
);

-- Codes for a lost device, as SHA-256; a used one is deleted.
CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash TEXT NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

-- The roles whose people need a second factor.
CREATE TABLE second_factor_roles (
    role TEXT NOT NULL PRIMARY KEY CHECK (role IN ('administrator', 'salesperson', 'sales_manager'))
);
