DROP TRIGGER audit_chain_undeleted;
DROP TRIGGER audit_chain_forwards;
DROP TRIGGER audit_entries_undeleted;
DROP TRIGGER audit_entries_unchanged;
