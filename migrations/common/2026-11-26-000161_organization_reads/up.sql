-- What is read back from Dynamics 365 organizations: how far, when next, by whom, and what is wrong. link: where change
-- tracking goes on; modified_since: where it is off, the time of the last change that was read. Both NULL: nothing was read.
CREATE TABLE organization_reads (
    organization_id TEXT NOT NULL PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    link TEXT,
    modified_since TIMESTAMP,
    next_read_at TIMESTAMP NOT NULL,
    read_at TIMESTAMP,
    trouble TEXT,
    trouble_detail TEXT,
    trouble_since TIMESTAMP,
    trouble_count BIGINT NOT NULL,
    lease_owner TEXT,
    lease_expires_at TIMESTAMP,
    lease_term BIGINT NOT NULL
);
CREATE INDEX organization_reads_next_read_at ON organization_reads (next_read_at);

-- How a lead's record is in the organization, as it was last read or written. sent_owner_id: our owner when it was last compared.
-- is_unsure: it was written while it was read, so it has to be looked at again.
CREATE TABLE organization_lead_states (
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    lead_id TEXT NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    statecode BIGINT NOT NULL,
    statuscode BIGINT,
    owner_id TEXT,
    owner_name TEXT,
    sent_owner_id TEXT,
    modified_at TIMESTAMP,
    is_unsure BOOLEAN NOT NULL,
    seen_at TIMESTAMP NOT NULL,
    PRIMARY KEY (organization_id, lead_id)
);
CREATE INDEX organization_lead_states_lead_id ON organization_lead_states (lead_id);
CREATE INDEX organization_lead_states_unsure ON organization_lead_states (organization_id) WHERE is_unsure;
