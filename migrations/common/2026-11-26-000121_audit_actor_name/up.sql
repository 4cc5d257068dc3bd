-- The filter by API token: what a program did stands in the audit log under the token's name.
CREATE INDEX audit_entries_actor_name ON audit_entries (actor_name, created_at, id);
