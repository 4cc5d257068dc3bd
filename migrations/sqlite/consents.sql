-- The ledger of consent is only ever appended to. Run after every migration; does nothing when it is there.
CREATE TRIGGER IF NOT EXISTS consent_entries_unchanged BEFORE UPDATE ON consent_entries
BEGIN
    SELECT RAISE(ABORT, 'entries of the consent ledger are never changed');
END;
CREATE TRIGGER IF NOT EXISTS consent_entries_undeleted BEFORE DELETE ON consent_entries
BEGIN
    SELECT RAISE(ABORT, 'entries of the consent ledger are never deleted');
END;
