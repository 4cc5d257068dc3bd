-- Which value of a claim gives which role.
CREATE TABLE role_rules (
    id TEXT NOT NULL PRIMARY KEY,
    claim TEXT NOT NULL CHECK (claim IN ('roles', 'groups')),
    value TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('administrator', 'salesperson', 'sales_manager')),
    created_at TIMESTAMP NOT NULL,
    UNIQUE (claim, value, role)
);

-- One row. The break-glass Administrator may go: then passwords work for everybody again.
CREATE TABLE sign_in_rules (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    has_local_passwords BOOLEAN NOT NULL,
    break_glass_user_id TEXT REFERENCES users (id) ON DELETE SET NULL,
    roles_come_only_from_provider BOOLEAN NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL
);
INSERT INTO sign_in_rules (id, has_local_passwords, break_glass_user_id, roles_come_only_from_provider, updated_at, lock_version)
VALUES (1, TRUE, NULL, FALSE, '2026-11-26 00:00:00', 1);

-- The roles that the provider gave at the last sign-in, separated by blanks: those, and no others, it can take away again.
ALTER TABLE user_identities ADD COLUMN given_roles TEXT NOT NULL DEFAULT '';
