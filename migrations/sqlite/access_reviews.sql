-- Access reviews are only ever appended to. Run after every migration; does nothing when it is there.
CREATE TRIGGER IF NOT EXISTS access_reviews_unchanged BEFORE UPDATE ON access_reviews
BEGIN
    SELECT RAISE(ABORT, 'access reviews are never changed');
END;
CREATE TRIGGER IF NOT EXISTS access_reviews_undeleted BEFORE DELETE ON access_reviews
BEGIN
    SELECT RAISE(ABORT, 'access reviews are never deleted');
END;
