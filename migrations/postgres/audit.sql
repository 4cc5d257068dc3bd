-- The audit log is only ever appended to. Run after every migration; does nothing when it is there.
-- Two exceptions: an entry without a number gets one, and what lies before the pruned end of the chain may go.
DO $do$
BEGIN
    IF EXISTS (
        SELECT FROM pg_trigger
        WHERE tgname = 'audit_entries_kept' AND tgrelid = to_regclass('audit_entries')
    ) THEN
        RETURN;
    END IF;

    CREATE OR REPLACE FUNCTION audit_entries_kept() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF OLD.chain_number IS NULL AND NEW.chain_number IS NOT NULL
                AND (NEW.id, NEW.created_at, NEW.actor_kind, NEW.user_id, NEW.actor_name, NEW.actor_roles, NEW.action,
                     NEW.object_kind, NEW.object_id, NEW.object_name, NEW.before_state, NEW.after_state, NEW.request_id, NEW.address)
                IS NOT DISTINCT FROM
                    (OLD.id, OLD.created_at, OLD.actor_kind, OLD.user_id, OLD.actor_name, OLD.actor_roles, OLD.action,
                     OLD.object_kind, OLD.object_id, OLD.object_name, OLD.before_state, OLD.after_state, OLD.request_id, OLD.address)
            THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'entries of the audit log are never changed';
        END IF;
        IF TG_OP = 'DELETE' THEN
            IF OLD.chain_number <= (SELECT pruned_number FROM audit_chain) THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION 'entries of the audit log are never deleted';
    END
    $body$;
    DROP TRIGGER IF EXISTS audit_entries_not_truncated ON audit_entries;
    CREATE TRIGGER audit_entries_not_truncated BEFORE TRUNCATE ON audit_entries
        FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_kept();
    CREATE TRIGGER audit_entries_kept BEFORE UPDATE OR DELETE ON audit_entries
        FOR EACH ROW EXECUTE FUNCTION audit_entries_kept();

    CREATE OR REPLACE FUNCTION audit_chain_forwards() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF NEW.last_number >= OLD.last_number AND NEW.pruned_number >= OLD.pruned_number THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'the chain of the audit log only grows';
    END
    $body$;
    DROP TRIGGER IF EXISTS audit_chain_forwards ON audit_chain;
    CREATE TRIGGER audit_chain_forwards BEFORE UPDATE OR DELETE ON audit_chain
        FOR EACH ROW EXECUTE FUNCTION audit_chain_forwards();
END
$do$;
