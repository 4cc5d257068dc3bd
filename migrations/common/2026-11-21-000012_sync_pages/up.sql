-- What the sync pages show: pauses, the progress of resets, counted calls, the app's checked credentials, the processes.

-- An account with a row here is not claimed. The name is the person's at the time, as in the audit log.
CREATE TABLE account_pauses (
    account_id TEXT NOT NULL PRIMARY KEY REFERENCES linkedin_accounts (id) ON DELETE CASCADE,
    paused_at TIMESTAMP NOT NULL,
    paused_by TEXT REFERENCES users (id) ON DELETE SET NULL,
    paused_by_name TEXT NOT NULL,
    reason TEXT NOT NULL
);

-- requested_at is the database's clock, because it is compared with when accounts were read last.
CREATE TABLE synchronization_resets (
    id TEXT NOT NULL PRIMARY KEY,
    requested_at TIMESTAMP NOT NULL,
    requested_by_name TEXT NOT NULL,
    accounts BIGINT NOT NULL
);
CREATE INDEX synchronization_resets_requested_at ON synchronization_resets (requested_at);

-- Requests sent per day (UTC, YYYY-MM-DD), LinkedIn resource and profile: LinkedIn tells neither its limits nor what is left.
CREATE TABLE api_calls (
    day TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    calls BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    PRIMARY KEY (day, endpoint, profile_id)
);

-- What LinkedIn said about the client id and secret; fingerprint tells whether they are still the same ones.
CREATE TABLE app_credential_checks (
    client_id TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('accepted', 'refused', 'unanswered')),
    detail TEXT NOT NULL,
    checked_at TIMESTAMP NOT NULL
);

-- One row a running process, refreshed while it lives; times are the database's clock.
CREATE TABLE processes (
    name TEXT NOT NULL PRIMARY KEY,
    version TEXT NOT NULL,
    has_portal BOOLEAN NOT NULL,
    has_scheduler BOOLEAN NOT NULL,
    started_at TIMESTAMP NOT NULL,
    last_seen_at TIMESTAMP NOT NULL
);

-- The oldest submission of each form that waits to be processed.
CREATE INDEX form_submissions_unprocessed_form ON form_submissions (form_id, submitted_at) WHERE processing_state = 'unprocessed';

-- The timeline by status.
CREATE INDEX sync_runs_status ON sync_runs (status, started_at);
