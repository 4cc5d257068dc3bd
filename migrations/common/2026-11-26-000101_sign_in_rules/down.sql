ALTER TABLE user_identities DROP COLUMN given_roles;
DROP TABLE sign_in_rules;
DROP TABLE role_rules;
