-- Who confirms with this attempt that it is them; NULL: it is a sign-in. No reference: an attempt lives for minutes.
ALTER TABLE oidc_attempts ADD COLUMN confirms_user_id TEXT;

-- Whether a sign-in at the provider counts as one with a second factor.
ALTER TABLE sign_in_rules ADD COLUMN provider_checks_second_factor BOOLEAN NOT NULL DEFAULT TRUE;
