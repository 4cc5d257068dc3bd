-- Programs act on submissions, too: the name under which one did; user_id then holds the id of its token.
ALTER TABLE submission_acts ADD COLUMN actor_name TEXT;
