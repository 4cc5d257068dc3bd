ALTER TABLE sign_in_rules DROP COLUMN provider_checks_second_factor;
ALTER TABLE oidc_attempts DROP COLUMN confirms_user_id;
