ALTER TABLE processes DROP COLUMN sealing_key;
ALTER TABLE processes DROP COLUMN held_keys;
DROP TABLE signing_roots;
DROP TABLE secret_keys;
