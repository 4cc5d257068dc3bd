DROP TRIGGER consent_entries_kept ON consent_entries;
DROP TRIGGER consent_entries_not_truncated ON consent_entries;
DROP FUNCTION consent_entries_kept();
