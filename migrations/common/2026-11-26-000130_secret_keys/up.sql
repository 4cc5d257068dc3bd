-- The keys that seal what must not be readable in the database, known by their fingerprint; never the keys themselves.
CREATE TABLE secret_keys (
    id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('current', 'retiring', 'retired')),
    current_since TIMESTAMP NOT NULL,
    retiring_since TIMESTAMP,
    retired_at TIMESTAMP
);
CREATE UNIQUE INDEX secret_keys_one_current ON secret_keys (state) WHERE state = 'current';

-- What cookies and form tokens are signed with, so that nobody is signed out when the secret key is rotated. One row.
CREATE TABLE signing_roots (
    name TEXT NOT NULL PRIMARY KEY CHECK (name = 'root'),
    root_sealed BYTEA NOT NULL,
    created_at TIMESTAMP NOT NULL
);

-- Fingerprints of the keys that a process holds, separated by blanks, and of the one with which it seals.
ALTER TABLE processes ADD COLUMN held_keys TEXT;
ALTER TABLE processes ADD COLUMN sealing_key TEXT;
