ALTER TABLE dataverse_organizations DROP COLUMN key_state;
ALTER TABLE dataverse_organizations DROP COLUMN service_address;
ALTER TABLE dataverse_organizations DROP COLUMN service_id;
ALTER TABLE dataverse_organizations DROP COLUMN qualification;
