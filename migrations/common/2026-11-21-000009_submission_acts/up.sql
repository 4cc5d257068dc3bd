-- What people do with form submissions. Ignoring keeps Microsoft's matching status beside it.
ALTER TABLE form_submissions ADD COLUMN ignored_at TIMESTAMP;
ALTER TABLE form_submissions ADD COLUMN ignored_by TEXT;
ALTER TABLE form_submissions ADD COLUMN ignored_reason TEXT;
CREATE INDEX form_submissions_attention ON form_submissions (submitted_at, id) WHERE matching_status IN ('match_failed', 'lead_creation_failed', 'lead_update_failed') AND ignored_at IS NULL;
CREATE INDEX form_submissions_ignored ON form_submissions (submitted_at, id) WHERE ignored_at IS NOT NULL;
-- The totals of campaigns are counted from it, too.
CREATE INDEX form_submissions_campaign_id ON form_submissions (campaign_id, submitted_at);
CREATE INDEX form_submissions_form_version_id ON form_submissions (form_version_id, submitted_at);

-- The acts of people, for the timeline. before_state (JSON, without answers) is what undoing an act brings back;
-- it can be undone while lead_lock_version is still the lead's.
CREATE TABLE submission_acts (
    id TEXT NOT NULL PRIMARY KEY,
    submission_id TEXT NOT NULL REFERENCES form_submissions (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('retried', 'linked', 'turned_into_lead', 'ignored', 'brought_back', 'undone')),
    reason TEXT,
    lead_id TEXT,
    lead_lock_version BIGINT,
    before_state TEXT,
    created_at TIMESTAMP NOT NULL,
    undone_at TIMESTAMP
);
CREATE INDEX submission_acts_submission_id ON submission_acts (submission_id, created_at);
