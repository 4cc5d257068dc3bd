DROP TABLE oidc_attempts;
DROP TABLE user_identities;
