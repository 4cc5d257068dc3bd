-- What becomes of a lead when a member deletes the answers that it came from.
ALTER TABLE integration_settings ADD COLUMN member_deletion TEXT NOT NULL DEFAULT 'erase' CHECK (member_deletion IN ('erase', 'keep'));
