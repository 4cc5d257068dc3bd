-- Webhooks: addresses that are told about leads, signed by the Standard Webhooks specification. Secrets are sealed.
CREATE TABLE webhooks (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    secret BYTEA NOT NULL,
    previous_secret BYTEA,
    previous_secret_until TIMESTAMP,
    disabled_at TIMESTAMP,
    disabled_reason TEXT CHECK (disabled_reason IN ('person', 'failing', 'gone')),
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    lock_version BIGINT NOT NULL
);

-- A destination's queue as a whole: who works on it, whether somebody paused it, and whether the destination is in trouble.
CREATE TABLE delivery_lanes (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT UNIQUE REFERENCES organizations (id) ON DELETE CASCADE,
    webhook_id TEXT UNIQUE REFERENCES webhooks (id) ON DELETE CASCADE,
    is_enabled BOOLEAN NOT NULL,
    paused_at TIMESTAMP,
    paused_by_name TEXT,
    not_before TIMESTAMP NOT NULL,
    trouble TEXT,
    trouble_detail TEXT,
    trouble_since TIMESTAMP,
    trouble_count BIGINT NOT NULL,
    lease_owner TEXT,
    lease_expires_at TIMESTAMP,
    lease_term BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    CHECK ((organization_id IS NULL) <> (webhook_id IS NULL))
);

-- The outbox. A row stands for "tell this destination about this record": what is told is read when it is told.
CREATE TABLE deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    lane_id TEXT NOT NULL REFERENCES delivery_lanes (id) ON DELETE CASCADE,
    event TEXT NOT NULL CHECK (event IN ('lead_saved', 'lead_created', 'lead_updated', 'lead_status_changed', 'submission_failed', 'test')),
    lead_id TEXT REFERENCES leads (id) ON DELETE CASCADE,
    submission_id TEXT REFERENCES form_submissions (id) ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('pending', 'in_progress', 'delivered', 'failed', 'dead')),
    attempts BIGINT NOT NULL,
    retried_from BIGINT NOT NULL,
    next_attempt_at TIMESTAMP NOT NULL,
    reason TEXT,
    detail TEXT,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
-- Changes that come while one waits are one delivery.
CREATE UNIQUE INDEX deliveries_waiting_lead ON deliveries (lane_id, lead_id, event) WHERE state IN ('pending', 'failed') AND lead_id IS NOT NULL;
CREATE INDEX deliveries_due ON deliveries (lane_id, next_attempt_at, id) WHERE state IN ('pending', 'failed');
CREATE INDEX deliveries_in_progress ON deliveries (lane_id) WHERE state = 'in_progress';
CREATE INDEX deliveries_open_lead ON deliveries (lane_id, lead_id, id) WHERE state IN ('pending', 'failed', 'in_progress');
CREATE INDEX deliveries_created_at ON deliveries (created_at, id);
CREATE INDEX deliveries_lane_id ON deliveries (lane_id, created_at, id);
CREATE INDEX deliveries_state ON deliveries (state, created_at, id);
CREATE INDEX deliveries_lead_id ON deliveries (lead_id, created_at, id);
CREATE INDEX deliveries_submission_id ON deliveries (submission_id);

CREATE TABLE delivery_attempts (
    delivery_id TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    attempt BIGINT NOT NULL,
    started_at TIMESTAMP NOT NULL,
    duration_ms BIGINT NOT NULL,
    status BIGINT,
    reason TEXT,
    code TEXT,
    message TEXT,
    PRIMARY KEY (delivery_id, attempt)
);
