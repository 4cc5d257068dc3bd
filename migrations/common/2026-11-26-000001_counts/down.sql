DROP TABLE campaign_lead_counts;
DROP TABLE submission_counts;
