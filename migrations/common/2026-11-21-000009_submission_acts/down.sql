DROP TABLE submission_acts;
DROP INDEX form_submissions_attention;
DROP INDEX form_submissions_ignored;
DROP INDEX form_submissions_campaign_id;
DROP INDEX form_submissions_form_version_id;
ALTER TABLE form_submissions DROP COLUMN ignored_at;
ALTER TABLE form_submissions DROP COLUMN ignored_by;
ALTER TABLE form_submissions DROP COLUMN ignored_reason;
