-- Mail that goes out: written with the act that causes it, sent by the scheduler, tried again while the server is away. The
-- link is sealed with the secret key for its row, and erased when the mail is sent or given up.
CREATE TABLE mails (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('invitation', 'password_reset', 'test')),
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    link BYTEA,
    created_at TIMESTAMP NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP,
    problem TEXT
);
CREATE INDEX mails_due ON mails (state, next_attempt_at);
CREATE INDEX mails_user ON mails (user_id, created_at);
