-- The ledger of consent is only ever appended to. Run after every migration; does nothing when it is there.
DO $do$
BEGIN
    IF EXISTS (
        SELECT FROM pg_trigger
        WHERE tgname = 'consent_entries_kept' AND tgrelid = to_regclass('consent_entries')
    ) THEN
        RETURN;
    END IF;

    CREATE OR REPLACE FUNCTION consent_entries_kept() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        RAISE EXCEPTION 'entries of the consent ledger are never changed or deleted';
    END
    $body$;
    DROP TRIGGER IF EXISTS consent_entries_not_truncated ON consent_entries;
    CREATE TRIGGER consent_entries_not_truncated BEFORE TRUNCATE ON consent_entries
        FOR EACH STATEMENT EXECUTE FUNCTION consent_entries_kept();
    CREATE TRIGGER consent_entries_kept BEFORE UPDATE OR DELETE ON consent_entries
        FOR EACH ROW EXECUTE FUNCTION consent_entries_kept();
END
$do$;
