DROP TRIGGER IF EXISTS submission_counts_inserted ON form_submissions;
DROP TRIGGER IF EXISTS submission_counts_changed ON form_submissions;
DROP TRIGGER IF EXISTS submission_counts_deleted ON form_submissions;
DROP TRIGGER IF EXISTS campaign_lead_counts_inserted ON lead_origins;
DROP TRIGGER IF EXISTS campaign_lead_counts_changed ON lead_origins;
DROP TRIGGER IF EXISTS campaign_lead_counts_deleted ON lead_origins;
DROP FUNCTION IF EXISTS count_submissions();
DROP FUNCTION IF EXISTS count_campaign_leads();
