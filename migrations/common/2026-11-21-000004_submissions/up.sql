-- The job's records: leads, form submissions with their raw response and decision, and the journal of changes.
CREATE TABLE leads (
    id TEXT NOT NULL PRIMARY KEY,
    first_name TEXT,
    last_name TEXT,
    email TEXT,
    work_email TEXT,
    phone TEXT,
    mobile_phone TEXT,
    company_name TEXT,
    job_title TEXT,
    job_function TEXT,
    seniority TEXT,
    industry TEXT,
    company_size TEXT,
    city TEXT,
    state TEXT,
    country TEXT,
    postal_code TEXT,
    website TEXT,
    linkedin_profile_url TEXT,
    school TEXT,
    degree TEXT,
    field_of_study TEXT,
    start_date TEXT,
    graduation_date TEXT,
    description TEXT,
    custom_values TEXT,
    topic TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('new', 'contacted', 'qualified', 'disqualified')),
    owner_id TEXT NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL
);
CREATE INDEX leads_created_at ON leads (created_at, id);
CREATE INDEX leads_owner_id ON leads (owner_id, created_at);
CREATE INDEX leads_status ON leads (status, created_at);

-- Where a lead came from: one row a lead, beside it because a table is read with at most 32 columns.
CREATE TABLE lead_origins (
    lead_id TEXT NOT NULL PRIMARY KEY REFERENCES leads (id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    account_id TEXT REFERENCES linkedin_accounts (id) ON DELETE SET NULL,
    form_id TEXT REFERENCES lead_forms (id) ON DELETE SET NULL,
    campaign_id TEXT REFERENCES campaigns (id) ON DELETE SET NULL,
    member_urn TEXT,
    first_submission_id TEXT,
    latest_submission_id TEXT,
    latest_submitted_at TIMESTAMP,
    submission_count BIGINT NOT NULL,
    provenance TEXT NOT NULL
);

-- The normalised values that the active matching strategy compares; field '*' holds all of them joined.
CREATE TABLE lead_match_keys (
    field TEXT NOT NULL,
    match_key TEXT NOT NULL,
    lead_id TEXT NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    PRIMARY KEY (field, match_key, lead_id)
);
CREATE INDEX lead_match_keys_lead_id ON lead_match_keys (lead_id);

CREATE TABLE form_submissions (
    id TEXT NOT NULL PRIMARY KEY,
    response_id TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL REFERENCES linkedin_accounts (id) ON DELETE RESTRICT,
    form_id TEXT REFERENCES lead_forms (id) ON DELETE RESTRICT,
    form_version_id TEXT REFERENCES lead_form_versions (id) ON DELETE RESTRICT,
    form_linkedin_id BIGINT,
    form_version_number BIGINT,
    campaign_id TEXT REFERENCES campaigns (id) ON DELETE SET NULL,
    campaign_linkedin_id BIGINT,
    creative_linkedin_id BIGINT,
    lead_type TEXT NOT NULL CHECK (lead_type IN ('sponsored', 'event', 'company', 'organization_product')),
    submitter_urn TEXT,
    submitted_at TIMESTAMP NOT NULL,
    received_at TIMESTAMP NOT NULL,
    is_test BOOLEAN NOT NULL,
    name TEXT NOT NULL,
    matching_status TEXT NOT NULL CHECK (matching_status IN ('pending_lead_matching', 'new_lead_created', 'updated_existing_lead', 'match_failed', 'lead_creation_failed', 'lead_update_failed', 'lead_matched_but_not_updated')),
    processing_state TEXT NOT NULL CHECK (processing_state IN ('unprocessed', 'processing_succeeded', 'processing_failed')),
    reason TEXT,
    reason_detail TEXT,
    flag_count BIGINT NOT NULL,
    lead_id TEXT REFERENCES leads (id) ON DELETE SET NULL,
    attempts BIGINT NOT NULL,
    processed_at TIMESTAMP,
    content_hash BYTEA NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX form_submissions_submitted_at ON form_submissions (submitted_at, id);
CREATE INDEX form_submissions_form_id ON form_submissions (form_id, submitted_at);
CREATE INDEX form_submissions_account_id ON form_submissions (account_id, submitted_at);
CREATE INDEX form_submissions_matching_status ON form_submissions (matching_status, submitted_at);
CREATE INDEX form_submissions_lead_id ON form_submissions (lead_id);
CREATE INDEX form_submissions_unprocessed ON form_submissions (account_id, submitted_at) WHERE processing_state = 'unprocessed';
CREATE INDEX form_submissions_failed ON form_submissions (submitted_at, id) WHERE processing_state = 'processing_failed';
CREATE INDEX form_submissions_test ON form_submissions (submitted_at, id) WHERE is_test;

-- raw: the element of LinkedIn's answer, byte for byte. decision: how it became what it became (JSON), NULL until decided.
CREATE TABLE submission_contents (
    submission_id TEXT NOT NULL PRIMARY KEY REFERENCES form_submissions (id) ON DELETE CASCADE,
    raw BYTEA NOT NULL,
    decision TEXT
);

CREATE TABLE lead_changes (
    id TEXT NOT NULL PRIMARY KEY,
    lead_id TEXT NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    submission_id TEXT,
    user_id TEXT,
    kind TEXT NOT NULL CHECK (kind IN ('created', 'updated', 'attached', 'reopened', 'edited')),
    changes TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX lead_changes_lead_id ON lead_changes (lead_id, created_at);
