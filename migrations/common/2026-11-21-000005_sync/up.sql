-- The sync: one stream an account, lead type and kind of lead; limits LinkedIn set; the history of runs.
CREATE TABLE account_streams (
    account_id TEXT NOT NULL REFERENCES linkedin_accounts (id) ON DELETE CASCADE,
    lead_type TEXT NOT NULL CHECK (lead_type IN ('sponsored', 'event', 'company', 'organization_product')),
    is_test BOOLEAN NOT NULL,
    watermark_at TIMESTAMP,
    window_start_at TIMESTAMP,
    window_end_at TIMESTAMP,
    window_offset BIGINT NOT NULL,
    window_touched_at TIMESTAMP,
    last_sweep_at TIMESTAMP,
    failure_reason TEXT,
    PRIMARY KEY (account_id, lead_type, is_test)
);

-- profile_id '' : the limit holds for the whole application.
CREATE TABLE endpoint_blocks (
    endpoint TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    blocked_until TIMESTAMP NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('daily_limit_reached', 'rate_limited')),
    PRIMARY KEY (endpoint, profile_id)
);

CREATE TABLE sync_runs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('accounts', 'account')),
    profile_id TEXT REFERENCES linkedin_user_profiles (id) ON DELETE CASCADE,
    account_id TEXT REFERENCES linkedin_accounts (id) ON DELETE CASCADE,
    trigger_kind TEXT NOT NULL CHECK (trigger_kind IN ('scheduled', 'manual', 'reset', 'command_line')),
    status TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'partly_failed', 'failed', 'abandoned')),
    lease_owner TEXT NOT NULL,
    lease_term BIGINT NOT NULL,
    started_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    pages BIGINT NOT NULL,
    responses BIGINT NOT NULL,
    submissions_new BIGINT NOT NULL,
    submissions_known BIGINT NOT NULL,
    leads_created BIGINT NOT NULL,
    leads_updated BIGINT NOT NULL,
    match_failed BIGINT NOT NULL,
    processing_failed BIGINT NOT NULL,
    failure_reason TEXT,
    failure_detail TEXT,
    next_attempt_at TIMESTAMP
);
CREATE INDEX sync_runs_started_at ON sync_runs (started_at);
CREATE INDEX sync_runs_account_id ON sync_runs (account_id, started_at);
CREATE INDEX sync_runs_profile_id ON sync_runs (profile_id, started_at);
CREATE INDEX sync_runs_running ON sync_runs (lease_owner) WHERE status = 'running';
