DROP TABLE token_revocations;
DROP TABLE active_consents;
DROP TABLE consent_entries;
DROP TABLE connection_settings;
