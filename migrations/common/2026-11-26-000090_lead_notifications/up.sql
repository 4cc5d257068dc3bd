-- What LinkedIn's webhook told: one row an event, however often it was delivered. It holds no answers. The row of a
-- deletion stays: it keeps a response that its member deleted from being taken in again.
CREATE TABLE lead_notifications (
    id TEXT NOT NULL PRIMARY KEY,
    response_id TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('created', 'deleted')),
    occurred_at TIMESTAMP NOT NULL,
    account_id TEXT REFERENCES linkedin_accounts (id) ON DELETE SET NULL,
    received_at TIMESTAMP NOT NULL,
    handled_at TIMESTAMP,
    UNIQUE (response_id, action, occurred_at)
);
CREATE INDEX lead_notifications_account_id ON lead_notifications (account_id, received_at);
CREATE INDEX lead_notifications_received_at ON lead_notifications (received_at);
CREATE INDEX lead_notifications_deleted ON lead_notifications (received_at) WHERE action = 'deleted' AND handled_at IS NULL;

-- A lead was announced since the account's last pull began.
ALTER TABLE linkedin_accounts ADD COLUMN notified_at TIMESTAMP;
