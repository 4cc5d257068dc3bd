-- The audit log as a chain: each entry has a number without gaps and a hash over its fields and the hash before it.
-- Entries of earlier versions get theirs at the next start, because no SQL common to both databases can hash.
-- Triggers that refuse changes: migrations/sqlite/audit.sql and migrations/postgres/audit.sql.
ALTER TABLE audit_entries ADD COLUMN actor_roles TEXT;
ALTER TABLE audit_entries ADD COLUMN chain_number BIGINT;
ALTER TABLE audit_entries ADD COLUMN entry_hash TEXT CHECK ((entry_hash IS NULL) = (chain_number IS NULL));
CREATE UNIQUE INDEX audit_entries_chain_number ON audit_entries (chain_number);
CREATE INDEX audit_entries_loose ON audit_entries (created_at, id) WHERE chain_number IS NULL;

-- The end of the chain, so that entries taken off it are missed; and where it begins, once old entries were pruned.
CREATE TABLE audit_chain (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    last_number BIGINT NOT NULL CHECK (last_number >= pruned_number),
    last_hash TEXT NOT NULL,
    pruned_number BIGINT NOT NULL CHECK (pruned_number >= 0),
    pruned_hash TEXT NOT NULL
);
INSERT INTO audit_chain (id, last_number, last_hash, pruned_number, pruned_hash) VALUES (1, 0, '', 0, '');

-- For the list, each of its filters, and the history of one record.
CREATE INDEX audit_entries_created_at ON audit_entries (created_at, id);
CREATE INDEX audit_entries_user_id ON audit_entries (user_id, created_at, id);
CREATE INDEX audit_entries_action ON audit_entries (action, created_at, id);
CREATE INDEX audit_entries_object_kind ON audit_entries (object_kind, created_at, id);
CREATE INDEX audit_entries_object_id ON audit_entries (object_id, created_at, id);
CREATE INDEX audit_entries_request_id ON audit_entries (request_id, created_at, id);
