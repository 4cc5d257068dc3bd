ALTER TABLE lead_changes DROP COLUMN actor_name;
DROP TABLE api_tokens;
