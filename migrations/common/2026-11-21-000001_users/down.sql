DROP TABLE audit_entries;
DROP TABLE sign_in_throttles;
DROP TABLE sessions;
DROP TABLE user_roles;
DROP TABLE users;
