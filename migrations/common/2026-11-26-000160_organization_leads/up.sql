-- What a lead is in an organization. record_id: the record there. sent: by column, a digest of the value that was sent last,
-- so that only what changed here is written there. misfits: values that no column could take. candidates: records that match,
-- from which a person chooses.
CREATE TABLE organization_leads (
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    lead_id TEXT NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('linked', 'waiting', 'create', 'deleted')),
    record_id TEXT,
    sent TEXT NOT NULL,
    misfits TEXT,
    candidates TEXT,
    delivered_at TIMESTAMP,
    updated_at TIMESTAMP NOT NULL,
    PRIMARY KEY (organization_id, lead_id)
);
-- No record belongs to two leads.
CREATE UNIQUE INDEX organization_leads_record ON organization_leads (organization_id, record_id) WHERE record_id IS NOT NULL;
CREATE INDEX organization_leads_lead_id ON organization_leads (lead_id);

-- Which part of a lead goes to which column, as JSON; NULL: as shipped.
ALTER TABLE dataverse_organizations ADD COLUMN column_mapping TEXT;

-- Organizations that were added before anything was delivered to them.
INSERT INTO delivery_lanes (id, organization_id, is_enabled, not_before, trouble_count, lease_term, created_at)
SELECT organization_id, organization_id, is_enabled, credential_set_at, 0, 0, credential_set_at FROM dataverse_organizations
WHERE organization_id NOT IN (SELECT organization_id FROM delivery_lanes WHERE organization_id IS NOT NULL);
