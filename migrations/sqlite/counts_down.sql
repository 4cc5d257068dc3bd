DROP TRIGGER IF EXISTS submission_counts_inserted;
DROP TRIGGER IF EXISTS submission_counts_changed;
DROP TRIGGER IF EXISTS submission_counts_deleted;
DROP TRIGGER IF EXISTS campaign_lead_counts_inserted;
DROP TRIGGER IF EXISTS campaign_lead_counts_changed;
DROP TRIGGER IF EXISTS campaign_lead_counts_deleted;
