-- What the dashboard counts, derived from leads and form_submissions by store::report_facts and rebuildable from them:
-- one narrow row a record with its quarter of an hour and its group, so that a year of a million leads is counted from
-- an index alone. A group is one combination of everything that a report breaks down by.
CREATE TABLE report_lead_groups (
    id BIGINT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    form_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('new', 'contacted', 'qualified', 'disqualified')),
    UNIQUE (source, campaign_id, form_id, owner_id, status)
);

-- seen_at and lock_version: the state of the lead that was counted. group_id NULL: kept out of the reports.
CREATE TABLE report_leads (
    lead_id TEXT NOT NULL PRIMARY KEY REFERENCES leads (id) ON DELETE CASCADE,
    seen_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL,
    group_id BIGINT,
    slot BIGINT NOT NULL
);
CREATE INDEX report_leads_group ON report_leads (group_id, slot);
CREATE INDEX report_leads_slot ON report_leads (slot, group_id);

-- Owner and status are those of the submission's lead, '' without one. delay: a class of domain::report::delay, -1 for none.
CREATE TABLE report_submission_groups (
    id BIGINT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    form_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('', 'new', 'contacted', 'qualified', 'disqualified')),
    outcome TEXT NOT NULL,
    delay BIGINT NOT NULL,
    UNIQUE (source, campaign_id, form_id, owner_id, status, outcome, delay)
);

CREATE TABLE report_submissions (
    submission_id TEXT NOT NULL PRIMARY KEY REFERENCES form_submissions (id) ON DELETE CASCADE,
    seen_at TIMESTAMP NOT NULL,
    revision BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    group_id BIGINT,
    slot BIGINT NOT NULL
);
CREATE INDEX report_submissions_group ON report_submissions (group_id, slot);

-- Empty between transactions: what the running one counts anew.
CREATE TABLE report_queue (
    stream TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (stream, id)
);

-- How far each stream of changes was followed.
CREATE TABLE report_progress (
    stream TEXT NOT NULL PRIMARY KEY,
    followed_to TIMESTAMP NOT NULL
);

CREATE INDEX leads_updated_at ON leads (updated_at);
CREATE INDEX form_submissions_received_at ON form_submissions (received_at);
CREATE INDEX form_submissions_processed_at ON form_submissions (processed_at);
