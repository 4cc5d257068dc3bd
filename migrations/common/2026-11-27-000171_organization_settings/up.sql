-- qualification: the records that Dynamics 365 makes of a lead that is qualified here, words with blanks between them.
-- service_id: the id that the organization gives itself, read at service_address; another id at a new address means that the
-- records which are known are elsewhere. key_state: how far the organization built the alternate key of the lead's id here.
ALTER TABLE dataverse_organizations ADD COLUMN qualification TEXT NOT NULL DEFAULT '';
ALTER TABLE dataverse_organizations ADD COLUMN service_id TEXT;
ALTER TABLE dataverse_organizations ADD COLUMN service_address TEXT;
ALTER TABLE dataverse_organizations ADD COLUMN key_state TEXT CHECK (key_state IN ('building', 'active', 'failed'));
