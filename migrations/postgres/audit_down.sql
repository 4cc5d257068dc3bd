DROP TRIGGER audit_chain_forwards ON audit_chain;
DROP FUNCTION audit_chain_forwards();
DROP TRIGGER audit_entries_kept ON audit_entries;
DROP TRIGGER audit_entries_not_truncated ON audit_entries;
DROP FUNCTION audit_entries_kept();
