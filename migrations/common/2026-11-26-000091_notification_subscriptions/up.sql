-- The portal's subscriptions to LinkedIn's notifications: one row an account and lead type. linkedin_id is LinkedIn's
-- number, webhook the address it was made with ('' before). next_attempt_at NULL: nothing is to be done.
CREATE TABLE notification_subscriptions (
    account_id TEXT NOT NULL REFERENCES linkedin_accounts (id) ON DELETE CASCADE,
    lead_type TEXT NOT NULL CHECK (lead_type IN ('sponsored', 'event', 'company', 'organization_product')),
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'failed', 'deleted')),
    linkedin_id TEXT,
    webhook TEXT NOT NULL,
    failure_reason TEXT,
    failure_detail TEXT,
    attempts BIGINT NOT NULL,
    next_attempt_at TIMESTAMP,
    checked_at TIMESTAMP,
    PRIMARY KEY (account_id, lead_type)
);
CREATE INDEX notification_subscriptions_next_attempt_at ON notification_subscriptions (next_attempt_at);
