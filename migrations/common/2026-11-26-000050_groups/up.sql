-- Groups of users, and who is in them. name_key: the name in the form in which it is unique.
CREATE TABLE groups (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL
);

CREATE TABLE group_members (
    group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    added_at TIMESTAMP NOT NULL,
    added_by TEXT REFERENCES users (id) ON DELETE SET NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_members_user_id ON group_members (user_id);

-- Lists of e-mail addresses whose people are to become members: first only looked up, then applied. Kept for some days only.
CREATE TABLE group_additions (
    id TEXT NOT NULL PRIMARY KEY,
    group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    origin TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    applied_at TIMESTAMP
);
CREATE INDEX group_additions_group_id ON group_additions (group_id);
CREATE INDEX group_additions_created_at ON group_additions (created_at);

-- email_key: the address in the form in which it is unique; NULL for what is none.
CREATE TABLE group_addition_rows (
    addition_id TEXT NOT NULL REFERENCES group_additions (id) ON DELETE CASCADE,
    row_number BIGINT NOT NULL,
    entry TEXT NOT NULL,
    email_key TEXT,
    outcome TEXT NOT NULL CHECK (outcome IN ('added', 'already_member', 'unknown_user', 'invalid', 'duplicate')),
    PRIMARY KEY (addition_id, row_number)
);
CREATE INDEX group_addition_rows_outcome ON group_addition_rows (addition_id, outcome, row_number);
