ALTER TABLE submission_acts DROP COLUMN actor_name;
