ALTER TABLE integration_settings DROP COLUMN member_deletion;
