-- How many submissions and leads there are, kept by triggers (migrations/sqlite/counts.sql, migrations/postgres/counts.sql), so
-- that a page over a million records counts none of them and no writer can forget to.
-- form_id, campaign_id: '' without one. is_ignored_test: kept out of leads because LinkedIn marks it as a test lead.
CREATE TABLE submission_counts (
    account_id TEXT NOT NULL,
    form_id TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    matching_status TEXT NOT NULL CHECK (matching_status IN ('pending_lead_matching', 'new_lead_created', 'updated_existing_lead', 'match_failed', 'lead_creation_failed', 'lead_update_failed', 'lead_matched_but_not_updated')),
    processing_state TEXT NOT NULL CHECK (processing_state IN ('unprocessed', 'processing_succeeded', 'processing_failed')),
    is_test BOOLEAN NOT NULL,
    is_ignored_test BOOLEAN NOT NULL,
    submissions BIGINT NOT NULL,
    PRIMARY KEY (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test)
);

CREATE TABLE campaign_lead_counts (
    campaign_id TEXT NOT NULL PRIMARY KEY,
    leads BIGINT NOT NULL
);
