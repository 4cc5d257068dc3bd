-- Access reviews are only ever appended to. Run after every migration; does nothing when it is there.
DO $do$
BEGIN
    IF EXISTS (
        SELECT FROM pg_trigger
        WHERE tgname = 'access_reviews_kept' AND tgrelid = to_regclass('access_reviews')
    ) THEN
        RETURN;
    END IF;

    CREATE OR REPLACE FUNCTION access_reviews_kept() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        RAISE EXCEPTION 'access reviews are never changed or deleted';
    END
    $body$;
    DROP TRIGGER IF EXISTS access_reviews_not_truncated ON access_reviews;
    CREATE TRIGGER access_reviews_not_truncated BEFORE TRUNCATE ON access_reviews
        FOR EACH STATEMENT EXECUTE FUNCTION access_reviews_kept();
    CREATE TRIGGER access_reviews_kept BEFORE UPDATE OR DELETE ON access_reviews
        FOR EACH ROW EXECUTE FUNCTION access_reviews_kept();
END
$do$;
