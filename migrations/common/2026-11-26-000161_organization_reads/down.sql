DROP TABLE organization_lead_states;
DROP TABLE organization_reads;
