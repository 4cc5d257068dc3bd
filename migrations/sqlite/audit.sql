-- The audit log is only ever appended to. Run after every migration; does nothing when it is there.
-- Two exceptions: an entry without a number gets one, and what lies before the pruned end of the chain may go.
CREATE TRIGGER IF NOT EXISTS audit_entries_unchanged BEFORE UPDATE ON audit_entries
WHEN NOT (
    old.chain_number IS NULL AND new.chain_number IS NOT NULL
    AND new.id IS old.id AND new.created_at IS old.created_at AND new.actor_kind IS old.actor_kind
    AND new.user_id IS old.user_id AND new.actor_name IS old.actor_name AND new.actor_roles IS old.actor_roles
    AND new.action IS old.action AND new.object_kind IS old.object_kind AND new.object_id IS old.object_id
    AND new.object_name IS old.object_name AND new.before_state IS old.before_state AND new.after_state IS old.after_state
    AND new.request_id IS old.request_id AND new.address IS old.address
)
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit log are never changed');
END;
CREATE TRIGGER IF NOT EXISTS audit_entries_undeleted BEFORE DELETE ON audit_entries
WHEN coalesce(old.chain_number > (SELECT pruned_number FROM audit_chain), TRUE)
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit log are never deleted');
END;
CREATE TRIGGER IF NOT EXISTS audit_chain_forwards BEFORE UPDATE ON audit_chain
WHEN new.last_number < old.last_number OR new.pruned_number < old.pruned_number
BEGIN
    SELECT RAISE(ABORT, 'the chain of the audit log only grows');
END;
CREATE TRIGGER IF NOT EXISTS audit_chain_undeleted BEFORE DELETE ON audit_chain
BEGIN
    SELECT RAISE(ABORT, 'the chain of the audit log only grows');
END;
