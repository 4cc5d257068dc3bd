ALTER TABLE linkedin_accounts DROP COLUMN notified_at;
DROP TABLE lead_notifications;
