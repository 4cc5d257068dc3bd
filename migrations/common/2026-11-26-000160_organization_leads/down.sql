DELETE FROM delivery_lanes WHERE organization_id IS NOT NULL;
ALTER TABLE dataverse_organizations DROP COLUMN column_mapping;
DROP TABLE organization_leads;
